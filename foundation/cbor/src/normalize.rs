use alloc::vec::Vec;

use crate::{
    Error, MAX_DEPTH, Reason, Type, Writer,
    head::{Head, INDEFINITE},
};

/// The byte that ends an item of indefinite length.
const BREAK: u8 = 0xff;

/// Re-encodes one well-formed item deterministically, for formats whose senders may write non-shortest numbers,
/// indefinite lengths or unsorted keys (PSA tokens, tokens of general EAT profiles).
///
/// Duplicate keys, trailing bytes and nesting beyond [`MAX_DEPTH`] stay errors. The result is for reading only:
/// whatever was signed or hashed is checked over the received bytes. `limit` bounds the input.
pub fn normalize(input: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    normal(input, limit, Lengths::Any)
}

/// The same for formats that allow definite lengths only (PSA tokens: RFC 9783, section 5.1).
pub fn normalize_definite(input: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    normal(input, limit, Lengths::Definite)
}

/// Which lengths are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lengths {
    Any,
    Definite,
}

fn normal(input: &[u8], limit: usize, lengths: Lengths) -> Result<Vec<u8>, Error> {
    if input.len() > limit {
        return Err(Error::new(0, Reason::TooLong { limit }));
    }
    let mut writer = Writer::new();
    let end = item(input, 0, MAX_DEPTH, lengths, &mut writer)?;
    if end != input.len() {
        return Err(Error::new(end, Reason::TrailingBytes));
    }
    Ok(writer.into_bytes())
}

/// Copies the item at `at`, which may have `depth` levels of containers: as many as [`Reader::skip`] lets pass.
///
/// [`Reader::skip`]: crate::Reader::skip
fn item(input: &[u8], at: usize, depth: usize, lengths: Lengths, out: &mut Writer) -> Result<usize, Error> {
    let head = Head::read(input.get(at..).unwrap_or_default(), at)?;
    if head.info == INDEFINITE && lengths == Lengths::Definite && head.kind().has_length() {
        return Err(Error::new(at, Reason::IndefiniteLength));
    }
    // Asked only for what is in a container: an empty one, like anything else without content, is no level.
    let below = || depth.checked_sub(1).ok_or(Error::new(at, Reason::TooDeep));
    let mut next = at + head.len;
    match head.kind() {
        Type::Bytes | Type::Text => {
            let mut content = Vec::new();
            next = string(input, at, head, &mut content)?;
            if head.kind() == Type::Bytes {
                out.bytes(&content);
            } else {
                out.text(core::str::from_utf8(&content).map_err(|_| Error::new(at, Reason::NotUtf8))?);
            }
        }
        Type::Array => {
            let mut items = Writer::new();
            let mut count = 0;
            while more(input, next, head, count) {
                next = item(input, next, below()?, lengths, &mut items)?;
                count += 1;
            }
            next = close(input, next, head)?;
            out.array(count).raw(items.as_bytes());
        }
        Type::Map => {
            let mut entries: Vec<(Vec<u8>, usize, Vec<u8>)> = Vec::new();
            while more(input, next, head, entries.len()) {
                let key_at = next;
                let (mut key, mut value) = (Writer::new(), Writer::new());
                next = item(input, next, below()?, lengths, &mut key)?;
                next = item(input, next, below()?, lengths, &mut value)?;
                entries.push((key.into_bytes(), key_at, value.into_bytes()));
            }
            next = close(input, next, head)?;
            // Sorted once: an adversary chooses the order, and the work must not depend on it. Equal keys end up in the
            // order of the input, so the second of a pair is the duplicate.
            entries.sort();
            let twice = entries.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).min();
            if let Some(key_at) = twice {
                return Err(Error::new(key_at, Reason::DuplicateKey));
            }
            out.map(entries.len());
            for (key, _, value) in &entries {
                out.raw(key).raw(value);
            }
        }
        Type::Tag => {
            out.tag(head.argument);
            next = item(input, next, below()?, lengths, out)?;
        }
        Type::Unsigned => {
            out.uint(head.argument);
        }
        Type::Negative => {
            out.head(1, head.argument);
        }
        Type::Float => {
            out.float(head.float().unwrap_or_default());
        }
        Type::Bool | Type::Null | Type::Simple | Type::Integer => {
            if head.info == INDEFINITE || !head.is_shortest() {
                return Err(Error::new(at, Reason::ReservedHead));
            }
            out.head(7, head.argument);
        }
    }
    Ok(next)
}

/// Whether a container whose head is `head` has another entry at `at`.
fn more(input: &[u8], at: usize, head: Head, count: usize) -> bool {
    if head.info == INDEFINITE {
        input.get(at).is_none_or(|byte| *byte != BREAK)
    } else {
        (count as u64) < head.argument
    }
}

/// Passes over the break of an indefinite container.
fn close(input: &[u8], at: usize, head: Head) -> Result<usize, Error> {
    match (head.info, input.get(at)) {
        (INDEFINITE, Some(&BREAK)) => Ok(at + 1),
        (INDEFINITE, _) => Err(Error::new(at, Reason::Truncated)),
        _ => Ok(at),
    }
}

/// Collects a string, chunked or not (RFC 8949, section 3.2.3).
fn string(input: &[u8], at: usize, head: Head, content: &mut Vec<u8>) -> Result<usize, Error> {
    let mut next = at + head.len;
    if head.info != INDEFINITE {
        let len = usize::try_from(head.argument).ok().and_then(|len| next.checked_add(len));
        let end = len.ok_or(Error::new(at, Reason::Truncated))?;
        content.extend_from_slice(input.get(next..end).ok_or(Error::new(at, Reason::Truncated))?);
        return Ok(end);
    }
    while input.get(next).is_some_and(|byte| *byte != BREAK) {
        let chunk = Head::read(input.get(next..).unwrap_or_default(), next)?;
        if chunk.major != head.major || chunk.info == INDEFINITE {
            return Err(Error::new(next, Reason::ReservedHead));
        }
        next = string(input, next, chunk, content)?;
    }
    close(input, next, head)
}
