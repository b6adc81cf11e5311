use core::fmt;

use cbor::{Error, Reader, Reason};

/// Security lifecycle of a PSA root of trust or a CCA platform (RFC 9783, section 4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lifecycle {
    state: LifecycleState,
    value: u16,
}

/// The state that the upper byte of a lifecycle names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LifecycleState {
    /// Not known to the device itself.
    Unknown,
    /// In assembly and test.
    AssemblyAndTest,
    /// The root of trust is being provisioned.
    RotProvisioning,
    /// Secured.
    Secured,
    /// Secured, while parts outside the root of trust can be debugged.
    NonRotDebug,
    /// The root of trust can be debugged, and be made secure again.
    RecoverableRotDebug,
    /// Out of service.
    Decommissioned,
}

impl LifecycleState {
    /// Every state, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::AssemblyAndTest,
        Self::RotProvisioning,
        Self::Secured,
        Self::NonRotDebug,
        Self::RecoverableRotDebug,
        Self::Decommissioned,
    ];

    /// Name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::AssemblyAndTest => "assembly-and-test",
            Self::RotProvisioning => "rot-provisioning",
            Self::Secured => "secured",
            Self::NonRotDebug => "non-rot-debug",
            Self::RecoverableRotDebug => "recoverable-rot-debug",
            Self::Decommissioned => "decommissioned",
        }
    }

    /// Whether what the root of trust says in this state is worth anything: secured, or debugged outside of it only
    /// (RFC 9783, section 4.3.1).
    pub const fn is_trustworthy(self) -> bool {
        matches!(self, Self::Secured | Self::NonRotDebug)
    }
}

impl fmt::Display for LifecycleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Lifecycle {
    /// The lifecycle with this number; nothing where its upper byte is no state.
    pub fn new(value: u16) -> Option<Self> {
        // 0x3012: state 3, whatever the lower byte says to the implementation.
        let [state, _] = value.to_be_bytes();
        let index = usize::from(state >> 4);
        let state = (state & 0x0f == 0).then(|| LifecycleState::ALL.get(index).copied()).flatten()?;
        Some(Self { state, value })
    }

    /// The state.
    pub fn state(self) -> LifecycleState {
        self.state
    }

    /// The number as received; its lower byte is the implementation's.
    pub fn value(self) -> u16 {
        self.value
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        Self::new(reader.uint_as()?).ok_or(Error::new(at, Reason::OutOfRange))
    }
}
