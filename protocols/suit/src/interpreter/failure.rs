use alloc::boxed::Box;
use core::fmt;

use super::PlatformError;
use crate::{Condition, Feature, Reason, Record, Report, Section};

/// Why a procedure stopped before its end, and the report about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What failed.
    pub kind: FailureKind,
    /// What to tell the operator. Its outcome says where it failed.
    pub report: Box<Report>,
}

/// What failed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// A condition was not met.
    NotMet(Condition),
    /// A command needs the parameter with this label, and nothing set it.
    ParameterMissing(i64),
    /// A section is needed, and only its digest is here.
    Severed(Section),
    /// The manifest asks for something this processor does not have.
    Unsupported(Feature),
    /// A command is about a dependency, and the component is none.
    NotADependency,
    /// A command is about a component that has an index and no identifier.
    NoComponent,
    /// An integrated payload is fetched, and the envelope does not carry it.
    PayloadMissing,
    /// There is more data than the image size or the room of the component allows.
    TooLarge {
        /// The most that was allowed.
        limit: u64,
    },
    /// There is less or more data than the image size says.
    WrongSize {
        /// The image size.
        expected: u64,
        /// How much there was.
        found: u64,
    },
    /// The platform could not do it.
    Platform(PlatformError),
}

impl FailureKind {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotMet(condition) => match condition {
                Condition::VendorIdentifier => "wrong-vendor",
                Condition::ClassIdentifier => "wrong-class",
                Condition::DeviceIdentifier => "wrong-device",
                Condition::ImageMatch | Condition::CheckContent => "digest-mismatch",
                Condition::ImageNotMatch => "image-present",
                Condition::UseBefore => "manifest-expired",
                Condition::ComponentSlot => "wrong-slot",
                Condition::MinimumBattery => "battery-too-low",
                Condition::UpdateAuthorized => "update-not-authorised",
                Condition::Version => "wrong-version",
                Condition::Abort | Condition::DependencyIntegrity | Condition::IsDependency => {
                    "condition-failed"
                }
            },
            Self::ParameterMissing(_) => "parameter-missing",
            Self::Severed(_) => "section-missing",
            Self::Unsupported(feature) => feature.code(),
            Self::NotADependency => "not-a-dependency",
            Self::NoComponent => "unknown-component",
            Self::PayloadMissing => "payload-missing",
            Self::TooLarge { .. } => "payload-too-large",
            Self::WrongSize { .. } => "payload-size",
            Self::Platform(error) => error.code(),
        }
    }

    /// Reason to give in a report (REP, section 4).
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotMet(_) => Reason::ConditionFailed,
            Self::Severed(_) => Reason::SeveringUnsupported,
            Self::Unsupported(feature) => feature.reason(),
            Self::NoComponent => Reason::ComponentUnsupported,
            _ => Reason::OperationFailed,
        }
    }
}

impl From<PlatformError> for FailureKind {
    fn from(error: PlatformError) -> Self {
        Self::Platform(error)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMet(condition) => write!(f, "condition {} is not met", condition.code()),
            Self::ParameterMissing(label) => write!(f, "parameter {label} is not set"),
            Self::Severed(section) => write!(f, "section {section} was severed and is not here"),
            Self::Unsupported(feature) => write!(f, "{feature} is not supported"),
            Self::NotADependency => f.write_str("the component is not a dependency"),
            Self::NoComponent => f.write_str("the component has no identifier"),
            Self::PayloadMissing => f.write_str("the envelope does not carry the payload"),
            Self::TooLarge { limit } => write!(f, "there is more data than {limit} bytes"),
            Self::WrongSize { expected, found } => {
                write!(f, "the image should have {expected} bytes and has {found}")
            }
            Self::Platform(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if let crate::Outcome::Failure { record: Record { section, offset, component, .. }, .. } =
            &self.report.outcome
        {
            match section {
                Some(section) => write!(f, " (section {section}")?,
                None => f.write_str(" (shared sequence")?,
            }
            write!(f, ", offset {offset}, component {component})")?;
        }
        Ok(())
    }
}

impl core::error::Error for Failure {}
