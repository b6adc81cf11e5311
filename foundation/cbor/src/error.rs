use core::fmt;

use crate::Type;

/// What was not understood, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Byte offset of the first thing that was not understood, from the start of the outermost input.
    pub at: usize,
    /// What is wrong there.
    pub reason: Reason,
}

/// Why an input is refused.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The input ends inside an item, or a declared length exceeds what is left.
    Truncated,
    /// Bytes follow the item that should be the last.
    TrailingBytes,
    /// A length or number is not in its shortest form.
    NotShortest,
    /// An indefinite length where only definite ones are allowed.
    IndefiniteLength,
    /// A head that RFC 8949 reserves.
    ReservedHead,
    /// An item of another major type than the format wants.
    WrongType {
        /// What the format wants.
        expected: Type,
        /// What stands there.
        found: Type,
    },
    /// A map key for the second time.
    DuplicateKey,
    /// A map key that sorts below the one before it.
    KeyOrder,
    /// Nesting beyond [`crate::MAX_DEPTH`].
    TooDeep,
    /// More bytes or entries than the decoder allows.
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// A text string that is not UTF-8.
    NotUtf8,
    /// A number that does not fit the type the format wants.
    OutOfRange,
    /// A map lacks an entry that the format demands.
    MissingKey(i64),
    /// A key or value that the format does not know.
    Unknown(i64),
    /// A well-formed item that breaks a rule of the format, named here.
    Rule(&'static str),
}

impl Error {
    /// An error at a byte offset.
    pub const fn new(at: usize, reason: Reason) -> Self {
        Self { at, reason }
    }

    /// A broken rule of the format at a byte offset.
    pub const fn rule(at: usize, rule: &'static str) -> Self {
        Self { at, reason: Reason::Rule(rule) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason, self.at)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("input ends inside an item"),
            Self::TrailingBytes => f.write_str("bytes follow the last item"),
            Self::NotShortest => f.write_str("number or length is not in its shortest form"),
            Self::IndefiniteLength => f.write_str("indefinite length is not allowed"),
            Self::ReservedHead => f.write_str("reserved encoding"),
            Self::WrongType { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::DuplicateKey => f.write_str("map key occurs twice"),
            Self::KeyOrder => f.write_str("map keys are not in deterministic order"),
            Self::TooDeep => write!(f, "nesting is deeper than {}", crate::MAX_DEPTH),
            Self::TooLong { limit } => write!(f, "more than the {limit} allowed"),
            Self::NotUtf8 => f.write_str("text is not UTF-8"),
            Self::OutOfRange => f.write_str("number is out of range"),
            Self::MissingKey(key) => write!(f, "entry {key} is missing"),
            Self::Unknown(label) => write!(f, "label {label} is not known"),
            Self::Rule(rule) => f.write_str(rule),
        }
    }
}

impl core::error::Error for Error {}
