//! Nonces for admission, without a memory that a flood could fill.
//!
//! A nonce is its time, random bytes and a keyed digest over both and the asker's address. Only nonces that were used
//! are remembered, until their time is over, and only an attested device can use one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crypto::{HashAlgorithm, constant_time_eq, hmac};

/// Issues nonces, and redeems each once.
#[derive(Debug)]
pub struct Nonces {
    secret: [u8; 32],
    used: Mutex<BTreeMap<[u8; Nonces::LENGTH], i64>>,
}

impl Nonces {
    /// How long a nonce is good for, in seconds.
    pub const LIFETIME: i64 = 60;
    /// Bytes of a nonce.
    pub const LENGTH: usize = 32;
    /// Nonces that may be redeemed within [`Nonces::LIFETIME`].
    pub const CAPACITY: usize = 65_536;

    /// Nonces under a secret that nobody else knows.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, used: Mutex::default() }
    }

    /// A nonce for whoever asks from this address.
    pub fn issue(&self, source: IpAddr, now: i64, random: [u8; 8]) -> [u8; Self::LENGTH] {
        let mut nonce = [0; Self::LENGTH];
        let (head, tag) = nonce.split_at_mut(HEAD);
        let (time, salt) = head.split_at_mut(TIME);
        time.copy_from_slice(&now.to_be_bytes());
        salt.copy_from_slice(&random);
        tag.copy_from_slice(&self.tag(head, source));
        nonce
    }

    /// Whether the nonce was issued to this address, is not too old, and was not redeemed before. Now it is.
    pub fn redeem(&self, nonce: &[u8], source: IpAddr, now: i64) -> bool {
        let Ok(nonce) = <[u8; Self::LENGTH]>::try_from(nonce) else { return false };
        let (head, tag) = nonce.split_at(HEAD);
        let Some(time) = head.first_chunk().map(|time| i64::from_be_bytes(*time)) else { return false };
        let age = now.saturating_sub(time);
        if !constant_time_eq(tag, &self.tag(head, source)) || !(0..Self::LIFETIME).contains(&age) {
            return false;
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, end| *end > now);
        used.len() < Self::CAPACITY && used.insert(nonce, time.saturating_add(Self::LIFETIME)).is_none()
    }

    fn tag(&self, head: &[u8], source: IpAddr) -> [u8; Self::LENGTH - HEAD] {
        let mut message = head.to_vec();
        match source {
            IpAddr::V4(v4) => message.extend(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => message.extend(v6.octets()),
        }
        let digest = hmac(HashAlgorithm::Sha256, &self.secret, &message);
        let mut tag = [0; Self::LENGTH - HEAD];
        tag.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        tag
    }
}

/// Bytes of the time.
const TIME: usize = 8;
/// Bytes of the time and the random part.
const HEAD: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_nonce_is_good_once_for_its_asker_within_a_minute() {
        let nonces = Nonces::new([7; 32]);
        let source = ip("10.77.0.11");
        let nonce = nonces.issue(source, NOW, [1; 8]);
        assert!(!nonces.redeem(&nonce, ip("10.77.0.12"), NOW), "another asker");
        assert!(!nonces.redeem(&nonce, source, NOW + Nonces::LIFETIME), "too old");
        assert!(!nonces.redeem(&nonce, source, NOW - 1), "from the future");
        assert!(!Nonces::new([8; 32]).redeem(&nonce, source, NOW), "another gateway");
        for at in 0..nonce.len() {
            let mut changed = nonce;
            changed[at] ^= 1;
            assert!(!nonces.redeem(&changed, source, NOW), "byte {at}");
        }
        assert!(nonces.redeem(&nonce, source, NOW + Nonces::LIFETIME - 1));
        assert!(!nonces.redeem(&nonce, source, NOW + Nonces::LIFETIME - 1), "twice");
        assert!(!nonces.redeem(&nonce[1..], source, NOW));
    }

    #[test]
    fn what_was_used_is_forgotten_with_its_time() {
        let nonces = Nonces::new([7; 32]);
        let source = ip("2001:db8::1");
        for index in 0..100u64 {
            assert!(nonces.redeem(&nonces.issue(source, NOW, index.to_be_bytes()), source, NOW));
        }
        assert_eq!(nonces.used.lock().unwrap().len(), 100);
        let later = NOW + Nonces::LIFETIME;
        assert!(nonces.redeem(&nonces.issue(source, later, [0; 8]), source, later));
        assert_eq!(nonces.used.lock().unwrap().len(), 1);
    }
}
