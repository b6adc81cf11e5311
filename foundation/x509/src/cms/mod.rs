//! Detached signatures in CMS SignedData (RFC 5652, section 5), in the profile of MUD files (RFC 8520, section 13).
//!
//! [`Detached::decode`] gives a well-formed message that nobody believes; [`Detached::verify`] says who signed the
//! content, and only for a signer that chains to an anchor of the operator's. [`sign_detached`] makes such messages.

mod sign;
mod signed_data;
mod signer;
mod verify;

#[cfg(test)]
mod tests;

// Public interface
pub use sign::{ToBeSigned, sign_detached};
pub use signed_data::{ContentType, Detached, MAX_CERTIFICATES, MAX_SIGNED_DATA_LEN, MAX_SIGNERS};
pub use signer::{MAX_ATTRIBUTES, Signer, SignerId};
pub use verify::{OtherSigner, SignerPolicy, VerifiedSigner};
