use std::io;
use std::net::IpAddr;

use crate::{DeviceId, PolicyId};

/// Why the gateway refused, or could not do, something.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that the kernel could not have given to an interface (1 to 15 of `A-Z a-z 0-9 _ - .`).
    #[error("expected an interface name, found {0:?}")]
    InterfaceName(String),
    /// A device identifier that is empty or longer than a UEID may be.
    #[error("expected 1 to {max} bytes of device identifier, found {found}", max = DeviceId::MAX)]
    DeviceId {
        /// Number of bytes found.
        found: usize,
    },
    /// No device of that name is admitted.
    #[error("device {0} is not admitted")]
    UnknownDevice(DeviceId),
    /// No policy of that number is staged.
    #[error("policy {0} is not staged")]
    UnknownPolicy(PolicyId),
    /// A policy cannot be discarded while a device has it, or because it always exists.
    #[error("policy {0} is in use")]
    PolicyInUse(PolicyId),
    /// Another device holds the address.
    #[error("address {address} belongs to device {holder}")]
    AddressTaken {
        /// The disputed address.
        address: IpAddr,
        /// Who has it.
        holder: DeviceId,
    },
    /// Devices belong to the classes of their manufacturer and model by their binding; nobody is added by hand.
    #[error("members of this class are devices, by their binding")]
    MembersByBinding,
    /// A policy is larger than this gateway takes.
    #[error("policy has {found} {what}, at most {limit} are taken")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How many were found.
        found: usize,
        /// How many are taken.
        limit: usize,
    },

    /// The kernel's state was not the expected one (ENOENT, EEXIST, EBUSY): nothing of the transaction took effect.
    #[error("kernel state differs from ours: {0}")]
    Conflict(String),
    /// The kernel or nft refused the transaction for another reason: nothing of it took effect.
    #[error("nft refused the transaction: {0}")]
    Refused(String),
    /// nft or the kernel did not answer: the change took effect as a whole or not at all, and we do not know which.
    #[error("no answer in time; whether the change took effect is unknown")]
    Lost,
    /// The answer of a tool was not understood.
    #[error("could not read the answer of {0}")]
    Answer(&'static str),
    /// The kernel refused a netlink request.
    #[error("netlink request refused with error {0}")]
    Netlink(i32),
    /// The platform failed.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the platform said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: says what was being done.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    /// The same for the errors of raw sockets.
    pub(crate) fn errno(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |source| Self::Io { what, source: source.into() }
    }
}
