use alloc::vec::Vec;

use cbor::{Key, MapBuilder, Type, Writer, lean::Reader};

use crate::{
    Feature, Uuid,
    error::Fault,
    labels::{self, metadata},
    limits::{MAX_ACTOR_LEN, MAX_PERMISSIONS},
};

/// SUIT_Component_Metadata (UM, section 4.2): what a file system is to know of a component beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComponentMetadata<'b> {
    /// What everybody may do who is not named below.
    pub default_permissions: Option<Permissions>,
    /// What users may do.
    pub users: Vec<(Actor<'b>, Permissions)>,
    /// What groups may do.
    pub groups: Vec<(Actor<'b>, Permissions)>,
    /// What roles may do.
    pub roles: Vec<(Actor<'b>, Permissions)>,
    /// What kind of file it is.
    pub file_type: FileType,
    /// Seconds since 1970 when the content changed last.
    pub modification_time: Option<u64>,
    /// Seconds since 1970 when the component was made.
    pub creation_time: Option<u64>,
    /// Who made it.
    pub creator: Option<Actor<'b>>,
}

/// Permissions as bits (UM, section 4.2.3): bit 0 is traverse or execute, bit 13 is write extended attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(u16);

impl Permissions {
    /// Permissions of these bits, or `None` when one of them has no meaning.
    pub fn new(bits: u16) -> Option<Self> {
        (bits >> Self::BITS == 0).then_some(Self(bits))
    }

    /// The bits.
    pub fn bits(self) -> u16 {
        self.0
    }

    const BITS: u32 = 14;
}

/// Somebody who owns files or may use them (UM, section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor<'b> {
    /// A UUID, as of a trusted application.
    Uuid(Uuid),
    /// Bytes with a meaning to the platform.
    Bytes(&'b [u8]),
    /// A name.
    Name(&'b str),
    /// A number, as of a POSIX user.
    Number(i64),
}

/// SUIT_Filetype (UM, section 4.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    #[default]
    Regular,
    /// A directory, made by writing nothing.
    Directory,
    /// A symbolic link, made by writing its target.
    SymbolicLink,
}

impl FileType {
    const ALL: [Self; 3] = [Self::Regular, Self::Directory, Self::SymbolicLink];

    fn code(self) -> u64 {
        match self {
            Self::Regular => 1,
            Self::Directory => 2,
            Self::SymbolicLink => 3,
        }
    }
}

impl<'b> ComponentMetadata<'b> {
    pub(crate) fn decode(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        let mut this = Self::default();
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            let Some(label) = map.next_int(reader)? else { return Ok(this) };
            match label {
                metadata::DEFAULT_PERMISSIONS => this.default_permissions = Some(permissions(reader)?),
                metadata::USER_PERMISSIONS | metadata::GROUP_PERMISSIONS | metadata::ROLE_PERMISSIONS => {
                    let entries = permission_map(reader)?;
                    match label {
                        metadata::USER_PERMISSIONS => this.users = entries,
                        metadata::GROUP_PERMISSIONS => this.groups = entries,
                        _ => this.roles = entries,
                    }
                }
                metadata::FILE_TYPE => {
                    let at = reader.position();
                    let code = reader.uint()?;
                    let known = FileType::ALL.into_iter().find(|kind| kind.code() == code);
                    this.file_type = known.ok_or_else(|| Fault::rule(at, "file type is not 1 to 3"))?;
                }
                metadata::MODIFICATION_TIME | metadata::CREATION_TIME => {
                    let time = Some(time(reader)?);
                    match label {
                        metadata::MODIFICATION_TIME => this.modification_time = time,
                        _ => this.creation_time = time,
                    }
                }
                metadata::CREATOR => this.creator = Some(Actor::decode(reader)?),
                other => return Err(Fault::unsupported(at, Feature::Metadata(other))),
            }
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int_if(metadata::DEFAULT_PERMISSIONS, self.default_permissions, |w, permissions| {
            w.uint(u64::from(permissions.0));
        });
        for (label, entries) in [
            (metadata::USER_PERMISSIONS, &self.users),
            (metadata::GROUP_PERMISSIONS, &self.groups),
            (metadata::ROLE_PERMISSIONS, &self.roles),
        ] {
            if !entries.is_empty() {
                map.int(label, |w| encode_permission_map(entries, w));
            }
        }
        if self.file_type != FileType::default() {
            map.int(metadata::FILE_TYPE, |w| {
                w.uint(self.file_type.code());
            });
        }
        let time = |w: &mut Writer, seconds: u64| {
            w.tag(labels::TAG_TIME).uint(seconds);
        };
        map.int_if(metadata::MODIFICATION_TIME, self.modification_time, time);
        map.int_if(metadata::CREATION_TIME, self.creation_time, time);
        map.int_if(metadata::CREATOR, self.creator, |w, creator| creator.encode(w));
        map.write(writer);
    }
}

impl<'b> Actor<'b> {
    fn decode(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        let at = reader.position();
        let actor = match reader.peek()? {
            Type::Tag => {
                if !reader.is_tag(labels::TAG_UUID)? {
                    return Err(Fault::rule(at, "actor is tagged as something other than a UUID"));
                }
                Self::Uuid(Uuid::from(*reader.byte_array()?))
            }
            Type::Bytes => Self::Bytes(reader.bytes()?),
            Type::Text => Self::Name(reader.text()?),
            _ => Self::Number(reader.int()?),
        };
        actor.checked(at)
    }

    fn checked(self, at: usize) -> Result<Self, Fault> {
        let (len, printable) = match self {
            Self::Bytes(bytes) => (bytes.len(), true),
            Self::Name(name) => (name.len(), !name.chars().any(char::is_control)),
            Self::Uuid(_) | Self::Number(_) => (0, true),
        };
        if len > MAX_ACTOR_LEN {
            return Err(Fault::too_long(at, MAX_ACTOR_LEN));
        }
        if !printable {
            return Err(Fault::rule(at, "name of an actor has control characters"));
        }
        Ok(self)
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Uuid(uuid) => writer.tag(labels::TAG_UUID).bytes(uuid.as_bytes()),
            Self::Bytes(bytes) => writer.bytes(bytes),
            Self::Name(name) => writer.text(name),
            Self::Number(number) => writer.int(*number),
        };
    }
}

fn permissions(reader: &mut Reader<'_>) -> Result<Permissions, Fault> {
    let at = reader.position();
    let bits = reader.uint_as()?;
    Permissions::new(bits).ok_or_else(|| Fault::rule(at, "permission bit has no meaning"))
}

fn time(reader: &mut Reader<'_>) -> Result<u64, Fault> {
    let at = reader.position();
    if !reader.is_tag(labels::TAG_TIME)? {
        return Err(Fault::rule(at, "time is not tagged as one"));
    }
    Ok(reader.uint()?)
}

fn permission_map<'b>(reader: &mut Reader<'b>) -> Result<Vec<(Actor<'b>, Permissions)>, Fault> {
    let at = reader.position();
    let mut map = reader.map()?;
    if map.remaining() == 0 {
        return Err(Fault::rule(at, "map of permissions is empty"));
    }
    if map.remaining() > MAX_PERMISSIONS {
        return Err(Fault::too_long(at, MAX_PERMISSIONS));
    }
    let mut entries = Vec::with_capacity(map.remaining());
    loop {
        let at = reader.position();
        let actor = match map.next(reader)? {
            None => return Ok(entries),
            Some(Key::Int(number)) => Actor::Number(number),
            Some(Key::Text(name)) => Actor::Name(name).checked(at)?,
            Some(Key::Other(raw)) => Actor::decode(&mut Reader::new(raw).at_offset(at))?,
        };
        entries.push((actor, permissions(reader)?));
    }
}

fn encode_permission_map(entries: &[(Actor<'_>, Permissions)], writer: &mut Writer) {
    let mut map = MapBuilder::new();
    for (actor, permissions) in entries {
        map.entry(Writer::encode(|w| actor.encode(w)), |w| {
            w.uint(u64::from(permissions.0));
        });
    }
    map.write(writer);
}
