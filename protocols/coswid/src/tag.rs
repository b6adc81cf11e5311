use alloc::{string::String, vec::Vec};
use core::fmt;

use cbor::{Key, MapBuilder, Order, Reader, Reason, Type, Writer};

#[cfg(feature = "interchange")]
use crate::ResourceCollection;
use crate::{
    Entity, Error, Evidence, GlobalAttributes, Link, Payload, Rel, Role, SoftwareMeta, Version,
    VersionScheme, labels, wire,
};

/// CBOR tag that marks a CoSWID, "SWID" in ASCII (RFC 9393, section 8).
pub const CBOR_TAG: u64 = 0x5357_4944;

/// How many bytes a tag may have.
pub const MAX_TAG_LEN: usize = 1 << 20;

/// concise-swid-tag (RFC 9393, section 2.3). A value of this type keeps the rules of RFC 9393 on which entries need
/// each other; it is authenticated only as far as the bytes it was decoded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub(crate) fields: Fields,
    bytes: Vec<u8>,
}

/// tag-id (RFC 9393, section 2.3). A UUID in bytes and the same UUID in text are different ids.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TagId {
    /// A text.
    Text(String),
    /// A UUID.
    Uuid([u8; 16]),
}

/// What a tag describes (RFC 9393, section 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagKind {
    /// Installed software.
    Primary,
    /// More facts on software that another tag describes.
    Supplemental,
    /// Installation media. Never a source of reference values for what runs.
    Corpus,
    /// A change to installed software.
    Patch,
}

/// What stands in a tag: expected parts, found parts, or neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collection {
    /// payload (6).
    Payload(Payload),
    /// evidence (3).
    Evidence(Evidence),
}

/// The entries of a tag, whose rules may not hold yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) tag_id: TagId,
    pub(crate) tag_version: i64,
    pub(crate) corpus: bool,
    pub(crate) patch: bool,
    pub(crate) supplemental: bool,
    pub(crate) software_name: String,
    pub(crate) software_version: Option<String>,
    pub(crate) version_scheme: Option<VersionScheme>,
    pub(crate) media: Option<String>,
    pub(crate) software_meta: Vec<SoftwareMeta>,
    pub(crate) entities: Vec<Entity>,
    pub(crate) links: Vec<Link>,
    pub(crate) collection: Option<Collection>,
    pub(crate) global: GlobalAttributes,
}

impl Tag {
    /// Decodes a bare or tagged CoSWID. Map keys may stand in any order, but none twice.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_TAG_LEN {
            return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_TAG_LEN }).into());
        }
        let mut reader = Reader::with_order(bytes, Order::Unique);
        // One pass over the whole bounds the depth before anything below recurses.
        reader.clone().skip()?;
        if reader.peek()? == Type::Tag && !reader.is_tag(CBOR_TAG)? {
            return Err(reader.fail(Reason::Rule("expected the tag of a CoSWID")).into());
        }
        let start = reader.position();
        let fields = Fields::decode(&mut reader)?;
        reader.end()?;
        fields.check().map_err(|rule| cbor::Error::rule(start, rule))?;
        Ok(Self { fields, bytes: bytes.into() })
    }

    /// A tag made here; its bytes are the deterministic encoding.
    pub(crate) fn from_fields(fields: Fields) -> Result<Self, &'static str> {
        fields.check()?;
        let bytes = fields.encode();
        Ok(Self { fields, bytes })
    }

    /// The deterministic encoding as a bare map, which need not be the bytes received.
    pub fn encode(&self) -> Vec<u8> {
        self.fields.encode()
    }

    /// The bytes received, or the deterministic encoding of a tag built here.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// tag-id (0).
    pub fn tag_id(&self) -> &TagId {
        &self.fields.tag_id
    }

    /// tag-version (12): a higher one corrects the tag of the same release.
    pub fn tag_version(&self) -> i64 {
        self.fields.tag_version
    }

    /// What the tag describes.
    pub fn kind(&self) -> TagKind {
        self.fields.kind()
    }

    /// software-name (1).
    pub fn software_name(&self) -> &str {
        &self.fields.software_name
    }

    /// software-version (13) with its version-scheme (14).
    pub fn version(&self) -> Option<Version<'_>> {
        let text = self.fields.software_version.as_deref()?;
        Some(Version { text, scheme: self.fields.version_scheme.as_ref() })
    }

    /// media (10): a hint for which media the tag applies to.
    pub fn media(&self) -> Option<&str> {
        self.fields.media.as_deref()
    }

    /// software-meta (5).
    pub fn software_meta(&self) -> &[SoftwareMeta] {
        &self.fields.software_meta
    }

    /// entity (2), among them a tag creator.
    pub fn entities(&self) -> &[Entity] {
        &self.fields.entities
    }

    /// link (4).
    pub fn links(&self) -> &[Link] {
        &self.fields.links
    }

    /// Where links of one relation lead: `swid:<tag-id>` or another URI.
    pub fn linked(&self, rel: Rel) -> impl Iterator<Item = &str> {
        self.fields.links.iter().filter(move |link| link.rel == rel).map(|link| link.href.as_str())
    }

    /// The releases this one replaces, by the URIs of their tags.
    pub fn supersedes(&self) -> impl Iterator<Item = &str> {
        self.linked(Rel::Supersedes)
    }

    /// payload (6) or evidence (3).
    pub fn collection(&self) -> Option<&Collection> {
        self.fields.collection.as_ref()
    }

    /// payload (6).
    pub fn payload(&self) -> Option<&Payload> {
        match self.collection()? {
            Collection::Payload(payload) => Some(payload),
            Collection::Evidence(_) => None,
        }
    }

    /// evidence (3).
    pub fn evidence(&self) -> Option<&Evidence> {
        match self.collection()? {
            Collection::Evidence(evidence) => Some(evidence),
            Collection::Payload(_) => None,
        }
    }

    /// Other entries.
    pub fn global(&self) -> &GlobalAttributes {
        &self.fields.global
    }
}

impl Fields {
    /// The entries of a primary tag that says nothing else yet.
    pub(crate) fn new(tag_id: TagId, software_name: String, collection: Collection) -> Self {
        Self {
            tag_id,
            tag_version: 0,
            corpus: false,
            patch: false,
            supplemental: false,
            software_name,
            software_version: None,
            version_scheme: None,
            media: None,
            software_meta: Vec::new(),
            entities: Vec::new(),
            links: Vec::new(),
            collection: Some(collection),
            global: GlobalAttributes::default(),
        }
    }

    fn kind(&self) -> TagKind {
        match (self.supplemental, self.corpus, self.patch) {
            (true, _, _) => TagKind::Supplemental,
            (_, true, _) => TagKind::Corpus,
            (_, _, true) => TagKind::Patch,
            _ => TagKind::Primary,
        }
    }

    /// The rules of RFC 9393, section 2.4, and the tag creator of section 2.6.
    fn check(&self) -> Result<(), &'static str> {
        if self.patch && self.supplemental {
            return Err("a tag is both patch and supplemental");
        }
        if self.patch && !self.links.iter().any(|link| link.rel == Rel::Patches) {
            return Err("patch tag has no link to what it patches");
        }
        if (self.corpus || self.kind() == TagKind::Primary) && self.software_version.is_none() {
            return Err("primary or corpus tag has no software version");
        }
        if self.entities.iter().any(|entity| entity.roles.is_empty()) {
            return Err("entity has no role");
        }
        if !self.entities.iter().any(|entity| entity.has_role(&Role::TagCreator)) {
            return Err("no entity is the tag creator");
        }
        Ok(())
    }

    /// The parts of the payload or evidence, where the tag has either.
    #[cfg(feature = "interchange")]
    pub(crate) fn resources_mut(&mut self) -> Option<&mut ResourceCollection> {
        match self.collection.as_mut()? {
            Collection::Payload(payload) => Some(&mut payload.resources),
            Collection::Evidence(evidence) => Some(&mut evidence.resources),
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut tag_id, mut tag_version, mut software_name, mut entities) = (None, None, None, None);
        let (mut corpus, mut patch, mut supplemental) = (false, false, false);
        let (mut software_version, mut version_scheme, mut media) = (None, None, None);
        let (mut software_meta, mut links) = (Vec::new(), Vec::new());
        let mut collection = None;
        let mut global = GlobalAttributes::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::TAG_ID) => tag_id = Some(TagId::decode(reader)?),
                Key::Int(labels::TAG_VERSION) => tag_version = Some(reader.int()?),
                Key::Int(labels::SOFTWARE_NAME) => software_name = Some(wire::text(reader)?),
                Key::Int(labels::ENTITY) => entities = Some(wire::one_or_more(reader, Entity::decode)?),
                Key::Int(labels::CORPUS) => corpus = reader.bool()?,
                Key::Int(labels::PATCH) => patch = reader.bool()?,
                Key::Int(labels::SUPPLEMENTAL) => supplemental = reader.bool()?,
                Key::Int(labels::SOFTWARE_VERSION) => software_version = Some(wire::text(reader)?),
                Key::Int(labels::VERSION_SCHEME) => version_scheme = Some(VersionScheme::decode(reader)?),
                Key::Int(labels::MEDIA) => media = Some(wire::text(reader)?),
                Key::Int(labels::SOFTWARE_META) => {
                    software_meta = wire::one_or_more(reader, SoftwareMeta::decode)?
                }
                Key::Int(labels::LINK) => links = wire::one_or_more(reader, Link::decode)?,
                Key::Int(labels::PAYLOAD | labels::EVIDENCE) if collection.is_some() => {
                    return Err(cbor::Error::rule(at, "tag has both payload and evidence"));
                }
                Key::Int(labels::PAYLOAD) => collection = Some(Collection::Payload(Payload::decode(reader)?)),
                Key::Int(labels::EVIDENCE) => {
                    collection = Some(Collection::Evidence(Evidence::decode(reader)?))
                }
                key => global.decode_entry(key, at, reader)?,
            }
            at = reader.position();
        }
        Ok(Self {
            tag_id: wire::required(tag_id, start, labels::TAG_ID)?,
            tag_version: wire::required(tag_version, start, labels::TAG_VERSION)?,
            corpus,
            patch,
            supplemental,
            software_name: wire::required(software_name, start, labels::SOFTWARE_NAME)?,
            software_version,
            version_scheme,
            media,
            software_meta,
            entities: wire::required(entities, start, labels::ENTITY)?,
            links,
            collection,
            global,
        })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        let text = |w: &mut Writer, text: &String| {
            w.text(text);
        };
        map.int(labels::TAG_ID, |w| self.tag_id.encode(w));
        map.int(labels::TAG_VERSION, |w| {
            w.int(self.tag_version);
        });
        map.int(labels::SOFTWARE_NAME, |w| text(w, &self.software_name));
        map.int(labels::ENTITY, |w| wire::write_one_or_more(w, &self.entities, |w, entity| entity.encode(w)));
        let flags = [
            (labels::CORPUS, self.corpus),
            (labels::PATCH, self.patch),
            (labels::SUPPLEMENTAL, self.supplemental),
        ];
        for (label, _) in flags.into_iter().filter(|(_, set)| *set) {
            map.int(label, |w| {
                w.bool(true);
            });
        }
        map.int_if(labels::SOFTWARE_VERSION, self.software_version.as_ref(), text);
        map.int_if(labels::VERSION_SCHEME, self.version_scheme.as_ref(), |w, scheme| scheme.encode(w));
        map.int_if(labels::MEDIA, self.media.as_ref(), text);
        if !self.software_meta.is_empty() {
            map.int(labels::SOFTWARE_META, |w| {
                wire::write_one_or_more(w, &self.software_meta, |w, meta| meta.encode(w));
            });
        }
        if !self.links.is_empty() {
            map.int(labels::LINK, |w| wire::write_one_or_more(w, &self.links, |w, link| link.encode(w)));
        }
        match &self.collection {
            Some(Collection::Payload(payload)) => {
                map.int(labels::PAYLOAD, |w| payload.encode(w));
            }
            Some(Collection::Evidence(evidence)) => {
                map.int(labels::EVIDENCE, |w| evidence.encode(w));
            }
            None => {}
        }
        self.global.encode(&mut map);
        map.into_bytes()
    }
}

impl TagId {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        match reader.peek()? {
            Type::Bytes => Ok(Self::Uuid(*reader.byte_array()?)),
            _ => wire::text(reader).map(Self::Text),
        }
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Text(text) => writer.text(text),
            Self::Uuid(uuid) => writer.bytes(uuid),
        };
    }
}

impl fmt::Display for TagId {
    /// As in the path of a `swid:` URI (RFC 9393, section 5.1): UUIDs in their text form.
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
