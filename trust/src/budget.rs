use alloc::collections::VecDeque;

/// How many devices of one model may be cut by themselves within an hour: so that one bad file does not take down a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// So many, however small the fleet is.
    pub least: u32,
    /// So many of a hundred devices of the model, where that is more.
    pub percent: u8,
}

impl Cap {
    /// The cuts of a fleet of this size within an hour.
    pub fn of(self, devices: usize) -> usize {
        let share = devices.saturating_mul(usize::from(self.percent)) / 100;
        share.max(usize::try_from(self.least).unwrap_or(usize::MAX))
    }
}

impl Default for Cap {
    fn default() -> Self {
        Self { least: 5, percent: 10 }
    }
}

/// The automatic cuts of one model within the last hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// When each was, in seconds since 1970, in order.
    cuts: VecDeque<i64>,
}

impl Budget {
    /// The time over which cuts are counted, in seconds.
    pub const SPAN: i64 = 3600;

    /// A budget as it was written down: the times of its cuts.
    pub fn of(cuts: impl IntoIterator<Item = i64>) -> Self {
        let mut cuts: VecDeque<i64> = cuts.into_iter().collect();
        cuts.make_contiguous().sort_unstable();
        Self { cuts }
    }

    /// When its cuts were, in order.
    pub fn cuts(&self) -> impl Iterator<Item = i64> {
        self.cuts.iter().copied()
    }

    /// Whether one more may be cut now, which it then is. A clock that was set back makes nothing of it: cuts of a time to
    /// come count too.
    pub fn spend(&mut self, most: usize, now: i64) -> bool {
        self.forget(now);
        if self.cuts.len() >= most {
            return false;
        }
        let place = self.cuts.partition_point(|cut| *cut <= now);
        self.cuts.insert(place, now);
        true
    }

    /// Forgets cuts that count no more.
    pub fn forget(&mut self, now: i64) {
        let over = now.saturating_sub(Self::SPAN);
        while self.cuts.front().is_some_and(|cut| *cut <= over) {
            self.cuts.pop_front();
        }
    }

    /// Whether it has nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }
}
