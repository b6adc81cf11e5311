use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use cbor::{Writer, lean::Reader};

use crate::{
    error::{Fault, Hex},
    limits::{MAX_COMPONENT_SEGMENTS, MAX_SEGMENT_LEN},
};

/// SUIT_Component_Identifier (MAN, section 8.4.5.1): names one place of a device where code or data lives.
///
/// It is shown as its segments joined by `/`: a segment of printable characters as it is, any other as `0x` and
/// hexadecimal digits. Different identifiers look different, so the text can be used as a name elsewhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComponentId {
    /// The deterministic encoding. It is shared, for identifiers are cloned more often than made.
    encoded: Arc<[u8]>,
}

/// The bits of an encoded identifier's first byte that say how many segments follow.
const HEAD_COUNT: u8 = 0x1f;

// With 24 and more, the count would stand in bytes of its own.
const _: () = assert!(MAX_COMPONENT_SEGMENTS < 24);

impl ComponentId {
    /// An identifier of these segments, or `None` beyond [`MAX_COMPONENT_SEGMENTS`] or [`MAX_SEGMENT_LEN`].
    pub fn new<S: AsRef<[u8]>>(segments: &[S]) -> Option<Self> {
        let fits = segments.len() <= MAX_COMPONENT_SEGMENTS
            && segments.iter().all(|segment| segment.as_ref().len() <= MAX_SEGMENT_LEN);
        fits.then(|| {
            let mut writer = Writer::new();
            writer.array(segments.len());
            for segment in segments {
                writer.bytes(segment.as_ref());
            }
            Self { encoded: writer.as_bytes().into() }
        })
    }

    /// This identifier with another before it, or `None` beyond the limits.
    pub fn prefixed(&self, prefix: &Self) -> Option<Self> {
        let (outer, inner) = (prefix.encoded.split_first()?, self.encoded.split_first()?);
        let count = usize::from(outer.0 & HEAD_COUNT) + usize::from(inner.0 & HEAD_COUNT);
        if count > MAX_COMPONENT_SEGMENTS {
            return None;
        }
        let mut writer = Writer::new();
        writer.array(count).raw(outer.1).raw(inner.1);
        Some(Self { encoded: writer.as_bytes().into() })
    }

    /// Reads an identifier.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let item = reader.clone();
        let at = reader.position();
        let count = reader.array()?;
        if count > MAX_COMPONENT_SEGMENTS {
            return Err(Fault::too_long(at, MAX_COMPONENT_SEGMENTS));
        }
        for _ in 0..count {
            let at = reader.position();
            if reader.bytes()?.len() > MAX_SEGMENT_LEN {
                return Err(Fault::too_long(at, MAX_SEGMENT_LEN));
            }
        }
        let len = item.rest().len() - reader.rest().len();
        Ok(Self { encoded: item.rest().get(..len).unwrap_or_default().into() })
    }

    /// Writes the identifier.
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.encoded);
    }

    /// The encoded identifier: a CBOR array of byte strings.
    pub fn as_cbor(&self) -> &[u8] {
        &self.encoded
    }

    /// The segments, outermost first.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        let mut reader = Reader::new(&self.encoded);
        let count = reader.array().unwrap_or_default();
        (0..count).map_while(move |_| reader.bytes().ok())
    }

    /// Whether the first segments of this identifier are those of `prefix`.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        // A segment tells its own length, so what begins with the same bytes begins with the same segments.
        match (self.encoded.get(1..), prefix.encoded.get(1..)) {
            (Some(own), Some(prefix)) => own.starts_with(prefix),
            _ => false,
        }
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            match printable(segment) {
                Some(text) => f.write_str(text)?,
                None => write!(f, "0x{}", Hex(segment))?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ComponentId({self})")
    }
}

impl FromStr for ComponentId {
    type Err = NotAComponentId;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, NotAComponentId> {
        if text.is_empty() {
            return Self::new::<&[u8]>(&[]).ok_or(NotAComponentId);
        }
        let segments: Option<Vec<Vec<u8>>> = text
            .split('/')
            .map(|segment| match segment.strip_prefix("0x") {
                Some(digits) => from_hex(digits),
                None if segment.is_empty() => None,
                None => Some(segment.as_bytes().to_vec()),
            })
            .collect();
        segments.and_then(|segments| Self::new(&segments)).ok_or(NotAComponentId)
    }
}

/// The text is not a component identifier such as `firmware/0x00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAComponentId;

impl fmt::Display for NotAComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a component identifier such as firmware/0x00")
    }
}

impl core::error::Error for NotAComponentId {}

/// The segment as text, if no other segment could look the same.
fn printable(segment: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(segment).ok()?;
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '/' && c != '\u{feff}';
    (!text.is_empty() && !text.starts_with("0x") && text.chars().all(plain)).then_some(text)
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(value(*high)? << 4 | value(*low)?),
            _ => None,
        })
        .collect()
}
