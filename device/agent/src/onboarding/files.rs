//! Files that an owner puts into one folder (`fdo.download`), and those it may ask for (`fdo.upload`).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use fdo::service_info::modules::{FileFault, FileSink, FileSource};

/// The file that is not whole yet. No name of an owner's begins so.
const PART: &str = ".sextant-part";

/// Whether an owner may name a file so, beside being a plain name: none that is hidden.
pub(super) fn is_visible(name: &str) -> bool {
    !name.starts_with('.')
}

/// Puts files into a folder. A file is there under its name when it is whole, and replaces what was called so.
pub(super) struct Folder {
    folder: PathBuf,
    open: Option<(File, PathBuf)>,
}

impl Folder {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), open: None }
    }

    fn part(&self) -> PathBuf {
        self.folder.join(PART)
    }

    fn tried<T>(result: io::Result<T>) -> Result<T, FileFault> {
        result.map_err(|error| {
            tracing::warn!(%error, "a file of the owner could not be kept");
            FileFault
        })
    }
}

impl FileSink for Folder {
    fn begin(&mut self, name: &str, _len: Option<u64>) -> Result<(), FileFault> {
        self.abort();
        let create = || {
            fs::create_dir_all(&self.folder)?;
            OpenOptions::new().create_new(true).write(true).mode(0o600).open(self.part())
        };
        self.open = Some((Self::tried(create())?, self.folder.join(name)));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileFault> {
        let (file, _) = self.open.as_mut().ok_or(FileFault)?;
        Self::tried(file.write_all(bytes))
    }

    fn finish(&mut self, _is_hashed: bool) -> Result<(), FileFault> {
        let (file, path) = self.open.take().ok_or(FileFault)?;
        // The name itself is replaced, and not what it may point to.
        Self::tried(file.sync_all().and_then(|()| fs::rename(self.part(), path)))
    }

    fn abort(&mut self) {
        self.open = None;
        // There may be none, and one that stays is replaced by the next.
        let _removed = fs::remove_file(self.part());
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.open.is_some() {
            self.abort();
        }
    }
}

/// Gives the files that it was told to, under the names that go with them.
pub(super) struct NamedFiles<'o>(pub(super) &'o [(String, PathBuf)]);

impl NamedFiles<'_> {
    pub(super) fn knows(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    fn open(&self, name: &str) -> Result<File, FileFault> {
        let (_, path) = self.0.iter().find(|(known, _)| known == name).ok_or(FileFault)?;
        File::open(path).map_err(|error| {
            tracing::warn!(%error, path = %path.display(), "a file for the owner could not be read");
            FileFault
        })
    }
}

impl FileSource for NamedFiles<'_> {
    fn len(&mut self, name: &str) -> Result<u64, FileFault> {
        let metadata = self.open(name)?.metadata().map_err(|_| FileFault)?;
        if metadata.is_file() { Ok(metadata.len()) } else { Err(FileFault) }
    }

    fn read(&mut self, name: &str, offset: u64, bytes: &mut [u8]) -> Result<(), FileFault> {
        let mut file = self.open(name)?;
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(bytes)).map_err(|_| FileFault)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_is_there_when_it_is_whole_and_replaces_a_link_and_not_what_it_points_to() {
        let outside = tempfile::tempdir().unwrap();
        let secret = outside.path().join("shadow");
        fs::write(&secret, b"root").unwrap();
        let folder = outside.path().join("files");
        fs::create_dir(&folder).unwrap();
        symlink(&secret, folder.join("config")).unwrap();
        // Nor is a link in the place of the part followed.
        symlink(&secret, folder.join(PART)).unwrap();
        let mut sink = Folder::new(&folder);
        sink.begin("config", Some(4)).unwrap();
        sink.write(b"da").unwrap();
        sink.write(b"ta").unwrap();
        assert_eq!(fs::read(folder.join("config")).unwrap(), b"root");
        sink.finish(false).unwrap();
        assert_eq!(fs::read(folder.join("config")).unwrap(), b"data");
        assert_eq!(fs::read(&secret).unwrap(), b"root");
        assert_eq!(fs::metadata(folder.join("config")).unwrap().permissions().mode() & 0o777, 0o600);
        sink.begin("other", None).unwrap();
        sink.write(b"half").unwrap();
        drop(sink);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn only_named_files_are_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        fs::write(&path, b"0123456789").unwrap();
        let files = [("log".to_owned(), path), ("folder".to_owned(), folder.path().to_owned())];
        let mut source = NamedFiles(&files);
        assert!(source.knows("log") && !source.knows("log.txt"));
        assert_eq!(source.len("log"), Ok(10));
        let mut bytes = [0; 4];
        source.read("log", 6, &mut bytes).unwrap();
        assert_eq!(&bytes, b"6789");
        assert_eq!(source.read("log", 7, &mut bytes), Err(FileFault));
        assert_eq!(source.len("folder"), Err(FileFault));
        assert_eq!(source.len("/etc/shadow"), Err(FileFault));
    }
}
