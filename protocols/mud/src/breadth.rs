//! How broad a policy is, as one number that a site can set a threshold on (threat N4).

use alloc::collections::BTreeMap;

use crate::address::Family;
use crate::model::Direction;
use crate::policy::{Entry, Policy, Protocol, Remote, Verdict};
use crate::ports::Ports;

/// A broader policy waits for a person's approval by default.
pub const APPROVAL_BREADTH: u8 = 60;

/// Points for the remote: from a known host up to the whole Internet.
const REMOTE_POINTS: u32 = 60;
/// Points for the neighbourhood.
const LOCAL_POINTS: u32 = 25;
/// Points for a class that devices join by themselves.
const CLASS_POINTS: u32 = 15;
/// Points for hosts that someone named.
const NAMED_POINTS: u32 = 5;
/// Points for the ports the flow may go to.
const PORT_POINTS: u32 = 25;
/// Points for a protocol that is left open.
const PROTOCOL_POINTS: u32 = 10;
/// Points for flows that start outside.
const INBOUND_POINTS: u32 = 5;

/// Breadth of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breadth {
    /// From 0, nothing is permitted, to 100, everything is.
    pub score: u8,
    /// The broadest entry.
    pub entry: Option<usize>,
}

impl Breadth {
    /// True when the policy should wait for a person.
    pub fn needs_approval(self) -> bool {
        self.score >= APPROVAL_BREADTH
    }
}

impl Policy {
    /// Breadth of the broadest entry. Prefixes with the same ports count together, so that a network cut into pieces is
    /// as broad as the network.
    pub fn breadth(&self) -> Breadth {
        let accepts =
            || self.entries.iter().enumerate().filter(|(_, entry)| entry.verdict == Verdict::Accept);
        let mut nets: BTreeMap<(Direction, Family, Protocol, &Ports), u128> = BTreeMap::new();
        for (_, entry) in accepts() {
            if let Remote::Prefix(prefix) = &entry.remote
                && !prefix.is_group()
            {
                let free = u32::from(entry.family.bits() - prefix.length());
                let addresses = 1_u128.checked_shl(free).unwrap_or(u128::MAX);
                let sum = nets.entry(net_key(entry)).or_default();
                *sum = sum.saturating_add(addresses);
            }
        }
        let mut breadth = Breadth::default();
        for (index, entry) in accepts() {
            let addresses = nets.get(&net_key(entry)).copied().unwrap_or_default();
            let score = score(entry, addresses);
            if breadth.entry.is_none() || score > breadth.score {
                breadth = Breadth { score, entry: Some(index) };
            }
        }
        breadth
    }
}

fn net_key(entry: &Entry) -> (Direction, Family, Protocol, &Ports) {
    (entry.direction, entry.family, entry.protocol, open_ports(entry))
}

/// The ports that an entry opens: those of the end that is called.
fn open_ports(entry: &Entry) -> &Ports {
    match entry.direction {
        Direction::FromDevice => &entry.remote_ports,
        Direction::ToDevice => &entry.device_ports,
    }
}

fn score(entry: &Entry, addresses: u128) -> u8 {
    let bits = u32::from(entry.family.bits());
    let remote = match &entry.remote {
        Remote::Any => REMOTE_POINTS,
        // Multicast stays near, however many groups there are.
        Remote::Prefix(prefix) if prefix.is_group() => LOCAL_POINTS,
        Remote::Prefix(_) => REMOTE_POINTS * addresses.checked_ilog2().unwrap_or_default().min(bits) / bits,
        Remote::LocalNetworks => LOCAL_POINTS,
        Remote::Manufacturer(_) | Remote::SameManufacturer | Remote::Model(_) => CLASS_POINTS,
        Remote::Name(_) | Remote::Controller(_) | Remote::MyController => NAMED_POINTS,
    };
    let ports = match entry.protocol {
        Protocol::Icmp { .. } | Protocol::Other(_) => 0,
        Protocol::Any | Protocol::Tcp | Protocol::Udp => {
            PORT_POINTS * open_ports(entry).count().ilog2() / u16::BITS
        }
    };
    let protocol = if entry.protocol == Protocol::Any { PROTOCOL_POINTS } else { 0 };
    let inbound = if entry.direction == Direction::ToDevice { INBOUND_POINTS } else { 0 };
    u8::try_from(remote + ports + protocol + inbound).unwrap_or(u8::MAX)
}
