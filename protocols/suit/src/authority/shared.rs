use alloc::vec::Vec;
use core::fmt;
#[cfg(feature = "mac")]
use {
    super::AuthorityError,
    crate::limits::{MAX_AUTHORITY_KID, MAX_SHARED_KEYS},
    alloc::sync::Arc,
    cose::MacKey,
};

use crypto::{HashAlgorithm, PublicKey};

/// The key of an entry.
#[allow(clippy::large_enum_variant, reason = "nearly every key is the large one")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorityKey {
    /// A public key: only its owner can sign.
    Public(PublicKey),
    /// A secret that author and devices share: whoever has it can author, each of the devices too.
    Shared(SharedKeyName),
}

/// What a list says of a shared key: how it is called, and what it is for. Nothing that depends on the secret, so that a
/// list, its digest and evidence of it help nobody to guess one. The secret lies with the recipient ([`SharedKeys`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedKeyName {
    /// The hash function of its HMAC.
    pub algorithm: HashAlgorithm,
    /// Its identifier, that of its entry.
    pub kid: Vec<u8>,
    /// A recipient that knows no MAC has no name of a shared key either. This tells the compiler, which then leaves out
    /// what is done with one.
    #[cfg(not(feature = "mac"))]
    never: core::convert::Infallible,
}

impl SharedKeyName {
    #[cfg(feature = "mac")]
    pub(super) fn new(algorithm: HashAlgorithm, kid: Vec<u8>) -> Option<Self> {
        Some(Self { algorithm, kid })
    }

    /// There is none where MACs are not known.
    #[cfg(not(feature = "mac"))]
    pub(super) fn new(_: HashAlgorithm, _: Vec<u8>) -> Option<Self> {
        None
    }
}

impl AuthorityKey {
    /// The public key, unless it is a shared one.
    pub fn public(&self) -> Option<&PublicKey> {
        match self {
            Self::Public(key) => Some(key),
            Self::Shared(_) => None,
        }
    }
}

impl From<PublicKey> for AuthorityKey {
    fn from(key: PublicKey) -> Self {
        Self::Public(key)
    }
}

/// The secrets of a recipient: what the shared keys of its list are. They are never encoded or shown, and are erased
/// when the last list that holds them is dropped.
#[derive(Clone, Default)]
pub struct SharedKeys(#[cfg(feature = "mac")] Arc<Vec<(Vec<u8>, MacKey)>>);

#[cfg(feature = "mac")]
impl SharedKeys {
    /// Keys under their identifiers. A [`MacKey`] has 128 bits at least; that they are random is for whoever makes it: a
    /// MAC is public, and anybody can try guesses on it.
    pub fn new(keys: Vec<(Vec<u8>, MacKey)>) -> Result<Self, AuthorityError> {
        let named = |kid: &Vec<u8>| (1..=MAX_AUTHORITY_KID).contains(&kid.len());
        if !keys.iter().all(|(kid, _)| named(kid)) {
            return Err(AuthorityError::SharedKeyUnnamed);
        }
        let twice = |kid: &Vec<u8>| keys.iter().filter(|(other, _)| other == kid).count() > 1;
        if keys.len() > MAX_SHARED_KEYS || keys.iter().any(|(kid, _)| twice(kid)) {
            return Err(AuthorityError::TooMany);
        }
        Ok(Self(Arc::new(keys)))
    }

    /// The secret that a list calls so, if it is here.
    pub(crate) fn find(&self, name: &SharedKeyName) -> Option<&MacKey> {
        let known = self.0.iter().find(|(kid, _)| *kid == name.kid).map(|(_, key)| key);
        known.filter(|key| key.algorithm() == name.algorithm)
    }
}

impl fmt::Debug for SharedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKeys(..)")
    }
}
