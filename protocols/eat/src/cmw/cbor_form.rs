//! Wrappers in CBOR (draft-ietf-rats-msg-wrap, section 3).

use alloc::vec::Vec;

use cbor::{Key, MapBuilder, Reader, Reason, Type, Writer};

use super::{
    Cmw, CmwCollection, CmwIndicator, CmwKey, CmwRecord, CmwType, MAX_CMW_DEPTH, MAX_CMW_ENTRIES,
    MAX_CMW_LEN,
    model::{COLLECTION_TYPE, is_collection_type},
};
use crate::{Error, values::text};

/// The tag of Content-Format 0 (RFC 9277, section 4.3).
const FIRST_TAG: u64 = 1_668_546_817;

/// How many Content-Formats have a tag.
const TAGGED_FORMATS: u64 = 65_025;

pub(super) fn decode(bytes: &[u8]) -> Result<Cmw, Error> {
    let normal = cbor::normalize(bytes, MAX_CMW_LEN)?;
    let mut reader = Reader::new(&normal);
    let wrapper = read(&mut reader, MAX_CMW_DEPTH)?;
    reader.end()?;
    Ok(wrapper)
}

pub(super) fn encode(wrapper: &Cmw) -> Vec<u8> {
    Writer::encode(|w| write(wrapper, w))
}

/// Reads a wrapper with at most `depth` levels of collections.
fn read(reader: &mut Reader<'_>, depth: usize) -> Result<Cmw, Error> {
    let at = reader.position();
    Ok(match reader.peek()? {
        Type::Array => Cmw::Record(read_record(reader)?),
        Type::Tag => {
            let format =
                format_of_tag(reader.tag()?).ok_or(cbor::Error::rule(at, "tag of no content format"))?;
            let value = reader.bytes()?.into();
            let kind = CmwType::ContentFormat(format);
            Cmw::Record(CmwRecord { kind, value, indicator: None, tagged: true })
        }
        Type::Map => {
            let depth = depth.checked_sub(1).ok_or(cbor::Error::new(at, Reason::TooDeep))?;
            Cmw::Collection(read_collection(reader, depth)?)
        }
        _ => return Err(cbor::Error::rule(at, "expected a record, a tag or a collection").into()),
    })
}

fn read_record(reader: &mut Reader<'_>) -> Result<CmwRecord, Error> {
    let at = reader.position();
    let count = reader.array()?;
    if !(2..=3).contains(&count) {
        return Err(cbor::Error::rule(at, "record is not of a type, a value and an indicator").into());
    }
    let kind = match reader.peek()? {
        Type::Text => CmwType::parse(reader.text()?)?,
        _ => CmwType::ContentFormat(reader.uint_as()?),
    };
    let value = reader.bytes()?.into();
    let indicator = if count == 3 {
        let at = reader.position();
        let indicator = CmwIndicator::new(reader.uint()?);
        Some(indicator.ok_or(cbor::Error::new(at, Reason::OutOfRange))?)
    } else {
        None
    };
    Ok(CmwRecord { kind, value, indicator, tagged: false })
}

fn read_collection(reader: &mut Reader<'_>, depth: usize) -> Result<CmwCollection, Error> {
    let start = reader.position();
    let mut map = reader.map()?;
    if map.remaining() > MAX_CMW_ENTRIES {
        return Err(cbor::Error::new(start, Reason::TooLong { limit: MAX_CMW_ENTRIES }).into());
    }
    let mut collection = CmwCollection::default();
    let mut at = reader.position();
    while let Some(key) = map.next(reader)? {
        let key = match key {
            Key::Text(COLLECTION_TYPE) => {
                at = reader.position();
                let kind = text(reader)?;
                if !is_collection_type(&kind) {
                    return Err(cbor::Error::rule(at, "type of the collection is neither URI nor OID").into());
                }
                collection.kind = Some(kind);
                continue;
            }
            Key::Text(name) => CmwKey::Text(name.into()),
            Key::Int(number) => CmwKey::Int(number),
            Key::Other(_) => {
                return Err(cbor::Error::rule(at, "map key is neither integer nor text").into());
            }
        };
        collection.entries.insert(key, read(reader, depth)?);
        at = reader.position();
    }
    if collection.entries.is_empty() {
        return Err(cbor::Error::rule(start, "collection is empty").into());
    }
    Ok(collection)
}

fn write(wrapper: &Cmw, writer: &mut Writer) {
    match wrapper {
        Cmw::Record(CmwRecord {
            kind: CmwType::ContentFormat(format),
            value,
            indicator: None,
            tagged: true,
        }) => {
            writer.tag(tag_of_format(*format)).bytes(value);
        }
        Cmw::Record(record) => {
            writer.array(2 + usize::from(record.indicator.is_some()));
            match &record.kind {
                CmwType::MediaType(_, text) => writer.text(text),
                CmwType::ContentFormat(format) => writer.uint((*format).into()),
            };
            writer.bytes(&record.value);
            if let Some(indicator) = record.indicator {
                writer.uint(indicator.bits().into());
            }
        }
        Cmw::Collection(collection) => {
            let mut map = MapBuilder::new();
            if let Some(kind) = &collection.kind {
                map.text(COLLECTION_TYPE, |w| _ = w.text(kind));
            }
            for (key, inner) in &collection.entries {
                match key {
                    CmwKey::Int(number) => map.int(*number, |w| write(inner, w)),
                    CmwKey::Text(name) => map.text(name, |w| write(inner, w)),
                };
            }
            map.write(writer);
        }
    }
}

/// One tag in 256 is left out.
fn tag_of_format(format: u16) -> u64 {
    let format = u64::from(format);
    FIRST_TAG + format / 255 * 256 + format % 255
}

fn format_of_tag(tag: u64) -> Option<u16> {
    let offset = tag.checked_sub(FIRST_TAG)?;
    let (row, column) = (offset / 256, offset % 256);
    let format = row.checked_mul(255)?.checked_add(column)?;
    u16::try_from(format).ok().filter(|_| column < 255 && format < TAGGED_FORMATS)
}
