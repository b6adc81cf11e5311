use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use device_core::{Area, RecordCopy, Slot, Storage};

/// The areas of a device as files of one folder.
///
/// Images are executable files, since `invoke` starts them where they lie.
#[derive(Debug)]
pub struct FileStorage {
    folder: PathBuf,
}

impl FileStorage {
    /// Opens the folder, making it if it is not there; only its owner may enter.
    pub fn open(folder: &Path) -> io::Result<Self> {
        for slot in ["slot-a", "slot-b"] {
            fs::create_dir_all(folder.join(slot))?;
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where an area is.
    pub fn path(&self, area: Area) -> PathBuf {
        let slot = |slot| self.folder.join(if slot == Slot::A { "slot-a" } else { "slot-b" });
        match area {
            Area::Record(RecordCopy::First) => self.folder.join("boot-1"),
            Area::Record(RecordCopy::Second) => self.folder.join("boot-2"),
            Area::Authorities(RecordCopy::First) => self.folder.join("authorities-1"),
            Area::Authorities(RecordCopy::Second) => self.folder.join("authorities-2"),
            Area::Manifest(in_slot) => slot(in_slot).join("manifest.suit"),
            Area::Image(in_slot, component) => slot(in_slot).join(format!("component-{component}")),
            Area::Dependency(in_slot, component) => {
                slot(in_slot).join(format!("dependency-{component}.suit"))
            }
            Area::Staged(component) => self.folder.join(format!("staged-{component}")),
            Area::Scratch => self.folder.join("scratch"),
        }
    }

    fn open_to_write(&self, area: Area, truncate: bool) -> io::Result<File> {
        let mode = if matches!(area, Area::Image(..)) { 0o700 } else { 0o600 };
        OpenOptions::new()
            .create(true)
            .append(!truncate)
            .write(true)
            .truncate(truncate)
            .mode(mode)
            .open(self.path(area))
    }
}

impl Storage for FileStorage {
    type Error = io::Error;

    fn len(&self, area: Area) -> io::Result<u64> {
        match fs::metadata(self.path(area)) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn read(&self, area: Area, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = match File::open(self.path(area)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            file => file?,
        };
        file.seek(SeekFrom::Start(offset))?;
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    fn erase(&mut self, area: Area) -> io::Result<()> {
        // A new file rather than a truncated one: a program that still runs from the old one keeps it.
        match fs::remove_file(self.path(area)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.open_to_write(area, true).map(|_| ())
    }

    fn append(&mut self, area: Area, bytes: &[u8]) -> io::Result<()> {
        self.open_to_write(area, false)?.write_all(bytes)
    }

    fn sync(&mut self, area: Area) -> io::Result<()> {
        let path = self.path(area);
        match File::open(&path) {
            // What was never written is as durable as it can be.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?.sync_all()?,
        }
        // The name must survive too.
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    fn is_full(error: &io::Error) -> bool {
        matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_separate_private_files_that_grow_and_empty() {
        let folder = tempfile::tempdir().unwrap();
        let mut storage = FileStorage::open(folder.path()).unwrap();
        let image = Area::Image(Slot::B, 0);
        assert_eq!(storage.len(image).unwrap(), 0);
        storage.append(image, b"first ").unwrap();
        storage.append(image, b"second").unwrap();
        storage.sync(image).unwrap();
        let mut buffer = [0; 16];
        assert_eq!(storage.read(image, 6, &mut buffer).unwrap(), 6);
        assert_eq!(&buffer[..6], b"second");
        assert_eq!(storage.len(Area::Image(Slot::A, 0)).unwrap(), 0);
        assert_eq!(fs::metadata(storage.path(image)).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
        storage.erase(image).unwrap();
        assert_eq!(storage.len(image).unwrap(), 0);
        storage.append(Area::Staged(0), b"x").unwrap();
        assert_eq!(fs::metadata(storage.path(Area::Staged(0))).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
