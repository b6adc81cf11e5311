//! What profiles before 2025 wrote, in the terms of today: so that everything behind the door knows one form.

use alloc::{string::String, vec::Vec};

use crate::{
    ClassId, Comid, CryptoKey, Environment, MeasuredElement, Measurement, Triples, Version,
    profile::CCA_PLATFORM_CONFIG,
};

/// A CoMID in the terms of today. `component` is the measurement key of a software component in its profile.
pub(crate) fn upgrade(comid: &mut Comid, component: &str) -> Result<(), &'static str> {
    environments(&mut comid.triples).into_iter().for_each(upgrade_environment);
    let (measurements, elements) = measurements(&mut comid.triples);
    for measurement in measurements {
        upgrade_measurement(measurement, component)?;
    }
    for element in elements {
        if let MeasuredElement::OlderPsaRefvalId { .. } | MeasuredElement::OlderCcaConfigId(_) = element {
            return Err("key triple names its element in an older form");
        }
    }
    Ok(())
}

/// The profiles of Arm before 2025 were written with two numberings: the drafts exchanged those of attestation keys and
/// identity keys. The one key of an instance is both, so nothing is guessed where each counts as the other.
pub(crate) fn join_keys(triples: &mut Triples) {
    triples.attest_key.append(&mut triples.identity);
}

fn upgrade_environment(environment: &mut Environment) {
    let id = environment.class.as_mut().and_then(|class| class.id.as_mut());
    if let Some(id) = id
        && let ClassId::OlderImplementationId(bytes) = id
    {
        *id = ClassId::Bytes(bytes.to_vec());
    }
}

/// What the key said, the values say now.
fn upgrade_measurement(measurement: &mut Measurement, component: &str) -> Result<(), &'static str> {
    const TWICE: &str = "measurement says the same in its key and in its values";
    let values = &mut measurement.values;
    match measurement.key.take() {
        Some(MeasuredElement::OlderPsaRefvalId { label, version, signer }) => {
            if values.name.is_some() || values.version.is_some() || !values.cryptokeys.is_empty() {
                return Err(TWICE);
            }
            values.name = label;
            values.version = version.map(|version| Version { version, scheme: None });
            values.cryptokeys = Vec::from([CryptoKey::Bytes(signer)]);
            measurement.key = Some(MeasuredElement::Name(component.into()));
        }
        // Its label is for people: no platform attests it.
        Some(MeasuredElement::OlderCcaConfigId(_)) => {
            measurement.key = Some(MeasuredElement::Name(String::from(CCA_PLATFORM_CONFIG)));
        }
        key => measurement.key = key,
    }
    Ok(())
}

fn environments(triples: &mut Triples) -> Vec<&mut Environment> {
    let mut all = Vec::new();
    let values = triples.reference.iter_mut().chain(&mut triples.endorsed);
    all.extend(values.map(|triple| &mut triple.environment));
    let keys = triples.identity.iter_mut().chain(&mut triples.attest_key);
    all.extend(keys.map(|triple| &mut triple.environment));
    for triple in triples.dependency.iter_mut().chain(&mut triples.membership) {
        all.push(&mut triple.domain);
        all.extend(&mut triple.others);
    }
    all.extend(triples.coswid.iter_mut().map(|triple| &mut triple.environment));
    all.extend(triples.conditional_series.iter_mut().map(|triple| &mut triple.environment));
    for triple in &mut triples.conditional {
        let parts = triple.conditions.iter_mut().chain(&mut triple.endorsements);
        all.extend(parts.map(|part| &mut part.environment));
    }
    all
}

fn measurements(triples: &mut Triples) -> (Vec<&mut Measurement>, Vec<&mut MeasuredElement>) {
    let mut all = Vec::new();
    for triple in triples.reference.iter_mut().chain(&mut triples.endorsed) {
        all.extend(&mut triple.measurements);
    }
    for triple in &mut triples.conditional_series {
        all.extend(&mut triple.measurements);
        for item in &mut triple.series {
            all.extend(item.condition.iter_mut().chain(&mut item.addition));
        }
    }
    for triple in &mut triples.conditional {
        for part in triple.conditions.iter_mut().chain(&mut triple.endorsements) {
            all.extend(&mut part.measurements);
        }
    }
    let keys = triples.identity.iter_mut().chain(&mut triples.attest_key);
    (all, keys.filter_map(|triple| triple.element.as_mut()).collect())
}
