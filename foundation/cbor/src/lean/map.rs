use super::{Fault, Reader, seen::SeenKeys};
use crate::{Key, Order};

/// Steps through the entries of a map and holds its keys to order and uniqueness.
#[derive(Debug)]
pub struct MapCursor<'b> {
    left: usize,
    keys: SeenKeys<'b>,
}

impl<'b> MapCursor<'b> {
    pub(super) fn new(count: usize, order: Order) -> Self {
        Self { left: count, keys: SeenKeys::new(order) }
    }

    /// How many entries are left.
    pub fn remaining(&self) -> usize {
        self.left
    }

    /// Reads the next key; the caller then reads or skips the value from the same reader.
    pub fn next(&mut self, reader: &mut Reader<'b>) -> Result<Option<Key<'b>>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        let (at, before) = (reader.position(), reader.rest());
        let key = reader.key()?;
        self.keys.see(reader.since(before), at)?;
        self.left -= 1;
        Ok(Some(key))
    }

    /// Reads the next key, which must be an integer.
    pub fn next_int(&mut self, reader: &mut Reader<'b>) -> Result<Option<i64>, Fault> {
        let at = reader.position();
        match self.next(reader)? {
            None => Ok(None),
            Some(Key::Int(key)) => Ok(Some(key)),
            Some(_) => Err(Fault::rule(at, "map key is not an integer")),
        }
    }
}
