//! With which keys an attester is known to sign.

use alloc::{borrow::Cow, vec::Vec};

use corim::{Class, Environment};

use crate::{Beliefs, Code, EndorsedKey, Reason};

/// The keys of an environment: without one, nobody knows the device.
pub(super) fn of<'e>(
    beliefs: &Beliefs<'e>,
    environment: &Environment,
    _certificates: &[&[u8]],
) -> Result<Vec<Cow<'e, EndorsedKey>>, Reason> {
    let keys: Vec<_> =
        beliefs.endorsements.keys(environment, beliefs.now).into_iter().map(Cow::Borrowed).collect();
    if keys.is_empty() {
        return Err(Code::UnknownDevice.into());
    }
    Ok(keys)
}

/// The first key that verifies. A nonce that is not ours is told apart from a signature that is not the device's.
pub(super) fn first<'k, T>(
    keys: &'k [Cow<'_, EndorsedKey>],
    verify: impl Fn(&EndorsedKey) -> Result<T, eat::Error>,
) -> Result<(T, &'k EndorsedKey), Reason> {
    let mut refusal = Reason::new(Code::UnknownDevice);
    for key in keys {
        match verify(key) {
            Ok(verified) => return Ok((verified, key)),
            Err(error @ eat::Error::Untrusted(eat::Distrust::Nonce)) => return Err(refused(error)),
            Err(error) => refusal = refused(error),
        }
    }
    Err(refusal)
}

/// Why evidence is not believed, by its code.
pub(super) fn refused(error: eat::Error) -> Reason {
    use eat::{Distrust, Error, Feature};
    let code = match error {
        Error::Untrusted(Distrust::Nonce) => return Code::ReplayedNonce.into(),
        Error::Untrusted(Distrust::WeakHash) => Code::WeakAlgorithm,
        Error::Untrusted(Distrust::PcrDigest) => Code::PcrDigest,
        Error::Untrusted(Distrust::DetachedDigest | Distrust::UncoveredSet) => Code::DetachedDigest,
        Error::Untrusted(
            Distrust::RealmBinding | Distrust::KeyAttributes | Distrust::TpmName | Distrust::ContentType,
        ) => Code::BadEvidenceSignature,
        Error::Signature(cose::Error::Untrusted(cose::Distrust::NoKey)) => Code::UnknownDevice,
        Error::Signature(cose::Error::Untrusted(_)) => Code::BadEvidenceSignature,
        Error::Unsupported(Feature::UnprotectedClaimsSet) => Code::UnprotectedEvidence,
        _ => Code::MalformedEvidence,
    };
    Reason::new(code).with("error", error)
}

/// An environment with what an endorsement adds to it. The two agree: else the key would not have been found.
pub(super) fn merged(told: Environment, endorsed: &Environment) -> Environment {
    let class = match (told.class, endorsed.class.clone()) {
        (Some(told), Some(endorsed)) => Some(Class {
            id: told.id.or(endorsed.id),
            vendor: told.vendor.or(endorsed.vendor),
            model: told.model.or(endorsed.model),
            layer: told.layer.or(endorsed.layer),
            index: told.index.or(endorsed.index),
        }),
        (told, endorsed) => told.or(endorsed),
    };
    Environment {
        class,
        instance: told.instance.or_else(|| endorsed.instance.clone()),
        group: told.group.or_else(|| endorsed.group.clone()),
    }
}
