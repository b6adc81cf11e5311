use core::fmt;

/// Why a voucher is refused or cannot be made, sorted by who is to blame.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not what they should be; the byte offset counts from the start of the bytes decoded.
    Malformed(cbor::Error),
    /// An entry is no signed message, or not signed by the owner before it.
    Entry {
        /// Which entry, counted from zero.
        entry: usize,
        /// What is wrong with it.
        error: cose::Error,
    },
    /// A certificate cannot be read, or does not lead to an anchor.
    Certificate(x509::Error),
    /// Well-formed, and not believed.
    Untrusted(Distrust),
    /// Well-formed, and beyond what this crate implements.
    Unsupported(Feature),
    /// The caller asked for something that cannot be made.
    Misuse(Misuse),
}

/// Why a well-formed voucher is not believed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The hash in the header is not that of the device's certificates.
    CertificateChainHash,
    /// The device's certificate is not one to sign with.
    DeviceKeyUsage,
    /// An entry does not follow what stands before it.
    PreviousHash {
        /// Which entry, counted from zero.
        entry: usize,
    },
    /// An entry is about another device.
    HeaderInfoHash {
        /// Which entry, counted from zero.
        entry: usize,
    },
    /// An entry hashes by another function than the first.
    HashType {
        /// Which entry, counted from zero.
        entry: usize,
    },
    /// An owner's key is of another type or size than the manufacturer's.
    KeyType {
        /// Which entry, counted from zero.
        entry: usize,
    },
    /// There is no entry, so that nobody signed anything.
    NoEntry,
    /// The HMAC of the header is not by this secret.
    Hmac,
    /// The device belongs to somebody else.
    OtherOwner,
}

/// What this crate does not implement.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// A voucher of FDO 1.0, which has no version in front.
    Version10,
    /// Another protocol version, with this number.
    ProtocolVersion(u64),
    /// A key type with this number, or a key in it of another algorithm.
    KeyType(u64),
    /// A key encoding with this number.
    KeyEncoding(u64),
    /// A type of hash or HMAC with this number.
    Hash(i64),
    /// A device without certificates (EPID).
    NoCertificates,
}

/// What the caller asked for in vain.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// The next owner's key is of another type than the manufacturer's.
    KeyType,
    /// The key is of an algorithm that vouchers have no type for.
    KeyAlgorithm,
    /// The signature is not by the present owner.
    NotOwner,
    /// The owner's key signs nothing.
    KeyUnusable,
    /// The voucher has as many entries as one may have.
    TooManyEntries,
    /// The parts do not make a voucher that a decoder takes.
    Unfit(cbor::Error),
}

impl Error {
    /// Stable code of the refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Entry { error: cose::Error::Malformed(_), .. } => "malformed-voucher",
            Self::Entry { error: cose::Error::Unsupported(_), .. } | Self::Unsupported(_) => {
                "unsupported-voucher"
            }
            Self::Entry { .. } => "voucher-signature",
            Self::Certificate(_) | Self::Untrusted(Distrust::DeviceKeyUsage) => "voucher-device-certificate",
            Self::Untrusted(Distrust::CertificateChainHash) => "voucher-certificate-hash",
            Self::Untrusted(
                Distrust::PreviousHash { .. } | Distrust::HeaderInfoHash { .. } | Distrust::HashType { .. },
            ) => "voucher-broken-chain",
            Self::Untrusted(Distrust::KeyType { .. }) => "voucher-key-type",
            Self::Untrusted(Distrust::NoEntry) => "voucher-unsigned",
            Self::Untrusted(Distrust::Hmac) => "voucher-hmac",
            Self::Untrusted(Distrust::OtherOwner) => "voucher-owner",
            Self::Misuse(_) => "voucher-not-extended",
        }
    }

    pub(crate) const fn entry(entry: usize, error: cose::Error) -> Self {
        Self::Entry { entry, error }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(_) => f.write_str("malformed ownership voucher"),
            Self::Entry { entry, .. } => write!(f, "entry {entry} of the voucher is refused"),
            Self::Certificate(_) => f.write_str("certificates of the device are refused"),
            Self::Untrusted(distrust) => distrust.fmt(f),
            Self::Unsupported(feature) => write!(f, "{feature} is not supported"),
            Self::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateChainHash => {
                f.write_str("hash in the header is not that of the device's certificates")
            }
            Self::DeviceKeyUsage => f.write_str("device's certificate is not one to sign with"),
            Self::PreviousHash { entry } => write!(f, "entry {entry} does not follow what stands before it"),
            Self::HeaderInfoHash { entry } => write!(f, "entry {entry} is about another device"),
            Self::HashType { entry } => write!(f, "entry {entry} hashes by another function than the first"),
            Self::KeyType { entry } => {
                write!(f, "owner's key of entry {entry} is of another type than the manufacturer's")
            }
            Self::NoEntry => f.write_str("voucher has no entry, so that nobody signed it"),
            Self::Hmac => f.write_str("HMAC of the header is not by this secret"),
            Self::OtherOwner => f.write_str("voucher ends with the key of another owner"),
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version10 => f.write_str("a voucher of FDO 1.0"),
            Self::ProtocolVersion(version) => write!(f, "protocol version {version}"),
            Self::KeyType(number) => write!(f, "key of type {number}"),
            Self::KeyEncoding(number) => write!(f, "key encoding {number}"),
            Self::Hash(number) => write!(f, "hash type {number}"),
            Self::NoCertificates => f.write_str("a device without certificates"),
        }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyType => f.write_str("next owner's key is of another type than the manufacturer's"),
            Self::KeyAlgorithm => f.write_str("vouchers have no type for keys of this algorithm"),
            Self::NotOwner => f.write_str("signature is not by the voucher's present owner"),
            Self::KeyUnusable => f.write_str("owner's key signs nothing"),
            Self::TooManyEntries => write!(f, "voucher has {} entries already", crate::MAX_ENTRIES),
            Self::Unfit(_) => f.write_str("parts do not make a voucher"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(source) | Self::Misuse(Misuse::Unfit(source)) => Some(source),
            Self::Entry { error, .. } => Some(error),
            Self::Certificate(source) => Some(source),
            Self::Untrusted(_) | Self::Unsupported(_) | Self::Misuse(_) => None,
        }
    }
}

impl From<cbor::Error> for Error {
    fn from(error: cbor::Error) -> Self {
        Self::Malformed(error)
    }
}
impl From<x509::Error> for Error {
    fn from(error: x509::Error) -> Self {
        Self::Certificate(error)
    }
}
impl From<Distrust> for Error {
    fn from(distrust: Distrust) -> Self {
        Self::Untrusted(distrust)
    }
}
impl From<Feature> for Error {
    fn from(feature: Feature) -> Self {
        Self::Unsupported(feature)
    }
}
impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}
