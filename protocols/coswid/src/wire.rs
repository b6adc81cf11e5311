//! Shapes that recur in the CDDL of RFC 9393.

use alloc::{string::String, vec::Vec};

use cbor::{Error, Reader, Reason, Type, Writer};

/// How many entries one array of a tag may have.
pub const MAX_ENTRIES: usize = 10_000;

/// How many bytes one text of a tag may have.
pub const MAX_TEXT_LEN: usize = 4096;

/// A text within [`MAX_TEXT_LEN`].
pub(crate) fn text(reader: &mut Reader<'_>) -> Result<String, Error> {
    let at = reader.position();
    let text = reader.text()?;
    if text.len() > MAX_TEXT_LEN {
        return Err(Error::new(at, Reason::TooLong { limit: MAX_TEXT_LEN }));
    }
    Ok(text.into())
}

/// `one-or-more<T>`: one value bare, or an array. Encoders write an array of two or more; some in the field write an
/// array of one, so that is read too. `T` itself must not be an array.
pub(crate) fn one_or_more<'b, T>(
    reader: &mut Reader<'b>,
    mut item: impl FnMut(&mut Reader<'b>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    if reader.peek()? != Type::Array {
        return Ok(Vec::from([item(reader)?]));
    }
    let at = reader.position();
    let count = reader.array()?;
    if count == 0 {
        return Err(Error::rule(at, "an array of one or more values is empty"));
    }
    if count > MAX_ENTRIES {
        return Err(Error::new(at, Reason::TooLong { limit: MAX_ENTRIES }));
    }
    (0..count).map(|_| item(reader)).collect()
}

/// Writes `one-or-more<T>`.
pub(crate) fn write_one_or_more<T>(writer: &mut Writer, items: &[T], mut write: impl FnMut(&mut Writer, &T)) {
    if items.len() != 1 {
        writer.array(items.len());
    }
    for item in items {
        write(writer, item);
    }
}

/// The value of a mandatory entry.
pub(crate) fn required<T>(value: Option<T>, at: usize, label: i64) -> Result<T, Error> {
    value.ok_or(Error::new(at, Reason::MissingKey(label)))
}
