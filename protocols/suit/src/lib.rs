//! SUIT envelopes, manifests and reports (draft-ietf-suit-manifest-37, -trust-domains, -update-management, -report):
//! decode, verify, interpret, author, replay.
//!
//! * [`Envelope::decode`] reads bytes from anywhere; [`Envelope::verify`] decides with an [`AuthorityList`] whether to
//!   believe them, and is, with [`Envelope::verify_dependency`], the only maker of [`Verified`].
//! * [`AuthorityUpdate`] changes the list, by signatures of its own roots.
//! * [`UpdateAnswer`] is what an update server answers a device that asks, [`SignedUpdateAnswer`] what a device makes of it.
//! * [`EnvelopeReader`] reads the head of an envelope that is elsewhere and finds its payloads, which it leaves there.
//! * [`Processor`] runs the procedures of a verified manifest and of its dependencies on a [`Platform`], which says with
//!   [`Abilities`] what it can do. It gives a [`Report`], to be signed.
//! * [`SignedReport`] reads one from anywhere; [`replay()`] says which of its claims hold against the manifests;
//!   [`can_process`] says from a report of [`Capabilities`] what a device lacks for a manifest.
//! * [`ReleaseRecipe`], [`ManifestBuilder`] and [`EnvelopeBuilder`] write what a recipient accepts.
//!
//! # Memory
//!
//! A processor holds, beside the root envelope that its caller holds: one buffer of [`Platform::CHUNK`] bytes, and one more
//! while it decrypts; a table of
//! two words for each parameter that is set, of at most [`limits::MAX_SET_COMPONENTS`] components; a stack of at most
//! two frames for each level of nesting ([`limits::MAX_NESTING`]) and one for each of at most
//! [`limits::MAX_DEPENDENCY_DEPTH`] dependencies that are being processed; a report of at most
//! [`limits::MAX_REPORT_ENTRIES`] entries; and the envelope and decoded manifest of each dependency whose integrity was
//! checked in the procedure, at most [`limits::MAX_MANIFESTS`] minus the root, of [`limits::MAX_DEPENDENCY_LEN`] bytes
//! each. A manifest without dependencies needs none of the last. Payloads are never held.
//!
//! It is not a client: it opens no connection and no file, knows no time, and reads neither the CoSWID nor the MUD
//! file that a manifest carries or names. It reads one numbering of labels, that of drafts 28 and later; older ones are
//! for tools, in the module `legacy` behind the feature of that name.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod labels;
#[cfg(feature = "legacy")]
pub mod legacy;
pub mod limits;

mod ability;
mod answer;
mod authenticate;
mod authority;
mod build;
mod capability;
mod command;
mod common;
mod component;
mod digest;
mod envelope;
mod error;
mod evaluate;
mod identifier;
mod index;
mod interpreter;
mod manifest;
mod metadata;
mod mud;
mod names;
mod parameter;
mod report;
mod sequence;
mod text;
mod verify;
mod version;
mod wait;

// Public interface
pub use ability::Abilities;
pub use answer::{SignedUpdateAnswer, UpdateAnswer, UpdateAnswerError};
pub use authenticate::Authentic;
pub use authority::{
    AUTHORITY_UPDATE_CONTEXT, Authority, AuthorityError, AuthorityKey, AuthorityList, AuthorityPolicy,
    AuthorityUpdate, Beyond, LockOut, NotAParty, Party, Recipient, Role, Rule, Seal, SharedKeyName,
    SharedKeys, Tally, UpdateProposal, UpdateRefusal, UpdateScope, VerifiedUpdate, beyond_distribution,
};
pub use build::{
    BuildError, EnvelopeBuilder, ImageRecipe, ManifestBuilder, ReleaseRecipe, SequenceBuilder,
    SignatureHeaders, Variant,
};
pub use capability::{Capabilities, ComponentCapability, Unsupported, can_process};
pub use command::{
    Command, ComponentIndex, Condition, Control, Directive, Operation, ReportingPolicy, Sequence,
};
pub use common::{Common, Dependency};
pub use component::{ComponentId, NotAComponentId};
pub use envelope::Envelope;
pub use error::{Error, Feature, Member, Refusal};
pub use evaluate::{Image, Targets};
pub use identifier::{Uuid, VendorId};
pub use index::{EnvelopeIndex, EnvelopeReader, IndexedPayload};
pub use interpreter::{
    DependencyFault, Failure, FailureKind, Installed, Platform, PlatformError, Procedure, Processor,
    Progress, References,
};
pub use manifest::{Held, Manifest, Section, Severable};
pub use metadata::{Actor, ComponentMetadata, FileType, Permissions};
pub use mud::MudBinding;
pub use names::{command_name, parameter_name};
pub use parameter::Parameter;
pub use report::{
    Entry, Finding, Located, Outcome, Properties, Property, Reason, Record, Replay, Report, ReportError,
    SignedReport, Subject, SystemPropertyClaims, Verdict, VerifiedReport, locate, replay,
};
pub use text::{LanguageText, Text};
pub use verify::{Signer, Verified, VerifiedManifest};
pub use version::{Comparison, Version, VersionMatch};
pub use wait::{OtherDevice, WaitInfo};
