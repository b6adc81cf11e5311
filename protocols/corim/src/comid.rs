use alloc::{string::String, vec::Vec};

use cbor::{Key, MapBuilder, Reader, Reason, Writer};

use crate::{
    Entity, Error, Extensions, MAX_CORIM_LEN, TagId, TagIdentity, Triples, labels::comid as labels, wire,
};

/// concise-mid-tag: what a hardware or firmware module is expected to report, and more that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comid {
    /// Language of its texts (RFC 5646).
    pub language: Option<String>,
    /// Identifier and version.
    pub identity: TagIdentity,
    /// Who made it.
    pub entities: Vec<Entity>,
    /// Other CoMIDs, and how they relate.
    pub linked_tags: Vec<LinkedTag>,
    /// What it claims.
    pub triples: Triples,
    /// Entries this crate does not know.
    pub extensions: Extensions,
}

/// linked-tag-map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedTag {
    /// The other tag.
    pub id: TagId,
    /// What this tag is to the other: [`LinkedTag::SUPPLEMENTS`], [`LinkedTag::REPLACES`], or more.
    pub relation: i64,
}

impl LinkedTag {
    /// This tag says more about what the other describes.
    pub const SUPPLEMENTS: i64 = 0;
    /// This tag corrects the other, which is to be disregarded.
    pub const REPLACES: i64 = 1;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut id, mut relation) = (None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::LINKED_TAG_ID) => id = Some(TagId::decode(reader)?),
                Key::Int(labels::TAG_REL) => relation = Some(reader.int()?),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        Ok(Self {
            id: wire::required(id, start, labels::LINKED_TAG_ID)?,
            relation: wire::required(relation, start, labels::TAG_REL)?,
        })
    }

    fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int(labels::LINKED_TAG_ID, |w| self.id.encode(w));
        map.int(labels::TAG_REL, |w| {
            w.int(self.relation);
        });
        map.write(writer);
    }
}

impl Comid {
    /// A tag with these triples and nothing else.
    pub fn new(identity: TagIdentity, triples: Triples) -> Self {
        Self {
            language: None,
            identity,
            entities: Vec::new(),
            linked_tags: Vec::new(),
            triples,
            extensions: Extensions::default(),
        }
    }

    /// Decodes a tag that stands alone, under no CBOR tag.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_CORIM_LEN {
            return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_CORIM_LEN }).into());
        }
        Ok(wire::whole(bytes, 0, Self::read)?)
    }

    /// The tag in deterministic encoding.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(w))
    }

    /// The tags this one replaces.
    pub fn replaces(&self) -> impl Iterator<Item = &TagId> {
        self.linked_tags.iter().filter(|link| link.relation == LinkedTag::REPLACES).map(|link| &link.id)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut language, mut identity, mut triples) = (None, None, None);
        let (mut entities, mut linked_tags) = (Vec::new(), Vec::new());
        let mut extensions = Extensions::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::LANGUAGE) => language = Some(wire::text(reader)?),
                Key::Int(labels::TAG_IDENTITY) => identity = Some(TagIdentity::decode(reader)?),
                Key::Int(labels::ENTITIES) => entities = wire::some(reader, Entity::decode)?,
                Key::Int(labels::LINKED_TAGS) => linked_tags = wire::some(reader, LinkedTag::decode)?,
                Key::Int(labels::TRIPLES) => triples = Some(Triples::decode(reader)?),
                key => extensions.decode_entry(&key, at, reader)?,
            }
            at = reader.position();
        }
        Ok(Self {
            language,
            identity: wire::required(identity, start, labels::TAG_IDENTITY)?,
            entities,
            linked_tags,
            triples: wire::required(triples, start, labels::TRIPLES)?,
            extensions,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int_if(labels::LANGUAGE, self.language.as_ref(), |w, language| {
            w.text(language);
        });
        map.int(labels::TAG_IDENTITY, |w| self.identity.encode(w));
        if !self.entities.is_empty() {
            map.int(labels::ENTITIES, |w| wire::write_all(w, &self.entities, |w, entity| entity.encode(w)));
        }
        if !self.linked_tags.is_empty() {
            map.int(labels::LINKED_TAGS, |w| wire::write_all(w, &self.linked_tags, |w, link| link.encode(w)));
        }
        map.int(labels::TRIPLES, |w| self.triples.encode(w));
        self.extensions.encode(&mut map);
        map.write(writer);
    }
}
