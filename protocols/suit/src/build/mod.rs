//! Authoring: sequences, manifests and envelopes are built here, and recipes for the usual releases.

mod envelope;
mod manifest;
mod recipe;
mod sequence;

pub(crate) use envelope::sign_detached;
pub use envelope::{BuildError, EnvelopeBuilder, SignatureHeaders};
pub use manifest::ManifestBuilder;
pub use recipe::{ImageRecipe, ReleaseRecipe, Variant};
pub use sequence::SequenceBuilder;
