//! Dropped packets, and which of them speak against a device.

use std::net::IpAddr;

use api::Why;
use mud::{Difference, Direction, Entry, Packet, PacketFields, Verdict};
use store::Violation;
use trust::{Explained, NetworkNeeds};

/// How gateways write the direction of packets that a device sent.
const FROM_DEVICE: &str = "from-device";

/// Whether packets were dropped because the device went where its release never asked to.
///
/// What the release declares may be dropped too: while the device has not yet attested it, or by an override. And what
/// others send to a device is not its doing.
pub(crate) fn is_forbidden(violation: &Violation, needs: Option<&NetworkNeeds>) -> bool {
    violation.direction == FROM_DEVICE
        && !needs
            .zip(first_packet(violation))
            .is_some_and(|(needs, packet)| needs.declare(&packet, violation.name.as_deref()))
}

/// What the file of the release says of dropped packets.
pub(crate) fn why(violation: &Violation, needs: &NetworkNeeds) -> Option<Why> {
    let packet = first_packet(violation)?;
    let told = |says: &str, entry: Option<&Entry>, differs: Vec<Difference>| Why {
        says: says.to_owned(),
        acl: entry.map(|entry| entry.ace.acl.clone()),
        ace: entry.map(|entry| entry.ace.ace.clone()),
        differs: differs.into_iter().map(|difference| difference.name().to_owned()).collect(),
    };
    Some(match needs.explain(&packet, violation.name.as_deref()) {
        Explained::Entry(entry) if entry.verdict == Verdict::Accept => {
            told("declared", Some(entry), Vec::new())
        }
        Explained::Entry(entry) => told("denied", Some(entry), Vec::new()),
        Explained::OtherEndStarts(entry) => told("wrong-initiator", Some(entry), Vec::new()),
        Explained::NoEntry(Some((entry, differs))) => told("no-entry", Some(entry), differs),
        Explained::NoEntry(None) => told("no-entry", None, Vec::new()),
    })
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
    let protocol = match violation.protocol.as_str() {
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        "ipv6-icmp" => 58,
        number => number.parse().ok()?,
    };
    Some(Packet {
        direction,
        remote,
        protocol,
        remote_port: far.1,
        device_port: device.1,
        icmp: None,
        tcp_flags: None,
        fields: PacketFields::default(),
    })
}
