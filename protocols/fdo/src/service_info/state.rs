//! What an owner remembers of a step between two messages, as bytes.

use alloc::{borrow::ToOwned, vec::Vec};

use cbor::{Reader, Reason, Writer};

use super::{Outcome, modules::SHA384_LEN};

/// Length in bytes of the longest state of a custom step.
pub const MAX_CUSTOM_STATE_LEN: usize = 1024;

/// Length in bytes of the longest state of an owner. Most have a few hundred.
pub const MAX_STATE_LEN: usize = 98_304;

/// How far a step has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing was sent.
    Start,
    /// Contents are being sent; so many bytes have gone.
    Sending {
        /// Bytes that have gone.
        offset: u64,
    },
    /// Everything was sent.
    Waiting,
    /// A file is coming.
    Receiving {
        /// Its length, if it was told.
        len: Option<u64>,
        /// Bytes that came.
        offset: u64,
        /// Its hash, if it was told.
        sha384: Option<[u8; SHA384_LEN]>,
    },
    /// A program runs.
    Running {
        /// Bytes of standard output that came.
        stdout: u64,
        /// Bytes of standard error that came.
        stderr: u64,
    },
    /// A step of the caller's.
    Custom(Vec<u8>),
    /// It is over.
    Ended(Outcome),
}

const START: u64 = 0;
const SENDING: u64 = 1;
const WAITING: u64 = 2;
const RECEIVING: u64 = 3;
const RUNNING: u64 = 4;
const CUSTOM: u64 = 5;
const ENDED: u64 = 6;

impl Progress {
    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            Self::Start => _ = w.array(1).uint(START),
            Self::Sending { offset } => _ = w.array(2).uint(SENDING).uint(*offset),
            Self::Waiting => _ = w.array(1).uint(WAITING),
            Self::Receiving { len, offset, sha384 } => {
                w.array(4).uint(RECEIVING).uint(*offset);
                match len {
                    Some(len) => w.uint(*len),
                    None => w.null(),
                };
                match sha384 {
                    Some(hash) => w.bytes(hash),
                    None => w.null(),
                };
            }
            Self::Running { stdout, stderr } => _ = w.array(3).uint(RUNNING).uint(*stdout).uint(*stderr),
            Self::Custom(state) => _ = w.array(2).uint(CUSTOM).bytes(state),
            Self::Ended(outcome) => {
                w.array(2).uint(ENDED);
                outcome.write(w);
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let at = reader.position();
        let parts = reader.array()?;
        let progress = match (reader.uint()?, parts) {
            (START, 1) => Self::Start,
            (SENDING, 2) => Self::Sending { offset: reader.uint()? },
            (WAITING, 1) => Self::Waiting,
            (RECEIVING, 4) => {
                let offset = reader.uint()?;
                let len = if reader.is_null()? { None } else { Some(reader.uint()?) };
                let sha384 = if reader.is_null()? { None } else { Some(*reader.byte_array()?) };
                Self::Receiving { len, offset, sha384 }
            }
            (RUNNING, 3) => Self::Running { stdout: reader.uint()?, stderr: reader.uint()? },
            (CUSTOM, 2) => Self::Custom(reader.bytes()?.to_owned()),
            (ENDED, 2) => Self::Ended(Outcome::read(reader)?),
            _ => return Err(cbor::Error::new(at, Reason::OutOfRange)),
        };
        Ok(progress)
    }
}

const SKIPPED: u64 = 0;
const DONE: u64 = 1;
const FAILED: u64 = 2;

impl Outcome {
    pub(crate) fn write(self, w: &mut Writer) {
        match self {
            Self::Skipped => w.array(2).uint(SKIPPED).int(0),
            Self::Done(number) => w.array(2).uint(DONE).int(number),
            Self::Failed(number) => w.array(2).uint(FAILED).int(number),
        };
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let at = reader.position();
        reader.array_of(2)?;
        Ok(match (reader.uint()?, reader.int()?) {
            (SKIPPED, 0) => Self::Skipped,
            (DONE, number) => Self::Done(number),
            (FAILED, number) => Self::Failed(number),
            _ => return Err(cbor::Error::new(at, Reason::OutOfRange)),
        })
    }
}
