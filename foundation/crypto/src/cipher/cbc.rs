//! AES-CBC with padding (NIST SP 800-38A, section 6.2; RFC 5652, section 6.3), in one piece: the padding is at its end.
//!
//! Whether a padding is one tells who may try ciphertexts the plaintext. Whoever decrypts checks a MAC of the ciphertext first.

use alloc::vec::Vec;

use aes::{Aes128, Aes256};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};

use crate::{ContentAlgorithm, Error};

/// Encrypts, and pads by one byte to a whole block.
pub(crate) fn encrypt(
    algorithm: ContentAlgorithm,
    key: &[u8],
    iv: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    match algorithm {
        ContentAlgorithm::A128Cbc => seal::<cbc::Encryptor<Aes128>>(key, iv, plaintext),
        ContentAlgorithm::A256Cbc => seal::<cbc::Encryptor<Aes256>>(key, iv, plaintext),
        _ => Err(Error::WrongKeyType),
    }
}

/// Decrypts, and takes the padding away.
pub(crate) fn decrypt(
    algorithm: ContentAlgorithm,
    key: &[u8],
    iv: &[u8],
    ciphertext: &[u8],
) -> Result<Vec<u8>, Error> {
    match algorithm {
        ContentAlgorithm::A128Cbc => open::<cbc::Decryptor<Aes128>>(key, iv, ciphertext),
        ContentAlgorithm::A256Cbc => open::<cbc::Decryptor<Aes256>>(key, iv, ciphertext),
        _ => Err(Error::WrongKeyType),
    }
}

fn seal<C: KeyIvInit + BlockModeEncrypt>(key: &[u8], iv: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let cipher = C::new_from_slices(key, iv).map_err(|_| Error::MalformedIv)?;
    Ok(cipher.encrypt_padded_vec::<Pkcs7>(plaintext))
}

fn open<C: KeyIvInit + BlockModeDecrypt>(key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>, Error> {
    let cipher = C::new_from_slices(key, iv).map_err(|_| Error::MalformedIv)?;
    cipher.decrypt_padded_vec::<Pkcs7>(ciphertext).map_err(|_| Error::BadCiphertext)
}
