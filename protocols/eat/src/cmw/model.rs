use alloc::{borrow::ToOwned, collections::BTreeMap, string::String, vec::Vec};

use cbor::Reason;

use super::{cbor_form, json_form};
use crate::{Error, MediaType, oid};

/// How many bytes a wrapper may have.
pub const MAX_CMW_LEN: usize = 1 << 20;

/// How deep collections may nest.
pub const MAX_CMW_DEPTH: usize = 4;

/// How many entries one collection may have.
pub const MAX_CMW_ENTRIES: usize = 64;

/// The entry of a collection that says what it is of.
pub(super) const COLLECTION_TYPE: &str = "__cmwc_t";

/// A conceptual message wrapper (draft-ietf-rats-msg-wrap, section 3): one message, or a collection of wrappers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cmw {
    /// One message.
    Record(CmwRecord),
    /// Several, by name or number.
    Collection(CmwCollection),
}

/// One message with its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmwRecord {
    /// What the message is.
    pub kind: CmwType,
    /// The message, not decoded.
    pub value: Vec<u8>,
    /// What it is used for; never empty where it is given.
    pub indicator: Option<CmwIndicator>,
    /// Whether a CBOR tag tells its type, instead of an array.
    pub tagged: bool,
}

/// What a message is.
#[derive(Clone, Debug)]
pub enum CmwType {
    /// A media type, parsed, and as it was written.
    MediaType(MediaType, String),
    /// A CoAP Content-Format.
    ContentFormat(u16),
}

/// What a message is used for, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CmwIndicator(u8);

/// A collection of wrappers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CmwCollection {
    /// What it is a collection of: a URI, or an object identifier in dotted text.
    pub kind: Option<String>,
    /// Its entries, one or more.
    pub entries: BTreeMap<CmwKey, Cmw>,
}

/// The key of an entry. In JSON it is a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CmwKey {
    /// A number.
    Int(i64),
    /// A name.
    Text(String),
}

impl Cmw {
    /// Decodes either form, told apart by the first byte.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.first() {
            Some(b'[' | b'{' | b' ' | b'\t' | b'\r' | b'\n') => Self::decode_json(bytes),
            _ => Self::decode_cbor(bytes),
        }
    }

    /// Decodes the CBOR form: an array, a tag, or a map.
    pub fn decode_cbor(bytes: &[u8]) -> Result<Self, Error> {
        cbor_form::decode(bytes)
    }

    /// Decodes the JSON form: an array or an object.
    pub fn decode_json(bytes: &[u8]) -> Result<Self, Error> {
        check_len(bytes)?;
        json_form::decode(bytes)
    }

    /// Decodes the value of the X.509 extension 1.3.6.1.5.5.7.1.35 (draft-ietf-rats-msg-wrap, section 6.1): the JSON
    /// form in a UTF8String, or the CBOR form in an OCTET STRING.
    pub fn decode_extension(der: &[u8]) -> Result<Self, Error> {
        const UTF8_STRING: u8 = 0x0c;
        const OCTET_STRING: u8 = 0x04;
        let fail = cbor::Error::rule(0, "expected a UTF8String or an OCTET STRING");
        let [tag, rest @ ..] = der else { return Err(fail.into()) };
        let content = der_content(rest).ok_or(fail)?;
        match *tag {
            UTF8_STRING => Self::decode_json(content),
            OCTET_STRING => Self::decode_cbor(content),
            _ => Err(fail.into()),
        }
    }

    /// The deterministic CBOR encoding.
    pub fn encode(&self) -> Vec<u8> {
        cbor_form::encode(self)
    }

    /// The JSON encoding. Entries under numbers have none.
    pub fn encode_json(&self) -> Result<String, Error> {
        json_form::encode(self)
    }

    /// Every message with the path of keys to it, in the order of the collections.
    pub fn records(&self) -> Vec<(Vec<CmwKey>, &CmwRecord)> {
        let mut found = Vec::new();
        let mut left = Vec::from([(Vec::new(), self)]);
        while let Some((path, wrapper)) = left.pop() {
            match wrapper {
                Self::Record(record) => found.push((path, record)),
                Self::Collection(collection) => {
                    left.extend(collection.entries.iter().rev().map(|(key, inner)| {
                        (path.iter().cloned().chain([key.clone()]).collect::<Vec<_>>(), inner)
                    }))
                }
            }
        }
        found
    }
}

impl CmwRecord {
    /// A record of a media type.
    pub fn new(media_type: &str, value: impl Into<Vec<u8>>) -> Result<Self, Error> {
        Ok(Self { kind: CmwType::parse(media_type)?, value: value.into(), indicator: None, tagged: false })
    }

    /// The same record with its use.
    pub fn with_indicator(self, indicator: CmwIndicator) -> Self {
        Self { indicator: Some(indicator), ..self }
    }
}

impl CmwType {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self::MediaType(MediaType::parse(text)?, text.to_owned()))
    }

    /// The media type, also of a Content-Format that is known.
    pub fn media_type(&self) -> Option<MediaType> {
        match self {
            Self::MediaType(media_type, _) => Some(media_type.clone()),
            Self::ContentFormat(format) => MediaType::of_content_format(*format),
        }
    }
}

impl PartialEq for CmwType {
    /// Compares what is meant, not how it is spelled: a Content-Format is its media type.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ContentFormat(one), Self::ContentFormat(other)) => one == other,
            _ => self.media_type().is_some() && self.media_type() == other.media_type(),
        }
    }
}

impl Eq for CmwType {}

impl CmwIndicator {
    /// Reference values.
    pub const REFERENCE_VALUES: Self = Self(1);
    /// Endorsements.
    pub const ENDORSEMENTS: Self = Self(2);
    /// Evidence.
    pub const EVIDENCE: Self = Self(4);
    /// Attestation results.
    pub const ATTESTATION_RESULTS: Self = Self(8);
    /// Appraisal policy.
    pub const APPRAISAL_POLICY: Self = Self(16);

    /// Some bits of the five; no bit at all is left out instead.
    pub fn new(bits: u64) -> Option<Self> {
        u8::try_from(bits).ok().filter(|bits| (1..32).contains(bits)).map(Self)
    }

    /// The bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether it has every bit of the other.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Whether the text is a URI with a scheme, or an object identifier.
pub(super) fn is_collection_type(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    oid::from_dotted(text).is_some()
        || text.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
}

pub(super) fn check_len(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > MAX_CMW_LEN {
        return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_CMW_LEN }).into());
    }
    Ok(())
}

/// What follows a DER length, where it is all that follows.
fn der_content(rest: &[u8]) -> Option<&[u8]> {
    let [first, rest @ ..] = rest else { return None };
    let (len, content) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (len, content) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), content)
        }
        _ => return None,
    };
    (content.len() == len).then_some(content)
}

impl From<CmwRecord> for Cmw {
    fn from(record: CmwRecord) -> Self {
        Self::Record(record)
    }
}

impl From<CmwCollection> for Cmw {
    fn from(collection: CmwCollection) -> Self {
        Self::Collection(collection)
    }
}
