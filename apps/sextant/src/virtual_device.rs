//! A device in memory, on which releases are tried before a real one sees them.

use std::collections::BTreeMap;

use cose::{DecryptionKeys, KeyStore};
use crypto::Digest;
use suit::{
    Abilities, AuthorityList, ComponentId, ComponentMetadata, Installed, Platform, PlatformError, Progress,
    References, Uuid, VendorId, Version, WaitInfo, labels::wait,
};

/// A device whose components are byte vectors.
#[derive(Debug, Default)]
pub(crate) struct VirtualDevice {
    pub(crate) components: BTreeMap<ComponentId, Option<Vec<u8>>>,
    pub(crate) vendor: Option<Uuid>,
    pub(crate) class: Option<Uuid>,
    pub(crate) device: Option<Uuid>,
    pub(crate) slot: Option<u64>,
    /// Installed version of every component that has none of its own below.
    pub(crate) version: Option<Version>,
    pub(crate) versions: BTreeMap<ComponentId, Version>,
    /// Keys that decrypt.
    pub(crate) keys: Option<DecryptionKeys>,
    /// Manifests that refer to a component, by their digests.
    pub(crate) links: BTreeMap<ComponentId, Vec<Digest>>,
    pub(crate) installed: Option<Installed>,
    /// What can be fetched, by URI.
    pub(crate) served: BTreeMap<String, Vec<u8>>,
    pub(crate) capacity: u64,
    pub(crate) now: Option<u64>,
    pub(crate) battery: Option<u64>,
    /// The least urgent priority that the application lets pass.
    pub(crate) authorized: Option<i64>,
    /// Who may sign dependencies.
    pub(crate) authorities: Option<AuthorityList>,
    /// What happened, in order.
    pub(crate) trace: Vec<String>,
    /// What is being written, and where.
    pub(crate) writing: Option<(ComponentId, Vec<u8>)>,
}

impl VirtualDevice {
    fn content(&self, component: &ComponentId) -> Option<&[u8]> {
        self.components.get(component)?.as_deref()
    }
}

impl Platform for VirtualDevice {
    type Source = std::vec::IntoIter<u8>;

    fn abilities(&self) -> Abilities {
        Abilities {
            swap: true,
            clock: true,
            battery: true,
            authorization: true,
            versions: true,
            events: &EVENTS,
            metadata: true,
            decryption: self.keys.is_some(),
            dependencies: self.authorities.is_some(),
            references: true,
        }
    }

    fn authorities(&self) -> Option<&AuthorityList> {
        self.authorities.as_ref()
    }

    fn keys(&self) -> Option<&dyn KeyStore> {
        self.keys.as_ref().map(|keys| keys as &dyn KeyStore)
    }

    fn version(&self, component: &ComponentId) -> Option<Version> {
        self.versions.get(component).or(self.version.as_ref()).cloned()
    }

    fn references(&self, component: &ComponentId, holder: &Digest) -> References {
        let links = self.links.get(component).map(Vec::as_slice).unwrap_or_default();
        let own = links.contains(holder);
        let others = links.iter().filter(|link| *link != holder).count();
        References { others: u32::try_from(others).unwrap_or(u32::MAX), own }
    }

    fn link(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        let links = self.links.entry(component.clone()).or_default();
        if !links.contains(holder) {
            links.push(*holder);
        }
        Ok(())
    }

    fn unlink(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        let links = self.links.entry(component.clone()).or_default();
        links.retain(|link| link != holder);
        self.trace.push(format!("gave up {component}; {} manifests refer to it", links.len()));
        Ok(())
    }

    fn has_component(&self, component: &ComponentId) -> bool {
        self.components.contains_key(component)
    }

    fn is_vendor(&self, _: &ComponentId, vendor: &VendorId<'_>) -> bool {
        self.vendor.is_some_and(|own| *vendor == VendorId::Uuid(own))
    }

    fn is_class(&self, _: &ComponentId, class: &Uuid) -> bool {
        self.class.as_ref() == Some(class)
    }

    fn is_device(&self, _: &ComponentId, device: &Uuid) -> bool {
        self.device.as_ref() == Some(device)
    }

    fn slot(&self, _: &ComponentId) -> Option<u64> {
        self.slot
    }

    fn installed(&self, _: Option<&ComponentId>) -> Option<Installed> {
        self.installed
    }

    fn size(&mut self, component: &ComponentId) -> Result<Option<u64>, PlatformError> {
        Ok(self.content(component).map(|content| content.len() as u64))
    }

    fn capacity(&self, _: &ComponentId) -> u64 {
        self.capacity
    }

    fn read(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, PlatformError> {
        let content = self.content(component).ok_or(PlatformError::NotFound)?;
        let offset = usize::try_from(offset).map_err(|_| PlatformError::Io)?;
        let left = content.get(offset..).unwrap_or_default();
        Ok(buffer.iter_mut().zip(left).map(|(to, from)| *to = *from).count())
    }

    fn begin(&mut self, component: &ComponentId, _: Option<u64>) -> Result<(), PlatformError> {
        self.writing = Some((component.clone(), Vec::new()));
        Ok(())
    }

    fn append(&mut self, _: &ComponentId, data: &[u8]) -> Result<(), PlatformError> {
        let (_, content) = self.writing.as_mut().ok_or(PlatformError::Io)?;
        content.extend_from_slice(data);
        Ok(())
    }

    fn commit(&mut self, component: &ComponentId) -> Result<(), PlatformError> {
        let (_, content) = self.writing.take().ok_or(PlatformError::Io)?;
        let digest = Digest::of(crypto::HashAlgorithm::Sha256, &content);
        self.trace.push(format!("wrote {} bytes to {component}: {digest}", content.len()));
        self.components.insert(component.clone(), Some(content));
        Ok(())
    }

    fn discard(&mut self, component: &ComponentId) {
        self.trace.push(format!("discarded what was written to {component}"));
        self.writing = None;
    }

    fn swap(&mut self, one: &ComponentId, other: &ComponentId) -> Result<(), PlatformError> {
        let first = self.components.get(one).cloned().ok_or(PlatformError::NotFound)?;
        let second = self.components.insert(other.clone(), first).ok_or(PlatformError::NotFound)?;
        self.components.insert(one.clone(), second);
        self.trace.push(format!("swapped {one} and {other}"));
        Ok(())
    }

    fn open(&mut self, uri: &str, _: Option<&[u8]>) -> Result<Self::Source, PlatformError> {
        self.trace.push(format!("fetched {uri}"));
        let content = self.served.get(uri).ok_or(PlatformError::NotFound)?;
        Ok(content.clone().into_iter())
    }

    fn receive(&mut self, source: &mut Self::Source, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        Ok(buffer.iter_mut().zip(source).map(|(to, from)| *to = from).count())
    }

    fn invoke(&mut self, component: &ComponentId, _: Option<&[u8]>) -> Result<(), PlatformError> {
        self.trace.push(format!("started {component}"));
        Ok(())
    }

    fn now(&self) -> Option<u64> {
        self.now
    }

    fn battery(&self) -> Option<u64> {
        self.battery
    }

    fn authorizes(&mut self, priority: i64) -> bool {
        self.authorized.is_some_and(|least| priority <= least)
    }

    fn in_power_state(&self, _: i64) -> bool {
        true
    }

    fn in_network_state(&self, _: i64) -> bool {
        true
    }

    /// Time passes while nothing happens. Whatever does not come with time never comes here.
    fn wait(&mut self, info: &WaitInfo<'_>) -> Result<(), PlatformError> {
        let now = self.now.ok_or(PlatformError::NotReady)?;
        let later = info.time.filter(|time| *time > now).unwrap_or(now.saturating_add(WAITING));
        self.trace.push(format!("waited for {} s", later - now));
        self.now = Some(later);
        Ok(())
    }

    fn describe(
        &mut self,
        component: &ComponentId,
        metadata: &ComponentMetadata<'_>,
    ) -> Result<(), PlatformError> {
        self.trace.push(format!("described {component}: {metadata:?}"));
        Ok(())
    }

    fn checkpoint(&mut self, progress: &Progress<'_>) -> Result<(), PlatformError> {
        let Progress { section, offset, component, .. } = progress;
        self.trace.push(format!("reached offset {offset} of {section}, for {component}"));
        Ok(())
    }
}

/// Events that can be waited for: all that need neither a time zone nor another device.
const EVENTS: [i64; 6] = [
    wait::AUTHORIZATION,
    wait::POWER,
    wait::NETWORK,
    wait::TIME,
    wait::UTC_TIME_OF_DAY,
    wait::UTC_DAY_OF_WEEK,
];

/// Seconds that pass in one wait: few enough to meet every time of day, many enough for a week in the waits allowed.
const WAITING: u64 = 3 * 3600;
