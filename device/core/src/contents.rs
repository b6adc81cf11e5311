//! What is stored in a slot, as the processor reads and writes it.

use alloc::{string::String, vec, vec::Vec};

use crypto::{Digest, HashAlgorithm, Hasher};
use suit::{EnvelopeIndex, PlatformError};

use crate::{
    Area, PayloadSource, Slot, Storage, Transport, identity::Place, platform::Contents, transport::Nothing,
};

/// The images stored in a slot.
pub(crate) struct Stored<'s, S: Storage, T> {
    pub(crate) storage: &'s mut S,
    slots: Slots,
    /// What an installation fetches with; booting only looks.
    fetching: Option<Fetching<'s, T>>,
    /// Bytes appended since the last sync.
    unsynced: u64,
    /// Why the storage failed; the processor only learns that it did.
    pub(crate) failure: Option<S::Error>,
}

/// The slot that a manifest is about, and the one that runs.
#[derive(Clone, Copy)]
pub(crate) struct Slots {
    pub(crate) of_manifest: Slot,
    pub(crate) running: Slot,
}

impl Slots {
    pub(crate) fn area(self, place: Place) -> Area {
        match place {
            Place::Image(number) => Area::Image(self.of_manifest, number),
            Place::Running(number) => Area::Image(self.running, number),
            Place::Staged(number) => Area::Staged(number),
            Place::Manifest(number) => Area::Dependency(self.of_manifest, number),
        }
    }
}

/// Where an installation gets its payloads.
struct Fetching<'s, T> {
    index: &'s EnvelopeIndex,
    transport: &'s mut T,
    /// What the rehearsal fetched already.
    fetched: Vec<Fetched>,
    /// Which of that is being given, and how much of it was.
    giving: Option<(usize, usize)>,
}

/// The envelope of a dependency that the rehearsal fetched.
pub(crate) struct Fetched {
    /// Where it was fetched from.
    pub(crate) uri: String,
    pub(crate) bytes: Vec<u8>,
}

impl<'s, S: Storage> Stored<'s, S, Nothing> {
    /// The images, to be looked at.
    pub(crate) fn read_only(storage: &'s mut S, slot: Slot) -> Self {
        let slots = Slots { of_manifest: slot, running: slot };
        Self { storage, slots, fetching: None, unsynced: 0, failure: None }
    }
}

impl<'s, S: Storage, T: Transport> Stored<'s, S, T> {
    /// The images, to be written.
    pub(crate) fn writable(
        storage: &'s mut S,
        slots: Slots,
        index: &'s EnvelopeIndex,
        transport: &'s mut T,
        fetched: Vec<Fetched>,
    ) -> Self {
        let fetching = Some(Fetching { index, transport, fetched, giving: None });
        Self { storage, slots, fetching, unsynced: 0, failure: None }
    }

    fn keep<V>(&mut self, result: Result<V, S::Error>) -> Result<V, PlatformError> {
        result.map_err(|error| {
            let told = if S::is_full(&error) { PlatformError::NoRoom } else { PlatformError::Io };
            self.failure = Some(error);
            told
        })
    }

    fn may_write(&self, place: Place) -> Result<(), PlatformError> {
        match place {
            Place::Image(_) | Place::Staged(_) | Place::Manifest(_) if self.fetching.is_some() => Ok(()),
            _ => Err(PlatformError::Denied),
        }
    }

    fn sync(&mut self, place: Place) -> Result<(), PlatformError> {
        self.unsynced = 0;
        let synced = self.storage.sync(self.slots.area(place));
        self.keep(synced)
    }
}

impl<S: Storage, T: Transport> Contents for Stored<'_, S, T> {
    fn size(&mut self, place: Place) -> Result<Option<u64>, PlatformError> {
        let len = self.storage.len(self.slots.area(place));
        let len = self.keep(len)?;
        Ok((len > 0).then_some(len))
    }

    fn read(&mut self, place: Place, offset: u64, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        let read = self.storage.read(self.slots.area(place), offset, buffer);
        self.keep(read)
    }

    fn digest(&mut self, place: Place, algorithm: HashAlgorithm) -> Result<Digest, PlatformError> {
        let digest = hash_area(self.storage, self.slots.area(place), algorithm);
        self.keep(digest).map(|(digest, _)| digest)
    }

    fn begin(&mut self, place: Place, _size: Option<u64>) -> Result<(), PlatformError> {
        self.may_write(place)?;
        self.unsynced = 0;
        let erased = self.storage.erase(self.slots.area(place));
        self.keep(erased)
    }

    fn retained(&mut self, place: Place) -> Result<u64, PlatformError> {
        self.may_write(place)?;
        // The areas were emptied when the journal began to name this release.
        Ok(self.size(place)?.unwrap_or_default())
    }

    fn resume(&mut self, place: Place, retained: u64) -> Result<(), PlatformError> {
        self.may_write(place)?;
        self.unsynced = 0;
        if self.size(place)?.unwrap_or_default() == retained { Ok(()) } else { Err(PlatformError::Io) }
    }

    fn append(&mut self, place: Place, data: &[u8]) -> Result<(), PlatformError> {
        self.may_write(place)?;
        let area = self.slots.area(place);
        let appended = data.chunks(WRITE).try_for_each(|piece| self.storage.append(area, piece));
        self.keep(appended)?;
        self.unsynced = self.unsynced.saturating_add(data.len() as u64);
        // What is durable need not be sent again after a power cut.
        if self.unsynced >= SYNC_EVERY { self.sync(place) } else { Ok(()) }
    }

    fn commit(&mut self, place: Place) -> Result<(), PlatformError> {
        self.may_write(place)?;
        self.sync(place)
    }

    fn discard(&mut self, place: Place) {
        // The slot counts as empty until it is complete, and what came is kept to go on from.
        if self.unsynced > 0 {
            // If this fails, less is there to go on from.
            let _lost = self.sync(place);
        }
    }

    fn integrated(&self, uri: &str) -> Option<u64> {
        self.fetching.as_ref()?.index.payload(uri).map(|payload| payload.len)
    }

    fn open(&mut self, uri: &str, offset: u64) -> Result<(), PlatformError> {
        let fetching = self.fetching.as_mut().ok_or(PlatformError::Denied)?;
        let at_hand = fetching.fetched.iter().position(|fetched| fetched.uri == uri);
        fetching.giving = at_hand.map(|number| (number, usize::try_from(offset).unwrap_or(usize::MAX)));
        if fetching.giving.is_some() {
            return Ok(());
        }
        let source = source(fetching.index, uri).ok_or(PlatformError::NotFound)?;
        fetching.transport.open(source, offset)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        let fetching = self.fetching.as_mut().ok_or(PlatformError::Denied)?;
        let Some((number, given)) = &mut fetching.giving else { return fetching.transport.receive(buffer) };
        let left = fetching.fetched.get(*number).and_then(|fetched| fetched.bytes.get(*given..));
        let left = left.unwrap_or_default();
        buffer.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
        let count = left.len().min(buffer.len());
        *given += count;
        Ok(count)
    }
}

/// What a URI of a manifest leads to: the envelope goes before the rest of the world (MAN, section 8.4.10.4).
pub(crate) fn source<'u>(index: &EnvelopeIndex, uri: &'u str) -> Option<PayloadSource<'u>> {
    match index.payload(uri) {
        Some(payload) => Some(PayloadSource::Envelope { offset: payload.offset, len: payload.len }),
        None if uri.starts_with('#') => None,
        None => Some(PayloadSource::Uri(uri)),
    }
}

/// Bytes written at a time.
const WRITE: usize = 64 * 1024;
/// Bytes after which what came is made durable.
const SYNC_EVERY: u64 = 1024 * 1024;
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
