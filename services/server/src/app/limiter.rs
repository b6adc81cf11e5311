use std::{collections::HashMap, hash::Hash, net::IpAddr, sync::Mutex};

use store::{DeviceId, Timestamp};

/// How often one device may attest, or report, from one address: a bucket of ten, refilled steadily.
///
/// The address is part of the key, so that a stranger elsewhere cannot use up a device's share by naming it. Whoever has no
/// name that counts yet is known by the address alone.
pub(crate) struct Limiter<K = (IpAddr, DeviceId)> {
    /// Microseconds that one of them costs.
    cost: i64,
    /// So many may come at once.
    burst: i64,
    full: Mutex<HashMap<K, i64>>,
}

/// So many of a device may come at once.
const BURST: i64 = 10;
/// Buckets remembered; a full bucket need not be.
const MAX_BUCKETS: usize = 100_000;

impl<K: Hash + Eq> Limiter<K> {
    pub(crate) fn new(a_minute: u32) -> Self {
        Self::with_burst(a_minute, BURST)
    }

    /// One whose bucket holds so many.
    pub(crate) fn with_burst(a_minute: u32, burst: i64) -> Self {
        Self { cost: 60_000_000 / i64::from(a_minute.max(1)), burst, full: Mutex::default() }
    }

    /// Takes one from the bucket, or says how many seconds to wait.
    pub(crate) fn take(&self, who: K, now: Timestamp) -> Result<(), u64> {
        let mut buckets = self.full.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|_, full_at| *full_at > now.micros());
        }
        // A bucket is kept as the time when it is full again.
        let full_at = bucket(&mut buckets, who, now.micros());
        let after = (*full_at).max(now.micros()) + self.cost;
        let wait = after - now.micros() - self.burst * self.cost;
        if wait > 0 {
            return Err(wait.unsigned_abs().div_ceil(1_000_000));
        }
        *full_at = after;
        Ok(())
    }
}

fn bucket<K: Hash + Eq>(buckets: &mut HashMap<K, i64>, key: K, now: i64) -> &mut i64 {
    buckets.entry(key).or_insert(now)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn bucket_empties_refills_and_is_one_per_device_and_address() {
        let limiter = Limiter::new(60);
        let now = Timestamp::from_seconds(1_800_000_000);
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let device = |byte| DeviceId::new(&[byte; 17]).unwrap();
        for _ in 0..10 {
            assert_eq!(limiter.take((here, device(1)), now), Ok(()));
        }
        assert_eq!(limiter.take((here, device(1)), now), Err(1));
        assert_eq!(limiter.take((here, device(2)), now), Ok(()));
        assert_eq!(limiter.take((IpAddr::V4(Ipv4Addr::BROADCAST), device(1)), now), Ok(()));
        assert_eq!(limiter.take((here, device(1)), now.plus_seconds(1)), Ok(()));
        assert_eq!(limiter.take((here, device(1)), now.plus_seconds(1)), Err(1));
    }
}
