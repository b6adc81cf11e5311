//! JSON of others, with the place of everything, no name twice in one object, and limits.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use serde_core::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{Dropped, InterchangeError};

/// How many bytes a document may have.
pub const MAX_DOCUMENT_LEN: usize = 32 << 20;
/// How deep its values may nest.
pub const MAX_DOCUMENT_DEPTH: usize = 48;
/// How many values it may have.
pub const MAX_DOCUMENT_VALUES: usize = 2_000_000;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    /// null, or a number that is no integer: nothing here reads either.
    Other,
    Bool(bool),
    Integer(i64),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, InterchangeError> {
        if bytes.len() > MAX_DOCUMENT_LEN {
            return Err(InterchangeError::TooLarge { what: "bytes", limit: MAX_DOCUMENT_LEN });
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut left = MAX_DOCUMENT_VALUES;
        let mut reader = json::Deserializer::from_slice(bytes);
        let value = Seed { depth: MAX_DOCUMENT_DEPTH, left: &mut left }.deserialize(&mut reader);
        value.and_then(|value| reader.end().map(|()| value)).map_err(|error| InterchangeError::Malformed {
            line: error.line(),
            column: error.column(),
            fault: format!("{error}"),
        })
    }
}

struct Seed<'l> {
    depth: usize,
    left: &'l mut usize,
}

impl Seed<'_> {
    fn inner(&mut self) -> Seed<'_> {
        Seed { depth: self.depth - 1, left: self.left }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        if self.depth == 0 {
            return Err(D::Error::custom(format_args!("values nest deeper than {MAX_DOCUMENT_DEPTH}")));
        }
        *self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| D::Error::custom(format_args!("more than {MAX_DOCUMENT_VALUES} values")))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Other, Json::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self.inner())? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        let mut names = alloc::collections::BTreeSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("name {name:?} stands twice in one object")));
            }
            members.push((name, entries.next_value_seed(self.inner())?));
        }
        Ok(Json::Object(members))
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Place<'j> {
    pub(crate) value: &'j Json,
    /// JSON pointer (RFC 6901).
    pub(crate) path: String,
}

impl<'j> Place<'j> {
    pub(crate) fn root(value: &'j Json) -> Self {
        Self { value, path: String::new() }
    }

    pub(crate) fn unfit(&self, expected: &'static str) -> InterchangeError {
        let place = if self.path.is_empty() { "/".into() } else { self.path.clone() };
        InterchangeError::Unfit { place, expected }
    }

    /// A member of an object; none where there is no such member or no object.
    pub(crate) fn member(&self, name: &str) -> Option<Self> {
        let Json::Object(members) = self.value else { return None };
        let (_, value) = members.iter().find(|(other, _)| other == name)?;
        let name = name.replace('~', "~0").replace('/', "~1");
        Some(Self { value, path: format!("{}/{name}", self.path) })
    }

    pub(crate) fn text(&self) -> Result<&'j str, InterchangeError> {
        match self.value {
            Json::Text(text) => Ok(text),
            _ => Err(self.unfit("a text")),
        }
    }

    pub(crate) fn integer(&self) -> Result<i64, InterchangeError> {
        match self.value {
            Json::Integer(value) => Ok(*value),
            _ => Err(self.unfit("an integer")),
        }
    }

    pub(crate) fn boolean(&self) -> Result<bool, InterchangeError> {
        match self.value {
            Json::Bool(value) => Ok(*value),
            _ => Err(self.unfit("true or false")),
        }
    }

    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<&'j str>, InterchangeError> {
        self.member(name).map(|member| member.text()).transpose()
    }

    pub(crate) fn required_text(
        &self,
        name: &str,
        expected: &'static str,
    ) -> Result<&'j str, InterchangeError> {
        self.optional_text(name)?.ok_or_else(|| self.unfit(expected))
    }

    /// The items of an array that is a member; none where there is no such member.
    pub(crate) fn items(&self, name: &str) -> Result<Vec<Self>, InterchangeError> {
        let Some(member) = self.member(name) else { return Ok(Vec::new()) };
        let Json::Array(values) = member.value else { return Err(member.unfit("an array")) };
        let place = |(index, value)| Self { value, path: format!("{}/{index}", member.path) };
        Ok(values.iter().enumerate().map(place).collect())
    }

    /// An object; and whatever else it has than these members is told as dropped.
    pub(crate) fn object(&self, known: &[&str], dropped: &mut Dropped) -> Result<(), InterchangeError> {
        let Json::Object(members) = self.value else { return Err(self.unfit("an object")) };
        for (name, _) in members.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            dropped.add(&format!("{}/{name}", self.path));
        }
        Ok(())
    }
}
