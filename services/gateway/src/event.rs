//! What the enforcement half tells whoever runs it.

use std::net::IpAddr;
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime};

use crate::{DeviceId, Heard, Mac, PolicyId};

/// One thing that happened.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Rules are in the kernel: from now on the device's packets are judged by this policy.
    Applied {
        /// Whose.
        device: DeviceId,
        /// Which policy.
        policy: PolicyId,
        /// When the transaction was committed.
        at: SystemTime,
        /// Flows of the device that were cut because the policy does not permit them.
        cut: usize,
    },
    /// The kernel dropped packets, or let them pass because their device is only observed.
    Violation(Violation),
    /// A flow does not begin with a handshake that a profile of its entry describes (RFC 9761).
    Handshake {
        /// Whose, where the address is bound to one.
        device: Option<DeviceId>,
        /// Source address of the frame, when the kernel told.
        mac: Option<Mac>,
        /// The flow.
        flow: Flow,
        /// What is wrong with the handshake.
        why: String,
        /// Whether it passed, because the site only observes.
        passed: bool,
    },
    /// A device asked for a name that is not in its policy.
    NameOutOfPolicy {
        /// Who asked.
        device: DeviceId,
        /// The name, lower case, without the trailing dot.
        name: String,
        /// Whether an answer was refused because the device is restricted.
        refused: bool,
    },
    /// A public name had an answer in a private range (rebinding); the answer was withheld.
    PrivateAnswer {
        /// Who asked.
        device: DeviceId,
        /// The name.
        name: String,
        /// The address.
        address: IpAddr,
    },
    /// Something was heard on the link, where anybody can say it.
    Heard(Heard),
    /// The kernel's rules were not ours and have been replaced, in one transaction.
    Rebuilt {
        /// What was found.
        reason: String,
    },
    /// More happened than could be kept.
    Overflow {
        /// How many packets are missing from the reports.
        packets: u64,
    },
}

/// Dropped packets of one kind, seen within `over`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What was wrong.
    pub kind: ViolationKind,
    /// The device, when the local address is bound to one.
    pub device: Option<DeviceId>,
    /// The policy by which it was judged, when known.
    pub policy: Option<PolicyId>,
    /// Source address of the frame, when the kernel told.
    pub mac: Option<Mac>,
    /// The packet, of the first one where there are several.
    pub flow: Flow,
    /// The device whose address, or else whose MAC, the packet had without being bound to the pair. It may be the sender, or not:
    /// this says nothing against it.
    pub imitated: Option<DeviceId>,
    /// Whether the other end may start what this end started here.
    pub mirrored: bool,
    /// How many since the last report of the same kind.
    pub count: u64,
    /// Zero for the first report, which is made at once.
    pub over: Duration,
}

/// Sort of a violation. The kernel says it by the NFLOG group; a stranger's MAC and address say whether it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ViolationKind {
    /// A device started something that its policy does not permit.
    FromDevice,
    /// Somebody started something toward a device, which its policy does not permit.
    ToDevice,
    /// No device has this MAC, nor this address.
    UnknownDevice,
    /// A device has the address or the MAC, but not this pair of them.
    SpoofedBinding,
    /// A device went round our resolver.
    Resolver,
    /// A device that is only observed started something that its release does not declare. It passed.
    Observed,
}

impl Violation {
    /// The word for what is wrong, as reports have it.
    pub fn class(&self) -> &'static str {
        match self.kind {
            ViolationKind::FromDevice | ViolationKind::ToDevice if self.mirrored => "wrong-initiator",
            ViolationKind::FromDevice | ViolationKind::ToDevice => "no-match",
            ViolationKind::UnknownDevice => "unknown-device",
            ViolationKind::SpoofedBinding => "spoofed-binding",
            ViolationKind::Resolver => "resolver",
            ViolationKind::Observed => "observed",
        }
    }
}

/// What a packet says about its flow. Addresses and ports as in the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// From.
    pub source: IpAddr,
    /// To.
    pub destination: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// TCP or UDP source port; 0 otherwise.
    pub source_port: u16,
    /// TCP or UDP destination port; ICMP type and code as `type << 8 | code`; 0 otherwise.
    pub destination_port: u16,
}

impl Flow {
    /// The same packet from the other end.
    pub(crate) fn mirrored(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
            ..self
        }
    }
}

/// Receives events. Must not block: it is called between a commit and what follows it.
pub trait Observer: Send + Sync {
    /// One event.
    fn observe(&self, event: Event);
}

impl Observer for Sender<Event> {
    fn observe(&self, event: Event) {
        // A receiver that went away is not a reason to stop enforcing.
        let _gone = self.send(event);
    }
}

/// Passes events over.
impl Observer for () {
    fn observe(&self, _event: Event) {}
}
