//! Wrappers in JSON (draft-ietf-rats-msg-wrap, section 3).

use alloc::{string::String, vec::Vec};

use super::{
    Cmw, CmwCollection, CmwIndicator, CmwKey, CmwRecord, CmwType, MAX_CMW_DEPTH, MAX_CMW_ENTRIES,
    model::{COLLECTION_TYPE, is_collection_type},
};
use crate::{
    Error, JsonError,
    json::Value,
    members::{base64, bytes_of},
};

/// Where errors stand.
const CMW: &str = "cmw";

pub(super) fn decode(bytes: &[u8]) -> Result<Cmw, Error> {
    read(&Value::parse(bytes)?, MAX_CMW_DEPTH)
}

pub(super) fn encode(wrapper: &Cmw) -> Result<String, Error> {
    Ok(write(wrapper)?.to_text())
}

fn read(value: &Value, depth: usize) -> Result<Cmw, Error> {
    let fail = |rule| Error::from(JsonError::member(CMW, rule));
    match value {
        Value::Array(items) => Ok(Cmw::Record(read_record(items)?)),
        Value::Object(members) => {
            let depth = depth.checked_sub(1).ok_or(fail("nesting is too deep"))?;
            if members.len() > MAX_CMW_ENTRIES {
                return Err(fail("collection has too many entries"));
            }
            let mut collection = CmwCollection::default();
            for (name, value) in members {
                if name == COLLECTION_TYPE {
                    let kind = value.as_text().filter(|kind| is_collection_type(kind));
                    let kind = kind.ok_or(fail("type of the collection is neither URI nor OID"))?;
                    collection.kind = Some(kind.into());
                } else {
                    collection.entries.insert(CmwKey::Text(name.clone()), read(value, depth)?);
                }
            }
            if collection.entries.is_empty() {
                return Err(fail("collection is empty"));
            }
            Ok(Cmw::Collection(collection))
        }
        _ => Err(fail("expected a record or a collection")),
    }
}

fn read_record(items: &[Value]) -> Result<CmwRecord, Error> {
    let fail = |rule| Error::from(JsonError::member(CMW, rule));
    let (kind, value, indicator) = match items {
        [kind, value] => (kind, value, None),
        [kind, value, indicator] => (kind, value, Some(indicator)),
        _ => return Err(fail("record is not of a type, a value and an indicator")),
    };
    let kind = match kind {
        Value::Text(text) => CmwType::parse(text)?,
        number => {
            let format = number.as_int().and_then(|number| u16::try_from(number).ok());
            CmwType::ContentFormat(format.ok_or(fail("type is neither a media type nor a content format"))?)
        }
    };
    let indicator = indicator.map(|value| {
        let bits = value.as_int().and_then(|bits| u64::try_from(bits).ok());
        bits.and_then(CmwIndicator::new).ok_or(fail("indicator is not of 1 to 31"))
    });
    let value = bytes_of(value, CMW)?;
    Ok(CmwRecord { kind, value, indicator: indicator.transpose()?, tagged: false })
}

fn write(wrapper: &Cmw) -> Result<Value, Error> {
    Ok(match wrapper {
        Cmw::Record(record) => {
            let kind = match &record.kind {
                CmwType::MediaType(_, text) => Value::text(text.as_str()),
                CmwType::ContentFormat(format) => Value::uint((*format).into()),
            };
            let mut items = Vec::from([kind, base64(&record.value)]);
            items.extend(record.indicator.map(|indicator| Value::uint(indicator.bits().into())));
            Value::Array(items)
        }
        Cmw::Collection(collection) => {
            let kind =
                collection.kind.as_ref().map(|kind| (COLLECTION_TYPE.into(), Value::text(kind.as_str())));
            let mut members: Vec<(String, Value)> = kind.into_iter().collect();
            for (key, inner) in &collection.entries {
                let CmwKey::Text(name) = key else {
                    return Err(Error::Unsignable("an entry under a number has no form in JSON"));
                };
                members.push((name.clone(), write(inner)?));
            }
            Value::Object(members)
        }
    })
}
