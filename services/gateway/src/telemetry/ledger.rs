//! What devices did: their connections, added up by who began them and what was called.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use mud::Direction;

use crate::conntrack::Traffic;
use crate::{DeviceId, Entry};

/// Flows that count as one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKind {
    /// Whose.
    pub device: DeviceId,
    /// Who began them.
    pub direction: Direction,
    /// IP protocol number.
    pub protocol: u8,
    /// The other end.
    pub remote: IpAddr,
    /// Port of the end that was called; of ICMP 256 times the type and the code of the first message.
    pub port: u16,
}

/// What passed in the flows of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Flows that began.
    pub flows: u64,
    /// From the device.
    pub sent: Traffic,
    /// To the device.
    pub received: Traffic,
    /// When the first was seen, in milliseconds since 1970.
    pub first_ms: i64,
    /// When something was last seen of one.
    pub last_ms: i64,
}

/// Connections that live and records that nobody took yet. Both are bounded; what does not fit is counted.
#[derive(Debug, Default)]
pub struct Ledger {
    live: HashMap<u32, Live>,
    records: BTreeMap<FlowKind, Record>,
    overflow: u64,
    round: u64,
}

#[derive(Debug)]
struct Live {
    told: [Traffic; 2],
    round: u64,
}

impl Ledger {
    /// Connections that are followed while they live. Of others the whole counts when they end.
    pub const MAX_LIVE: usize = 65_536;
    /// Kinds that wait to be taken.
    pub const MAX_KINDS: usize = 16_384;

    /// Takes note of everything that is tracked now. `owner` says whose an address is.
    pub fn look(&mut self, entries: &[Entry], owner: impl Fn(IpAddr) -> Option<DeviceId>, now_ms: i64) {
        self.round += 1;
        for entry in entries {
            let known = entry.number.and_then(|number| self.live.get(&number)).map(|live| live.told);
            if known.is_none() && (entry.number.is_none() || self.live.len() >= Self::MAX_LIVE) {
                continue;
            }
            let whose = kinds(entry, &owner);
            if whose.iter().all(Option::is_none) {
                continue;
            }
            self.add(whose, entry, known, now_ms);
            if let Some(number) = entry.number {
                self.live.insert(number, Live { told: entry.traffic, round: self.round });
            }
        }
        // Of one that is gone the ending may be on its way to us; by the next look it was lost.
        let round = self.round;
        self.live.retain(|_, live| live.round + 1 >= round);
    }

    /// Takes note of a connection that ended.
    pub fn ended(&mut self, entry: &Entry, owner: impl Fn(IpAddr) -> Option<DeviceId>, now_ms: i64) {
        let known = entry.number.and_then(|number| self.live.remove(&number)).map(|live| live.told);
        self.add(kinds(entry, &owner), entry, known, now_ms);
    }

    /// What was recorded since the last call, and how many connections found no room.
    pub fn take(&mut self) -> (BTreeMap<FlowKind, Record>, u64) {
        (std::mem::take(&mut self.records), std::mem::take(&mut self.overflow))
    }

    fn add(&mut self, whose: [Option<FlowKind>; 2], entry: &Entry, known: Option<[Traffic; 2]>, now_ms: i64) {
        let [begun, answered] = entry.traffic;
        let [begun_before, answered_before] = known.unwrap_or_default();
        let (begun, answered) = (begun.since(begun_before), answered.since(answered_before));
        let nothing = Traffic::default();
        if known.is_some() && (begun, answered) == (nothing, nothing) {
            return;
        }
        for kind in whose.into_iter().flatten() {
            if self.records.len() >= Self::MAX_KINDS && !self.records.contains_key(&kind) {
                self.overflow += 1;
                continue;
            }
            let (sent, received) = match kind.direction {
                Direction::FromDevice => (begun, answered),
                Direction::ToDevice => (answered, begun),
            };
            let new = Record { first_ms: now_ms, ..Record::default() };
            let record = self.records.entry(kind).or_insert(new);
            record.flows += u64::from(known.is_none());
            record.sent = record.sent.and(sent);
            record.received = record.received.and(received);
            record.last_ms = now_ms;
        }
    }
}

/// The kinds that a connection counts to: of the device that began it, and of the one that was called.
fn kinds(entry: &Entry, owner: impl Fn(IpAddr) -> Option<DeviceId>) -> [Option<FlowKind>; 2] {
    let start = entry.start();
    let kind = |device: DeviceId, direction: Direction, remote: IpAddr| FlowKind {
        device,
        direction,
        protocol: start.protocol,
        remote,
        port: start.destination_port,
    };
    [
        owner(start.source).map(|device| kind(device, Direction::FromDevice, start.destination)),
        owner(start.destination).map(|device| kind(device, Direction::ToDevice, start.source)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Flow;

    const DEVICE: [u8; 4] = [10, 0, 0, 2];
    const OTHER: [u8; 4] = [10, 0, 0, 3];
    const HOST: [u8; 4] = [192, 0, 2, 1];

    fn id(byte: u8) -> DeviceId {
        DeviceId::new(&[byte]).unwrap()
    }

    fn owner(address: IpAddr) -> Option<DeviceId> {
        [(DEVICE, 1), (OTHER, 2)]
            .into_iter()
            .find(|(own, _)| address == IpAddr::from(*own))
            .map(|(_, byte)| id(byte))
    }

    fn entry(number: u32, (from, to): ([u8; 4], [u8; 4]), packets: u64) -> Entry {
        let flow = |source: [u8; 4], source_port, destination: [u8; 4], destination_port| Flow {
            source: source.into(),
            destination: destination.into(),
            protocol: 6,
            source_port,
            destination_port,
        };
        let traffic = Traffic { packets, octets: 100 * packets };
        let back = Traffic { packets: packets / 2, octets: 50 * packets };
        Entry::for_tests(
            flow(from, 50_000, to, 443),
            flow(to, 443, from, 50_000),
            [traffic, back],
            Some(number),
        )
    }

    fn taken(ledger: &mut Ledger) -> Vec<(u8, Direction, u64, u64, u64)> {
        let (records, overflow) = ledger.take();
        assert_eq!(overflow, 0);
        let told = records.into_iter().map(|(kind, record)| {
            (
                kind.device.as_bytes()[0],
                kind.direction,
                record.flows,
                record.sent.packets,
                record.received.packets,
            )
        });
        told.collect()
    }

    #[test]
    fn counts_each_flow_once_and_each_packet_once() {
        use Direction::{FromDevice, ToDevice};
        let mut ledger = Ledger::default();
        ledger.look(&[entry(7, (DEVICE, HOST), 10)], owner, 1000);
        assert_eq!(taken(&mut ledger), [(1, FromDevice, 1, 10, 5)]);
        ledger.look(&[entry(7, (DEVICE, HOST), 10)], owner, 2000);
        assert_eq!(taken(&mut ledger), [], "nothing new");
        ledger.look(&[entry(7, (DEVICE, HOST), 14)], owner, 3000);
        ledger.ended(&entry(7, (DEVICE, HOST), 20), owner, 4000);
        assert_eq!(taken(&mut ledger), [(1, FromDevice, 0, 10, 5)], "the flow was told before");

        // One that came and went between two looks, and one toward a device.
        ledger.ended(&entry(8, (DEVICE, HOST), 4), owner, 5000);
        ledger.ended(&entry(9, (HOST, DEVICE), 4), owner, 5000);
        assert_eq!(taken(&mut ledger), [(1, FromDevice, 1, 4, 2), (1, ToDevice, 1, 2, 4)]);
        // Between two devices it is a flow of both; of nobody's of none.
        ledger.ended(&entry(10, (DEVICE, OTHER), 4), owner, 6000);
        ledger.ended(&entry(11, (HOST, HOST), 4), owner, 6000);
        assert_eq!(taken(&mut ledger), [(1, FromDevice, 1, 4, 2), (2, ToDevice, 1, 2, 4)]);
    }

    #[test]
    fn a_lost_ending_is_forgotten_and_its_number_new_again() {
        let mut ledger = Ledger::default();
        ledger.look(&[entry(7, (DEVICE, HOST), 10)], owner, 1000);
        ledger.look(&[], owner, 2000);
        ledger.ended(&entry(7, (DEVICE, HOST), 12), owner, 3000);
        assert_eq!(taken(&mut ledger), [(1, Direction::FromDevice, 1, 12, 6)], "its ending came late");
        ledger.look(&[entry(7, (DEVICE, HOST), 10)], owner, 4000);
        ledger.look(&[], owner, 5000);
        ledger.look(&[], owner, 6000);
        ledger.ended(&entry(7, (DEVICE, HOST), 3), owner, 7000);
        assert_eq!(taken(&mut ledger), [(1, Direction::FromDevice, 2, 13, 6)]);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut ledger = Ledger::default();
        for number in 0..=Ledger::MAX_KINDS as u32 {
            let [_, b, c, d] = number.to_be_bytes();
            ledger.ended(&entry(number, (DEVICE, [99, b, c, d]), 1), owner, 1000);
        }
        let (records, overflow) = ledger.take();
        assert_eq!((records.len(), overflow), (Ledger::MAX_KINDS, 1));
    }
}
