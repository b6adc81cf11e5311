//! What a fleet measures while it runs, in bounded memory.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// A kind of exchange with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exchange {
    /// Asking for a nonce.
    Challenge,
    /// Handing evidence in, up to the signed result.
    Attest,
    /// Asking for updates.
    Poll,
    /// Asking what an update consists of.
    Deployment,
    /// Fetching a piece of an envelope.
    Download,
    /// Telling how an update ended.
    Report,
}

impl Exchange {
    /// Every kind.
    pub(crate) const ALL: [Self; 6] =
        [Self::Challenge, Self::Attest, Self::Poll, Self::Deployment, Self::Download, Self::Report];

    /// Its word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Attest => "attest",
            Self::Poll => "poll",
            Self::Deployment => "deployment",
            Self::Download => "download",
            Self::Report => "report",
        }
    }
}

/// Durations in buckets of which each is at most 1/32 wider than its beginning.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: u64,
}

/// Percentiles in milliseconds. Each is the upper end of its bucket: at most 3.2 % too high, never too low.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_ms: f64,
    /// 90 % took no longer.
    pub p90_ms: f64,
    /// 99 % took no longer.
    pub p99_ms: f64,
    /// None took longer.
    pub max_ms: f64,
}

/// Steps between one power of two and the next, as a power of two.
const STEPS: u32 = 5;
/// Buckets for every number of microseconds there is.
const BUCKETS: usize = ((64 - STEPS as usize) + 1) << STEPS;

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, longest: 0 }
    }
}

impl Histogram {
    /// Counts one more.
    pub(crate) fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count += 1;
        }
        self.total += 1;
        self.longest = self.longest.max(micros);
    }

    /// What was counted.
    pub(crate) fn latency(&self) -> Latency {
        let at = |percent| milliseconds(self.percentile(percent));
        Latency {
            count: self.total,
            p50_ms: at(50),
            p90_ms: at(90),
            p99_ms: at(99),
            max_ms: milliseconds(self.longest),
        }
    }

    /// The number of microseconds that so many in a hundred do not exceed.
    fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.total * percent).div_ceil(100);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank && seen > 0 {
                return upper_end(bucket).min(self.longest);
            }
        }
        0
    }
}

/// The first `2 << STEPS` buckets hold one number each; above, each power of two has `1 << STEPS` of them.
fn bucket(micros: u64) -> usize {
    let power = (u64::BITS - micros.leading_zeros()).saturating_sub(STEPS + 1);
    ((power as usize) << STEPS) + (micros >> power) as usize
}

fn upper_end(bucket: usize) -> u64 {
    let power = (bucket >> STEPS).saturating_sub(1);
    let first = (bucket - (power << STEPS)) as u64;
    (first << power) + ((1 << power) - 1)
}

fn milliseconds(micros: u64) -> f64 {
    // Whole microseconds below 2^53 are exact.
    micros as f64 / 1000.0
}

/// Everything that is measured; shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    exchanges: [Mutex<Histogram>; Exchange::ALL.len()],
    lateness: Mutex<Histogram>,
    errors: Mutex<BTreeMap<String, u64>>,
    /// Bytes of bodies, both ways.
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    /// Evidence that got a signed result, and polls that got an answer.
    pub(crate) attestations: AtomicU64,
    pub(crate) polls: AtomicU64,
    pub(crate) installations: AtomicU64,
}

impl Metrics {
    /// An exchange came to its end.
    pub(crate) fn exchanged(&self, exchange: Exchange, took: Duration, sent: usize, received: usize) {
        if let Some(histogram) = self.exchanges.get(exchange as usize) {
            locked(histogram).add(took);
        }
        self.sent.fetch_add(sent as u64, Ordering::Relaxed);
        self.received.fetch_add(received as u64, Ordering::Relaxed);
    }

    /// An exchange failed.
    pub(crate) fn failed(&self, exchange: Exchange, why: &str) {
        *locked(&self.errors).entry(format!("{}: {why}", exchange.as_str())).or_default() += 1;
    }

    /// A device acted so much later than it should have, for want of a free connection.
    pub(crate) fn late(&self, by: Duration) {
        locked(&self.lateness).add(by);
    }

    /// Attestations and polls so far.
    pub(crate) fn check_ins(&self) -> u64 {
        self.attestations.load(Ordering::Relaxed) + self.polls.load(Ordering::Relaxed)
    }

    pub(crate) fn latency(&self, exchange: Exchange) -> Latency {
        self.exchanges.get(exchange as usize).map(|histogram| locked(histogram).latency()).unwrap_or_default()
    }

    pub(crate) fn lateness(&self) -> Latency {
        locked(&self.lateness).latency()
    }

    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        locked(&self.errors).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gap_and_are_narrow() {
        let mut last = None;
        for bucket_number in 0..BUCKETS - (1 << STEPS) {
            let end = upper_end(bucket_number);
            assert_eq!(bucket(end), bucket_number, "{end}");
            let start = last.map_or(0, |last: u64| last + 1);
            assert_eq!(bucket(start), bucket_number, "{start}");
            assert!((end - start) <= start / 32, "{start} to {end}");
            last = Some(end);
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn percentiles_are_never_too_low_and_at_most_a_thirtieth_too_high() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.latency(), Latency::default());
        for micros in 1..=100_000u64 {
            histogram.add(Duration::from_micros(micros));
        }
        let latency = histogram.latency();
        for (found, exact) in [(latency.p50_ms, 50.0), (latency.p90_ms, 90.0), (latency.p99_ms, 99.0)] {
            assert!((exact..=exact * 1.033).contains(&found), "{found} for {exact}");
        }
        assert_eq!((latency.count, latency.max_ms), (100_000, 100.0));
    }

    #[test]
    fn one_sample_is_every_percentile() {
        let mut histogram = Histogram::default();
        histogram.add(Duration::from_micros(12_345));
        let latency = histogram.latency();
        assert_eq!((latency.p50_ms, latency.p99_ms, latency.max_ms), (12.345, 12.345, 12.345));
    }
}
