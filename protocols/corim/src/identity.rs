//! Names, times and people: what CoRIM, CoMID and CoTL have in common (draft-ietf-rats-corim, section "Common Types").

use alloc::{string::String, vec::Vec};
use core::fmt;

use cbor::{Error, Key, MapBuilder, Reader, Reason, Type, Writer};

use crate::{
    Distrust, Extensions,
    labels::{comid, entity, tag, validity},
    wire,
};

/// Identifier of a CoRIM or of a tag in it: a text, or a UUID. The two are never equal, whatever the text says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagId {
    /// A text.
    Text(String),
    /// A UUID.
    Uuid([u8; 16]),
}

/// tag-identity-map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagIdentity {
    /// Identifier of the tag, the same for all its versions.
    pub id: TagId,
    /// The higher corrects the lower; zero where it is not said.
    pub version: u64,
}

/// $profile-type-choice: what defines the extensions and restrictions of a CoRIM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// A URI.
    Uri(String),
    /// The BER encoding of an object identifier, without tag and length.
    Oid(Vec<u8>),
}

/// validity-map, in seconds since 1970. Fractions are rounded so that the interval never grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Begin of the interval.
    pub not_before: Option<i64>,
    /// Its end, which belongs to it.
    pub not_after: i64,
}

/// entity-map: somebody with a part in the life of a CoRIM or a CoMID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Name of the organisation.
    pub name: String,
    /// URI that names it.
    pub reg_id: Option<String>,
    /// Its parts, at least one: see [`Entity::TAG_CREATOR`] and the others.
    pub roles: Vec<i64>,
    /// Entries this crate does not know.
    pub extensions: Extensions,
}

impl TagId {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        match reader.peek()? {
            Type::Bytes => wire::uuid(reader).map(Self::Uuid),
            _ => wire::text(reader).map(Self::Text),
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Text(text) => writer.text(text),
            Self::Uuid(uuid) => writer.bytes(uuid),
        };
    }
}

impl fmt::Display for TagId {
    /// Texts as they are, UUIDs in their text form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Uuid(uuid) => uuid.iter().enumerate().try_for_each(|(index, byte)| {
                let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
                write!(f, "{dash}{byte:02x}")
            }),
        }
    }
}

impl fmt::Debug for TagId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({text:?})"),
            Self::Uuid(_) => write!(f, "Uuid({self})"),
        }
    }
}

impl TagIdentity {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut id, mut version) = (None, 0);
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(comid::TAG_ID) => id = Some(TagId::decode(reader)?),
                Key::Int(comid::TAG_VERSION) => version = reader.uint()?,
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        Ok(Self { id: wire::required(id, start, comid::TAG_ID)?, version })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int(comid::TAG_ID, |w| self.id.encode(w));
        if self.version != 0 {
            map.int(comid::TAG_VERSION, |w| {
                w.uint(self.version);
            });
        }
        map.write(writer);
    }
}

impl Profile {
    /// Older drafts had a text without tag, and before that an array of texts, of which one alone is read.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        if reader.is_tag(tag::OID)? {
            return Ok(Self::Oid(reader.bytes()?.into()));
        }
        if reader.peek()? == Type::Array {
            reader.array_of(1)?;
        }
        wire::uri(reader).map(Self::Uri)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Uri(uri) => wire::write_uri(writer, uri),
            Self::Oid(oid) => {
                writer.tag(tag::OID).bytes(oid);
            }
        }
    }
}

impl Validity {
    /// Whether a time is in the interval.
    pub fn check(&self, now: i64) -> Result<(), Distrust> {
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return Err(Distrust::NotYetValid);
        }
        if now > self.not_after { Err(Distrust::Expired) } else { Ok(()) }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut not_before, mut not_after) = (None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(validity::NOT_BEFORE) => not_before = Some(time(reader, true, Round::Up)?),
                Key::Int(validity::NOT_AFTER) => not_after = Some(time(reader, true, Round::Down)?),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        Ok(Self { not_before, not_after: wire::required(not_after, start, validity::NOT_AFTER)? })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int_if(validity::NOT_BEFORE, self.not_before, |w, time| {
            w.tag(tag::TIME).int(time);
        });
        map.int(validity::NOT_AFTER, |w| {
            w.tag(tag::TIME).int(self.not_after);
        });
        map.write(writer);
    }
}

impl Entity {
    /// Role in a CoMID: creator of the tag.
    pub const TAG_CREATOR: i64 = 0;
    /// Role in a CoMID: maker of the module that the tag describes.
    pub const CREATOR: i64 = 1;
    /// Role in a CoMID: who changes the module that the tag describes.
    pub const MAINTAINER: i64 = 2;
    /// Role in a CoRIM: creator of the manifest.
    pub const MANIFEST_CREATOR: i64 = 1;
    /// Role in a CoRIM: signer of the manifest.
    pub const MANIFEST_SIGNER: i64 = 2;

    /// Somebody in these roles.
    pub fn new(name: impl Into<String>, roles: impl Into<Vec<i64>>) -> Self {
        Self { name: name.into(), reg_id: None, roles: roles.into(), extensions: Extensions::default() }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut name, mut reg_id, mut roles) = (None, None, None);
        let mut extensions = Extensions::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(entity::NAME) => name = Some(wire::text(reader)?),
                Key::Int(entity::REG_ID) => reg_id = Some(wire::uri(reader)?),
                Key::Int(entity::ROLE) => roles = Some(wire::some(reader, Reader::int)?),
                key => extensions.decode_entry(&key, at, reader)?,
            }
            at = reader.position();
        }
        Ok(Self {
            name: wire::required(name, start, entity::NAME)?,
            reg_id,
            roles: wire::required(roles, start, entity::ROLE)?,
            extensions,
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int(entity::NAME, |w| {
            w.text(&self.name);
        });
        map.int_if(entity::REG_ID, self.reg_id.as_deref(), wire::write_uri);
        map.int(entity::ROLE, |w| {
            wire::write_all(w, &self.roles, |w, role| {
                w.int(*role);
            });
        });
        self.extensions.encode(&mut map);
        map.write(writer);
    }
}

/// Which whole second stands for a fraction of one.
#[derive(Clone, Copy)]
pub(crate) enum Round {
    /// The next.
    Up,
    /// The last.
    Down,
}

/// Seconds since 1970 as an integer or a float, under tag 1 or, in CWT claims, without.
pub(crate) fn time(reader: &mut Reader<'_>, tagged: bool, round: Round) -> Result<i64, Error> {
    let at = reader.position();
    if tagged && reader.tag()? != tag::TIME {
        return Err(Error::rule(at, "time is not under tag 1"));
    }
    if reader.peek()? != Type::Float {
        return reader.int();
    }
    let at = reader.position();
    let seconds = reader.float()?;
    // Beyond that, floats are no longer exact; a NaN is in no range.
    if !(-MAX_EXACT..=MAX_EXACT).contains(&seconds) {
        return Err(Error::new(at, Reason::OutOfRange));
    }
    let whole = seconds as i64;
    Ok(match round {
        Round::Up if (whole as f64) < seconds => whole + 1,
        Round::Down if (whole as f64) > seconds => whole - 1,
        _ => whole,
    })
}

/// The largest float below which every integer has one.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
