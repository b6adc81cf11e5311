//! A device for measurements.

use crypto::{Digest, HashAlgorithm};
use suit::{ComponentId, Installed, Platform, PlatformError, Uuid, VendorId, Verified};

/// An image that a device holds. It knows digest and size of what it holds before any manifest comes.
pub(crate) struct Held {
    component: ComponentId,
    digest: Digest,
    size: Option<u64>,
}

impl Held {
    /// The images that a manifest wants.
    pub(crate) fn wanted_by(manifest: &Verified<'_>) -> Vec<Self> {
        let images = manifest.images().into_iter();
        images
            .map(|image| Self { component: image.component, digest: image.digest, size: image.size })
            .collect()
    }
}

/// A device that every manifest fits and whose images are the right ones, so that only the interpreter is measured.
pub(crate) struct Agreeable<'m> {
    pub(crate) images: &'m [Held],
    pub(crate) invoked: u32,
}

impl Agreeable<'_> {
    fn image(&self, component: &ComponentId) -> Option<&Held> {
        self.images.iter().find(|image| image.component == *component)
    }
}

impl Platform for Agreeable<'_> {
    type Source = ();

    fn has_component(&self, _: &ComponentId) -> bool {
        true
    }

    fn is_vendor(&self, _: &ComponentId, _: &VendorId<'_>) -> bool {
        true
    }

    fn is_class(&self, _: &ComponentId, _: &Uuid) -> bool {
        true
    }

    fn is_device(&self, _: &ComponentId, _: &Uuid) -> bool {
        true
    }

    fn slot(&self, _: &ComponentId) -> Option<u64> {
        None
    }

    fn installed(&self, _: Option<&ComponentId>) -> Option<Installed> {
        None
    }

    fn size(&mut self, component: &ComponentId) -> Result<Option<u64>, PlatformError> {
        Ok(self.image(component).and_then(|image| image.size))
    }

    fn capacity(&self, _: &ComponentId) -> u64 {
        u64::MAX
    }

    fn read(&mut self, _: &ComponentId, _: u64, _: &mut [u8]) -> Result<usize, PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn begin(&mut self, _: &ComponentId, _: Option<u64>) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn append(&mut self, _: &ComponentId, _: &[u8]) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn commit(&mut self, _: &ComponentId) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn discard(&mut self, _: &ComponentId) {}

    fn swap(&mut self, _: &ComponentId, _: &ComponentId) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn open(&mut self, _: &str, _: Option<&[u8]>) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn receive(&mut self, (): &mut (), _: &mut [u8]) -> Result<usize, PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn invoke(&mut self, _: &ComponentId, _: Option<&[u8]>) -> Result<(), PlatformError> {
        self.invoked += 1;
        Ok(())
    }

    fn digest(&mut self, component: &ComponentId, _: HashAlgorithm) -> Result<Option<Digest>, PlatformError> {
        Ok(self.image(component).map(|image| image.digest))
    }
}
