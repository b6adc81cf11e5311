//! MD5, where an old protocol prescribes it: RADIUS (RFC 2865, RFC 3579, RFC 5176). It is broken as a hash, so that it is no
//! [`HashAlgorithm`](crate::HashAlgorithm) and nothing else can ask for it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};

/// Length of an MD5 digest.
pub const MD5_LEN: usize = 16;

/// MD5 of the parts, one after another (RFC 1321).
pub fn md5(parts: &[&[u8]]) -> [u8; MD5_LEN] {
    let mut state = Md5::new();
    parts.iter().for_each(|part| state.update(part));
    state.finalize().into()
}

/// HMAC-MD5 (RFC 2104), untruncated.
pub fn hmac_md5(key: &[u8], message: &[u8]) -> [u8; MD5_LEN] {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // RFC 1321, appendix A.5, and RFC 2202, section 2, test case 2.
        assert_eq!(
            md5(&[b"message", b" digest"]),
            *b"\xf9\x6b\x69\x7d\x7c\xb7\x93\x8d\x52\x5a\x2f\x31\xaa\xf1\x61\xd0"
        );
        assert_eq!(
            hmac_md5(b"Jefe", b"what do ya want for nothing?"),
            *b"\x75\x0c\x78\x3e\x6a\xb0\xb5\x03\xea\xa8\x6e\x31\x0a\x5d\xb7\x38"
        );
    }
}
