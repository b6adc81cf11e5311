use alloc::{string::String, vec::Vec};

use cbor::{MapBuilder, Order, Reader, Reason, Type, Writer};
use crypto::{Digest, HashAlgorithm};

use crate::{
    Content, ContentBody, Distrust, Error, EvidenceView, JsonError, MeasuredItem, VersionText, base64url,
    claims_json::{read_version, write_version},
    json::Value,
    members::{self, base64, bytes_of},
    submodule::hash_algorithm,
    values::{array, text, write_array},
};

/// Labels of a measured component (draft-ietf-rats-eat-measured-component, section 4.2).
const ID: i64 = 1;
const DIGEST: i64 = 2;
const AUTHORITIES: i64 = 3;
const FLAGS: i64 = 4;
const RAW: i64 = 5;

/// Their names in JSON.
const JSON_ID: &str = "id";
const JSON_DIGEST: &str = "digested-measurement";
const JSON_RAW: &str = "raw-measurement";
const JSON_AUTHORITIES: &str = "authorities";
const JSON_FLAGS: &str = "flags";
const JSON_NAMES: [&str; 5] = [JSON_ID, JSON_DIGEST, JSON_RAW, JSON_AUTHORITIES, JSON_FLAGS];

/// The Content-Formats that a profile uses for measured components: none is registered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeasuredComponentFormats {
    /// Of `application/measured-component+cbor`.
    pub cbor: u16,
    /// Of `application/measured-component+json`.
    pub json: u16,
}

/// How many bytes a measured component may have.
const MAX_LEN: usize = 64 << 10;

/// measured-component (draft-ietf-rats-eat-measured-component, section 4.2).
///
/// Whoever reads one with authorities or flags must know the profile that gives them meaning, or refuse the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredComponent {
    /// Name of the component, the same in all its versions.
    pub name: String,
    /// Its version.
    pub version: Option<VersionText>,
    /// What was measured.
    pub measurement: Measurement,
    /// Who is responsible for it, as identifiers of keys.
    pub authorities: Vec<Vec<u8>>,
    /// Flags whose meaning the profile gives.
    pub flags: Option<[u8; 8]>,
}

/// The measurement of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measurement {
    /// A digest.
    Digest(Digest),
    /// The measured value itself.
    Raw(Vec<u8>),
}

impl MeasuredComponent {
    /// Decodes one; keys may stand in any order.
    pub fn decode(bytes: &[u8]) -> Result<Self, cbor::Error> {
        if bytes.len() > MAX_LEN {
            return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_LEN }));
        }
        let mut reader = Reader::with_order(bytes, Order::Unique);
        let mut map = reader.map()?;
        let (mut id, mut measurement, mut authorities, mut flags) = (None, None, Vec::new(), None);
        let mut at = reader.position();
        while let Some(label) = map.next_int(&mut reader)? {
            match label {
                ID => id = Some(read_id(&mut reader)?),
                DIGEST | RAW if measurement.is_some() => {
                    return Err(cbor::Error::rule(at, "component has a digest and a raw measurement"));
                }
                DIGEST => measurement = Some(Measurement::Digest(read_digest(&mut reader)?)),
                RAW => measurement = Some(Measurement::Raw(reader.bytes()?.into())),
                AUTHORITIES => authorities = array(&mut reader, |r| Ok(r.bytes()?.into()))?,
                FLAGS => flags = Some(*reader.byte_array()?),
                other => return Err(cbor::Error::new(at, Reason::Unknown(other))),
            }
            at = reader.position();
        }
        reader.end()?;
        let (name, version) = id.ok_or(cbor::Error::new(0, Reason::MissingKey(ID)))?;
        let measurement = measurement.ok_or(cbor::Error::new(0, Reason::MissingKey(DIGEST)))?;
        Ok(Self { name, version, measurement, authorities, flags })
    }

    /// The deterministic encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        map.int(ID, |w| {
            w.array(1 + usize::from(self.version.is_some())).text(&self.name);
            if let Some(version) = &self.version {
                version.encode(w);
            }
        });
        match &self.measurement {
            Measurement::Digest(digest) => map.int(DIGEST, |w| {
                w.array(2).uint(digest.algorithm().named_info_id()).bytes(digest.as_bytes());
            }),
            Measurement::Raw(raw) => map.int(RAW, |w| {
                w.bytes(raw);
            }),
        };
        if !self.authorities.is_empty() {
            map.int(AUTHORITIES, |w: &mut Writer| {
                write_array(w, &self.authorities, |w, authority| {
                    w.bytes(authority);
                });
            });
        }
        map.int_if(FLAGS, self.flags, |w, flags| {
            w.bytes(&flags);
        });
        map.into_bytes()
    }
}

impl MeasuredComponent {
    /// Decodes the JSON form.
    pub fn decode_json(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_LEN {
            return Err(JsonError::at(MAX_LEN, "component is too long").into());
        }
        let value = Value::parse(bytes)?;
        let object = value.as_object().ok_or(JsonError::at(0, "expected an object"))?;
        if object.iter().any(|(name, _)| !JSON_NAMES.contains(&name.as_str())) {
            return Err(JsonError::at(0, "member is not known").into());
        }
        let fail = |rule| JsonError::member(JSON_ID, rule);
        let not_an_id = fail("component id is not an array of a name and a version");
        let (name, version) = match value.get(JSON_ID).ok_or(members::missing(JSON_ID))?.as_array() {
            Some([Value::Text(name)]) => (name, None),
            Some([Value::Text(name), version]) => (name, Some(read_version(version, JSON_ID)?)),
            _ => return Err(not_an_id.into()),
        };
        if name.is_empty() {
            return Err(fail("component has no name").into());
        }
        let measurement = match (value.get(JSON_DIGEST), members::bytes(&value, JSON_RAW)?) {
            (Some(digest), None) => Measurement::Digest(read_json_digest(digest)?),
            (None, Some(raw)) => Measurement::Raw(raw),
            (Some(_), Some(_)) => return Err(fail("component has a digest and a raw measurement").into()),
            (None, None) => return Err(members::missing(JSON_DIGEST).into()),
        };
        let authorities = match value.get(JSON_AUTHORITIES).map(Value::as_array) {
            None => Vec::new(),
            Some(Some(items)) if !items.is_empty() => {
                items.iter().map(|item| bytes_of(item, JSON_AUTHORITIES)).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(JsonError::member(JSON_AUTHORITIES, "array is empty").into()),
        };
        let flags = members::bytes(&value, JSON_FLAGS)?;
        let flags =
            flags.map(|flags| flags.try_into().map_err(|_| members::length(JSON_FLAGS))).transpose()?;
        Ok(Self { name: name.clone(), version, measurement, authorities, flags })
    }

    /// The JSON form.
    pub fn encode_json(&self) -> String {
        let mut id = Vec::from([Value::text(self.name.as_str())]);
        id.extend(self.version.as_ref().map(write_version));
        let measurement = match &self.measurement {
            Measurement::Digest(digest) => {
                let parts = [Value::text(digest.algorithm().name()), base64(digest.as_bytes())];
                (JSON_DIGEST.into(), Value::Array(parts.into()))
            }
            Measurement::Raw(raw) => (JSON_RAW.into(), base64(raw)),
        };
        let mut members = Vec::from([(JSON_ID.into(), Value::Array(id)), measurement]);
        if !self.authorities.is_empty() {
            let authorities = self.authorities.iter().map(|authority| base64(authority)).collect();
            members.push((JSON_AUTHORITIES.into(), Value::Array(authorities)));
        }
        members.extend(self.flags.map(|flags| (JSON_FLAGS.into(), base64(&flags))));
        Value::Object(members).to_text()
    }

    /// Whether it says things that only a profile gives a meaning to.
    pub fn needs_profile(&self) -> bool {
        !self.authorities.is_empty() || self.flags.is_some()
    }
}

impl MeasuredComponentFormats {
    /// Reads the components among the contents of evidence into its items; other contents stay. Where one has
    /// authorities or flags and the profile is not known to the caller, the whole evidence is refused
    /// (draft-ietf-rats-eat-measured-component, section 4.2).
    pub fn read(self, view: &mut EvidenceView, profile_is_known: bool) -> Result<(), Error> {
        let mut others = Vec::new();
        for content in core::mem::take(&mut view.contents) {
            let Some(component) = self.component(&content)? else {
                others.push(content);
                continue;
            };
            if component.needs_profile() && !profile_is_known {
                return Err(Distrust::Profile.into());
            }
            view.items.push(MeasuredItem::from(&component));
        }
        view.contents = others;
        Ok(())
    }

    /// The component that a content is, in either form; in tokens of the other form it is tunnelled as text. Whoever
    /// does not know the profile refuses one that needs it ([`MeasuredComponent::needs_profile`]).
    pub fn component(self, content: &Content) -> Result<Option<MeasuredComponent>, Error> {
        Ok(match &content.body {
            ContentBody::Bytes(bytes) if content.format == self.cbor => {
                Some(MeasuredComponent::decode(bytes)?)
            }
            ContentBody::Text(text) if content.format == self.cbor => {
                let bytes = base64url::decode(text);
                let bytes = bytes.ok_or(JsonError::at(0, "expected base64url without padding"))?;
                Some(MeasuredComponent::decode(&bytes)?)
            }
            ContentBody::Text(text) if content.format == self.json => {
                Some(MeasuredComponent::decode_json(text.as_bytes())?)
            }
            ContentBody::Bytes(bytes) if content.format == self.json => {
                Some(MeasuredComponent::decode_json(bytes)?)
            }
            _ => None,
        })
    }
}

fn read_json_digest(value: &Value) -> Result<Digest, Error> {
    let fail = JsonError::member(JSON_DIGEST, "digest is not an algorithm and its digest");
    let [algorithm, bytes] = value.as_array().ok_or(fail)? else { return Err(fail.into()) };
    let algorithm = match algorithm {
        Value::Text(name) => hash_algorithm(name),
        number => {
            let id = number.as_int().and_then(|id| u64::try_from(id).ok());
            id.and_then(HashAlgorithm::from_named_info_id)
        }
    };
    let algorithm = algorithm.ok_or(JsonError::member(JSON_DIGEST, "hash algorithm is not supported"))?;
    Ok(Digest::new(algorithm, &bytes_of(bytes, JSON_DIGEST)?).ok_or(fail)?)
}

fn read_id(reader: &mut Reader<'_>) -> Result<(String, Option<VersionText>), cbor::Error> {
    let at = reader.position();
    let count = reader.array()?;
    if !(1..=2).contains(&count) {
        return Err(cbor::Error::rule(at, "component id is not an array of a name and a version"));
    }
    let name_at = reader.position();
    let name = text(reader)?;
    if name.is_empty() {
        return Err(cbor::Error::rule(name_at, "component has no name"));
    }
    let version = if count == 2 { Some(VersionText::decode(reader)?) } else { None };
    Ok((name, version))
}

/// Digests here have numbers or names of the Named Information registry, not of COSE.
fn read_digest(reader: &mut Reader<'_>) -> Result<Digest, cbor::Error> {
    let at = reader.position();
    reader.array_of(2)?;
    let algorithm = match reader.peek()? {
        Type::Text => HashAlgorithm::from_name(reader.text()?),
        _ => HashAlgorithm::from_named_info_id(reader.uint()?),
    };
    let algorithm = algorithm.ok_or(cbor::Error::rule(at, "hash algorithm is not supported"))?;
    Digest::new(algorithm, reader.bytes()?)
        .ok_or(cbor::Error::rule(at, "digest has another length than its algorithm"))
}
