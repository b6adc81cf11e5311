use alloc::{string::String, vec::Vec};

use cbor::{Error, Key, MapBuilder, Reader, Reason, Writer};

use crate::{
    CryptoKey,
    labels::{environment as labels, tag},
    wire,
};

/// How few and how many bytes a UEID has (RFC 9711, section 4.2.1).
const UEID_LEN: core::ops::RangeInclusive<usize> = 7..=33;

/// environment-map: what claims are about. It has at least one member.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Environment {
    /// Its class.
    pub class: Option<Class>,
    /// The one instance.
    pub instance: Option<Instance>,
    /// The group of instances.
    pub group: Option<Group>,
}

/// class-map. It has at least one member, and a vendor where it has a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// Identifier of the class.
    pub id: Option<ClassId>,
    /// Who chose the other members.
    pub vendor: Option<String>,
    /// Product, generation and family.
    pub model: Option<String>,
    /// Where in a sequence the environment exists.
    pub layer: Option<u64>,
    /// Which of several alike.
    pub index: Option<u64>,
}

/// $class-id-type-choice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClassId {
    /// The BER encoding of an object identifier.
    Oid(Vec<u8>),
    /// A UUID.
    Uuid([u8; 16]),
    /// Bytes that the profile says more about.
    Bytes(Vec<u8>),
    /// A PSA implementation id under the tag that it had before the profiles of 2025.
    OlderImplementationId([u8; 32]),
}

/// $instance-id-type-choice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Instance {
    /// A universal entity id, 7 to 33 bytes.
    Ueid(Vec<u8>),
    /// A UUID.
    Uuid([u8; 16]),
    /// Bytes that the profile says more about.
    Bytes(Vec<u8>),
    /// A key, a certificate or the thumbprint of one; no path and no mere bytes.
    Key(CryptoKey),
}

/// $group-id-type-choice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// A UUID.
    Uuid([u8; 16]),
    /// Bytes that the profile says more about.
    Bytes(Vec<u8>),
}

impl Environment {
    /// Whether nothing is said, which no encoded environment may do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let mut environment = Self::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::CLASS) => environment.class = Some(Class::decode(reader)?),
                Key::Int(labels::INSTANCE) => environment.instance = Some(Instance::decode(reader)?),
                Key::Int(labels::GROUP) => environment.group = Some(Group::decode(reader)?),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        if environment.is_empty() {
            return Err(Error::rule(start, "environment is empty"));
        }
        Ok(environment)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int_if(labels::CLASS, self.class.as_ref(), |w, class| class.encode(w));
        map.int_if(labels::INSTANCE, self.instance.as_ref(), |w, instance| instance.encode(w));
        map.int_if(labels::GROUP, self.group.as_ref(), |w, group| group.encode(w));
        map.write(writer);
    }
}

impl Class {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let mut class = Self::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::CLASS_ID) => class.id = Some(ClassId::decode(reader)?),
                Key::Int(labels::VENDOR) => class.vendor = Some(wire::text(reader)?),
                Key::Int(labels::MODEL) => class.model = Some(wire::text(reader)?),
                Key::Int(labels::LAYER) => class.layer = Some(reader.uint()?),
                Key::Int(labels::INDEX) => class.index = Some(reader.uint()?),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        if class == Self::default() {
            return Err(Error::rule(start, "class is empty"));
        }
        if class.model.is_some() && class.vendor.is_none() {
            return Err(Error::rule(start, "class has a model and no vendor"));
        }
        Ok(class)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int_if(labels::CLASS_ID, self.id.as_ref(), |w, id| id.encode(w));
        map.int_if(labels::VENDOR, self.vendor.as_ref(), |w, vendor| {
            w.text(vendor);
        });
        map.int_if(labels::MODEL, self.model.as_ref(), |w, model| {
            w.text(model);
        });
        map.int_if(labels::LAYER, self.layer, |w, layer| {
            w.uint(layer);
        });
        map.int_if(labels::INDEX, self.index, |w, index| {
            w.uint(index);
        });
        map.write(writer);
    }
}

impl ClassId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        Ok(match reader.tag()? {
            tag::OID => Self::Oid(reader.bytes()?.into()),
            tag::UUID => Self::Uuid(wire::uuid(reader)?),
            tag::BYTES => Self::Bytes(reader.bytes()?.into()),
            tag::OLDER_IMPLEMENTATION_ID => Self::OlderImplementationId(*reader.byte_array()?),
            _ => return Err(Error::rule(at, "tag is none of a class identifier")),
        })
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Oid(oid) => writer.tag(tag::OID).bytes(oid),
            Self::Uuid(uuid) => writer.tag(tag::UUID).bytes(uuid),
            Self::Bytes(bytes) => writer.tag(tag::BYTES).bytes(bytes),
            Self::OlderImplementationId(id) => writer.tag(tag::OLDER_IMPLEMENTATION_ID).bytes(id),
        };
    }
}

impl Instance {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        Ok(match reader.tag()? {
            tag::UEID => Self::Ueid(ueid(reader)?),
            tag::UUID => Self::Uuid(wire::uuid(reader)?),
            tag::BYTES => Self::Bytes(reader.bytes()?.into()),
            tag::PKIX_PATH | tag::PATH_THUMBPRINT => {
                return Err(Error::rule(at, "a certification path is no instance"));
            }
            number => Self::Key(CryptoKey::decode_tagged(number, at, reader)?),
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Ueid(ueid) => {
                writer.tag(tag::UEID).bytes(ueid);
            }
            Self::Uuid(uuid) => {
                writer.tag(tag::UUID).bytes(uuid);
            }
            Self::Bytes(bytes) => {
                writer.tag(tag::BYTES).bytes(bytes);
            }
            Self::Key(key) => key.encode(writer),
        }
    }
}

impl Group {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        Ok(match reader.tag()? {
            tag::UUID => Self::Uuid(wire::uuid(reader)?),
            tag::BYTES => Self::Bytes(reader.bytes()?.into()),
            _ => return Err(Error::rule(at, "tag is none of a group identifier")),
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Uuid(uuid) => writer.tag(tag::UUID).bytes(uuid),
            Self::Bytes(bytes) => writer.tag(tag::BYTES).bytes(bytes),
        };
    }
}

/// A UEID under no tag.
pub(crate) fn ueid(reader: &mut Reader<'_>) -> Result<Vec<u8>, Error> {
    let at = reader.position();
    let ueid = reader.bytes()?;
    if !UEID_LEN.contains(&ueid.len()) {
        return Err(Error::new(at, Reason::Rule("UEID has another length than 7 to 33 bytes")));
    }
    Ok(ueid.into())
}
