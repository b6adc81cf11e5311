//! What the SUIT processor sees of a device.

use alloc::{vec, vec::Vec};

use crypto::{Digest, HashAlgorithm};
use suit::{Abilities, ComponentId, PlatformError, Uuid, VendorId, Verified, Version};

use crate::{Identity, Slot};

/// The components of one slot as a SUIT platform: who the device is, and what the contents make of reads and writes.
pub(crate) struct SlotPlatform<'d, C> {
    pub(crate) view: View<'d>,
    pub(crate) contents: C,
    /// Digest of each component when the processor last asked for it.
    measured: Vec<Option<Digest>>,
    /// What the processor asked to start.
    pub(crate) start: Option<Start>,
}

/// What the processor may know of the device beside its contents.
#[derive(Clone)]
pub(crate) struct View<'d> {
    pub(crate) identity: &'d Identity,
    pub(crate) slot: Slot,
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

/// Contents of components, by their numbers.
pub(crate) trait Contents {
    fn size(&mut self, component: u8) -> Result<Option<u64>, PlatformError>;
    fn read(&mut self, component: u8, offset: u64, buffer: &mut [u8]) -> Result<usize, PlatformError>;
    fn digest(&mut self, component: u8, algorithm: HashAlgorithm) -> Result<Digest, PlatformError>;
    fn begin(&mut self, component: u8) -> Result<(), PlatformError>;
    fn append(&mut self, component: u8, data: &[u8]) -> Result<(), PlatformError>;
    fn commit(&mut self, component: u8) -> Result<(), PlatformError>;
}

impl<'d, C: Contents> SlotPlatform<'d, C> {
    pub(crate) fn new(view: View<'d>, contents: C) -> Self {
        let measured = vec![None; view.identity.components.len()];
        Self { view, contents, measured, start: None }
    }

    /// Forgets what was measured.
    pub(crate) fn forget_measured(&mut self) {
        self.measured.fill(None);
    }

    /// The first component of the manifest whose content nobody compared with what the manifest says of it.
    pub(crate) fn unchecked(&self, verified: &Verified<'_>) -> Option<ComponentId> {
        let images = verified.images();
        let slot = self.view.slot.index() as u64;
        let checked = |id: &ComponentId| {
            let number = self.view.identity.component(id)?.0;
            let digest = (*self.measured.get(usize::from(number))?)?;
            images
                .iter()
                .find(|image| {
                    image.component == *id
                        && image.digest == digest
                        && image.slot.is_none_or(|only| only == slot)
                })
                .map(|_| ())
        };
        verified.components().iter().find(|id| checked(id).is_none()).cloned()
    }

    fn number(&self, component: &ComponentId) -> Result<u8, PlatformError> {
        self.view.identity.component(component).map(|(number, _)| number).ok_or(PlatformError::NotFound)
    }
}

impl<C: Contents> suit::Platform for SlotPlatform<'_, C> {
    /// There are no transfers: an envelope brings its images along.
    type Source = core::convert::Infallible;

    const CHUNK: usize = 4096;

    /// The release that runs has a version, and there may be a clock. Dependencies are not taken yet.
    fn abilities(&self) -> Abilities {
        Abilities { clock: true, versions: true, ..Abilities::default() }
    }

    fn has_component(&self, component: &ComponentId) -> bool {
        self.view.identity.component(component).is_some()
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
        Some(self.view.slot.index() as u64)
    }

    fn installed(&self, _manifest: Option<&ComponentId>) -> Option<suit::Installed> {
        self.view.installed
    }

    fn size(&mut self, component: &ComponentId) -> Result<Option<u64>, PlatformError> {
        self.contents.size(self.number(component)?)
    }

    fn capacity(&self, component: &ComponentId) -> u64 {
        self.view.identity.component(component).map_or(0, |(_, component)| component.capacity)
    }

    fn read(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, PlatformError> {
        self.contents.read(self.number(component)?, offset, buffer)
    }

    fn begin(&mut self, component: &ComponentId, _size: Option<u64>) -> Result<(), PlatformError> {
        self.contents.begin(self.number(component)?)
    }

    fn append(&mut self, component: &ComponentId, data: &[u8]) -> Result<(), PlatformError> {
        self.contents.append(self.number(component)?, data)
    }

    fn commit(&mut self, component: &ComponentId) -> Result<(), PlatformError> {
        self.contents.commit(self.number(component)?)
    }

    fn discard(&mut self, _component: &ComponentId) {
        // The slot counts as empty from before its first write until it is complete.
    }

    fn swap(&mut self, _one: &ComponentId, _other: &ComponentId) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn open(&mut self, _uri: &str, _arguments: Option<&[u8]>) -> Result<Self::Source, PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn receive(&mut self, source: &mut Self::Source, _buffer: &mut [u8]) -> Result<usize, PlatformError> {
        match *source {}
    }

    fn invoke(&mut self, component: &ComponentId, arguments: Option<&[u8]>) -> Result<(), PlatformError> {
        // One program runs at a time; whoever boots starts it when the procedure has come to its end.
        if self.start.is_some() {
            return Err(PlatformError::Unsupported);
        }
        let component = self.number(component)?;
        self.start = Some(Start { component, arguments: arguments.map(<[u8]>::to_vec) });
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
        let number = self.number(component)?;
        let digest = self.contents.digest(number, algorithm)?;
        if let Some(measured) = self.measured.get_mut(usize::from(number)) {
            *measured = Some(digest);
        }
        Ok(Some(digest))
    }
}

/// First byte of a UEID of type RAND.
const UEID_RAND: u8 = 1;
