//! Who has an address: ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861, RFC 4862).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::options::field;
use crate::Mac;

/// The claim of a frame's sender to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The address.
    pub address: IpAddr,
    /// Whether the sender only asks if it may have it.
    pub tentative: bool,
}

impl Neighbour {
    /// Reads ARP in a frame of `sender`. Nothing, if it speaks for another, or of no address.
    pub fn of_arp(bytes: &[u8], sender: Mac) -> Option<Self> {
        let head: [u8; 6] = field(bytes, 0)?;
        let operation = u16::from_be_bytes(field(bytes, 6)?);
        if head != ARP_OF_IPV4_OVER_ETHERNET || !matches!(operation, REQUEST | REPLY) {
            return None;
        }
        let (owner, source) = (Mac(field(bytes, 8)?), Ipv4Addr::from(field::<4>(bytes, 14)?));
        let target = Ipv4Addr::from(field::<4>(bytes, 24)?);
        let tentative = source.is_unspecified();
        let address = if tentative { target } else { source };
        (owner == sender && is_host(address)).then_some(Self { address: address.into(), tentative })
    }

    /// Reads a message of neighbour discovery from `source`, in a frame of `sender`. Nothing, if it is another message, speaks for
    /// another, or of no address.
    pub fn of_discovery(bytes: &[u8], source: Ipv6Addr, sender: Mac) -> Option<Self> {
        let [kind, code] = field(bytes, 0)?;
        let target = Ipv6Addr::from(field::<16>(bytes, 8)?);
        let option = match kind {
            SOLICITATION => SOURCE_LINK_ADDRESS,
            ADVERTISEMENT => TARGET_LINK_ADDRESS,
            _ => return None,
        };
        if code != 0 || !speaks_for(bytes.get(24..)?, option, sender)? {
            return None;
        }
        let tentative = kind == SOLICITATION && source.is_unspecified();
        let address = if kind == ADVERTISEMENT || tentative { target } else { source };
        let host = !address.is_unspecified() && !address.is_multicast() && !address.is_loopback();
        host.then_some(Self { address: address.into(), tentative })
    }
}

/// Whether the link-layer address among options, if there is one, is that of the sender; nothing if they are not well-formed.
fn speaks_for(mut options: &[u8], wanted: u8, sender: Mac) -> Option<bool> {
    let mut all = true;
    while let [kind, length, ..] = options {
        let length = usize::from(*length) * 8;
        if length == 0 {
            return None;
        }
        let (option, rest) = options.split_at_checked(length)?;
        if *kind == wanted {
            all &= option.get(2..8) == Some(&sender.0[..]);
        }
        options = rest;
    }
    options.is_empty().then_some(all)
}

/// Whether one host may have the address.
fn is_host(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    (1..224).contains(&first) && !address.is_loopback()
}

/// Ethernet, IPv4, and the lengths of their addresses.
const ARP_OF_IPV4_OVER_ETHERNET: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: u16 = 1;
const REPLY: u16 = 2;
// ICMPv6 types and options (RFC 4861, sections 4.3, 4.4 and 4.6.1).
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const SENDER: Mac = Mac([2, 0, 0, 0, 0, 11]);

    pub(crate) fn arp(operation: u8, owner: Mac, source: [u8; 4], target: [u8; 4]) -> Vec<u8> {
        [&[0, 1, 8, 0, 6, 4, 0, operation][..], &owner.0, &source, &[0; 6], &target].concat()
    }

    pub(crate) fn discovery(kind: u8, target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
        [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), options].concat()
    }

    fn claim(address: &str, tentative: bool) -> Option<Neighbour> {
        Some(Neighbour { address: address.parse().unwrap(), tentative })
    }

    #[test]
    fn arp_tells_the_sender_s_address_or_the_one_it_asks_for() {
        let other = Mac([2, 0, 0, 0, 0, 12]);
        for (what, bytes, expected) in [
            ("a request", arp(1, SENDER, [10, 0, 0, 2], [10, 0, 0, 1]), claim("10.0.0.2", false)),
            ("a reply", arp(2, SENDER, [10, 0, 0, 2], [10, 0, 0, 1]), claim("10.0.0.2", false)),
            ("a probe", arp(1, SENDER, [0; 4], [10, 0, 0, 2]), claim("10.0.0.2", true)),
            ("for another", arp(2, other, [10, 0, 0, 2], [10, 0, 0, 1]), None),
            ("reverse", arp(3, SENDER, [10, 0, 0, 2], [10, 0, 0, 1]), None),
            ("multicast", arp(1, SENDER, [224, 0, 0, 1], [10, 0, 0, 1]), None),
            ("broadcast", arp(1, SENDER, [255; 4], [10, 0, 0, 1]), None),
            ("loopback", arp(1, SENDER, [127, 0, 0, 1], [10, 0, 0, 1]), None),
            ("nothing", arp(1, SENDER, [0; 4], [0; 4]), None),
        ] {
            assert_eq!(Neighbour::of_arp(&bytes, SENDER), expected, "{what}");
        }
        let good = arp(1, SENDER, [10, 0, 0, 2], [10, 0, 0, 1]);
        for end in 0..28 {
            assert_eq!(Neighbour::of_arp(&good[..end], SENDER), None, "cut at {end}");
        }
        for at in 0..6 {
            let mut other = good.clone();
            other[at] ^= 1;
            assert_eq!(Neighbour::of_arp(&other, SENDER), None, "byte {at}");
        }
    }

    #[test]
    fn discovery_tells_the_sender_s_address_or_the_one_it_asks_for() {
        let [a, b, gateway, none, many] =
            ["2001:db8::a", "2001:db8::b", "fe80::1", "::", "ff02::1"].map(|text| text.parse().unwrap());
        let link = |kind: u8, mac: Mac| [&[kind, 1][..], &mac.0].concat();
        let other = Mac([2, 0, 0, 0, 0, 12]);
        for (what, source, bytes, expected) in [
            ("a solicitation", a, discovery(135, gateway, &link(1, SENDER)), claim("2001:db8::a", false)),
            ("one without options", a, discovery(135, gateway, &[]), claim("2001:db8::a", false)),
            ("a question whether it is free", none, discovery(135, b, &[]), claim("2001:db8::b", true)),
            ("an advertisement", a, discovery(136, b, &link(2, SENDER)), claim("2001:db8::b", false)),
            ("one for another", a, discovery(136, b, &link(2, other)), None),
            ("a solicitation for another", a, discovery(135, gateway, &link(1, other)), None),
            ("a router's", a, discovery(134, b, &[]), None),
            ("multicast", a, discovery(136, many, &[]), None),
            ("nothing", none, discovery(136, none, &[]), None),
            ("an option without length", a, discovery(135, b, &[1, 0, 0, 0, 0, 0, 0, 0]), None),
            ("an option past the end", a, discovery(135, b, &[1, 2, 0, 0, 0, 0, 0, 0]), None),
            ("half an option", a, discovery(135, b, &[1]), None),
        ] {
            assert_eq!(Neighbour::of_discovery(&bytes, source, SENDER), expected, "{what}");
        }
        let mut coded = discovery(135, b, &[]);
        coded[1] = 1;
        assert_eq!(Neighbour::of_discovery(&coded, a, SENDER), None);
        for end in 0..24 {
            assert_eq!(Neighbour::of_discovery(&coded[..end], a, SENDER), None, "cut at {end}");
        }
    }
}
