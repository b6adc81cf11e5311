//! Concise software identification tags (RFC 9393): model, strict decoding, deterministic encoding, signatures.
//!
//! A [`Tag`] names one software component and the files it consists of. A *payload* tag, made by the author of a
//! release, says what to expect; an *evidence* tag, made on a device, says what was found; [`Tag::measured_files`]
//! gives both in one shape for comparison. [`Received`] tells unsigned from signed tags, and only
//! [`SignedTag::verify`] makes a [`VerifiedTag`].
//!
//! With the feature `interchange` tags come from and go to SPDX, CycloneDX and SWID XML, and advisories (OSV, CSAF, OpenVEX)
//! are held against the components of a tag. The crate never follows a link, and does not decide whether evidence matches
//! a release.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

#[cfg(feature = "interchange")]
pub mod advisory;
mod attribute;
mod builder;
mod collection;
mod entity;
mod error;
mod hash;
#[cfg(feature = "interchange")]
pub mod interchange;
mod labels;
mod link;
mod measured;
mod meta;
mod registry;
mod signed;
mod tag;
mod version;
mod wire;

#[cfg(test)]
mod tests;

// Public interface
pub use attribute::{Attribute, AttributeKey, GlobalAttributes, MAX_ATTRIBUTE_LEN, MAX_ATTRIBUTES, Uri};
pub use builder::TagBuilder;
pub use collection::{Directory, Evidence, File, Payload, Process, Resource, ResourceCollection};
pub use entity::{Entity, Role};
pub use error::Error;
pub use hash::Hash;
pub use link::{Link, Ownership, Rel, Use};
pub use measured::MeasuredFile;
pub use meta::{Generator, SoftwareMeta};
pub use signed::{CONTENT_TYPE, Received, SignedTag, VerifiedTag, envelope, sign};
pub use tag::{CBOR_TAG, Collection, MAX_TAG_LEN, Tag, TagId, TagKind};
pub use version::{Version, VersionScheme};
pub use wire::{MAX_ENTRIES, MAX_TEXT_LEN};
