//! Notes: what another format has no member for, in the encoding of CoSWID, in a place the format leaves to its users.
//!
//! What the format itself says counts before the note, so that a document that somebody edited means what it shows.

use alloc::{format, string::String, vec::Vec};

use cbor::{Order, Reader, Writer};

use super::{Dropped, InterchangeError, Place, names};
use crate::{File, Link, tag::Fields};

/// Name of a property that is a note, and what a comment that is one begins with, before `=`.
pub(crate) const NAME: &str = "sextant:coswid";

/// A note in hexadecimal digits.
pub(crate) fn note(write: impl FnOnce(&mut Writer)) -> String {
    names::hex(&Writer::encode(write))
}

/// The same as a comment.
pub(crate) fn comment(write: impl FnOnce(&mut Writer)) -> String {
    format!("{NAME}={}", note(write))
}

/// The entries of a tag but for its links, its files and its directories.
pub(crate) fn of_tag(fields: &Fields) -> Vec<u8> {
    let mut rest = fields.clone();
    rest.links.clear();
    if let Some(resources) = rest.resources_mut() {
        resources.files.clear();
        resources.directories.clear();
    }
    rest.encode()
}

pub(crate) fn read_tag(place: &Place<'_>, digits: &str) -> Result<Fields, InterchangeError> {
    read(place, digits, Fields::decode)
}

pub(crate) fn read_file(place: &Place<'_>, digits: &str) -> Result<File, InterchangeError> {
    read(place, digits, File::decode)
}

pub(crate) fn read_link(place: &Place<'_>, digits: &str) -> Result<Link, InterchangeError> {
    read(place, digits, Link::decode)
}

fn read<T>(
    place: &Place<'_>,
    digits: &str,
    decode: impl FnOnce(&mut Reader<'_>) -> Result<T, cbor::Error>,
) -> Result<T, InterchangeError> {
    let unfit = || place.unfit("a note in the encoding of CoSWID");
    let bytes = names::from_hex(digits).ok_or_else(unfit)?;
    let mut reader = Reader::with_order(&bytes, Order::Unique);
    // Bounds the depth before anything recurses.
    reader.clone().skip().map_err(|_| unfit())?;
    let value = decode(&mut reader).map_err(|_| unfit())?;
    reader.end().map_err(|_| unfit())?;
    Ok(value)
}

/// The note among the properties of CycloneDX; other properties are told as dropped.
pub(crate) fn of_properties<'j>(
    of: &Place<'j>,
    dropped: &mut Dropped,
) -> Result<Option<(Place<'j>, &'j str)>, InterchangeError> {
    let mut found = None;
    for property in of.items("properties")? {
        match (property.optional_text("name")?, property.optional_text("value")?) {
            (Some(NAME), Some(digits)) => found = Some((property, digits)),
            _ => dropped.add(&property.path),
        }
    }
    Ok(found)
}

/// The note among the annotations of SPDX; other annotations are told as dropped.
pub(crate) fn of_annotations<'j>(
    of: &Place<'j>,
    dropped: &mut Dropped,
) -> Result<Option<(Place<'j>, &'j str)>, InterchangeError> {
    let mut found = None;
    for annotation in of.items("annotations")? {
        match annotation.optional_text("comment")?.and_then(in_comment) {
            Some(digits) => found = Some((annotation, digits)),
            None => dropped.add(&annotation.path),
        }
    }
    Ok(found)
}

/// The note that a comment is.
pub(crate) fn in_comment(comment: &str) -> Option<&str> {
    comment.strip_prefix(NAME)?.strip_prefix('=')
}
