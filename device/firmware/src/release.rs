//! The release that the images verify, and who signed it.

use alloc::vec::Vec;

use crypto::{PublicKey, SignatureAlgorithm};
use suit::{Authority, AuthorityList, Role};

use crate::Failure;

/// A release with its payload in it, made and signed by `sextant suit build` with the key of [`AUTHOR`].
static RELEASE: &[u8] = include_bytes!("../fixtures/release.suit");

/// The author's public key on P-256: x and y.
static AUTHOR: &[u8; 64] = include_bytes!("../fixtures/author.point");

/// A public key on P-256 that signed no release: that of RFC 6979, appendix A.2.5.
pub static RFC_6979_KEY: [u8; 64] = [
    0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74, 0xc6, 0x35, 0x6d, 0x68, 0xc0,
    0x49, 0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f, 0xb6, 0x79, 0x03,
    0xfe, 0x10, 0x08, 0xb8, 0xbc, 0x99, 0xa4, 0x1a, 0xe9, 0xe9, 0x56, 0x28, 0xbc, 0x64, 0xf2, 0xf1, 0xb2,
    0x0c, 0x2d, 0x7e, 0x9f, 0x51, 0x77, 0xa3, 0xc2, 0x94, 0xd4, 0x46, 0x22, 0x99,
];

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
    list_of(AUTHOR)
}

/// A list of one who signed nothing here.
pub fn others() -> Result<AuthorityList, Failure> {
    list_of(&RFC_6979_KEY)
}

fn list_of(point: &[u8]) -> Result<AuthorityList, Failure> {
    let (x, y) = point.split_at(point.len() / 2);
    let key = PublicKey::from_ec2(SignatureAlgorithm::Es256, x, y).map_err(|_| "the author's key")?;
    let author = Authority::new(key, b"", "", Role::Author);
    AuthorityList::with_default_policy(alloc::vec![author]).map_err(|_| "the list of authorities")
}
