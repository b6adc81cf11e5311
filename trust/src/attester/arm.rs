//! Tokens of Arm's platforms: PSA and CCA.

use alloc::{borrow::ToOwned, vec::Vec};

use corim::{
    CCA_PLATFORM_CONFIG, CCA_REMS, CCA_RIM, CCA_RPV, CCA_SOFTWARE_COMPONENT, Class, ClassId, CryptoKey, Ect,
    Element, Environment, Instance, MeasurementValues, PSA_SOFTWARE_COMPONENT,
};
use crypto::Digest;
use eat::{CcaRealmClaims, CcaToken, Nonce, PsaToken};

use super::{
    Attester,
    elements::{component, element, raw},
    keys,
};
use crate::{Beliefs, EndorsedKey, KeyBinding, Reason};

pub(super) fn psa(token: &PsaToken, beliefs: &Beliefs<'_>, nonce: &Nonce) -> Result<Vec<Attester>, Reason> {
    let claims = token.unverified();
    let environment = environment(&claims.implementation_id, claims.instance_id.as_bytes());
    let keys = keys::of(beliefs, &environment, &token.certificates())?;
    let (token, by) = keys::first(&keys, EndorsedKey::for_tokens, |key| token.clone().verify(key, nonce))?;
    let claims = token.claims();
    let components = claims.components.iter();
    let elements = components.map(|one| component(PSA_SOFTWARE_COMPONENT, one, None)).collect();
    Ok(Vec::from([Attester {
        profile: Some(claims.profile.name().to_owned()),
        lifecycle: Some(claims.lifecycle),
        ..Attester::new("PSA_IOT", environment, elements, by)
    }]))
}

pub(super) fn cca(token: &CcaToken, beliefs: &Beliefs<'_>, nonce: &Nonce) -> Result<Vec<Attester>, Reason> {
    let claims = token.unverified_platform();
    let environment = environment(&claims.implementation_id, claims.instance_id.as_bytes());
    let keys = keys::of(beliefs, &environment, &token.certificates())?;
    let (token, by) = keys::first(&keys, EndorsedKey::for_tokens, |key| token.clone().verify(key, nonce))?;
    let platform = token.platform();
    let hash = Some(platform.hash_algorithm);
    let components = platform.components.iter();
    let mut elements: Vec<Element> =
        components.map(|one| component(CCA_SOFTWARE_COMPONENT, one, hash)).collect();
    elements.push(raw(CCA_PLATFORM_CONFIG, &platform.config));
    let realm = realm(token.realm());
    Ok(Vec::from([
        Attester {
            profile: Some(platform.profile.name().to_owned()),
            optional: Vec::from([elements.len() - 1]),
            lifecycle: Some(platform.lifecycle),
            ..Attester::new("CCA_SSD_PLATFORM", environment, elements, by)
        },
        realm,
    ]))
}

/// The environment of a PSA root of trust or CCA platform.
fn environment(implementation: &[u8; 32], instance: &[u8]) -> Environment {
    Environment {
        class: Some(Class { id: Some(ClassId::Bytes(implementation.to_vec())), ..Class::default() }),
        instance: Some(Instance::Ueid(instance.to_vec())),
        group: None,
    }
}

fn realm(claims: &CcaRealmClaims) -> Attester {
    let digest = |key: &str, value: &[u8]| match Digest::new(claims.hash_algorithm, value) {
        Some(digest) => element(
            key,
            MeasurementValues { digests: [digest.into()].into(), ..MeasurementValues::default() },
        ),
        // What is as long as another hash is a value that no expected digest equals.
        None => raw(key, value),
    };
    let mut elements = Vec::from([digest(CCA_RIM, &claims.initial_measurement)]);
    let extensible = CCA_REMS.iter().zip(&claims.extensible_measurements);
    elements.extend(extensible.map(|(key, value)| digest(key, value)));
    elements.push(raw(CCA_RPV, &claims.personalisation));
    // A realm is known by what it began as, and its key by the platform that vouches for it.
    let class = Class { id: Some(ClassId::Bytes(claims.initial_measurement.clone())), ..Class::default() };
    let environment = Environment { class: Some(class), ..Environment::default() };
    let optional = (1..elements.len()).collect();
    let measured = Ect::evidence(environment, elements, CryptoKey::of_public_key(&claims.public_key));
    let binding = Some(KeyBinding::Platform);
    Attester { optional, binding, ..Attester::of("CCA_REALM", measured) }
}
