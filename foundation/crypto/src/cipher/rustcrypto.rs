//! RustCrypto serves both back ends here: aws-lc-rs gives AEADs in one piece only, and a device's memory does not hold
//! a payload. One AES of three sizes and one counter mode serve GCM and CTR, so that their code is there once.

use aes::Block;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use poly1305::Poly1305;
use zeroize::{Zeroize, Zeroizing};

use super::{BLOCK_LEN, NONCE_LEN};
use crate::Error;

/// How many blocks of keystream are made at once: what the parallel implementations of AES take.
const BATCH_BLOCKS: usize = 8;

/// Length of one batch of keystream.
const BATCH_LEN: usize = BATCH_BLOCKS * BLOCK_LEN;

/// Length of a block of ChaCha20.
const CHACHA_BLOCK_LEN: usize = 64;

/// AES of the three sizes; each erases its round keys when dropped.
pub(crate) enum Aes {
    Aes128(aes::Aes128),
    Aes192(aes::Aes192),
    Aes256(aes::Aes256),
}

impl Aes {
    pub(crate) fn new(key: &[u8]) -> Result<Self, Error> {
        let aes = match key.len() {
            16 => aes::Aes128::new_from_slice(key).map(Self::Aes128),
            24 => aes::Aes192::new_from_slice(key).map(Self::Aes192),
            32 => aes::Aes256::new_from_slice(key).map(Self::Aes256),
            _ => return Err(Error::MalformedKey),
        };
        aes.map_err(|_| Error::MalformedKey)
    }

    fn encrypt(&self, blocks: &mut [Block]) {
        match self {
            Self::Aes128(aes) => aes.encrypt_blocks(blocks),
            Self::Aes192(aes) => aes.encrypt_blocks(blocks),
            Self::Aes256(aes) => aes.encrypt_blocks(blocks),
        }
    }
}

/// How much of the counter block counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counter {
    /// All of it (RFC 9459, section 4).
    Whole,
    /// The last 32 bits (NIST SP 800-38D, section 6.5).
    Low32,
}

/// AES in counter mode, at any position of its keystream.
pub(crate) struct AesCounter {
    aes: Aes,
    first: u128,
    counter: Counter,
    /// Bytes of keystream passed.
    position: u64,
    /// Number of the batch that `keystream` holds.
    batch: Option<u64>,
    keystream: [Block; BATCH_BLOCKS],
}

impl AesCounter {
    /// Counter mode over the whole block, beginning at the IV.
    pub(crate) fn new(key: &[u8], iv: &[u8; BLOCK_LEN]) -> Result<Self, Error> {
        Ok(Self::starting(Aes::new(key)?, u128::from_be_bytes(*iv), Counter::Whole))
    }

    fn starting(aes: Aes, first: u128, counter: Counter) -> Self {
        let keystream = [Block::default(); BATCH_BLOCKS];
        Self { aes, first, counter, position: 0, batch: None, keystream }
    }

    pub(crate) fn seek(&mut self, position: u64) {
        self.position = position;
    }

    fn apply(&mut self, mut data: &mut [u8]) {
        while !data.is_empty() {
            let within = (self.position % BATCH_LEN as u64) as usize;
            self.fill(self.position / BATCH_LEN as u64);
            let (now, later) = data.split_at_mut(data.len().min(BATCH_LEN - within));
            let keystream = self.keystream.iter().flatten().skip(within);
            now.iter_mut().zip(keystream).for_each(|(byte, key)| *byte ^= key);
            self.position += now.len() as u64;
            data = later;
        }
    }

    fn fill(&mut self, batch: u64) {
        if self.batch == Some(batch) {
            return;
        }
        let first = u128::from(batch) * BATCH_BLOCKS as u128;
        for (number, block) in (first..).zip(&mut self.keystream) {
            let counter = match self.counter {
                Counter::Whole => self.first.wrapping_add(number),
                Counter::Low32 => {
                    let low = (self.first as u32).wrapping_add(number as u32);
                    self.first & !u128::from(u32::MAX) | u128::from(low)
                }
            };
            block.copy_from_slice(&counter.to_be_bytes());
        }
        self.aes.encrypt(&mut self.keystream);
        self.batch = Some(batch);
    }
}

impl Drop for AesCounter {
    fn drop(&mut self) {
        self.keystream.iter_mut().for_each(|block| block.zeroize());
    }
}

/// What is added to the plaintext.
#[allow(
    clippy::large_enum_variant,
    reason = "one exists at a time, and devices should not need a heap for it"
)]
pub(crate) enum Keystream {
    Aes(AesCounter),
    ChaCha(ChaCha20),
}

impl Keystream {
    pub(crate) fn apply(&mut self, data: &mut [u8]) {
        match self {
            Self::Aes(counter) => counter.apply(data),
            Self::ChaCha(cipher) => cipher.apply_keystream(data),
        }
    }
}

/// AES-GCM (NIST SP 800-38D) with a nonce of 96 bits.
pub(crate) fn gcm(
    key: &[u8],
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
) -> Result<(Keystream, Authenticator), Error> {
    let aes = Aes::new(key)?;
    let mut hash_key = [Block::default()];
    aes.encrypt(&mut hash_key);
    let hash = Hash::Ghash(GHash::new(&hash_key[0]));
    hash_key[0].zeroize();

    let mut first = [0; BLOCK_LEN];
    first[..NONCE_LEN].copy_from_slice(nonce);
    first[BLOCK_LEN - 1] = 1;
    let counter = AesCounter::starting(aes, u128::from_be_bytes(first), Counter::Low32);
    let mut keystream = Keystream::Aes(counter);
    let mut mask = [0; BLOCK_LEN];
    keystream.apply(&mut mask);
    Ok((keystream, Authenticator::new(hash, mask, aad)))
}

/// ChaCha20-Poly1305 (RFC 8439, section 2.8).
pub(crate) fn chacha20_poly1305(
    key: &[u8],
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
) -> Result<(Keystream, Authenticator), Error> {
    let cipher = ChaCha20::new_from_slices(key, nonce).map_err(|_| Error::MalformedKey)?;
    let mut keystream = Keystream::ChaCha(cipher);
    // The first block gives the one-time key; what is left of it is not used.
    let mut block = Zeroizing::new([0; CHACHA_BLOCK_LEN]);
    keystream.apply(&mut *block);
    let poly = Poly1305::new_from_slice(&block[..32]).map_err(|_| Error::MalformedKey)?;
    Ok((keystream, Authenticator::new(Hash::Poly1305(poly), [0; BLOCK_LEN], aad)))
}

#[allow(clippy::large_enum_variant, reason = "as of the keystream")]
enum Hash {
    Ghash(GHash),
    Poly1305(Poly1305),
}

impl Hash {
    /// Adds data, filled up with zeros to whole blocks.
    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Ghash(hash) => hash.update_padded(data),
            Self::Poly1305(hash) => hash.update_padded(data),
        }
    }
}

/// Computes the tag over additional data and ciphertext.
pub(crate) struct Authenticator {
    hash: Hash,
    mask: [u8; BLOCK_LEN],
    /// The begun block; its first `ciphertext_len % BLOCK_LEN` bytes count.
    begun: [u8; BLOCK_LEN],
    aad_len: u64,
    ciphertext_len: u64,
}

impl Authenticator {
    fn new(mut hash: Hash, mask: [u8; BLOCK_LEN], aad: &[u8]) -> Self {
        hash.update(aad);
        Self { hash, mask, begun: [0; BLOCK_LEN], aad_len: aad.len() as u64, ciphertext_len: 0 }
    }

    pub(crate) fn update(&mut self, mut ciphertext: &[u8]) {
        let begun = (self.ciphertext_len % BLOCK_LEN as u64) as usize;
        self.ciphertext_len += ciphertext.len() as u64;
        if begun > 0 {
            let (now, later) = ciphertext.split_at(ciphertext.len().min(BLOCK_LEN - begun));
            self.begun[begun..begun + now.len()].copy_from_slice(now);
            if begun + now.len() < BLOCK_LEN {
                return;
            }
            self.hash.update(&self.begun);
            ciphertext = later;
        }
        let whole = ciphertext.len() - ciphertext.len() % BLOCK_LEN;
        let (blocks, rest) = ciphertext.split_at(whole);
        self.hash.update(blocks);
        self.begun[..rest.len()].copy_from_slice(rest);
    }

    pub(crate) fn finish(mut self) -> [u8; BLOCK_LEN] {
        let begun = (self.ciphertext_len % BLOCK_LEN as u64) as usize;
        self.hash.update(&self.begun[..begun]);
        let mut lengths = [0; BLOCK_LEN];
        let (aad, ciphertext) = lengths.split_at_mut(BLOCK_LEN / 2);
        let mut tag = [0; BLOCK_LEN];
        match self.hash {
            Hash::Ghash(mut hash) => {
                aad.copy_from_slice(&(self.aad_len * 8).to_be_bytes());
                ciphertext.copy_from_slice(&(self.ciphertext_len * 8).to_be_bytes());
                hash.update(&[Block::from(lengths)]);
                tag.copy_from_slice(&hash.finalize());
            }
            Hash::Poly1305(mut hash) => {
                aad.copy_from_slice(&self.aad_len.to_le_bytes());
                ciphertext.copy_from_slice(&self.ciphertext_len.to_le_bytes());
                hash.update(&[Block::from(lengths)]);
                tag.copy_from_slice(&hash.finalize());
            }
        }
        tag.iter_mut().zip(self.mask).for_each(|(byte, mask)| *byte ^= mask);
        tag
    }
}
