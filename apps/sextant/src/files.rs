//! Files and standard streams: `-` is standard input or output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::{detect, failure::Failure, printer::Printer};

/// The largest object that is read. Images are hashed in memory.
const MAX_INPUT: u64 = 1 << 30;

/// A file as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Its name for people.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Input {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let name = if is_dash(path) { "standard input".to_owned() } else { path.display().to_string() };
        let read = if is_dash(path) {
            read_bounded(io::stdin().lock())
        } else {
            File::open(path).and_then(read_bounded)
        };
        let bytes = read.map_err(|error| Failure::new(format!("cannot read {name}")).because(&error))?;
        Ok(Self { name, bytes })
    }

    /// The bytes that a file of hexadecimal digits names; any other file as it is.
    pub(crate) fn binary(self) -> Self {
        match detect::hexadecimal(&self.bytes) {
            Some(bytes) => Self { bytes, ..self },
            None => self,
        }
    }

    /// A failure to understand this file, pointing into it.
    pub(crate) fn failure(&self, what: &str, error: &(dyn std::error::Error + 'static)) -> Failure {
        Failure::in_bytes(format!("{}: {what}", self.name), &self.bytes, error)
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Readable by everyone; replaces what is there at once.
    Public,
    /// Readable by its owner alone, and never in place of a file that is there.
    Secret,
}

/// Writes a file, or standard output for `-`.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: Mode, printer: &Printer) -> Result<(), Failure> {
    if is_dash(path) {
        printer.data(bytes);
        return Ok(());
    }
    let written = match mode {
        Mode::Public => replace(path, bytes),
        Mode::Secret => create_secret(path, bytes),
    };
    written.map_err(|error| {
        let failure = Failure::new(format!("cannot write {}", path.display())).because(&error);
        match error.kind() {
            io::ErrorKind::AlreadyExists => failure.help("a key is never overwritten: choose another name"),
            _ => failure,
        }
    })
}

/// A path beside another file, unless it is absolute.
pub(crate) fn beside(file: &Path, path: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !is_dash(file) => folder.join(path),
        _ => path.to_owned(),
    }
}

pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read_bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 GiB"));
    }
    Ok(bytes)
}

/// The old content or the new one, never a part: the name moves once the bytes are there.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        // A device or a link is written to, not replaced.
        return fs::write(path, bytes);
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn create_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
