//! Shapes that recur in the CDDL of CoRIM, and how much of each is read.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use cbor::{Error, Key, MapBuilder, Order, Reader, Reason, Type, Writer};

use crate::labels::tag;

/// How many bytes a manifest may have, unless the caller says otherwise.
pub const MAX_CORIM_LEN: usize = 1 << 20;

/// How many entries one array of a manifest may have.
pub const MAX_ENTRIES: usize = 10_000;

/// How many bytes one text of a manifest may have.
pub const MAX_TEXT_LEN: usize = 4096;

/// How many bytes one key or chain of certificates in text form may have.
pub const MAX_PEM_LEN: usize = 64 << 10;

/// How many entries that this crate does not know one map may have.
pub const MAX_EXTENSIONS: usize = 256;

/// Length of a UUID.
pub(crate) type Uuid = [u8; 16];

/// Reads all of `bytes` in whatever encoding of CBOR its sender chose: what is not in shortest form or has indefinite
/// lengths is made deterministic first, and then offsets are those of that form.
pub(crate) fn whole<T>(
    bytes: &[u8],
    at: usize,
    read: impl for<'r> Fn(&mut Reader<'r>) -> Result<T, Error>,
) -> Result<T, Error> {
    let to_end = |mut reader: Reader<'_>| {
        let value = read(&mut reader)?;
        reader.end()?;
        Ok(value)
    };
    match to_end(Reader::with_order(bytes, Order::Unique).at_offset(at)) {
        Err(Error { reason: Reason::IndefiniteLength | Reason::NotShortest, .. }) => {
            let normal = cbor::normalize(bytes, bytes.len())
                .map_err(|error| Error::new(at.saturating_add(error.at), error.reason))?;
            to_end(Reader::with_order(&normal, Order::Unique).at_offset(at))
        }
        other => other,
    }
}

/// Reads what a byte string wraps, as by [`whole`].
pub(crate) fn wrapped<T>(
    reader: &mut Reader<'_>,
    read: impl for<'r> Fn(&mut Reader<'r>) -> Result<T, Error>,
) -> Result<T, Error> {
    let inner = reader.wrapped()?;
    whole(inner.rest(), inner.position(), read)
}

/// A text within [`MAX_TEXT_LEN`].
pub(crate) fn text(reader: &mut Reader<'_>) -> Result<String, Error> {
    text_within(reader, MAX_TEXT_LEN)
}

/// A text within a limit.
pub(crate) fn text_within(reader: &mut Reader<'_>, limit: usize) -> Result<String, Error> {
    let at = reader.position();
    let text = reader.text()?;
    if text.len() > limit {
        return Err(Error::new(at, Reason::TooLong { limit }));
    }
    Ok(text.into())
}

/// A URI under its tag 32; some in the field write the text alone.
pub(crate) fn uri(reader: &mut Reader<'_>) -> Result<String, Error> {
    reader.is_tag(tag::URI)?;
    text(reader)
}

pub(crate) fn write_uri(writer: &mut Writer, uri: &str) {
    writer.tag(tag::URI).text(uri);
}

/// A UUID under no tag.
pub(crate) fn uuid(reader: &mut Reader<'_>) -> Result<Uuid, Error> {
    Ok(*reader.byte_array()?)
}

/// `[+ T]`.
pub(crate) fn some<'b, T>(
    reader: &mut Reader<'b>,
    item: impl FnMut(&mut Reader<'b>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let at = reader.position();
    let items = any(reader, item)?;
    if items.is_empty() {
        return Err(Error::rule(at, "an array of one or more values is empty"));
    }
    Ok(items)
}

/// `[* T]`.
pub(crate) fn any<'b, T>(
    reader: &mut Reader<'b>,
    item: impl FnMut(&mut Reader<'b>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let at = reader.position();
    let count = reader.array()?;
    if count > MAX_ENTRIES {
        return Err(Error::new(at, Reason::TooLong { limit: MAX_ENTRIES }));
    }
    let mut item = item;
    (0..count).map(|_| item(reader)).collect()
}

/// Writes an array.
pub(crate) fn write_all<T>(writer: &mut Writer, items: &[T], mut write: impl FnMut(&mut Writer, &T)) {
    writer.array(items.len());
    items.iter().for_each(|item| write(writer, item));
}

/// `T / [+ T]`, where `T` is no array: one value bare, or an array of any number but none.
pub(crate) fn one_or_some<'b, T>(
    reader: &mut Reader<'b>,
    mut item: impl FnMut(&mut Reader<'b>) -> Result<T, Error>,
    is_one: bool,
) -> Result<Vec<T>, Error> {
    if is_one { Ok(Vec::from([item(reader)?])) } else { some(reader, item) }
}

/// Whether the array that stands next has another array as its first item: a list of pairs, not a pair.
pub(crate) fn holds_arrays(reader: &Reader<'_>) -> Result<bool, Error> {
    let mut ahead = reader.clone();
    Ok(ahead.array()? > 0 && ahead.peek()? == Type::Array)
}

/// Writes `T / [+ T]`: one value bare.
pub(crate) fn write_one_or_some<T>(writer: &mut Writer, items: &[T], mut write: impl FnMut(&mut Writer, &T)) {
    match items {
        [one] => write(writer, one),
        several => write_all(writer, several, write),
    }
}

/// An array of two items, or of two and a third.
pub(crate) fn two_or_three(reader: &mut Reader<'_>) -> Result<bool, Error> {
    let at = reader.position();
    match reader.array()? {
        2 => Ok(false),
        3 => Ok(true),
        _ => Err(Error::rule(at, "array has another number of items than the format fixes")),
    }
}

/// The value of a mandatory entry.
pub(crate) fn required<T>(value: Option<T>, at: usize, label: i64) -> Result<T, Error> {
    value.ok_or(Error::new(at, Reason::MissingKey(label)))
}

/// Refuses the key of a map that is closed to extensions.
pub(crate) fn closed<T>(key: Key<'_>, at: usize) -> Result<T, Error> {
    match key {
        Key::Int(label) => Err(Error::new(at, Reason::Unknown(label))),
        _ => Err(Error::rule(at, "map key is not an integer")),
    }
}

/// Entries of a map that this crate does not know: kept, never matched.
///
/// Keys and values are encoded items in deterministic form.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extensions(BTreeMap<Vec<u8>, Vec<u8>>);

impl Extensions {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Every key with its value, as encoded items.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// The encoded value under an encoded key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.get(key).map(Vec::as_slice)
    }

    /// The encoded value under a number.
    pub fn get(&self, label: i64) -> Option<&[u8]> {
        self.0.get(&encoded_key(&Key::Int(label))).map(Vec::as_slice)
    }

    /// Adds a value, which is one encoded item, under a number that this crate does not know.
    pub fn insert(&mut self, label: i64, value: &[u8]) -> Result<(), crate::Error> {
        let value = cbor::normalize(value, value.len()).map_err(crate::Error::Unfit)?;
        self.0.insert(encoded_key(&Key::Int(label)), value);
        Ok(())
    }

    pub(crate) fn decode_entry(
        &mut self,
        key: &Key<'_>,
        at: usize,
        reader: &mut Reader<'_>,
    ) -> Result<(), Error> {
        if self.0.len() == MAX_EXTENSIONS {
            return Err(Error::new(at, Reason::TooLong { limit: MAX_EXTENSIONS }));
        }
        let normal = |bytes: &[u8], at: usize| {
            cbor::normalize(bytes, bytes.len()).map_err(|error| Error::new(at + error.at, error.reason))
        };
        let value_at = reader.position();
        let value = normal(reader.raw()?, value_at)?;
        let key = normal(&encoded_key(key), at)?;
        if self.0.insert(key, value).is_some() {
            return Err(Error::new(at, Reason::DuplicateKey));
        }
        Ok(())
    }

    pub(crate) fn encode(&self, map: &mut MapBuilder) {
        for (key, value) in &self.0 {
            map.entry(key.clone(), |w| {
                w.raw(value);
            });
        }
    }
}

fn encoded_key(key: &Key<'_>) -> Vec<u8> {
    Writer::encode(|w| {
        match key {
            Key::Int(label) => w.int(*label),
            Key::Text(name) => w.text(name),
            Key::Other(raw) => w.raw(raw),
        };
    })
}
