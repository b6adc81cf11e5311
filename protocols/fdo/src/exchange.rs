//! Key exchange (section 3.6): each side sends one part, and both have one secret.

use alloc::vec::Vec;

use crypto::{AgreementCurve, AgreementKey, AgreementPublicKey, SignatureAlgorithm, Zeroizing};

use crate::{Failure, Fault, Key, KeyType, OwnerKey, Refusal};

/// A key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeSuite {
    /// ECDH on P-256, for owners with keys on it.
    Ecdh256,
    /// ECDH on P-384, for owners with keys on it.
    Ecdh384,
}

/// Bytes in front of each number in a part of ECDH.
const LEN_PREFIX: usize = 2;

/// What both sides share. Keys are derived from it.
pub(crate) struct Shared {
    pub(crate) secret: Zeroizing<Vec<u8>>,
    /// The owner's randomness, where it is not part of the secret.
    pub(crate) context: Vec<u8>,
}

/// The owner's side between its two steps.
pub(crate) struct OwnerHalf {
    suite: ExchangeSuite,
    key: AgreementKey,
    random: Zeroizing<Vec<u8>>,
}

impl ExchangeSuite {
    /// All of them, the strongest last.
    pub const ALL: [Self; 2] = [Self::Ecdh256, Self::Ecdh384];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ecdh256 => "ECDH256",
            Self::Ecdh384 => "ECDH384",
        }
    }

    /// The suite of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name)
    }

    /// The suite for owners with keys of a type.
    pub const fn for_key_type(key_type: KeyType) -> Option<Self> {
        match key_type {
            KeyType::Secp256r1 => Some(Self::Ecdh256),
            KeyType::Secp384r1 => Some(Self::Ecdh384),
            KeyType::Rsa2048Restr | KeyType::RsaPkcs => None,
        }
    }

    /// Whether it is for owners with such a key.
    pub fn fits(self, owner: &Key) -> bool {
        match (self, owner) {
            (Self::Ecdh256, Key::Ec(key)) => key.algorithm() == SignatureAlgorithm::Es256,
            (Self::Ecdh384, Key::Ec(key)) => key.algorithm() == SignatureAlgorithm::Es384,
            _ => false,
        }
    }

    const fn curve(self) -> AgreementCurve {
        match self {
            Self::Ecdh256 => AgreementCurve::P256,
            Self::Ecdh384 => AgreementCurve::P384,
        }
    }

    /// Length in bytes of the randomness beside a point.
    const fn random_len(self) -> usize {
        match self {
            Self::Ecdh256 => 16,
            Self::Ecdh384 => 48,
        }
    }
}

impl OwnerHalf {
    /// Begins an exchange; `fill` overwrites a slice with random bytes.
    pub(crate) fn generate(suite: ExchangeSuite, fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, Failure> {
        let (key, random) = generate(suite, fill)?;
        Ok(Self { suite, key, random })
    }

    /// What the owner sends.
    pub(crate) fn part(&self) -> Vec<u8> {
        ecdh_part(&self.key, &self.random)
    }

    /// The secret, from what the device sent.
    pub(crate) fn finish(self, part: &[u8], _owner: &dyn OwnerKey) -> Result<Shared, Failure> {
        let (peer, device_random) = read_ecdh_part(self.suite, part)?;
        shared(&self.key, &peer, &device_random, &self.random)
    }

    /// Everything of it, to be kept secret.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([self.key.secret_bytes().as_slice(), &self.random].concat())
    }

    pub(crate) fn from_bytes(suite: ExchangeSuite, bytes: &[u8]) -> Result<Self, Fault> {
        let (key, random) = bytes.split_at_checked(suite.curve().width()).ok_or(Fault::Session)?;
        let key = AgreementKey::from_bytes(suite.curve(), key).map_err(|_| Fault::Session)?;
        if random.len() != suite.random_len() {
            return Err(Fault::Session);
        }
        Ok(Self { suite, key, random: Zeroizing::new(random.to_vec()) })
    }
}

/// The device's side, which has one step: what it sends, and the secret.
pub(crate) fn answer(
    suite: ExchangeSuite,
    part: &[u8],
    _owner: &Key,
    fill: &mut dyn FnMut(&mut [u8]),
) -> Result<(Vec<u8>, Shared), Failure> {
    let (peer, owner_random) = read_ecdh_part(suite, part)?;
    let (key, random) = generate(suite, fill)?;
    let shared = shared(&key, &peer, &random, &owner_random)?;
    Ok((ecdh_part(&key, &random), shared))
}

fn generate(
    suite: ExchangeSuite,
    fill: &mut dyn FnMut(&mut [u8]),
) -> Result<(AgreementKey, Zeroizing<Vec<u8>>), Failure> {
    let key = AgreementKey::generate(suite.curve(), fill).map_err(|_| Fault::Randomness)?;
    let mut random = Zeroizing::new(alloc::vec![0; suite.random_len()]);
    fill(&mut random);
    Ok((key, random))
}

/// The secret is the x-coordinate in full width, the device's randomness and the owner's, whoever computes it.
fn shared(
    own: &AgreementKey,
    peer: &AgreementPublicKey,
    device_random: &[u8],
    owner_random: &[u8],
) -> Result<Shared, Failure> {
    let point = own.agree(peer).map_err(|_| Refusal::Exchange)?;
    let secret = Zeroizing::new([point.as_bytes(), device_random, owner_random].concat());
    Ok(Shared { secret, context: Vec::new() })
}

/// Coordinates and randomness, each behind its length.
fn ecdh_part(key: &AgreementKey, random: &[u8]) -> Vec<u8> {
    let (x, y) = key.public_key().coordinates();
    let mut part = Vec::with_capacity(3 * LEN_PREFIX + x.len() + y.len() + random.len());
    for number in [x, y, random] {
        // All of them are of 48 bytes at most.
        part.extend_from_slice(&(number.len() as u16).to_be_bytes());
        part.extend_from_slice(number);
    }
    part
}

/// Reads a part. Coordinates may lack zeros in front, which some leave out.
fn read_ecdh_part(
    suite: ExchangeSuite,
    part: &[u8],
) -> Result<(AgreementPublicKey, Zeroizing<Vec<u8>>), Failure> {
    let mut rest = part;
    let mut next = || {
        let (len, after) = rest.split_first_chunk::<LEN_PREFIX>()?;
        let (number, after) = after.split_at_checked(u16::from_be_bytes(*len).into())?;
        rest = after;
        Some(number)
    };
    let numbers = (next(), next(), next());
    let (Some(x), Some(y), Some(random)) = numbers else { return Err(Refusal::Exchange.into()) };
    if !rest.is_empty() || random.len() != suite.random_len() {
        return Err(Refusal::Exchange.into());
    }
    let width = suite.curve().width();
    let (x, y) = (crate::public_key::padded(x, width), crate::public_key::padded(y, width));
    let peer = AgreementPublicKey::from_ec2(suite.curve(), &x, &y).map_err(|_| Refusal::Exchange)?;
    Ok((peer, Zeroizing::new(random.to_vec())))
}
