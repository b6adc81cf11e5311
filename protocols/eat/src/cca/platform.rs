use alloc::{string::String, vec::Vec};

use cbor::{Key, Reader, Reason};
use crypto::HashAlgorithm;

use crate::{
    Distrust, Error, Lifecycle, Nonce, SoftwareComponent, Ueid, labels,
    psa::{read_instance_id, read_nonce},
    submodule::hash_algorithm,
    token::MAX_TOKEN_LEN,
    values::{array, text},
};

/// The profile of a platform token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CcaProfile {
    /// draft-ffm-rats-cca-token.
    Platform1,
    /// The one before it.
    Ssd1,
}

impl CcaProfile {
    /// Every profile, the newest first.
    pub const ALL: [Self; 2] = [Self::Platform1, Self::Ssd1];

    /// Its name in tokens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Platform1 => "tag:arm.com,2023:cca_platform#1.0.0",
            Self::Ssd1 => "http://arm.com/CCA-SSD/1.0.0",
        }
    }
}

/// The claims of a CCA platform token (draft-ffm-rats-cca-token, section 4.6), well-formed by the rules of its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CcaPlatformClaims {
    /// The profile.
    pub profile: CcaProfile,
    /// The challenge: a hash of the realm's key, never a nonce of the verifier's.
    pub challenge: Nonce,
    /// Implementation id: the class of the platform.
    pub implementation_id: [u8; 32],
    /// Instance id: 0x01 and 32 bytes that name the attestation key.
    pub instance_id: Ueid,
    /// Configuration of the platform, in a form of its maker's.
    pub config: Vec<u8>,
    /// Security lifecycle.
    pub lifecycle: Lifecycle,
    /// Hash algorithm of components that name none.
    pub hash_algorithm: HashAlgorithm,
    /// Measured components, one or more.
    pub components: Vec<SoftwareComponent>,
    /// Where to have the token verified: a hint, never to be followed unless already trusted.
    pub verification_service: Option<String>,
}

impl CcaPlatformClaims {
    /// Decodes a claims-set; definite lengths only.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let normal = cbor::normalize_definite(bytes, MAX_TOKEN_LEN)?;
        let mut reader = Reader::new(&normal);
        let mut map = reader.map()?;
        let (mut profile, mut challenge, mut implementation_id, mut instance_id) = (None, None, None, None);
        let (mut config, mut lifecycle, mut algorithm, mut components, mut service) =
            (None, None, None, None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(&mut reader)? {
            let Key::Int(label) = key else {
                if matches!(key, Key::Text(name) if labels::NAMES.contains(&name) || name.starts_with("cca-"))
                {
                    return Err(cbor::Error::rule(at, "claim has a label and stands under its name").into());
                }
                reader.skip()?;
                continue;
            };
            at = reader.position();
            match label {
                labels::PROFILE => {
                    let name = text(&mut reader)?;
                    let known = CcaProfile::ALL.into_iter().find(|profile| profile.name() == name);
                    profile = Some(known.ok_or(Distrust::Profile)?);
                }
                labels::NONCE => challenge = Some(read_nonce(&mut reader)?),
                labels::PSA_IMPLEMENTATION_ID => implementation_id = Some(*reader.byte_array()?),
                labels::UEID => instance_id = Some(read_instance_id(&mut reader)?),
                labels::CCA_CONFIG => config = Some(reader.bytes()?.into()),
                labels::PSA_LIFECYCLE => lifecycle = Some(Lifecycle::decode(&mut reader)?),
                labels::CCA_HASH_ALGORITHM => algorithm = Some(read_hash_algorithm(&mut reader)?),
                labels::PSA_COMPONENTS => components = Some(array(&mut reader, SoftwareComponent::decode)?),
                labels::PSA_SERVICE => {
                    let hint = text(&mut reader)?;
                    if hint.is_empty() {
                        return Err(cbor::Error::rule(at, "text is empty").into());
                    }
                    service = Some(hint);
                }
                _ => reader.skip()?,
            }
            at = reader.position();
        }
        reader.end()?;
        let missing = |label| cbor::Error::new(0, Reason::MissingKey(label));
        Ok(Self {
            profile: profile.ok_or(missing(labels::PROFILE))?,
            challenge: challenge.ok_or(missing(labels::NONCE))?,
            implementation_id: implementation_id.ok_or(missing(labels::PSA_IMPLEMENTATION_ID))?,
            instance_id: instance_id.ok_or(missing(labels::UEID))?,
            config: config.ok_or(missing(labels::CCA_CONFIG))?,
            lifecycle: lifecycle.ok_or(missing(labels::PSA_LIFECYCLE))?,
            hash_algorithm: algorithm.ok_or(missing(labels::CCA_HASH_ALGORITHM))?,
            components: components.ok_or(missing(labels::PSA_COMPONENTS))?,
            verification_service: service,
        })
    }
}

/// The name of a hash algorithm.
pub(super) fn read_hash_algorithm(reader: &mut Reader<'_>) -> Result<HashAlgorithm, cbor::Error> {
    let at = reader.position();
    hash_algorithm(reader.text()?).ok_or(cbor::Error::rule(at, "hash algorithm is not supported"))
}
