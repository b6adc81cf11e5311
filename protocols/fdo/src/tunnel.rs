//! What both sides of TO2 encrypt with, once they have a secret (sections 3.6.4 and 4.4).

use alloc::vec::Vec;

use cose::{Encrypt0, Encrypt0Builder};
#[cfg(feature = "all-ciphers")]
use cose::{Mac0, Mac0Builder, MacKey};
use crypto::{ContentAlgorithm, ContentKey, HashAlgorithm, Zeroizing};

#[cfg(feature = "all-ciphers")]
use crate::labels;
use crate::{Failure, Fault, exchange::Shared};

/// A cipher suite.
///
/// Those of AES-CTR and AES-CBC encrypt and then authenticate by HMAC, as go-fdo does it: no two implementations agree on how.
/// They are switched on by name only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherSuite {
    /// AES-GCM with a key of 128 bits.
    A128Gcm,
    /// AES-GCM with a key of 192 bits, which one implementation knows.
    A192Gcm,
    /// AES-GCM with a key of 256 bits.
    A256Gcm,
    /// AES-CCM-16-128-128: a key of 128 bits, messages of up to 64 KiB.
    #[cfg(feature = "all-ciphers")]
    Ccm16A128,
    /// AES-CCM-16-128-256: a key of 256 bits, messages of up to 64 KiB.
    #[cfg(feature = "all-ciphers")]
    Ccm16A256,
    /// AES-CCM-64-128-128: a key of 128 bits.
    #[cfg(feature = "all-ciphers")]
    Ccm64A128,
    /// AES-CCM-64-128-256: a key of 256 bits.
    #[cfg(feature = "all-ciphers")]
    Ccm64A256,
    /// AES-CBC with a key of 128 bits, and HMAC-SHA256 over that.
    #[cfg(feature = "all-ciphers")]
    Aes128Cbc,
    /// AES-CTR with a key of 128 bits, and HMAC-SHA256 over that.
    #[cfg(feature = "all-ciphers")]
    Aes128Ctr,
    /// AES-CBC with a key of 256 bits, and HMAC-SHA384 over that.
    #[cfg(feature = "all-ciphers")]
    Aes256Cbc,
    /// AES-CTR with a key of 256 bits, and HMAC-SHA384 over that.
    #[cfg(feature = "all-ciphers")]
    Aes256Ctr,
}

/// What both sides encrypt with. It cannot be shown, and is erased when dropped.
pub(crate) struct Tunnel {
    suite: CipherSuite,
    key: ContentKey,
    #[cfg(feature = "all-ciphers")]
    mac: Option<MacKey>,
    /// All keys one after another, as they were derived.
    keys: Zeroizing<Vec<u8>>,
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
    /// All of them that this build has.
    #[cfg(not(feature = "all-ciphers"))]
    pub const ALL: [Self; 3] = [Self::A128Gcm, Self::A192Gcm, Self::A256Gcm];

    /// All of them that this build has.
    #[cfg(feature = "all-ciphers")]
    pub const ALL: [Self; 11] = [
        Self::A128Gcm,
        Self::A192Gcm,
        Self::A256Gcm,
        Self::Ccm16A128,
        Self::Ccm16A256,
        Self::Ccm64A128,
        Self::Ccm64A256,
        Self::Aes128Cbc,
        Self::Aes128Ctr,
        Self::Aes256Cbc,
        Self::Aes256Ctr,
    ];

    /// Its number on the wire.
    pub const fn number(self) -> i64 {
        match self {
            #[cfg(feature = "all-ciphers")]
            Self::Aes128Cbc => labels::COSEAES128CBC,
            #[cfg(feature = "all-ciphers")]
            Self::Aes128Ctr => labels::COSEAES128CTR,
            #[cfg(feature = "all-ciphers")]
            Self::Aes256Cbc => labels::COSEAES256CBC,
            #[cfg(feature = "all-ciphers")]
            Self::Aes256Ctr => labels::COSEAES256CTR,
            _ => self.algorithm().cose_id(),
        }
    }

    /// The suite with this number. One that the build leaves out is as unknown as one that nobody has.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.number() == number)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "all-ciphers")]
            Self::Aes128Cbc => "COSEAES128CBC",
            #[cfg(feature = "all-ciphers")]
            Self::Aes128Ctr => "COSEAES128CTR",
            #[cfg(feature = "all-ciphers")]
            Self::Aes256Cbc => "COSEAES256CBC",
            #[cfg(feature = "all-ciphers")]
            Self::Aes256Ctr => "COSEAES256CTR",
            _ => self.algorithm().name(),
        }
    }

    /// The suite of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name)
    }

    /// Whether its cipher authenticates what it encrypts, with no second key and no second layer to get wrong.
    pub const fn is_authenticated(self) -> bool {
        self.algorithm().is_authenticated()
    }

    const fn algorithm(self) -> ContentAlgorithm {
        match self {
            Self::A128Gcm => ContentAlgorithm::A128Gcm,
            Self::A192Gcm => ContentAlgorithm::A192Gcm,
            Self::A256Gcm => ContentAlgorithm::A256Gcm,
            #[cfg(feature = "all-ciphers")]
            Self::Ccm16A128 => ContentAlgorithm::Ccm16A128,
            #[cfg(feature = "all-ciphers")]
            Self::Ccm16A256 => ContentAlgorithm::Ccm16A256,
            #[cfg(feature = "all-ciphers")]
            Self::Ccm64A128 => ContentAlgorithm::Ccm64A128,
            #[cfg(feature = "all-ciphers")]
            Self::Ccm64A256 => ContentAlgorithm::Ccm64A256,
            #[cfg(feature = "all-ciphers")]
            Self::Aes128Cbc => ContentAlgorithm::A128Cbc,
            #[cfg(feature = "all-ciphers")]
            Self::Aes128Ctr => ContentAlgorithm::A128Ctr,
            #[cfg(feature = "all-ciphers")]
            Self::Aes256Cbc => ContentAlgorithm::A256Cbc,
            #[cfg(feature = "all-ciphers")]
            Self::Aes256Ctr => ContentAlgorithm::A256Ctr,
        }
    }

    /// The hash function of its key derivation, and of its HMAC where it has one.
    const fn hash(self) -> HashAlgorithm {
        match self {
            #[cfg(feature = "all-ciphers")]
            Self::Aes256Cbc | Self::Aes256Ctr => HashAlgorithm::Sha384,
            _ => HashAlgorithm::Sha256,
        }
    }

    /// Length in bytes of the key of its HMAC: that of the other.
    const fn mac_key_len(self) -> usize {
        if self.is_authenticated() { 0 } else { self.algorithm().key_len() }
    }
}

impl Tunnel {
    pub(crate) fn derive(suite: CipherSuite, shared: &Shared) -> Result<Self, Failure> {
        let mut keys = Zeroizing::new(alloc::vec![0; suite.algorithm().key_len() + suite.mac_key_len()]);
        let derive = |context: &[u8], out: &mut [u8]| {
            let context = [context, &shared.context].concat();
            crypto::kdf_counter(suite.hash(), &shared.secret, LABEL, &context, out).map_err(|_| Fault::Key)
        };
        derive(TUNNEL, &mut keys)?;
        let mut binding = [0; Binding::LEN];
        derive(BINDING, &mut binding)?;
        Self::new(suite, keys, Binding(binding)).map_err(Failure::from)
    }

    fn new(suite: CipherSuite, keys: Zeroizing<Vec<u8>>, binding: Binding) -> Result<Self, Fault> {
        let (key, mac) = keys.split_at_checked(suite.algorithm().key_len()).ok_or(Fault::Session)?;
        if mac.len() != suite.mac_key_len() {
            return Err(Fault::Session);
        }
        Ok(Self {
            suite,
            key: ContentKey::from_bytes(suite.algorithm(), key).map_err(|_| Fault::Session)?,
            #[cfg(feature = "all-ciphers")]
            mac: match mac {
                [] => None,
                mac => Some(MacKey::new(suite.hash(), mac).map_err(|_| Fault::Session)?),
            },
            keys,
            binding,
        })
    }

    pub(crate) fn binding(&self) -> Binding {
        self.binding
    }

    pub(crate) fn seal(&self, message: &[u8], fill: &mut dyn FnMut(&mut [u8])) -> Result<Vec<u8>, Failure> {
        #[cfg(feature = "all-ciphers")]
        if let Some(mac) = &self.mac {
            let encrypted = Encrypt0Builder::new().untagged().encrypt(&self.key, message, fill);
            return Ok(Mac0Builder::new().authenticate(mac, &encrypted.map_err(|_| Fault::Key)?));
        }
        Ok(Encrypt0Builder::new().encrypt(&self.key, message, fill).map_err(|_| Fault::Key)?)
    }

    /// What the other side wrote. Another algorithm than was agreed on is refused, and nothing is decrypted that is not
    /// authenticated.
    pub(crate) fn open(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        #[cfg(feature = "all-ciphers")]
        if let Some(mac) = &self.mac {
            let message = Mac0::decode(message)?;
            message.verify(mac, None, &[])?;
            let encrypted = message.payload().ok_or(cose::Error::PayloadMissing)?;
            return Ok(Encrypt0::decode_untagged(encrypted)?.decrypt(&self.key, None, &[])?);
        }
        Ok(Encrypt0::decode(message)?.decrypt(&self.key, None, &[])?)
    }

    /// Everything of it, to be kept secret.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&self.binding.0, self.keys.as_slice()].concat())
    }

    pub(crate) fn from_bytes(suite: CipherSuite, bytes: &[u8]) -> Result<Self, Fault> {
        let (binding, keys) = bytes.split_first_chunk().ok_or(Fault::Session)?;
        Self::new(suite, Zeroizing::new(keys.to_vec()), Binding(*binding))
    }

    pub(crate) fn suite(&self) -> CipherSuite {
        self.suite
    }
}

#[cfg(all(test, feature = "all-ciphers"))]
mod tests {
    use serde_json::Value;

    use super::*;

    fn hex(value: &Value) -> Vec<u8> {
        testkit::hex(value.as_str().expect("text"))
    }

    #[test]
    fn keys_are_those_of_the_vectors() {
        let Some(folder) = testkit::vectors("fdo") else { return };
        let text = std::fs::read_to_string(folder.join("crypto/kdf.json")).expect("a file");
        let rows: Vec<Value> = serde_json::from_str(&text).expect("rows");
        let mut compared = 0;
        for row in &rows {
            let shared =
                Shared { secret: Zeroizing::new(hex(&row["shSe"])), context: hex(&row["contextRand"]) };
            let (len, expected) = (row["L_bits"].as_u64().expect("a number") as usize / 8, hex(&row["out"]));
            for suite in CipherSuite::ALL {
                let prf = if suite.hash() == HashAlgorithm::Sha384 { "HMAC-SHA384" } else { "HMAC-SHA256" };
                if row["prf"] == prf && suite.algorithm().key_len() + suite.mac_key_len() == len {
                    let tunnel = Tunnel::derive(suite, &shared).expect("keys");
                    assert_eq!(*tunnel.keys, expected, "{suite:?}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 5, "{compared} of {} rows", rows.len());
    }

    #[test]
    fn suites_are_found_by_number_and_name_and_survive_being_kept() {
        let shared = Shared { secret: Zeroizing::new(vec![1; 64]), context: vec![2; 32] };
        for suite in CipherSuite::ALL {
            assert_eq!(CipherSuite::from_number(suite.number()), Some(suite));
            assert_eq!(CipherSuite::from_name(suite.name()), Some(suite));
            let tunnel = Tunnel::derive(suite, &shared).expect("keys");
            let bytes = tunnel.to_bytes();
            let again = Tunnel::from_bytes(suite, &bytes).expect("kept");
            let sealed = tunnel.seal(b"message", &mut |bytes| bytes.fill(3)).expect("seals");
            assert_eq!(again.open(&sealed).as_deref(), Ok(&b"message".to_vec()), "{suite:?}");
            for len in 0..bytes.len() {
                assert!(Tunnel::from_bytes(suite, &bytes[..len]).is_err(), "{suite:?} {len}");
            }
            assert!(Tunnel::from_bytes(suite, &[&bytes[..], &[0]].concat()).is_err());
            for other in CipherSuite::ALL.into_iter().filter(|other| *other != suite) {
                let other = Tunnel::derive(other, &shared).expect("keys");
                assert!(other.open(&sealed).is_err(), "{suite:?} as {:?}", other.suite);
            }
        }
        assert_eq!(CipherSuite::from_number(24), None);
        let numbers = CipherSuite::ALL.map(CipherSuite::number);
        assert_eq!(numbers, [1, 2, 3, 30, 31, 32, 33, -17760703, -17760704, -17760705, -17760706]);
    }

    #[test]
    fn the_longest_list_fits_into_what_is_set_aside_around_it() {
        let shared = Shared { secret: Zeroizing::new(vec![1; 64]), context: vec![] };
        for suite in CipherSuite::ALL {
            let tunnel = Tunnel::derive(suite, &shared).expect("keys");
            let longest = (0..16)
                .map(|more| {
                    let len = 60_000 + more;
                    tunnel.seal(&vec![1; len], &mut |bytes| bytes.fill(3)).expect("seals").len() - len
                })
                .max();
            // The list's own array, its flags and its head are part of what is sealed.
            assert!(
                longest.is_some_and(|around| around + 6 <= crate::limits::TUNNEL_OVERHEAD),
                "{longest:?}"
            );
        }
    }
}
