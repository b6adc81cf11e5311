use alloc::vec::Vec;

use eat::{DebugStatus, Ueid};
use suit::{ComponentId, Uuid};

/// What a device is: fixed when it was made, the same for every release it will run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which device.
    pub ueid: Ueid,
    /// Who made it.
    pub vendor: Uuid,
    /// Which class of that vendor's.
    pub class: Uuid,
    /// Whether it can be debugged.
    pub debug: DebugStatus,
    /// Its components, in the order of their image areas; at most 256.
    pub components: Vec<Component>,
}

/// A place for an image, in each slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its name in manifests.
    pub id: ComponentId,
    /// The most bytes it can hold.
    pub capacity: u64,
}

/// Bytes that an envelope may have beside its images: manifest, tag, network policy and its signature.
const BESIDE_IMAGES: u64 = 512 * 1024;

impl Identity {
    /// The largest envelope that can hold a release for this device.
    pub fn max_envelope_len(&self) -> u64 {
        let images =
            self.components.iter().fold(0u64, |sum, component| sum.saturating_add(component.capacity));
        images.saturating_add(BESIDE_IMAGES)
    }

    /// The number of a component, and the component.
    pub(crate) fn component(&self, id: &ComponentId) -> Option<(u8, &Component)> {
        (0..=u8::MAX).zip(&self.components).find(|(_, component)| component.id == *id)
    }

    /// The components with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u8, &Component)> {
        (0..=u8::MAX).zip(&self.components)
    }
}
