//! Which device acts when: time is a number, so that tests have their own.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Devices in the order in which they are due. Each stands in it at most once: a device that acts is not in it.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Reverse<Entry>>,
}

/// When a device acts next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// In milliseconds.
    pub(crate) due: u64,
    /// Its number.
    pub(crate) device: u32,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This device is due.
    Act(Entry),
    /// Nothing before this time.
    Wait(u64),
    /// Nothing before somebody puts a device back.
    Empty,
}

impl Agenda {
    /// An agenda in which devices begin one after another, evenly within a span of milliseconds.
    pub(crate) fn spread(devices: u32, span: u64) -> Self {
        let begin = |device| Entry { due: u64::from(device) * span / u64::from(devices.max(1)), device };
        Self { heap: (0..devices).map(begin).map(Reverse).collect() }
    }

    /// Puts a device in that acts at a time.
    pub(crate) fn put(&mut self, due: u64, device: u32) {
        self.heap.push(Reverse(Entry { due, device }));
    }

    /// Takes the device out that has been due for longest.
    pub(crate) fn next(&mut self, now: u64) -> Next {
        match self.heap.peek() {
            None => Next::Empty,
            Some(Reverse(entry)) if entry.due > now => Next::Wait(entry.due),
            Some(_) => self.heap.pop().map_or(Next::Empty, |Reverse(entry)| Next::Act(entry)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who acts from one time to another, when each comes back after its own period.
    fn run(agenda: &mut Agenda, until: u64, period: impl Fn(u32) -> u64) -> Vec<(u64, u32)> {
        let (mut now, mut acted) = (0, Vec::new());
        loop {
            match agenda.next(now) {
                Next::Act(entry) => {
                    acted.push((now, entry.device));
                    agenda.put(now + period(entry.device), entry.device);
                }
                Next::Wait(due) if due < until => {
                    assert!(due > now, "time goes on");
                    now = due;
                }
                Next::Wait(_) | Next::Empty => return acted,
            }
        }
    }

    #[test]
    fn devices_begin_evenly_and_come_back_when_they_are_due() {
        let mut agenda = Agenda::spread(4, 100);
        let acted = run(&mut agenda, 101, |device| if device == 1 { 30 } else { 1000 });
        assert_eq!(acted, [(0, 0), (25, 1), (50, 2), (55, 1), (75, 3), (85, 1)]);
    }

    #[test]
    fn whoever_waited_longest_is_first_when_there_is_more_to_do_than_time() {
        let mut agenda = Agenda::spread(3, 30);
        assert_eq!(agenda.next(1000), Next::Act(Entry { due: 0, device: 0 }));
        agenda.put(500, 0);
        let mut order = Vec::new();
        while let Next::Act(entry) = agenda.next(1000) {
            order.push(entry.device);
        }
        assert_eq!(order, [1, 2, 0]);
    }

    #[test]
    fn ten_thousand_devices_act_as_often_as_their_periods_say() {
        let mut agenda = Agenda::spread(10_000, 60_000);
        let acted = run(&mut agenda, 600_000, |_| 60_000);
        assert_eq!(acted.len(), 100_000);
        assert!(acted.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn a_device_that_acts_is_not_in_the_agenda() {
        let mut agenda = Agenda::spread(1, 10);
        assert_eq!(agenda.next(0), Next::Act(Entry { due: 0, device: 0 }));
        assert_eq!(agenda.next(0), Next::Empty);
        agenda.put(7, 0);
        assert_eq!(agenda.next(0), Next::Wait(7));
    }
}
