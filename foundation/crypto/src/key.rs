use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use crate::{Error, SignatureAlgorithm, backend, der, hss};

/// First byte of an uncompressed point (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 0x04;

/// Length of an Ed25519 public key.
const ED25519_LEN: usize = 32;

/// Length of the longest public key: an uncompressed point.
const MAX_LEN: usize = 1 + 2 * if cfg!(feature = "es384") { 48 } else { 32 };

/// A public key of one signature algorithm, checked to be one and kept parsed.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: SignatureAlgorithm,
    // An uncompressed point, an Ed25519 key or an HSS key; only the first `len` bytes count.
    bytes: [u8; MAX_LEN],
    len: usize,
    // `None` for HSS/LMS, which both back ends leave to this crate.
    verifier: Option<backend::Verifier>,
}

impl PublicKey {
    /// A key of an elliptic-curve algorithm from its coordinates in full width, leading zeros kept.
    pub fn from_ec2(algorithm: SignatureAlgorithm, x: &[u8], y: &[u8]) -> Result<Self, Error> {
        let width = algorithm.coordinate_len().ok_or(Error::WrongKeyType)?;
        if x.len() != width || y.len() != width {
            return Err(Error::MalformedKey);
        }
        let mut point = Vec::with_capacity(1 + 2 * width);
        point.push(UNCOMPRESSED);
        point.extend_from_slice(x);
        point.extend_from_slice(y);
        Self::from_bytes(algorithm, &point)
    }

    /// An Ed25519 key from its 32 bytes (RFC 8032, section 5.1.5).
    ///
    /// Refused are encodings that are not canonical and points of small order, for which a signature proves nothing.
    pub fn from_ed25519(key: &[u8]) -> Result<Self, Error> {
        Self::from_bytes(SignatureAlgorithm::Ed25519, key)
    }

    /// An HSS/LMS key from its 60 bytes (RFC 8554, section 6.1): at most eight levels, SHA-256 with 32 bytes throughout.
    pub fn from_hss(key: &[u8]) -> Result<Self, Error> {
        Self::from_bytes(SignatureAlgorithm::HssLms, key)
    }

    /// Reads a SubjectPublicKeyInfo (RFC 5280, section 4.1; RFC 5480; RFC 8410; RFC 9802).
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, Error> {
        let (algorithm, key) = der::read_spki(spki)?;
        Self::from_bytes(algorithm, key)
    }

    /// Writes a SubjectPublicKeyInfo.
    pub fn to_spki_der(&self) -> Vec<u8> {
        der::write_spki(self.algorithm, self.as_bytes())
    }

    /// The algorithm of this key; it verifies no other.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The coordinates in full width, for elliptic-curve keys.
    pub fn ec2_coordinates(&self) -> Option<(&[u8], &[u8])> {
        let width = self.algorithm.coordinate_len()?;
        Some(self.as_bytes().get(1..)?.split_at(width))
    }

    /// The 32 bytes of an Ed25519 key.
    pub fn ed25519_bytes(&self) -> Option<[u8; ED25519_LEN]> {
        match self.algorithm {
            SignatureAlgorithm::Ed25519 => self.as_bytes().try_into().ok(),
            SignatureAlgorithm::Es256 | SignatureAlgorithm::Es384 | SignatureAlgorithm::HssLms => None,
        }
    }

    /// The key's bytes as certificates carry and hash them: an uncompressed point, an Ed25519 key or an HSS key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Verifies a signature: r‖s of fixed width for ECDSA (RFC 9053, section 2.1), 64 bytes for Ed25519, an HSS signature
    /// (RFC 8554, section 6.2).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let Some(verifier) = &self.verifier else {
            return hss::verify(self.as_bytes(), message, signature);
        };
        if self.algorithm.signature_len() != Some(signature.len()) {
            return Err(Error::BadSignature);
        }
        verifier.verify(message, signature)
    }

    /// Verifies a signature as X.509 and CMS carry it: ECDSA-Sig-Value (RFC 3279, section 2.2.3), or the 64 bytes of
    /// Ed25519 (RFC 8410, section 6).
    pub fn verify_der(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        match self.algorithm.coordinate_len() {
            Some(width) => self.verify(message, &der::ecdsa_signature_to_fixed(signature, width)?),
            None => self.verify(message, signature),
        }
    }

    /// A signature in the form that [`PublicKey::verify`] takes, from that form or from that of [`PublicKey::verify_der`],
    /// as tools differ. It is not verified here.
    pub fn fixed_signature(&self, signature: &[u8]) -> Result<Vec<u8>, Error> {
        match self.algorithm.coordinate_len() {
            Some(width) if signature.len() != 2 * width => der::ecdsa_signature_to_fixed(signature, width),
            _ => Ok(signature.to_vec()),
        }
    }

    /// A signature in the form that [`PublicKey::verify_der`] takes, from that form or from that of [`PublicKey::verify`].
    /// It is not verified here.
    pub fn der_signature(&self, signature: &[u8]) -> Result<Vec<u8>, Error> {
        match self.algorithm.coordinate_len() {
            Some(_) => Ok(der::ecdsa_signature_from_fixed(&self.fixed_signature(signature)?)),
            None => Ok(signature.to_vec()),
        }
    }

    /// From an uncompressed point, or the bytes of an Ed25519 or HSS key.
    pub(crate) fn from_bytes(algorithm: SignatureAlgorithm, key: &[u8]) -> Result<Self, Error> {
        if !algorithm.is_implemented() {
            return Err(Error::UnsupportedAlgorithm);
        }
        let verifier = match algorithm {
            SignatureAlgorithm::HssLms => {
                hss::check_public_key(key)?;
                None
            }
            SignatureAlgorithm::Ed25519 => {
                check_ed25519(key)?;
                Some(backend::Verifier::new(algorithm, key)?)
            }
            SignatureAlgorithm::Es256 | SignatureAlgorithm::Es384 => {
                check_point(algorithm, key)?;
                Some(backend::Verifier::new(algorithm, key)?)
            }
        };
        let mut bytes = [0; MAX_LEN];
        bytes.get_mut(..key.len()).ok_or(Error::MalformedKey)?.copy_from_slice(key);
        Ok(Self { algorithm, bytes, len: key.len(), verifier })
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.as_bytes() == other.as_bytes()
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.algorithm.hash(state);
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} ", self.algorithm)?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Refuses points that are not in uncompressed form.
fn check_point(algorithm: SignatureAlgorithm, key: &[u8]) -> Result<(), Error> {
    let width = algorithm.coordinate_len().ok_or(Error::WrongKeyType)?;
    match key {
        [UNCOMPRESSED, coordinates @ ..] if coordinates.len() == 2 * width => Ok(()),
        [0x02 | 0x03, x @ ..] if x.len() == width => Err(Error::UnsupportedCompressedPoint),
        _ => Err(Error::MalformedKey),
    }
}

/// Refuses what libraries disagree about, so that a key means the same to each: y not below 2^255 - 19, no point of the
/// curve (aws-lc looks only when it verifies), and points whose order divides 8.
#[cfg(feature = "ed25519")]
fn check_ed25519(key: &[u8]) -> Result<(), Error> {
    let key: &[u8; ED25519_LEN] = key.try_into().map_err(|_| Error::MalformedKey)?;
    let mut y = *key;
    // The highest bit is the sign of x.
    y[ED25519_LEN - 1] &= 0x7f;
    let canonical = y.iter().rev().cmp(ED25519_PRIME.iter().rev()).is_lt();
    match ed25519_dalek::VerifyingKey::from_bytes(key) {
        Ok(point) if canonical && !point.is_weak() => Ok(()),
        _ => Err(Error::MalformedKey),
    }
}

#[cfg(not(feature = "ed25519"))]
fn check_ed25519(_: &[u8]) -> Result<(), Error> {
    Err(Error::UnsupportedAlgorithm)
}

/// 2^255 - 19, little-endian.
#[cfg(feature = "ed25519")]
const ED25519_PRIME: [u8; ED25519_LEN] = {
    let mut prime = [0xff; ED25519_LEN];
    prime[0] = 0xed;
    prime[ED25519_LEN - 1] = 0x7f;
    prime
};
