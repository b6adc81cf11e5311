//! Keys and numbers that are the same whenever they are asked for.

use crypto::{Digest, HashAlgorithm, Hasher, SignatureAlgorithm, SigningKey};

use crate::Error;

/// What everything of a simulated fleet follows from. It protects nothing: its keys are those of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

/// Begins everything that is hashed, so that no other use of a hash function gives the same keys.
const CONTEXT: &[u8] = b"sextant-sim";
/// How many scalars are tried for a key. One in 2^32 is out of range.
const MAX_TRIES: u64 = 16;

impl Seed {
    /// 32 bytes for a purpose.
    pub(crate) fn bytes(self, purpose: &str, index: u64) -> Digest {
        let mut hasher = Hasher::new(HashAlgorithm::Sha256);
        hasher.update(CONTEXT);
        hasher.update(&self.0.to_be_bytes());
        hasher.update(&index.to_be_bytes());
        hasher.update(purpose.as_bytes());
        hasher.finish()
    }

    /// A number for a purpose.
    pub(crate) fn number(self, purpose: &str, index: u64) -> u64 {
        let bytes = self.bytes(purpose, index);
        bytes.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// An ES256 key for a purpose.
    pub(crate) fn key(self, purpose: &str, index: u64) -> Result<SigningKey, Error> {
        let keys = (0..MAX_TRIES).filter_map(|attempt| {
            let secret = self.bytes(&format!("{purpose} key {attempt}"), index);
            SigningKey::from_bytes(SignatureAlgorithm::Es256, secret.as_bytes()).ok()
        });
        let mut keys = keys;
        keys.next().ok_or("every scalar is out of range").map_err(Error::object("a key cannot be made"))
    }
}

/// Numbers of one device, uniform and different in every boot: SplitMix64, which is enough for jitter.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    /// A sequence that begins here.
    pub(crate) fn new(start: u64) -> Self {
        Self(start)
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_keys_and_others_give_others() {
        let public = |seed, purpose, index| {
            Seed(seed).key(purpose, index).unwrap().public_key().ec2_coordinates().unwrap().0.to_vec()
        };
        assert_eq!(public(1, "device", 7), public(1, "device", 7));
        for (seed, purpose, index) in [(2, "device", 7), (1, "author", 7), (1, "device", 8)] {
            assert_ne!(public(1, "device", 7), public(seed, purpose, index));
        }
    }

    #[test]
    fn numbers_are_spread() {
        let mut numbers = Numbers::new(1);
        let mut tenths = [0; 10];
        for _ in 0..10_000 {
            tenths[(numbers.next() % 10) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
    }
}
