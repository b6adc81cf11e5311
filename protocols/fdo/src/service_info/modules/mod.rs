//! The standard modules (FIDO Alliance, 2023): the device's halves as [`DeviceModule`](super::DeviceModule)s over traits of the
//! caller, the owner's as steps of a [`Program`](super::Program).

mod command;
mod csr;
mod devmod;
mod download;
mod text;
mod upload;
mod wget;

use cbor::Reader;

use super::ModuleFault;

pub(super) use command::owner as command_owner;
pub(super) use csr::owner as csr_owner;
pub(super) use devmod::Seen;
pub(super) use download::owner as download_owner;
pub(super) use upload::owner as upload_owner;
pub(super) use wget::owner as wget_owner;

// Public interface
pub use command::{Command, MAX_ARGUMENTS, MAX_ARGUMENTS_LEN, Order, RunFault, RunState, Runner, Stream};
pub use csr::{CertificateFormat, Csr, CsrError, CsrRequest, Enrolment, Issuer, MAX_CSR_LEN};
pub use devmod::{Devmod, MAX_TEXT_LEN, Serial};
pub use download::{Download, FileFault, FileSink, MAX_FILE_NAME_LEN, is_file_name};
pub use upload::{FileSource, Upload};
pub use wget::{Fetch, FetchState, Fetcher, MAX_URL_LEN, Wget};

/// Length of a SHA-384 in bytes.
pub(super) const SHA384_LEN: usize = 48;

/// A piece of a file shorter than this waits for the next list, unless it is the last one.
const MIN_DATA_LEN: usize = 64;

/// The one item that a value is.
pub(super) fn one<'b, T>(
    value: &'b [u8],
    read: impl FnOnce(&mut Reader<'b>) -> Result<T, cbor::Error>,
) -> Result<T, ModuleFault> {
    let mut reader = Reader::new(value);
    let item = read(&mut reader)?;
    reader.end()?;
    Ok(item)
}

/// A SHA-384.
pub(super) fn sha384(value: &[u8]) -> Result<[u8; SHA384_LEN], ModuleFault> {
    Ok(*one(value, Reader::byte_array::<SHA384_LEN>)?)
}
