use alloc::string::String;
use core::fmt;

/// Why a document of another format is refused, or a tag has no form in it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterchangeError {
    /// The bytes are not JSON or XML as it is read here.
    Malformed {
        /// Line, counted from one.
        line: usize,
        /// Column, counted from one.
        column: usize,
        /// What is wrong there.
        fault: String,
    },
    /// Some member is absent, or not what its format asks for.
    Unfit {
        /// JSON pointer (RFC 6901), or path of elements.
        place: String,
        /// What should be there.
        expected: &'static str,
    },
    /// More than is read or held.
    TooLarge {
        /// Of what there is too much.
        what: &'static str,
        /// How much there may be.
        limit: usize,
    },
    /// None of the formats that are read.
    UnknownFormat,
    /// None of the formats of advisories that are read.
    UnknownAdvisory,
    /// What was read makes no tag.
    Tag(crate::Error),
}

impl fmt::Display for InterchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line, column, fault } => write!(f, "line {line}, column {column}: {fault}"),
            Self::Unfit { place, expected } => write!(f, "{place}: expected {expected}"),
            Self::TooLarge { what, limit } => write!(f, "more than {limit} {what}"),
            Self::UnknownFormat => {
                f.write_str("expected SPDX 2.2 or 2.3 in JSON, CycloneDX 1.4 to 1.6 in JSON, or SWID in XML")
            }
            Self::UnknownAdvisory => f.write_str("expected OSV 1.x, CSAF 2.0 or OpenVEX in JSON"),
            Self::Tag(_) => f.write_str("what was read makes no tag"),
        }
    }
}

impl core::error::Error for InterchangeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Tag(source) => Some(source),
            _ => None,
        }
    }
}
