use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::{Error, HashAlgorithm, RsaPadding, RsaPublicKey, der};

/// An RSA private key of 2048 to 4096 bits. It cannot be cloned or shown, and is erased when dropped.
///
/// It is for servers: it exists with the features `rsa` and `fast` only, and is unsupported in every other build.
///
/// It signs and decrypts, against the rule that a key does one thing: an owner of FIDO Device Onboard has one key, which
/// signs, and to which devices encrypt in the key exchanges ASYMKEX2048 and ASYMKEX3072 (FDO 1.1, section 3.6).
pub struct RsaSigningKey {
    key: backend::RsaKey,
    public: RsaPublicKey,
}

impl RsaSigningKey {
    /// Makes a key of 2048 or 3072 bits, with the generator of the back end. It takes seconds, rarely more.
    pub fn generate(bits: usize) -> Result<Self, Error> {
        Self::from_key(backend::RsaKey::generate(bits)?)
    }

    /// Reads a PrivateKeyInfo (PKCS #8; RFC 5958) around an RSAPrivateKey (RFC 8017, appendix A.1.2) whose numbers fit
    /// together.
    pub fn from_pkcs8_der(pkcs8: &[u8]) -> Result<Self, Error> {
        der::check_rsa_pkcs8(pkcs8)?;
        Self::from_key(backend::RsaKey::from_pkcs8(pkcs8)?)
    }

    /// Writes a PrivateKeyInfo (PKCS #8; RFC 5958).
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        self.key.to_pkcs8()
    }

    /// The public key that verifies its signatures, and that others encrypt with.
    pub fn public_key(&self) -> &RsaPublicKey {
        &self.public
    }

    /// Signs; the signature is as long as the modulus.
    pub fn sign(&self, padding: RsaPadding, hash: HashAlgorithm, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.sign(padding, hash, message)
    }

    /// Decrypts what [`RsaPublicKey::encrypt_oaep`] made: RSAES-OAEP (RFC 8017, section 7.1.2) with the same hash function
    /// in the mask and an empty label. There is one refusal, whatever is wrong.
    pub fn decrypt_oaep(&self, hash: HashAlgorithm, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if ciphertext.len() != self.public.modulus().len() {
            return Err(Error::BadCiphertext);
        }
        self.key.decrypt_oaep(hash, ciphertext)
    }

    fn from_key(key: backend::RsaKey) -> Result<Self, Error> {
        let public = RsaPublicKey::from_spki_der(&key.to_spki())?;
        Ok(Self { key, public })
    }
}

impl fmt::Debug for RsaSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(RSA, {} bits)", 8 * self.public.modulus().len())
    }
}

#[cfg(all(feature = "rsa", feature = "fast"))]
use crate::fast as backend;

/// Left out: there is no such key.
#[cfg(not(all(feature = "rsa", feature = "fast")))]
mod backend {
    use alloc::vec::Vec;

    use zeroize::Zeroizing;

    use crate::{Error, HashAlgorithm, RsaPadding};

    pub(super) enum RsaKey {}

    impl RsaKey {
        pub(super) fn generate(_: usize) -> Result<Self, Error> {
            Err(Error::UnsupportedAlgorithm)
        }

        pub(super) fn from_pkcs8(_: &[u8]) -> Result<Self, Error> {
            Err(Error::UnsupportedAlgorithm)
        }

        pub(super) fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
            match *self {}
        }

        pub(super) fn to_spki(&self) -> Vec<u8> {
            match *self {}
        }

        pub(super) fn sign(&self, _: RsaPadding, _: HashAlgorithm, _: &[u8]) -> Result<Vec<u8>, Error> {
            match *self {}
        }

        pub(super) fn decrypt_oaep(&self, _: HashAlgorithm, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
            match *self {}
        }
    }
}
