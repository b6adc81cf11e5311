//! The textual form of keys and certificates (RFC 7468).

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use core::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// One block of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands behind BEGIN, such as `CERTIFICATE`.
    pub label: String,
    /// What it encodes.
    pub der: Vec<u8>,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A block has no end.
    NoEnd {
        /// What stands behind its BEGIN.
        label: String,
        /// Where that is, counted from one.
        line: usize,
    },
    /// A block is no base64.
    NotBase64 {
        /// What stands behind its BEGIN.
        label: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEnd { label, line } => write!(f, "PEM block `{label}` of line {line} has no end"),
            Self::NotBase64 { label } => write!(f, "PEM block `{label}` is not base64"),
        }
    }
}

impl core::error::Error for Error {}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// Characters on a line (RFC 7468, section 2).
const LINE: usize = 64;

/// Whether the file has such blocks.
pub fn is_pem(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes).is_ok_and(|text| text.lines().any(|line| line.starts_with(BEGIN)))
}

/// Every block of a file; text around them is commentary.
pub fn decode(text: &str) -> Result<Vec<Block>, Error> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim).enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(label) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES)) else {
            continue;
        };
        let end = format!("{END}{label}{DASHES}");
        let mut encoded = String::new();
        loop {
            match lines.next() {
                Some((_, line)) if line == end => break,
                Some((_, line)) => encoded.push_str(line),
                None => return Err(Error::NoEnd { label: label.to_owned(), line: number + 1 }),
            }
        }
        let der = STANDARD.decode(&encoded).map_err(|_| Error::NotBase64 { label: label.to_owned() })?;
        blocks.push(Block { label: label.to_owned(), der });
    }
    Ok(blocks)
}

/// One block as text.
pub fn encode(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = format!("{BEGIN}{label}{DASHES}\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, left) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = left;
    }
    text.push_str(&format!("{END}{label}{DASHES}\n"));
    text
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn reads_what_it_writes_and_passes_over_commentary() {
        let der = vec![7; 100];
        let text = format!("subject: x\n{}{}", encode("CERTIFICATE", &der), encode("PUBLIC KEY", &[1]));
        let blocks = decode(&text).expect("well-formed");
        assert_eq!(blocks[0], Block { label: "CERTIFICATE".into(), der });
        assert_eq!((blocks[1].label.as_str(), blocks[1].der.as_slice()), ("PUBLIC KEY", &[1][..]));
    }

    #[test]
    fn refuses_a_block_without_end_and_one_that_is_no_base64() {
        assert!(decode("-----BEGIN X-----\nAAAA\n").is_err());
        assert!(decode("-----BEGIN X-----\n!!!!\n-----END X-----\n").is_err());
    }
}
