use alloc::vec::Vec;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::digest::MAX_DIGEST_LEN;
use crate::{Digest, Error, HashAlgorithm, backend};

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

/// HKDF (RFC 5869), extract and expand: fills `out` with key material from a secret. An empty salt is none.
pub fn hkdf(
    algorithm: HashAlgorithm,
    secret: &[u8],
    salt: &[u8],
    info: &[u8],
    out: &mut [u8],
) -> Result<(), Error> {
    let mut extracted = Zeroizing::new([0; MAX_DIGEST_LEN]);
    let extracted = &mut extracted[..algorithm.len()];
    backend::hmac(algorithm, salt, secret, extracted);
    let mut block = Zeroizing::new([0; MAX_DIGEST_LEN]);
    let block = &mut block[..algorithm.len()];
    // Room for everything, so that no reallocation leaves a copy of key material behind.
    let mut message = Zeroizing::new(Vec::with_capacity(algorithm.len() + info.len() + 1));
    for (index, piece) in out.chunks_mut(algorithm.len()).enumerate() {
        let number = u8::try_from(index + 1).map_err(|_| Error::TooLong)?;
        message.clear();
        if index > 0 {
            message.extend_from_slice(block);
        }
        message.extend_from_slice(info);
        message.push(number);
        backend::hmac(algorithm, extracted, &message, block);
        piece.copy_from_slice(&block[..piece.len()]);
    }
    Ok(())
}

/// KDF in counter mode over HMAC (NIST SP 800-108, section 4.1): fills `out` with key material from a key.
///
/// The counter has 8 bits and comes first; the length of all output, in bits, has 16. So at most 255 blocks and at most
/// 8191 bytes are derived.
pub fn kdf_counter(
    algorithm: HashAlgorithm,
    key: &[u8],
    label: &[u8],
    context: &[u8],
    out: &mut [u8],
) -> Result<(), Error> {
    let bits = out.len().checked_mul(8).and_then(|bits| u16::try_from(bits).ok()).ok_or(Error::TooLong)?;
    if out.len().div_ceil(algorithm.len()) > usize::from(u8::MAX) {
        return Err(Error::TooLong);
    }
    let mut message = [&[0], label, &[0], context, &bits.to_be_bytes()].concat();
    let mut block = Zeroizing::new([0; MAX_DIGEST_LEN]);
    let block = &mut block[..algorithm.len()];
    for piece in out.chunks_mut(algorithm.len()) {
        message[0] += 1;
        backend::hmac(algorithm, key, &message, block);
        piece.copy_from_slice(&block[..piece.len()]);
    }
    Ok(())
}

/// Whether two secrets are equal, in a time that depends on their lengths only.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
