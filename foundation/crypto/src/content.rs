use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::Error;
use crate::cipher::{AesCounter, BLOCK_LEN, Keystream, NONCE_LEN, chacha20_poly1305, gcm};
use crate::signing::random_secret;
use crate::stream::{Decrypted, Decryptor, Encryptor};

/// An algorithm that encrypts content (RFC 9053, section 4; RFC 9459).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentAlgorithm {
    /// AES-GCM with a key of 128 bits.
    A128Gcm,
    /// AES-GCM with a key of 192 bits.
    A192Gcm,
    /// AES-GCM with a key of 256 bits.
    A256Gcm,
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
    /// AES in counter mode with a key of 128 bits; authenticates nothing.
    A128Ctr,
    /// AES in counter mode with a key of 192 bits; authenticates nothing.
    A192Ctr,
    /// AES in counter mode with a key of 256 bits; authenticates nothing.
    A256Ctr,
    /// AES-CCM-16-128-128: a key of 128 bits, messages of up to 64 KiB.
    #[cfg(feature = "ccm")]
    Ccm16A128,
    /// AES-CCM-16-128-256: a key of 256 bits, messages of up to 64 KiB.
    #[cfg(feature = "ccm")]
    Ccm16A256,
    /// AES-CCM-64-128-128: a key of 128 bits, messages of any length.
    #[cfg(feature = "ccm")]
    Ccm64A128,
    /// AES-CCM-64-128-256: a key of 256 bits, messages of any length.
    #[cfg(feature = "ccm")]
    Ccm64A256,
    /// AES-CBC with a key of 128 bits; authenticates nothing, and is decrypted only what a MAC vouches for.
    #[cfg(feature = "cbc")]
    A128Cbc,
    /// AES-CBC with a key of 256 bits; authenticates nothing, and is decrypted only what a MAC vouches for.
    #[cfg(feature = "cbc")]
    A256Cbc,
}

impl ContentAlgorithm {
    /// Every content encryption algorithm this crate implements.
    #[cfg(not(feature = "encryption"))]
    pub const ALL: [Self; 0] = [];

    /// Every content encryption algorithm this crate implements.
    #[cfg(feature = "encryption")]
    pub const ALL: [Self;
        7 + if cfg!(feature = "ccm") { 4 } else { 0 } + if cfg!(feature = "cbc") { 2 } else { 0 }] = [
        Self::A128Gcm,
        Self::A192Gcm,
        Self::A256Gcm,
        Self::ChaCha20Poly1305,
        Self::A128Ctr,
        Self::A192Ctr,
        Self::A256Ctr,
        #[cfg(feature = "ccm")]
        Self::Ccm16A128,
        #[cfg(feature = "ccm")]
        Self::Ccm16A256,
        #[cfg(feature = "ccm")]
        Self::Ccm64A128,
        #[cfg(feature = "ccm")]
        Self::Ccm64A256,
        #[cfg(feature = "cbc")]
        Self::A128Cbc,
        #[cfg(feature = "cbc")]
        Self::A256Cbc,
    ];

    /// Those that encrypt and decrypt piece by piece.
    #[cfg(not(feature = "encryption"))]
    pub const IN_PIECES: [Self; 0] = [];

    /// Those that encrypt and decrypt piece by piece.
    #[cfg(feature = "encryption")]
    pub const IN_PIECES: [Self; 7] = [
        Self::A128Gcm,
        Self::A192Gcm,
        Self::A256Gcm,
        Self::ChaCha20Poly1305,
        Self::A128Ctr,
        Self::A192Ctr,
        Self::A256Ctr,
    ];

    /// Number in the COSE Algorithms registry.
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::A128Gcm => 1,
            Self::A192Gcm => 2,
            Self::A256Gcm => 3,
            Self::ChaCha20Poly1305 => 24,
            Self::A128Ctr => -65534,
            Self::A192Ctr => -65533,
            Self::A256Ctr => -65532,
            #[cfg(feature = "ccm")]
            Self::Ccm16A128 => 30,
            #[cfg(feature = "ccm")]
            Self::Ccm16A256 => 31,
            #[cfg(feature = "ccm")]
            Self::Ccm64A128 => 32,
            #[cfg(feature = "ccm")]
            Self::Ccm64A256 => 33,
            #[cfg(feature = "cbc")]
            Self::A128Cbc => -65531,
            #[cfg(feature = "cbc")]
            Self::A256Cbc => -65529,
        }
    }

    /// The algorithm with this number in the COSE Algorithms registry.
    pub fn from_cose_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.cose_id() == id)
    }

    /// Name in the COSE Algorithms registry: `A128GCM`, `ChaCha20/Poly1305`, `A128CTR`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A192Gcm => "A192GCM",
            Self::A256Gcm => "A256GCM",
            Self::ChaCha20Poly1305 => "ChaCha20/Poly1305",
            Self::A128Ctr => "A128CTR",
            Self::A192Ctr => "A192CTR",
            Self::A256Ctr => "A256CTR",
            #[cfg(feature = "ccm")]
            Self::Ccm16A128 => "AES-CCM-16-128-128",
            #[cfg(feature = "ccm")]
            Self::Ccm16A256 => "AES-CCM-16-128-256",
            #[cfg(feature = "ccm")]
            Self::Ccm64A128 => "AES-CCM-64-128-128",
            #[cfg(feature = "ccm")]
            Self::Ccm64A256 => "AES-CCM-64-128-256",
            #[cfg(feature = "cbc")]
            Self::A128Cbc => "A128CBC",
            #[cfg(feature = "cbc")]
            Self::A256Cbc => "A256CBC",
        }
    }

    /// The algorithm of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Length of its keys in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::A128Gcm | Self::A128Ctr => 16,
            Self::A192Gcm | Self::A192Ctr => 24,
            Self::A256Gcm | Self::A256Ctr | Self::ChaCha20Poly1305 => 32,
            #[cfg(feature = "ccm")]
            Self::Ccm16A128 | Self::Ccm64A128 => 16,
            #[cfg(feature = "ccm")]
            Self::Ccm16A256 | Self::Ccm64A256 => 32,
            #[cfg(feature = "cbc")]
            Self::A128Cbc => 16,
            #[cfg(feature = "cbc")]
            Self::A256Cbc => 32,
        }
    }

    /// Length of its initialisation vectors in bytes: a nonce of 12 (13 or 7 for CCM), the first counter block, or
    /// what comes before the first block of CBC.
    pub const fn iv_len(self) -> usize {
        match self {
            #[cfg(feature = "ccm")]
            Self::Ccm16A128 | Self::Ccm16A256 => 13,
            #[cfg(feature = "ccm")]
            Self::Ccm64A128 | Self::Ccm64A256 => 7,
            _ if self.is_authenticated() => NONCE_LEN,
            _ => BLOCK_LEN,
        }
    }

    /// Whether it encrypts and decrypts piece by piece.
    pub const fn is_in_pieces(self) -> bool {
        match self {
            #[cfg(feature = "ccm")]
            Self::Ccm16A128 | Self::Ccm16A256 | Self::Ccm64A128 | Self::Ccm64A256 => false,
            #[cfg(feature = "cbc")]
            Self::A128Cbc | Self::A256Cbc => false,
            _ => true,
        }
    }

    /// Length of the authentication tag at the end of the ciphertext in bytes; zero where there is none.
    pub const fn tag_len(self) -> usize {
        if self.is_authenticated() { BLOCK_LEN } else { 0 }
    }

    /// Whether a changed ciphertext is found out. Where not, the plaintext needs a digest that is signed.
    pub const fn is_authenticated(self) -> bool {
        match self {
            Self::A128Ctr | Self::A192Ctr | Self::A256Ctr => false,
            #[cfg(feature = "cbc")]
            Self::A128Cbc | Self::A256Cbc => false,
            _ => true,
        }
    }

    /// The longest plaintext of one IV in bytes (NIST SP 800-38D, section 5.2.1.1; RFC 8439, section 2.8; RFC 3610, section 2).
    pub const fn max_len(self) -> u64 {
        match self {
            Self::A128Gcm | Self::A192Gcm | Self::A256Gcm => (1 << 36) - 32,
            Self::ChaCha20Poly1305 => (1 << 38) - 64,
            Self::A128Ctr | Self::A192Ctr | Self::A256Ctr => u64::MAX,
            #[cfg(feature = "ccm")]
            Self::Ccm16A128 | Self::Ccm16A256 => (1 << 16) - 1,
            #[cfg(feature = "ccm")]
            Self::Ccm64A128 | Self::Ccm64A256 => u64::MAX,
            #[cfg(feature = "cbc")]
            Self::A128Cbc | Self::A256Cbc => u64::MAX,
        }
    }
}

impl fmt::Display for ContentAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A symmetric key for one content encryption algorithm. It cannot be cloned or shown, and is erased when dropped.
pub struct ContentKey {
    algorithm: ContentAlgorithm,
    key: Zeroizing<Vec<u8>>,
}

impl ContentKey {
    /// Makes a key from random bytes of the caller's; `fill` overwrites the whole slice.
    pub fn generate(algorithm: ContentAlgorithm, fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, Error> {
        let mut key = Zeroizing::new(vec![0; algorithm.key_len()]);
        random_secret(&mut key, fill, |_| Some(()))?;
        Ok(Self { algorithm, key })
    }

    /// A key from its bytes.
    pub fn from_bytes(algorithm: ContentAlgorithm, key: &[u8]) -> Result<Self, Error> {
        if key.len() != algorithm.key_len() {
            return Err(Error::MalformedKey);
        }
        Ok(Self { algorithm, key: Zeroizing::new(key.to_vec()) })
    }

    /// The key's bytes.
    pub fn secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.key.clone()
    }

    /// The algorithm of this key; it serves no other.
    pub fn algorithm(&self) -> ContentAlgorithm {
        self.algorithm
    }

    /// Begins to encrypt. An IV must never be used with the same key twice.
    ///
    /// Additional data that the algorithm does not authenticate is refused, and so is an algorithm that does not work
    /// piece by piece.
    pub fn encryptor(&self, iv: &[u8], aad: &[u8]) -> Result<Encryptor, Error> {
        Ok(Encryptor(self.begin(iv, aad)?))
    }

    /// Begins to decrypt. Additional data that the algorithm does not authenticate is refused, and so is an algorithm that
    /// does not work piece by piece.
    pub fn decryptor(&self, iv: &[u8], aad: &[u8]) -> Result<Decryptor, Error> {
        Ok(Decryptor::new(self.begin(iv, aad)?))
    }

    /// Encrypts in one piece; the tag, if the algorithm has one, is at the end.
    pub fn encrypt(&self, iv: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        if !self.algorithm.is_in_pieces() {
            return self.encrypt_at_once(iv, aad, plaintext);
        }
        let mut encryptor = self.encryptor(iv, aad)?;
        let mut ciphertext = vec![0; plaintext.len() + self.algorithm.tag_len()];
        let (body, tag) = ciphertext.split_at_mut(plaintext.len());
        encryptor.update(plaintext, body)?;
        tag.copy_from_slice(&encryptor.finish());
        Ok(ciphertext)
    }

    /// Decrypts in one piece, and gives nothing away before the tag was checked.
    pub fn decrypt(&self, iv: &[u8], aad: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if !self.algorithm.is_in_pieces() {
            return self.decrypt_at_once(iv, aad, ciphertext).map(Zeroizing::new);
        }
        let mut decryptor = self.decryptor(iv, aad)?;
        let mut plaintext = Zeroizing::new(vec![0; ciphertext.len()]);
        let len = decryptor.update(ciphertext, &mut plaintext)?.as_unverified().len();
        let Decrypted { .. } = decryptor.finish()?;
        plaintext.truncate(len);
        Ok(plaintext)
    }

    fn encrypt_at_once(&self, iv: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let _ = (iv, aad, plaintext);
        match self.algorithm {
            #[cfg(feature = "cbc")]
            ContentAlgorithm::A128Cbc | ContentAlgorithm::A256Cbc => {
                check_unauthenticated(aad)?;
                crate::cipher::cbc::encrypt(self.algorithm, &self.key, iv, plaintext)
            }
            #[cfg(feature = "ccm")]
            _ => crate::cipher::ccm::encrypt(self.algorithm, &self.key, iv, aad, plaintext),
            #[cfg(not(feature = "ccm"))]
            _ => Err(Error::WrongKeyType),
        }
    }

    fn decrypt_at_once(&self, iv: &[u8], aad: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>, Error> {
        let _ = (iv, aad, ciphertext);
        match self.algorithm {
            #[cfg(feature = "cbc")]
            ContentAlgorithm::A128Cbc | ContentAlgorithm::A256Cbc => {
                check_unauthenticated(aad)?;
                crate::cipher::cbc::decrypt(self.algorithm, &self.key, iv, ciphertext)
            }
            #[cfg(feature = "ccm")]
            _ => crate::cipher::ccm::decrypt(self.algorithm, &self.key, iv, aad, ciphertext),
            #[cfg(not(feature = "ccm"))]
            _ => Err(Error::WrongKeyType),
        }
    }

    fn begin(&self, iv: &[u8], aad: &[u8]) -> Result<Cipher, Error> {
        let nonce = || iv.try_into().map_err(|_| Error::MalformedIv);
        let (keystream, authenticator) = match self.algorithm {
            ContentAlgorithm::A128Gcm | ContentAlgorithm::A192Gcm | ContentAlgorithm::A256Gcm => {
                let (keystream, authenticator) = gcm(&self.key, nonce()?, aad)?;
                (keystream, Some(authenticator))
            }
            ContentAlgorithm::ChaCha20Poly1305 => {
                let (keystream, authenticator) = chacha20_poly1305(&self.key, nonce()?, aad)?;
                (keystream, Some(authenticator))
            }
            ContentAlgorithm::A128Ctr | ContentAlgorithm::A192Ctr | ContentAlgorithm::A256Ctr => {
                check_unauthenticated(aad)?;
                let iv = iv.try_into().map_err(|_| Error::MalformedIv)?;
                (Keystream::Aes(AesCounter::new(&self.key, iv)?), None)
            }
            #[cfg(any(feature = "ccm", feature = "cbc"))]
            _ => return Err(Error::NotInPieces),
        };
        Ok(Cipher { keystream, authenticator, left: self.algorithm.max_len(), len: 0 })
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.algorithm)
    }
}

/// Additional data is refused where nothing is authenticated.
fn check_unauthenticated(aad: &[u8]) -> Result<(), Error> {
    if aad.is_empty() { Ok(()) } else { Err(Error::NotAuthenticated) }
}

/// The state of one encryption or decryption.
pub(crate) struct Cipher {
    pub(crate) keystream: Keystream,
    pub(crate) authenticator: Option<crate::cipher::Authenticator>,
    /// How many bytes may still follow.
    pub(crate) left: u64,
    /// How many bytes were passed.
    pub(crate) len: u64,
}

impl Cipher {
    /// Counts bytes about to be passed.
    pub(crate) fn pass(&mut self, len: usize) -> Result<(), Error> {
        let len = len as u64;
        self.left = self.left.checked_sub(len).ok_or(Error::TooLong)?;
        self.len += len;
        Ok(())
    }
}
