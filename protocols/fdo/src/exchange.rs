//! Key exchange (section 3.6): each side sends one part, and both have one secret.

use alloc::vec::Vec;

#[cfg(feature = "rsa-owners")]
use crypto::ModpGroup;
use crypto::{AgreementCurve, SignatureAlgorithm, Zeroizing};

use crate::{Failure, Fault, Key, KeyType, OwnerKey};

mod ecdh;
#[cfg(feature = "rsa-owners")]
mod rsa;

use ecdh::EcdhHalf;
#[cfg(feature = "rsa-owners")]
use rsa::{DhHalf, EncryptedHalf};

/// A key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeSuite {
    /// ECDH on P-256, for owners with keys on it.
    Ecdh256,
    /// ECDH on P-384, for owners with keys on it.
    Ecdh384,
    /// Diffie-Hellman modulo a prime of 2048 bits, for owners with RSA keys of as many.
    #[cfg(feature = "rsa-owners")]
    DhKexId14,
    /// Diffie-Hellman modulo a prime of 3072 bits, for owners with RSA keys of as many.
    #[cfg(feature = "rsa-owners")]
    DhKexId15,
    /// The device encrypts its part to the owner's RSA key of 2048 bits: whoever gets hold of that key later reads what was said.
    #[cfg(feature = "rsa-owners")]
    AsymKex2048,
    /// The same with an RSA key of 3072 bits.
    #[cfg(feature = "rsa-owners")]
    AsymKex3072,
}

/// What both sides share. Keys are derived from it.
pub(crate) struct Shared {
    pub(crate) secret: Zeroizing<Vec<u8>>,
    /// The owner's randomness, where it is not part of the secret.
    pub(crate) context: Vec<u8>,
}

/// The owner's side between its two steps.
pub(crate) enum OwnerHalf {
    Ecdh(EcdhHalf),
    #[cfg(feature = "rsa-owners")]
    Dh(DhHalf),
    #[cfg(feature = "rsa-owners")]
    Encrypted(EncryptedHalf),
}

/// How an exchange works, and over what.
enum Method {
    Ecdh(AgreementCurve),
    #[cfg(feature = "rsa-owners")]
    Dh(ModpGroup),
    /// With the length of the randomness of either side in bytes.
    #[cfg(feature = "rsa-owners")]
    Encrypted(usize),
}

impl ExchangeSuite {
    /// All of them that this build has.
    #[cfg(feature = "rsa-owners")]
    pub const ALL: [Self; 6] = [
        Self::Ecdh256,
        Self::Ecdh384,
        Self::DhKexId14,
        Self::DhKexId15,
        Self::AsymKex2048,
        Self::AsymKex3072,
    ];

    /// All of them that this build has.
    #[cfg(not(feature = "rsa-owners"))]
    pub const ALL: [Self; 2] = [Self::Ecdh256, Self::Ecdh384];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ecdh256 => "ECDH256",
            Self::Ecdh384 => "ECDH384",
            #[cfg(feature = "rsa-owners")]
            Self::DhKexId14 => "DHKEXid14",
            #[cfg(feature = "rsa-owners")]
            Self::DhKexId15 => "DHKEXid15",
            #[cfg(feature = "rsa-owners")]
            Self::AsymKex2048 => "ASYMKEX2048",
            #[cfg(feature = "rsa-owners")]
            Self::AsymKex3072 => "ASYMKEX3072",
        }
    }

    /// The suite of this name. One that the build leaves out is as unknown as one that nobody has.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name)
    }

    /// The best suite for owners with keys of a type; nothing where this build has none.
    pub const fn for_key_type(key_type: KeyType) -> Option<Self> {
        Self::all_for(key_type).first().copied()
    }

    /// The suites for owners with keys of a type, the best first: with RSA, those come last that a key stolen later undoes.
    ///
    /// RSAPKCS does not say how long the key is. Most have 3072 bits; a device that is refused tries the next.
    pub const fn all_for(key_type: KeyType) -> &'static [Self] {
        match key_type {
            KeyType::Secp256r1 => &[Self::Ecdh256],
            KeyType::Secp384r1 => &[Self::Ecdh384],
            #[cfg(feature = "rsa-owners")]
            KeyType::Rsa2048Restr => &[Self::DhKexId14, Self::AsymKex2048],
            #[cfg(feature = "rsa-owners")]
            KeyType::RsaPkcs => &[Self::DhKexId15, Self::DhKexId14, Self::AsymKex3072, Self::AsymKex2048],
            #[cfg(not(feature = "rsa-owners"))]
            KeyType::Rsa2048Restr | KeyType::RsaPkcs => &[],
        }
    }

    /// Whether it is for owners with such a key.
    pub fn fits(self, owner: &Key) -> bool {
        match (self, owner) {
            (Self::Ecdh256, Key::Ec(key)) => key.algorithm() == SignatureAlgorithm::Es256,
            (Self::Ecdh384, Key::Ec(key)) => key.algorithm() == SignatureAlgorithm::Es384,
            #[cfg(feature = "rsa-owners")]
            (Self::DhKexId14 | Self::AsymKex2048, Key::Rsa(key)) => 8 * key.modulus().len() == 2048,
            #[cfg(feature = "rsa-owners")]
            (Self::DhKexId15 | Self::AsymKex3072, Key::Rsa(key)) => 8 * key.modulus().len() == 3072,
            _ => false,
        }
    }

    const fn method(self) -> Method {
        match self {
            Self::Ecdh256 => Method::Ecdh(AgreementCurve::P256),
            Self::Ecdh384 => Method::Ecdh(AgreementCurve::P384),
            #[cfg(feature = "rsa-owners")]
            Self::DhKexId14 => Method::Dh(ModpGroup::Modp2048),
            #[cfg(feature = "rsa-owners")]
            Self::DhKexId15 => Method::Dh(ModpGroup::Modp3072),
            #[cfg(feature = "rsa-owners")]
            Self::AsymKex2048 => Method::Encrypted(32),
            #[cfg(feature = "rsa-owners")]
            Self::AsymKex3072 => Method::Encrypted(96),
        }
    }
}

impl OwnerHalf {
    /// Begins an exchange; `fill` overwrites a slice with random bytes.
    pub(crate) fn generate(suite: ExchangeSuite, fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, Failure> {
        Ok(match suite.method() {
            Method::Ecdh(curve) => Self::Ecdh(EcdhHalf::generate(curve, fill)?),
            #[cfg(feature = "rsa-owners")]
            Method::Dh(group) => Self::Dh(DhHalf::generate(group, fill)?),
            #[cfg(feature = "rsa-owners")]
            Method::Encrypted(len) => Self::Encrypted(EncryptedHalf::generate(len, fill)),
        })
    }

    /// What the owner sends.
    pub(crate) fn part(&self) -> Vec<u8> {
        match self {
            Self::Ecdh(half) => half.part(),
            #[cfg(feature = "rsa-owners")]
            Self::Dh(half) => half.part(),
            #[cfg(feature = "rsa-owners")]
            Self::Encrypted(half) => half.part(),
        }
    }

    /// The secret, from what the device sent. Whatever is wrong with it is one refusal.
    pub(crate) fn finish(self, part: &[u8], owner: &dyn OwnerKey) -> Result<Shared, Failure> {
        let _ = owner;
        match self {
            Self::Ecdh(half) => half.agree_as_owner(part),
            #[cfg(feature = "rsa-owners")]
            Self::Dh(half) => half.agree(part),
            #[cfg(feature = "rsa-owners")]
            Self::Encrypted(half) => half.open(part, owner),
        }
    }

    /// Everything of it, to be kept secret.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Ecdh(half) => half.to_bytes(),
            #[cfg(feature = "rsa-owners")]
            Self::Dh(half) => half.to_bytes(),
            #[cfg(feature = "rsa-owners")]
            Self::Encrypted(half) => Zeroizing::new(half.part()),
        }
    }

    pub(crate) fn from_bytes(suite: ExchangeSuite, bytes: &[u8]) -> Result<Self, Fault> {
        Ok(match suite.method() {
            Method::Ecdh(curve) => Self::Ecdh(EcdhHalf::from_bytes(curve, bytes)?),
            #[cfg(feature = "rsa-owners")]
            Method::Dh(group) => Self::Dh(DhHalf::from_bytes(group, bytes)?),
            #[cfg(feature = "rsa-owners")]
            Method::Encrypted(len) => Self::Encrypted(EncryptedHalf::from_bytes(len, bytes)?),
        })
    }
}

/// The device's side, which has one step: what it sends, and the secret.
pub(crate) fn answer(
    suite: ExchangeSuite,
    part: &[u8],
    owner: &Key,
    fill: &mut dyn FnMut(&mut [u8]),
) -> Result<(Vec<u8>, Shared), Failure> {
    let _ = owner;
    match suite.method() {
        Method::Ecdh(curve) => {
            let half = EcdhHalf::generate(curve, fill)?;
            Ok((half.part(), half.agree_as_device(part)?))
        }
        #[cfg(feature = "rsa-owners")]
        Method::Dh(group) => {
            let half = DhHalf::generate(group, fill)?;
            Ok((half.part(), half.agree(part)?))
        }
        #[cfg(feature = "rsa-owners")]
        Method::Encrypted(len) => rsa::encrypt(len, part, owner, fill),
    }
}

#[cfg(all(test, feature = "rsa-owners"))]
mod tests;
