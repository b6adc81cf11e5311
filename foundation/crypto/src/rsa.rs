use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::signing::random_secret;
use crate::{Error, HashAlgorithm, der};

/// How an RSA signature is padded (RFC 8017, section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RsaPadding {
    /// RSASSA-PKCS1-v1_5.
    Pkcs1v15,
    /// RSASSA-PSS, with the same hash function in the mask and a salt as long as its digest.
    Pss,
}

/// An RSA public key of 2048 to 4096 bits: it verifies signatures, and encrypts.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RsaPublicKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl RsaPublicKey {
    /// Length of the shortest modulus in bits.
    pub const MIN_BITS: usize = 2048;
    /// Length of the longest modulus in bits.
    pub const MAX_BITS: usize = 4096;

    /// A key from the big-endian numbers of a TPM, a COSE_Key or a JWK. Leading zeros are passed over.
    ///
    /// The modulus is odd and of a length in between, in whole bytes; the exponent odd and of 65537 to 2^32 - 1, as all
    /// keys in use are.
    pub fn from_components(modulus: &[u8], exponent: &[u8]) -> Result<Self, Error> {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        let bits = 8 * modulus.len();
        let is_full = modulus.first().is_some_and(|byte| byte & 0x80 != 0);
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
        if !((Self::MIN_BITS..=Self::MAX_BITS).contains(&bits) && is_full && is_odd(modulus)) {
            return Err(Error::MalformedKey);
        }
        let value = exponent.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        if exponent.len() > 4 || value < 65_537 || !is_odd(exponent) {
            return Err(Error::MalformedKey);
        }
        Ok(Self { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// Reads a SubjectPublicKeyInfo (RFC 3279, section 2.3.1).
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, Error> {
        let (modulus, exponent) = der::read_rsa_spki(spki)?;
        Self::from_components(modulus, exponent)
    }

    /// The SubjectPublicKeyInfo (RFC 3279, section 2.3.1).
    pub fn to_spki_der(&self) -> Vec<u8> {
        der::write_rsa_spki(&self.modulus, &self.exponent)
    }

    /// The modulus, big-endian without leading zeros.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The exponent, big-endian without leading zeros.
    pub fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// Verifies a signature as long as the modulus. Unsupported where RSA is left out of the build.
    pub fn verify(
        &self,
        padding: RsaPadding,
        hash: HashAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        if signature.len() != self.modulus.len() {
            return Err(Error::BadSignature);
        }
        #[cfg(feature = "rsa")]
        return crate::backend::rsa_verify(
            (&self.modulus, &self.exponent),
            padding,
            hash,
            message,
            signature,
        );
        #[cfg(not(feature = "rsa"))]
        {
            let _ = (padding, hash, message);
            Err(Error::UnsupportedAlgorithm)
        }
    }
    /// Encrypts a short secret to the owner of the private key: RSAES-OAEP (RFC 8017, section 7.1.1) with the same hash
    /// function in the mask and an empty label. `fill` overwrites the whole slice with random bytes.
    ///
    /// The secret has at most the length of the modulus less two digests and two bytes. Unsupported where RSA is left
    /// out of the build.
    pub fn encrypt_oaep(
        &self,
        hash: HashAlgorithm,
        plaintext: &[u8],
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Vec<u8>, Error> {
        let most = self.modulus.len().checked_sub(2 * hash.len() + 2);
        if most.is_none_or(|most| plaintext.len() > most) {
            return Err(Error::TooLong);
        }
        let mut seed = Zeroizing::new(vec![0; hash.len()]);
        random_secret(&mut seed, fill, |_| Some(()))?;
        #[cfg(feature = "rsa")]
        return crate::rsa_encryption::encrypt_oaep((&self.modulus, &self.exponent), hash, plaintext, &seed);
        #[cfg(not(feature = "rsa"))]
        Err(Error::UnsupportedAlgorithm)
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPublicKey({} bits)", 8 * self.modulus.len())
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
