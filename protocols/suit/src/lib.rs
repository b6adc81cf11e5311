//! SUIT envelopes and manifests (draft-ietf-suit-manifest-37): decode, verify, interpret, author.
//!
//! * [`Envelope::decode`] reads bytes from anywhere; [`Envelope::verify`] decides with an [`AuthorityList`] whether to
//!   believe them, and is the only maker of [`Verified`].
//! * [`Processor`] runs the procedures of a verified manifest on a [`Platform`].
//! * [`ReleaseRecipe`], [`ManifestBuilder`] and [`EnvelopeBuilder`] write what a recipient accepts.
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

mod authority;
mod build;
mod command;
mod common;
mod component;
mod digest;
mod envelope;
mod error;
mod evaluate;
mod identifier;
mod interpreter;
mod manifest;
mod mud;
mod parameter;
mod report;
mod sequence;
mod text;
mod verify;
mod version;
mod wait;

// Public interface
pub use authority::{Authority, AuthorityError, AuthorityList, AuthorityPolicy, Role};
pub use build::{
    BuildError, EnvelopeBuilder, ImageRecipe, ManifestBuilder, ReleaseRecipe, SequenceBuilder, Variant,
};
pub use command::{Command, ComponentIndex, Condition, Directive, Operation, ReportingPolicy, Sequence};
pub use common::{Common, Dependency};
pub use component::{ComponentId, NotAComponentId};
pub use envelope::Envelope;
pub use error::{Error, Feature, Member, Refusal};
pub use evaluate::{Image, Targets};
pub use identifier::{Uuid, VendorId};
pub use interpreter::{
    Failure, FailureKind, Installed, Platform, PlatformError, Procedure, Processor, Progress,
};
pub use manifest::{Held, Manifest, Section, Severable};
pub use mud::MudBinding;
pub use parameter::Parameter;
pub use report::{Entry, Outcome, Property, Reason, Record, Report, SystemPropertyClaims};
pub use text::{LanguageText, Text};
pub use verify::{Signer, Verified, VerifiedManifest};
pub use version::{Comparison, Version, VersionMatch};
pub use wait::{OtherDevice, WaitInfo};
