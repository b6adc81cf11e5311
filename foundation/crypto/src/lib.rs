//! The only crate that names a cryptography crate: one face over two back ends.
//!
//! It offers what the protocols sign, hash, authenticate and encrypt with: SHA-2, HMAC, HKDF, the KDF of NIST SP 800-108,
//! ECDSA on P-256 and P-384, Ed25519, HSS/LMS, AES-GCM, AES-CTR, ChaCha20-Poly1305, AES key wrap, ECDH on P-256 and P-384.
//! It holds no randomness of its own (a generated key takes its bytes from the caller), no trust decision and no
//! object format beyond the DER of single keys: COSE lives in `cose`, certificates in `x509`.
//!
//! * `soft` (default) is RustCrypto: `no_std`, pure Rust, deterministic ECDSA (RFC 6979).
//! * `fast` is aws-lc-rs: needs `std`, and takes over every operation when both are present. Its ECDSA signatures
//!   are randomised; all else gives the same results.
//!
//! * `sha512`, `es384`, `ed25519`, `hss` and `encryption` (all default) are what a small device leaves out. It then answers
//!   [`Error::UnsupportedAlgorithm`] for keys of such an algorithm, does not find it by its number, and does not list it.
//! * `rsa` verifies RSA signatures and encrypts to RSA keys; without it both are unsupported. With `fast` beside it there are
//!   RSA private keys, too ([`RsaSigningKey`]): no device has one.
//! * `ccm` is AES-CCM, which encrypts in one piece only.
//! * `modp` is Diffie-Hellman modulo a prime ([`ModpKey`]), for key exchanges with owners that have RSA keys.
//! * `md5` is for RADIUS, which knows nothing newer.
//! * `pkcs11` adds keys in security modules ([`TokenKey`]): needs `std`, and loads what its caller names.
//!
//! What aws-lc-rs does not have is one piece of code for both: content encryption in pieces, AES key wrap and Diffie-Hellman modulo a
//! prime come from RustCrypto (which uses the processor's AES where there is one), HSS/LMS is this crate's own over SHA-256.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

#[cfg(not(any(feature = "soft", feature = "fast")))]
compile_error!(
    "sextant-crypto needs a back end: enable its feature `soft` (devices, no_std) or `fast` (servers, std)"
);

mod agreement;
mod algorithm;
mod cipher;
mod content;
mod der;
mod digest;
mod error;
mod key;
mod keywrap;
mod mac;
#[cfg(feature = "md5")]
mod md5;
#[cfg(feature = "modp")]
mod modp;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod rsa;
#[cfg(feature = "rsa")]
mod rsa_encryption;
mod rsa_signing;
mod signing;
mod stream;

#[cfg(feature = "hss")]
mod hss;
/// Left out: no key is one of HSS/LMS.
#[cfg(not(feature = "hss"))]
mod hss {
    use crate::Error;

    pub(crate) fn check_public_key(_: &[u8]) -> Result<(), Error> {
        Err(Error::UnsupportedAlgorithm)
    }

    pub(crate) fn verify(_: &[u8], _: &[u8], _: &[u8]) -> Result<(), Error> {
        Err(Error::UnsupportedAlgorithm)
    }
}

#[cfg(feature = "fast")]
mod fast;
// Beside `fast` it is only compiled to be compared with it.
#[cfg(all(feature = "soft", any(test, not(feature = "fast"))))]
mod es256;
#[cfg(all(feature = "soft", any(test, not(feature = "fast"))))]
mod soft;

#[cfg(feature = "fast")]
use fast as backend;
#[cfg(all(feature = "soft", not(feature = "fast")))]
use soft as backend;

// Of all algorithms; builds that leave some out have a test of their own.
#[cfg(all(test, feature = "es384", feature = "ed25519", feature = "hss", feature = "encryption"))]
mod tests;

// Public interface
pub use agreement::{AgreementCurve, AgreementKey, AgreementPublicKey, SharedSecret};
pub use algorithm::{HashAlgorithm, SignatureAlgorithm};
pub use content::{ContentAlgorithm, ContentKey};
pub use digest::{Digest, Hasher, MAX_DIGEST_LEN, NotADigest};
pub use error::Error;
#[cfg(feature = "hss")]
pub use hss::{
    Confirmed, HssSigningKey, LmotsType, LmsType, MAX_HSS_LEVELS, MAX_HSS_SIGNATURE_LEN, Reserved,
};
pub use key::PublicKey;
pub use keywrap::{KeyWrapAlgorithm, KeyWrapKey, MAX_WRAPPED_KEY_LEN};
pub use mac::{constant_time_eq, hkdf, hmac, hmac_verify, kdf_counter};
#[cfg(feature = "md5")]
pub use md5::{MD5_LEN, hmac_md5, md5};
#[cfg(feature = "modp")]
pub use modp::{ModpGroup, ModpKey};
#[cfg(feature = "pkcs11")]
pub use pkcs11::{TokenError, TokenKey, TokenKeyName};
pub use rsa::{RsaPadding, RsaPublicKey};
pub use rsa_signing::RsaSigningKey;
pub use signing::SigningKey;
pub use stream::{Decrypted, Decryptor, Encryptor, Unverified};
pub use zeroize::Zeroizing;
