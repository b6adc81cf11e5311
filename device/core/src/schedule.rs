/// The longest period, in milliseconds: a day.
const LONGEST_PERIOD: u64 = 86_400_000;
/// The longest back-off, in milliseconds, where the period is not longer: a server that is back must not wait for its
/// devices.
const LONGEST_RETRY: u64 = 900_000;

/// When to poll next: a period with jitter, and exponential back-off with full jitter after failures, so that a fleet
/// that lost its server together does not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    period: u64,
    failures: u32,
}

impl Schedule {
    /// A schedule with a period in milliseconds.
    pub fn new(period: u64) -> Self {
        Self { period: period.clamp(1, LONGEST_PERIOD), failures: 0 }
    }

    /// The server asked for another period, in milliseconds.
    pub fn set_period(&mut self, period: u64) {
        self.period = period.clamp(1, LONGEST_PERIOD);
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
        let ceiling =
            self.period.saturating_mul(1 << self.failures.min(16)).min(LONGEST_RETRY.max(self.period));
        // Never less than half a period: jitter must not become a flood.
        self.period / 2 + random % ceiling.max(1)
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

    #[test]
    fn failures_back_off_to_a_bound_and_a_success_resets_them() {
        let mut schedule = Schedule::new(10_000);
        let mut ceiling = 0;
        for _ in 0..40 {
            let wait = schedule.after_failure(u64::MAX);
            assert!((5_000..=LONGEST_RETRY + 5_000).contains(&wait), "{wait}");
            ceiling = ceiling.max(wait);
        }
        assert!(ceiling > 500_000);
        schedule.after_success(0);
        assert!(schedule.after_failure(u64::MAX) <= 25_000);
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
