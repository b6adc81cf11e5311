//! COSE signatures, MACs, encryption, keys, thumbprints and trust anchors (RFC 9052, RFC 9053, RFC 9459, RFC 9679).
//!
//! Messages borrow from the received bytes and are verified over them. A decoded message is well-formed and trusted by
//! nobody: only its `verify` functions, with keys or [`TrustAnchors`] of the caller's, say whose it is. An algorithm
//! must be named in the protected bucket and be the one of the key; a key has one purpose, and those that decrypt
//! ([`DecryptionKey`]) are of another type than those that verify.
//!
//! ```
//! # use sextant_cose::{Error, Purpose, Sign1, Sign1Builder, TrustAnchor, TrustAnchors};
//! # use crypto::{SignatureAlgorithm, SigningKey};
//! # let key = SigningKey::from_bytes(SignatureAlgorithm::Es256, &[7; 32]).expect("a scalar in range");
//! let message = Sign1Builder::new().content_type("application/example+cbor").sign(&key, b"payload");
//!
//! let anchors = TrustAnchors::new(vec![TrustAnchor::new(key.public_key().clone(), Purpose::Author, "maker")]);
//! let sign1 = Sign1::decode(&message)?;
//! assert_eq!(sign1.verify_with(&anchors, Purpose::Author, None, &[])?.name, "maker");
//! assert!(sign1.verify_with(&anchors, Purpose::Evidence, None, &[]).is_err());
//! # Ok::<(), Error>(())
//! ```
//!
//! It does not read claims (`eat`) and does not walk certificate chains (`x509`).

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod labels;

mod anchors;
mod builder;
mod content;
mod encrypt;
mod encrypt_builder;
mod encryption_key;
mod error;
mod header;
mod key;
mod mac0;
mod message;
mod recipient;
mod rsa_key;
mod sign;
mod sign1;
mod structure;

#[cfg(test)]
mod tests;

// Public interface
pub use anchors::{MAX_CANDIDATES, Purpose, TrustAnchor, TrustAnchors};
pub use encrypt::{Encrypt, Encrypt0, MAX_RECIPIENTS};
pub use encrypt_builder::{Encrypt0Builder, EncryptBuilder};
pub use encryption_key::{DecryptionKey, DecryptionKeys, KeyStore, RecipientAlgorithm, RecipientKey};
pub use error::{Distrust, Error, Feature};
pub use header::{Bucket, ContentType, Headers, Label, MAX_CERTIFICATES, MAX_HEADERS};
pub use key::{Key, MAX_KEY_LEN, thumbprint};
pub use mac0::{MIN_MAC_KEY_LEN, Mac0, Mac0Builder, MacKey};
pub use message::MAX_MESSAGE_LEN;
pub use recipient::{MAX_DECRYPTION_TRIES, Recipient};
pub use rsa_key::{decode_rsa_key, encode_rsa_key, rsa_thumbprint};
pub use sign::{MAX_SIGNATURES, Sign, SignBuilder, Signature, Signer};
pub use sign1::{Sign1, Sign1Builder};
