use alloc::boxed::Box;
use core::fmt;

use super::PlatformError;
use crate::{Condition, Error, Feature, Reason, Record, Refusal, Report, Section};

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
    /// A dependency is not what its dependent says, or not allowed.
    Dependency(DependencyFault),
    /// Another manifest refers to the component, so it must not be altered.
    Referenced,
    /// A directory would get content, or a link would lead out of the components of its manifest.
    BadFile,
    /// A command is about a component that has an index and no identifier.
    NoComponent,
    /// An integrated payload is fetched, and the envelope does not carry it.
    PayloadMissing,
    /// The content could not be decrypted: its encryption info is not for this device, or it is not what was encrypted.
    Decryption(cose::Error),
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

/// What is wrong with a dependency. Each ends the whole procedure (TD, section 6).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependencyFault {
    /// Its envelope is not there.
    Missing,
    /// Its envelope is larger than [`crate::limits::MAX_DEPENDENCY_LEN`].
    TooLarge,
    /// Its bytes are not an envelope that can be taken.
    Malformed(Error),
    /// It is another manifest than the one whose digest the dependent gives.
    WrongDigest,
    /// It is not believed. The word is that of the [`crate::Refusal`].
    Refused {
        /// Its code.
        code: &'static str,
        /// Its reason for a report.
        reason: Reason,
    },
    /// It needs something that the device does not have.
    Unsupported(Feature),
    /// It names a component that the device does not have.
    UnknownComponent,
    /// It is processed before its integrity was checked, or its envelope changed since.
    NotChecked,
    /// Manifests depend on one another deeper than [`crate::limits::MAX_DEPENDENCY_DEPTH`].
    TooDeep,
    /// There are more manifests than [`crate::limits::MAX_MANIFESTS`].
    TooMany,
    /// There are more components than [`crate::limits::MAX_SET_COMPONENTS`], or longer identifiers than allowed.
    TooManyComponents,
    /// It has a section that its dependent lacks, so that nothing would process it.
    SectionMissing(Section),
    /// It is kept in a component that is not for manifests, or its own manifest component identifier is another.
    Misplaced,
    /// Its dependent came to the end of a section without processing that of the dependency.
    NotProcessed(Section),
}

impl From<Refusal> for DependencyFault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { code: refusal.code(), reason: refusal.reason() }
    }
}

impl DependencyFault {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "dependency-missing",
            Self::TooLarge => "dependency-too-large",
            Self::Malformed(error) => error.code(),
            Self::WrongDigest => "digest-mismatch",
            Self::Refused { code, .. } => code,
            Self::Unsupported(feature) => feature.code(),
            Self::UnknownComponent => "unknown-component",
            Self::NotChecked => "dependency-unchecked",
            Self::TooDeep | Self::TooMany | Self::TooManyComponents => "too-many-dependencies",
            Self::SectionMissing(_) => "dependency-section-missing",
            Self::Misplaced => "dependency-misplaced",
            Self::NotProcessed(_) => "dependency-not-processed",
        }
    }

    /// Reason to give in a report (REP, section 4).
    pub fn reason(&self) -> Reason {
        match self {
            Self::Malformed(error) => error.reason(),
            Self::WrongDigest => Reason::ConditionFailed,
            Self::Refused { reason, .. } => *reason,
            Self::Unsupported(feature) => feature.reason(),
            Self::UnknownComponent => Reason::ComponentUnsupported,
            _ => Reason::OperationFailed,
        }
    }
}

impl fmt::Display for DependencyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the envelope of the dependency is not there"),
            Self::TooLarge => f.write_str("the envelope of the dependency is too large"),
            Self::Malformed(error) => write!(f, "the dependency is no envelope: {error}"),
            Self::WrongDigest => f.write_str("the dependency is another manifest than its dependent says"),
            Self::Refused { code, .. } => write!(f, "the dependency is not believed: {code}"),
            Self::Unsupported(feature) => write!(f, "the dependency needs {feature}, which is not supported"),
            Self::UnknownComponent => f.write_str("the device lacks a component of the dependency"),
            Self::NotChecked => f.write_str("the integrity of the dependency was not checked"),
            Self::TooDeep => f.write_str("manifests depend on one another too deeply"),
            Self::TooMany => f.write_str("there are too many manifests"),
            Self::TooManyComponents => f.write_str("the manifests have too many or too long components"),
            Self::SectionMissing(section) => {
                write!(f, "the dependency has a section {section} and its dependent has none")
            }
            Self::Misplaced => f.write_str("the dependency is not where its manifest is to be"),
            Self::NotProcessed(section) => write!(f, "section {section} of the dependency was not processed"),
        }
    }
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
            Self::Dependency(fault) => fault.code(),
            Self::Referenced => "component-in-use",
            Self::BadFile => "bad-file",
            Self::NoComponent => "unknown-component",
            Self::PayloadMissing => "payload-missing",
            Self::Decryption(_) => "decryption-failed",
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
            Self::Dependency(fault) => fault.reason(),
            _ => Reason::OperationFailed,
        }
    }
}

impl From<DependencyFault> for FailureKind {
    fn from(fault: DependencyFault) -> Self {
        Self::Dependency(fault)
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
            Self::Dependency(fault) => fault.fmt(f),
            Self::Referenced => f.write_str("another manifest refers to the component"),
            Self::BadFile => f.write_str("the content does not fit the kind of file"),
            Self::NoComponent => f.write_str("the component has no identifier"),
            Self::PayloadMissing => f.write_str("the envelope does not carry the payload"),
            Self::Decryption(error) => write!(f, "the content could not be decrypted: {error}"),
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
