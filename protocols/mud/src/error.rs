//! Why a file is refused as a whole. Refusals of single access control entries are findings, see [`crate::Finding`].

use alloc::string::String;
use core::fmt;

use crate::json::{JsonError, JsonFault};

/// Nothing of the file is applied; the last good policy stays.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not the JSON that RFC 8520, section 17.5 asks for.
    Json {
        /// Byte offset of the fault.
        at: usize,
        /// What is wrong there.
        fault: JsonFault,
    },
    /// JSON, but not a MUD file: some YANG rule does not hold.
    Schema {
        /// JSON pointer (RFC 6901) of the node that breaks the rule.
        path: String,
        /// Byte offset of that node.
        at: usize,
        /// The rule.
        fault: SchemaFault,
    },
    /// The file is larger than this implementation is willing to enforce.
    TooLarge {
        /// JSON pointer of the list that is too long.
        path: String,
        /// The limit that is passed.
        limit: Limit,
    },
    /// A well-formed file for another MUD URL than the one it was fetched from, and the move is not authorised.
    Moved {
        /// The URL the file was fetched from.
        fetched: String,
        /// The `mud-url` inside the file.
        found: String,
    },
    /// The caller's fault: the URL in the context is not a MUD URL.
    BadContextUrl,
}

/// The YANG rule that a node breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaFault {
    /// A mandatory member is absent.
    Missing(&'static str),
    /// The value is of another JSON type or not in the lexical form of its YANG type.
    Expected(&'static str),
    /// An integer outside of its range.
    OutOfRange {
        /// Smallest allowed value.
        min: u32,
        /// Largest allowed value.
        max: u32,
    },
    /// Fewer or more characters than the type allows.
    Length {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// The same leaf is given twice, once with its module name and once without.
    DuplicateMember(&'static str),
    /// Two entries of a list have the same key.
    DuplicateKey(String),
    /// A policy names an access control list that is not in the file.
    UnknownAcl(String),
    /// Two cases of one YANG choice.
    TwoCases(&'static str),
    /// `lower-port` above `upper-port` (RFC 8519, section 4.2).
    InvertedRange,
    /// `mud-version` other than 1 (RFC 8520, section 3.1).
    Version,
    /// `direction-initiated` outside of `tcp` (RFC 8520, section 4.8).
    DirectionWithoutTcp,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Access control lists in the file.
    Acls,
    /// Access control entries in the file.
    Aces,
    /// Distinct domain names in the file.
    Names,
    /// Members of one object.
    Members,
    /// Entries of any other list.
    Entries,
}

impl From<JsonError> for Error {
    fn from(error: JsonError) -> Self {
        Self::Json { at: error.at, fault: error.fault }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { at, fault } => write!(f, "not a JSON file: {fault} at byte {at}"),
            Self::Schema { path, at, fault } => write!(f, "{path} (byte {at}): {fault}"),
            Self::TooLarge { path, limit } => write!(f, "{path}: {limit}"),
            Self::Moved { fetched, found } => {
                write!(f, "file fetched from {fetched} says it is {found}, and the move is not authorised")
            }
            Self::BadContextUrl => f.write_str("the URL the file was fetched from is not an https URL"),
        }
    }
}

impl core::error::Error for Error {}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "longer than 1 MiB",
            Self::NotUtf8 => "not UTF-8",
            Self::Truncated => "ends too early",
            Self::Unexpected => "unexpected character",
            Self::TooDeep => "nested more than 32 levels deep",
            Self::DuplicateMember => "member name used twice",
            Self::BadNumber => "malformed number",
            Self::BadEscape => "malformed escape sequence",
            Self::ControlCharacter => "control character in a string",
            Self::TrailingBytes => "something follows the value",
        })
    }
}

impl fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "mandatory member `{name}` is missing"),
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::OutOfRange { min, max } => write!(f, "expected an integer from {min} to {max}"),
            Self::Length { min, max } => write!(f, "expected {min} to {max} characters"),
            Self::DuplicateMember(name) => write!(f, "`{name}` is given with and without its module name"),
            Self::DuplicateKey(key) => write!(f, "list key {key:?} is used twice"),
            Self::UnknownAcl(name) => write!(f, "no access control list is named {name:?}"),
            Self::TwoCases(choice) => write!(f, "{choice} exclude each other"),
            Self::InvertedRange => f.write_str("lower-port is above upper-port"),
            Self::Version => f.write_str("only mud-version 1 is known"),
            Self::DirectionWithoutTcp => f.write_str("direction-initiated is for tcp only"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Acls => "too many access control lists",
            Self::Aces => "too many access control entries",
            Self::Names => "too many distinct domain names",
            Self::Members => "too many members in one object",
            Self::Entries => "too many entries in one list",
        })
    }
}
