use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use cbor::{Writer, lean::Reader};

use crate::{error::Fault, limits::MAX_VERSION_PARTS};

/// Markers of pre-releases (UM, section 8), lowest first.
const ALPHA: i64 = -3;
const BETA: i64 = -2;
const RELEASE_CANDIDATE: i64 = -1;

/// SUIT version (UM, section 8): 1.2.3-alpha.4 is `[1, 2, 3, -3, 4]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    parts: Vec<i64>,
}

impl Version {
    /// A version of these numbers, or `None` when they are no version: the first is not negative, at most one is a
    /// pre-release marker (-1 to -3), and there are 1 to [`MAX_VERSION_PARTS`] of them.
    pub fn new(parts: &[i64]) -> Option<Self> {
        let (first, rest) = parts.split_first()?;
        let markers = rest.iter().filter(|part| **part < 0);
        let fits = parts.len() <= MAX_VERSION_PARTS
            && *first >= 0
            && markers.clone().count() <= 1
            && markers.clone().all(|marker| *marker >= ALPHA);
        fits.then(|| Self { parts: parts.to_vec() })
    }

    /// The numbers.
    pub fn parts(&self) -> &[i64] {
        &self.parts
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let at = reader.position();
        let count = reader.array()?;
        if count > MAX_VERSION_PARTS {
            return Err(Fault::too_long(at, MAX_VERSION_PARTS));
        }
        let mut parts = Vec::with_capacity(count);
        for _ in 0..count {
            parts.push(reader.int()?);
        }
        Self::new(&parts).ok_or_else(|| Fault::rule(at, "numbers are not a version"))
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.array(self.parts.len());
        for part in &self.parts {
            writer.int(*part);
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            match *part {
                RELEASE_CANDIDATE => f.write_str("-rc")?,
                BETA => f.write_str("-beta")?,
                ALPHA => f.write_str("-alpha")?,
                part if index == 0 => write!(f, "{part}")?,
                part => write!(f, ".{part}")?,
            }
        }
        Ok(())
    }
}

/// How an installed version is compared (UM, section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Above.
    Greater,
    /// Above or the same.
    GreaterOrEqual,
    /// The same.
    Equal,
    /// Below or the same.
    LesserOrEqual,
    /// Below.
    Lesser,
}

impl Comparison {
    const ALL: [Self; 5] =
        [Self::Greater, Self::GreaterOrEqual, Self::Equal, Self::LesserOrEqual, Self::Lesser];

    /// Number in the registry.
    pub fn code(self) -> u64 {
        match self {
            Self::Greater => 1,
            Self::GreaterOrEqual => 2,
            Self::Equal => 3,
            Self::LesserOrEqual => 4,
            Self::Lesser => 5,
        }
    }
}

/// A demand on an installed version (UM, section 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionMatch {
    /// How to compare.
    pub comparison: Comparison,
    /// What to compare with.
    pub version: Version,
}

impl VersionMatch {
    /// Whether the installed version meets the demand.
    ///
    /// Numbers are compared from the left up to the last one given here, so `= [1]` matches every 1.x. An installed
    /// version with fewer numbers counts as if zeros followed; the draft does not say.
    pub fn matches(&self, installed: &Version) -> bool {
        let padded = installed.parts.iter().copied().chain(core::iter::repeat(0));
        let order = padded.take(self.version.parts.len()).cmp(self.version.parts.iter().copied());
        match self.comparison {
            Comparison::Greater => order == Ordering::Greater,
            Comparison::GreaterOrEqual => order != Ordering::Less,
            Comparison::Equal => order == Ordering::Equal,
            Comparison::LesserOrEqual => order != Ordering::Greater,
            Comparison::Lesser => order == Ordering::Less,
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.array_of(2)?;
        let at = reader.position();
        let code = reader.uint()?;
        let comparison = Comparison::ALL
            .into_iter()
            .find(|comparison| comparison.code() == code)
            .ok_or_else(|| Fault::rule(at, "version comparison is not 1 to 5"))?;
        Ok(Self { comparison, version: Version::decode(reader)? })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.array(2).uint(self.comparison.code());
        self.version.encode(writer);
    }
}
