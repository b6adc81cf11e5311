use std::error::Error;
use std::fmt::Write as _;

/// What a command has to say with its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done, or yes: status 0.
    Yes,
    /// The answer is no, and was printed: status 1.
    No,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Why a command could not be carried out: what failed, why, where, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) why: Vec<String>,
    /// The place in the file, drawn.
    pub(crate) excerpt: Option<String>,
    pub(crate) help: Option<String>,
}

impl Failure {
    /// A failure, in words that need no cause.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), why: Vec::new(), excerpt: None, help: None }
    }

    /// A failure because the bytes of a file are not what they should be; points at the place when the error knows it.
    pub(crate) fn in_bytes(what: impl Into<String>, bytes: &[u8], error: &(dyn Error + 'static)) -> Self {
        Self::new(what).because(error).at(bytes, offset_of(error))
    }

    /// Points at a byte of a file, where it is known.
    #[must_use]
    pub(crate) fn at(self, bytes: &[u8], offset: Option<usize>) -> Self {
        Self { excerpt: offset.and_then(|at| excerpt(bytes, at)), ..self }
    }

    /// Adds an error and all of its sources.
    #[must_use]
    pub(crate) fn because(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Some errors repeat their source for readers who see only the first line.
            if !self.why.iter().any(|line| line.contains(&text)) {
                self.why.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Says what to do.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The byte offset that an error of one of the decoders names.
fn offset_of(error: &(dyn Error + 'static)) -> Option<usize> {
    if let Some(error) = error.downcast_ref::<cbor::Error>() {
        return Some(error.at);
    }
    if let Some(error) = error.downcast_ref::<suit::Error>() {
        return Some(error.at());
    }
    if let Some(x509::Error::Malformed { at, .. }) = error.downcast_ref::<x509::Error>() {
        return Some(*at);
    }
    if let Some(mud::Error::Json { at, .. } | mud::Error::Schema { at, .. }) =
        error.downcast_ref::<mud::Error>()
    {
        return Some(*at);
    }
    error.source().and_then(offset_of)
}

/// Columns of a line of text that are shown on either side of a place.
const CONTEXT: usize = 40;
/// Bytes in a row of an excerpt of binary data.
const ROW: usize = 16;

/// Draws the place: line and column of text, or a row of bytes.
fn excerpt(bytes: &[u8], at: usize) -> Option<String> {
    let before = bytes.get(..at).filter(|_| !bytes.is_empty())?;
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace()) => {
            let number = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
            let from = start.max(at.saturating_sub(CONTEXT));
            let rest = bytes.get(from..)?;
            let line: String = String::from_utf8_lossy(rest.split(|byte| *byte == b'\n').next()?)
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(2 * CONTEXT)
                .collect();
            let lead = String::from_utf8_lossy(bytes.get(from..at)?).chars().count();
            Some(format!("line {number}, column {}\n  {line}\n  {}^", at - start + 1, " ".repeat(lead)))
        }
        _ => {
            let start = at / ROW * ROW;
            let row = bytes.get(start..bytes.len().min(start + ROW))?;
            let mut text = format!("byte {at} (0x{at:x})\n  {start:08x} ");
            for byte in row {
                write!(text, " {byte:02x}").expect("writing to a String cannot fail");
            }
            write!(text, "\n  {}^^", " ".repeat(10 + 3 * (at - start)))
                .expect("writing to a String cannot fail");
            Some(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_at_the_line_and_column_of_text() {
        let drawn = excerpt(b"{\n  \"a\": x\n}", 9).expect("the place is inside");
        assert_eq!(drawn, "line 2, column 8\n    \"a\": x\n         ^");
    }

    #[test]
    fn points_at_the_byte_of_binary_data() {
        let drawn = excerpt(&[0x80; 20], 17).expect("the place is inside");
        assert_eq!(drawn, "byte 17 (0x11)\n  00000010  80 80 80 80\n               ^^");
    }

    #[test]
    fn points_nowhere_when_the_place_is_outside() {
        assert_eq!(excerpt(b"{}", 3), None);
    }
}
