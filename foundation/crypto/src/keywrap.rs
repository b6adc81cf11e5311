use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

#[cfg(feature = "encryption")]
use aes_kw::{KeyInit, KwAes128, KwAes192, KwAes256};
use zeroize::Zeroizing;

use crate::Error;
use crate::signing::random_secret;

/// Length of the longest key that is wrapped, in bytes.
pub const MAX_WRAPPED_KEY_LEN: usize = 64;

/// How much longer than a key its wrapped form is.
const OVERHEAD: usize = 8;

/// AES key wrap (RFC 3394) by the size of its key (RFC 9053, section 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyWrapAlgorithm {
    /// AES key wrap with a key of 128 bits.
    A128Kw,
    /// AES key wrap with a key of 192 bits.
    A192Kw,
    /// AES key wrap with a key of 256 bits.
    A256Kw,
}

impl KeyWrapAlgorithm {
    /// Every key wrap algorithm this crate implements.
    #[cfg(not(feature = "encryption"))]
    pub const ALL: [Self; 0] = [];

    /// Every key wrap algorithm this crate implements.
    #[cfg(feature = "encryption")]
    pub const ALL: [Self; 3] = [Self::A128Kw, Self::A192Kw, Self::A256Kw];

    /// Number in the COSE Algorithms registry.
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::A128Kw => -3,
            Self::A192Kw => -4,
            Self::A256Kw => -5,
        }
    }

    /// The algorithm with this number in the COSE Algorithms registry.
    pub fn from_cose_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.cose_id() == id)
    }

    /// Name in the COSE Algorithms registry: `A128KW`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128Kw => "A128KW",
            Self::A192Kw => "A192KW",
            Self::A256Kw => "A256KW",
        }
    }

    /// Length of its keys in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::A128Kw => 16,
            Self::A192Kw => 24,
            Self::A256Kw => 32,
        }
    }
}

impl fmt::Display for KeyWrapAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A key-encryption key. It cannot be cloned or shown, and is erased when dropped.
///
/// RustCrypto serves both back ends: aws-lc-rs has no key wrap with 192 bits.
pub struct KeyWrapKey {
    algorithm: KeyWrapAlgorithm,
    key: Zeroizing<Vec<u8>>,
}

impl KeyWrapKey {
    /// Makes a key from random bytes of the caller's; `fill` overwrites the whole slice.
    pub fn generate(algorithm: KeyWrapAlgorithm, fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, Error> {
        let mut key = Zeroizing::new(vec![0; algorithm.key_len()]);
        random_secret(&mut key, fill, |_| Some(()))?;
        Ok(Self { algorithm, key })
    }

    /// A key from its bytes.
    pub fn from_bytes(algorithm: KeyWrapAlgorithm, key: &[u8]) -> Result<Self, Error> {
        if key.len() != algorithm.key_len() {
            return Err(Error::MalformedKey);
        }
        Ok(Self { algorithm, key: Zeroizing::new(key.to_vec()) })
    }

    /// The key's bytes.
    pub fn secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.key.clone()
    }

    /// The algorithm of this key; it serves no other.
    pub fn algorithm(&self) -> KeyWrapAlgorithm {
        self.algorithm
    }

    /// Wraps a key of 16 to 64 bytes, in steps of 8.
    pub fn wrap(&self, key: &[u8]) -> Result<Vec<u8>, Error> {
        if !(16..=MAX_WRAPPED_KEY_LEN).contains(&key.len()) {
            return Err(Error::MalformedKey);
        }
        let mut out = vec![0; key.len() + OVERHEAD];
        self.wrap_into(key, &mut out)?;
        Ok(out)
    }

    /// Unwraps a key, and checks that it was wrapped with this one.
    pub fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let len = wrapped.len().checked_sub(OVERHEAD).ok_or(Error::BadWrappedKey)?;
        if !(16..=MAX_WRAPPED_KEY_LEN).contains(&len) {
            return Err(Error::BadWrappedKey);
        }
        let mut out = Zeroizing::new(vec![0; len]);
        self.unwrap_into(wrapped, &mut out)?;
        Ok(out)
    }
}

#[cfg(feature = "encryption")]
impl KeyWrapKey {
    fn wrap_into(&self, key: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let wrapped = match self.algorithm {
            KeyWrapAlgorithm::A128Kw => self.kek::<KwAes128>()?.wrap_key(key, out).map(|_| ()),
            KeyWrapAlgorithm::A192Kw => self.kek::<KwAes192>()?.wrap_key(key, out).map(|_| ()),
            KeyWrapAlgorithm::A256Kw => self.kek::<KwAes256>()?.wrap_key(key, out).map(|_| ()),
        };
        wrapped.map_err(|_| Error::MalformedKey)
    }

    fn unwrap_into(&self, wrapped: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let unwrapped = match self.algorithm {
            KeyWrapAlgorithm::A128Kw => self.kek::<KwAes128>()?.unwrap_key(wrapped, out).map(|_| ()),
            KeyWrapAlgorithm::A192Kw => self.kek::<KwAes192>()?.unwrap_key(wrapped, out).map(|_| ()),
            KeyWrapAlgorithm::A256Kw => self.kek::<KwAes256>()?.unwrap_key(wrapped, out).map(|_| ()),
        };
        unwrapped.map_err(|_| Error::BadWrappedKey)
    }

    fn kek<K: KeyInit>(&self) -> Result<K, Error> {
        K::new_from_slice(&self.key).map_err(|_| Error::MalformedKey)
    }
}

/// Left out of the build.
#[cfg(not(feature = "encryption"))]
impl KeyWrapKey {
    fn wrap_into(&self, _: &[u8], _: &mut [u8]) -> Result<(), Error> {
        Err(Error::UnsupportedAlgorithm)
    }

    fn unwrap_into(&self, _: &[u8], _: &mut [u8]) -> Result<(), Error> {
        Err(Error::UnsupportedAlgorithm)
    }
}

impl fmt::Debug for KeyWrapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.algorithm)
    }
}
