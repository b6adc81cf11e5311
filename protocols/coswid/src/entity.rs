use alloc::{string::String, vec::Vec};

use cbor::{Error, Key, MapBuilder, Reader, Writer};

use crate::{GlobalAttributes, Hash, Uri, labels, registry::registry, wire};

registry! {
    /// What an entity did for the software or its tag (RFC 9393, section 4.2).
    Role in -256..=255 {
        /// Made the tag.
        TagCreator = 1,
        /// Made the software.
        SoftwareCreator = 2,
        /// Bundled the software.
        Aggregator = 3,
        /// Distributes the software.
        Distributor = 4,
        /// Licenses the software.
        Licensor = 5,
        /// Maintains the software.
        Maintainer = 6,
    }
}

/// entity-entry (RFC 9393, section 2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// entity-name (31).
    pub name: String,
    /// reg-id (32).
    pub reg_id: Option<Uri>,
    /// role (33), at least one.
    pub roles: Vec<Role>,
    /// thumbprint (34): hash of the certificate this entity signs tags with.
    pub thumbprint: Option<Hash>,
    /// Other entries.
    pub global: GlobalAttributes,
}

impl Entity {
    /// An entity without registration id.
    pub fn new(name: impl Into<String>, roles: impl Into<Vec<Role>>) -> Self {
        Self {
            name: name.into(),
            reg_id: None,
            roles: roles.into(),
            thumbprint: None,
            global: GlobalAttributes::default(),
        }
    }

    /// Whether it has the role.
    pub fn has_role(&self, role: &Role) -> bool {
        self.roles.contains(role)
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut name, mut reg_id, mut roles, mut thumbprint) = (None, None, None, None);
        let mut global = GlobalAttributes::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::ENTITY_NAME) => name = Some(wire::text(reader)?),
                Key::Int(labels::REG_ID) => reg_id = Some(Uri::decode(reader)?),
                Key::Int(labels::ROLE) => roles = Some(wire::one_or_more(reader, Role::decode)?),
                Key::Int(labels::THUMBPRINT) => thumbprint = Some(Hash::decode(reader)?),
                key => global.decode_entry(key, at, reader)?,
            }
            at = reader.position();
        }
        Ok(Self {
            name: wire::required(name, start, labels::ENTITY_NAME)?,
            reg_id,
            roles: wire::required(roles, start, labels::ROLE)?,
            thumbprint,
            global,
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int(labels::ENTITY_NAME, |w| {
            w.text(&self.name);
        });
        map.int_if(labels::REG_ID, self.reg_id.as_ref(), |w, uri| uri.encode(w));
        map.int(labels::ROLE, |w| wire::write_one_or_more(w, &self.roles, |w, role| role.encode(w)));
        map.int_if(labels::THUMBPRINT, self.thumbprint.as_ref(), |w, hash| hash.encode(w));
        self.global.encode(&mut map);
        map.write(writer);
    }
}
