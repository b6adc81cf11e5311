//! What is measured of one step on the way from the factory to the owner.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{Reasons, Refused};
use crate::{
    Error,
    fleet::{
        metrics::{Histogram, Latency},
        report::cpu_seconds,
    },
};

/// One step of all devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// How many devices it succeeded for.
    pub done: u64,
    /// Seconds that it took for all.
    pub seconds: f64,
    /// Devices a second.
    pub per_s: f64,
    /// Seconds of processor time that a server of the fleet's own used meanwhile.
    pub server_cpu_s: Option<f64>,
    /// How long it took each time that it succeeded; of an import, for a file of many. Nobody sees how long one registration takes.
    pub latency: Latency,
    /// How often it failed, by reason; what was tried again counts each time.
    pub failures: Reasons,
}

/// Counts while a step goes on.
pub(super) struct Tally {
    name: &'static str,
    began: Instant,
    /// A server of the fleet's own, and what it had used before.
    server: Option<(u32, f64)>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    done: u64,
    took: Histogram,
    failures: Reasons,
}

impl Tally {
    /// Begins to count, beside what a server of the fleet's own uses.
    pub(super) fn new(name: &'static str, server: Option<u32>) -> Self {
        let server = server.and_then(|id| Some((id, cpu_seconds(&id.to_string())?)));
        Self { name, began: Instant::now(), server, counts: Mutex::default() }
    }

    /// Does it for one device. What is refused is counted, and given back; an error is of our own doing.
    pub(super) fn time<T>(
        &self,
        work: impl FnOnce() -> Result<Result<T, Refused>, Error>,
    ) -> Result<Result<T, Refused>, Error> {
        let began = Instant::now();
        let result = work()?;
        match &result {
            Ok(_) => self.did(1, began.elapsed()),
            Err(Refused(code)) => self.failed(code),
        }
        Ok(result)
    }

    /// It was done for so many at once.
    pub(super) fn did(&self, devices: u64, took: Duration) {
        let mut counts = self.counts();
        counts.done += devices;
        counts.took.add(took);
    }

    /// It was done for so many, nobody knows when.
    pub(super) fn counted(&self, devices: u64) {
        self.counts().done += devices;
    }

    /// It was not done for one.
    pub(super) fn failed(&self, code: &str) {
        *self.counts().failures.entry(code.to_owned()).or_default() += 1;
    }

    pub(super) fn finish(&self) -> Phase {
        let (counts, seconds) = (self.counts(), self.began.elapsed().as_secs_f64());
        Phase {
            name: self.name.to_owned(),
            done: counts.done,
            seconds,
            per_s: counts.done as f64 / seconds.max(f64::MIN_POSITIVE),
            server_cpu_s: self.server.and_then(|(id, before)| Some(cpu_seconds(&id.to_string())? - before)),
            latency: counts.took.latency(),
            failures: counts.failures.clone(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_succeeds_is_timed_and_what_fails_is_counted_by_its_reason() {
        let tally = Tally::new("make", Some(std::process::id()));
        let refused = |code: &str| Err::<(), _>(Refused(code.to_owned()));
        for result in [Ok(()), refused("too-many"), Ok(()), refused("too-many"), refused("not-found")] {
            assert_eq!(tally.time(|| Ok(result.clone())).unwrap(), result);
        }
        let broken = tally.time(|| Err::<Result<(), _>, _>(Error::Interrupted));
        assert!(broken.is_err());
        let phase = tally.finish();
        assert_eq!((phase.name.as_str(), phase.done, phase.latency.count), ("make", 2, 2));
        assert!(phase.server_cpu_s.is_some_and(|used| used >= 0.0));
        assert_eq!(phase.failures, [("not-found".to_owned(), 1), ("too-many".to_owned(), 2)].into());
    }
}
