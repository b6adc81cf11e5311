//! AES-CCM (NIST SP 800-38C, RFC 3610) with tags of 128 bits, in one piece: its first block states the length of all.

use alloc::vec::Vec;

use aes::{Aes128, Aes256};
use ccm::aead::{Aead, Payload};
use ccm::consts::{U7, U13, U16};
use ccm::{Ccm, KeyInit};

use crate::{ContentAlgorithm, Error};

/// Encrypts; the tag is at the end.
pub(crate) fn encrypt(
    algorithm: ContentAlgorithm,
    key: &[u8],
    iv: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let payload = Payload { msg: plaintext, aad };
    match algorithm {
        ContentAlgorithm::Ccm16A128 => seal::<Ccm<Aes128, U16, U13>>(key, iv, payload),
        ContentAlgorithm::Ccm16A256 => seal::<Ccm<Aes256, U16, U13>>(key, iv, payload),
        ContentAlgorithm::Ccm64A128 => seal::<Ccm<Aes128, U16, U7>>(key, iv, payload),
        ContentAlgorithm::Ccm64A256 => seal::<Ccm<Aes256, U16, U7>>(key, iv, payload),
        _ => Err(Error::WrongKeyType),
    }
}

/// Decrypts, once the tag was checked.
pub(crate) fn decrypt(
    algorithm: ContentAlgorithm,
    key: &[u8],
    iv: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Vec<u8>, Error> {
    let payload = Payload { msg: ciphertext, aad };
    match algorithm {
        ContentAlgorithm::Ccm16A128 => open::<Ccm<Aes128, U16, U13>>(key, iv, payload),
        ContentAlgorithm::Ccm16A256 => open::<Ccm<Aes256, U16, U13>>(key, iv, payload),
        ContentAlgorithm::Ccm64A128 => open::<Ccm<Aes128, U16, U7>>(key, iv, payload),
        ContentAlgorithm::Ccm64A256 => open::<Ccm<Aes256, U16, U7>>(key, iv, payload),
        _ => Err(Error::WrongKeyType),
    }
}

fn seal<C: KeyInit + Aead>(key: &[u8], iv: &[u8], payload: Payload<'_, '_>) -> Result<Vec<u8>, Error> {
    let cipher = C::new_from_slice(key).map_err(|_| Error::MalformedKey)?;
    cipher.encrypt(iv.try_into().map_err(|_| Error::MalformedIv)?, payload).map_err(|_| Error::TooLong)
}

fn open<C: KeyInit + Aead>(key: &[u8], iv: &[u8], payload: Payload<'_, '_>) -> Result<Vec<u8>, Error> {
    let cipher = C::new_from_slice(key).map_err(|_| Error::MalformedKey)?;
    cipher.decrypt(iv.try_into().map_err(|_| Error::MalformedIv)?, payload).map_err(|_| Error::BadTag)
}
