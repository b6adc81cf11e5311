use core::fmt;

use cbor::{Reader, Writer};

/// A number used once (section 3.3.2): 16 random bytes, by which an answer is to what was asked just now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; Nonce::LEN]);

impl Nonce {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// A new one; `fill` overwrites a slice with random bytes.
    pub fn generate(fill: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut nonce = [0; Self::LEN];
        fill(&mut nonce);
        Self(nonce)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        reader.byte_array().map(|bytes| Self(*bytes))
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.0);
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
