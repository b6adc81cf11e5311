//! Encryption is left out of the build: there is no cipher, and whoever asks for one is told so.

use super::{BLOCK_LEN, NONCE_LEN};
use crate::Error;

/// No keystream.
pub(crate) enum Keystream {
    Aes(AesCounter),
}

impl Keystream {
    pub(crate) fn apply(&mut self, _: &mut [u8]) {
        let Self::Aes(counter) = self;
        match *counter {}
    }
}

/// No counter mode.
pub(crate) enum AesCounter {}

impl AesCounter {
    pub(crate) fn new(_: &[u8], _: &[u8; BLOCK_LEN]) -> Result<Self, Error> {
        Err(Error::UnsupportedAlgorithm)
    }

    pub(crate) fn seek(&mut self, _: u64) {
        match *self {}
    }
}

/// No tag.
pub(crate) enum Authenticator {}

impl Authenticator {
    pub(crate) fn update(&mut self, _: &[u8]) {
        match *self {}
    }

    pub(crate) fn finish(self) -> [u8; BLOCK_LEN] {
        match self {}
    }
}

pub(crate) fn gcm(_: &[u8], _: &[u8; NONCE_LEN], _: &[u8]) -> Result<(Keystream, Authenticator), Error> {
    Err(Error::UnsupportedAlgorithm)
}

pub(crate) fn chacha20_poly1305(
    _: &[u8],
    _: &[u8; NONCE_LEN],
    _: &[u8],
) -> Result<(Keystream, Authenticator), Error> {
    Err(Error::UnsupportedAlgorithm)
}
