//! IP prefixes and the two address families.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address family. A permission for one never extends to the other (RFC 8520, section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Bits of an address.
    pub fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// `ipv4` or `ipv6`, the name of the container in `matches`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }
}

/// A network prefix; bits after its length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpPrefix {
    address: IpAddr,
    length: u8,
}

/// A prefix as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrittenPrefix {
    pub(crate) prefix: IpPrefix,
    /// Bits after the length were set.
    pub(crate) host_bits: bool,
    /// There was no length: a single address.
    pub(crate) bare: bool,
}

impl IpPrefix {
    /// The prefix of `length` bits that holds `address`; `None` when the family has fewer bits.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let bits = Family::of(address).bits();
        if length > bits {
            return None;
        }
        let mask = mask(bits, length);
        let address = match address {
            IpAddr::V4(a) => IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask as u32)),
            IpAddr::V6(a) => IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & mask)),
        };
        Some(Self { address, length })
    }

    /// The prefix that holds one address only.
    pub fn host(address: IpAddr) -> Self {
        Self { address, length: Family::of(address).bits() }
    }

    /// Reads `address/length`; a single address is read as the prefix of only that address.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_written(text).map(|w| w.prefix)
    }

    pub(crate) fn parse_written(text: &str) -> Option<WrittenPrefix> {
        let Some((address, length)) = text.split_once('/') else {
            let address = text.parse().ok()?;
            return Some(WrittenPrefix { prefix: Self::host(address), host_bits: false, bare: true });
        };
        let address: IpAddr = address.parse().ok()?;
        if length.is_empty() || length.len() > 3 || !length.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let prefix = Self::new(address, length.parse().ok()?)?;
        Some(WrittenPrefix { prefix, host_bits: prefix.address != address, bare: false })
    }

    /// First address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Length in bits.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Address family.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// True when the address lies in the prefix.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::new(address, self.length).is_some_and(|p| p == *self)
    }

    /// True when every address of the other prefix lies in this one.
    pub fn covers(&self, other: &Self) -> bool {
        self.length <= other.length && self.contains(other.address)
    }

    /// True when the prefixes have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// True when every address is multicast, or it is the IPv4 limited broadcast address.
    pub fn is_group(&self) -> bool {
        match self.address {
            IpAddr::V4(a) => a.is_broadcast() || (a.is_multicast() && self.length >= 4),
            IpAddr::V6(a) => a.is_multicast() && self.length >= 8,
        }
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// True for addresses that a public name must not lead to (threat N9): private, loopback, link-local and the like.
pub(crate) fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            let [first, second, ..] = a.octets();
            a.is_private()
                || a.is_loopback()
                || a.is_link_local()
                || a.is_multicast()
                || first == 0
                || first >= 240
                // Shared address space, RFC 6598.
                || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(a) => match embedded(a) {
            Some(embedded) => is_internal(IpAddr::V4(embedded)),
            None => {
                a.is_loopback()
                    || a.is_unspecified()
                    || a.is_multicast()
                    || a.is_unique_local()
                    || a.is_unicast_link_local()
            }
        },
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, behind a translator (RFC 6052, section 2.1), or behind 6to4
/// (RFC 3056, section 2).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(of(high, low)),
        _ => address.to_ipv4_mapped(),
    }
}

fn mask(bits: u8, length: u8) -> u128 {
    let all = u128::MAX >> (128 - u32::from(bits));
    match bits - length {
        128 => 0,
        free => all >> free << free,
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn prefix(text: &str) -> IpPrefix {
        IpPrefix::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn reads_and_writes_prefixes() {
        for (text, written) in [
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("255.255.255.255", "255.255.255.255/32"),
            ("::/0", "::/0"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("ff05:0:0:0:0:0:0:c", "ff05::c/128"),
        ] {
            assert_eq!(prefix(text).to_string(), written);
        }
    }

    #[test]
    fn refuses_what_is_no_prefix() {
        for text in [
            "",
            "/",
            "/24",
            "192.0.2.0/",
            "192.0.2.0/33",
            "192.0.2.0/+8",
            "192.0.2/24",
            "192.0.2.0/024 ",
            "::/129",
            "fe80::1%eth0/64",
            "192.0.2.0/255.255.255.0",
            "192.000.2.1/8",
        ] {
            assert_eq!(IpPrefix::parse(text), None, "{text}");
        }
    }

    #[test]
    fn says_how_a_prefix_was_written() {
        let written = IpPrefix::parse_written("192.0.2.7/24").expect("a prefix");
        assert!(written.host_bits && !written.bare);
        let written = IpPrefix::parse_written("192.0.2.7").expect("an address");
        assert!(!written.host_bits && written.bare);
    }

    #[test]
    fn compares_prefixes_within_one_family() {
        let net = prefix("192.0.2.0/24");
        assert!(net.contains("192.0.2.255".parse().expect("address")));
        assert!(!net.contains("192.0.3.0".parse().expect("address")));
        assert!(!prefix("0.0.0.0/0").contains("::1".parse().expect("address")));
        assert!(net.covers(&prefix("192.0.2.128/25")) && !prefix("192.0.2.128/25").covers(&net));
        assert!(net.overlaps(&prefix("192.0.2.128/25")) && !net.overlaps(&prefix("192.0.3.0/24")));
        assert!(!prefix("::/0").overlaps(&prefix("0.0.0.0/0")));
    }

    #[test]
    fn knows_group_addresses() {
        for (text, expected) in [
            ("224.0.0.251/32", true),
            ("224.0.0.0/4", true),
            ("224.0.0.0/3", false),
            ("255.255.255.255/32", true),
            ("ff00::/8", true),
            ("fe00::/7", false),
            ("192.0.2.255/32", false),
        ] {
            assert_eq!(prefix(text).is_group(), expected, "{text}");
        }
    }

    #[test]
    fn knows_addresses_that_no_public_name_has() {
        for text in [
            "10.1.2.3",
            "127.0.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:192.168.0.1",
            "ff02::1",
        ] {
            assert!(is_internal(text.parse().expect("address")), "{text}");
        }
        for text in ["192.0.2.1", "100.128.0.1", "2001:db8::1", "::ffff:192.0.2.1"] {
            assert!(!is_internal(text.parse().expect("address")), "{text}");
        }
    }
}
