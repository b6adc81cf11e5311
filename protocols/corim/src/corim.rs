use alloc::vec::Vec;

use cbor::{Key, MapBuilder, Reader, Reason, Type, Writer};

use crate::{
    Comid, Cotl, Digest, Entity, Error, Extensions, MAX_CORIM_LEN, Profile, TagId, Validity,
    labels::{corim as labels, locator, tag},
    wire,
};

use alloc::string::String;

/// corim-map: tags under one identifier and profile. Whose it is, only [`crate::VerifiedCorim`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corim {
    /// Identifier among those of one issuer.
    pub id: TagId,
    /// The tags, at least one.
    pub tags: Vec<Tag>,
    /// Where more manifests are: advice that nothing here follows.
    pub dependent_rims: Vec<Locator>,
    /// What defines extensions and restrictions.
    pub profile: Option<Profile>,
    /// When it counts.
    pub validity: Option<Validity>,
    /// Who made it.
    pub entities: Vec<Entity>,
    /// Entries this crate does not know.
    pub extensions: Extensions,
}

/// $concise-tag-type-choice.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "most tags are of the largest variant")]
pub enum Tag {
    /// Claims about modules.
    Comid(Comid),
    /// A CoSWID, undecoded: its crate reads it.
    Coswid(Vec<u8>),
    /// A list of active tags.
    Cotl(Cotl),
    /// Another tag by its CBOR tag, with the bytes in it: trust anchor stores, bills of material, and more.
    Other(u64, Vec<u8>),
}

/// corim-locator-map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locator {
    /// URIs of the same resource, at least one.
    pub hrefs: Vec<String>,
    /// Digests of it; none where it is not said.
    pub thumbprints: Vec<Digest>,
}

impl Corim {
    /// A manifest with these tags and nothing else.
    pub fn new(id: TagId, tags: Vec<Tag>) -> Self {
        Self {
            id,
            tags,
            dependent_rims: Vec::new(),
            profile: None,
            validity: None,
            entities: Vec::new(),
            extensions: Extensions::default(),
        }
    }

    /// Decodes `501(corim-map)`, or what older drafts had for it: `500(501(…))`, and the map alone.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_within(bytes, MAX_CORIM_LEN)
    }

    /// The same with another limit on the length of the input.
    pub fn decode_within(bytes: &[u8], limit: usize) -> Result<Self, Error> {
        if bytes.len() > limit {
            return Err(cbor::Error::new(0, Reason::TooLong { limit }).into());
        }
        let corim = wire::whole(bytes, 0, |reader| {
            reader.is_tag(tag::OLDER_CORIM)?;
            reader.is_tag(tag::CORIM)?;
            Self::read(reader)
        })?;
        Ok(corim)
    }

    /// `501(corim-map)` in deterministic encoding.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(w))
    }

    /// The encoding, once a decoder would take it: what is empty, too long or in contradiction is refused.
    pub fn build(&self) -> Result<Vec<u8>, Error> {
        let bytes = self.encode();
        match Self::decode(&bytes) {
            Ok(decoded) if decoded == *self => Ok(bytes),
            Ok(_) => Err(Error::Incomplete("manifest holds something that has no encoding of its own")),
            Err(Error::Malformed(error)) => Err(Error::Unfit(error)),
            Err(error) => Err(error),
        }
    }

    /// Its CoMIDs, in order.
    pub fn comids(&self) -> impl Iterator<Item = &Comid> {
        self.tags.iter().filter_map(|tag| match tag {
            Tag::Comid(comid) => Some(comid),
            _ => None,
        })
    }

    /// Its CoSWIDs, undecoded, in order.
    pub fn coswids(&self) -> impl Iterator<Item = &[u8]> {
        self.tags.iter().filter_map(|tag| match tag {
            Tag::Coswid(bytes) => Some(bytes.as_slice()),
            _ => None,
        })
    }

    /// Its lists of active tags, in order.
    pub fn cotls(&self) -> impl Iterator<Item = &Cotl> {
        self.tags.iter().filter_map(|tag| match tag {
            Tag::Cotl(cotl) => Some(cotl),
            _ => None,
        })
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut id, mut tags, mut profile, mut validity) = (None, None, None, None);
        let (mut dependent_rims, mut entities) = (Vec::new(), Vec::new());
        let mut extensions = Extensions::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            let value_at = reader.position();
            match key {
                Key::Int(labels::ID) => id = Some(TagId::decode(reader)?),
                Key::Int(labels::TAGS) => tags = Some(wire::some(reader, Tag::decode)?),
                Key::Int(labels::DEPENDENT_RIMS) => dependent_rims = wire::some(reader, Locator::decode)?,
                Key::Int(labels::PROFILE) => profile = Some(Profile::decode(reader)?),
                Key::Int(labels::RIM_VALIDITY) => validity = Some(Validity::decode(reader)?),
                Key::Int(labels::ENTITIES) => {
                    entities = wire::some(reader, Entity::decode)?;
                    let signs = |entity: &&Entity| entity.roles.contains(&Entity::MANIFEST_SIGNER);
                    if entities.iter().filter(signs).count() > 1 {
                        return Err(cbor::Error::rule(value_at, "manifest names two signers"));
                    }
                }
                key => extensions.decode_entry(&key, at, reader)?,
            }
            at = reader.position();
        }
        Ok(Self {
            id: wire::required(id, start, labels::ID)?,
            tags: wire::required(tags, start, labels::TAGS)?,
            dependent_rims,
            profile,
            validity,
            entities,
            extensions,
        })
    }

    fn write(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int(labels::ID, |w| self.id.encode(w));
        map.int(labels::TAGS, |w| wire::write_all(w, &self.tags, |w, tag| tag.encode(w)));
        if !self.dependent_rims.is_empty() {
            map.int(labels::DEPENDENT_RIMS, |w| {
                wire::write_all(w, &self.dependent_rims, |w, locator| locator.encode(w));
            });
        }
        map.int_if(labels::PROFILE, self.profile.as_ref(), |w, profile| profile.encode(w));
        map.int_if(labels::RIM_VALIDITY, self.validity.as_ref(), |w, validity| validity.encode(w));
        if !self.entities.is_empty() {
            map.int(labels::ENTITIES, |w| wire::write_all(w, &self.entities, |w, entity| entity.encode(w)));
        }
        self.extensions.encode(&mut map);
        map.write(writer.tag(tag::CORIM));
    }
}

impl Tag {
    /// Older drafts wrap the whole tagged item in a byte string.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        if reader.peek()? == Type::Bytes {
            return wire::wrapped(reader, |reader| {
                let at = reader.position();
                match reader.tag()? {
                    tag::COMID => Comid::read(reader).map(Self::Comid),
                    tag::COTL => Cotl::read(reader).map(Self::Cotl),
                    tag::COSWID => reader.raw().map(|bytes| Self::Coswid(bytes.into())),
                    tag::CORIM | tag::OLDER_CORIM | tag::OLDER_SIGNED => {
                        Err(cbor::Error::rule(at, "manifest is in a manifest"))
                    }
                    number => reader.raw().map(|bytes| Self::Other(number, bytes.into())),
                }
            });
        }
        match reader.tag()? {
            tag::COMID => wire::wrapped(reader, Comid::read).map(Self::Comid),
            tag::COTL => wire::wrapped(reader, Cotl::read).map(Self::Cotl),
            tag::COSWID => reader.bytes().map(|bytes| Self::Coswid(bytes.into())),
            number => reader.bytes().map(|bytes| Self::Other(number, bytes.into())),
        }
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Comid(comid) => writer.tag(tag::COMID).wrap(|w| comid.write(w)),
            Self::Coswid(bytes) => writer.tag(tag::COSWID).bytes(bytes),
            Self::Cotl(cotl) => writer.tag(tag::COTL).wrap(|w| cotl.write(w)),
            Self::Other(number, bytes) => writer.tag(*number).bytes(bytes),
        };
    }
}

impl Locator {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut hrefs, mut thumbprints) = (None, Vec::new());
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(locator::HREF) => {
                    let is_one = reader.peek()? != Type::Array;
                    hrefs = Some(wire::one_or_some(reader, wire::uri, is_one)?);
                }
                Key::Int(locator::THUMBPRINT) => {
                    let is_one = Digest::stands_next(reader)?;
                    thumbprints = wire::one_or_some(reader, Digest::decode, is_one)?;
                }
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        Ok(Self { hrefs: wire::required(hrefs, start, locator::HREF)?, thumbprints })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int(locator::HREF, |w| {
            wire::write_one_or_some(w, &self.hrefs, |w, href| wire::write_uri(w, href));
        });
        if !self.thumbprints.is_empty() {
            map.int(locator::THUMBPRINT, |w| {
                wire::write_one_or_some(w, &self.thumbprints, |w, digest| digest.encode(w));
            });
        }
        map.write(writer);
    }
}
