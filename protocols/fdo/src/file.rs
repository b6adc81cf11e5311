//! Vouchers as files hold them: encoded, or as PEM blocks, of which there may be several.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use x509::pem;

/// What stands behind BEGIN in the textual form.
pub const PEM_LABEL: &str = "OWNERSHIP VOUCHER";

/// How many vouchers one file may hold.
pub const MAX_VOUCHERS: usize = 10_000;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileError {
    /// A block of it cannot be read.
    Pem(pem::Error),
    /// It has blocks, and none is a voucher.
    NoVoucher,
    /// It has more than [`MAX_VOUCHERS`].
    TooMany,
}

/// The encoded vouchers of a file, at least one, none of them read. Blocks of another kind are passed over: some keep the
/// key of the last owner beside its voucher.
pub fn vouchers_of_file(bytes: &[u8]) -> Result<Vec<Cow<'_, [u8]>>, FileError> {
    let text = core::str::from_utf8(bytes).ok().filter(|_| pem::is_pem(bytes));
    let Some(text) = text else { return Ok(Vec::from([Cow::Borrowed(bytes)])) };
    let blocks = pem::decode(text).map_err(FileError::Pem)?;
    let vouchers = blocks.into_iter().filter(|block| block.label == PEM_LABEL);
    let vouchers: Vec<_> = vouchers.take(MAX_VOUCHERS + 1).map(|block| Cow::Owned(block.der)).collect();
    match vouchers.len() {
        0 => Err(FileError::NoVoucher),
        count if count > MAX_VOUCHERS => Err(FileError::TooMany),
        _ => Ok(vouchers),
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(error) => error.fmt(f),
            Self::NoVoucher => write!(f, "no PEM block is called {PEM_LABEL}"),
            Self::TooMany => write!(f, "more than {MAX_VOUCHERS} vouchers in one file"),
        }
    }
}

impl core::error::Error for FileError {}
