use alloc::{string::String, vec::Vec};

use cbor::{Key, MapBuilder, Reader, Reason, Type};

use super::{Lifecycle, SoftwareComponent};
use crate::{
    Error, Nonce, Ueid, labels,
    token::MAX_TOKEN_LEN,
    values::{array, text, write_array},
};

/// The profile of a PSA token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PsaProfile {
    /// RFC 9783.
    Rfc9783,
    /// The drafts before it, with claims of EAT where there are any.
    Psa2,
    /// The first, with claims of its own throughout.
    Iot1,
}

/// The claims of a PSA token (RFC 9783, section 4), well-formed by the rules of their profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PsaClaims {
    /// The profile whose rules they follow.
    pub profile: PsaProfile,
    /// The challenge: 32, 48 or 64 bytes, and only one.
    pub nonce: Nonce,
    /// Instance id: 0x01 and 32 bytes that name the attestation key. Not a secret.
    pub instance_id: Ueid,
    /// What tells one boot session from all others.
    pub boot_seed: Option<Vec<u8>>,
    /// Who asked for the token on the device: negative outside the secure side, positive within, and never zero.
    pub client_id: i32,
    /// Security lifecycle.
    pub lifecycle: Lifecycle,
    /// Implementation id: the class of the immutable root of trust.
    pub implementation_id: [u8; 32],
    /// Certification reference, or the hardware version of the first profile: an EAN-13, and five digits.
    pub certification_reference: Option<String>,
    /// Measured components. None only in the first profile, where the token says so.
    pub components: Vec<SoftwareComponent>,
    /// Where to have the token verified: a hint, never to be followed unless already trusted.
    pub verification_service: Option<String>,
}

/// Which labels a profile gives its claims.
struct Labels {
    profile: i64,
    client_id: i64,
    lifecycle: i64,
    implementation_id: i64,
    boot_seed: i64,
    certification: i64,
    components: i64,
    nonce: i64,
    instance_id: i64,
    service: i64,
}

const RFC_9783: Labels = Labels {
    profile: labels::PROFILE,
    client_id: labels::PSA_CLIENT_ID,
    lifecycle: labels::PSA_LIFECYCLE,
    implementation_id: labels::PSA_IMPLEMENTATION_ID,
    boot_seed: labels::BOOTSEED,
    certification: labels::PSA_CERTIFICATION,
    components: labels::PSA_COMPONENTS,
    nonce: labels::NONCE,
    instance_id: labels::UEID,
    service: labels::PSA_SERVICE,
};

const PSA_2: Labels = Labels { boot_seed: labels::PSA_OLD_BOOT_SEED, ..RFC_9783 };

const IOT_1: Labels = Labels {
    profile: labels::IOT_PROFILE,
    client_id: labels::IOT_CLIENT_ID,
    lifecycle: labels::IOT_LIFECYCLE,
    implementation_id: labels::IOT_IMPLEMENTATION_ID,
    boot_seed: labels::IOT_BOOT_SEED,
    certification: labels::IOT_HARDWARE_VERSION,
    components: labels::IOT_COMPONENTS,
    nonce: labels::IOT_NONCE,
    instance_id: labels::IOT_INSTANCE_ID,
    service: labels::IOT_SERVICE,
};

impl PsaProfile {
    /// Every profile, the newest first.
    pub const ALL: [Self; 3] = [Self::Rfc9783, Self::Psa2, Self::Iot1];

    /// Its name in tokens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rfc9783 => "tag:psacertified.org,2023:psa#tfm",
            Self::Psa2 => "http://arm.com/psa/2.0.0",
            Self::Iot1 => "PSA_IOT_PROFILE_1",
        }
    }

    const fn labels(self) -> &'static Labels {
        match self {
            Self::Rfc9783 => &RFC_9783,
            Self::Psa2 => &PSA_2,
            Self::Iot1 => &IOT_1,
        }
    }

    /// The profile that claims name, which decides what all other labels mean.
    fn of(claims: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(claims);
        let mut map = reader.map()?;
        let (mut found, mut old_labels) = (None, false);
        let mut at = reader.position();
        while let Some(key) = map.next(&mut reader)? {
            old_labels |= matches!(key, Key::Int(labels::IOT_SERVICE..=labels::IOT_CLIENT_ID));
            if let Key::Int(label @ (labels::PROFILE | labels::IOT_PROFILE)) = key {
                let name = text(&mut reader)?;
                let profile = Self::ALL.into_iter().find(|profile| profile.name() == name);
                let profile = profile.filter(|profile| profile.labels().profile == label);
                if found.replace(profile.ok_or(crate::Distrust::Profile)?).is_some() {
                    return Err(cbor::Error::rule(at, "token names two profiles").into());
                }
            } else {
                reader.skip()?;
            }
            at = reader.position();
        }
        // The first profile need not be named: its labels are its own.
        let implied = old_labels.then_some(Self::Iot1);
        Ok(found.or(implied).ok_or(cbor::Error::new(0, Reason::MissingKey(labels::PROFILE)))?)
    }
}

impl PsaClaims {
    /// Decodes a claims-set; definite lengths only, in any order and with any heads (RFC 9783, section 5.1).
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let normal = cbor::normalize_definite(bytes, MAX_TOKEN_LEN)?;
        let profile = PsaProfile::of(&normal)?;
        let labels = profile.labels();
        let mut reader = Reader::new(&normal);
        let mut map = reader.map()?;
        let (mut nonce, mut instance_id, mut boot_seed, mut client_id) = (None, None, None, None);
        let (mut lifecycle, mut implementation_id, mut components) = (None, None, None);
        let (mut certification_reference, mut verification_service, mut none_measured) = (None, None, false);
        let mut at = reader.position();
        while let Some(key) = map.next(&mut reader)? {
            let Key::Int(label) = key else {
                if matches!(key, Key::Text(name) if labels::NAMES.contains(&name) || name.starts_with("psa-"))
                {
                    return Err(cbor::Error::rule(at, "claim has a label and stands under its name").into());
                }
                reader.skip()?;
                continue;
            };
            at = reader.position();
            match label {
                _ if label == labels.nonce => nonce = Some(read_nonce(&mut reader)?),
                _ if label == labels.instance_id => instance_id = Some(read_instance_id(&mut reader)?),
                _ if label == labels.boot_seed => boot_seed = Some(profile.seed().decode(&mut reader)?),
                _ if label == labels.client_id => client_id = Some(read_client_id(&mut reader)?),
                _ if label == labels.lifecycle => lifecycle = Some(Lifecycle::decode(&mut reader)?),
                _ if label == labels.implementation_id => implementation_id = Some(*reader.byte_array()?),
                _ if label == labels.certification => {
                    let reference = text(&mut reader)?;
                    if !profile.is_reference(&reference) {
                        return Err(cbor::Error::rule(at, "not the reference of a certification").into());
                    }
                    certification_reference = Some(reference);
                }
                _ if label == labels.components => {
                    components = Some(array(&mut reader, SoftwareComponent::decode)?)
                }
                labels::IOT_NO_COMPONENTS if profile == PsaProfile::Iot1 => {
                    if reader.uint()? != 1 {
                        return Err(cbor::Error::new(at, Reason::OutOfRange).into());
                    }
                    none_measured = true;
                }
                _ if label == labels.service => {
                    let service = text(&mut reader)?;
                    if service.is_empty() {
                        return Err(cbor::Error::rule(at, "text is empty").into());
                    }
                    verification_service = Some(service);
                }
                _ => reader.skip()?,
            }
            at = reader.position();
        }
        reader.end()?;
        let missing = |label| cbor::Error::new(0, Reason::MissingKey(label));
        if components.is_some() && none_measured {
            return Err(cbor::Error::rule(0, "token has components and says that it has none").into());
        }
        if components.is_none() && !none_measured {
            return Err(missing(labels.components).into());
        }
        if boot_seed.is_none() && profile == PsaProfile::Iot1 {
            return Err(missing(labels.boot_seed).into());
        }
        Ok(Self {
            profile,
            nonce: nonce.ok_or(missing(labels.nonce))?,
            instance_id: instance_id.ok_or(missing(labels.instance_id))?,
            boot_seed,
            client_id: client_id.ok_or(missing(labels.client_id))?,
            lifecycle: lifecycle.ok_or(missing(labels.lifecycle))?,
            implementation_id: implementation_id.ok_or(missing(labels.implementation_id))?,
            certification_reference,
            components: components.unwrap_or_default(),
            verification_service,
        })
    }

    /// The deterministic encoding, by the labels of its profile.
    pub fn encode(&self) -> Vec<u8> {
        let labels = self.profile.labels();
        let mut map = MapBuilder::new();
        map.int(labels.profile, |w| _ = w.text(self.profile.name()));
        map.int(labels.client_id, |w| _ = w.int(self.client_id.into()));
        map.int(labels.lifecycle, |w| _ = w.uint(self.lifecycle.value().into()));
        map.int(labels.implementation_id, |w| _ = w.bytes(&self.implementation_id));
        map.int_if(labels.boot_seed, self.boot_seed.as_ref(), |w, seed| _ = w.bytes(seed));
        map.int_if(labels.certification, self.certification_reference.as_ref(), |w, reference| {
            w.text(reference);
        });
        if self.components.is_empty() {
            map.int(labels::IOT_NO_COMPONENTS, |w| _ = w.uint(1));
        } else {
            map.int(labels.components, |w| {
                write_array(w, &self.components, |w, component| component.encode(w));
            });
        }
        map.int(labels.nonce, |w| _ = w.bytes(self.nonce.as_bytes()));
        map.int(labels.instance_id, |w| _ = w.bytes(self.instance_id.as_bytes()));
        map.int_if(labels.service, self.verification_service.as_ref(), |w, service| _ = w.text(service));
        map.into_bytes()
    }
}

impl PsaProfile {
    fn seed(self) -> ByteClaim {
        match self {
            Self::Iot1 => ByteClaim::Exactly32,
            _ => ByteClaim::BootSeed,
        }
    }

    /// `[0-9]{13}-[0-9]{5}` (RFC 9783, section 4.2.3); the first profile has the EAN-13 alone, and devices write both.
    fn is_reference(self, text: &str) -> bool {
        let digits =
            |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.split_once('-') {
            Some((article, rest)) => digits(article, 13) && digits(rest, 5),
            None => self == Self::Iot1 && digits(text, 13),
        }
    }
}

/// Bytes of a claim with the lengths they may have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ByteClaim {
    /// A digest of SHA-256, SHA-384 or SHA-512.
    Hash,
    /// A boot seed of 8 to 32 bytes.
    BootSeed,
    /// 32 bytes.
    Exactly32,
}

impl ByteClaim {
    pub(crate) fn decode(self, reader: &mut Reader<'_>) -> Result<Vec<u8>, cbor::Error> {
        let at = reader.position();
        let bytes = reader.bytes()?;
        let (allowed, rule) = match self {
            Self::Hash => (matches!(bytes.len(), 32 | 48 | 64), "bytes are not 32, 48 or 64"),
            Self::BootSeed => ((8..=32).contains(&bytes.len()), "boot seed is not of 8 to 32 bytes"),
            Self::Exactly32 => (bytes.len() == 32, "bytes are not 32"),
        };
        if allowed { Ok(bytes.into()) } else { Err(cbor::Error::rule(at, rule)) }
    }
}

/// One nonce as long as a hash: an array of several is no PSA nonce.
pub(crate) fn read_nonce(reader: &mut Reader<'_>) -> Result<Nonce, Error> {
    let at = reader.position();
    if reader.peek()? == Type::Array {
        return Err(cbor::Error::rule(at, "token has more than one nonce").into());
    }
    let bytes = ByteClaim::Hash.decode(reader)?;
    Ok(Nonce::new(&bytes).ok_or(cbor::Error::rule(at, "nonce is not of 8 to 64 bytes"))?)
}

/// A UEID of the random kind with 32 bytes (RFC 9783, section 4.2.1).
pub(crate) fn read_instance_id(reader: &mut Reader<'_>) -> Result<Ueid, Error> {
    let at = reader.position();
    let bytes = reader.bytes()?;
    let instance = Ueid::new(bytes).filter(|_| bytes.len() == 33 && bytes.first() == Some(&0x01));
    Ok(instance.ok_or(cbor::Error::rule(at, "instance id is not 0x01 and 32 bytes"))?)
}

/// The grammar admits zero, and the prose does not (RFC 9783, section 4.1.2).
fn read_client_id(reader: &mut Reader<'_>) -> Result<i32, Error> {
    let at = reader.position();
    let id = i32::try_from(reader.int()?).ok().filter(|id| *id != 0);
    Ok(id.ok_or(cbor::Error::new(at, Reason::OutOfRange))?)
}
