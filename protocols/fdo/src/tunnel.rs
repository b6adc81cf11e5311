//! What both sides of TO2 encrypt with, once they have a secret (sections 3.6.4 and 4.4).

use alloc::vec::Vec;

use cose::{Encrypt0, Encrypt0Builder};
use crypto::{ContentAlgorithm, ContentKey, HashAlgorithm, Zeroizing};

use crate::{Failure, Fault, exchange::Shared};

/// A cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherSuite {
    /// AES-GCM with a key of 128 bits.
    A128Gcm,
    /// AES-GCM with a key of 192 bits, which one implementation knows.
    A192Gcm,
    /// AES-GCM with a key of 256 bits.
    A256Gcm,
}

/// What both sides encrypt with. It cannot be shown, and is erased when dropped.
pub(crate) struct Tunnel {
    suite: CipherSuite,
    key: ContentKey,
    binding: Binding,
}

/// A value that both ends of a session have and nobody else: what is made for it was made in this session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Binding(pub [u8; Binding::LEN]);

impl Binding {
    /// Length in bytes.
    pub const LEN: usize = 32;
}

impl core::fmt::Debug for Binding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Binding(…)")
    }
}

/// Label of the key derivation.
const LABEL: &[u8] = b"FIDO-KDF";
/// Context of the keys that encrypt.
const TUNNEL: &[u8] = b"AutomaticOnboardTunnel";
/// Context of the value that binds other objects to the session. It is ours, so that it is no key of the protocol's.
const BINDING: &[u8] = b"urn:sextant:fdo-session-binding:1";

impl CipherSuite {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::A128Gcm, Self::A192Gcm, Self::A256Gcm];

    /// Its number on the wire.
    pub const fn number(self) -> i64 {
        self.algorithm().cose_id()
    }

    /// The suite with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.number() == number)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.algorithm().name()
    }

    /// The suite of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name)
    }

    const fn algorithm(self) -> ContentAlgorithm {
        match self {
            Self::A128Gcm => ContentAlgorithm::A128Gcm,
            Self::A192Gcm => ContentAlgorithm::A192Gcm,
            Self::A256Gcm => ContentAlgorithm::A256Gcm,
        }
    }
}

impl Tunnel {
    pub(crate) fn derive(suite: CipherSuite, shared: &Shared) -> Result<Self, Failure> {
        let mut key = Zeroizing::new(alloc::vec![0; suite.algorithm().key_len()]);
        let derive = |context: &[u8], out: &mut [u8]| {
            let context = [context, &shared.context].concat();
            crypto::kdf_counter(HashAlgorithm::Sha256, &shared.secret, LABEL, &context, out)
                .map_err(|_| Fault::Key)
        };
        derive(TUNNEL, &mut key)?;
        let mut binding = [0; Binding::LEN];
        derive(BINDING, &mut binding)?;
        Self::new(suite, &key, Binding(binding)).map_err(Failure::from)
    }

    fn new(suite: CipherSuite, key: &[u8], binding: Binding) -> Result<Self, Fault> {
        let key = ContentKey::from_bytes(suite.algorithm(), key).map_err(|_| Fault::Session)?;
        Ok(Self { suite, key, binding })
    }

    pub(crate) fn binding(&self) -> Binding {
        self.binding
    }

    pub(crate) fn seal(&self, message: &[u8], fill: &mut dyn FnMut(&mut [u8])) -> Result<Vec<u8>, Failure> {
        Ok(Encrypt0Builder::new().encrypt(&self.key, message, fill).map_err(|_| Fault::Key)?)
    }

    /// What the other side wrote. Another algorithm than was agreed on is refused.
    pub(crate) fn open(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        Ok(Encrypt0::decode(message)?.decrypt(&self.key, None, &[])?)
    }

    /// Everything of it, to be kept secret.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&self.binding.0, self.key.secret_bytes().as_slice()].concat())
    }

    pub(crate) fn from_bytes(suite: CipherSuite, bytes: &[u8]) -> Result<Self, Fault> {
        let (binding, key) = bytes.split_first_chunk().ok_or(Fault::Session)?;
        Self::new(suite, key, Binding(*binding))
    }

    pub(crate) fn suite(&self) -> CipherSuite {
        self.suite
    }
}
