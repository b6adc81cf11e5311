use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::der::{self, PrivateKeyParts};
use crate::{Error, PublicKey, SignatureAlgorithm, backend};

/// How often the source of randomness is asked for another scalar. One in 2^32 P-256 scalars is out of range, so a
/// source that fails this often is broken.
const MAX_GENERATE_ATTEMPTS: usize = 16;

/// A private key of one signature algorithm. It cannot be cloned or shown, and is erased when dropped.
///
/// It has no state, so it is never one of HSS/LMS: that is a [`crate::HssSigningKey`].
pub struct SigningKey {
    secret: Zeroizing<Vec<u8>>,
    signer: backend::Signer,
    public: PublicKey,
}

impl SigningKey {
    /// Makes a key from random bytes of the caller's; `fill` overwrites the whole slice, from the operating
    /// system's generator or a hardware one.
    pub fn generate(algorithm: SignatureAlgorithm, fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, Error> {
        if !SignatureAlgorithm::STATELESS.contains(&algorithm) {
            return Err(Error::WrongKeyType);
        }
        let mut secret = Zeroizing::new(vec![0; algorithm.secret_len()]);
        random_secret(&mut secret, fill, |secret| Self::from_bytes(algorithm, secret).ok())
    }

    /// From a scalar of full width (ECDSA), or the seed (Ed25519; RFC 8032, section 5.1.5).
    pub fn from_bytes(algorithm: SignatureAlgorithm, secret: &[u8]) -> Result<Self, Error> {
        if !algorithm.is_implemented() {
            return Err(Error::UnsupportedAlgorithm);
        }
        if secret.len() != algorithm.secret_len() {
            return Err(Error::MalformedKey);
        }
        let signer = backend::Signer::new(algorithm, secret)?;
        let public = PublicKey::from_bytes(algorithm, &signer.public_key())?;
        Ok(Self { secret: Zeroizing::new(secret.to_vec()), signer, public })
    }

    /// Reads a OneAsymmetricKey (PKCS #8; RFC 5958), whose public key, if it states one, must be the right one.
    pub fn from_pkcs8_der(pkcs8: &[u8]) -> Result<Self, Error> {
        Self::from_parts(&der::read_pkcs8(pkcs8)?)
    }

    /// Reads an ECPrivateKey (RFC 5915) that names its curve.
    pub fn from_sec1_der(sec1: &[u8]) -> Result<Self, Error> {
        Self::from_parts(&der::read_sec1(sec1)?)
    }

    /// Writes a OneAsymmetricKey (PKCS #8; RFC 5958).
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        der::write_pkcs8(self.algorithm(), &self.secret, self.public.as_bytes())
    }

    /// The scalar in full width (ECDSA), or the seed (Ed25519).
    pub fn secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.secret.clone()
    }

    /// The algorithm this key signs with.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.public.algorithm()
    }

    /// The public key that verifies its signatures.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs; the signature has fixed width: r‖s for ECDSA (RFC 9053, section 2.1), 64 bytes for Ed25519.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.signer.sign(message)
    }

    /// Signs for X.509 and CMS: ECDSA-Sig-Value (RFC 3279, section 2.2.3), or the 64 bytes of Ed25519.
    pub fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.sign(message);
        match self.algorithm() {
            SignatureAlgorithm::Es256 | SignatureAlgorithm::Es384 => {
                der::ecdsa_signature_from_fixed(&signature)
            }
            SignatureAlgorithm::Ed25519 | SignatureAlgorithm::HssLms => signature,
        }
    }

    fn from_parts(parts: &PrivateKeyParts<'_>) -> Result<Self, Error> {
        let key = Self::from_bytes(parts.algorithm, parts.secret)?;
        match parts.public {
            Some(public) if public != key.public.as_bytes() => Err(Error::MalformedKey),
            _ => Ok(key),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.algorithm())
    }
}

/// Fills a secret with random bytes until they make a key.
pub(crate) fn random_secret<T>(
    secret: &mut [u8],
    fill: &mut dyn FnMut(&mut [u8]),
    key: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, Error> {
    for _ in 0..MAX_GENERATE_ATTEMPTS {
        fill(secret);
        // All zeros would be a valid seed, and is the trace of a source that wrote nothing.
        if secret.iter().any(|byte| *byte != 0)
            && let Some(key) = key(secret)
        {
            return Ok(key);
        }
    }
    Err(Error::BadEntropy)
}
