//! What is heard on the LAN about a device that does not speak for itself.

use std::net::IpAddr;

use mud::MudUrl;

use crate::Mac;

/// One thing that was heard, from frames that anybody on the link can send: where a device is, and what it says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Source address of the frame.
    pub mac: Mac,
    /// What it says.
    pub news: News,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The device announces the URL of its MUD file.
    Announces {
        /// The URL.
        url: MudUrl,
        /// How.
        by: Announced,
    },
    /// The device says two things about its MUD file, or something that is none: it is believed neither.
    Contradicts(Announced),
    /// The device uses an address, at most until then.
    Uses {
        /// The address.
        address: IpAddr,
        /// End of its lease or of its life without another sign, in seconds since 1970.
        until: i64,
    },
    /// The device gave an address back.
    Releases(IpAddr),
}

/// How a device announces the URL of its MUD file (RFC 8520, sections 10 and 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Announced {
    /// DHCPv4, option 161.
    Dhcpv4,
    /// DHCPv6, option 112.
    Dhcpv6,
    /// LLDP.
    Lldp,
}
