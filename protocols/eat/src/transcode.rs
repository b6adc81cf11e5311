//! Claims this crate does not know, from JSON to CBOR and back (RFC 8949, section 6).

use alloc::{string::String, vec::Vec};

use cbor::{Key, Reader, Type, Writer};

use crate::{Error, base64url, json::Value, location::Number};

/// A JSON value as CBOR. Members that are not unique were refused by the parser.
pub(crate) fn to_cbor(value: &Value, writer: &mut Writer) {
    match value {
        Value::Null => {
            writer.null();
        }
        Value::Bool(value) => {
            writer.bool(*value);
        }
        Value::Text(text) => {
            writer.text(text);
        }
        // Whatever is no integer of 64 bits becomes a float; one too large for a float becomes null.
        Value::Number(text) => match (Number::from_json(value), text.parse::<u64>()) {
            (_, Ok(number)) => {
                writer.uint(number);
            }
            (Some(number), _) => number.encode(writer),
            (None, _) => {
                writer.null();
            }
        },
        Value::Array(items) => {
            writer.array(items.len());
            items.iter().for_each(|item| to_cbor(item, writer));
        }
        Value::Object(members) => {
            let mut map = cbor::MapBuilder::new();
            for (name, value) in members {
                map.text(name, |w| to_cbor(value, w));
            }
            map.write(writer);
        }
    }
}

/// CBOR as a JSON value: bytes as base64url, tags left out. Maps with other keys than texts have no such form.
pub(crate) fn to_json(reader: &mut Reader<'_>) -> Result<Value, Error> {
    const NO_FORM: Error = Error::Unsignable("a claim has no form in JSON");
    Ok(match reader.peek()? {
        Type::Unsigned => Value::uint(reader.uint()?),
        Type::Negative | Type::Integer => Value::int(reader.int()?),
        Type::Bytes => Value::Text(base64url::encode(reader.bytes()?)),
        Type::Text => Value::text(reader.text()?),
        Type::Bool => Value::Bool(reader.bool()?),
        Type::Float => Number::float(reader.float()?).to_json().ok_or(NO_FORM)?,
        Type::Null => {
            reader.null()?;
            Value::Null
        }
        Type::Array => {
            let count = reader.array()?;
            Value::Array((0..count).map(|_| to_json(reader)).collect::<Result<_, _>>()?)
        }
        Type::Map => {
            let mut map = reader.map()?;
            let mut members: Vec<(String, Value)> = Vec::new();
            while let Some(key) = map.next(reader)? {
                let Key::Text(name) = key else { return Err(NO_FORM) };
                members.push((name.into(), to_json(reader)?));
            }
            Value::Object(members)
        }
        Type::Tag => {
            reader.tag()?;
            to_json(reader)?
        }
        Type::Simple => return Err(NO_FORM),
    })
}

/// An encoded value as JSON.
pub(crate) fn bytes_to_json(bytes: &[u8]) -> Result<Value, Error> {
    let mut reader = Reader::new(bytes);
    // One pass over the whole bounds the depth.
    reader.clone().skip()?;
    to_json(&mut reader)
}
