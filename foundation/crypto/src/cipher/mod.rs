//! Keystreams and authenticators, fed piece by piece: what [`crate::Encryptor`] and [`crate::Decryptor`] are made of; and
//! AES-CCM and AES-CBC, which take all at once.

#[cfg(not(feature = "encryption"))]
mod absent;
#[cfg(feature = "cbc")]
pub(crate) mod cbc;
#[cfg(feature = "ccm")]
pub(crate) mod ccm;
#[cfg(feature = "encryption")]
mod rustcrypto;

#[cfg(not(feature = "encryption"))]
use absent as backend;
#[cfg(feature = "encryption")]
use rustcrypto as backend;

pub(crate) use backend::{AesCounter, Authenticator, Keystream, chacha20_poly1305, gcm};

/// Length of a block of AES, of GHASH and of Poly1305, and of an authentication tag.
pub(crate) const BLOCK_LEN: usize = 16;

/// Length of a nonce of GCM and of ChaCha20-Poly1305.
pub(crate) const NONCE_LEN: usize = 12;
