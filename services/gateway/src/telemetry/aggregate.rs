//! One report at once for the first packet of a kind and for the first after a silence, else one a minute with the count.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Log;
use crate::{Event, Mac, Violation, ViolationKind};

/// Violations by (device, remote, protocol, port). Bounded; what does not fit is counted.
#[derive(Debug, Default)]
pub struct Aggregate {
    kinds: HashMap<Key, Seen>,
    overflow: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    kind: ViolationKind,
    /// Of packets that may be anybody's, whose frames they were in.
    mac: Option<Mac>,
    local: IpAddr,
    remote: IpAddr,
    protocol: u8,
    port: u16,
}

#[derive(Debug)]
struct Seen {
    log: Log,
    /// When it was last told.
    since: Instant,
    /// When it last happened.
    last: Instant,
    /// How often since it was told.
    count: u64,
}

impl Aggregate {
    /// How long counts are gathered before they are told.
    pub const PERIOD: Duration = Duration::from_secs(60);
    /// After this much silence a kind is news again: somebody tries anew, and whoever watches must see it now.
    pub const SILENCE: Duration = Duration::from_secs(2);
    /// Kinds kept at a time.
    pub const CAPACITY: usize = 4096;

    /// Takes one logged packet; gives the report if it is news. Whose it is, is left open.
    pub fn observe(&mut self, log: Log, now: Instant) -> Option<Violation> {
        let full = self.kinds.len() >= Self::CAPACITY;
        match self.kinds.entry(key(&log)) {
            Entry::Occupied(mut place) => {
                let seen = place.get_mut();
                seen.count += 1;
                let silence = now.saturating_duration_since(std::mem::replace(&mut seen.last, now));
                if silence < Self::SILENCE {
                    return None;
                }
                let told = std::mem::replace(&mut seen.since, now);
                seen.log = log;
                Some(report(&seen.log, std::mem::take(&mut seen.count), now.saturating_duration_since(told)))
            }
            Entry::Vacant(_) if full => {
                self.overflow += 1;
                None
            }
            Entry::Vacant(place) => {
                let seen = place.insert(Seen { log, since: now, last: now, count: 0 });
                Some(report(&seen.log, 1, Duration::ZERO))
            }
        }
    }

    /// Packets were lost before they reached us.
    pub fn lost(&mut self) {
        self.overflow += 1;
    }

    /// Reports of kinds whose period is over. A kind that was quiet is forgotten, and is news when it returns.
    pub fn tick(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        self.kinds.retain(|_, seen| {
            let over = now.saturating_duration_since(seen.since);
            if over < Self::PERIOD {
                return true;
            }
            if seen.count == 0 {
                return false;
            }
            events.push(Event::Violation(report(&seen.log, seen.count, over)));
            seen.count = 0;
            seen.since = now;
            true
        });
        if self.overflow > 0 {
            events.push(Event::Overflow { packets: std::mem::take(&mut self.overflow) });
        }
        events
    }
}

fn key(log: &Log) -> Key {
    let flow = log.flow;
    let (local, remote) = match log.kind {
        ViolationKind::ToDevice => (flow.destination, flow.source),
        _ => (flow.source, flow.destination),
    };
    let mac = log.mac.filter(|_| log.kind == ViolationKind::UnknownDevice);
    Key { kind: log.kind, mac, local, remote, protocol: flow.protocol, port: flow.destination_port }
}

fn report(log: &Log, count: u64, over: Duration) -> Violation {
    let Log { kind, policy, mac, flow } = log.clone();
    Violation { kind, device: None, policy, mac, flow, imitated: None, mirrored: false, count, over }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Flow;

    fn log(source: [u8; 4], port: u16) -> Log {
        let flow = Flow {
            source: source.into(),
            destination: [192, 0, 2, 1].into(),
            protocol: 6,
            source_port: port.wrapping_mul(7),
            destination_port: port,
        };
        Log { kind: ViolationKind::FromDevice, policy: None, mac: None, flow }
    }

    #[test]
    fn tells_the_first_at_once_and_the_rest_once_a_minute() {
        let mut aggregate = Aggregate::default();
        let start = Instant::now();
        let first = aggregate.observe(log([10, 0, 0, 2], 23), start).unwrap();
        assert_eq!((first.count, first.over), (1, Duration::ZERO));
        for _ in 0..5 {
            assert_eq!(aggregate.observe(log([10, 0, 0, 2], 23), start), None);
        }
        assert!(aggregate.observe(log([10, 0, 0, 2], 24), start).is_some(), "another port is another kind");
        assert!(aggregate.observe(log([10, 0, 0, 3], 23), start).is_some(), "another device is another kind");

        assert_eq!(aggregate.tick(start + Aggregate::PERIOD / 2), []);
        let events = aggregate.tick(start + Aggregate::PERIOD);
        let [Event::Violation(violation)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((violation.count, violation.over), (5, Aggregate::PERIOD));

        assert_eq!(aggregate.tick(start + Aggregate::PERIOD * 2), [], "a quiet minute is not told");
        assert!(aggregate.observe(log([10, 0, 0, 2], 23), start + Aggregate::PERIOD * 2).is_some());
    }

    #[test]
    fn tells_a_new_try_after_a_silence_at_once_and_misses_no_packet() {
        let mut aggregate = Aggregate::default();
        let start = Instant::now();
        let mut told = u64::from(aggregate.observe(log([10, 0, 0, 2], 23), start).is_some());
        // Never silent for long enough: gathered.
        for try_at in 1..=3u64 {
            let now = start + Aggregate::SILENCE * try_at as u32 - Duration::from_millis(try_at);
            assert_eq!(aggregate.observe(log([10, 0, 0, 2], 23), now), None, "try {try_at}");
        }
        let again = start + Aggregate::SILENCE * 4;
        let mut late = log([10, 0, 0, 2], 23);
        late.flow.source_port = 999;
        let report = aggregate.observe(late, again).unwrap();
        assert_eq!((report.count, report.over, report.flow.source_port), (4, again - start, 999));
        told += report.count;
        assert_eq!(told, 5);
        assert_eq!(aggregate.tick(again + Aggregate::PERIOD), [], "nothing is left to tell");
    }

    #[test]
    fn counts_what_does_not_fit() {
        let mut aggregate = Aggregate::default();
        let start = Instant::now();
        for port in 0..Aggregate::CAPACITY as u16 {
            assert!(aggregate.observe(log([10, 0, 0, 2], port), start).is_some());
        }
        assert_eq!(aggregate.observe(log([10, 0, 0, 3], 1), start), None);
        assert_eq!(aggregate.tick(start), [Event::Overflow { packets: 1 }]);
    }
}
