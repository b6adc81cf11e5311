//! Frames: which of the messages that we read is in one, if any.

use std::net::Ipv6Addr;

use super::options::field;
use super::{Dhcp4, Dhcp6, Lldp, Neighbour};
use crate::Mac;

/// An Ethernet frame. Frames with tags are another link's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'f> {
    /// Who sent it; all zero where that is not known.
    pub source: Mac,
    /// What is in it.
    pub ethertype: u16,
    /// What follows the head.
    pub payload: &'f [u8],
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'f> {
    /// A message of DHCP for IPv4.
    Dhcp4(Dhcp4<'f>),
    /// A message of DHCP for IPv6.
    Dhcp6(Dhcp6<'f>),
    /// A frame of LLDP.
    Lldp(Lldp<'f>),
    /// A claim to an address.
    Neighbour(Neighbour),
}

impl<'f> Frame<'f> {
    /// Reads a frame with its head.
    pub fn decode(bytes: &'f [u8]) -> Option<Self> {
        let source = Mac(field(bytes, 6)?);
        let ethertype = u16::from_be_bytes(field(bytes, 12)?);
        Some(Self { source, ethertype, payload: bytes.get(14..)? })
    }

    /// What it says, if that is whole and of a sort that we read.
    pub fn said(&self) -> Option<Said<'f>> {
        match self.ethertype {
            IPV4 => self.said_over_v4(),
            IPV6 => self.said_over_v6(),
            ARP => Neighbour::of_arp(self.payload, self.source).map(Said::Neighbour),
            LLDP => Lldp::decode(self.payload).map(Said::Lldp),
            _ => None,
        }
    }

    fn said_over_v4(&self) -> Option<Said<'f>> {
        let [first] = field(self.payload, 0)?;
        let header = usize::from(first & 0x0f) * 4;
        let length = usize::from(u16::from_be_bytes(field(self.payload, 2)?));
        let fragment = u16::from_be_bytes(field(self.payload, 6)?) & FRAGMENTED;
        let [protocol] = field(self.payload, 9)?;
        if first >> 4 != 4 || header < V4_HEADER || fragment != 0 || protocol != UDP {
            return None;
        }
        let (ports, message) = datagram(self.payload.get(header..length)?)?;
        let message = Dhcp4::decode(message)?;
        let expected = if message.kind.is_from_client() { (68, 67) } else { (67, 68) };
        (ports == expected).then_some(Said::Dhcp4(message))
    }

    fn said_over_v6(&self) -> Option<Said<'f>> {
        let [first] = field(self.payload, 0)?;
        let length = usize::from(u16::from_be_bytes(field(self.payload, 4)?));
        let [next, hops] = field(self.payload, 6)?;
        let content = self.payload.get(V6_HEADER..)?.get(..length)?;
        match (first >> 4, next) {
            (6, UDP) => {
                let ((_, destination), message) = datagram(content)?;
                let message = Dhcp6::decode(message)?;
                let expected = if message.kind == super::Dhcp6Kind::Reply { 546 } else { 547 };
                (destination == expected).then_some(Said::Dhcp6(message))
            }
            // What came over a router has fewer hops left (RFC 4861, section 7.1).
            (6, ICMP6) if hops == 255 => {
                let source = Ipv6Addr::from(field::<16>(self.payload, 8)?);
                Neighbour::of_discovery(content, source, self.source).map(Said::Neighbour)
            }
            _ => None,
        }
    }
}

/// Ports and content of a datagram; what follows it is padding.
fn datagram(bytes: &[u8]) -> Option<((u16, u16), &[u8])> {
    let pair = |at: usize| field(bytes, at).map(u16::from_be_bytes);
    let content = bytes.get(UDP_HEADER..usize::from(pair(4)?))?;
    Some(((pair(0)?, pair(2)?), content))
}

// Ethertypes (IEEE).
pub(super) const IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const IPV6: u16 = 0x86dd;
pub(super) const LLDP: u16 = 0x88cc;
const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
/// "More fragments" and the offset.
const FRAGMENTED: u16 = 0x3fff;
// IP protocol numbers (IANA).
const UDP: u8 = 17;
const ICMP6: u8 = 58;

#[cfg(test)]
pub(super) mod tests {
    use super::super::{dhcp4, dhcp6, lldp, neighbour};
    use super::*;

    pub(crate) const SENDER: Mac = Mac([2, 0, 0, 0, 0, 11]);

    pub(crate) fn framed(source: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
        [&[0xff; 6][..], &source.0, &ethertype.to_be_bytes(), payload].concat()
    }

    fn udp(source: u16, destination: u16, content: &[u8]) -> Vec<u8> {
        let length = (8 + content.len()) as u16;
        [&source.to_be_bytes()[..], &destination.to_be_bytes(), &length.to_be_bytes(), &[0, 0], content]
            .concat()
    }

    pub(crate) fn over_v4(source: u16, destination: u16, content: &[u8]) -> Vec<u8> {
        let datagram = udp(source, destination, content);
        let mut head = [0; 20];
        head[0] = 0x45;
        head[2..4].copy_from_slice(&(20 + datagram.len() as u16).to_be_bytes());
        head[9] = UDP;
        [&head[..], &datagram].concat()
    }

    pub(crate) fn over_v6(next: u8, source: Ipv6Addr, content: &[u8]) -> Vec<u8> {
        let mut head = [0; 40];
        head[0] = 0x60;
        head[4..6].copy_from_slice(&(content.len() as u16).to_be_bytes());
        head[6..8].copy_from_slice(&[next, 255]);
        head[8..24].copy_from_slice(&source.octets());
        [&head[..], content].concat()
    }

    pub(crate) fn udp_v6(destination: u16, content: &[u8]) -> Vec<u8> {
        over_v6(UDP, "fe80::b".parse().unwrap(), &udp(546, destination, content))
    }

    /// One frame of each sort.
    pub(crate) fn frames() -> Vec<Vec<u8>> {
        let mud = dhcp4::tests::option(161, b"https://maker.example/m.json");
        let request = dhcp4::tests::message(1, [0; 4], [0; 4], &[&[53, 1, 3], &mud[..], &[255]].concat());
        let granted = [&[53, 1, 5, 51, 4, 0, 0, 14, 16][..], &[255]].concat();
        let granted = dhcp4::tests::message(2, [0; 4], [10, 0, 0, 2], &granted);
        let address = "2001:db8::b".parse().unwrap();
        let reply = dhcp6::tests::message(7, &dhcp6::tests::association(address, 3600));
        let solicit = dhcp6::tests::message(1, &dhcp6::tests::option(112, b"https://maker.example/m.json"));
        let tlv = lldp::tests::tlv(127, b"\x00\x00\x5e\x01https://maker.example/m.json");
        let probe = neighbour::tests::discovery(135, address, &[]);
        let answer = neighbour::tests::discovery(136, address, &[2, 1, 2, 0, 0, 0, 0, 11]);
        [
            (IPV4, over_v4(68, 67, &request)),
            (IPV4, over_v4(67, 68, &granted)),
            (IPV6, udp_v6(547, &solicit)),
            (IPV6, udp_v6(546, &reply)),
            (LLDP, lldp::tests::message(&tlv)),
            (ARP, neighbour::tests::arp(1, SENDER, [10, 0, 0, 2], [10, 0, 0, 1])),
            (IPV6, over_v6(ICMP6, Ipv6Addr::UNSPECIFIED, &probe)),
            (IPV6, over_v6(ICMP6, address, &answer)),
        ]
        .into_iter()
        .map(|(ethertype, payload)| framed(SENDER, ethertype, &payload))
        .collect()
    }

    #[test]
    fn finds_each_sort_of_message_in_its_frame() {
        let sort = |bytes: &Vec<u8>| match Frame::decode(bytes).unwrap().said() {
            Some(Said::Dhcp4(message)) => format!("{:?}", message.kind),
            Some(Said::Dhcp6(message)) => format!("{:?}6", message.kind),
            Some(Said::Lldp(_)) => "Lldp".to_owned(),
            Some(Said::Neighbour(claim)) => format!("{} {}", claim.address, claim.tentative),
            None => "nothing".to_owned(),
        };
        let found: Vec<String> = frames().iter().map(sort).collect();
        let expected = [
            "Request",
            "Ack",
            "Ask6",
            "Reply6",
            "Lldp",
            "10.0.0.2 false",
            "2001:db8::b true",
            "2001:db8::b false",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn asks_for_the_right_ports_whole_packets_and_the_link() {
        let said = |bytes: &[u8]| Frame::decode(bytes).and_then(|frame| frame.said()).is_some();
        let [request, grant, ask, reply, _, _, probe, _] = &frames()[..] else { panic!("eight") };
        for (what, frame, at, value) in [
            ("another version", request, 14, 0x55),
            ("a short header", request, 14, 0x44),
            ("a fragment", request, 20, 0x20),
            ("a later fragment", request, 21, 1),
            ("another protocol", request, 23, 6),
            ("a client's message from a server", request, 35, 67),
            ("a server's message to another port", grant, 37, 67),
            ("another version", ask, 14, 0x40),
            ("another protocol", ask, 20, 6),
            ("a question to the port of answers", ask, 57, 34),
            ("an answer to the port of questions", reply, 57, 35),
            ("over a router", probe, 21, 254),
            ("another ethertype", probe, 13, 0xde),
        ] {
            assert!(said(frame));
            let mut other = frame.clone();
            other[at] = value;
            assert!(!said(&other), "{what}");
        }
    }

    #[test]
    fn survives_every_cut_and_every_byte() {
        for frame in frames() {
            for end in 0..frame.len() {
                let _said = Frame::decode(&frame[..end]).map(|frame| frame.said().is_some());
                for value in [0, 1, 0x7f, 0x80, 0xfe, 0xff, frame[end] ^ 1, frame[end].wrapping_add(1)] {
                    let mut changed = frame.clone();
                    changed[end] = value;
                    let Some(Said::Dhcp6(message)) = Frame::decode(&changed).unwrap().said() else {
                        continue;
                    };
                    assert!(message.leases().count() <= Dhcp6::MAX_LEASES);
                }
            }
        }
    }
}
