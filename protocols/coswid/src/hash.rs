use alloc::vec::Vec;
use core::fmt;

use cbor::{Error, Reader, Reason, Writer};
use crypto::{Digest, HashAlgorithm};

/// Digest lengths of the Named Information Hash Algorithm registry by algorithm number: 1 sha-256 and its
/// truncations (2..6), 7 sha-384, 8 sha-512, 9..12 the SHA-3 family. Number 0 stands for an unknown algorithm.
const LENGTHS: [Option<usize>; 13] = [
    None,
    Some(32),
    Some(16),
    Some(15),
    Some(12),
    Some(8),
    Some(4),
    Some(48),
    Some(64),
    Some(28),
    Some(32),
    Some(48),
    Some(64),
];

/// hash-entry (RFC 9393, section 2.9.1). Its length fits its algorithm wherever that is registered.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash {
    algorithm: i64,
    value: Vec<u8>,
}

impl Hash {
    /// A hash by its number in the Named Information registry, or `None` when its length is not that of the algorithm.
    pub fn new(algorithm: i64, value: &[u8]) -> Option<Self> {
        let expected = usize::try_from(algorithm).ok().and_then(|id| LENGTHS.get(id).copied()).flatten();
        expected.is_none_or(|len| len == value.len()).then(|| Self { algorithm, value: value.into() })
    }

    /// The algorithm's number in the Named Information Hash Algorithm registry.
    pub fn algorithm(&self) -> i64 {
        self.algorithm
    }

    /// The hash value.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The hash as a digest to compare with, or `None` for truncated, unknown and unsupported algorithms: those never
    /// become reference values.
    pub fn digest(&self) -> Option<Digest> {
        let id = u64::try_from(self.algorithm).ok()?;
        Digest::new(HashAlgorithm::from_named_info_id(id)?, &self.value)
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(2)?;
        let algorithm = reader.int()?;
        let at = reader.position();
        Self::new(algorithm, reader.bytes()?)
            .ok_or(Error::new(at, Reason::Rule("hash value has another length than its algorithm")))
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.array(2).int(self.algorithm).bytes(&self.value);
    }
}

impl From<Digest> for Hash {
    fn from(digest: Digest) -> Self {
        Self { algorithm: digest.algorithm().named_info_id() as i64, value: digest.as_bytes().into() }
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({}:", self.algorithm)?;
        self.value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
