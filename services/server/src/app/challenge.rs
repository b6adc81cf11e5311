//! Challenges that need no memory: the session id seals the time and size of its nonce, and the nonce is a keyed
//! digest of the id. Single use is decided in the store, when evidence comes.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crypto::{HashAlgorithm, Zeroizing, constant_time_eq, hmac};
use store::{SessionId, Timestamp};

use crate::keys;

/// Makes and opens sealed challenges.
pub(crate) struct Challenger {
    secret: Zeroizing<Vec<u8>>,
    lifetime: Duration,
    /// Distinguishes challenges of one second; starts anywhere.
    counter: AtomicU64,
}

/// A challenge as its id seals it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The session id.
    pub(crate) id: SessionId,
    /// What evidence must answer.
    pub(crate) nonce: Vec<u8>,
    /// When it ends.
    pub(crate) expires: Timestamp,
}

// Layout of the 122 free bits of a UUID of version 8 (RFC 9562, section 5.8): seconds (32), count (16), version, count
// (12), variant, nonce length - 8 (6), count (8), seal (48).
const SEAL_LEN: usize = 6;
/// Shortest nonce in bytes (RFC 9711, section 4.1).
pub(crate) const MIN_NONCE: u8 = 8;
/// Longest nonce in bytes.
pub(crate) const MAX_NONCE: u8 = 64;

/// How often a nonce is drawn anew: of the longest ones one in eight reads the same in both alphabets.
const MAX_DRAWS: usize = 200;

/// Whether some six bits are 62 or 63, which base64 and base64url write differently.
fn has_a_digit_of_one_alphabet(nonce: &[u8]) -> bool {
    nonce.chunks(3).any(|chunk| {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        (0..4).any(|digit| bits >> (6 * digit) & 0x3f >= 62)
    })
}

impl Challenger {
    pub(crate) fn new(secret: Zeroizing<Vec<u8>>, lifetime: Duration) -> Self {
        let start = u64::from_be_bytes(keys::random());
        Self { secret, lifetime, counter: AtomicU64::new(start) }
    }

    /// A fresh challenge with a nonce of 8 to 64 bytes.
    ///
    /// Veraison's clients read nonces as base64 with padding, and later ones as base64url without. Where a nonce has a
    /// length that needs no padding, one is drawn that reads the same in both, which takes a tenth of a bit from each of
    /// its bytes at most.
    pub(crate) fn make(&self, nonce_len: u8, now: Timestamp) -> Sealed {
        let mut sealed = self.draw(nonce_len, now);
        for _ in 0..MAX_DRAWS {
            if !sealed.nonce.len().is_multiple_of(3) || !has_a_digit_of_one_alphabet(&sealed.nonce) {
                break;
            }
            sealed = self.draw(nonce_len, now);
        }
        sealed
    }

    fn draw(&self, nonce_len: u8, now: Timestamp) -> Sealed {
        let seconds = (now.seconds() as u32).to_be_bytes();
        let [.., a, b, c, d, e] = self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let [s0, s1, s2, s3] = seconds;
        let size = nonce_len.clamp(MIN_NONCE, MAX_NONCE) - MIN_NONCE;
        let mut id = [s0, s1, s2, s3, a, b, 0x80 | c & 0xf, d, 0x80 | size, e, 0, 0, 0, 0, 0, 0];
        let seal = self.seal(&id);
        id[10..].copy_from_slice(&seal);
        self.unseal(id, Timestamp::from_seconds(now.seconds()))
    }

    /// The challenge with this id, if this server made it and it has not ended.
    pub(crate) fn open(&self, id: SessionId, now: Timestamp) -> Option<Sealed> {
        let bytes = id.0;
        if !constant_time_eq(&self.seal(&bytes), &bytes[10..]) {
            return None;
        }
        let made = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let made = Timestamp::from_seconds(i64::from(made));
        let sealed = self.unseal(bytes, made);
        (made <= now && now < sealed.expires).then_some(sealed)
    }

    fn unseal(&self, id: [u8; 16], made: Timestamp) -> Sealed {
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        // The seal covers the size: it is at most what a keyed digest has bytes.
        let size = usize::from((id[8] & 0x3f) + MIN_NONCE);
        let nonce = self.keyed(b"nonce", &id).as_bytes().iter().copied().take(size).collect();
        Sealed { id: SessionId(id), nonce, expires: made.plus_seconds(lifetime) }
    }

    fn seal(&self, id: &[u8; 16]) -> [u8; SEAL_LEN] {
        let mut sealed = *id;
        sealed[10..].fill(0);
        let tag = self.keyed(b"id", &sealed);
        let mut seal = [0; SEAL_LEN];
        seal.copy_from_slice(&tag.as_bytes()[..SEAL_LEN]);
        seal
    }

    fn keyed(&self, purpose: &[u8], id: &[u8; 16]) -> crypto::Digest {
        let message = [b"sextant challenge ", purpose, b"\0", id.as_slice()].concat();
        hmac(HashAlgorithm::Sha512, &self.secret, &message)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use base64::{
        Engine as _,
        prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
    };

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn challenger() -> Challenger {
        Challenger::new(Zeroizing::new(vec![7; 32]), Duration::from_secs(150))
    }

    #[test]
    fn opens_what_it_sealed_with_the_size_asked_for_until_it_ends() {
        let challenger = challenger();
        for size in 8..=64 {
            let made = challenger.make(size, NOW);
            assert_eq!(made.nonce.len(), usize::from(size));
            assert_eq!(challenger.open(made.id, NOW.plus_seconds(149)), Some(made.clone()));
            assert_eq!(challenger.open(made.id, NOW.plus_seconds(150)), None);
            assert_eq!(challenger.open(made.id, NOW.plus_seconds(-1)), None);
            assert_eq!(made.id.to_string().parse(), Ok(made.id));
        }
    }

    #[test]
    fn nonces_that_need_no_padding_read_the_same_in_both_alphabets() {
        let challenger = challenger();
        for size in [9, 48, 63] {
            for _ in 0..200 {
                let nonce = challenger.make(size, NOW).nonce;
                assert_eq!(nonce.len(), usize::from(size));
                assert_eq!(BASE64_STANDARD.encode(&nonce), BASE64_URL_SAFE_NO_PAD.encode(&nonce));
            }
        }
    }

    #[test]
    fn never_repeats_an_id_or_a_nonce() {
        let challenger = challenger();
        let made: Vec<_> = (0..5000).map(|_| challenger.make(32, NOW)).collect();
        assert_eq!(made.iter().map(|made| made.id).collect::<HashSet<_>>().len(), made.len());
        assert_eq!(made.iter().map(|made| &made.nonce).collect::<HashSet<_>>().len(), made.len());
    }

    #[test]
    fn refuses_an_id_with_any_bit_changed() {
        let challenger = challenger();
        let made = challenger.make(32, NOW);
        for bit in 0..128 {
            let mut id = made.id;
            id.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(challenger.open(id, NOW), None, "bit {bit}");
        }
    }

    #[test]
    fn clock_that_jumps_far_gives_challenges_that_do_not_open() {
        let challenger = challenger();
        for seconds in [i64::MIN / 1_000_000, -1, 1 << 33, i64::MAX / 1_000_000] {
            let now = Timestamp::from_seconds(seconds);
            assert_eq!(challenger.open(challenger.make(32, now).id, now), None, "{seconds}");
        }
    }

    #[test]
    fn refuses_ids_sealed_with_another_secret() {
        let other = Challenger::new(Zeroizing::new(vec![8; 32]), Duration::from_secs(150));
        assert_eq!(challenger().open(other.make(32, NOW).id, NOW), None);
    }
}
