use alloc::vec::Vec;

use crate::{
    Error, MAX_DEPTH, Order, Reader, Reason, Type,
    head::{Head, INDEFINITE},
    map::SeenKeys,
};

/// One open container: what is still to come in it.
struct Open<'b> {
    left: usize,
    /// For maps: the keys so far, and where the key now being read began.
    map: Option<(SeenKeys<'b>, usize)>,
}

/// Finds the end of the item at `start` without recursion, holding it to all rules on the way.
pub(crate) fn item_end(input: &[u8], start: usize, base: usize, order: Order) -> Result<usize, Error> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut at = start;
    loop {
        let here = base + at;
        let fail = |reason| Error::new(here, reason);
        let head = Head::read(input, at, base)?;
        if head.info == INDEFINITE {
            return Err(fail(Reason::IndefiniteLength));
        }
        if !head.is_shortest() {
            return Err(fail(Reason::NotShortest));
        }
        let left = match head.kind() {
            Type::Bytes | Type::Text => {
                let mut reader = Reader::new(input.get(at..).unwrap_or_default()).at_offset(base + at);
                let before = reader.rest().len();
                if head.kind() == Type::Bytes {
                    reader.bytes().map(|_| ())?
                } else {
                    reader.text().map(|_| ())?
                };
                at += before - reader.rest().len();
                0
            }
            Type::Array | Type::Map => {
                let items = if head.kind() == Type::Map { 2 } else { 1 };
                let count = usize::try_from(head.argument).ok().and_then(|n| n.checked_mul(items));
                let count = count.filter(|n| *n <= input.len() - at).ok_or(fail(Reason::Truncated))?;
                at += head.len;
                count
            }
            Type::Tag => {
                at += head.len;
                1
            }
            _ => {
                at += head.len;
                0
            }
        };
        if left > 0 {
            if open.len() == MAX_DEPTH {
                return Err(fail(Reason::TooDeep));
            }
            let map = (head.kind() == Type::Map).then(|| (SeenKeys::new(order), at));
            open.push(Open { left, map });
            continue;
        }
        // An item is complete: so may be the containers around it.
        loop {
            let Some(container) = open.last_mut() else { return Ok(at) };
            container.left -= 1;
            if let Some((keys, key_start)) = &mut container.map {
                if container.left % 2 == 1 {
                    let key = input.get(*key_start..at).unwrap_or_default();
                    keys.see(key).map_err(|reason| Error::new(base + *key_start, reason))?;
                } else {
                    *key_start = at;
                }
            }
            if container.left > 0 {
                break;
            }
            open.pop();
        }
    }
}
