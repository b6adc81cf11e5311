//! A slot that nothing is written to: what an installation would come to, before it begins.

use alloc::{string::String, vec::Vec};

use crypto::{Digest, HashAlgorithm, Hasher};
use suit::{EnvelopeIndex, PlatformError};

use crate::{
    PayloadSource, Storage, Transport,
    contents::{Fetched, Slots, hash_area, source},
    identity::Place,
    platform::Contents,
};

/// What an installation would write, and nothing of it written.
///
/// A payload that is somewhere else is not fetched: it is taken to be what the manifest says, and of the length that its
/// directory says. Everything else is done in earnest, so that whatever is wrong with a release beside the bytes of its
/// payloads is found before the slot is touched. Envelopes of dependencies are fetched, and kept in memory: what they say
/// is part of what is rehearsed.
pub(crate) struct Rehearsed<'s, S, T> {
    storage: &'s S,
    slots: Slots,
    index: &'s EnvelopeIndex,
    transport: &'s mut T,
    /// What the manifest says that places will hold.
    promised: Vec<Promise>,
    held: Vec<(Place, Held)>,
    writing: Option<Writing>,
    /// Bytes of the payload being fetched that are still to come, where its length is known.
    coming: Option<u64>,
    /// Where the next bytes are fetched from, if they are those of a dependency.
    opened: Option<String>,
    /// Envelopes of dependencies, and their components.
    envelopes: Vec<(u8, Fetched)>,
    /// Whether bytes were made up that a decryption may have stumbled over.
    pub(crate) pretended: bool,
}

#[derive(Clone, Copy)]
struct Promise {
    place: Place,
    digest: Digest,
    size: Option<u64>,
}

#[derive(Clone, Copy)]
struct Held {
    size: u64,
    /// Its digest, unless it is what the manifest promises.
    digest: Option<Digest>,
}

struct Writing {
    place: Place,
    hasher: Hasher,
    size: u64,
    /// Whether all of it is really there.
    real: bool,
    /// Where it came from, and its bytes, if it is the envelope of a dependency.
    envelope: Fetched,
}

impl<'s, S: Storage, T: Transport> Rehearsed<'s, S, T> {
    /// Empty places.
    pub(crate) fn new(storage: &'s S, slots: Slots, index: &'s EnvelopeIndex, transport: &'s mut T) -> Self {
        let (promised, held, envelopes) = (Vec::new(), Vec::new(), Vec::new());
        let (writing, coming, opened, pretended) = (None, None, None, false);
        Self {
            storage,
            slots,
            index,
            transport,
            promised,
            held,
            writing,
            coming,
            opened,
            envelopes,
            pretended,
        }
    }

    /// The envelopes that were fetched on the way.
    pub(crate) fn into_fetched(self) -> Vec<Fetched> {
        self.envelopes
            .into_iter()
            .map(|(_, fetched)| fetched)
            .filter(|fetched| !fetched.uri.is_empty())
            .collect()
    }

    fn envelope(&self, number: u8) -> Option<&[u8]> {
        let held = self.envelopes.iter().find(|(at, _)| *at == number);
        held.map(|(_, fetched)| fetched.bytes.as_slice())
    }

    /// As after an installation that went well: every place holds what the manifest promises.
    pub(crate) fn fill(&mut self) {
        let promised = self.promised.iter().map(|promise| {
            // Where no size is promised, any will do.
            (promise.place, Held { size: promise.size.unwrap_or(1), digest: None })
        });
        self.held = promised.collect();
    }

    fn held(&self, place: Place) -> Option<Held> {
        self.held.iter().find(|(at, _)| *at == place).map(|(_, held)| *held)
    }
}

impl<S: Storage, T: Transport> Contents for Rehearsed<'_, S, T> {
    fn size(&mut self, place: Place) -> Result<Option<u64>, PlatformError> {
        let size = match place {
            Place::Manifest(number) => self.envelope(number).map_or(0, |bytes| bytes.len() as u64),
            Place::Running(_) => self.storage.len(self.slots.area(place)).map_err(|_| PlatformError::Io)?,
            _ => self.held(place).map_or(0, |held| held.size),
        };
        Ok((size > 0).then_some(size))
    }

    fn read(&mut self, place: Place, offset: u64, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        if let Place::Running(_) = place {
            let read = self.storage.read(self.slots.area(place), offset, buffer);
            return read.map_err(|_| PlatformError::Io);
        }
        if let Place::Manifest(number) = place {
            let bytes = self.envelope(number).ok_or(PlatformError::NotFound)?;
            let left =
                usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
            buffer.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
            return Ok(left.len().min(buffer.len()));
        }
        // What was not fetched has only a length.
        let held = self.held(place).ok_or(PlatformError::NotFound)?;
        let left = usize::try_from(held.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        self.pretend();
        Ok(left.min(buffer.len()))
    }

    fn digest(&mut self, place: Place, algorithm: HashAlgorithm) -> Result<Digest, PlatformError> {
        if let Place::Running(_) = place {
            let digest = hash_area(self.storage, self.slots.area(place), algorithm);
            return digest.map(|(digest, _)| digest).map_err(|_| PlatformError::Io);
        }
        if let Place::Manifest(number) = place {
            return self
                .envelope(number)
                .map(|bytes| Digest::of(algorithm, bytes))
                .ok_or(PlatformError::NotFound);
        }
        let held = self.held(place).ok_or(PlatformError::NotFound)?;
        let promised = || {
            let fits = |promise: &&Promise| {
                promise.place == place
                    && promise.digest.algorithm() == algorithm
                    && promise.size.is_none_or(|size| size == held.size)
            };
            self.promised.iter().find(fits).map(|promise| promise.digest)
        };
        let digest = held.digest.filter(|digest| digest.algorithm() == algorithm);
        digest.or_else(|| held.digest.is_none().then(promised).flatten()).ok_or(PlatformError::Unsupported)
    }

    fn begin(&mut self, place: Place, size: Option<u64>) -> Result<(), PlatformError> {
        if let Place::Running(_) = place {
            return Err(PlatformError::Denied);
        }
        self.held.retain(|(at, _)| *at != place);
        self.coming = self.coming.or(size);
        let promise = self.promised.iter().find(|promise| promise.place == place);
        let algorithm = promise.map_or(HashAlgorithm::Sha256, |promise| promise.digest.algorithm());
        let hasher = Hasher::new(algorithm);
        let envelope = Fetched { uri: self.opened.clone().unwrap_or_default(), bytes: Vec::new() };
        self.writing = Some(Writing { place, hasher, size: 0, real: true, envelope });
        Ok(())
    }

    fn append(&mut self, place: Place, data: &[u8]) -> Result<(), PlatformError> {
        let writing = self.writing.as_mut().filter(|writing| writing.place == place);
        let writing = writing.ok_or(PlatformError::Io)?;
        if let Place::Manifest(_) = place {
            writing.envelope.bytes.extend_from_slice(data);
        }
        if writing.real {
            writing.hasher.update(data);
        }
        writing.size = writing.size.saturating_add(data.len() as u64);
        Ok(())
    }

    fn commit(&mut self, place: Place) -> Result<(), PlatformError> {
        let writing = self.writing.take().filter(|writing| writing.place == place);
        let Writing { hasher, size, real, envelope, .. } = writing.ok_or(PlatformError::Io)?;
        self.opened = None;
        if let Place::Manifest(number) = place {
            self.envelopes.retain(|(at, _)| *at != number);
            self.envelopes.push((number, envelope));
            return Ok(());
        }
        let digest = real.then(|| hasher.finish());
        self.held.push((place, Held { size, digest }));
        Ok(())
    }

    fn promise(&mut self, place: Place, digest: Digest, size: Option<u64>) {
        self.promised.push(Promise { place, digest, size });
    }

    fn integrated(&self, uri: &str) -> Option<u64> {
        self.index.payload(uri).map(|payload| payload.len)
    }

    fn open(&mut self, uri: &str, _offset: u64) -> Result<(), PlatformError> {
        let source = source(self.index, uri).ok_or(PlatformError::NotFound)?;
        if !self.transport.permits(source) {
            return Err(PlatformError::Denied);
        }
        self.opened = Some(uri.into());
        self.coming = match source {
            PayloadSource::Envelope { len, .. } => Some(len),
            // As long as the image size that the processor begins with.
            PayloadSource::Uri(_) => None,
        };
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        if let Some(Writing { place: Place::Manifest(_), envelope, .. }) = &self.writing {
            // It is opened when its first byte is asked for: not before it is known what it is for.
            if self.opened.take().is_some() {
                let source = source(self.index, &envelope.uri).ok_or(PlatformError::NotFound)?;
                self.transport.open(source, 0)?;
            }
            return self.transport.receive(buffer);
        }
        // Whoever fetches from elsewhere says how much it will be.
        let left = self.coming.ok_or(PlatformError::Denied)?;
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        self.coming = Some(left.saturating_sub(count as u64));
        self.pretend();
        Ok(count)
    }
}

impl<S, T> Rehearsed<'_, S, T> {
    fn pretend(&mut self) {
        self.pretended = true;
        if let Some(writing) = &mut self.writing {
            writing.real = false;
        }
    }
}
