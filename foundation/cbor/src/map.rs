use alloc::collections::BTreeSet;

use crate::{Error, Order, Reader, Reason};

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
pub struct MapCursor<'b> {
    left: usize,
    keys: SeenKeys<'b>,
}

impl<'b> MapCursor<'b> {
    pub(crate) fn new(count: usize, order: Order) -> Self {
        Self { left: count, keys: SeenKeys::new(order) }
    }

    /// How many entries are left.
    pub fn remaining(&self) -> usize {
        self.left
    }

    /// Reads the next key; the caller then reads or skips the value from the same reader.
    pub fn next(&mut self, reader: &mut Reader<'b>) -> Result<Option<Key<'b>>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        let at = reader.position();
        let (key, raw) = reader.key()?;
        self.keys.see(raw).map_err(|reason| Error::new(at, reason))?;
        self.left -= 1;
        Ok(Some(key))
    }

    /// Reads the next key, which must be an integer.
    pub fn next_int(&mut self, reader: &mut Reader<'b>) -> Result<Option<i64>, Error> {
        let at = reader.position();
        match self.next(reader)? {
            None => Ok(None),
            Some(Key::Int(key)) => Ok(Some(key)),
            Some(_) => Err(Error::rule(at, "map key is not an integer")),
        }
    }
}

/// The keys of one map so far.
#[derive(Debug)]
pub(crate) enum SeenKeys<'b> {
    Ascending(Option<&'b [u8]>),
    Unique(BTreeSet<&'b [u8]>),
}

impl<'b> SeenKeys<'b> {
    pub(crate) fn new(order: Order) -> Self {
        match order {
            Order::Deterministic => Self::Ascending(None),
            Order::Unique => Self::Unique(BTreeSet::new()),
        }
    }

    pub(crate) fn see(&mut self, key: &'b [u8]) -> Result<(), Reason> {
        match self {
            Self::Ascending(last) => match last.replace(key) {
                Some(before) if before == key => Err(Reason::DuplicateKey),
                Some(before) if before > key => Err(Reason::KeyOrder),
                _ => Ok(()),
            },
            Self::Unique(seen) => {
                if seen.insert(key) {
                    Ok(())
                } else {
                    Err(Reason::DuplicateKey)
                }
            }
        }
    }
}
