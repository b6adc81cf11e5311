use crate::{Error, Reader, lean};

/// The key of a map entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'b> {
    /// An integer.
    Int(i64),
    /// A text string.
    Text(&'b str),
    /// Anything else, as its encoded bytes.
    Other(&'b [u8]),
}

/// Steps through the entries of a map and holds its keys to order and uniqueness.
///
/// ```
/// # use sextant_cbor::{Key, Reader};
/// let mut reader = Reader::new(&[0xa1, 0x01, 0x18, 0x2a]);
/// let mut map = reader.map()?;
/// while let Some(key) = map.next(&mut reader)? {
///     assert_eq!((key, reader.uint()?), (Key::Int(1), 42));
/// }
/// # Ok::<(), sextant_cbor::Error>(())
/// ```
#[derive(Debug)]
pub struct MapCursor<'b>(pub(crate) lean::MapCursor<'b>);

impl<'b> MapCursor<'b> {
    /// How many entries are left.
    pub fn remaining(&self) -> usize {
        self.0.remaining()
    }

    /// Reads the next key; the caller then reads or skips the value from the same reader.
    pub fn next(&mut self, reader: &mut Reader<'b>) -> Result<Option<Key<'b>>, Error> {
        reader.read(|reader| self.0.next(reader))
    }

    /// Reads the next key, which must be an integer.
    pub fn next_int(&mut self, reader: &mut Reader<'b>) -> Result<Option<i64>, Error> {
        reader.read(|reader| self.0.next_int(reader))
    }
}
