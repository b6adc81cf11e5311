//! Dropped packets, and which of them speak against a device.

use std::net::IpAddr;

use api::Why;
use mud::{Difference, Direction, Entry, Packet, PacketFields, Verdict};
use store::{DeviceFlow, Violation};
use trust::{Explained, NetworkNeeds};

/// How gateways write the direction of packets that a device sent.
const FROM_DEVICE: &str = "from-device";

/// The class of packets with the address or the MAC of a device that is not bound to the pair.
pub(crate) const SPOOFED: &str = "spoofed-binding";

/// Whether packets were dropped because the device went where its release never asked to.
///
/// What the release declares may be dropped too: while the device has not yet attested it, or by an override. And what
/// others send to a device is not its doing. What passed because it is only observed was not dropped.
pub(crate) fn is_forbidden(violation: &Violation, needs: Option<&NetworkNeeds>) -> bool {
    violation.direction == FROM_DEVICE
        && violation.group != api::Violation::OBSERVED
        // What its release does declare, with another handshake.
        && (violation.group == api::Violation::HANDSHAKE || !needs
            .zip(first_packet(violation))
            .is_some_and(|(needs, packet)| needs.declare(&packet, violation.name.as_deref())))
}

/// What the file of the release says of dropped packets.
pub(crate) fn why(violation: &Violation, needs: &NetworkNeeds) -> Option<Why> {
    let packet = first_packet(violation)?;
    if violation.group == api::Violation::HANDSHAKE {
        let (says, acl, ace, differs) = ("tls-profile".to_owned(), None, None, Vec::new());
        return Some(Why { says, acl, ace, differs });
    }
    Some(explained(&packet, violation.name.as_deref(), needs))
}

/// What the file of the release says of flows that a device had.
pub(crate) fn why_open(flow: &DeviceFlow, needs: &NetworkNeeds) -> Option<Why> {
    Some(explained(&start_of(flow)?, flow.name.as_deref(), needs))
}

/// The packet that started flows of this kind, from a port that only those files tell apart which name ports of both ends.
pub(crate) fn start_of(flow: &DeviceFlow) -> Option<Packet> {
    let from_device = flow.direction == FROM_DEVICE;
    let protocol = protocol(&flow.protocol)?;
    let icmp = matches!(protocol, ICMP | ICMPV6).then(|| {
        let [icmp_type, code] = flow.port.to_be_bytes();
        (icmp_type, code)
    });
    let called = if icmp.is_some() { 0 } else { flow.port };
    let caller = if icmp.is_some() { 0 } else { EPHEMERAL };
    Some(Packet {
        direction: if from_device { Direction::FromDevice } else { Direction::ToDevice },
        remote: flow.remote.parse().ok()?,
        protocol,
        remote_port: if from_device { called } else { caller },
        device_port: if from_device { caller } else { called },
        icmp,
        tcp_flags: None,
        fields: PacketFields::default(),
    })
}

fn explained(packet: &Packet, name: Option<&str>, needs: &NetworkNeeds) -> Why {
    let told = |says: &str, entry: Option<&Entry>, differs: Vec<Difference>| Why {
        says: says.to_owned(),
        acl: entry.map(|entry| entry.ace.acl.clone()),
        ace: entry.map(|entry| entry.ace.ace.clone()),
        differs: differs.into_iter().map(|difference| difference.name().to_owned()).collect(),
    };
    match needs.explain(packet, name) {
        Explained::Entry(entry) if entry.verdict == Verdict::Accept => {
            told("declared", Some(entry), Vec::new())
        }
        Explained::Entry(entry) => told("denied", Some(entry), Vec::new()),
        Explained::OtherEndStarts(entry) => told("wrong-initiator", Some(entry), Vec::new()),
        Explained::NoEntry(Some((entry, differs))) => told("no-entry", Some(entry), differs),
        Explained::NoEntry(None) => told("no-entry", None, Vec::new()),
    }
}

/// The packet that would have started the flow, if the report names one.
fn first_packet(violation: &Violation) -> Option<Packet> {
    let from_device = violation.direction == FROM_DEVICE;
    let (source, destination) = ((&violation.src, violation.sport), (&violation.dst, violation.dport));
    let (direction, device, far) = if from_device {
        (Direction::FromDevice, source, destination)
    } else {
        (Direction::ToDevice, destination, source)
    };
    let remote: IpAddr = far.0.parse().ok()?;
    Some(Packet {
        direction,
        remote,
        protocol: protocol(&violation.protocol)?,
        remote_port: far.1,
        device_port: device.1,
        icmp: None,
        tcp_flags: None,
        fields: PacketFields::default(),
    })
}

/// The number of a protocol as gateways write it.
fn protocol(text: &str) -> Option<u8> {
    Some(match text {
        "icmp" => ICMP,
        "tcp" => 6,
        "udp" => 17,
        "ipv6-icmp" => ICMPV6,
        number => number.parse().ok()?,
    })
}

// IP protocol numbers (IANA).
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// A port as callers have (RFC 6335, section 6).
const EPHEMERAL: u16 = 49_152;
