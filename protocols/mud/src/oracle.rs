//! The verdict on one packet, computed from the policy object alone. It is what every rendering of a policy for a real
//! enforcer is tested against, and what a person asks before approving a file.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::address::{Family, IpPrefix};
use crate::model::{Direction, MacAddress};
use crate::policy::{Entry, ExtraMatch, Policy, Protocol, Remote, Verdict, protocols};

pub(crate) const SYN: u8 = 0x02;
/// FIN, SYN, RST and ACK: the flags that tell the first packet of a connection.
pub(crate) const STATE_FLAGS: u8 = 0x17;

/// A packet, seen from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Who sends it.
    pub direction: Direction,
    /// Address of the other end.
    pub remote: IpAddr,
    /// Protocol number, in IPv6 that of the upper layer.
    pub protocol: u8,
    /// Port of the other end, if the protocol has ports.
    pub remote_port: u16,
    /// Port of the device, if the protocol has ports.
    pub device_port: u16,
    /// ICMP type and code, if the protocol is ICMP.
    pub icmp: Option<(u8, u8)>,
    /// TCP flags, if the protocol is TCP. Without them the packet counts as a bare SYN.
    pub tcp_flags: Option<u8>,
    /// What is known of the rest.
    pub fields: PacketFields,
}

/// Header fields that few policies ask for. A condition on an unknown field fails an entry that accepts and holds for
/// one that does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketFields {
    /// Differentiated services code point.
    pub dscp: Option<u8>,
    /// Explicit congestion notification.
    pub ecn: Option<u8>,
    /// Time to live, hop limit.
    pub ttl: Option<u8>,
    /// Total length in IPv4, payload length in IPv6.
    pub length: Option<u16>,
    /// Flow label.
    pub flow_label: Option<u32>,
    /// MAC address of the other end.
    pub remote_mac: Option<MacAddress>,
}

/// What connection tracking says about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnState {
    /// First packet of a flow.
    New,
    /// Part of a flow that was permitted.
    Established,
    /// An error about a flow that was permitted.
    Related,
    /// Fits no flow.
    Invalid,
}

/// The verdict on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What happens to the packet.
    pub verdict: Verdict,
    /// Index of the entry that decided; of the one that lets the other end start, where that is the reason.
    pub entry: Option<usize>,
    /// Why.
    pub reason: Reason,
}

/// Why a packet passes or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An entry matches.
    Entry,
    /// It belongs to a flow that was permitted.
    State,
    /// It fits no flow.
    InvalidState,
    /// A TCP packet that belongs to no flow and opens none.
    NotAStart,
    /// No entry matches.
    NoMatch,
    /// No entry matches, but the other end may start such a flow.
    WrongInitiator,
}

/// Addresses that remotes stand for at one site, for one device. A remote that is not here has no members, and entries
/// about it match nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    sets: BTreeMap<Remote, Vec<IpPrefix>>,
}

impl Resolved {
    /// Adds members to a remote.
    pub fn insert(&mut self, remote: Remote, members: impl IntoIterator<Item = IpPrefix>) {
        let set = self.sets.entry(remote).or_default();
        set.extend(members);
        set.sort_unstable();
        set.dedup();
    }

    /// Members of a remote. [`Remote::Any`] and [`Remote::Prefix`] speak for themselves and have none here.
    pub fn members(&self, remote: &Remote) -> &[IpPrefix] {
        self.sets.get(remote).map(Vec::as_slice).unwrap_or_default()
    }

    /// True when the address is one of the remote's.
    pub fn contains(&self, remote: &Remote, address: IpAddr) -> bool {
        match remote {
            Remote::Any => true,
            Remote::Prefix(prefix) => prefix.contains(address),
            _ => self.members(remote).iter().any(|prefix| prefix.contains(address)),
        }
    }

    /// Remotes of a policy that have no members: what an operator still has to fill in.
    pub fn unfilled<'p>(&self, policy: &'p Policy) -> impl Iterator<Item = &'p Remote> {
        policy.remotes().filter(|remote| {
            !matches!(remote, Remote::Any | Remote::Prefix(_)) && self.members(remote).is_empty()
        })
    }
}

/// The verdict of a policy on a packet. What every network has to let through for IP to work at all (ARP, neighbour
/// discovery, DHCP) is no matter of a MUD policy and not judged here.
pub fn oracle(policy: &Policy, resolved: &Resolved, packet: &Packet, state: ConnState) -> Decision {
    let decided = |verdict, reason| Decision { verdict, entry: None, reason };
    match state {
        ConnState::Established | ConnState::Related => return decided(Verdict::Accept, Reason::State),
        ConnState::Invalid => return decided(Verdict::Drop, Reason::InvalidState),
        ConnState::New => {}
    }
    if packet.protocol == protocols::TCP && packet.tcp_flags.is_some_and(|flags| flags & STATE_FLAGS != SYN) {
        return decided(Verdict::Drop, Reason::NotAStart);
    }
    if let Some((index, entry)) = first_match(policy, resolved, packet) {
        return Decision { verdict: entry.verdict, entry: Some(index), reason: Reason::Entry };
    }
    let mirrored = Packet { direction: packet.direction.opposite(), ..*packet };
    match first_match(policy, resolved, &mirrored) {
        Some((index, entry)) if packet.protocol == protocols::TCP && entry.verdict == Verdict::Accept => {
            Decision { verdict: Verdict::Drop, entry: Some(index), reason: Reason::WrongInitiator }
        }
        _ => decided(Verdict::Drop, Reason::NoMatch),
    }
}

/// A device with a policy, as one end of a flow.
#[derive(Clone, Copy, Debug)]
pub struct End<'e> {
    /// Its policy.
    pub policy: &'e Policy,
    /// What the remotes of the policy stand for.
    pub resolved: &'e Resolved,
    /// Its address.
    pub address: IpAddr,
}

/// The verdicts of both ends on a packet from one device with a policy to another: it passes only if both accept. The
/// packet is as the sender sees it; who sends it and to whom is taken from the ends.
pub fn oracle_between(
    sender: End<'_>,
    receiver: End<'_>,
    packet: &Packet,
    state: ConnState,
) -> [Decision; 2] {
    let out = Packet { direction: Direction::FromDevice, remote: receiver.address, ..*packet };
    let inward = Packet {
        direction: Direction::ToDevice,
        remote: sender.address,
        remote_port: out.device_port,
        device_port: out.remote_port,
        // The other end of the receiver is another machine.
        fields: PacketFields { remote_mac: None, ..out.fields },
        ..out
    };
    [
        oracle(sender.policy, sender.resolved, &out, state),
        oracle(receiver.policy, receiver.resolved, &inward, state),
    ]
}

/// The accepting entry that comes closest to a packet which none matches, for people who wonder why: of the packet's
/// direction, with the fewest differences, and none when all of it differs.
pub fn nearest(policy: &Policy, resolved: &Resolved, packet: &Packet) -> Option<NearMiss> {
    let candidates = policy
        .entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.verdict == Verdict::Accept && entry.direction == packet.direction);
    let compared = candidates
        .map(|(entry, candidate)| NearMiss { entry, differences: differences(candidate, resolved, packet) });
    compared.filter(|miss| miss.differences.len() < MAX_DIFFERENCES).min_by_key(|miss| miss.differences.len())
}

/// An entry that nearly matches a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// Its index.
    pub entry: usize,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// A part of an entry that a packet does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The address is of the other family.
    Family,
    /// The address is none of the remote's.
    Remote,
    /// The protocol, or the type of the ICMP message.
    Protocol,
    /// The port of the other end.
    RemotePort,
    /// The port of the device.
    DevicePort,
    /// A further condition.
    Condition,
}

impl Difference {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Family => "family",
            Self::Remote => "remote",
            Self::Protocol => "protocol",
            Self::RemotePort => "remote port",
            Self::DevicePort => "device port",
            Self::Condition => "condition",
        }
    }
}

/// An entry that differs in so much has nothing to do with the packet.
const MAX_DIFFERENCES: usize = 3;

fn differences(entry: &Entry, resolved: &Resolved, packet: &Packet) -> Vec<Difference> {
    [
        (Difference::Family, entry.family == Family::of(packet.remote)),
        (Difference::Remote, resolved.contains(&entry.remote, packet.remote)),
        (Difference::Protocol, protocol_matches(entry, packet)),
        (Difference::RemotePort, entry.remote_ports.contains(packet.remote_port)),
        (Difference::DevicePort, entry.device_ports.contains(packet.device_port)),
        (Difference::Condition, entry.extra.is_none_or(|extra| extra_matches(extra, entry.verdict, packet))),
    ]
    .into_iter()
    .filter_map(|(difference, holds)| (!holds).then_some(difference))
    .collect()
}

fn first_match<'p>(policy: &'p Policy, resolved: &Resolved, packet: &Packet) -> Option<(usize, &'p Entry)> {
    policy.entries.iter().enumerate().find(|(_, entry)| matches(entry, resolved, packet))
}

fn matches(entry: &Entry, resolved: &Resolved, packet: &Packet) -> bool {
    entry.direction == packet.direction
        && entry.family == Family::of(packet.remote)
        && protocol_matches(entry, packet)
        && entry.remote_ports.contains(packet.remote_port)
        && entry.device_ports.contains(packet.device_port)
        && resolved.contains(&entry.remote, packet.remote)
        && entry.extra.is_none_or(|extra| extra_matches(extra, entry.verdict, packet))
}

fn protocol_matches(entry: &Entry, packet: &Packet) -> bool {
    match entry.protocol.number(entry.family) {
        None => return true,
        Some(number) if number != packet.protocol => return false,
        Some(_) => {}
    }
    let Protocol::Icmp { icmp_type, code } = entry.protocol else { return true };
    let known = |wanted: Option<u8>, found: Option<u8>| wanted.is_none_or(|wanted| found == Some(wanted));
    known(icmp_type, packet.icmp.map(|(t, _)| t)) && known(code, packet.icmp.map(|(_, c)| c))
}

fn extra_matches(extra: ExtraMatch, verdict: Verdict, packet: &Packet) -> bool {
    /// An unknown field fails an accept and satisfies a drop: whichever lets less through.
    fn holds<T: PartialEq>(wanted: Option<T>, found: Option<T>, unknown: bool) -> bool {
        match (wanted, found) {
            (None, _) => true,
            (Some(_), None) => unknown,
            (Some(wanted), Some(found)) => wanted == found,
        }
    }
    let unknown = verdict != Verdict::Accept;
    let fields = &packet.fields;
    let flags = match (extra.tcp_flags, packet.tcp_flags) {
        (Some(wanted), Some(found)) => found & wanted == wanted,
        (wanted, found) => holds(wanted, found, unknown),
    };
    flags
        && holds(extra.dscp, fields.dscp, unknown)
        && holds(extra.ecn, fields.ecn, unknown)
        && holds(extra.ttl, fields.ttl, unknown)
        && holds(extra.length, fields.length, unknown)
        && holds(extra.flow_label, fields.flow_label, unknown)
        && holds(extra.remote_mac, fields.remote_mac, unknown)
}
