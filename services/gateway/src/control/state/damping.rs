//! A device whose evidence is good and bad in turn is let go later each time, so that its rules do not follow every turn.

/// How often evidence cut a device lately, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Damping {
    /// Cuts without a long quiet time between them.
    cuts: u32,
    /// The last one, in seconds since 1970.
    last: i64,
}

impl Damping {
    /// Seconds without a cut after which the next one is as the first.
    pub(super) const FORGET: i64 = 1800;
    /// Longest wait, in seconds.
    pub(super) const LONGEST: i64 = 600;

    /// From the journal.
    pub(super) fn new(cuts: u32, last: i64) -> Self {
        Self { cuts, last }
    }

    /// For the journal.
    pub(super) fn parts(self) -> (u32, i64) {
        (self.cuts, self.last)
    }

    /// Good evidence was followed by evidence that is not.
    pub(super) fn cut(&mut self, at: i64) {
        let lately = at.saturating_sub(self.last) < Self::FORGET;
        self.cuts = if lately { self.cuts.saturating_add(1) } else { 1 };
        self.last = at;
    }

    /// Until when the device stays cut though its evidence is good again: not at all after the first time, so many seconds
    /// after the second, and twice as long after each further one.
    pub(super) fn until(self, second: i64) -> i64 {
        let doubled = self.cuts.checked_sub(2).map_or(0, |more| second.saturating_mul(1 << more.min(16)));
        self.last.saturating_add(doubled.min(Self::LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cut_ends_with_good_evidence_and_each_further_one_later() {
        let mut damping = Damping::default();
        assert_eq!(damping.until(15), 0);
        let waits: Vec<i64> = (1..=8)
            .map(|turn| {
                damping.cut(1000 * turn);
                damping.until(15) - 1000 * turn
            })
            .collect();
        assert_eq!(waits, [0, 15, 30, 60, 120, 240, 480, 600]);
        // A long quiet time makes it as new.
        damping.cut(8000 + Damping::FORGET);
        assert_eq!(damping.until(15), 8000 + Damping::FORGET);
        assert_eq!(Damping::new(damping.parts().0, damping.parts().1), damping);
    }

    #[test]
    fn a_clock_that_went_back_and_many_turns_overflow_nothing() {
        let mut damping = Damping::new(u32::MAX, i64::MAX - 1);
        damping.cut(i64::MIN);
        assert!(damping.until(15) <= i64::MIN + Damping::LONGEST);
        damping.cut(i64::MAX);
        assert_eq!(damping.until(15), i64::MAX);
    }
}
