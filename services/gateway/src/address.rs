//! Addresses, ranges and names that may stand in a ruleset.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Error;

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Reads `02:00:5e:00:00:01`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts
                .next()
                .filter(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            *octet = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(octets))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The name of a network interface: nothing that could be mistaken for anything else in a ruleset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface(String);

impl Interface {
    /// Takes 1 to 15 letters, digits, `_`, `-` and `.`, not beginning with `.` or `-`.
    pub fn new(name: &str) -> Result<Self, Error> {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if plain && (1..=15).contains(&name.len()) && !name.starts_with(['.', '-']) {
            Ok(Self(name.to_owned()))
        } else {
            Err(Error::InterfaceName(name.to_owned()))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Addresses from the first to the last, both included, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// A range, when both ends are of one family and in order.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last })
    }

    /// The addresses that share the first `length` bits with `address`.
    pub fn of_prefix(address: IpAddr, length: u8) -> Self {
        match address {
            IpAddr::V4(v4) => {
                let host = u32::MAX.checked_shr(length.into()).unwrap_or(0);
                let bits = u32::from(v4);
                Self { first: Ipv4Addr::from(bits & !host).into(), last: Ipv4Addr::from(bits | host).into() }
            }
            IpAddr::V6(v6) => {
                let host = u128::MAX.checked_shr(length.into()).unwrap_or(0);
                let bits = u128::from(v6);
                Self { first: Ipv6Addr::from(bits & !host).into(), last: Ipv6Addr::from(bits | host).into() }
            }
        }
    }

    /// Lowest address.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// Highest address.
    pub fn last(&self) -> IpAddr {
        self.last
    }

    /// Whether the address lies in the range; an address of the other family never does.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }

    /// The one address of the range, if it holds but one.
    pub fn single(&self) -> Option<IpAddr> {
        (self.first == self.last).then_some(self.first)
    }
}

/// Sorts ranges and joins those that overlap or touch: the kernel refuses a set whose intervals overlap.
pub(crate) fn join(mut ranges: Vec<AddressRange>) -> Vec<AddressRange> {
    ranges.sort();
    let mut joined: Vec<AddressRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(previous) if touches(previous, &range) => previous.last = previous.last.max(range.last),
            _ => joined.push(range),
        }
    }
    joined
}

fn touches(lower: &AddressRange, upper: &AddressRange) -> bool {
    match (lower.last, upper.first) {
        (IpAddr::V4(last), IpAddr::V4(first)) => u32::from(first) <= u32::from(last).saturating_add(1),
        (IpAddr::V6(last), IpAddr::V6(first)) => u128::from(first) <= u128::from(last).saturating_add(1),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: &str, last: &str) -> AddressRange {
        AddressRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
    }

    #[test]
    fn prefix_covers_its_addresses_and_no_other() {
        for (address, length, first, last) in [
            ("10.1.2.3", 8, "10.0.0.0", "10.255.255.255"),
            ("10.1.2.3", 32, "10.1.2.3", "10.1.2.3"),
            ("10.1.2.3", 0, "0.0.0.0", "255.255.255.255"),
            ("2001:db8::1", 64, "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"),
            ("2001:db8::1", 128, "2001:db8::1", "2001:db8::1"),
            ("2001:db8::1", 0, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let prefix = AddressRange::of_prefix(address.parse().unwrap(), length);
            assert_eq!(prefix, range(first, last), "{address}/{length}");
        }
        assert!(!range("0.0.0.0", "255.255.255.255").contains("::1".parse().unwrap()));
    }

    #[test]
    fn joins_ranges_that_overlap_or_touch() {
        let joined = join(vec![
            range("10.0.0.8", "10.0.0.9"),
            range("10.0.0.0", "10.0.0.3"),
            range("10.0.0.2", "10.0.0.7"),
            range("255.255.255.255", "255.255.255.255"),
            range("::", "::1"),
        ]);
        let expected =
            [range("10.0.0.0", "10.0.0.9"), range("255.255.255.255", "255.255.255.255"), range("::", "::1")];
        assert_eq!(joined, expected);
    }

    #[test]
    fn interface_names_hold_no_syntax() {
        for name in ["lan0", "br-lan.7", "wlp2s0_guest"] {
            assert_eq!(Interface::new(name).unwrap().as_str(), name);
        }
        for name in ["", "lan0\"; drop", "a}b", "a b", "lan\n", "-x", ".x", "sixteen_bytes_xx", "é"] {
            assert!(matches!(Interface::new(name), Err(Error::InterfaceName(n)) if n == name), "{name:?}");
        }
    }

    #[test]
    fn reads_ethernet_addresses_strictly() {
        assert_eq!(Mac::parse("02:00:5e:00:00:fF").unwrap().to_string(), "02:00:5e:00:00:ff");
        for text in [
            "02:00:5e:00:00",
            "02:00:5e:00:00:01:02",
            "2:00:5e:00:00:01",
            "02-00-5e-00-00-01",
            "+2:00:5e:00:00:01",
        ] {
            assert_eq!(Mac::parse(text), None, "{text}");
        }
    }
}
