use alloc::vec::Vec;

use eat::{DebugStatus, Ueid};
use suit::{ComponentId, Uuid, limits::MAX_DEPENDENCY_LEN};

use crate::Slot;

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
    /// How its slots are used.
    pub layout: Layout,
}

/// How the two slots are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Releases run where they were installed, in the one slot and the other in turn.
    #[default]
    InTurn,
    /// Releases run in slot A only. They are installed into slot B, and the contents of both are exchanged by way of
    /// [`crate::Area::Scratch`], which must hold the largest component.
    Swap,
}

impl Layout {
    /// Where what is installed into a slot will run.
    pub(crate) fn home(self, slot: Slot) -> Slot {
        match self {
            Self::InTurn => slot,
            Self::Swap => Slot::A,
        }
    }
}

/// A place for an image, in each slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its name in manifests.
    pub id: ComponentId,
    /// The most bytes it can hold.
    pub capacity: u64,
}

/// What a component identifier stands for on this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The image with this number, in the slot that the manifest is about.
    Image(u8),
    /// The image with this number in the slot that runs, to copy from: the identifier of the component and `running`.
    Running(u8),
    /// Where the image with this number is kept as it came, when it is to be decrypted: the identifier of the component
    /// and `staged`. It is emptied after an installation.
    Staged(u8),
    /// The envelope of a manifest about the image with this number, which the release depends on: the identifier of the
    /// component and `manifest`. The first [`MAX_DEPENDENCIES`] components have one.
    Manifest(u8),
}

/// Manifests that a release may depend on, each beside another component.
pub(crate) const MAX_DEPENDENCIES: usize = 8;
/// Bytes of the envelopes of all of them: they are held in memory while the release is processed.
pub(crate) const MAX_DEPENDENCIES_LEN: u64 = 128 * 1024;

/// Last segment of the identifier of a component in the slot that runs.
const RUNNING: &[u8] = b"running";
/// Last segment of the identifier of a component in the form it came in.
const STAGED: &[u8] = b"staged";
/// Last segment of the identifier of the place for a manifest about a component.
const MANIFEST: &[u8] = b"manifest";
/// Bytes by which a ciphertext may be longer than its image.
const BESIDE_STAGED: u64 = suit::limits::MAX_CIPHERTEXT_OVERHEAD;

/// Bytes that an envelope may have beside its images: manifest, tag, network policy and its signature.
const BESIDE_IMAGES: u64 = 512 * 1024;

impl Identity {
    /// The largest envelope that can hold a release for this device.
    pub fn max_envelope_len(&self) -> u64 {
        let images =
            self.components.iter().fold(0u64, |sum, component| sum.saturating_add(component.capacity));
        images.saturating_add(BESIDE_IMAGES + MAX_DEPENDENCIES_LEN)
    }

    /// What a component identifier in a manifest stands for, and the most that it can hold.
    pub(crate) fn place(&self, id: &ComponentId) -> Option<(Place, u64)> {
        self.numbered().find_map(|(number, component)| {
            if component.id == *id {
                return Some((Place::Image(number), component.capacity));
            }
            let count = component.id.segments().count();
            let mut beyond = id.segments().skip(count);
            match (id.starts_with(&component.id), beyond.next(), beyond.next()) {
                (true, Some(RUNNING), None) => Some((Place::Running(number), 0)),
                (true, Some(STAGED), None) => {
                    Some((Place::Staged(number), component.capacity.saturating_add(BESIDE_STAGED)))
                }
                (true, Some(MANIFEST), None) if usize::from(number) < MAX_DEPENDENCIES => {
                    Some((Place::Manifest(number), MAX_DEPENDENCY_LEN))
                }
                _ => None,
            }
        })
    }

    /// All that manifests may name.
    pub(crate) fn places(&self) -> impl Iterator<Item = ComponentId> {
        self.numbered().flat_map(|(number, component)| {
            let below = |name: &[u8]| {
                let segments: Vec<&[u8]> = component.id.segments().chain([name]).collect();
                ComponentId::new(&segments)
            };
            let manifest = (usize::from(number) < MAX_DEPENDENCIES).then(|| below(MANIFEST)).flatten();
            [Some(component.id.clone()), below(RUNNING), below(STAGED), manifest].into_iter().flatten()
        })
    }

    /// The numbers of the components.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u8> + use<> {
        let count = self.components.len();
        (0..=u8::MAX).take(count)
    }

    /// The numbers of the components that have a place for a manifest.
    pub(crate) fn manifest_numbers(&self) -> impl Iterator<Item = u8> + use<> {
        self.numbers().take(MAX_DEPENDENCIES)
    }

    /// The components with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u8, &Component)> {
        (0..=u8::MAX).zip(&self.components)
    }
}
