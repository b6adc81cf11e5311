use alloc::{string::String, vec::Vec};

use cbor::{Error, Key, MapBuilder, Reader, Reason, Type, Writer};

use crate::{labels, wire};

/// How many entries one map may have that this crate does not know.
pub const MAX_ATTRIBUTES: usize = 1024;

/// How many bytes the value of one such entry may have.
pub const MAX_ATTRIBUTE_LEN: usize = 16 << 10;

/// CBOR tag of a URI (RFC 8949, section 3.4.5.3).
const URI_TAG: u64 = 32;

/// global-attributes (RFC 9393, section 2.5): what every map may carry besides its own entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalAttributes {
    /// lang (15): language of the texts in the map (RFC 5646).
    pub lang: Option<String>,
    /// any-attribute: entries this crate does not know, kept and otherwise ignored. When read, in deterministic order.
    pub attributes: Vec<Attribute>,
}

/// An entry of a map that this crate does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its label.
    pub key: AttributeKey,
    /// Its value, one encoded item.
    pub value: Vec<u8>,
}

/// label (RFC 9393, section 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeKey {
    /// An integer.
    Int(i64),
    /// A text.
    Text(String),
}

impl AttributeKey {
    fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            match self {
                Self::Int(label) => w.int(*label),
                Self::Text(name) => w.text(name),
            };
        })
    }
}

impl GlobalAttributes {
    /// The encoded value of an unknown attribute by its integer label.
    pub fn attribute(&self, label: i64) -> Option<&[u8]> {
        let entry = self.attributes.iter().find(|entry| entry.key == AttributeKey::Int(label))?;
        Some(&entry.value)
    }

    /// Takes an entry that the map itself does not know.
    pub(crate) fn decode_entry(
        &mut self,
        key: Key<'_>,
        at: usize,
        reader: &mut Reader<'_>,
    ) -> Result<(), Error> {
        let key = match key {
            Key::Int(labels::LANG) => {
                self.lang = Some(wire::text(reader)?);
                return Ok(());
            }
            Key::Int(label) => AttributeKey::Int(label),
            Key::Text(name) => AttributeKey::Text(name.into()),
            Key::Other(_) => return Err(Error::rule(at, "label is neither integer nor text")),
        };
        if self.attributes.len() == MAX_ATTRIBUTES {
            return Err(Error::new(at, Reason::TooLong { limit: MAX_ATTRIBUTES }));
        }
        let value_at = reader.position();
        let raw = reader.raw()?;
        // So that what is written again is deterministic whatever order its maps were in.
        let value =
            cbor::normalize(raw, MAX_ATTRIBUTE_LEN).map_err(|e| Error::new(value_at + e.at, e.reason))?;
        // The same for the entries themselves: tags that differ in the order of a map are equal.
        let encoded = key.encode();
        let place = self.attributes.partition_point(|held| held.key.encode() < encoded);
        self.attributes.insert(place, Attribute { key, value });
        Ok(())
    }

    pub(crate) fn encode(&self, map: &mut MapBuilder) {
        map.int_if(labels::LANG, self.lang.as_ref(), |w, lang| {
            w.text(lang);
        });
        for attribute in &self.attributes {
            let value = |w: &mut Writer| {
                w.raw(&attribute.value);
            };
            match &attribute.key {
                AttributeKey::Int(label) => map.int(*label, value),
                AttributeKey::Text(name) => map.text(name, value),
            };
        }
    }
}

/// any-uri (RFC 9393, section 2.2). Written with CBOR tag 32; read without it too, as much of the field leaves it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    text: String,
    tagged: bool,
}

impl Uri {
    /// A URI, to be written with its tag.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), tagged: true }
    }

    /// The URI's text, not checked beyond being text: it is shown and compared, never followed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let tagged = reader.peek()? == Type::Tag;
        if tagged && !reader.is_tag(URI_TAG)? {
            return Err(reader.fail(Reason::Rule("expected a URI")));
        }
        Ok(Self { text: wire::text(reader)?, tagged })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        if self.tagged {
            writer.tag(URI_TAG);
        }
        writer.text(&self.text);
    }
}
