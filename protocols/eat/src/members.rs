//! Members of JSON objects by name, each with the type its format wants.

use alloc::{string::String, vec::Vec};

use crate::{base64url, error::JsonError, json::Value};

/// How many bytes one text of a claim may have; the same as in CBOR.
pub(crate) use crate::values::MAX_TEXT_LEN;

pub(crate) fn text(value: &Value, name: &'static str) -> Result<Option<String>, JsonError> {
    let Some(member) = value.get(name) else { return Ok(None) };
    let text = member.as_text().ok_or(JsonError::member(name, "expected a text"))?;
    if text.len() > MAX_TEXT_LEN {
        return Err(JsonError::member(name, "text is too long"));
    }
    Ok(Some(text.into()))
}

pub(crate) fn int(value: &Value, name: &'static str) -> Result<Option<i64>, JsonError> {
    let Some(member) = value.get(name) else { return Ok(None) };
    Ok(Some(member.as_int().ok_or(JsonError::member(name, "expected an integer"))?))
}

pub(crate) fn uint(value: &Value, name: &'static str) -> Result<Option<u64>, JsonError> {
    let Some(member) = value.get(name) else { return Ok(None) };
    let number = match member {
        Value::Number(number) => number.parse().ok(),
        _ => None,
    };
    Ok(Some(number.ok_or(JsonError::member(name, "expected a number of zero or more"))?))
}

pub(crate) fn bool(value: &Value, name: &'static str) -> Result<Option<bool>, JsonError> {
    match value.get(name) {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(JsonError::member(name, "expected true or false")),
    }
}

pub(crate) fn bytes(value: &Value, name: &'static str) -> Result<Option<Vec<u8>>, JsonError> {
    value.get(name).map(|member| bytes_of(member, name)).transpose()
}

/// The bytes of a text in base64url.
pub(crate) fn bytes_of(value: &Value, name: &'static str) -> Result<Vec<u8>, JsonError> {
    let bytes = value.as_text().and_then(base64url::decode);
    bytes.ok_or(JsonError::member(name, "expected base64url without padding"))
}

pub(crate) fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_text().map(String::from)).collect()
}

pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

pub(crate) fn base64(bytes: &[u8]) -> Value {
    Value::Text(base64url::encode(bytes))
}

pub(crate) fn missing(name: &'static str) -> JsonError {
    JsonError::member(name, "member is missing")
}

pub(crate) fn length(name: &'static str) -> JsonError {
    JsonError::member(name, "length is not allowed")
}
