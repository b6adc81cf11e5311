//! HSS/LMS hash-based signatures over SHA-256 with 32-byte hashes (RFC 8554, NIST SP 800-208).
//!
//! Verification allocates nothing and its work is bounded by the key's levels: some 70,000 hashes for eight of them.
//! Signing has state: see [`HssSigningKey`].

mod parameters;
mod signing;
mod tree;
mod verify;

#[cfg(test)]
mod tests;

// Public interface
pub use parameters::{LmotsType, LmsType};
pub use signing::{Confirmed, HssSigningKey, Reserved};
pub(crate) use verify::{check_public_key, verify};

use crate::{HashAlgorithm, backend};

/// How many levels of trees a key may have (RFC 8554, section 6).
pub const MAX_HSS_LEVELS: usize = 8;

/// Length of the longest signature that a key can verify, in bytes.
pub const MAX_HSS_SIGNATURE_LEN: usize = {
    let ots = 4 + HASH_LEN + LmotsType::W1.chains() * HASH_LEN;
    let lms = 4 + ots + 4 + LmsType::H25.height() as usize * HASH_LEN;
    4 + MAX_HSS_LEVELS * lms + (MAX_HSS_LEVELS - 1) * LMS_PUBLIC_LEN
};

/// Length of a hash: `n` and `m` of RFC 8554.
const HASH_LEN: usize = 32;

/// Length of the identifier of a tree: `I`.
const IDENTIFIER_LEN: usize = 16;

/// Length of an LMS public key (RFC 8554, section 5.3).
const LMS_PUBLIC_LEN: usize = 4 + 4 + IDENTIFIER_LEN + HASH_LEN;

/// Length of an HSS public key (RFC 8554, section 6.1).
const HSS_PUBLIC_LEN: usize = 4 + LMS_PUBLIC_LEN;

/// A hash value.
type Hash = [u8; HASH_LEN];

/// The identifier of a tree.
type Identifier = [u8; IDENTIFIER_LEN];

// What keeps hashes for one use from being those for another (RFC 8554, section 7.1).
const D_PBLC: u16 = 0x8080;
const D_MESG: u16 = 0x8181;
const D_LEAF: u16 = 0x8282;
const D_INTR: u16 = 0x8383;

/// The hash of parts one after another, all with the identifier of a tree and a number before them.
fn hash(identifier: &Identifier, number: u32, parts: &[&[u8]]) -> Hash {
    let mut hasher = Hasher::new(identifier, number);
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finish()
}

/// The same, piece by piece.
struct Hasher(backend::Hasher);

impl Hasher {
    fn new(identifier: &Identifier, number: u32) -> Self {
        let mut hasher = backend::Hasher::new(HashAlgorithm::Sha256);
        hasher.update(identifier);
        hasher.update(&number.to_be_bytes());
        Self(hasher)
    }

    fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    fn finish(self) -> Hash {
        let mut out = [0; HASH_LEN];
        self.0.finish(&mut out);
        out
    }
}

/// Walks one chain of a one-time key from one value to a later one (RFC 8554, sections 4.3 and 4.6).
fn walk(identifier: &Identifier, leaf: u32, chain: u16, steps: core::ops::Range<u8>, value: Hash) -> Hash {
    // One block of SHA-256: the identifier, the leaf, the chain, the step and the value are 55 bytes.
    let mut input = [0; IDENTIFIER_LEN + 4 + 2 + 1 + HASH_LEN];
    input[..16].copy_from_slice(identifier);
    input[16..20].copy_from_slice(&leaf.to_be_bytes());
    input[20..22].copy_from_slice(&chain.to_be_bytes());
    input[23..].copy_from_slice(&value);
    for step in steps {
        input[22] = step;
        let mut hasher = backend::Hasher::new(HashAlgorithm::Sha256);
        hasher.update(&input);
        hasher.finish(&mut input[23..]);
    }
    let mut out = [0; HASH_LEN];
    out.copy_from_slice(&input[23..]);
    out
}

/// What a one-time key signs: the message's hash and its checksum, as digits of `w` bits (RFC 8554, section 4.4).
struct Digits {
    bytes: [u8; HASH_LEN + 2],
    bits: u8,
}

impl Digits {
    fn of(ots: LmotsType, identifier: &Identifier, leaf: u32, randomizer: &[u8], message: &[u8]) -> Self {
        let digest = hash(identifier, leaf, &[&D_MESG.to_be_bytes(), randomizer, message]);
        let mut digits = Self { bytes: [0; HASH_LEN + 2], bits: ots.digit_bits() };
        digits.bytes[..HASH_LEN].copy_from_slice(&digest);
        let of_digest = HASH_LEN * 8 / usize::from(digits.bits);
        let sum: u16 = (0..of_digest).map(|index| u16::from(ots.max_digit() - digits.get(index))).sum();
        digits.bytes[HASH_LEN..].copy_from_slice(&(sum << ots.checksum_shift()).to_be_bytes());
        digits
    }

    /// One digit: `coef` of RFC 8554, section 3.1.3.
    fn get(&self, index: usize) -> u8 {
        let bit = index * usize::from(self.bits);
        let byte = self.bytes.get(bit / 8).copied().unwrap_or_default();
        let shift = 8 - (bit % 8) - usize::from(self.bits);
        (byte >> shift) & (0xff >> (8 - self.bits))
    }
}
