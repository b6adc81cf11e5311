use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

use cbor::{Error as CborError, Reader, Reason as Malformed, Writer};
use mud::{AceId, Direction, Entry, Family, IpPrefix, Ports, Protocol, Remote, Verdict};

use crate::overlay::text;

mod labels {
    pub(super) const REMOTE_ANY: u64 = 0;
    pub(super) const REMOTE_PREFIX: u64 = 1;
    pub(super) const REMOTE_NAME: u64 = 2;
    pub(super) const REMOTE_LOCAL: u64 = 3;
}

/// The list under which entries by overrides stand in a policy.
pub const OVERRIDE_LIST: &str = "override";

/// A flow that an override names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Who starts it.
    pub direction: Direction,
    /// Address family.
    pub family: Family,
    /// TCP, UDP or another protocol by number.
    pub protocol: Protocol,
    /// The other end: an address prefix, a name, the local networks or anything.
    pub remote: Remote,
    /// First and last port of whoever is started towards; `None` is any.
    pub ports: Option<(u16, u16)>,
}

impl Flow {
    pub(crate) fn encode(&self, writer: &mut Writer) {
        use labels::*;
        writer.array(5).uint(u64::from(self.direction == Direction::ToDevice));
        writer.uint(if self.family == Family::V4 { 4 } else { 6 });
        match self.protocol.number(self.family) {
            Some(number) => writer.uint(u64::from(number)),
            None => writer.null(),
        };
        match &self.remote {
            Remote::Prefix(prefix) => writer.array(2).uint(REMOTE_PREFIX).text(&format!("{prefix}")),
            Remote::Name(name) => writer.array(2).uint(REMOTE_NAME).text(name),
            Remote::LocalNetworks => writer.array(1).uint(REMOTE_LOCAL),
            _ => writer.array(1).uint(REMOTE_ANY),
        };
        match self.ports {
            Some((low, high)) => writer.array(2).uint(u64::from(low)).uint(u64::from(high)),
            None => writer.null(),
        };
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, CborError> {
        use labels::*;
        reader.array_of(5)?;
        let at = reader.position();
        let direction = match reader.uint()? {
            0 => Direction::FromDevice,
            1 => Direction::ToDevice,
            _ => return Err(CborError::new(at, Malformed::OutOfRange)),
        };
        let at = reader.position();
        let family = match reader.uint()? {
            4 => Family::V4,
            6 => Family::V6,
            _ => return Err(CborError::new(at, Malformed::OutOfRange)),
        };
        let protocol = match reader.is_null()? {
            true => Protocol::Any,
            false => Protocol::from_number(reader.uint_as()?, family),
        };
        let at = reader.position();
        let count = reader.array()?;
        let remote = match (reader.uint()?, count) {
            (REMOTE_ANY, 1) => Remote::Any,
            (REMOTE_LOCAL, 1) => Remote::LocalNetworks,
            (REMOTE_NAME, 2) => Remote::Name(text(reader)?.to_ascii_lowercase()),
            (REMOTE_PREFIX, 2) => IpPrefix::parse(&text(reader)?)
                .filter(|prefix| prefix.family() == family)
                .map(Remote::Prefix)
                .ok_or(CborError::rule(at, "not an address prefix of the flow's family"))?,
            _ => return Err(CborError::rule(at, "remote is not known")),
        };
        let at = reader.position();
        let ports = match reader.is_null()? {
            true => None,
            false => {
                reader.array_of(2)?;
                let ports = (reader.uint_as()?, reader.uint_as()?);
                if ports.0 > ports.1 || !matches!(protocol, Protocol::Tcp | Protocol::Udp) {
                    return Err(CborError::rule(at, "ports are ascending, and of TCP or UDP"));
                }
                Some(ports)
            }
        };
        Ok(Self { direction, family, protocol, remote, ports })
    }

    /// The entry of a policy that lets the flow pass or drops it, under the name of its override.
    pub(crate) fn entry(&self, verdict: Verdict, ace: String) -> Entry {
        let ports = self.ports.map_or(Ports::ANY, |(low, high)| Ports::new([low..=high]));
        let (remote_ports, device_ports) = match self.direction {
            Direction::FromDevice => (ports, Ports::ANY),
            Direction::ToDevice => (Ports::ANY, ports),
        };
        Entry {
            direction: self.direction,
            family: self.family,
            remote: self.remote.clone(),
            protocol: self.protocol,
            remote_ports,
            device_ports,
            extra: None,
            tls: Vec::new(),
            verdict,
            ace: AceId { acl: OVERRIDE_LIST.to_owned(), ace },
            default: false,
        }
    }
}
