//! Private HSS/LMS keys in files. Each one-time key of theirs may sign once, so the file is a state that only moves on.
//!
//! Beside a key `K` stands its log `K.log`: one line for each one-time key that was taken out of use. It is what signers
//! lock, because the key file is replaced at every signature, and it gives a copied older state away.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crypto::{Digest, HashAlgorithm, HssSigningKey, LmotsType, LmsType, PublicKey, Zeroizing};

use crate::{failure::Failure, files};

/// What a key file begins with.
pub(crate) const MAGIC: &[u8] = b"SXT-HSS";

/// Largest log that is read: more lines than any key that is signed with here has one-time keys in a lifetime.
const MAX_LOG: u64 = 256 << 20;

/// A private key whose file no other process signs with.
#[derive(Debug)]
pub(crate) struct HashBasedKey {
    path: PathBuf,
    key: HssSigningKey,
    /// Locked for as long as this lives.
    log: File,
}

impl HashBasedKey {
    /// Writes the file of a new key and its log.
    pub(crate) fn create(path: &Path, key: &HssSigningKey) -> Result<(), Failure> {
        if files::is_dash(path) {
            return Err(Failure::new("a key with state cannot go to standard output")
                .help("its file is replaced at every signature"));
        }
        let failed = |path: &Path, error: &io::Error| {
            let failure = Failure::new(format!("cannot write {}", path.display())).because(error);
            match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    failure.help("a key is never overwritten: choose another name")
                }
                _ => failure,
            }
        };
        // The log first: a key without a log signs nothing.
        for (path, bytes) in [(log_path(path), &[][..]), (path.to_owned(), &key.encode())] {
            create_secret(&path, bytes).map_err(|error| failed(&path, &error))?;
        }
        sync_folder(path).map_err(|error| failed(path, &error))
    }

    /// Opens a key to sign with, and waits for others that do. A state that is older than its log says is refused.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        // Through a link, the link would be replaced and the key behind it stay as it was.
        let path = &resolve(path)?;
        let log_path = log_path(path);
        let name = path.display();
        let log = OpenOptions::new().read(true).append(true).open(&log_path).map_err(|error| {
            Failure::new(format!("cannot open {}", log_path.display())).because(&error).help(
                "without its log nothing tells this state from an older copy: bring the log of the key back",
            )
        })?;
        log.lock()
            .map_err(|error| Failure::new(format!("cannot lock {}", log_path.display())).because(&error))?;
        // Only now: whoever had the lock has moved the state on.
        let state =
            fs::read(path).map_err(|error| Failure::new(format!("cannot read {name}")).because(&error))?;
        let state = Zeroizing::new(state);
        let key = HssSigningKey::decode(&state)
            .map_err(|error| Failure::new(format!("{name}: not a key to sign with")).because(&error))?;
        let logged = used_by_log(&log)
            .map_err(|error| Failure::new(format!("cannot read {}", log_path.display())).because(&error))?;
        if logged > key.used() {
            return Err(Failure::new(format!("{name} is an older copy of the key"))
                .because(&crypto::Error::StateWentBack)
                .help(format!(
                    "its log shows {logged} one-time keys used, the file {}; \
                     `sextant key advance {name} --to {logged}` goes on behind them",
                    key.used()
                )));
        }
        Ok(Self { path: path.to_owned(), key, log })
    }

    /// Passes over one-time keys that may have been used; the log may show no more of them than are passed over.
    pub(crate) fn advance(path: &Path, to: u64) -> Result<(), Failure> {
        let path = &resolve(path)?;
        let failed = |error: &dyn std::error::Error| {
            Failure::new(format!("cannot advance {}", path.display())).because(error)
        };
        let log_path = log_path(path);
        let log = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&log_path)
            .map_err(|error| failed(&error))?;
        log.lock().map_err(|error| failed(&error))?;
        let state = Zeroizing::new(fs::read(path).map_err(|error| failed(&error))?);
        let mut key = HssSigningKey::decode(&state).map_err(|error| failed(&error))?;
        if used_by_log(&log).map_err(|error| failed(&error))? > to {
            return Err(failed(&crypto::Error::StateWentBack).help("the log shows more of them used"));
        }
        key.skip_to(to).map_err(|error| failed(&error))?;
        let mut this = Self { path: path.to_owned(), key, log };
        let state = this.key.encode();
        this.store(&state)
            .and_then(|()| this.note(to.saturating_sub(1), "skipped"))
            .map_err(|error| failed(&error))
    }

    pub(crate) fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    /// Signs with the next one-time key, once the disk knows that it is used: the new state is written beside the old
    /// one, made durable, put in its place, made durable there and read back. A process that dies on the way loses a
    /// one-time key, and never uses one twice.
    pub(crate) fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let failed =
            |error: &dyn std::error::Error| Failure::new("the hash-based key cannot sign").because(error);
        let number = self.key.used();
        // The borrow of the key lasts until it signs, so what is stored is worked out beforehand.
        let (path, log) = (self.path.clone(), &mut self.log);
        let reserved = self.key.reserve().map_err(|error| failed(&error))?;
        replace_durably(&path, reserved.state()).map_err(|error| failed(&error))?;
        let read_back = Zeroizing::new(fs::read(&path).map_err(|error| failed(&error))?);
        let confirmed = reserved.confirm(&read_back).map_err(|error| failed(&error))?;
        append(log, number, &Digest::of(HashAlgorithm::Sha256, message).to_string())
            .map_err(|error| failed(&error))?;
        confirmed.sign(message).map_err(|error| failed(&error))
    }

    fn store(&self, state: &[u8]) -> io::Result<()> {
        replace_durably(&self.path, state)
    }

    fn note(&mut self, number: u64, what: &str) -> io::Result<()> {
        append(&mut self.log, number, what)
    }
}

/// Public key, levels and what is left of a key file, for showing it: nothing is locked.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) public: PublicKey,
    pub(crate) levels: String,
    pub(crate) used: u64,
    pub(crate) remaining: u64,
}

impl Summary {
    pub(crate) fn decode(state: &[u8]) -> Result<Self, crypto::Error> {
        let key = HssSigningKey::decode(state)?;
        let levels: Vec<String> =
            key.levels().iter().map(|(lms, ots)| format!("h{}w{}", lms.height(), ots.digit_bits())).collect();
        let (used, remaining) = (key.used(), key.remaining());
        Ok(Self { public: key.public_key().clone(), levels: levels.join(","), used, remaining })
    }
}

/// Reads levels such as `h10w4,h5w8`, top first.
pub(crate) fn levels(text: &str) -> Result<Vec<(LmsType, LmotsType)>, String> {
    let level = |text: &str| {
        let (height, width) = text.strip_prefix('h')?.split_once('w')?;
        let (height, width): (u32, u8) = (height.parse().ok()?, width.parse().ok()?);
        let lms = LmsType::ALL.into_iter().find(|lms| lms.height() == height && height <= 10)?;
        let ots = LmotsType::ALL.into_iter().find(|ots| ots.digit_bits() == width)?;
        Some((lms, ots))
    };
    text.split(',').map(|one| level(one.trim())).collect::<Option<Vec<_>>>().ok_or_else(|| {
        "expected levels of height 5 or 10 and width 1, 2, 4 or 8, top first: h10w4,h5w8".to_owned()
    })
}

fn resolve(path: &Path) -> Result<PathBuf, Failure> {
    fs::canonicalize(path)
        .map_err(|error| Failure::new(format!("cannot read {}", path.display())).because(&error))
}

fn log_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".log");
    name.into()
}

/// How many one-time keys the log shows to be used. A last line that was cut off is of a signature that never left.
fn used_by_log(log: &File) -> io::Result<u64> {
    let mut text = String::new();
    let mut log = log;
    log.seek(SeekFrom::Start(0))?;
    log.take(MAX_LOG).read_to_string(&mut text)?;
    let number = |line: &str| line.split(' ').next()?.parse::<u64>().ok();
    Ok(text.lines().filter_map(number).map(|number| number.saturating_add(1)).max().unwrap_or_default())
}

fn append(log: &mut File, number: u64, what: &str) -> io::Result<()> {
    // Should the line before have been cut off, this one begins anew.
    log.write_all(format!("\n{number} {what}\n").as_bytes())?;
    log.sync_data()
}

fn create_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The new content in place of the old one, on the disk when this returns.
fn replace_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    // What a signer left that died here is nobody's: the lock is ours.
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    create_secret(&part, bytes)?;
    fs::rename(&part, path)?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_levels_that_can_be_signed_with() {
        let read = levels("h10w4,h5w8").expect("two levels");
        assert_eq!(read, [(LmsType::H10, LmotsType::W4), (LmsType::H5, LmotsType::W8)]);
        for bad in ["", "h5", "h6w4", "h15w4", "h5w3", "w4h5", "h5w4,"] {
            assert!(levels(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_log_counts_to_its_highest_number_whatever_was_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        for (text, used) in
            [("", 0), ("\n0 a\n", 1), ("\n0 a\n\n7 b\n", 8), ("\n7 b\n\n9", 10), ("\n7 b\nx y\n", 8)]
        {
            fs::write(&path, text).expect("a log");
            assert_eq!(used_by_log(&File::open(&path).expect("a log")).expect("is read"), used, "{text:?}");
        }
    }
}
