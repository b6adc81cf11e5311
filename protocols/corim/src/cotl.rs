use alloc::vec::Vec;

use cbor::{Key, MapBuilder, Reader, Reason, Writer};

use crate::{Error, MAX_CORIM_LEN, TagIdentity, Validity, labels::cotl as labels, wire};

/// concise-tl-tag: which tags are active, all of them or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cotl {
    /// Identifier and version of the list.
    pub identity: TagIdentity,
    /// The tags, at least one.
    pub tags: Vec<TagIdentity>,
    /// When the list counts.
    pub validity: Validity,
}

impl Cotl {
    /// Decodes a list that stands alone, under no CBOR tag.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_CORIM_LEN {
            return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_CORIM_LEN }).into());
        }
        Ok(wire::whole(bytes, 0, Self::read)?)
    }

    /// The list in deterministic encoding.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(w))
    }

    /// The tags that the list activates: all, when it is valid and every one of them is at hand, and else none
    /// (draft, section "CoTL").
    pub fn activates(&self, now: i64, at_hand: impl Fn(&TagIdentity) -> bool) -> &[TagIdentity] {
        let active = self.validity.check(now).is_ok() && self.tags.iter().all(at_hand);
        if active { &self.tags } else { &[] }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut identity, mut tags, mut validity) = (None, None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::TAG_IDENTITY) => identity = Some(TagIdentity::decode(reader)?),
                Key::Int(labels::TAGS_LIST) => tags = Some(wire::some(reader, TagIdentity::decode)?),
                Key::Int(labels::TL_VALIDITY) => validity = Some(Validity::decode(reader)?),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        Ok(Self {
            identity: wire::required(identity, start, labels::TAG_IDENTITY)?,
            tags: wire::required(tags, start, labels::TAGS_LIST)?,
            validity: wire::required(validity, start, labels::TL_VALIDITY)?,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int(labels::TAG_IDENTITY, |w| self.identity.encode(w));
        map.int(labels::TAGS_LIST, |w| wire::write_all(w, &self.tags, |w, tag| tag.encode(w)));
        map.int(labels::TL_VALIDITY, |w| self.validity.encode(w));
        map.write(writer);
    }
}
