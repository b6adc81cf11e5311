//! One filter rule in the words of Diameter's IPFilterRule (RFC 6733, section 4.3.1), as NAS-Filter-Rule carries them (RFC 4849).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mud::Ports;

use crate::AddressRange;

/// Which packets a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// From the device.
    In,
    /// To the device.
    Out,
}

/// One rule. The first that matches a packet decides about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterRule {
    /// Whether packets pass.
    pub permit: bool,
    /// Which packets.
    pub way: Way,
    /// IP protocol number; any when absent.
    pub protocol: Option<u8>,
    /// The other end; any when absent.
    pub remote: Option<Prefix>,
    /// Ports of the other end.
    pub remote_ports: Ports,
    /// Ports of the device.
    pub device_ports: Ports,
    /// TCP segments that do not open a connection, and no others.
    pub established: bool,
    /// The ICMP message type; any when absent.
    pub icmp_type: Option<u8>,
    /// Addresses of the device stand for `any`: before it has one.
    pub before_address: bool,
}

impl FilterRule {
    /// A rule about all packets in one direction.
    pub fn all(permit: bool, way: Way) -> Self {
        Self {
            permit,
            way,
            protocol: None,
            remote: None,
            remote_ports: Ports::ANY,
            device_ports: Ports::ANY,
            established: false,
            icmp_type: None,
            before_address: false,
        }
    }
}

impl fmt::Display for FilterRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.permit { "permit" } else { "deny" })?;
        f.write_str(match self.way {
            Way::In => " in",
            Way::Out => " out",
        })?;
        match self.protocol {
            Some(protocol) => write!(f, " {protocol}")?,
            None => f.write_str(" ip")?,
        }
        // `assigned` is every address that the access server gave to the device; a rule about everything needs none.
        let whole = self.protocol.is_none() && self.remote.is_none();
        let device = if whole || self.before_address { "any" } else { "assigned" };
        let remote = self.remote.map_or("any".to_owned(), |prefix| prefix.to_string());
        let (device, remote) = (End(device, &self.device_ports), End(&remote, &self.remote_ports));
        match self.way {
            Way::In => write!(f, " from {device} to {remote}")?,
            Way::Out => write!(f, " from {remote} to {device}")?,
        }
        if self.established {
            f.write_str(" established")?;
        }
        match self.icmp_type {
            Some(icmp_type) => write!(f, " icmptypes {icmp_type}"),
            None => Ok(()),
        }
    }
}

/// One end of a packet.
struct End<'e>(&'e str, &'e Ports);

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        let mut separator = " ";
        for range in self.1.ranges().filter(|_| !self.1.is_any()) {
            f.write_str(separator)?;
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{first}")?,
                (first, last) => write!(f, "{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// The lowest of them.
    pub address: IpAddr,
    /// How many bits they share.
    pub length: u8,
}

impl Prefix {
    /// The fewest prefixes that together are a range.
    pub fn cover(range: &AddressRange) -> Vec<Self> {
        let (bits, make): (u8, fn(u128) -> IpAddr) = match range.first() {
            IpAddr::V4(_) => (32, |number| Ipv4Addr::from(number as u32).into()),
            IpAddr::V6(_) => (128, |number| Ipv6Addr::from(number).into()),
        };
        let (mut first, last) = (number(range.first()), number(range.last()));
        let mut prefixes = Vec::new();
        loop {
            // As large as its first address is aligned to, and no larger than what is left.
            let aligned = first.trailing_zeros().min(bits.into());
            let left = (last - first).checked_add(1).map_or(bits.into(), |count| count.ilog2());
            let host = aligned.min(left);
            prefixes.push(Self { address: make(first), length: bits - host as u8 });
            match 1_u128.checked_shl(host).and_then(|size| first.checked_add(size)) {
                Some(next) if next <= last => first = next,
                _ => return prefixes,
            }
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(first: &str, last: &str) -> Vec<String> {
        let range = AddressRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap();
        Prefix::cover(&range).iter().map(Prefix::to_string).collect()
    }

    #[test]
    fn ranges_are_the_fewest_prefixes() {
        assert_eq!(covered("192.0.2.7", "192.0.2.7"), ["192.0.2.7/32"]);
        assert_eq!(covered("10.0.0.0", "10.255.255.255"), ["10.0.0.0/8"]);
        assert_eq!(
            covered("192.0.2.1", "192.0.2.6"),
            ["192.0.2.1/32", "192.0.2.2/31", "192.0.2.4/31", "192.0.2.6/32"]
        );
        assert_eq!(covered("0.0.0.0", "255.255.255.255"), ["0.0.0.0/0"]);
        assert_eq!(covered("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ["::/0"]);
        assert_eq!(covered("2001:db8::", "2001:db8::1:ffff"), ["2001:db8::/111"]);
        assert_eq!(covered("255.255.255.254", "255.255.255.255"), ["255.255.255.254/31"]);
        assert_eq!(covered("0.0.0.1", "255.255.255.255").len(), 32);
    }

    #[test]
    fn rules_are_said_in_the_words_of_diameter() {
        let mut rule = FilterRule::all(false, Way::In);
        assert_eq!(rule.to_string(), "deny in ip from any to any");
        rule.permit = true;
        rule.protocol = Some(6);
        rule.remote = Some(Prefix { address: "203.0.113.10".parse().unwrap(), length: 32 });
        rule.remote_ports = Ports::new([443..=443, 8000..=8010]);
        assert_eq!(rule.to_string(), "permit in 6 from assigned to 203.0.113.10/32 443,8000-8010");
        rule.way = Way::Out;
        rule.established = true;
        assert_eq!(
            rule.to_string(),
            "permit out 6 from 203.0.113.10/32 443,8000-8010 to assigned established"
        );
        rule = FilterRule { protocol: Some(1), icmp_type: Some(8), ..FilterRule::all(true, Way::In) };
        assert_eq!(rule.to_string(), "permit in 1 from assigned to any icmptypes 8");
    }
}
