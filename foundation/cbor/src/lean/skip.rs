use alloc::vec::Vec;

use super::{Fault, Reader, seen::SeenKeys};
use crate::{MAX_DEPTH, Reason, Type, head::INDEFINITE};

/// One open container: what is still to come in it.
struct Open<'b> {
    left: usize,
    /// Whether it is a map, whose keys are held to order and uniqueness.
    is_map: bool,
    keys: SeenKeys<'b>,
    /// What there was from the key on that is now being read.
    key: &'b [u8],
}

impl<'b> Reader<'b> {
    /// Passes over the next item, checked for well-formedness to its end, without recursion.
    pub fn skip(&mut self) -> Result<(), Fault> {
        let mut open: Vec<Open<'b>> = Vec::new();
        loop {
            let here = self.position();
            let head = self.head()?;
            if head.info == INDEFINITE {
                return Err(Fault::new(here, Reason::IndefiniteLength));
            }
            let kind = head.kind();
            let mut left = 0;
            match kind {
                Type::Bytes => self.bytes().map(|_| ())?,
                Type::Text => self.text().map(|_| ())?,
                Type::Array | Type::Map => {
                    let least = 1 + usize::from(kind == Type::Map);
                    // The head is counted as if it could hold an entry; the entries themselves find out.
                    left = self.count(head.argument, least, self.rest().len())? * least;
                    self.advance(head.len);
                }
                _ => {
                    left = usize::from(kind == Type::Tag);
                    self.advance(head.len);
                }
            }
            if left > 0 {
                if open.len() == MAX_DEPTH {
                    return Err(Fault::new(here, Reason::TooDeep));
                }
                let keys = SeenKeys::new(self.order());
                open.push(Open { left, is_map: kind == Type::Map, keys, key: self.rest() });
                continue;
            }
            // An item is complete: so may be the containers around it.
            loop {
                let Some(container) = open.last_mut() else { return Ok(()) };
                container.left -= 1;
                if container.is_map {
                    if container.left % 2 == 1 {
                        let key = self.since(container.key);
                        container.keys.see(key, self.position() - key.len())?;
                    } else {
                        container.key = self.rest();
                    }
                }
                if container.left > 0 {
                    break;
                }
                open.pop();
            }
        }
    }
}
