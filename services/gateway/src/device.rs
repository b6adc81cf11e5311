//! Devices and the numbers of their policies.

use std::fmt;
use std::net::IpAddr;

use crate::{Class, Error, Mac};

/// A device: its UEID (EAT, RFC 9711, section 4.2.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(Box<[u8]>);

impl DeviceId {
    /// Longest UEID.
    pub const MAX: usize = 33;

    /// Takes 1 to 33 bytes.
    pub fn new(ueid: &[u8]) -> Result<Self, Error> {
        match ueid.len() {
            1..=Self::MAX => Ok(Self(ueid.into())),
            found => Err(Error::DeviceId { found }),
        }
    }

    /// The UEID.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({self})")
    }
}

/// A device's network identity: what its packets must look like, and the classes its addresses belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Who it is.
    pub device: DeviceId,
    /// Source address of its frames. A packet with one of the addresses from another MAC is not the device's.
    pub mac: Mac,
    /// Its IPv4 and IPv6 addresses.
    pub addresses: Vec<IpAddr>,
    /// Classes that other devices' policies may refer to (RFC 8520, section 4).
    pub classes: Vec<Class>,
}

/// The number of a policy: the mark its devices' packets get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId(pub(crate) u32);

impl PolicyId {
    /// Attestation, update, time and the names needed for them; nothing else. Always exists.
    pub const UPDATE_ONLY: Self = Self(1);
    /// Nothing at all. Always exists.
    pub const BLOCKED: Self = Self(2);
    /// Nothing at all, of a device that is to be off the link. Always exists.
    pub const EJECTED: Self = Self(3);
    /// Lowest number of a staged policy.
    pub(crate) const FIRST_STAGED: u32 = 16;

    /// The number of a policy that was staged before, by this process or an earlier one. None of the reserved ones.
    pub fn staged(number: u32) -> Option<Self> {
        (Self::FIRST_STAGED..u32::MAX).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
