//! Sets of addresses that many policies share (RFC 8520, section 4).

/// A set of addresses that policies refer to and that changes on its own: when a device joins, or the operator says.
///
/// Shared by name, never copied per device, because one admission can enlarge many devices' lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// `local-networks`: the operator's prefixes.
    LocalNetworks,
    /// `controller`: hosts the operator put in the class of this name.
    Controller(String),
    /// `my-controller`: hosts the operator assigned to devices with this MUD URL.
    MyController(String),
    /// `manufacturer` and `same-manufacturer`: devices whose MUD URL has this authority, learned that way.
    Manufacturer(String, Strength),
    /// `model`: devices with this very MUD URL, learned that way.
    Model(String, Strength),
}

/// How a device's MUD URL was learned. A class never holds devices of both kinds (RFC 8520, section 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// Bound to an attested or otherwise authenticated identity.
    Strong,
    /// Said by the device over DHCP or LLDP.
    Weak,
}

impl Class {
    /// The site's resolvers.
    pub fn dns() -> Self {
        Self::Controller(DNS.to_owned())
    }

    /// The site's time servers.
    pub fn ntp() -> Self {
        Self::Controller(NTP.to_owned())
    }

    /// Whether the operator says who is in it. Those members may be ranges; the members of any other class are the
    /// addresses of the devices that belong to it by their binding, and nobody can add to them.
    pub(crate) fn is_named(&self) -> bool {
        matches!(self, Self::LocalNetworks | Self::Controller(_) | Self::MyController(_))
    }

    /// Bytes that no other class has: the kind, then its text.
    pub(crate) fn identity(&self) -> Vec<u8> {
        let (kind, text) = match self {
            Self::LocalNetworks => (0, ""),
            Self::Controller(uri) => (1, uri.as_str()),
            Self::MyController(url) => (2, url.as_str()),
            Self::Manufacturer(host, Strength::Strong) => (3, host.as_str()),
            Self::Manufacturer(host, Strength::Weak) => (4, host.as_str()),
            Self::Model(url, Strength::Strong) => (5, url.as_str()),
            Self::Model(url, Strength::Weak) => (6, url.as_str()),
        };
        let mut identity = vec![kind];
        identity.extend_from_slice(text.as_bytes());
        identity
    }
}

/// Resolvers (RFC 8520, section 17.7).
const DNS: &str = "urn:ietf:params:mud:dns";
/// Time servers (RFC 8520, section 17.7).
const NTP: &str = "urn:ietf:params:mud:ntp";
