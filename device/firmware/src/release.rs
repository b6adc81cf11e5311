//! The release that the images verify, and who signed it.

use alloc::vec::Vec;

use crypto::{PublicKey, SignatureAlgorithm};
use suit::{Authority, AuthorityList, Role};

use crate::Failure;

/// A release with its payload in it, made and signed by `sextant suit build` with the key of [`AUTHOR`].
static RELEASE: &[u8] = include_bytes!("../fixtures/release.suit");

/// The author's public key on P-256: x and y.
static AUTHOR: &[u8; 64] = include_bytes!("../fixtures/author.point");

/// Number of the byte of the release that [`tampered`] changes: one of the payload's digest in the manifest.
const TAMPERED_AT: usize = 0xe4;

/// The envelope, which the compiler takes for bytes that come from elsewhere.
pub fn release() -> &'static [u8] {
    core::hint::black_box(RELEASE)
}

/// The envelope with one bit changed.
pub fn tampered() -> Vec<u8> {
    let mut bytes = release().to_vec();
    if let Some(byte) = bytes.get_mut(TAMPERED_AT) {
        *byte ^= 1;
    }
    bytes
}

/// The list of the one author.
pub fn authorities() -> Result<AuthorityList, Failure> {
    let (x, y) = AUTHOR.split_at(AUTHOR.len() / 2);
    let key = PublicKey::from_ec2(SignatureAlgorithm::Es256, x, y).map_err(|_| "the author's key")?;
    let author = Authority::new(key, b"", "", Role::Author);
    AuthorityList::with_default_policy(alloc::vec![author]).map_err(|_| "the list of authorities")
}
