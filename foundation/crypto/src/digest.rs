use core::cmp::Ordering;
use core::fmt;
use core::hash;
use core::str::FromStr;

use crate::mac::constant_time_eq;
use crate::{HashAlgorithm, backend};

/// Length of the longest digest in bytes.
pub const MAX_DIGEST_LEN: usize = if cfg!(feature = "sha512") { 64 } else { 32 };

/// A digest and the hash function that made it. Comparison for equality takes constant time.
// Aligned, so that devices move it by words: digests are in most of what a decoder hands on.
#[derive(Clone, Copy)]
#[repr(align(4))]
pub struct Digest {
    algorithm: HashAlgorithm,
    // Only the first `algorithm.len()` bytes count; the rest are zero.
    bytes: [u8; MAX_DIGEST_LEN],
}

impl Digest {
    /// The digest of the data.
    pub fn of(algorithm: HashAlgorithm, data: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(data);
        hasher.finish()
    }

    /// A digest computed elsewhere, or `None` when its length is not that of the hash function.
    pub fn new(algorithm: HashAlgorithm, digest: &[u8]) -> Option<Self> {
        if digest.len() != algorithm.len() {
            return None;
        }
        let mut bytes = [0; MAX_DIGEST_LEN];
        bytes.get_mut(..digest.len())?.copy_from_slice(digest);
        Some(Self { algorithm, bytes })
    }

    /// The hash function.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.len()]
    }

    /// Whether this is the digest of the data.
    pub fn matches(&self, data: &[u8]) -> bool {
        *self == Self::of(self.algorithm, data)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && constant_time_eq(self.as_bytes(), other.as_bytes())
    }
}

impl Eq for Digest {}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Digest {
    /// For ordered collections of public digests; unlike equality it is not constant in time.
    fn cmp(&self, other: &Self) -> Ordering {
        self.algorithm.cmp(&other.algorithm).then_with(|| self.bytes.cmp(&other.bytes))
    }
}

impl hash::Hash for Digest {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.algorithm.hash(state);
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm.short_name())?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    /// Reads what `Display` writes: `sha256:` and lower or upper case hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let (name, digits) = text.split_once(':').ok_or(NotADigest)?;
        let algorithm = HashAlgorithm::from_name(name).ok_or(NotADigest)?;
        if digits.len() != 2 * algorithm.len() {
            return Err(NotADigest);
        }
        let mut bytes = [0; MAX_DIGEST_LEN];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            for &digit in pair {
                let value = char::from(digit).to_digit(16).ok_or(NotADigest)?;
                *byte = *byte << 4 | value as u8;
            }
        }
        Ok(Self { algorithm, bytes })
    }
}

/// The text is not a digest in the form `sha256:<hexadecimal digits>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADigest;

impl fmt::Display for NotADigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a digest such as sha256:<64 hexadecimal digits>")
    }
}

impl core::error::Error for NotADigest {}

/// Computes a digest piece by piece.
#[derive(Clone)]
pub struct Hasher {
    algorithm: HashAlgorithm,
    state: backend::Hasher,
}

impl Hasher {
    /// A hasher that has seen no data.
    pub fn new(algorithm: HashAlgorithm) -> Self {
        Self { algorithm, state: backend::Hasher::new(algorithm) }
    }

    /// Adds data.
    pub fn update(&mut self, data: &[u8]) {
        self.state.update(data);
    }

    /// The digest of all data added.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; MAX_DIGEST_LEN];
        self.state.finish(&mut bytes[..self.algorithm.len()]);
        Digest { algorithm: self.algorithm, bytes }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.algorithm)
    }
}
