//! The only crate that names a cryptography crate: one face over two back ends.
//!
//! It offers what the protocols sign, hash and authenticate with: SHA-2, HMAC, ECDSA on P-256 and P-384, and Ed25519.
//! It holds no randomness of its own (a generated key takes its bytes from the caller), no trust decision and no
//! object format beyond the DER of single keys: COSE lives in `cose`, certificates in `x509`.
//!
//! * `soft` (default) is RustCrypto: `no_std`, pure Rust, deterministic ECDSA (RFC 6979).
//! * `fast` is aws-lc-rs: needs `std`, and takes over every operation when both are present. Its ECDSA signatures
//!   are randomised; all else gives the same results.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

#[cfg(not(any(feature = "soft", feature = "fast")))]
compile_error!(
    "sextant-crypto needs a back end: enable its feature `soft` (devices, no_std) or `fast` (servers, std)"
);

mod algorithm;
mod der;
mod digest;
mod error;
mod key;
mod mac;
mod signing;

#[cfg(feature = "fast")]
mod fast;
// Beside `fast` it is only compiled to be compared with it.
#[cfg(all(feature = "soft", any(test, not(feature = "fast"))))]
mod soft;

#[cfg(feature = "fast")]
use fast as backend;
#[cfg(all(feature = "soft", not(feature = "fast")))]
use soft as backend;

#[cfg(test)]
mod tests;

// Public interface
pub use algorithm::{HashAlgorithm, SignatureAlgorithm};
pub use digest::{Digest, Hasher, MAX_DIGEST_LEN, NotADigest};
pub use error::Error;
pub use key::PublicKey;
pub use mac::{constant_time_eq, hmac, hmac_verify};
pub use signing::SigningKey;
pub use zeroize::Zeroizing;
