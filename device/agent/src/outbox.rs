use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use api::Base64Url;
use serde::{Deserialize, Serialize};

/// Reports that wait at most; the oldest is given up first.
pub(crate) const MAX_QUEUED: usize = 32;
/// The longest queued report that is read back.
const MAX_FILE: u64 = 256 << 10;
const ENDING: &str = ".report";

/// Signed reports that the server has not taken yet: one file each, so that they survive whatever happens here.
#[derive(Debug)]
pub(crate) struct Outbox {
    folder: PathBuf,
}

/// A report that waits.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Queued {
    /// The signed report.
    pub(crate) report: Base64Url,
    /// The action that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<String>,
    /// What the device can process, as a digest, where the report tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) capabilities: Option<String>,
    #[serde(skip)]
    path: PathBuf,
}

impl Outbox {
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let folder = data.join("reports");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Keeps a report until it is delivered; returns when it survives a power cut.
    pub(crate) fn push(
        &self,
        report: &[u8],
        action: Option<&str>,
        capabilities: Option<&str>,
    ) -> io::Result<()> {
        let mut waiting = self.numbers()?;
        while waiting.len() >= MAX_QUEUED {
            let oldest = waiting.remove(0);
            tracing::warn!(oldest, "too many reports wait, the oldest is given up");
            fs::remove_file(self.path(oldest))?;
        }
        let queued = Queued {
            report: Base64Url(report.to_vec()),
            action: action.map(str::to_owned),
            capabilities: capabilities.map(str::to_owned),
            path: PathBuf::new(),
        };
        let part = self.folder.join("new.part");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
        file.write_all(&serde_json::to_vec(&queued)?)?;
        file.sync_all()?;
        fs::rename(&part, self.path(waiting.last().map_or(0, |last| last + 1)))?;
        File::open(&self.folder)?.sync_all()
    }

    /// The report that waits longest. What cannot be read is given up.
    pub(crate) fn oldest(&self) -> io::Result<Option<Queued>> {
        for number in self.numbers()? {
            let path = self.path(number);
            let read = fs::metadata(&path).ok().filter(|metadata| metadata.len() <= MAX_FILE);
            let read = read.and_then(|_| fs::read(&path).ok());
            if let Some(queued) = read.and_then(|read| serde_json::from_slice::<Queued>(&read).ok()) {
                return Ok(Some(Queued { path, ..queued }));
            }
            fs::remove_file(&path)?;
        }
        Ok(None)
    }

    /// Forgets a report that was delivered, or that nobody wants.
    pub(crate) fn remove(&self, queued: &Queued) -> io::Result<()> {
        match fs::remove_file(&queued.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether a report with these capabilities waits, or was the last one that was delivered.
    pub(crate) fn told(&self, capabilities: &str) -> io::Result<bool> {
        for number in self.numbers()? {
            let read = fs::read(self.path(number))?;
            let queued = serde_json::from_slice::<Queued>(&read).ok();
            if queued.is_some_and(|queued| queued.capabilities.as_deref() == Some(capabilities)) {
                return Ok(true);
            }
        }
        Ok(fs::read_to_string(self.sent()).is_ok_and(|sent| sent == capabilities))
    }

    /// Notes which capabilities the server knows.
    pub(crate) fn note_told(&self, capabilities: &str) -> io::Result<()> {
        fs::write(self.sent(), capabilities)
    }

    fn sent(&self) -> PathBuf {
        self.folder.join("capabilities.sent")
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:020}{ENDING}"))
    }

    /// The numbers of the reports, ascending.
    fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.strip_suffix(ENDING)?.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_wait_in_their_order_and_the_oldest_give_way() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        assert!(outbox.oldest().unwrap().is_none());
        for number in 0..MAX_QUEUED as u64 + 3 {
            outbox.push(&number.to_be_bytes(), Some("7"), None).unwrap();
        }
        // Another agent finds them.
        let outbox = Outbox::open(folder.path()).unwrap();
        for number in 3..MAX_QUEUED as u64 + 3 {
            let queued = outbox.oldest().unwrap().unwrap();
            assert_eq!(
                (queued.report.0.as_slice(), queued.action.as_deref()),
                (&number.to_be_bytes()[..], Some("7"))
            );
            outbox.remove(&queued).unwrap();
        }
        assert!(outbox.oldest().unwrap().is_none());
    }

    #[test]
    fn what_is_broken_does_not_hold_up_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        outbox.push(b"first", None, None).unwrap();
        fs::write(outbox.path(0), b"not a report").unwrap();
        outbox.push(b"second", None, None).unwrap();
        assert_eq!(outbox.oldest().unwrap().unwrap().report.0, b"second");
    }

    #[test]
    fn capabilities_are_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        assert!(!outbox.told("aa").unwrap());
        outbox.push(b"report", None, Some("aa")).unwrap();
        assert!(outbox.told("aa").unwrap());
        let queued = outbox.oldest().unwrap().unwrap();
        outbox.note_told("aa").unwrap();
        outbox.remove(&queued).unwrap();
        assert!(outbox.told("aa").unwrap());
        assert!(!outbox.told("bb").unwrap());
    }
}
