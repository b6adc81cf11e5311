//! Reads the presentation language of TLS (RFC 8446, section 3): numbers in network order, vectors behind their length.

use super::client_hello::HelloFault;

/// A cursor over a message that knows where in the whole message it stands.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the next byte in the message.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], HelloFault> {
        let (head, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or(HelloFault::Truncated { at: self.at + self.bytes.len() })?;
        self.bytes = rest;
        self.at += count;
        Ok(head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, HelloFault> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    pub(super) fn u16(&mut self) -> Result<u16, HelloFault> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into().unwrap_or_default()))
    }

    /// A vector whose length has `width` bytes, as a reader of its content.
    pub(super) fn vector(&mut self, width: usize) -> Result<Self, HelloFault> {
        let length = self.number(width)?;
        let at = self.at;
        Ok(Self { bytes: self.take(length)?, at })
    }

    /// What is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.bytes
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), HelloFault> {
        if self.is_empty() { Ok(()) } else { Err(HelloFault::Trailing { at: self.at }) }
    }

    /// An unsigned number of up to three bytes.
    pub(super) fn number(&mut self, width: usize) -> Result<usize, HelloFault> {
        Ok(self.take(width)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }
}
