use subtle::ConstantTimeEq;

use crate::digest::MAX_DIGEST_LEN;
use crate::{Digest, HashAlgorithm, backend};

/// HMAC of the message (RFC 2104), untruncated.
pub fn hmac(algorithm: HashAlgorithm, key: &[u8], message: &[u8]) -> Digest {
    let mut tag = [0; MAX_DIGEST_LEN];
    let tag = &mut tag[..algorithm.len()];
    backend::hmac(algorithm, key, message, tag);
    Digest::new(algorithm, tag).expect("the tag has the length of the hash function")
}

/// Whether the tag is the untruncated HMAC of the message; takes constant time for tags of the right length.
#[must_use = "a tag that does not match must be refused"]
pub fn hmac_verify(algorithm: HashAlgorithm, key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    constant_time_eq(hmac(algorithm, key, message).as_bytes(), tag)
}

/// Whether two secrets are equal, in a time that depends on their lengths only.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
