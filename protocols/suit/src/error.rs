use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::{Beyond, ComponentId, Reason, Role};

/// Why bytes are not an envelope or manifest this crate can take.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The input breaks a rule of the format.
    Malformed(cbor::Error),
    /// The input may be right, and is not for this implementation.
    Unsupported {
        /// Byte offset from the start of the envelope.
        at: usize,
        /// What is not supported.
        feature: Feature,
    },
}

/// What an envelope or manifest asks for and this crate does not have.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Labels or encodings of a draft before 28, in which the same numbers mean other things.
    LegacyDraft,
    /// A manifest version other than 1.
    ManifestVersion(u64),
    /// An envelope member without a meaning here.
    EnvelopeMember(i64),
    /// A manifest member without a meaning here.
    ManifestMember(i64),
    /// A member of common without a meaning here.
    CommonMember(i64),
    /// A command that is unknown or private.
    Command(i64),
    /// A parameter that is unknown or private.
    Parameter(i64),
    /// A text element that is unknown.
    TextElement(i64),
    /// A wait event that is unknown.
    WaitEvent(i64),
    /// A member of component metadata that is unknown.
    Metadata(i64),
    /// A member of a report or capability report that is unknown.
    ReportMember(i64),
    /// A hash algorithm that is not implemented.
    DigestAlgorithm(i64),
    /// A digest with more than algorithm and bytes.
    DigestExtension,
    /// Processing of dependencies (TD).
    Dependencies,
}

impl Error {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed-manifest",
            Self::Unsupported { feature, .. } => feature.code(),
        }
    }

    /// Byte offset from the start of the envelope.
    pub fn at(&self) -> usize {
        match self {
            Self::Malformed(error) => error.at,
            Self::Unsupported { at, .. } => *at,
        }
    }

    /// Reason to give in a report (REP, section 4).
    pub fn reason(&self) -> Reason {
        match self {
            Self::Malformed(_) => Reason::CborParse,
            Self::Unsupported { feature, .. } => feature.reason(),
        }
    }
}

impl Feature {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::LegacyDraft => "legacy-draft",
            Self::ManifestVersion(_) => "unsupported-manifest-version",
            Self::EnvelopeMember(_)
            | Self::ManifestMember(_)
            | Self::CommonMember(_)
            | Self::ReportMember(_) => "unsupported-member",
            Self::Command(_) | Self::Dependencies => "unsupported-command",
            Self::Parameter(_) | Self::WaitEvent(_) | Self::Metadata(_) => "unsupported-parameter",
            Self::TextElement(_) => "unsupported-text",
            Self::DigestAlgorithm(_) | Self::DigestExtension => "unsupported-algorithm",
        }
    }

    /// Reason to give in a report (REP, section 4).
    pub fn reason(&self) -> Reason {
        match self {
            Self::Command(_) | Self::Dependencies => Reason::CommandUnsupported,
            Self::Parameter(_) | Self::WaitEvent(_) | Self::Metadata(_) => Reason::ParameterUnsupported,
            Self::DigestAlgorithm(_) | Self::DigestExtension => Reason::AlgorithmUnsupported,
            _ => Reason::CborParse,
        }
    }
}

/// An [`Error`] as one word, as decoders hand it on among each other.
#[derive(Debug)]
pub(crate) struct Fault(Box<Error>);

impl Fault {
    /// A fault of the format at a byte offset.
    #[cold]
    #[inline(never)]
    pub(crate) fn new(at: usize, reason: cbor::Reason) -> Self {
        Error::Malformed(cbor::Error { at, reason }).into()
    }

    /// A broken rule of the format at a byte offset.
    #[cold]
    #[inline(never)]
    pub(crate) fn rule(at: usize, rule: &'static str) -> Self {
        Self::new(at, cbor::Reason::Rule(rule))
    }

    /// More bytes or entries than are allowed.
    #[cold]
    #[inline(never)]
    pub(crate) fn too_long(at: usize, limit: usize) -> Self {
        Self::new(at, cbor::Reason::TooLong { limit })
    }

    /// A map lacks an entry that the format demands.
    #[cold]
    #[inline(never)]
    pub(crate) fn missing(at: usize, label: i64) -> Self {
        Self::new(at, cbor::Reason::MissingKey(label))
    }

    /// Something that may be right, and is not for this implementation.
    #[cold]
    #[inline(never)]
    pub(crate) fn unsupported(at: usize, feature: Feature) -> Self {
        Error::Unsupported { at, feature }.into()
    }
}

impl From<Error> for Fault {
    #[cold]
    #[inline(never)]
    fn from(error: Error) -> Self {
        Self(Box::new(error))
    }
}

impl From<cbor::lean::Fault> for Fault {
    #[cold]
    #[inline(never)]
    fn from(fault: cbor::lean::Fault) -> Self {
        Error::Malformed(fault.into()).into()
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        *fault.0
    }
}

impl From<cbor::Error> for Error {
    fn from(error: cbor::Error) -> Self {
        Self::Malformed(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Unsupported { at, feature } => write!(f, "{feature} is not supported, at byte {at}"),
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LegacyDraft => f.write_str("a manifest draft before 28"),
            Self::ManifestVersion(version) => write!(f, "manifest version {version}"),
            Self::EnvelopeMember(label) => write!(f, "envelope member {label}"),
            Self::ManifestMember(label) => write!(f, "manifest member {label}"),
            Self::CommonMember(label) => write!(f, "common member {label}"),
            Self::Command(code) => write!(f, "command {code}"),
            Self::Parameter(label) => write!(f, "parameter {label}"),
            Self::TextElement(label) => write!(f, "text element {label}"),
            Self::WaitEvent(label) => write!(f, "wait event {label}"),
            Self::Metadata(label) => write!(f, "metadata {label}"),
            Self::ReportMember(label) => write!(f, "report member {label}"),
            Self::DigestAlgorithm(id) => write!(f, "digest algorithm {id}"),
            Self::DigestExtension => f.write_str("a digest with extensions"),
            Self::Dependencies => f.write_str("processing of dependencies"),
        }
    }
}

impl core::error::Error for Error {}

/// A part of an envelope that a digest protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// The manifest itself.
    Manifest,
    /// A severed member of it.
    Severed(crate::Severable),
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => f.write_str("manifest"),
            Self::Severed(member) => member.fmt(f),
        }
    }
}

/// Why a well-formed envelope is not believed, or not for here.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The envelope carries no signature.
    Unsigned,
    /// No signature is by a key of the authority list.
    UnknownSigner {
        /// Key identifier of the first signature, when it gives one.
        kid: Option<Vec<u8>>,
    },
    /// A signature names a listed key and that key did not make it.
    BadSignature {
        /// Key identifier of the signature.
        kid: Vec<u8>,
    },
    /// A MAC was made with a listed key that is shared, and this recipient does not have it.
    SharedKeyMissing {
        /// Its key identifier.
        kid: Vec<u8>,
    },
    /// An authentication block is no COSE_Sign1 or COSE_Sign with a detached payload and a known algorithm, nor a
    /// COSE_Mac0 where the list allows shared keys.
    UnsupportedAuthentication,
    /// The bytes are not those that the digest was made of.
    DigestMismatch {
        /// Which part of the envelope.
        member: Member,
    },
    /// The bytes are authentic, and not a manifest this crate can take.
    Manifest(Error),
    /// Too few author keys signed.
    AuthorSignatureMissing {
        /// Signatures the policy wants.
        needed: u8,
        /// Signatures by different listed author keys.
        found: u8,
    },
    /// Too few operator keys signed.
    OperatorSignatureMissing {
        /// Signatures the policy wants.
        needed: u8,
        /// Signatures by different listed operator keys.
        found: u8,
    },
    /// Too few keys of a role signed for the vendor and class of the manifest.
    RoleSignatureMissing {
        /// The role.
        role: Role,
        /// Signatures the list wants.
        needed: u8,
        /// Signatures by different keys of the role that may sign for the vendor and class.
        found: u8,
    },
    /// Too few keys of a role that may change a component signed.
    ComponentSignatureMissing {
        /// The component.
        component: ComponentId,
        /// The role.
        role: Role,
        /// Signatures the list wants.
        needed: u8,
        /// Signatures by different keys of the role that may change the component.
        found: u8,
    },
    /// No author signed, and a distributor may not say what the manifest says.
    BeyondDistribution {
        /// What of it.
        beyond: Beyond,
    },
    /// The authors that signed may not touch a component.
    AuthorNotAuthorised {
        /// The component.
        component: ComponentId,
    },
    /// The authors that signed may not do so for the vendor or class of the manifest.
    AuthorOutOfScope,
    /// The manifest asks for something that this device does not have.
    UnsupportedByDevice {
        /// What it asks for.
        feature: Feature,
    },
    /// The device has no such component.
    UnknownComponent {
        /// The component.
        component: ComponentId,
    },
    /// The sequence number is below the installed one.
    SequenceTooLow {
        /// Sequence number of this manifest.
        offered: u64,
        /// Sequence number of the installed manifest.
        installed: u64,
    },
    /// The sequence number is that of the installed manifest, and the manifest is another.
    SequenceReused {
        /// The sequence number.
        sequence_number: u64,
    },
    /// The sequence number is further ahead than the policy lets it move at once.
    SequenceJump {
        /// Sequence number of this manifest.
        offered: u64,
        /// Sequence number of the installed manifest.
        installed: u64,
    },
}

impl Refusal {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned-manifest",
            Self::UnknownSigner { .. } => "unknown-signer",
            Self::BadSignature { .. } => "bad-manifest-signature",
            Self::SharedKeyMissing { .. } => "shared-key-missing",
            Self::UnsupportedAuthentication => "unsupported-authentication",
            Self::DigestMismatch { .. } => "digest-mismatch",
            Self::Manifest(error) => error.code(),
            Self::AuthorSignatureMissing { .. } => "author-signature-missing",
            Self::OperatorSignatureMissing { .. } => "operator-signature-missing",
            Self::RoleSignatureMissing { role: Role::Operator, .. } => "operator-signature-missing",
            Self::RoleSignatureMissing { .. } => "party-signature-missing",
            Self::ComponentSignatureMissing { .. } => "component-signature-missing",
            Self::BeyondDistribution { .. } => "beyond-distribution",
            Self::AuthorNotAuthorised { .. } => "author-not-authorised",
            Self::AuthorOutOfScope => "author-out-of-scope",
            Self::UnsupportedByDevice { feature } => feature.code(),
            Self::UnknownComponent { .. } => "unknown-component",
            Self::SequenceTooLow { .. } => "sequence-too-low",
            Self::SequenceReused { .. } => "sequence-reused",
            Self::SequenceJump { .. } => "sequence-jump",
        }
    }

    /// Reason to give in a report (REP, section 4).
    pub fn reason(&self) -> Reason {
        match self {
            Self::UnsupportedAuthentication => Reason::CoseUnsupported,
            Self::Manifest(error) => error.reason(),
            Self::AuthorNotAuthorised { .. } | Self::ComponentSignatureMissing { .. } => {
                Reason::ComponentUnauthorised
            }
            Self::UnsupportedByDevice { feature } => feature.reason(),
            Self::UnknownComponent { .. } => Reason::ComponentUnsupported,
            _ => Reason::Unauthorised,
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Manifest(fault.into())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Manifest(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.write_str("the envelope is not signed"),
            Self::UnknownSigner { kid: None } => f.write_str("no listed key made a signature"),
            Self::UnknownSigner { kid: Some(kid) } => write!(f, "key {} is not listed", Hex(kid)),
            Self::BadSignature { kid } => {
                write!(f, "key {} did not make the signature in its name", Hex(kid))
            }
            Self::SharedKeyMissing { kid } => write!(f, "shared key {} is not here", Hex(kid)),
            Self::UnsupportedAuthentication => {
                f.write_str("no authentication block is a detached signature of a known kind")
            }
            Self::DigestMismatch { member } => write!(f, "{member} does not have the signed digest"),
            Self::Manifest(error) => error.fmt(f),
            Self::AuthorSignatureMissing { needed, found } => {
                write!(f, "{needed} author signatures are needed, {found} found")
            }
            Self::OperatorSignatureMissing { needed, found } => {
                write!(f, "{needed} operator signatures are needed, {found} found")
            }
            Self::RoleSignatureMissing { role, needed, found } => {
                write!(f, "{needed} {role} signatures for this vendor and class are needed, {found} found")
            }
            Self::ComponentSignatureMissing { component, role, needed, found } => {
                write!(f, "{needed} {role} signatures are needed for component {component}, {found} found")
            }
            Self::BeyondDistribution { beyond } => {
                write!(f, "a distributor encrypts and says where images are, and this has {beyond}")
            }
            Self::AuthorNotAuthorised { component } => {
                write!(f, "the author may not change component {component}")
            }
            Self::AuthorOutOfScope => f.write_str("the author may not sign for this vendor and class"),
            Self::UnsupportedByDevice { feature } => write!(f, "the device does not support {feature}"),
            Self::UnknownComponent { component } => write!(f, "the device has no component {component}"),
            Self::SequenceTooLow { offered, installed } => {
                write!(f, "sequence number {offered} is below {installed}, which is installed")
            }
            Self::SequenceReused { sequence_number } => {
                write!(f, "sequence number {sequence_number} belongs to another manifest that is installed")
            }
            Self::SequenceJump { offered, installed } => {
                write!(f, "sequence number {offered} is too far ahead of {installed} without the roots")
            }
        }
    }
}

impl core::error::Error for Refusal {}

/// Bytes as lower-case hexadecimal digits.
pub(crate) struct Hex<'b>(pub(crate) &'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
