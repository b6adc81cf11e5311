//! The two contents a slot can have: what is stored, and what would be if a manifest were installed.

use alloc::{vec, vec::Vec};

use crypto::{Digest, HashAlgorithm, Hasher};
use suit::PlatformError;

use crate::{Area, Slot, Storage, platform::Contents};

/// The images stored in a slot.
pub(crate) struct Stored<'s, S: Storage> {
    pub(crate) storage: &'s mut S,
    pub(crate) slot: Slot,
    /// Booting only looks.
    pub(crate) writable: bool,
    /// Why the storage failed; the processor only learns that it did.
    pub(crate) failure: Option<S::Error>,
}

impl<'s, S: Storage> Stored<'s, S> {
    pub(crate) fn new(storage: &'s mut S, slot: Slot, writable: bool) -> Self {
        Self { storage, slot, writable, failure: None }
    }

    fn area(&self, component: u8) -> Area {
        Area::Image(self.slot, component)
    }

    fn keep<T>(&mut self, result: Result<T, S::Error>) -> Result<T, PlatformError> {
        result.map_err(|error| {
            self.failure = Some(error);
            PlatformError::Io
        })
    }

    fn may_write(&self) -> Result<(), PlatformError> {
        if self.writable { Ok(()) } else { Err(PlatformError::Denied) }
    }
}

impl<S: Storage> Contents for Stored<'_, S> {
    fn size(&mut self, component: u8) -> Result<Option<u64>, PlatformError> {
        let len = self.storage.len(self.area(component));
        let len = self.keep(len)?;
        Ok((len > 0).then_some(len))
    }

    fn read(&mut self, component: u8, offset: u64, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        let read = self.storage.read(self.area(component), offset, buffer);
        self.keep(read)
    }

    fn digest(&mut self, component: u8, algorithm: HashAlgorithm) -> Result<Digest, PlatformError> {
        let digest = hash_area(self.storage, self.area(component), algorithm);
        self.keep(digest).map(|(digest, _)| digest)
    }

    fn begin(&mut self, component: u8) -> Result<(), PlatformError> {
        self.may_write()?;
        let erased = self.storage.erase(self.area(component));
        self.keep(erased)
    }

    fn append(&mut self, component: u8, data: &[u8]) -> Result<(), PlatformError> {
        self.may_write()?;
        let area = self.area(component);
        let appended = data.chunks(WRITE).try_for_each(|piece| self.storage.append(area, piece));
        self.keep(appended)
    }

    fn commit(&mut self, component: u8) -> Result<(), PlatformError> {
        self.may_write()?;
        let synced = self.storage.sync(self.area(component));
        self.keep(synced)
    }
}

/// Bytes written at a time.
const WRITE: usize = 64 * 1024;
/// Bytes hashed at a time.
const READ: usize = 4096;

/// Digest of what an area holds now, and its length.
pub(crate) fn hash_area<S: Storage>(
    storage: &S,
    area: Area,
    algorithm: HashAlgorithm,
) -> Result<(Digest, u64), S::Error> {
    let mut buffer = vec![0; READ];
    let mut hasher = Hasher::new(algorithm);
    let mut offset = 0;
    loop {
        let count = storage.read(area, offset, &mut buffer)?;
        hasher.update(buffer.get(..count).unwrap_or_default());
        offset += count as u64;
        if count < buffer.len() {
            return Ok((hasher.finish(), offset));
        }
    }
}

/// Hashes what an installation would write, and writes nothing.
///
/// A manifest that goes through its whole procedure here fits the device and brings the images it says. What is
/// written cannot be read back, so manifests that copy or compare contents do not pass.
pub(crate) struct Rehearsed {
    /// By number of the component: the hash function its image is checked with, and what came.
    components: Vec<(HashAlgorithm, Content)>,
}

enum Content {
    Nothing,
    Coming(Hasher, u64),
    Here(Digest, u64),
}

impl Rehearsed {
    /// Empty components whose images are checked with these hash functions.
    pub(crate) fn new(algorithms: impl Iterator<Item = HashAlgorithm>) -> Self {
        Self { components: algorithms.map(|algorithm| (algorithm, Content::Nothing)).collect() }
    }

    fn content(&mut self, component: u8) -> Result<&mut (HashAlgorithm, Content), PlatformError> {
        self.components.get_mut(usize::from(component)).ok_or(PlatformError::NotFound)
    }
}

impl Contents for Rehearsed {
    fn size(&mut self, component: u8) -> Result<Option<u64>, PlatformError> {
        Ok(match self.content(component)?.1 {
            Content::Here(_, size) if size > 0 => Some(size),
            _ => None,
        })
    }

    fn read(&mut self, _component: u8, _offset: u64, _buffer: &mut [u8]) -> Result<usize, PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn digest(&mut self, component: u8, algorithm: HashAlgorithm) -> Result<Digest, PlatformError> {
        match self.content(component)? {
            (_, Content::Here(digest, _)) if digest.algorithm() == algorithm => Ok(*digest),
            _ => Err(PlatformError::Unsupported),
        }
    }

    fn begin(&mut self, component: u8) -> Result<(), PlatformError> {
        let (algorithm, content) = self.content(component)?;
        *content = Content::Coming(Hasher::new(*algorithm), 0);
        Ok(())
    }

    fn append(&mut self, component: u8, data: &[u8]) -> Result<(), PlatformError> {
        match &mut self.content(component)?.1 {
            Content::Coming(hasher, size) => {
                hasher.update(data);
                *size += data.len() as u64;
                Ok(())
            }
            _ => Err(PlatformError::Io),
        }
    }

    fn commit(&mut self, component: u8) -> Result<(), PlatformError> {
        let content = &mut self.content(component)?.1;
        match core::mem::replace(content, Content::Nothing) {
            Content::Coming(hasher, size) => {
                *content = Content::Here(hasher.finish(), size);
                Ok(())
            }
            _ => Err(PlatformError::Io),
        }
    }
}
