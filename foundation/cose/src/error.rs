use alloc::boxed::Box;
use core::fmt;

/// Why a COSE object was refused, sorted by who is to blame.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not the object they should be.
    Malformed(cbor::Error),
    /// The object is well-formed, and not believed.
    Untrusted(Distrust),
    /// The object needs something this crate does not implement.
    Unsupported(Feature),
    /// The caller gave no payload for a message that carries none.
    PayloadMissing,
    /// The caller gave a payload for a message that carries its own.
    PayloadTwice,
    /// The caller gave no recipient, or more than a message may have.
    Recipients,
    /// A cryptographic step failed for something the caller gave: randomness, a buffer, additional data that the algorithm
    /// does not authenticate.
    Crypto(crypto::Error),
}

/// Why a well-formed object is not believed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// No algorithm in the protected bucket, where an attacker cannot change it.
    AlgorithmNotProtected,
    /// The message names this algorithm, and the key is for another one.
    WrongAlgorithm(i64),
    /// No trusted key has the purpose, and the key identifier if the message names one.
    NoKey,
    /// More trusted keys fit the message than are tried, and none of those tried verified it.
    TooManyKeys,
    /// The signature does not verify.
    BadSignature,
    /// The authentication tag does not verify.
    BadTag,
    /// The key's parameters are not a key of its curve, or its parts do not belong together.
    BadKey,
    /// The key's own `alg` or `key_ops` forbid its use.
    KeyUse,
    /// No key that fits unwraps the key of the content.
    BadWrappedKey,
    /// The unwrapped key has another length than the content's algorithm wants.
    BadContentKey,
}

/// Something this crate does not implement.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// An algorithm with this number.
    Algorithm(i64),
    /// An algorithm with a name instead of a number.
    NamedAlgorithm,
    /// A header parameter listed as critical, with this number.
    CriticalHeader(i64),
    /// A header parameter listed as critical, with a name instead of a number.
    NamedCriticalHeader,
    /// A key type with this number.
    KeyType(i64),
    /// A curve with this number.
    Curve(i64),
    /// A point in compressed form.
    CompressedPoint,
    /// A header parameter with this number, which cannot be ignored.
    Header(i64),
    /// Recipients of a recipient.
    NestedRecipients,
}

/// An [`Error`] as one word, as decoders hand it on among each other.
#[derive(Debug)]
pub(crate) struct Fault(Box<Error>);

impl Fault {
    /// A broken rule of the format at a byte offset.
    #[cold]
    #[inline(never)]
    pub(crate) fn rule(at: usize, rule: &'static str) -> Self {
        Error::from(cbor::Error::rule(at, rule)).into()
    }

    /// More bytes or entries than are allowed.
    #[cold]
    #[inline(never)]
    pub(crate) fn too_long(at: usize, limit: usize) -> Self {
        Error::from(cbor::Error::new(at, cbor::Reason::TooLong { limit })).into()
    }
}

impl From<Error> for Fault {
    #[cold]
    #[inline(never)]
    fn from(error: Error) -> Self {
        Self(Box::new(error))
    }
}

impl From<cbor::lean::Fault> for Fault {
    #[cold]
    #[inline(never)]
    fn from(fault: cbor::lean::Fault) -> Self {
        Error::Malformed(fault.into()).into()
    }
}

impl From<Distrust> for Fault {
    fn from(distrust: Distrust) -> Self {
        Error::from(distrust).into()
    }
}

impl From<Feature> for Fault {
    fn from(feature: Feature) -> Self {
        Error::from(feature).into()
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        *fault.0
    }
}

impl From<cbor::lean::Fault> for Error {
    fn from(fault: cbor::lean::Fault) -> Self {
        Self::Malformed(fault.into())
    }
}

impl From<cbor::Error> for Error {
    fn from(error: cbor::Error) -> Self {
        Self::Malformed(error)
    }
}

impl From<Distrust> for Error {
    fn from(distrust: Distrust) -> Self {
        Self::Untrusted(distrust)
    }
}

impl From<crypto::Error> for Error {
    fn from(error: crypto::Error) -> Self {
        Self::Crypto(error)
    }
}

impl From<Feature> for Error {
    fn from(feature: Feature) -> Self {
        Self::Unsupported(feature)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(_) => f.write_str("malformed COSE object"),
            Self::Untrusted(distrust) => distrust.fmt(f),
            Self::Unsupported(feature) => write!(f, "{feature} is not supported"),
            Self::PayloadMissing => f.write_str("payload is detached and was not given"),
            Self::PayloadTwice => f.write_str("payload is attached and was also given apart"),
            Self::Recipients => f.write_str("message needs recipients, and not too many"),
            Self::Crypto(_) => f.write_str("cryptographic step failed"),
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlgorithmNotProtected => f.write_str("algorithm is not in the protected header"),
            Self::WrongAlgorithm(found) => write!(f, "algorithm {found} is not the one of the key"),
            Self::NoKey => f.write_str("no trusted key fits the purpose and the key identifier"),
            Self::TooManyKeys => {
                write!(f, "none of the first {} trusted keys that fit verifies it", crate::MAX_CANDIDATES)
            }
            Self::BadSignature => f.write_str("signature does not verify"),
            Self::BadTag => f.write_str("authentication tag does not verify"),
            Self::BadKey => f.write_str("key parameters are not a valid key"),
            Self::KeyUse => f.write_str("key forbids this use of itself"),
            Self::BadWrappedKey => f.write_str("no key unwraps the content key"),
            Self::BadContentKey => f.write_str("content key has the wrong length for its algorithm"),
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm(id) => write!(f, "algorithm {id}"),
            Self::NamedAlgorithm => f.write_str("an algorithm named by text"),
            Self::CriticalHeader(label) => write!(f, "critical header parameter {label}"),
            Self::NamedCriticalHeader => f.write_str("a critical header parameter named by text"),
            Self::KeyType(kty) => write!(f, "key type {kty}"),
            Self::Curve(crv) => write!(f, "curve {crv}"),
            Self::CompressedPoint => f.write_str("a compressed curve point"),
            Self::Header(label) => write!(f, "header parameter {label}"),
            Self::NestedRecipients => f.write_str("recipients of a recipient"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(source) => Some(source),
            Self::Crypto(source) => Some(source),
            _ => None,
        }
    }
}
