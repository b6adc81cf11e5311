use core::fmt;

use super::Numbering;
use crate::{Error, Refusal, error::Fault};

/// Why bytes are not an envelope or manifest that this reader can take.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyError {
    /// The input breaks a rule of the format, or asks for what no numbering has.
    Format(Error),
    /// What stands here belongs to drafts of another numbering than the rest: the same numbers would mean two things.
    Mixed {
        /// Byte offset from the start of the envelope.
        at: usize,
        /// The numbering of the rest.
        numbering: Numbering,
        /// What does not belong there.
        evidence: Evidence,
    },
}

/// What tells one numbering from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A CBOR tag of an envelope or manifest.
    Tag(u64),
    /// The number of a hash function.
    HashAlgorithm(i64),
    /// A signature with its payload attached.
    AttachedPayload,
    /// A member of the manifest.
    ManifestMember(i64),
    /// A member of the envelope.
    EnvelopeMember(i64),
}

impl LegacyError {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Format(error) => error.code(),
            Self::Mixed { .. } => "mixed-numbering",
        }
    }

    /// Byte offset from the start of the envelope.
    pub fn at(&self) -> usize {
        match self {
            Self::Format(error) => error.at(),
            Self::Mixed { at, .. } => *at,
        }
    }
}

impl From<Error> for LegacyError {
    fn from(error: Error) -> Self {
        Self::Format(error)
    }
}

impl From<Fault> for LegacyError {
    fn from(fault: Fault) -> Self {
        Self::Format(fault.into())
    }
}

impl From<cbor::Error> for LegacyError {
    fn from(error: cbor::Error) -> Self {
        Self::Format(error.into())
    }
}

impl fmt::Display for LegacyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(error) => error.fmt(f),
            Self::Mixed { at, numbering, evidence } => {
                write!(f, "{evidence} does not belong to {numbering}, as the rest does, at byte {at}")
            }
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::HashAlgorithm(id) => write!(f, "hash algorithm {id}"),
            Self::AttachedPayload => f.write_str("a signature with attached payload"),
            Self::ManifestMember(label) => write!(f, "manifest member {label}"),
            Self::EnvelopeMember(label) => write!(f, "envelope member {label}"),
        }
    }
}

impl core::error::Error for LegacyError {}

/// Why a well-formed envelope of an old draft is not believed.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyRefusal {
    /// For a reason that today's envelopes are refused for too.
    Refused(Refusal),
    /// A signature is over other bytes than the digest that stands beside it.
    PayloadMismatch,
    /// The bytes are authentic, and not a manifest that this reader can take.
    Manifest(LegacyError),
}

impl LegacyRefusal {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::PayloadMismatch => "digest-mismatch",
            Self::Manifest(error) => error.code(),
        }
    }
}

impl From<Refusal> for LegacyRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<LegacyError> for LegacyRefusal {
    fn from(error: LegacyError) -> Self {
        Self::Manifest(error)
    }
}

impl fmt::Display for LegacyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::PayloadMismatch => {
                f.write_str("a signature is over another digest than that of the manifest")
            }
            Self::Manifest(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for LegacyRefusal {}
