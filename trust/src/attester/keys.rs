//! With which keys an attester is known to sign.

use alloc::{borrow::Cow, string::String, vec::Vec};

use corim::{Class, Environment, Instance};
use x509::{Certificate, KeyUsage, verify_chain};

use crate::{AttestationKey, Beliefs, Code, EndorsedKey, KeyBinding, Reason, device_name};

/// The keys of an environment, which are endorsed for it, named by the operator, those of ownership vouchers, or certified
/// by somebody who may certify those of its kind.
/// Without one, nobody knows the device.
pub(super) fn of<'e>(
    beliefs: &Beliefs<'e>,
    environment: &Environment,
    certificates: &[&[u8]],
) -> Result<Vec<Cow<'e, EndorsedKey>>, Reason> {
    let endorsed = beliefs.endorsements.keys(environment, beliefs.now);
    let mut keys: Vec<_> = endorsed.into_iter().map(Cow::Borrowed).collect();
    keys.extend(beliefs.keys.iter().map(|key| {
        let (key, environment) = (AttestationKey::Signature(key.clone()), Environment::default());
        Cow::Owned(EndorsedKey { key, environment, binding: KeyBinding::Operator })
    }));
    keys.extend(vouched(beliefs, environment).map(Cow::Owned));
    match certified(beliefs, environment, certificates) {
        Ok(key) => keys.extend(key.map(Cow::Owned)),
        // An endorsed key is one, whatever certificates come along.
        Err(reason) if keys.is_empty() => return Err(reason),
        Err(_) => {}
    }
    if keys.is_empty() {
        return Err(Code::UnknownDevice.into());
    }
    Ok(keys)
}

/// The key of the device whose ownership voucher names the GUID that evidence tells as its UEID.
fn vouched(beliefs: &Beliefs<'_>, environment: &Environment) -> Option<EndorsedKey> {
    let Some(Instance::Ueid(ueid)) = &environment.instance else { return None };
    let device = beliefs.vouchers?.of(ueid)?;
    let environment = Environment { instance: environment.instance.clone(), ..Environment::default() };
    let key = AttestationKey::Signature(device.key.clone());
    Some(EndorsedKey { key, environment, binding: KeyBinding::Voucher(device.guid) })
}

/// The key of the certificate that came with evidence (`x5chain`, RFC 9360; `x5c`, RFC 7515), where it leads to somebody
/// who may certify this device: the operator's authorities, of devices that their certificates name, and those of
/// manifests, of the instance or class of the triple that holds them.
///
/// Evidence that tells which device it is from is believed so only where the certificate or the triple says the same.
fn certified(
    beliefs: &Beliefs<'_>,
    environment: &Environment,
    certificates: &[&[u8]],
) -> Result<Option<EndorsedKey>, Reason> {
    let refused =
        |error: &dyn core::fmt::Display| Reason::new(Code::AttesterCertificate).with("error", error);
    let endorsed = beliefs.endorsements.authorities(environment, beliefs.now);
    if certificates.is_empty() || (beliefs.authorities.is_empty() && endorsed.is_empty()) {
        return Ok(None);
    }
    let chain = certificates.iter().map(|der| Certificate::decode(der)).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| refused(&error))?;
    let Some((leaf, intermediates)) = chain.split_first() else { return Ok(None) };
    if leaf.basic_constraints().ca
        || leaf.key_usage().is_some_and(|usage| !usage.contains(KeyUsage::DIGITAL_SIGNATURE))
    {
        return Err(refused(&"the certificate is not one to sign with"));
    }
    let key = AttestationKey::Signature(leaf.public_key().map_err(|error| refused(&error))?.clone());
    let named = environment.instance.as_ref().filter(|instance| names(leaf, instance));
    let mut refusal = refused(&"the certificate does not name the device");
    if named.is_some() && !beliefs.authorities.is_empty() {
        match verify_chain(leaf, intermediates, beliefs.authorities, beliefs.now) {
            Ok(_) => {
                let environment = Environment { instance: named.cloned(), ..Environment::default() };
                return Ok(Some(EndorsedKey { key, environment, binding: KeyBinding::OperatorAuthority }));
            }
            Err(error) => refusal = refused(&error),
        }
    }
    for authority in endorsed {
        let told = environment.instance.is_some();
        if told && named.is_none() && authority.environment.instance.is_none() {
            continue;
        }
        let anchor = core::slice::from_ref(&authority.certificate);
        match verify_chain(leaf, intermediates, anchor, beliefs.now) {
            Ok(_) => {
                let environment = authority.environment.clone();
                let binding = KeyBinding::ManifestAuthority(authority.manifest);
                return Ok(Some(EndorsedKey { key, environment, binding }));
            }
            Err(error) => refusal = refused(&error),
        }
    }
    Err(refusal)
}

/// Whether a certificate is of the device with a UEID: that is the serial number of its subject in hexadecimal digits.
/// Names have no room for the 66 digits of the longest ones, which all are of type 1: they may leave the type out.
fn names(certificate: &Certificate, instance: &Instance) -> bool {
    let Instance::Ueid(ueid) = instance else { return false };
    let Some(serial) = certificate.subject().serial_number() else { return false };
    let is = |name: String| serial.eq_ignore_ascii_case(&name);
    is(device_name(ueid))
        || matches!(ueid.as_slice(), [RANDOM, rest @ ..] if rest.len() == LONGEST && is(device_name(rest)))
}

/// Type of a UEID that is random or a hash (RFC 9711, section 4.2.1.1).
const RANDOM: u8 = 1;
/// Bytes of the longest UEID behind its type.
const LONGEST: usize = 32;

/// The first key that verifies, of those that `usable` gives in the form wanted. A nonce that is not ours is told apart from
/// a signature that is not the device's.
pub(super) fn first<'k, K, T>(
    keys: &'k [Cow<'_, EndorsedKey>],
    usable: impl Fn(&'k EndorsedKey) -> Option<K>,
    verify: impl Fn(K) -> Result<T, eat::Error>,
) -> Result<(T, &'k EndorsedKey), Reason> {
    let mut refusal = Reason::new(Code::UnknownDevice);
    for endorsed in keys {
        let Some(key) = usable(endorsed) else { continue };
        match verify(key) {
            Ok(verified) => return Ok((verified, endorsed)),
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
        Error::Untrusted(Distrust::Expired) => Code::EvidenceExpired,
        Error::Untrusted(Distrust::NotYetValid) => Code::EvidenceNotYetValid,
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
