//! Dropped packets, and which of them speak against a device.

use std::net::IpAddr;

use mud::{Direction, Packet, PacketFields};
use store::Violation;
use trust::NetworkNeeds;

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

/// The packet that would have started the flow, if the report names one.
fn first_packet(violation: &Violation) -> Option<Packet> {
    let remote: IpAddr = violation.dst.parse().ok()?;
    let protocol = match violation.protocol.as_str() {
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        "ipv6-icmp" => 58,
        number => number.parse().ok()?,
    };
    Some(Packet {
        direction: Direction::FromDevice,
        remote,
        protocol,
        remote_port: violation.dport,
        device_port: violation.sport,
        icmp: None,
        tcp_flags: None,
        fields: PacketFields::default(),
    })
}
