//! A small client of TPM 2.0: keys that are made in a TPM, sign and authenticate there, and never leave it.
//!
//! What a device keeps of a key is a [`WrappedKey`], which only the TPM that made it can load, and only until its owner
//! hierarchy is cleared. Each use opens the TPM, loads the key below the storage key of the owner hierarchy, and leaves the
//! TPM's memory as it was, so that others can use it in between.
//!
//! It speaks to the kernel's resource manager (`/dev/tpmrm0`) or to the socket of a TPM in software (`swtpm`), by commands of
//! the TPM 2.0 Library specification, parts 2 and 3, with password sessions. It is no stack for programs of all kinds: there
//! are no policies, no audit, no encrypted sessions and no PCRs.

#![forbid(unsafe_code)]

mod address;
mod channel;
mod command;
mod error;
mod key;
mod labels;
mod reader;
pub mod response;
mod response_code;
mod session;

// Public interface
pub use address::Address;
pub use error::Error;
pub use key::{KeyKind, Tpm, WrappedKey};
pub use response_code::ResponseCode;
