//! The typed tree of a MUD file. A value of these types is well-formed: what a rule forbids cannot be built by
//! [`crate::parse`].

use alloc::string::String;
use alloc::vec::Vec;

use crate::address::{Family, IpPrefix};
use crate::extensions::{AttestationResources, Ownership, TlsProfile, Transparency};
use crate::time::DateTime;
use crate::url::{Host, MudUrl};

/// Hours a file is good for when it does not say (RFC 8520, section 3.5).
pub const DEFAULT_CACHE_VALIDITY: u8 = 48;

/// A MUD file of version 1 (RFC 8520, section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MudFile {
    /// `mud-url`: the URL the manufacturer publishes the file at (section 3.2).
    pub mud_url: MudUrl,
    /// `last-update`: when the file was generated (section 3.4).
    pub last_update: DateTime,
    /// `mud-signature`: where the detached signature is, possibly relative to the MUD URL (section 3.3).
    pub mud_signature: Option<String>,
    /// `cache-validity`: hours before which the file is not fetched again (section 3.5).
    pub cache_validity: Option<u8>,
    /// `is-supported`: whether the manufacturer still supports the device (section 3.6).
    pub is_supported: bool,
    /// `systeminfo` as received (section 3.7); show [`displayable`] text only.
    pub systeminfo: Option<String>,
    /// `mfg-name` (section 3.8).
    pub mfg_name: Option<String>,
    /// `model-name` (section 3.8).
    pub model_name: Option<String>,
    /// `firmware-rev` (section 3.8).
    pub firmware_rev: Option<String>,
    /// `software-rev` (section 3.8).
    pub software_rev: Option<String>,
    /// `documentation`: shown as a link, never fetched.
    pub documentation: Option<String>,
    /// `extensions`: names of the extensions used (section 3.9).
    pub extensions: Vec<String>,
    /// `from-device-policy`: names of access control lists. `None` when the container is absent.
    pub from_device_policy: Option<Vec<String>>,
    /// `to-device-policy`: names of access control lists.
    pub to_device_policy: Option<Vec<String>>,
    /// `is-tls-dtls-profile-supported` (RFC 9761).
    pub tls_profile_supported: Option<bool>,
    /// `transparency` (RFC 9472).
    pub transparency: Option<Transparency>,
    /// `ol`: owners and licence of the file (draft-ietf-iotops-ol).
    pub ownership: Option<Ownership>,
    /// `quarantined-device-policy`: names of the entries that hold in quarantine (a private extension of NIST).
    pub quarantine: Option<Vec<String>>,
    /// `report-uri` of the reporter extension (draft-lear-opsawg-mud-reporter).
    pub report_uri: Option<String>,
    /// `ras`, `rim` and `edt`: where what attestation takes is found (draft-ietf-iotops-mud-rats).
    pub attestation: Option<AttestationResources>,
    /// The access control lists, in file order.
    pub acls: Vec<Acl>,
}

impl MudFile {
    /// The lists of one direction in file order, or nothing when the file has no policy for it.
    pub fn policy(&self, direction: Direction) -> impl Iterator<Item = &Acl> {
        let names = match direction {
            Direction::FromDevice => &self.from_device_policy,
            Direction::ToDevice => &self.to_device_policy,
        };
        names.iter().flatten().filter_map(|name| self.acls.iter().find(|acl| acl.name == *name))
    }

    /// Seconds before which the file is not to be fetched again, counted from its last retrieval (section 3.5).
    pub fn cache_seconds(&self) -> u32 {
        u32::from(self.cache_validity.unwrap_or(DEFAULT_CACHE_VALIDITY)) * 3600
    }

    /// Absolute URL of the signature. `None` when there is none, or it is not reached over https.
    pub fn signature_url(&self) -> Option<MudUrl> {
        self.mud_url.join(self.mud_signature.as_deref()?)
    }
}

/// Who sends, or who starts a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The device.
    FromDevice,
    /// The other end.
    ToDevice,
}

impl Direction {
    /// The other direction.
    pub fn opposite(self) -> Self {
        match self {
            Self::FromDevice => Self::ToDevice,
            Self::ToDevice => Self::FromDevice,
        }
    }

    /// The word RFC 8520 has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FromDevice => "from-device",
            Self::ToDevice => "to-device",
        }
    }
}

/// An access control list (RFC 8519, section 4.1). The first entry that matches decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// Key of the list.
    pub name: String,
    /// Type as given.
    pub acl_type: Option<AclType>,
    /// Entries in the order that counts.
    pub aces: Vec<Ace>,
}

/// The identities derived from `acl-base` (RFC 8519, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclType {
    /// `ipv4-acl-type`
    Ipv4,
    /// `ipv6-acl-type`
    Ipv6,
    /// `eth-acl-type`
    Eth,
    /// `mixed-eth-ipv4-acl-type`
    MixedEthIpv4,
    /// `mixed-eth-ipv6-acl-type`
    MixedEthIpv6,
    /// `mixed-eth-ipv4-ipv6-acl-type`
    MixedEthIpv4Ipv6,
}

impl AclType {
    pub(crate) const ALL: [Self; 6] =
        [Self::Ipv4, Self::Ipv6, Self::Eth, Self::MixedEthIpv4, Self::MixedEthIpv6, Self::MixedEthIpv4Ipv6];

    /// Name of the identity.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4-acl-type",
            Self::Ipv6 => "ipv6-acl-type",
            Self::Eth => "eth-acl-type",
            Self::MixedEthIpv4 => "mixed-eth-ipv4-acl-type",
            Self::MixedEthIpv6 => "mixed-eth-ipv6-acl-type",
            Self::MixedEthIpv4Ipv6 => "mixed-eth-ipv4-ipv6-acl-type",
        }
    }

    /// True when entries may match on packets of this family.
    pub fn allows(self, family: Family) -> bool {
        match family {
            Family::V4 => matches!(self, Self::Ipv4 | Self::MixedEthIpv4 | Self::MixedEthIpv4Ipv6),
            Family::V6 => matches!(self, Self::Ipv6 | Self::MixedEthIpv6 | Self::MixedEthIpv4Ipv6),
        }
    }

    /// True when entries may match on Ethernet headers.
    pub fn allows_eth(self) -> bool {
        !matches!(self, Self::Ipv4 | Self::Ipv6)
    }
}

/// An access control entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ace {
    /// Key of the entry.
    pub name: String,
    /// What it matches.
    pub body: AceBody,
    /// What happens to a packet that matches.
    pub forwarding: Forwarding,
}

/// What an entry matches, if that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly every entry is of the large variant")]
pub enum AceBody {
    /// Understood completely.
    Matches(Matches),
    /// Not understood completely. The entry is left out: ignoring one match of several would match more (threat N20).
    Refused {
        /// Code of the finding that says why.
        code: &'static str,
        /// The whole entry as received, so that writing the file does not turn it into another one.
        entry: String,
    },
}

/// `actions/forwarding` (RFC 8519, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// `accept`
    Accept,
    /// `drop`, silently.
    Drop,
    /// `reject`, with an ICMP error.
    Reject,
}

impl Forwarding {
    /// Name of the identity.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject => "reject",
        }
    }
}

/// The `matches` container: all that is given has to hold. An empty one matches every packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// `eth`
    pub eth: Option<EthMatch>,
    /// `ipv4` or `ipv6`
    pub ip: Option<IpMatch>,
    /// `tcp`, `udp` or `icmp`
    pub transport: Option<TransportMatch>,
    /// `ietf-mud:mud`
    pub mud: MudMatch,
    /// `client-profiles` (RFC 9761): profiles of which the device's TLS handshakes use one.
    pub tls: Vec<TlsProfile>,
}

/// Ethernet header (RFC 8519, section 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EthMatch {
    /// `destination-mac-address`
    pub destination: Option<MacAddress>,
    /// `destination-mac-address-mask`
    pub destination_mask: Option<MacAddress>,
    /// `source-mac-address`
    pub source: Option<MacAddress>,
    /// `source-mac-address-mask`
    pub source_mask: Option<MacAddress>,
    /// `ethertype`
    pub ethertype: Option<u16>,
}

/// A MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Reads `yang:mac-address`: six pairs of hexadecimal digits between colons.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next()?;
            if pair.len() != 2 || !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(Self(bytes))
    }
}

impl core::fmt::Display for MacAddress {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// IP header (RFC 8519, section 4.2; names from RFC 8520, section 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpMatch {
    /// Which of the containers `ipv4` and `ipv6` this is.
    pub family: Family,
    /// `dscp`
    pub dscp: Option<u8>,
    /// `ecn`
    pub ecn: Option<u8>,
    /// `length`: total length in IPv4, payload length in IPv6.
    pub length: Option<u16>,
    /// `ttl`, the hop limit in IPv6.
    pub ttl: Option<u8>,
    /// `protocol`, in IPv6 that of the upper layer.
    pub protocol: Option<u8>,
    /// `source-ipv4-network` or `source-ipv6-network`
    pub source: Option<IpPrefix>,
    /// `destination-ipv4-network` or `destination-ipv6-network`
    pub destination: Option<IpPrefix>,
    /// `ietf-acldns:src-dnsname`
    pub src_dnsname: Option<Host>,
    /// `ietf-acldns:dst-dnsname`
    pub dst_dnsname: Option<Host>,
    /// `ihl`, IPv4 only.
    pub ihl: Option<u8>,
    /// `flags`, IPv4 only, as bits: reserved 0, fragment 1, more 2.
    pub flags: Option<u8>,
    /// `offset`, IPv4 only.
    pub offset: Option<u16>,
    /// `identification`, IPv4 only.
    pub identification: Option<u16>,
    /// `flow-label`, IPv6 only.
    pub flow_label: Option<u32>,
}

impl IpMatch {
    /// A container without leaves, which matches every packet of the family.
    pub fn any(family: Family) -> Self {
        Self {
            family,
            dscp: None,
            ecn: None,
            length: None,
            ttl: None,
            protocol: None,
            source: None,
            destination: None,
            src_dnsname: None,
            dst_dnsname: None,
            ihl: None,
            flags: None,
            offset: None,
            identification: None,
            flow_label: None,
        }
    }
}

/// The choice between the transport containers (RFC 8519, section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportMatch {
    /// `tcp`
    Tcp(TcpMatch),
    /// `udp`
    Udp(UdpMatch),
    /// `icmp`, of the version that the IP family has.
    Icmp(IcmpMatch),
}

/// TCP header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpMatch {
    /// `sequence-number`
    pub sequence_number: Option<u32>,
    /// `acknowledgement-number`
    pub acknowledgement_number: Option<u32>,
    /// `data-offset`
    pub data_offset: Option<u8>,
    /// `reserved`
    pub reserved: Option<u8>,
    /// `flags`, all of which are set; see [`TCP_FLAGS`].
    pub flags: Option<u8>,
    /// `window-size`
    pub window_size: Option<u16>,
    /// `urgent-pointer`
    pub urgent_pointer: Option<u16>,
    /// `options`, in base64.
    pub options: Option<String>,
    /// `source-port`
    pub source_port: Option<PortMatch>,
    /// `destination-port`
    pub destination_port: Option<PortMatch>,
    /// `ietf-mud:direction-initiated` (RFC 8520, section 4.8): who opens the connection.
    pub direction_initiated: Option<Direction>,
}

/// Names of the TCP flags and their bits in the header.
pub const TCP_FLAGS: [(&str, u8); 8] = [
    ("cwr", 0x80),
    ("ece", 0x40),
    ("urg", 0x20),
    ("ack", 0x10),
    ("psh", 0x08),
    ("rst", 0x04),
    ("syn", 0x02),
    ("fin", 0x01),
];

/// Names of the IPv4 flags and the bits of [`IpMatch::flags`].
pub(crate) const IPV4_FLAGS: [(&str, u8); 3] = [("reserved", 1), ("fragment", 2), ("more", 4)];

/// UDP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpMatch {
    /// `length`
    pub length: Option<u16>,
    /// `source-port`
    pub source_port: Option<PortMatch>,
    /// `destination-port`
    pub destination_port: Option<PortMatch>,
}

/// ICMP header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IcmpMatch {
    /// `type`
    pub icmp_type: Option<u8>,
    /// `code`
    pub code: Option<u8>,
    /// `rest-of-header`, in base64.
    pub rest_of_header: Option<String>,
}

/// A port container (RFC 8519, section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortMatch {
    /// `lower-port` and `upper-port`, both included.
    Range(u16, u16),
    /// `operator` (default `eq`) and `port`.
    Operator(PortOperator, u16),
}

/// How a port is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortOperator {
    /// `lte`
    Lte,
    /// `gte`
    Gte,
    /// `eq`
    Eq,
    /// `neq`
    Neq,
}

impl PortOperator {
    /// Name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lte => "lte",
            Self::Gte => "gte",
            Self::Eq => "eq",
            Self::Neq => "neq",
        }
    }
}

/// The abstractions of RFC 8520, section 4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MudMatch {
    /// `manufacturer` (section 4.1)
    pub manufacturer: Option<Host>,
    /// `same-manufacturer` (section 4.2)
    pub same_manufacturer: bool,
    /// `model` (section 4.4)
    pub model: Option<MudUrl>,
    /// `local-networks` (section 4.5)
    pub local_networks: bool,
    /// `controller` (section 4.6): the name of a class. Never fetched, even if it is a URL.
    pub controller: Option<String>,
    /// `my-controller` (section 4.7)
    pub my_controller: bool,
}

/// Text from a file that is safe to show: without control characters and without characters that change the direction
/// of writing.
pub fn displayable(text: &str) -> String {
    text.chars().filter(|c| is_displayable(*c)).collect()
}

pub(crate) fn is_displayable(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}')
}
