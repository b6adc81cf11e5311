//! What the SUIT processor sees of a device.

use alloc::{vec, vec::Vec};

use cose::{DecryptionKeys, KeyStore};
use crypto::{Digest, HashAlgorithm};
use suit::{
    Abilities, AuthorityList, ComponentId, DependencyFault, PlatformError, References, Uuid, VendorId,
    Verified, Version,
};

use crate::{
    Floor, Identity, Installed, Slot,
    identity::{MAX_DEPENDENCIES_LEN, Place},
    set::Set,
};

/// The components of one slot as a SUIT platform: who the device is, and what the contents make of reads and writes.
pub(crate) struct SlotPlatform<'d, C> {
    pub(crate) view: View<'d>,
    pub(crate) contents: C,
    /// Digest of each component when the processor last asked for it.
    measured: Vec<Option<Digest>>,
    /// The manifests that were processed.
    pub(crate) set: Set,
    /// What the processor asked to start.
    pub(crate) start: Option<Start>,
    /// Components that manifests of a release which is being removed gave up.
    released: Vec<(Digest, ComponentId)>,
}

/// What the processor may know of the device beside its contents.
#[derive(Clone)]
pub(crate) struct View<'d> {
    pub(crate) identity: &'d Identity,
    /// The slot that images are for: where they will run.
    pub(crate) home: Slot,
    /// Whose manifests it obeys.
    pub(crate) authorities: &'d AuthorityList,
    /// What is being removed, if the slot is.
    pub(crate) removal: Option<Removal<'d>>,
    /// Keys to decrypt with.
    pub(crate) keys: Option<&'d DecryptionKeys>,
    /// What a manifest must follow; nothing while looking at one that is installed.
    pub(crate) installed: Option<suit::Installed>,
    /// The same of the manifests that releases depend on.
    pub(crate) floors: &'d [Floor],
    /// Version of the release that runs.
    pub(crate) version: Option<Version>,
    /// Seconds since 1970, where there is a clock to trust.
    pub(crate) now: Option<u64>,
}

/// A release that is being removed, and the one that stays in the other slot.
#[derive(Clone, Copy)]
pub(crate) struct Removal<'d> {
    pub(crate) installed: &'d Installed,
    pub(crate) other: Option<&'d Installed>,
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
    /// Told what a verified manifest says that a place will hold.
    fn promise(&mut self, _place: Place, _digest: Digest, _size: Option<u64>) {}
    /// Bytes of a payload of the envelope.
    fn integrated(&self, uri: &str) -> Option<u64>;
    /// Begins a transfer, which ends the one before.
    fn open(&mut self, uri: &str, offset: u64) -> Result<(), PlatformError>;
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, PlatformError>;
}

impl<'d, C: Contents> SlotPlatform<'d, C> {
    pub(crate) fn new(view: View<'d>, verified: &Verified<'_>, contents: C) -> Result<Self, DependencyFault> {
        let measured = vec![None; view.identity.components.len()];
        let mut platform =
            Self { view, contents, measured, set: Set::default(), start: None, released: Vec::new() };
        platform.learn(verified, None)?;
        Ok(platform)
    }

    /// Notes what a manifest of the release names, and what it says that images are. What it depends on is kept in places
    /// that are for manifests.
    fn learn(
        &mut self,
        verified: &Verified<'_>,
        prefix: Option<&ComponentId>,
    ) -> Result<(), DependencyFault> {
        let full = |id: &ComponentId| match prefix {
            None => Ok(id.clone()),
            Some(prefix) => id.prefixed(prefix).ok_or(DependencyFault::TooManyComponents),
        };
        let common = verified.manifest().common();
        for place in common.dependencies().iter().filter_map(|one| common.place(one.index)) {
            // What is unknown is told as such, for every component.
            if !matches!(self.view.identity.place(&full(place)?), Some((Place::Manifest(_), _)) | None) {
                return Err(DependencyFault::Misplaced);
            }
        }
        for id in verified.components() {
            self.set.name(full(id)?);
        }
        let home = self.view.home.index() as u64;
        for image in verified.images().iter().filter(|image| image.slot.is_none_or(|slot| slot == home)) {
            if let Some((place, _)) = self.view.identity.place(&full(&image.component)?) {
                self.contents.promise(place, image.digest, image.size);
                // What an image is, is for authors to say.
                if !verified.is_distribution() {
                    self.set.promise(place, image.digest);
                }
            }
        }
        Ok(())
    }

    /// The first image of the release whose content nobody compared with what a manifest says of it.
    pub(crate) fn unchecked(&self) -> Option<ComponentId> {
        let checked = |id: &ComponentId| match self.view.identity.place(id) {
            Some((place @ Place::Image(number), _)) => {
                let digest = self.measured.get(usize::from(number)).copied().flatten();
                digest.is_some_and(|digest| self.set.promises(place, &digest))
            }
            // Nothing of these is ever started.
            Some((Place::Running(_) | Place::Staged(_) | Place::Manifest(_), _)) => true,
            None => false,
        };
        self.set.names().iter().find(|id| !checked(id)).cloned()
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

    fn authorities(&self) -> Option<&AuthorityList> {
        Some(self.view.authorities)
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

    fn admit(
        &mut self,
        dependency: &Verified<'_>,
        place: &ComponentId,
        prefix: Option<&ComponentId>,
    ) -> Result<(), DependencyFault> {
        let Ok(Place::Manifest(component)) = self.place(place) else {
            return Err(DependencyFault::Misplaced);
        };
        // Where its author says that it belongs nobody else puts it beside an older one.
        let own = dependency.manifest().component_id();
        if own.is_some_and(|own| {
            prefix.map_or(Some(own.clone()), |prefix| own.prefixed(prefix)).as_ref() != Some(place)
        }) {
            return Err(DependencyFault::Misplaced);
        }
        let floor = self.view.floors.iter().find(|floor| floor.component == component);
        dependency.admit(floor.map(Floor::installed).as_ref())?;
        let len = dependency.envelope().as_bytes().len() as u64;
        if self.set.depend(component, dependency, len) > MAX_DEPENDENCIES_LEN {
            return Err(DependencyFault::TooLarge);
        }
        self.learn(dependency, prefix)
    }

    fn references(&self, component: &ComponentId, holder: &Digest) -> References {
        let (Some(removal), Ok(place)) = (self.view.removal, self.place(component)) else {
            // What is being installed has its slot for itself.
            return References::default();
        };
        let holds = |(manifest, refers): &(Digest, u8)| {
            let refers = match place {
                Place::Manifest(number) => refers & bit(number) != 0,
                // A slot has one release, and its manifests refer to all that they name.
                _ => manifest == holder,
            };
            refers && !self.released.iter().any(|(by, what)| by == manifest && what == component)
        };
        let holders = removal.installed.holders().filter(holds);
        let (own, others): (Vec<_>, Vec<_>) = holders.partition(|(manifest, _)| manifest == holder);
        // The release in the other slot has a copy of its own, and needs what is common to both to stay as it is.
        let elsewhere = match place {
            Place::Manifest(number) => removal.is_elsewhere(number),
            _ => false,
        };
        let others = u32::try_from(others.len()).unwrap_or(u32::MAX).saturating_add(elsewhere.into());
        References { others, own: !own.is_empty() }
    }

    fn link(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        // It is durable by the record that the release is installed, which is written next.
        if let Place::Manifest(number) = self.place(component)? {
            self.set.refer(*holder, bit(number));
        }
        Ok(())
    }

    fn unlink(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        // It is durable by the journal: a removal that was begun is gone through again until it is done.
        let given_up = (*holder, component.clone());
        if self.view.removal.is_some() && !self.released.contains(&given_up) {
            self.released.push(given_up);
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

impl Removal<'_> {
    /// Whether the release in the other slot depends on the same manifest about a component.
    fn is_elsewhere(&self, number: u8) -> bool {
        let about = |installed: &Installed| {
            let mut all = installed.dependencies.iter();
            all.find(|dependency| dependency.component == number).map(|dependency| dependency.manifest)
        };
        let here = about(self.installed);
        here.is_some() && self.other.and_then(about) == here
    }
}

/// The bit of the place for a manifest about a component.
fn bit(number: u8) -> u8 {
    1u8.checked_shl(number.into()).unwrap_or_default()
}

const _: () = assert!(crate::identity::MAX_DEPENDENCIES <= u8::BITS as usize);

/// What a device can do beyond what every one must: what the processor goes by, and what is reported.
///
/// The release that runs has a version, and there may be a clock. There is an authority list for dependencies.
pub(crate) fn abilities(keys: Option<&DecryptionKeys>) -> Abilities {
    let decryption = keys.is_some();
    Abilities {
        clock: true,
        versions: true,
        references: true,
        dependencies: true,
        decryption,
        ..Abilities::default()
    }
}

/// First byte of a UEID of type RAND.
const UEID_RAND: u8 = 1;
