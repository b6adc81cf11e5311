use std::{fmt, str::FromStr};

use crypto::{Digest, HashAlgorithm};
use sqlx::{Row, sqlite::SqliteRow};
use thiserror::Error as ThisError;

use crate::{
    Error,
    objects::{Kind, ObjectId},
};

/// The text is not an id of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error("not an id of this kind")]
pub struct NotAnId;

/// A device: its UEID (RFC 9711, section 4.2.1), rendered as lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(Vec<u8>);

impl DeviceId {
    /// Shortest and longest UEID in bytes.
    pub const LENGTHS: std::ops::RangeInclusive<usize> = 7..=33;

    /// The device with this UEID, or `None` when its length is not that of a UEID.
    pub fn new(ueid: &[u8]) -> Option<Self> {
        Self::LENGTHS.contains(&ueid.len()).then(|| Self(ueid.to_vec()))
    }

    /// The UEID.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A release: its manifest digest, rendered as hexadecimal digits; their number tells the hash function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseId(Digest);

impl ReleaseId {
    /// The release with this manifest digest.
    pub fn new(manifest: Digest) -> Self {
        Self(manifest)
    }

    /// The manifest digest of these bytes, or `None` when no hash function gives that many.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let algorithm = match bytes.len() {
            32 => HashAlgorithm::Sha256,
            48 => HashAlgorithm::Sha384,
            64 => HashAlgorithm::Sha512,
            _ => return None,
        };
        Digest::new(algorithm, bytes).map(Self)
    }

    /// The manifest digest.
    pub fn digest(&self) -> Digest {
        self.0
    }

    /// The manifest digest's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

macro_rules! hex_id {
    ($name:ident, $read:expr) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                decode_hex(text).and_then(|bytes| $read(&bytes)).ok_or(NotAnId)
            }
        }
    };
}

macro_rules! object_id {
    ($(#[doc = $doc:literal] $name:ident),+ $(,)?) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(Digest);

        impl $name {
            /// The digest.
            pub fn digest(&self) -> Digest {
                self.0
            }
        }

        impl ObjectId for $name {
            const KIND: Kind = $name::KIND;

            fn of(object: &[u8]) -> Self {
                Self(Digest::of(HashAlgorithm::Sha256, object))
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Digest::new(HashAlgorithm::Sha256, bytes).map(Self)
            }

            fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        hex_id!($name, $name::from_bytes);
    )+};
}

/// Identifier of a device within FDO, 16 bytes, rendered as hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn read(row: &SqliteRow, column: &str) -> Result<Self, Error> {
        Self::read_optional(row, column)?.ok_or(Error::Corrupt("GUID"))
    }

    pub(crate) fn read_optional(row: &SqliteRow, column: &str) -> Result<Option<Self>, Error> {
        let bytes: Option<Vec<u8>> = row.try_get(column)?;
        bytes.map(|bytes| Self::from_slice(&bytes).ok_or(Error::Corrupt("GUID"))).transpose()
    }
}

hex_id!(Guid, Guid::from_slice);

/// A challenge-response session: a UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 16]);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for SessionId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let groups_fit = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
        let bytes = decode_hex(&text.replace('-', "")).filter(|_| groups_fit).ok_or(NotAnId)?;
        bytes.try_into().map(Self).map_err(|_| NotAnId)
    }
}

hex_id!(DeviceId, DeviceId::new);
hex_id!(ReleaseId, ReleaseId::from_bytes);

object_id!(
    /// A manifest of reference values: SHA-256 of its bytes as received, rendered as hexadecimal digits.
    EndorsementId,
    /// A security advisory: SHA-256 of its bytes as received, rendered as hexadecimal digits.
    AdvisoryId,
    /// A signed statement on a scan: SHA-256 of its bytes as received, rendered as hexadecimal digits.
    ScanId,
    /// An ownership voucher: SHA-256 of its bytes as received, rendered as hexadecimal digits.
    VoucherId,
);

macro_rules! row_id {
    ($(#[doc = $doc:literal] $name:ident),+ $(,)?) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.parse().map(Self).map_err(|_| NotAnId)
            }
        }
    )+};
}

row_id! {
    /// A campaign.
    CampaignId,
    /// One device's part in a campaign; the action id of the update API.
    ActionId,
    /// A decision.
    DecisionId,
    /// An attestation result.
    ResultId,
    /// A report of an update.
    ReportId,
}

macro_rules! debug_as_display {
    ($($name:ident)+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    )+};
}

debug_as_display!(DeviceId ReleaseId EndorsementId AdvisoryId ScanId VoucherId SessionId CampaignId ActionId DecisionId ResultId ReportId);

/// A moment: microseconds since 1970, as the caller's clock tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From seconds since 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since 1970.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This many seconds later.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// How binary columns travel through JSON to the database.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from(if half < 10 { b'0' + half } else { b'a' + half - 10 }));
        }
    }
    text
}
