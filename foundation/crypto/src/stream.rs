use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;

use crate::Error;
use crate::cipher::{BLOCK_LEN, Keystream};
use crate::content::Cipher;

/// Encrypts content piece by piece; made by [`crate::ContentKey::encryptor`].
pub struct Encryptor(pub(crate) Cipher);

impl Encryptor {
    /// Encrypts one piece of any length into the beginning of `out`, which must be as long, and returns that part.
    pub fn update<'o>(&mut self, plaintext: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], Error> {
        let out = out.get_mut(..plaintext.len()).ok_or(Error::BufferTooShort)?;
        self.0.pass(plaintext.len())?;
        out.copy_from_slice(plaintext);
        self.0.keystream.apply(out);
        if let Some(authenticator) = &mut self.0.authenticator {
            authenticator.update(out);
        }
        Ok(out)
    }

    /// What follows the ciphertext: the authentication tag, or nothing where the algorithm has none.
    pub fn finish(self) -> Vec<u8> {
        self.0.authenticator.map(|authenticator| authenticator.finish().to_vec()).unwrap_or_default()
    }
}

impl fmt::Debug for Encryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encryptor(…)")
    }
}

/// Decrypts content piece by piece; made by [`crate::ContentKey::decryptor`].
///
/// What it gives may be written to where nothing reads it yet. Only [`Decryptor::finish`] tells whether it is what was
/// encrypted, and gives the proof: a caller that acts on the plaintext should ask for a [`Decrypted`].
pub struct Decryptor {
    cipher: Cipher,
    /// The last bytes received: the tag, unless more follow. The first `held_len` count.
    held: [u8; BLOCK_LEN],
    held_len: usize,
}

impl Decryptor {
    pub(crate) fn new(cipher: Cipher) -> Self {
        Self { cipher, held: [0; BLOCK_LEN], held_len: 0 }
    }

    /// Decrypts one piece of any length into the beginning of `out` and returns that part.
    ///
    /// It is as long as the piece, or up to 16 bytes shorter where the end of the piece may be the tag; `out` need not be
    /// longer than the piece.
    pub fn update<'o>(&mut self, ciphertext: &[u8], out: &'o mut [u8]) -> Result<Unverified<'o>, Error> {
        let tag_len = if self.cipher.authenticator.is_some() { BLOCK_LEN } else { 0 };
        let release = (self.held_len + ciphertext.len()).saturating_sub(tag_len);
        let out = out.get_mut(..release).ok_or(Error::BufferTooShort)?;
        self.cipher.pass(release)?;

        let from_held = release.min(self.held_len);
        let (now, later) = ciphertext.split_at(release - from_held);
        let (first, rest) = out.split_at_mut(from_held);
        first.copy_from_slice(&self.held[..from_held]);
        rest.copy_from_slice(now);
        self.held.copy_within(from_held..self.held_len, 0);
        self.held_len -= from_held;
        self.held[self.held_len..self.held_len + later.len()].copy_from_slice(later);
        self.held_len += later.len();

        if let Some(authenticator) = &mut self.cipher.authenticator {
            authenticator.update(out);
        }
        self.cipher.keystream.apply(out);
        Ok(Unverified(out))
    }

    /// Goes to an offset of the ciphertext, so that decryption resumes after an interruption.
    ///
    /// Only counter mode can: a tag covers all of the ciphertext.
    pub fn seek(&mut self, offset: u64) -> Result<(), Error> {
        match &mut self.cipher.keystream {
            Keystream::Aes(counter) if self.cipher.authenticator.is_none() => {
                counter.seek(offset);
                self.cipher.len = offset;
                self.cipher.left = u64::MAX - offset;
                Ok(())
            }
            _ => Err(Error::NotSeekable),
        }
    }

    /// Checks the tag, in constant time, and gives the proof that all of the plaintext is what was encrypted.
    pub fn finish(self) -> Result<Decrypted, Error> {
        let len = self.cipher.len;
        let Some(authenticator) = self.cipher.authenticator else {
            return Ok(Decrypted { len, authenticated: false });
        };
        if self.held_len == BLOCK_LEN && bool::from(authenticator.finish().ct_eq(&self.held)) {
            Ok(Decrypted { len, authenticated: true })
        } else {
            Err(Error::BadTag)
        }
    }
}

impl fmt::Debug for Decryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decryptor(…)")
    }
}

/// Plaintext of which nobody knows yet whether it is what was encrypted.
#[derive(Debug)]
pub struct Unverified<'o>(&'o [u8]);

impl<'o> Unverified<'o> {
    /// The bytes, to be kept from use until [`Decryptor::finish`] has given its proof.
    pub fn as_unverified(&self) -> &'o [u8] {
        self.0
    }
}

/// Proof that a decryption came to its end, and what that says. Only [`Decryptor::finish`] makes one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "says whether the plaintext was authenticated"]
pub struct Decrypted {
    len: u64,
    authenticated: bool,
}

impl Decrypted {
    /// Length of the plaintext in bytes, with what was passed over by [`Decryptor::seek`].
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the plaintext is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a tag proved that nothing was changed. Where not, a digest from elsewhere must.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }
}
