use cose::Encrypt;
use crypto::Decryptor;

use super::{
    FailureKind, Platform, PlatformError,
    machine::{Machine, Stop},
    table::Slot,
};
use crate::{ComponentId, Feature, labels::parameter, limits::MAX_CIPHERTEXT_OVERHEAD};

/// What agreed keys are bound to (ENC, section 6.2).
const SUPPLEMENT: &[u8] = b"SUIT Payload Encryption";

impl<P: Platform> Machine<'_, P> {
    /// How much may and must be written. What does not fit the component is refused before anything comes.
    pub(super) fn bounds(&self, slot: Slot, component: &ComponentId) -> Result<Bounds, Stop> {
        let room = self.platform.capacity(component);
        match self.table.image_size(slot) {
            Some(size) if size > room => Err(FailureKind::TooLarge { limit: room }.into()),
            Some(size) => Ok(Bounds { expected: Some(size), limit: size }),
            None => Ok(Bounds { expected: None, limit: room }),
        }
    }

    /// Begins to decrypt with a key of the device, if the encryption info says that the content is encrypted (ENC).
    pub(super) fn decryptor(&self, slot: Slot) -> Result<Option<Decryptor>, Stop> {
        let Some(info) = self.table.encryption_info(slot) else { return Ok(None) };
        let unsupported = FailureKind::Unsupported(Feature::Parameter(parameter::ENCRYPTION_INFO));
        let keys = self.platform.keys().ok_or(unsupported)?;
        let message = Encrypt::decode(info).map_err(FailureKind::Decryption)?;
        if message.ciphertext().is_some() {
            return Err(unsupported.into());
        }
        let decryptor = message.open(keys, &[], SUPPLEMENT).map_err(FailureKind::Decryption)?;
        Ok(Some(decryptor))
    }

    /// Replaces the content of a component by bytes at hand.
    pub(super) fn store_bytes(
        &mut self,
        slot: Slot,
        component: &ComponentId,
        content: &[u8],
        bounds: Bounds,
        decryptor: Option<Decryptor>,
    ) -> Result<(), Stop> {
        let size = content.len() as u64;
        bounds.check_coming(size, decryptor.is_some())?;
        if decryptor.is_some() {
            return self.store(slot, component, bounds, decryptor, |this, offset, room| {
                let left = usize::try_from(offset).ok().and_then(|offset| content.get(offset..));
                let left = left.unwrap_or_default();
                let count = room.min(this.buffer.len()).min(left.len());
                this.buffer.iter_mut().zip(left).take(count).for_each(|(to, from)| *to = *from);
                Ok(count)
            });
        }
        let result = self.begin(slot, component, Some(size)).and_then(|()| {
            self.platform.append(component, content)?;
            self.platform.commit(component)
        });
        if result.is_err() {
            self.platform.discard(component);
        }
        Ok(result?)
    }

    /// Replaces the content of a component by what comes piece by piece. `next` puts the piece at an offset into the
    /// buffer, of no more bytes than there is room for; no byte means the end.
    pub(super) fn store(
        &mut self,
        slot: Slot,
        component: &ComponentId,
        bounds: Bounds,
        decryptor: Option<Decryptor>,
        next: impl FnMut(&mut Self, u64, usize) -> Result<usize, PlatformError>,
    ) -> Result<(), Stop> {
        self.ready_buffer();
        if decryptor.is_some() && self.plaintext.is_empty() {
            self.plaintext.resize(self.buffer.len(), 0);
        }
        let result = self.transfer(slot, component, bounds, decryptor, next);
        if result.is_err() {
            self.platform.discard(component);
        }
        result
    }

    /// Nothing counts as content before the end: the size is checked and, where there is one, the tag of the ciphertext.
    fn transfer(
        &mut self,
        slot: Slot,
        component: &ComponentId,
        bounds: Bounds,
        mut decryptor: Option<Decryptor>,
        mut next: impl FnMut(&mut Self, u64, usize) -> Result<usize, PlatformError>,
    ) -> Result<(), Stop> {
        self.begin(slot, component, bounds.expected)?;
        let limit = bounds.coming(decryptor.is_some());
        let too_large = || FailureKind::TooLarge { limit: bounds.limit }.into();
        let (mut received, mut written) = (0u64, 0u64);
        loop {
            // One byte more than is allowed shows that there is too much.
            let room = usize::try_from((limit - received).saturating_add(1)).unwrap_or(usize::MAX);
            let count = next(self, received, room)?;
            if count == 0 {
                break;
            }
            received = received.saturating_add(count as u64);
            if received > limit {
                return Err(too_large());
            }
            let data = self.buffer.get(..count).ok_or(PlatformError::Io)?;
            let data = match &mut decryptor {
                None => data,
                Some(decryptor) => {
                    let plain = decryptor.update(data, &mut self.plaintext);
                    plain.map_err(|error| FailureKind::Decryption(error.into()))?.as_unverified()
                }
            };
            written = written.saturating_add(data.len() as u64);
            if written > bounds.limit {
                return Err(too_large());
            }
            self.platform.append(component, data)?;
        }
        if let Some(decryptor) = decryptor {
            // Where the algorithm authenticates nothing, the image digest of the manifest is what does.
            let _proof = decryptor.finish().map_err(|error| FailureKind::Decryption(error.into()))?;
        }
        bounds.check_end(written)?;
        Ok(self.platform.commit(component)?)
    }

    fn begin(&mut self, slot: Slot, component: &ComponentId, size: Option<u64>) -> Result<(), PlatformError> {
        self.platform.begin(component, size)?;
        self.describe(slot, component)
    }

    pub(super) fn describe(&mut self, slot: Slot, component: &ComponentId) -> Result<(), PlatformError> {
        match self.table.metadata(slot) {
            Some(metadata) => self.platform.describe(component, metadata),
            None => Ok(()),
        }
    }
}

/// How much a component may be given.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Just this much.
    pub(super) expected: Option<u64>,
    /// At most this much.
    pub(super) limit: u64,
}

impl Bounds {
    /// The most that may come: a ciphertext is a little longer than its image.
    fn coming(self, encrypted: bool) -> u64 {
        if encrypted { self.limit.saturating_add(MAX_CIPHERTEXT_OVERHEAD) } else { self.limit }
    }

    /// Refuses beforehand what is known beforehand.
    pub(super) fn check_coming(self, size: u64, encrypted: bool) -> Result<(), Stop> {
        if size > self.coming(encrypted) {
            return Err(FailureKind::TooLarge { limit: self.limit }.into());
        }
        if encrypted { Ok(()) } else { self.check_end(size) }
    }

    fn check_end(self, found: u64) -> Result<(), Stop> {
        match self.expected {
            Some(expected) if expected != found => Err(FailureKind::WrongSize { expected, found }.into()),
            _ => Ok(()),
        }
    }
}
