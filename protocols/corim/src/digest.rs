use alloc::{string::String, vec::Vec};
use core::fmt;

use cbor::{Error, Reader, Reason, Type, Writer};
use crypto::HashAlgorithm;

use crate::wire;

/// Names and digest lengths of the Named Information Hash Algorithm registry, by number. Number 0 is reserved.
const REGISTRY: [Option<(&str, usize)>; 13] = [
    None,
    Some(("sha-256", 32)),
    Some(("sha-256-128", 16)),
    Some(("sha-256-120", 15)),
    Some(("sha-256-96", 12)),
    Some(("sha-256-64", 8)),
    Some(("sha-256-32", 4)),
    Some(("sha-384", 48)),
    Some(("sha-512", 64)),
    Some(("sha3-224", 28)),
    Some(("sha3-256", 32)),
    Some(("sha3-384", 48)),
    Some(("sha3-512", 64)),
];

/// A hash algorithm by its number or its name in the Named Information Hash Algorithm registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestAlgorithm {
    /// By number.
    Id(i64),
    /// By name.
    Name(String),
}

/// A digest and its algorithm (draft-ietf-rats-eat-measured-component, section 4.2). Its length fits its algorithm
/// wherever that is registered.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: DigestAlgorithm,
    value: Vec<u8>,
}

impl DigestAlgorithm {
    /// The number where there is one, so that both ways of naming an algorithm are one.
    pub fn canonical(&self) -> Self {
        self.id().map_or_else(|| self.clone(), Self::Id)
    }

    fn id(&self) -> Option<i64> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Name(name) => {
                let known = |entry: &Option<(&str, usize)>| entry.is_some_and(|(known, _)| known == name);
                REGISTRY.iter().position(known).and_then(|id| i64::try_from(id).ok())
            }
        }
    }

    fn len(&self) -> Option<usize> {
        let id = usize::try_from(self.id()?).ok()?;
        REGISTRY.get(id).copied().flatten().map(|(_, len)| len)
    }
}

impl Digest {
    /// A digest, or `None` when its length is not that of the algorithm.
    pub fn new(algorithm: DigestAlgorithm, value: &[u8]) -> Option<Self> {
        let fits = algorithm.len().is_none_or(|len| len == value.len());
        fits.then(|| Self { algorithm, value: value.into() })
    }

    /// The algorithm as it was named.
    pub fn algorithm(&self) -> &DigestAlgorithm {
        &self.algorithm
    }

    /// The digest value.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The digest in the terms of `crypto`, or `None` for truncated, unknown and unsupported algorithms.
    pub fn to_crypto(&self) -> Option<crypto::Digest> {
        let id = u64::try_from(self.algorithm.id()?).ok()?;
        crypto::Digest::new(HashAlgorithm::from_named_info_id(id)?, &self.value)
    }

    /// Whether the next item can be a digest, and not a list of some.
    pub(crate) fn stands_next(reader: &Reader<'_>) -> Result<bool, Error> {
        wire::holds_arrays(reader).map(|list| !list)
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(2)?;
        let algorithm = match reader.peek()? {
            Type::Text => DigestAlgorithm::Name(wire::text(reader)?),
            _ => DigestAlgorithm::Id(reader.int()?),
        };
        let at = reader.position();
        let value = reader.bytes()?;
        Self::new(algorithm, value)
            .ok_or(Error::new(at, Reason::Rule("digest has another length than its algorithm")))
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.array(2);
        match &self.algorithm {
            DigestAlgorithm::Id(id) => writer.int(*id),
            DigestAlgorithm::Name(name) => writer.text(name),
        };
        writer.bytes(&self.value);
    }
}

impl From<crypto::Digest> for Digest {
    fn from(digest: crypto::Digest) -> Self {
        let algorithm = DigestAlgorithm::Id(digest.algorithm().named_info_id() as i64);
        Self { algorithm, value: digest.as_bytes().into() }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.algorithm {
            DigestAlgorithm::Id(id) => write!(f, "Digest({id}:")?,
            DigestAlgorithm::Name(name) => write!(f, "Digest({name}:")?,
        }
        self.value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
