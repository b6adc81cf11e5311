//! Concise reference integrity manifests (draft-ietf-rats-corim): CoRIM, CoMID and CoTL.
//!
//! A [`Corim`] is a container of tags under one profile and signer; a [`Comid`] in it says in triples what environments are
//! expected to report, and what more is true of them. [`Received`] tells unsigned manifests from signed ones, and only
//! [`SignedCorim::verify`], or an operator who answers by name for an upload, makes a [`VerifiedCorim`].
//!
//! Evidence comes as [`Ect`]s. [`References::appraise`] says whether one release covers all of it, and
//! [`StateSet::augment`] what endorsements add. [`Coserv`] asks for any of these, and answers. [`Difference`] says what one
//! manifest does and another does not.
//!
//! It does not read CoSWID tags, which it carries as bytes, follows no link, and knows no form of evidence: whoever does
//! puts it into [`Ect`]s.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod comid;
mod comparison;
mod corim;
mod coserv;
mod cotl;
mod coverage;
mod datetime;
mod difference;
mod digest;
mod domain;
mod ect;
mod environment;
mod error;
mod identity;
mod key;
mod labels;
mod measurement;
mod meta;
mod older;
mod profile;
mod references;
mod signed;
mod state;
mod triples;
mod values;
mod wire;

// Public interface
pub use comid::{Comid, LinkedTag};
pub use corim::{Corim, Locator, Tag};
pub use coserv::{
    ArtifactType, Coserv, CoservQuery, CoservResults, EnvironmentSelector, Quad, ResultType, RimSelector,
    Stateful,
};
pub use cotl::Cotl;
pub use coverage::{Appraisal, Outcome, Subject};
pub use difference::{Change, Difference, Statement, StatementChange, StatementKind};
pub use digest::{Digest, DigestAlgorithm};
pub use domain::is_acyclic;
pub use ect::{ClaimKind, Ect, Element};
pub use environment::{Class, ClassId, Environment, Group, Instance};
pub use error::{Distrust, Error};
pub use identity::{Entity, Profile, TagId, TagIdentity, Validity};
pub use key::CryptoKey;
pub use measurement::{MeasuredElement, Measurement};
pub use meta::SignerMeta;
pub use profile::{
    CCA_PLATFORM_CONFIG, CCA_REMS, CCA_RIM, CCA_RPV, CCA_SOFTWARE_COMPONENT, KnownProfile,
    PSA_SOFTWARE_COMPONENT,
};
pub use references::{MAX_CANDIDATES, References, Release, ReleaseAuthority, ReleaseId, ReleaseUnit};
pub use signed::{Anchors, Authority, CONTENT_TYPE, Received, SignedCorim, UnsignedCorim, VerifiedCorim};
pub use state::{Exhausted, MAX_COMPARISONS, MAX_STATE, StateSet};
pub use triples::{
    ConditionalTriple, CoswidTriple, DomainTriple, KeyTriple, SeriesItem, SeriesTriple, Triples, ValuesTriple,
};
pub use values::{Flags, IntRange, MeasurementValues, RawValue, RegisterId, Svn, Version, VersionScheme};
pub use wire::{Extensions, MAX_CORIM_LEN, MAX_ENTRIES, MAX_EXTENSIONS, MAX_PEM_LEN, MAX_TEXT_LEN};
