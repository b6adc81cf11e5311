//! What goes through the pipes: a length of four bytes, then JSON.

use std::io::{Error, ErrorKind, Read, Result, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest frame, in bytes.
pub(crate) const MAX_FRAME: usize = 4 << 20;

/// What is asked of a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question<'a> {
    /// The rules.
    pub(crate) rules: std::borrow::Cow<'a, str>,
    /// What they are to look at; without it they are only read.
    pub(crate) input: Option<Value>,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reply {
    /// What every rule of the package says.
    Said(Value),
    /// Names of the rules, when they were only read.
    Read(Vec<String>),
    /// Why there is neither.
    Failed(String),
}

pub(crate) fn write(mut output: impl Write, content: &impl Serialize) -> Result<()> {
    let body = serde_json::to_vec(content)?;
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= MAX_FRAME);
    let length = length.ok_or_else(|| Error::new(ErrorKind::InvalidData, "too long to be sent"))?;
    let frame = [length.to_be_bytes().as_slice(), &body].concat();
    output.write_all(&frame)?;
    output.flush()
}

/// The next frame; none where the other side is gone.
pub(crate) fn read(mut input: impl Read) -> Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(Error::new(ErrorKind::InvalidData, "a frame is too long"));
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some(body))
}
