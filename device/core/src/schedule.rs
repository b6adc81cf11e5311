/// The longest period, in milliseconds: a day.
const LONGEST_PERIOD: u64 = 86_400_000;
/// The longest back-off, in milliseconds, where the period is not longer: a server that is back must not wait for its
/// devices.
const LONGEST_RETRY: u64 = 900_000;
/// The longest back-off in periods: a server that serves its fleet once a period can bear what returns more slowly.
const LONGEST_RETRY_PERIODS: u64 = 8;

/// When to poll next: a period with jitter, and exponential back-off with full jitter after failures, so that a fleet
/// that lost its server together does not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    period: u64,
    /// What back-off starts from, in milliseconds: no more than the period.
    retry: u64,
    failures: u32,
}

impl Schedule {
    /// A schedule with a period in milliseconds.
    pub fn new(period: u64) -> Self {
        let period = period.clamp(1, LONGEST_PERIOD);
        Self { period, retry: period, failures: 0 }
    }

    /// The same, with back-off that starts from less than the period, in milliseconds.
    pub fn with_retry(self, retry: u64) -> Self {
        Self { retry: retry.clamp(1, self.period), ..self }
    }

    /// The server asked for another period, in milliseconds.
    pub fn set_period(&mut self, period: u64) {
        *self = Self { failures: self.failures, ..Self::new(period) };
    }

    /// The period in milliseconds.
    pub fn period(&self) -> u64 {
        self.period
    }

    /// Milliseconds to wait after a poll that went well; `random` is any uniform number.
    pub fn after_success(&mut self, random: u64) -> u64 {
        self.failures = 0;
        // Within a tenth of the period, to both sides.
        let spread = (self.period / 5).max(1);
        self.period - self.period / 10 + random % spread
    }

    /// Milliseconds to wait after one that failed.
    pub fn after_failure(&mut self, random: u64) -> u64 {
        self.failures = self.failures.saturating_add(1);
        let longest = (self.period * LONGEST_RETRY_PERIODS).min(LONGEST_RETRY).max(self.retry);
        let ceiling = (self.retry << self.failures.min(16)).min(longest);
        // Never less than half of what it starts from: jitter must not become a flood.
        self.retry / 2 + random % ceiling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_poll_is_followed_within_a_tenth_of_the_period() {
        let mut schedule = Schedule::new(10_000);
        for random in [0, 1, 999, 1000, u64::MAX] {
            let wait = schedule.after_success(random);
            assert!((9_000..=11_000).contains(&wait), "{wait}");
        }
    }

    /// The longest of many waits after failures.
    fn longest_wait(mut schedule: Schedule) -> u64 {
        let waits = (0..40).map(|_| schedule.after_failure(7 * 3_600_000 - 1));
        waits.inspect(|wait| assert!(*wait >= 1)).fold(0, u64::max)
    }

    #[test]
    fn failures_back_off_to_a_bound_and_a_success_resets_them() {
        let mut schedule = Schedule::new(10_000);
        let waits: alloc::vec::Vec<u64> = (0..40).map(|_| schedule.after_failure(u64::MAX)).collect();
        assert!(waits.iter().all(|wait| (5_000..85_000).contains(wait)), "{waits:?}");
        schedule.after_success(0);
        assert!(schedule.after_failure(u64::MAX) < 25_000);
    }

    #[test]
    fn back_off_is_bounded_by_periods_and_by_time() {
        // A multiple of all ceilings, so that the remainder is as long as it gets.
        assert_eq!(longest_wait(Schedule::new(1_500)), 750 + 8 * 1_500 - 1);
        assert_eq!(longest_wait(Schedule::new(3_600_000).with_retry(2_000)), 1_000 + LONGEST_RETRY - 1);
        assert_eq!(longest_wait(Schedule::new(3_600_000)), 1_800_000 + 3_600_000 - 1);
    }

    #[test]
    fn different_devices_spread_after_an_outage() {
        let waits: alloc::collections::BTreeSet<u64> = (0..100u64)
            .map(|device| {
                let mut schedule = Schedule::new(60_000);
                schedule.after_failure(device);
                schedule.after_failure(device.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            })
            .collect();
        assert!(waits.len() > 90, "{}", waits.len());
    }
}
