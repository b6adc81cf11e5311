//! The policy object: what a MUD file means to an enforcer. An ordered list of the flows that may start, each with a
//! selector for its remote end; the site turns selectors into addresses, see [`crate::Site`].

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::address::{Family, IpPrefix};
use crate::extensions::TlsProfile;
use crate::model::{Direction, MacAddress};
use crate::ports::Ports;

/// Class of the local DNS servers (RFC 8520, section 17.7).
pub const CONTROLLER_DNS: &str = "urn:ietf:params:mud:dns";
/// Class of the local NTP servers (RFC 8520, section 17.7).
pub const CONTROLLER_NTP: &str = "urn:ietf:params:mud:ntp";
/// Class of the hosts that manage devices for this product. Not a class of the RFC: a site fills it, no file needs to
/// name it.
pub const CONTROLLER_MANAGEMENT: &str = "urn:sextant:mgmt";

/// Protocol numbers (IANA) that MUD has containers for.
pub(crate) mod protocols {
    use crate::address::Family;

    pub(crate) const ICMP: u8 = 1;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ICMPV6: u8 = 58;

    pub(crate) fn icmp(family: Family) -> u8 {
        match family {
            Family::V4 => ICMP,
            Family::V6 => ICMPV6,
        }
    }
}

/// What one MUD file permits. The first entry that matches the first packet of a flow decides about the flow; what no
/// entry matches does not start (RFC 8520, section 5). Packets of a flow that did start pass in both directions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Entries in the order that counts, those of the file before the defaults.
    pub entries: Vec<Entry>,
}

/// One rule of a policy: who may start which flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who starts the flow.
    pub direction: Direction,
    /// Address family of the packets.
    pub family: Family,
    /// The other end.
    pub remote: Remote,
    /// Protocol of the packets.
    pub protocol: Protocol,
    /// Ports of the other end. Any, unless the protocol is TCP or UDP.
    pub remote_ports: Ports,
    /// Ports of the device.
    pub device_ports: Ports,
    /// Further conditions on the first packet. An enforcer that cannot check one must leave out an entry that accepts,
    /// and apply an entry that does not without the condition: narrower, never wider.
    pub extra: Option<ExtraMatch>,
    /// TLS profiles, of which a handshake has to follow one (RFC 9761). Only an enforcer that sees handshakes can
    /// check them; the others may accept without.
    pub tls: Vec<TlsProfile>,
    /// What happens to the flow.
    pub verdict: Verdict,
    /// Where the entry comes from.
    pub ace: AceId,
    /// Not from an entry of the file: a service every device has unless its file says otherwise (RFC 8520, section 5),
    /// or what an extension implies.
    pub default: bool,
}

/// The other end of a flow (RFC 8520, section 4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remote {
    /// Any address of the family.
    Any,
    /// A literal prefix.
    Prefix(IpPrefix),
    /// What a domain name resolves to (`ietf-acldns`).
    Name(String),
    /// Members of a class.
    Controller(String),
    /// The hosts that the operator assigned to this MUD URL.
    MyController,
    /// Devices whose MUD URL has this authority.
    Manufacturer(String),
    /// Devices whose MUD URL has the authority of this device's one.
    SameManufacturer,
    /// Devices with this MUD URL.
    Model(String),
    /// The networks of the site.
    LocalNetworks,
}

/// Protocol of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Any protocol.
    Any,
    /// TCP. A flow starts with a SYN and nothing else.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP for IPv4, ICMPv6 for IPv6.
    Icmp {
        /// Message type.
        icmp_type: Option<u8>,
        /// Message code.
        code: Option<u8>,
    },
    /// Another protocol number.
    Other(u8),
}

/// Conditions that are rare in files, all of which have to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtraMatch {
    /// Differentiated services code point.
    pub dscp: Option<u8>,
    /// Explicit congestion notification.
    pub ecn: Option<u8>,
    /// Time to live, hop limit.
    pub ttl: Option<u8>,
    /// Total length in IPv4, payload length in IPv6.
    pub length: Option<u16>,
    /// Flow label, IPv6 only.
    pub flow_label: Option<u32>,
    /// TCP flags that are set.
    pub tcp_flags: Option<u8>,
    /// MAC address of the other end.
    pub remote_mac: Option<MacAddress>,
}

/// What happens to a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may start.
    Accept,
    /// Its packets disappear.
    Drop,
    /// Its packets are answered with an error. May be taken as [`Verdict::Drop`] (RFC 8520, section 2).
    Reject,
}

/// The entry of the file that a policy entry comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AceId {
    /// Name of the list. Empty for defaults.
    pub acl: String,
    /// Name of the entry. Text of the author: escape it wherever it goes.
    pub ace: String,
}

impl Policy {
    /// Domain names that have to be resolved, each once, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names: BTreeSet<&str> = self
            .entries
            .iter()
            .filter_map(|entry| match &entry.remote {
                Remote::Name(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        names.into_iter()
    }

    /// Every remote, each once, in a fixed order.
    pub fn remotes(&self) -> impl Iterator<Item = &Remote> {
        let remotes: BTreeSet<&Remote> = self.entries.iter().map(|entry| &entry.remote).collect();
        remotes.into_iter()
    }

    /// The part of the policy that comes from the named entries, with everything that drops: what stays permitted in
    /// quarantine, where a file says so ([`crate::MudFile::quarantine`]).
    pub fn only(&self, aces: &[String]) -> Self {
        self.kept(|entry| !entry.default && aces.contains(&entry.ace.ace))
    }

    /// The part of the policy that every device has unless its file says otherwise, with everything that drops: what is
    /// left of a file that may not give anything.
    pub fn defaults_only(&self) -> Self {
        self.kept(|entry| entry.default)
    }

    fn kept(&self, accept: impl Fn(&Entry) -> bool) -> Self {
        let kept = |entry: &&Entry| entry.verdict != Verdict::Accept || accept(entry);
        Self { entries: self.entries.iter().filter(kept).cloned().collect() }
    }

    /// True when the order of the entries has no meaning, so that sets can hold them.
    pub fn is_unordered(&self) -> bool {
        self.entries.iter().all(|entry| entry.verdict == Verdict::Accept)
    }
}

impl Entry {
    /// True when this entry matches every packet that the other one matches.
    pub fn covers(&self, other: &Self) -> bool {
        self.direction == other.direction
            && self.family == other.family
            && self.remote.covers(&other.remote)
            && self.protocol.covers(other.protocol)
            && self.remote_ports.covers(&other.remote_ports)
            && self.device_ports.covers(&other.device_ports)
            && self.extra.is_none_or(|extra| other.extra == Some(extra))
            && (self.tls.is_empty() || self.tls == other.tls)
    }

    /// False only when no packet can match both entries, whatever the remotes resolve to.
    pub fn may_overlap(&self, other: &Self) -> bool {
        self.direction == other.direction
            && self.family == other.family
            && self.remote.may_overlap(&other.remote)
            && (self.protocol.covers(other.protocol) || other.protocol.covers(self.protocol))
            && self.remote_ports.overlaps(&other.remote_ports)
            && self.device_ports.overlaps(&other.device_ports)
    }
}

impl Remote {
    /// True when every address of the other remote is one of this one, whatever they resolve to.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Prefix(wide), Self::Prefix(narrow)) => wide.covers(narrow),
            _ => self == other,
        }
    }

    fn may_overlap(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Prefix(a), Self::Prefix(b)) => a.overlaps(b),
            _ => true,
        }
    }
}

impl Protocol {
    /// The protocol of a number.
    pub fn from_number(number: u8, family: Family) -> Self {
        match number {
            protocols::TCP => Self::Tcp,
            protocols::UDP => Self::Udp,
            _ if number == protocols::icmp(family) => Self::Icmp { icmp_type: None, code: None },
            _ => Self::Other(number),
        }
    }

    /// The number, unless any protocol is meant.
    pub fn number(self, family: Family) -> Option<u8> {
        match self {
            Self::Any => None,
            Self::Tcp => Some(protocols::TCP),
            Self::Udp => Some(protocols::UDP),
            Self::Icmp { .. } => Some(protocols::icmp(family)),
            Self::Other(number) => Some(number),
        }
    }

    /// True when the other protocol is this one or a part of it.
    pub fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Icmp { icmp_type, code }, Self::Icmp { icmp_type: other_type, code: other_code }) => {
                (icmp_type.is_none() || icmp_type == other_type) && (code.is_none() || code == other_code)
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Name(name) => write!(f, "name {name}"),
            Self::Controller(class) => write!(f, "controller {class}"),
            Self::MyController => f.write_str("my-controller"),
            Self::Manufacturer(host) => write!(f, "manufacturer {host}"),
            Self::SameManufacturer => f.write_str("same-manufacturer"),
            Self::Model(url) => write!(f, "model {url}"),
            Self::LocalNetworks => f.write_str("local-networks"),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::Icmp { icmp_type: None, .. } => f.write_str("icmp"),
            Self::Icmp { icmp_type: Some(icmp_type), code: None } => write!(f, "icmp type {icmp_type}"),
            Self::Icmp { icmp_type: Some(icmp_type), code: Some(code) } => {
                write!(f, "icmp type {icmp_type} code {code}")
            }
            Self::Other(number) => write!(f, "protocol {number}"),
        }
    }
}

/// One line for a person: `from-device ipv4 tcp to name api.maker.example port 443: accept`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let preposition = match self.direction {
            Direction::FromDevice => "to",
            Direction::ToDevice => "from",
        };
        let (direction, family) = (self.direction.name(), self.family.name());
        write!(f, "{direction} {family} {} {preposition} {}", self.protocol, self.remote)?;
        if !self.remote_ports.is_any() {
            write!(f, " port {}", self.remote_ports)?;
        }
        if !self.device_ports.is_any() {
            write!(f, ", device port {}", self.device_ports)?;
        }
        if self.extra.is_some() {
            f.write_str(", conditions")?;
        }
        f.write_str(match self.verdict {
            Verdict::Accept => ": accept",
            Verdict::Drop => ": drop",
            Verdict::Reject => ": reject",
        })
    }
}
