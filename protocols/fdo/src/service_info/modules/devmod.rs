use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use cbor::{Reader, Reason, Type, Writer};

use crate::service_info::{
    MAX_MODULES, MAX_NAME_LEN, ModuleFault, Outgoing, ServiceFault,
    labels::{self, devmod as keys},
    list::is_name,
};

/// Length in bytes of the longest text of a device about itself.
pub const MAX_TEXT_LEN: usize = 512;

/// Bytes of names in one message `modules`: it goes whole into the shortest list.
const MAX_MODULES_LEN: usize = 192;

/// Bytes of the head of a name.
const MODULE_HEAD_LEN: usize = 2;

/// What a device says of itself (`devmod`). The owner has nothing but the device's word for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devmod {
    /// Operating system.
    pub os: String,
    /// Architecture of the processor.
    pub arch: String,
    /// Version of the operating system.
    pub version: String,
    /// Model of the device.
    pub device: String,
    /// What separates entries of a list.
    pub separator: String,
    /// Formats of programs, separated by that.
    pub binaries: String,
    /// Serial number.
    pub serial: Option<Serial>,
    /// What separates parts of a path.
    pub path_separator: Option<String>,
    /// What ends a line.
    pub newline: Option<String>,
    /// Folder for temporary files.
    pub temporary: Option<String>,
    /// Folder to install to.
    pub install: Option<String>,
    /// Languages of programs, such as `bin:py3`.
    pub program_environment: Option<String>,
    /// Where a MUD file may be. A hint: anybody's device may point anywhere, and no policy follows from it.
    pub mud_url: Option<String>,
    /// Names of its modules. On a device the engine knows them and this is passed over.
    pub modules: Vec<String>,
}

/// Serial number of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serial {
    /// As text.
    Text(String),
    /// As bytes.
    Bytes(Vec<u8>),
}

/// What an owner has heard so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) devmod: Devmod,
    /// A bit for each entry of [`REQUIRED`].
    required: u64,
}

/// What a device has to tell.
const REQUIRED: [&str; 9] = [
    labels::ACTIVE,
    keys::OS,
    keys::ARCH,
    keys::VERSION,
    keys::DEVICE,
    keys::SEPARATOR,
    keys::BINARIES,
    keys::MODULE_COUNT,
    keys::MODULES,
];

const ALL_REQUIRED: u64 = (1 << REQUIRED.len()) - 1;

impl Devmod {
    /// Adds everything to what a device sends first.
    pub(crate) fn send(&self, modules: &[&str], out: &mut Outgoing) -> Result<(), ModuleFault> {
        out.send(labels::DEVMOD, labels::ACTIVE, |w| _ = w.bool(true))?;
        for (key, text) in self.texts() {
            let Some(text) = text else { continue };
            if text.len() > MAX_TEXT_LEN {
                return Err(ModuleFault::TooLarge);
            }
            out.send(labels::DEVMOD, key, |w| _ = w.text(text))?;
        }
        if let Some(serial) = &self.serial {
            if serial.as_bytes().len() > MAX_TEXT_LEN {
                return Err(ModuleFault::TooLarge);
            }
            out.send(labels::DEVMOD, keys::SERIAL, |w| serial.write(w))?;
        }
        out.send(labels::DEVMOD, keys::MODULE_COUNT, |w| _ = w.uint(modules.len() as u64))?;
        let (mut start, mut rest) = (0, modules);
        loop {
            let mut len = 0;
            let fits = |name: &&&str| {
                len += name.len() + MODULE_HEAD_LEN;
                len <= MAX_MODULES_LEN
            };
            let (names, left) = rest.split_at(rest.iter().take_while(fits).count());
            out.send(labels::DEVMOD, keys::MODULES, |w| {
                w.array(2 + names.len()).uint(start).uint(names.len() as u64);
                names.iter().for_each(|name| _ = w.text(name));
            })?;
            // A device without modules says so too.
            if left.is_empty() {
                return Ok(());
            }
            (start, rest) = (start + names.len() as u64, left);
        }
    }

    /// Every text in the order in which it is sent and kept.
    fn texts(&self) -> [(&'static str, Option<&String>); 12] {
        [
            (keys::OS, Some(&self.os)),
            (keys::ARCH, Some(&self.arch)),
            (keys::VERSION, Some(&self.version)),
            (keys::DEVICE, Some(&self.device)),
            (keys::PATH_SEPARATOR, self.path_separator.as_ref()),
            (keys::SEPARATOR, Some(&self.separator)),
            (keys::NEWLINE, self.newline.as_ref()),
            (keys::TEMPORARY, self.temporary.as_ref()),
            (keys::INSTALL, self.install.as_ref()),
            (keys::PROGRAM_ENVIRONMENT, self.program_environment.as_ref()),
            (keys::BINARIES, Some(&self.binaries)),
            (keys::MUD_URL, self.mud_url.as_ref()),
        ]
    }

    fn text_mut(&mut self, key: &str) -> Option<&mut String> {
        Some(match key {
            keys::OS => &mut self.os,
            keys::ARCH => &mut self.arch,
            keys::VERSION => &mut self.version,
            keys::DEVICE => &mut self.device,
            keys::SEPARATOR => &mut self.separator,
            keys::BINARIES => &mut self.binaries,
            _ => return None,
        })
    }

    fn optional_mut(&mut self, key: &str) -> Option<&mut Option<String>> {
        Some(match key {
            keys::PATH_SEPARATOR => &mut self.path_separator,
            keys::NEWLINE => &mut self.newline,
            keys::TEMPORARY => &mut self.temporary,
            keys::INSTALL => &mut self.install,
            keys::PROGRAM_ENVIRONMENT => &mut self.program_environment,
            keys::MUD_URL => &mut self.mud_url,
            _ => return None,
        })
    }
}

impl Serial {
    /// Its bytes, whichever it is.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::Text(text) => _ = w.text(text),
            Self::Bytes(bytes) => _ = w.bytes(bytes),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let serial = match reader.peek()? {
            Type::Bytes => Self::Bytes(reader.bytes()?.to_owned()),
            _ => Self::Text(reader.text()?.to_owned()),
        };
        match serial.as_bytes().len() > MAX_TEXT_LEN {
            true => Err(reader.fail(Reason::TooLong { limit: MAX_TEXT_LEN })),
            false => Ok(serial),
        }
    }
}

impl Seen {
    /// Whether the device said all that it has to.
    pub(crate) fn is_complete(&self) -> bool {
        self.required == ALL_REQUIRED
    }

    /// Takes one message of a device. Keys that are not known are passed over, empty texts of optional keys are none, a text
    /// that comes again counts, and indices of modules mean nothing: devices differ in where they start.
    pub(crate) fn receive(&mut self, key: &str, value: &[u8]) -> Result<(), ServiceFault> {
        let mut reader = Reader::new(value);
        if let Some(bit) = REQUIRED.iter().position(|required| *required == key) {
            self.required |= 1 << bit;
        }
        if let Some(known) = self.devmod.text_mut(key) {
            *known = text(&mut reader)?;
        } else if let Some(known) = self.devmod.optional_mut(key) {
            *known = Some(text(&mut reader)?).filter(|text| !text.is_empty());
        } else {
            match key {
                labels::ACTIVE => {
                    if !reader.bool()? {
                        return Err(ServiceFault::DevmodMissing);
                    }
                }
                keys::SERIAL => {
                    let serial = Serial::read(&mut reader)?;
                    self.devmod.serial = Some(serial).filter(|serial| !serial.as_bytes().is_empty());
                }
                keys::MODULE_COUNT => _ = reader.uint()?,
                keys::MODULES => self.receive_modules(&mut reader)?,
                _ => reader.skip()?,
            }
        }
        Ok(reader.end()?)
    }

    fn receive_modules(&mut self, reader: &mut Reader<'_>) -> Result<(), ServiceFault> {
        let at = reader.position();
        let count = reader.array()?;
        let names =
            count.checked_sub(2).ok_or(cbor::Error::rule(at, "list of modules has no index and count"))?;
        reader.uint()?;
        reader.uint()?;
        for _ in 0..names {
            let at = reader.position();
            let name = reader.text()?;
            if name.len() > MAX_NAME_LEN {
                return Err(ServiceFault::TooLarge { limit: MAX_NAME_LEN });
            }
            if name.is_empty() || self.devmod.modules.iter().any(|known| known == name) {
                continue;
            }
            if !is_name(name) {
                return Err(cbor::Error::rule(at, "name of a module has control characters").into());
            }
            if self.devmod.modules.len() == MAX_MODULES {
                return Err(ServiceFault::TooLarge { limit: MAX_MODULES });
            }
            self.devmod.modules.push(name.to_string());
        }
        Ok(())
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        let texts = self.devmod.texts();
        w.array(3 + texts.len()).uint(self.required);
        for (_, text) in texts {
            match text {
                Some(text) => w.text(text),
                None => w.null(),
            };
        }
        match &self.devmod.serial {
            Some(serial) => serial.write(w),
            None => _ = w.null(),
        }
        w.array(self.devmod.modules.len());
        self.devmod.modules.iter().for_each(|name| _ = w.text(name));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ServiceFault> {
        let mut seen = Self::default();
        let order = Devmod::default().texts().map(|(key, _)| key);
        reader.array_of(3 + order.len())?;
        seen.required = reader.uint()?;
        if seen.required > ALL_REQUIRED {
            return Err(ServiceFault::State);
        }
        for key in order {
            if reader.is_null()? {
                continue;
            }
            let text = text(reader)?;
            if let Some(known) = seen.devmod.text_mut(key) {
                *known = text;
            } else if let Some(known) = seen.devmod.optional_mut(key) {
                *known = Some(text);
            }
        }
        if !reader.is_null()? {
            seen.devmod.serial = Some(Serial::read(reader)?);
        }
        let names = reader.array()?;
        if names > MAX_MODULES {
            return Err(ServiceFault::State);
        }
        for _ in 0..names {
            let name = reader.text()?;
            if !is_name(name) {
                return Err(ServiceFault::State);
            }
            seen.devmod.modules.push(name.to_string());
        }
        Ok(seen)
    }
}

fn text(reader: &mut Reader<'_>) -> Result<String, cbor::Error> {
    let at = reader.position();
    let text = reader.text()?;
    if text.len() > MAX_TEXT_LEN {
        return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_TEXT_LEN }));
    }
    Ok(text.to_owned())
}
