use alloc::vec::Vec;

use cbor::{Key, Reader, Reason};
use crypto::{HashAlgorithm, PublicKey, SignatureAlgorithm};

use super::platform::read_hash_algorithm;
use crate::{Distrust, Error, Nonce, labels, psa::ByteClaim, token::MAX_TOKEN_LEN, values::text};

/// The profile of a realm token whose key is a COSE_Key. The one before it has no profile, and a bare point.
const PROFILE: &str = "tag:arm.com,2023:realm#1.0.0";

/// First byte of an uncompressed point (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 0x04;

/// How many extensible measurements a realm has.
const EXTENSIBLE: usize = 4;

/// The claims of a CCA realm token (draft-ffm-rats-cca-token, section 4.8), well-formed by their rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CcaRealmClaims {
    /// The verifier's challenge: 64 bytes.
    pub challenge: Nonce,
    /// What the host gave the realm to tell it from others: 64 bytes.
    pub personalisation: [u8; 64],
    /// Hash algorithm of the measurements.
    pub hash_algorithm: HashAlgorithm,
    /// The realm's key, which signed the token.
    pub public_key: PublicKey,
    /// The bytes of that key as the platform hashed them.
    pub public_key_bytes: Vec<u8>,
    /// Hash algorithm of the key's hash in the platform token.
    pub public_key_hash_algorithm: HashAlgorithm,
    /// The measurement the realm began with.
    pub initial_measurement: Vec<u8>,
    /// The measurements it extended since, four.
    pub extensible_measurements: Vec<Vec<u8>>,
}

impl CcaRealmClaims {
    /// Decodes a claims-set; definite lengths only.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let normal = cbor::normalize_definite(bytes, MAX_TOKEN_LEN)?;
        let mut reader = Reader::new(&normal);
        let mut map = reader.map()?;
        let (mut profile, mut challenge, mut personalisation, mut algorithm) = (false, None, None, None);
        let (mut key, mut key_algorithm, mut initial, mut extensible) = (None, None, None, None);
        let mut at = reader.position();
        while let Some(label) = map.next(&mut reader)? {
            let Key::Int(label) = label else {
                if matches!(label, Key::Text(name) if labels::NAMES.contains(&name) || name.starts_with("cca-"))
                {
                    return Err(cbor::Error::rule(at, "claim has a label and stands under its name").into());
                }
                reader.skip()?;
                continue;
            };
            at = reader.position();
            match label {
                labels::PROFILE if text(&mut reader)? != PROFILE => return Err(Distrust::Profile.into()),
                labels::PROFILE => profile = true,
                labels::NONCE => challenge = Nonce::new(reader.byte_array::<64>()?),
                labels::REALM_PERSONALISATION => personalisation = Some(*reader.byte_array::<64>()?),
                labels::REALM_HASH_ALGORITHM => algorithm = Some(read_hash_algorithm(&mut reader)?),
                labels::REALM_PUBLIC_KEY => key = Some((at, reader.bytes()?)),
                labels::REALM_KEY_HASH_ALGORITHM => key_algorithm = Some(read_hash_algorithm(&mut reader)?),
                labels::REALM_INITIAL => initial = Some(ByteClaim::Hash.decode(&mut reader)?),
                labels::REALM_EXTENSIBLE => {
                    reader.array_of(EXTENSIBLE)?;
                    let measurements = (0..EXTENSIBLE).map(|_| ByteClaim::Hash.decode(&mut reader));
                    extensible = Some(measurements.collect::<Result<_, _>>()?);
                }
                _ => reader.skip()?,
            }
            at = reader.position();
        }
        reader.end()?;
        let missing = |label| cbor::Error::new(0, Reason::MissingKey(label));
        let (at, key) = key.ok_or(missing(labels::REALM_PUBLIC_KEY))?;
        let public_key = if profile { cose_key(key)? } else { point(at, key)? };
        Ok(Self {
            challenge: challenge.ok_or(missing(labels::NONCE))?,
            personalisation: personalisation.ok_or(missing(labels::REALM_PERSONALISATION))?,
            hash_algorithm: algorithm.ok_or(missing(labels::REALM_HASH_ALGORITHM))?,
            public_key,
            public_key_bytes: key.into(),
            public_key_hash_algorithm: key_algorithm.ok_or(missing(labels::REALM_KEY_HASH_ALGORITHM))?,
            initial_measurement: initial.ok_or(missing(labels::REALM_INITIAL))?,
            extensible_measurements: extensible.ok_or(missing(labels::REALM_EXTENSIBLE))?,
        })
    }
}

fn cose_key(bytes: &[u8]) -> Result<PublicKey, Error> {
    let normal = cbor::normalize_definite(bytes, cose::MAX_KEY_LEN)?;
    Ok(cose::Key::decode(&normal)?.public().clone())
}

/// An uncompressed point of P-384.
fn point(at: usize, bytes: &[u8]) -> Result<PublicKey, Error> {
    let width = SignatureAlgorithm::Es384.coordinate_len().unwrap_or_default();
    let fail = cbor::Error::rule(at, "realm key is not an uncompressed point of P-384");
    let [UNCOMPRESSED, coordinates @ ..] = bytes else { return Err(fail.into()) };
    let (x, y) = coordinates.split_at_checked(width).ok_or(fail)?;
    Ok(PublicKey::from_ec2(SignatureAlgorithm::Es384, x, y).map_err(|_| fail)?)
}
