use alloc::boxed::Box;

use crate::{Error, Reason};

/// An [`Error`] as one word.
#[derive(Debug)]
pub struct Fault(Box<Error>);

impl Fault {
    /// A fault at a byte offset.
    #[cold]
    #[inline(never)]
    pub fn new(at: usize, reason: Reason) -> Self {
        Self(Box::new(Error { at, reason }))
    }

    /// A broken rule of the format at a byte offset.
    #[cold]
    #[inline(never)]
    pub fn rule(at: usize, rule: &'static str) -> Self {
        Self::new(at, Reason::Rule(rule))
    }

    /// More bytes or entries than the decoder allows.
    #[cold]
    #[inline(never)]
    pub fn too_long(at: usize, limit: usize) -> Self {
        Self::new(at, Reason::TooLong { limit })
    }

    /// A map lacks an entry that the format demands.
    #[cold]
    #[inline(never)]
    pub fn missing(at: usize, key: i64) -> Self {
        Self::new(at, Reason::MissingKey(key))
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        *fault.0
    }
}
