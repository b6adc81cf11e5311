//! What the SUIT processor sees of a device.

use alloc::{vec, vec::Vec};

use cose::{DecryptionKeys, KeyStore};
use crypto::{Digest, HashAlgorithm};
use suit::{Abilities, ComponentId, PlatformError, References, Uuid, VendorId, Verified, Version};

use crate::{Identity, Slot, identity::Place};

/// The components of one slot as a SUIT platform: who the device is, and what the contents make of reads and writes.
pub(crate) struct SlotPlatform<'d, C> {
    pub(crate) view: View<'d>,
    pub(crate) contents: C,
    /// Digest of each component when the processor last asked for it.
    measured: Vec<Option<Digest>>,
    /// What the processor asked to start.
    pub(crate) start: Option<Start>,
    /// Components that a release which is being removed gave up.
    released: Vec<ComponentId>,
}

/// What the processor may know of the device beside its contents.
#[derive(Clone)]
pub(crate) struct View<'d> {
    pub(crate) identity: &'d Identity,
    /// The slot that images are for: where they will run.
    pub(crate) home: Slot,
    /// The release that is installed in the slot, while it is being removed.
    pub(crate) holder: Option<Digest>,
    /// Keys to decrypt with.
    pub(crate) keys: Option<&'d DecryptionKeys>,
    /// What a manifest must follow; nothing while looking at one that is installed.
    pub(crate) installed: Option<suit::Installed>,
    /// Version of the release that runs.
    pub(crate) version: Option<Version>,
    /// Seconds since 1970, where there is a clock to trust.
    pub(crate) now: Option<u64>,
}

/// An image to start, as the manifest's invoke section says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Number of the component.
    pub component: u8,
    /// The arguments the manifest gives it.
    pub arguments: Option<Vec<u8>>,
}

/// Contents of places.
pub(crate) trait Contents {
    fn size(&mut self, place: Place) -> Result<Option<u64>, PlatformError>;
    fn read(&mut self, place: Place, offset: u64, buffer: &mut [u8]) -> Result<usize, PlatformError>;
    fn digest(&mut self, place: Place, algorithm: HashAlgorithm) -> Result<Digest, PlatformError>;
    fn begin(&mut self, place: Place, size: Option<u64>) -> Result<(), PlatformError>;
    fn retained(&mut self, _place: Place) -> Result<u64, PlatformError> {
        Ok(0)
    }
    fn resume(&mut self, _place: Place, _retained: u64) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported)
    }
    fn append(&mut self, place: Place, data: &[u8]) -> Result<(), PlatformError>;
    fn commit(&mut self, place: Place) -> Result<(), PlatformError>;
    fn discard(&mut self, _place: Place) {}
    /// Bytes of a payload of the envelope.
    fn integrated(&self, uri: &str) -> Option<u64>;
    /// Begins a transfer, which ends the one before.
    fn open(&mut self, uri: &str, offset: u64) -> Result<(), PlatformError>;
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, PlatformError>;
}

impl<'d, C: Contents> SlotPlatform<'d, C> {
    pub(crate) fn new(view: View<'d>, contents: C) -> Self {
        let measured = vec![None; view.identity.components.len()];
        Self { view, contents, measured, start: None, released: Vec::new() }
    }

    /// The first image of the manifest whose content nobody compared with what the manifest says of it.
    pub(crate) fn unchecked(&self, verified: &Verified<'_>) -> Option<ComponentId> {
        let images = verified.images();
        let home = self.view.home.index() as u64;
        let checked = |id: &ComponentId| match self.view.identity.place(id) {
            Some((Place::Image(number), _)) => {
                let digest = self.measured.get(usize::from(number)).copied().flatten();
                images.iter().any(|image| {
                    image.component == *id
                        && Some(image.digest) == digest
                        && image.slot.is_none_or(|only| only == home)
                })
            }
            // Nothing of these is ever started.
            Some((Place::Running(_) | Place::Staged(_), _)) => true,
            None => false,
        };
        verified.components().iter().find(|id| !checked(id)).cloned()
    }

    fn place(&self, component: &ComponentId) -> Result<Place, PlatformError> {
        self.view.identity.place(component).map(|(place, _)| place).ok_or(PlatformError::NotFound)
    }
}

impl<C: Contents> suit::Platform for SlotPlatform<'_, C> {
    /// There is one transfer at a time, which the contents know.
    type Source = ();

    const CHUNK: usize = 4096;

    fn abilities(&self) -> Abilities {
        abilities(self.view.keys)
    }

    fn keys(&self) -> Option<&dyn KeyStore> {
        self.view.keys.map(|keys| keys as &dyn KeyStore)
    }

    fn has_component(&self, component: &ComponentId) -> bool {
        self.view.identity.place(component).is_some()
    }

    fn is_vendor(&self, _component: &ComponentId, vendor: &VendorId<'_>) -> bool {
        *vendor == VendorId::Uuid(self.view.identity.vendor)
    }

    fn is_class(&self, _component: &ComponentId, class: &Uuid) -> bool {
        *class == self.view.identity.class
    }

    fn is_device(&self, _component: &ComponentId, device: &Uuid) -> bool {
        // A UEID of type RAND is the type and 16 random bytes (RFC 9711, section 4.2.1.1).
        self.view.identity.ueid.as_bytes().strip_prefix(&[UEID_RAND]) == Some(device.as_bytes().as_slice())
    }

    fn slot(&self, _component: &ComponentId) -> Option<u64> {
        Some(self.view.home.index() as u64)
    }

    fn installed(&self, _manifest: Option<&ComponentId>) -> Option<suit::Installed> {
        self.view.installed
    }

    fn size(&mut self, component: &ComponentId) -> Result<Option<u64>, PlatformError> {
        self.contents.size(self.place(component)?)
    }

    fn capacity(&self, component: &ComponentId) -> u64 {
        self.view.identity.place(component).map_or(0, |(_, capacity)| capacity)
    }

    fn read(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, PlatformError> {
        self.contents.read(self.place(component)?, offset, buffer)
    }

    fn begin(&mut self, component: &ComponentId, size: Option<u64>) -> Result<(), PlatformError> {
        self.contents.begin(self.place(component)?, size)
    }

    fn retained(&mut self, component: &ComponentId) -> Result<u64, PlatformError> {
        self.contents.retained(self.place(component)?)
    }

    fn resume(&mut self, component: &ComponentId, retained: u64) -> Result<(), PlatformError> {
        self.contents.resume(self.place(component)?, retained)
    }

    fn append(&mut self, component: &ComponentId, data: &[u8]) -> Result<(), PlatformError> {
        self.contents.append(self.place(component)?, data)
    }

    fn commit(&mut self, component: &ComponentId) -> Result<(), PlatformError> {
        self.contents.commit(self.place(component)?)
    }

    fn discard(&mut self, component: &ComponentId) {
        if let Ok(place) = self.place(component) {
            self.contents.discard(place);
        }
    }

    fn swap(&mut self, _one: &ComponentId, _other: &ComponentId) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn open(&mut self, uri: &str, arguments: Option<&[u8]>) -> Result<Self::Source, PlatformError> {
        self.open_at(uri, arguments, 0)
    }

    fn open_at(
        &mut self,
        uri: &str,
        _arguments: Option<&[u8]>,
        offset: u64,
    ) -> Result<Self::Source, PlatformError> {
        self.contents.open(uri, offset)
    }

    fn integrated(&self, uri: &str) -> Option<u64> {
        self.contents.integrated(uri)
    }

    fn receive(&mut self, _source: &mut Self::Source, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        self.contents.receive(buffer)
    }

    fn invoke(&mut self, component: &ComponentId, arguments: Option<&[u8]>) -> Result<(), PlatformError> {
        // One program runs at a time; whoever boots starts it when the procedure has come to its end.
        if self.start.is_some() {
            return Err(PlatformError::Unsupported);
        }
        let Place::Image(component) = self.place(component)? else { return Err(PlatformError::Denied) };
        self.start = Some(Start { component, arguments: arguments.map(<[u8]>::to_vec) });
        Ok(())
    }

    fn references(&self, component: &ComponentId, holder: &Digest) -> References {
        // A slot has one release, which refers to all of its own components; nothing else can.
        let own = self.view.holder.as_ref() == Some(holder) && !self.released.contains(component);
        References { others: 0, own }
    }

    fn link(&mut self, _component: &ComponentId, _holder: &Digest) -> Result<(), PlatformError> {
        // The record that the release is installed is the reference, to all of its components at once.
        Ok(())
    }

    fn unlink(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        // It is durable by the journal: a removal that was begun is gone through again until it is done.
        if self.view.holder.as_ref() == Some(holder) && !self.released.contains(component) {
            self.released.push(component.clone());
        }
        Ok(())
    }

    fn now(&self) -> Option<u64> {
        self.view.now
    }

    fn version(&self, _component: &ComponentId) -> Option<Version> {
        self.view.version.clone()
    }

    fn digest(
        &mut self,
        component: &ComponentId,
        algorithm: HashAlgorithm,
    ) -> Result<Option<Digest>, PlatformError> {
        let place = self.place(component)?;
        let digest = self.contents.digest(place, algorithm)?;
        if let Place::Image(number) = place
            && let Some(measured) = self.measured.get_mut(usize::from(number))
        {
            *measured = Some(digest);
        }
        Ok(Some(digest))
    }
}

/// What a device can do beyond what every one must: what the processor goes by, and what is reported.
///
/// The release that runs has a version, and there may be a clock. Dependencies are not taken.
pub(crate) fn abilities(keys: Option<&DecryptionKeys>) -> Abilities {
    let decryption = keys.is_some();
    Abilities { clock: true, versions: true, references: true, decryption, ..Abilities::default() }
}

/// First byte of a UEID of type RAND.
const UEID_RAND: u8 = 1;
