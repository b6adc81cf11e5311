use alloc::{string::String, vec::Vec};

use cbor::{Error, Key, MapBuilder, Reader, Writer};

use crate::{GlobalAttributes, Hash, labels, wire};

/// CBOR tag of an epoch-based time (RFC 8949, section 3.4.2).
const EPOCH_TIME_TAG: u64 = 1;

/// resource-collection (RFC 9393, section 2.9.2): the parts of a payload or evidence, and of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceCollection {
    /// directory (16).
    pub directories: Vec<Directory>,
    /// file (17).
    pub files: Vec<File>,
    /// process (18); never inside a directory.
    pub processes: Vec<Process>,
    /// resource (19); never inside a directory.
    pub resources: Vec<Resource>,
}

/// payload-entry (RFC 9393, section 2.9.3): what the author expects to be installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// The expected parts.
    pub resources: ResourceCollection,
    /// Other entries.
    pub global: GlobalAttributes,
}

/// evidence-entry (RFC 9393, section 2.9.4): what was found installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The parts found.
    pub resources: ResourceCollection,
    /// date (35): when, in seconds since 1970.
    pub date: Option<i64>,
    /// device-id (36): on which device.
    pub device_id: Option<String>,
    /// location (23): absolute path of this tag itself.
    pub location: Option<String>,
    /// Other entries.
    pub global: GlobalAttributes,
}

/// directory-entry (RFC 9393, section 2.9.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// key (22): whether the software cannot do without it.
    pub key: Option<bool>,
    /// location (23): path without the name.
    pub location: Option<String>,
    /// fs-name (24).
    pub fs_name: String,
    /// root (25): what the location is relative to.
    pub root: Option<String>,
    /// path-elements (26): directories and files within.
    pub path_elements: ResourceCollection,
    /// Other entries.
    pub global: GlobalAttributes,
}

/// file-entry (RFC 9393, section 2.9.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// hash (7).
    pub hash: Option<Hash>,
    /// size (20) in bytes.
    pub size: Option<u64>,
    /// file-version (21), as the file's own metadata tells.
    pub file_version: Option<String>,
    /// key (22): whether the software cannot do without it.
    pub key: Option<bool>,
    /// location (23): path without the name.
    pub location: Option<String>,
    /// fs-name (24).
    pub fs_name: String,
    /// root (25): what the location is relative to.
    pub root: Option<String>,
    /// Other entries.
    pub global: GlobalAttributes,
}

/// process-entry (RFC 9393, section 2.9.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// process-name (27).
    pub name: String,
    /// pid (28).
    pub pid: Option<i64>,
    /// Other entries.
    pub global: GlobalAttributes,
}

/// resource-entry (RFC 9393, section 2.9.2): what is neither file nor process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// type (29).
    pub kind: String,
    /// Other entries.
    pub global: GlobalAttributes,
}

impl ResourceCollection {
    /// Takes the entry if it is one of a collection, and says whether it was.
    fn decode_entry(&mut self, label: i64, reader: &mut Reader<'_>) -> Result<bool, Error> {
        match label {
            labels::PROCESS => self.processes = wire::one_or_more(reader, Process::decode)?,
            labels::RESOURCE => self.resources = wire::one_or_more(reader, Resource::decode)?,
            _ => return self.decode_path_element(label, reader),
        }
        Ok(true)
    }

    /// Takes the entry if it may stand inside a directory, and says whether it did.
    fn decode_path_element(&mut self, label: i64, reader: &mut Reader<'_>) -> Result<bool, Error> {
        match label {
            labels::DIRECTORY => self.directories = wire::one_or_more(reader, Directory::decode)?,
            labels::FILE => self.files = wire::one_or_more(reader, File::decode)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn encode(&self, map: &mut MapBuilder) {
        list(map, labels::DIRECTORY, &self.directories, |w, directory| directory.encode(w));
        list(map, labels::FILE, &self.files, |w, file| file.encode(w));
        list(map, labels::PROCESS, &self.processes, |w, process| process.encode(w));
        list(map, labels::RESOURCE, &self.resources, |w, resource| resource.encode(w));
    }
}

impl Payload {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut map = reader.map()?;
        let mut payload = Self::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            let known = match key {
                Key::Int(label) => payload.resources.decode_entry(label, reader)?,
                _ => false,
            };
            if !known {
                payload.global.decode_entry(key, at, reader)?;
            }
            at = reader.position();
        }
        Ok(payload)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        self.resources.encode(&mut map);
        self.global.encode(&mut map);
        map.write(writer);
    }
}

impl Evidence {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut map = reader.map()?;
        let mut evidence = Self::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::DATE) => {
                    let date_at = reader.position();
                    if !reader.is_tag(EPOCH_TIME_TAG)? {
                        return Err(Error::rule(date_at, "date is not an epoch-based time"));
                    }
                    evidence.date = Some(reader.int()?);
                }
                Key::Int(labels::DEVICE_ID) => evidence.device_id = Some(wire::text(reader)?),
                Key::Int(labels::LOCATION) => evidence.location = Some(wire::text(reader)?),
                Key::Int(label) => {
                    if !evidence.resources.decode_entry(label, reader)? {
                        evidence.global.decode_entry(key, at, reader)?;
                    }
                }
                key => evidence.global.decode_entry(key, at, reader)?,
            }
            at = reader.position();
        }
        Ok(evidence)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        self.resources.encode(&mut map);
        map.int_if(labels::DATE, self.date, |w, date| {
            w.tag(EPOCH_TIME_TAG).int(date);
        });
        map.int_if(labels::DEVICE_ID, self.device_id.as_deref(), write_text);
        map.int_if(labels::LOCATION, self.location.as_deref(), write_text);
        self.global.encode(&mut map);
        map.write(writer);
    }
}

impl Directory {
    /// Recursion is bounded: [`crate::Tag::decode`] has held the whole input to `cbor::MAX_DEPTH` before.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let mut directory = Self::default();
        let mut fs_name = None;
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::KEY) => directory.key = Some(reader.bool()?),
                Key::Int(labels::LOCATION) => directory.location = Some(wire::text(reader)?),
                Key::Int(labels::FS_NAME) => fs_name = Some(wire::text(reader)?),
                Key::Int(labels::ROOT) => directory.root = Some(wire::text(reader)?),
                Key::Int(labels::PATH_ELEMENTS) => directory.path_elements = path_elements(reader)?,
                key => directory.global.decode_entry(key, at, reader)?,
            }
            at = reader.position();
        }
        directory.fs_name = wire::required(fs_name, start, labels::FS_NAME)?;
        Ok(directory)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int_if(labels::KEY, self.key, write_bool);
        map.int_if(labels::LOCATION, self.location.as_deref(), write_text);
        map.int(labels::FS_NAME, |w| write_text(w, &self.fs_name));
        map.int_if(labels::ROOT, self.root.as_deref(), write_text);
        let mut elements = MapBuilder::new();
        list(&mut elements, labels::DIRECTORY, &self.path_elements.directories, |w, directory| {
            directory.encode(w)
        });
        list(&mut elements, labels::FILE, &self.path_elements.files, |w, file| file.encode(w));
        if !elements.is_empty() {
            map.int(labels::PATH_ELEMENTS, |w| elements.write(w));
        }
        self.global.encode(&mut map);
        map.write(writer);
    }
}

impl File {
    /// A file of a name; everything else about it is set on the value.
    pub fn new(fs_name: impl Into<String>) -> Self {
        Self { fs_name: fs_name.into(), ..Self::default() }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let mut file = Self::default();
        let mut fs_name = None;
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::HASH) => file.hash = Some(Hash::decode(reader)?),
                Key::Int(labels::SIZE) => file.size = Some(reader.uint()?),
                Key::Int(labels::FILE_VERSION) => file.file_version = Some(wire::text(reader)?),
                Key::Int(labels::KEY) => file.key = Some(reader.bool()?),
                Key::Int(labels::LOCATION) => file.location = Some(wire::text(reader)?),
                Key::Int(labels::FS_NAME) => fs_name = Some(wire::text(reader)?),
                Key::Int(labels::ROOT) => file.root = Some(wire::text(reader)?),
                key => file.global.decode_entry(key, at, reader)?,
            }
            at = reader.position();
        }
        file.fs_name = wire::required(fs_name, start, labels::FS_NAME)?;
        Ok(file)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int_if(labels::HASH, self.hash.as_ref(), |w, hash| hash.encode(w));
        map.int_if(labels::SIZE, self.size, |w, size| {
            w.uint(size);
        });
        map.int_if(labels::FILE_VERSION, self.file_version.as_deref(), write_text);
        map.int_if(labels::KEY, self.key, write_bool);
        map.int_if(labels::LOCATION, self.location.as_deref(), write_text);
        map.int(labels::FS_NAME, |w| write_text(w, &self.fs_name));
        map.int_if(labels::ROOT, self.root.as_deref(), write_text);
        self.global.encode(&mut map);
        map.write(writer);
    }
}

impl Process {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut name, mut pid, mut global) = (None, None, GlobalAttributes::default());
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::PROCESS_NAME) => name = Some(wire::text(reader)?),
                Key::Int(labels::PID) => pid = Some(reader.int()?),
                key => global.decode_entry(key, at, reader)?,
            }
            at = reader.position();
        }
        Ok(Self { name: wire::required(name, start, labels::PROCESS_NAME)?, pid, global })
    }

    fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int(labels::PROCESS_NAME, |w| write_text(w, &self.name));
        map.int_if(labels::PID, self.pid, |w, pid| {
            w.int(pid);
        });
        self.global.encode(&mut map);
        map.write(writer);
    }
}

impl Resource {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut kind, mut global) = (None, GlobalAttributes::default());
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::TYPE) => kind = Some(wire::text(reader)?),
                key => global.decode_entry(key, at, reader)?,
            }
            at = reader.position();
        }
        Ok(Self { kind: wire::required(kind, start, labels::TYPE)?, global })
    }

    fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int(labels::TYPE, |w| write_text(w, &self.kind));
        self.global.encode(&mut map);
        map.write(writer);
    }
}

/// path-elements-entry: a map of directories and files, and nothing else.
fn path_elements(reader: &mut Reader<'_>) -> Result<ResourceCollection, Error> {
    let mut map = reader.map()?;
    let mut elements = ResourceCollection::default();
    let mut at = reader.position();
    while let Some(label) = map.next_int(reader)? {
        if !elements.decode_path_element(label, reader)? {
            return Err(Error::new(at, cbor::Reason::Unknown(label)));
        }
        at = reader.position();
    }
    Ok(elements)
}

fn list<T>(map: &mut MapBuilder, label: i64, items: &[T], write: impl FnMut(&mut Writer, &T)) {
    if !items.is_empty() {
        map.int(label, |w| wire::write_one_or_more(w, items, write));
    }
}

fn write_text(writer: &mut Writer, text: &str) {
    writer.text(text);
}

fn write_bool(writer: &mut Writer, value: bool) {
    writer.bool(value);
}
