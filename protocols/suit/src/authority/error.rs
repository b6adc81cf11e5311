use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Role;
use crate::{
    error::Hex,
    limits::{MAX_AUTHORITIES, MAX_AUTHORITY_RULES, MAX_ROOT_SIGNATURES},
};

/// Why something is no authority list, or no change of one.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityError {
    /// The bytes break a rule of the format.
    Malformed(cbor::Error),
    /// A component prefix breaks a rule of the format.
    Component(crate::Error),
    /// A key or signed message is not one.
    Key(cose::Error),
    /// It is in another format than is read here.
    UnsupportedFormat(u64),
    /// The same can be said in other bytes, which are the right ones.
    NotCanonical,
    /// The policy wants no author signature, so anybody could be one.
    NoAuthorNeeded,
    /// The policy wants no root signature, so anybody could change the list.
    NoRootNeeded,
    /// A rule wants no signature.
    EmptyRule,
    /// One key has two roles.
    KeyWithTwoRoles,
    /// A root key has a scope, which says nothing where lists are changed.
    ScopedRoot,
    /// A shared key is listed, and the policy of the list does not allow any.
    SharedKeysNotAllowed,
    /// A shared key is to do something else than author: it would prove nobody's approval.
    SharedKeyRole,
    /// A shared key has no identifier by which a recipient knows it.
    SharedKeyUnnamed,
    /// More entries, rules or prefixes, or a longer name, than there may be.
    TooMany,
    /// More signatures than an update may have.
    TooManySignatures,
    /// Two updates are not about the same change.
    OtherUpdate,
}

impl From<cbor::Error> for AuthorityError {
    fn from(error: cbor::Error) -> Self {
        Self::Malformed(error)
    }
}

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Component(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::UnsupportedFormat(format) => write!(f, "authority format {format} is not supported"),
            Self::NotCanonical => f.write_str("the list is not in its one encoding"),
            Self::NoAuthorNeeded => f.write_str("the policy wants no author signature"),
            Self::NoRootNeeded => f.write_str("the policy wants no root signature"),
            Self::EmptyRule => f.write_str("a rule wants no signature"),
            Self::KeyWithTwoRoles => f.write_str("one key is listed under two roles"),
            Self::ScopedRoot => f.write_str("a root key is limited to a vendor, class or component"),
            Self::SharedKeysNotAllowed => f.write_str("the list does not allow shared keys"),
            Self::SharedKeyRole => {
                f.write_str("a shared key can only author: every holder could have used it")
            }
            Self::SharedKeyUnnamed => f.write_str("a shared key has no identifier"),
            Self::TooMany => write!(
                f,
                "more than {MAX_AUTHORITIES} keys or {MAX_AUTHORITY_RULES} rules are listed, or a name or scope is \
                 too long"
            ),
            Self::TooManySignatures => {
                write!(f, "an update has at most {} signatures", cose::MAX_SIGNATURES)
            }
            Self::OtherUpdate => f.write_str("the two updates are not about the same change"),
        }
    }
}

impl core::error::Error for AuthorityError {}

/// Why a list would leave a device that nobody can update, or whose list nobody can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockOut {
    /// It has no root member, so nobody could ever change it.
    NoRoot,
    /// More root signatures are needed than an update can carry for the roots before and after.
    TooManyRootsNeeded,
    /// It has fewer keys of a role that may sign in one place than must sign there.
    Unreachable {
        /// The role.
        role: Role,
        /// How many must sign.
        needed: u8,
    },
    /// No version can follow it.
    LastVersion,
}

impl fmt::Display for LockOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoot => f.write_str("the list has no root member, so nobody could change it"),
            Self::TooManyRootsNeeded => {
                write!(f, "more than {MAX_ROOT_SIGNATURES} root signatures are asked for")
            }
            Self::Unreachable { role, needed } => {
                write!(f, "{needed} {role} signatures are asked for in places where fewer may sign")
            }
            Self::LastVersion => f.write_str("no version can follow that of the list"),
        }
    }
}

impl core::error::Error for LockOut {}

/// Why a change of the list is not made.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateRefusal {
    /// It is not an update.
    Malformed(AuthorityError),
    /// Its list would lock everybody out.
    LocksOut(LockOut),
    /// It is for other devices.
    OutOfScope,
    /// Its list is the one in force.
    Replayed,
    /// Its list is older than the one in force, or another of the same version.
    VersionTooLow {
        /// Version of its list.
        offered: u64,
        /// Version of the list in force.
        present: u64,
    },
    /// Lists between the one in force and its own are missing.
    VersionSkipped {
        /// Version of its list.
        offered: u64,
        /// Version of the list in force.
        present: u64,
    },
    /// It follows another list than the one in force.
    WrongPredecessor,
    /// A signature is by a key of neither list.
    UnknownSigner {
        /// Key identifier of the signature, when it gives one.
        kid: Option<Vec<u8>>,
    },
    /// A signature names a listed key and that key did not make it.
    BadSignature {
        /// Key identifier of the signature.
        kid: Vec<u8>,
    },
    /// A signature is by a member that is no root.
    NotRoot {
        /// Name of the member.
        name: String,
    },
    /// One key signed twice.
    SignedTwice {
        /// Name of the member.
        name: String,
    },
    /// Too few roots of the list in force signed.
    RootSignaturesMissing {
        /// Signatures the list in force wants.
        needed: u8,
        /// Signatures by different root keys of it.
        found: u8,
    },
    /// Too few roots of the new list signed, so that it is not shown that they have their keys.
    NewRootSignaturesMissing {
        /// Signatures the new list wants.
        needed: u8,
        /// Signatures by different root keys of it.
        found: u8,
    },
}

impl UpdateRefusal {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "authority-update-malformed",
            Self::LocksOut(_) => "authority-list-locks-out",
            Self::OutOfScope => "authority-update-out-of-scope",
            Self::Replayed => "authority-update-replayed",
            Self::VersionTooLow { .. } => "authority-version-too-low",
            Self::VersionSkipped { .. } => "authority-version-skipped",
            Self::WrongPredecessor => "authority-wrong-predecessor",
            Self::UnknownSigner { .. } => "authority-unknown-signer",
            Self::BadSignature { .. } => "authority-bad-signature",
            Self::NotRoot { .. } => "authority-not-root",
            Self::SignedTwice { .. } => "authority-signed-twice",
            Self::RootSignaturesMissing { .. } => "authority-root-signatures-missing",
            Self::NewRootSignaturesMissing { .. } => "authority-new-root-signatures-missing",
        }
    }
}

impl<E: Into<AuthorityError>> From<E> for UpdateRefusal {
    fn from(error: E) -> Self {
        Self::Malformed(error.into())
    }
}

impl fmt::Display for UpdateRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::LocksOut(lock_out) => lock_out.fmt(f),
            Self::OutOfScope => f.write_str("the update is for other devices"),
            Self::Replayed => f.write_str("the list of the update is in force already"),
            Self::VersionTooLow { offered, present } => {
                write!(f, "the update makes version {offered}, and version {present} is in force")
            }
            Self::VersionSkipped { offered, present } => {
                write!(f, "the update makes version {offered}, and only version {present} is in force")
            }
            Self::WrongPredecessor => f.write_str("the update follows another list than the one in force"),
            Self::UnknownSigner { kid: None } => f.write_str("a signature is by nobody on the lists"),
            Self::UnknownSigner { kid: Some(kid) } => write!(f, "key {} is on neither list", Hex(kid)),
            Self::BadSignature { kid } => {
                write!(f, "key {} did not make the signature in its name", Hex(kid))
            }
            Self::NotRoot { name } => write!(f, "{name} is no root and may not change the list"),
            Self::SignedTwice { name } => write!(f, "{name} signed twice"),
            Self::RootSignaturesMissing { needed, found } => {
                write!(f, "{needed} root signatures are needed, {found} found")
            }
            Self::NewRootSignaturesMissing { needed, found } => {
                write!(f, "{needed} signatures by roots of the new list are needed, {found} found")
            }
        }
    }
}

impl core::error::Error for UpdateRefusal {}
