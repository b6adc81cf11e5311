//! The little that is read of a dropped packet: its addresses and ports.

use std::net::IpAddr;

use crate::Flow;

/// Reads the first bytes of an IPv4 or IPv6 packet. Nothing, if it is neither or is cut too short.
pub fn read_flow(packet: &[u8]) -> Option<Flow> {
    read_transport(packet).map(|(flow, _)| flow)
}

/// The same, and the header and contents of the transport protocol where they begin in this packet.
pub(crate) fn read_transport(packet: &[u8]) -> Option<(Flow, Option<&[u8]>)> {
    match packet.first()? >> 4 {
        4 => read_v4(packet),
        6 => read_v6(packet),
        _ => None,
    }
}

fn read_v4(packet: &[u8]) -> Option<(Flow, Option<&[u8]>)> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    if header < V4_HEADER {
        return None;
    }
    let protocol = *packet.get(9)?;
    // Only a first fragment has ports.
    let offset = u16::from_be_bytes(*packet.get(6..)?.first_chunk()?) & 0x1fff;
    let transport = if offset == 0 { packet.get(header..) } else { None };
    let address = |at: usize| Some(IpAddr::from(*packet.get(at..)?.first_chunk::<4>()?));
    Some((flow(address(12)?, address(16)?, protocol, transport), transport))
}

fn read_v6(packet: &[u8]) -> Option<(Flow, Option<&[u8]>)> {
    let address = |at: usize| Some(IpAddr::from(*packet.get(at..)?.first_chunk::<16>()?));
    let (source, destination) = (address(8)?, address(24)?);
    let mut next = *packet.get(6)?;
    let mut rest = packet.get(V6_HEADER..);
    for _ in 0..MAX_EXTENSIONS {
        let (Some(bytes), HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION) = (rest, next) else { break };
        let (Some(&following), Some(&length)) = (bytes.first(), bytes.get(1)) else {
            rest = None;
            break;
        };
        let later = bytes.get(2..4).is_some_and(|field| field != [0, 0] && field != [0, 1]);
        rest = match next {
            FRAGMENT if later => None,
            FRAGMENT => bytes.get(8..),
            _ => bytes.get(8 + usize::from(length) * 8..),
        };
        next = following;
    }
    Some((flow(source, destination, next, rest), rest))
}

fn flow(source: IpAddr, destination: IpAddr, protocol: u8, transport: Option<&[u8]>) -> Flow {
    let pair = |at: usize| {
        let bytes = transport.and_then(|bytes| bytes.get(at..)).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u16::from_be_bytes(*bytes))
    };
    let (source_port, destination_port) = match protocol {
        ICMP | ICMP6 => (0, pair(0)),
        TCP | UDP => (pair(0), pair(2)),
        _ => (0, 0),
    };
    Flow { source, destination, protocol, source_port, destination_port }
}

const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
/// Extension headers looked through (RFC 8200, section 4.1 lists fewer).
const MAX_EXTENSIONS: usize = 8;

// IP protocol numbers (IANA).
const HOP_BY_HOP: u8 = 0;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const ICMP6: u8 = 58;
const DESTINATION: u8 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    const V4_UDP: &str = "
        45 00 00 20 00 01 00 00 40 11 00 00   # version, length, id, fragment, ttl, udp
        0a 00 00 02 c0 00 02 01               # 10.0.0.2 -> 192.0.2.1
        30 39 00 35 00 0c 00 00               # 12345 -> 53";
    const V6_TCP: &str = "
        60 00 00 00 00 1c 00 40               # next header: hop-by-hop
        20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02
        20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01
        06 00 00 00 00 00 00 00               # hop-by-hop, then tcp
        c0 00 01 bb 00 00 00 00 00 00 00 00 50 02 00 00 00 00 00 00";

    #[test]
    fn reads_addresses_and_ports() {
        let flow = read_flow(&testkit::hex(V4_UDP)).unwrap();
        assert_eq!(
            flow,
            Flow {
                source: [10, 0, 0, 2].into(),
                destination: [192, 0, 2, 1].into(),
                protocol: 17,
                source_port: 12345,
                destination_port: 53
            }
        );
        let flow = read_flow(&testkit::hex(V6_TCP)).unwrap();
        assert_eq!(
            flow,
            Flow {
                source: "2001:db8::2".parse().unwrap(),
                destination: "2001:db8::1".parse().unwrap(),
                protocol: 6,
                source_port: 49152,
                destination_port: 443
            }
        );
    }

    #[test]
    fn later_fragments_have_no_ports() {
        let mut packet = testkit::hex(V4_UDP);
        packet[7] = 1;
        let flow = read_flow(&packet).unwrap();
        assert_eq!((flow.source_port, flow.destination_port), (0, 0));
    }

    #[test]
    fn survives_every_cut_and_every_byte() {
        for text in [V4_UDP, V6_TCP] {
            let packet = testkit::hex(text);
            for end in 0..packet.len() {
                let _read = read_flow(&packet[..end]);
                for value in 0..=255 {
                    let mut changed = packet.clone();
                    changed[end] = value;
                    let _read = read_flow(&changed);
                }
            }
        }
        assert_eq!(read_flow(&[]), None);
        assert_eq!(read_flow(&[0x45; 19]), None);
        assert_eq!(read_flow(&[0x41; 40]), None);
    }
}
