use core::fmt;

use crypto::Digest;
use suit::{ComponentId, Condition, DependencyFault, FailureKind, Reason, Refusal, limits::MAX_ENVELOPE_LEN};

use crate::Bars;

/// What is wrong with an offered release.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is malformed, not believed, or not allowed to follow what is installed.
    Manifest(Refusal),
    /// It is another release than the one that was offered.
    NotTheOffered,
    /// It failed before, and nothing else was tried since.
    FailedBefore,
    /// Its shared sequence does not check for which vendor and class it is.
    UnboundToClass,
    /// Its own procedure failed; before anything was written, unless a payload is at fault.
    Procedure(FailureKind),
    /// Its validation does not compare a component with a digest, so booting it would prove nothing.
    Unchecked(ComponentId),
    /// Its manifest is larger than a slot can hold.
    ManifestTooLarge,
    /// What was written reads back otherwise.
    ReadBack,
    /// Another release is on trial, and the slot in use before it is kept for going back.
    OnTrial,
    /// No such release is installed.
    NotInstalled,
}

impl Fault {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Manifest(refusal) => refusal.code(),
            Self::NotTheOffered => "digest-mismatch",
            Self::FailedBefore => "failed-before",
            Self::UnboundToClass => "class-unchecked",
            Self::Procedure(failure) => failure.code(),
            Self::Unchecked(_) => "component-unchecked",
            Self::ManifestTooLarge => "manifest-too-large",
            Self::ReadBack => "storage-failed",
            Self::OnTrial => "trial-pending",
            Self::NotInstalled => "nothing-installed",
        }
    }

    /// What must not be tried again in a row.
    pub(crate) fn bars(&self, envelope: Digest) -> Bars {
        match self {
            // Signatures and payloads come beside the signed manifest: another envelope may have the right ones.
            Self::Manifest(refusal) => match refusal {
                Refusal::UnsupportedByDevice { .. }
                | Refusal::UnknownComponent { .. }
                | Refusal::SequenceTooLow { .. }
                | Refusal::SequenceReused { .. }
                | Refusal::SequenceJump { .. } => Bars::Release,
                _ => Bars::Envelope(envelope),
            },
            Self::Procedure(failure) => match failure {
                FailureKind::NotMet(Condition::ImageMatch | Condition::CheckContent)
                | FailureKind::PayloadMissing
                | FailureKind::Decryption(_)
                | FailureKind::Severed(_)
                | FailureKind::TooLarge { .. }
                | FailureKind::WrongSize { .. }
                | FailureKind::Dependency(
                    DependencyFault::Missing
                    | DependencyFault::TooLarge
                    | DependencyFault::Malformed(_)
                    | DependencyFault::WrongDigest
                    | DependencyFault::Refused { .. },
                ) => Bars::Envelope(envelope),
                // These wait for another time or state of the device.
                FailureKind::NotMet(
                    Condition::UseBefore
                    | Condition::MinimumBattery
                    | Condition::UpdateAuthorized
                    | Condition::Version,
                ) => Bars::Nothing,
                _ => Bars::Release,
            },
            Self::NotTheOffered => Bars::Envelope(envelope),
            Self::UnboundToClass | Self::Unchecked(_) | Self::ManifestTooLarge => Bars::Release,
            Self::FailedBefore | Self::ReadBack | Self::OnTrial | Self::NotInstalled => Bars::Nothing,
        }
    }

    /// Whether to remember it: what says nothing about the release is no refusal of it.
    pub(crate) fn is_to_be_remembered(&self) -> bool {
        !matches!(self, Self::FailedBefore | Self::ReadBack | Self::OnTrial | Self::NotInstalled)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(refusal) => refusal.fmt(f),
            Self::NotTheOffered => f.write_str("the envelope holds another release than was offered"),
            Self::FailedBefore => f.write_str("the release failed before and nothing else was tried since"),
            Self::UnboundToClass => f.write_str("the manifest does not check vendor and class"),
            Self::Procedure(failure) => failure.fmt(f),
            Self::Unchecked(component) => write!(f, "the manifest does not validate component {component}"),
            Self::ManifestTooLarge => write!(f, "the manifest is larger than {MAX_ENVELOPE_LEN} bytes"),
            Self::ReadBack => f.write_str("what was written reads back otherwise"),
            Self::OnTrial => f.write_str("another release is on trial"),
            Self::NotInstalled => f.write_str("the release is not installed"),
        }
    }
}

impl Fault {
    /// What a report says of it, where the processor says nothing (REP, section 4).
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Manifest(refusal) => refusal.reason(),
            Self::Procedure(failure) => failure.reason(),
            Self::NotTheOffered | Self::Unchecked(_) | Self::UnboundToClass => Reason::ConditionFailed,
            _ => Reason::OperationFailed,
        }
    }
}
