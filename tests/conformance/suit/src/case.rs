//! One question to an implementation, and the answer that it should give.

use std::collections::{BTreeMap, BTreeSet};

use crate::Device;

/// One question and its answer.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name, unique in a run.
    pub name: String,
    /// What it is about and where that is written.
    pub why: String,
    /// The envelope.
    pub envelope: Vec<u8>,
    /// COSE_Keys of those who may have signed it.
    pub keys: Vec<Vec<u8>>,
    /// The answer.
    pub expect: Expect,
}

/// What an implementation should do.
#[derive(Clone, Debug)]
pub enum Expect {
    /// Believe the envelope.
    Believe(Facts),
    /// Read the envelope. Whether it is believed is the implementation's own decision.
    Read(Facts),
    /// Not believe the envelope.
    Disbelieve(Reasons),
    /// Refuse it, by looking at it or by processing it, and leave the device as it was.
    Refuse {
        /// A device that fits it, for implementations that find out when they process it.
        device: Device,
        /// For one of these reasons; none named is any.
        reasons: Reasons,
        /// Whether only processing can find out.
        late: bool,
        /// Whether the device is a guess, which may lack what the envelope asks for: that processing stops there says
        /// nothing unless it stops for the right reason.
        guess: bool,
    },
    /// Process it to its end.
    Done {
        /// The device.
        device: Device,
        /// How that leaves the device.
        after: After,
    },
    /// Stop while processing it.
    Stop {
        /// The device.
        device: Device,
        /// For one of these reasons; none named is any.
        reasons: Reasons,
        /// The condition that is not met, where it is one.
        condition: Option<i64>,
        /// How that leaves the device.
        after: After,
    },
}

/// Reasons of a SUIT report, by name.
pub type Reasons = BTreeSet<&'static str>;

/// What a manifest says, as an independent reader found it. What it did not find is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its sequence number.
    pub sequence_number: Option<u64>,
    /// Labels of its members.
    pub members: BTreeSet<i64>,
}

/// How processing leaves a device. What is not named is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct After {
    /// What components hold, by the segments of their identifiers in hexadecimal digits joined by slashes.
    pub contents: BTreeMap<String, Option<String>>,
    /// What was invoked, in order.
    pub invoked: Vec<String>,
    /// What was fetched over a network, in order.
    pub fetched: Option<Vec<String>>,
}

impl Expect {
    /// Refused on sight, or by processing on a device that fits.
    pub(crate) fn refuse(device: Device, reasons: &[&'static str]) -> Self {
        Self::Refuse { device, reasons: reasons.iter().copied().collect(), late: false, guess: false }
    }

    /// Refused by processing only, by a device that fits but for what the case is about.
    pub(crate) fn refuse_late(device: Device, reasons: &[&'static str]) -> Self {
        Self::Refuse { device, reasons: reasons.iter().copied().collect(), late: true, guess: false }
    }

    /// The device that it is about, if any.
    pub(crate) fn device(&self) -> Option<&Device> {
        match self {
            Self::Refuse { device, .. } | Self::Done { device, .. } | Self::Stop { device, .. } => {
                Some(device)
            }
            Self::Believe(_) | Self::Read(_) | Self::Disbelieve(_) => None,
        }
    }

    /// Whether it can be answered by processing only.
    pub(crate) fn needs_processing(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Stop { .. } | Self::Refuse { late: true, .. })
    }
}
