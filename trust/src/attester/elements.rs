//! Measurements in the terms of reference values.

use alloc::{borrow::ToOwned, vec::Vec};

use corim::{CryptoKey, Element, MeasuredElement, MeasurementValues, RawValue, Version};
use crypto::HashAlgorithm;
use eat::SoftwareComponent;

pub(super) fn element(key: &str, values: MeasurementValues) -> Element {
    Element { key: Some(MeasuredElement::Name(key.to_owned())), values }
}

pub(super) fn raw(key: &str, value: &[u8]) -> Element {
    element(
        key,
        MeasurementValues {
            raw_value: Some(RawValue::Plain(value.to_vec())),
            ..MeasurementValues::default()
        },
    )
}

/// A software component of PSA or CCA.
pub(super) fn component(key: &str, found: &SoftwareComponent, default: Option<HashAlgorithm>) -> Element {
    let digest = found.digest(default);
    let values = MeasurementValues {
        digests: digest.into_iter().map(Into::into).collect(),
        // By an algorithm that is not known it is a value that no expected digest equals.
        raw_value: digest.is_none().then(|| RawValue::Plain(found.measurement.clone())),
        name: found.measurement_type.clone(),
        version: found.version.clone().map(|version| Version { version, scheme: None }),
        cryptokeys: Vec::from([CryptoKey::Bytes(found.signer_id.clone())]),
        ..MeasurementValues::default()
    };
    element(key, values)
}
