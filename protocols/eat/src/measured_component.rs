use alloc::{string::String, vec::Vec};

use cbor::{Error, MapBuilder, Order, Reader, Reason, Type, Writer};
use crypto::{Digest, HashAlgorithm};

use crate::{
    VersionText,
    values::{array, text, write_array},
};

/// Labels of a measured component (draft-ietf-rats-eat-measured-component, section 4.2).
const ID: i64 = 1;
const DIGEST: i64 = 2;
const AUTHORITIES: i64 = 3;
const FLAGS: i64 = 4;
const RAW: i64 = 5;

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
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_LEN {
            return Err(Error::new(0, Reason::TooLong { limit: MAX_LEN }));
        }
        let mut reader = Reader::with_order(bytes, Order::Unique);
        let mut map = reader.map()?;
        let (mut id, mut measurement, mut authorities, mut flags) = (None, None, Vec::new(), None);
        let mut at = reader.position();
        while let Some(label) = map.next_int(&mut reader)? {
            match label {
                ID => id = Some(read_id(&mut reader)?),
                DIGEST | RAW if measurement.is_some() => {
                    return Err(Error::rule(at, "component has a digest and a raw measurement"));
                }
                DIGEST => measurement = Some(Measurement::Digest(read_digest(&mut reader)?)),
                RAW => measurement = Some(Measurement::Raw(reader.bytes()?.into())),
                AUTHORITIES => authorities = array(&mut reader, |r| Ok(r.bytes()?.into()))?,
                FLAGS => flags = Some(*reader.byte_array()?),
                other => return Err(Error::new(at, Reason::Unknown(other))),
            }
            at = reader.position();
        }
        reader.end()?;
        let (name, version) = id.ok_or(Error::new(0, Reason::MissingKey(ID)))?;
        let measurement = measurement.ok_or(Error::new(0, Reason::MissingKey(DIGEST)))?;
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

fn read_id(reader: &mut Reader<'_>) -> Result<(String, Option<VersionText>), Error> {
    let at = reader.position();
    let count = reader.array()?;
    if !(1..=2).contains(&count) {
        return Err(Error::rule(at, "component id is not an array of a name and a version"));
    }
    let name_at = reader.position();
    let name = text(reader)?;
    if name.is_empty() {
        return Err(Error::rule(name_at, "component has no name"));
    }
    let version = if count == 2 { Some(VersionText::decode(reader)?) } else { None };
    Ok((name, version))
}

/// Digests here have numbers or names of the Named Information registry, not of COSE.
fn read_digest(reader: &mut Reader<'_>) -> Result<Digest, Error> {
    let at = reader.position();
    reader.array_of(2)?;
    let algorithm = match reader.peek()? {
        Type::Text => HashAlgorithm::from_name(reader.text()?),
        _ => HashAlgorithm::from_named_info_id(reader.uint()?),
    };
    let algorithm = algorithm.ok_or(Error::rule(at, "hash algorithm is not supported"))?;
    Digest::new(algorithm, reader.bytes()?)
        .ok_or(Error::rule(at, "digest has another length than its algorithm"))
}
