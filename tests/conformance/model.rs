//! A device in memory that takes whatever a manifest names, for the processor to meet every command on.

use std::collections::BTreeMap;

use cose::{DecryptionKey, DecryptionKeys, KeyStore};
use crypto::{Digest, KeyWrapAlgorithm, KeyWrapKey};
use suit::{
    Abilities, AuthorityList, ComponentId, ComponentMetadata, Installed, Platform, PlatformError, References,
    Uuid, VendorId, Version, WaitInfo,
};

/// The device. It has every component, belongs to every class, can do everything, and has the keys of the examples.
pub(crate) struct Model {
    authorities: AuthorityList,
    keys: DecryptionKeys,
    components: BTreeMap<ComponentId, Vec<u8>>,
    links: BTreeMap<ComponentId, Vec<Digest>>,
    /// What every URI gives.
    served: Vec<u8>,
    now: u64,
    writing: Vec<u8>,
}

impl Model {
    /// A device that takes dependencies of these authors, and gets these bytes from everywhere.
    pub(crate) fn new(authorities: AuthorityList, served: &[u8]) -> Self {
        // The key of the examples of draft-ietf-suit-firmware-encryption, appendix A.
        let key = KeyWrapKey::from_bytes(KeyWrapAlgorithm::A128Kw, &[b'a'; 16]).expect("16 bytes");
        Self {
            authorities,
            keys: DecryptionKeys::new(vec![DecryptionKey::key_wrap(key, b"kid-1")]),
            components: BTreeMap::new(),
            links: BTreeMap::new(),
            served: served.to_vec(),
            now: 1_800_000_000,
            writing: Vec::new(),
        }
    }
}

impl Platform for Model {
    type Source = std::vec::IntoIter<u8>;

    const CHUNK: usize = 64;

    fn abilities(&self) -> Abilities {
        Abilities {
            swap: true,
            clock: true,
            battery: true,
            authorization: true,
            versions: true,
            events: &[1, 2, 3, 4, 5, 6, 7, 8, 9],
            metadata: true,
            decryption: true,
            dependencies: true,
            references: true,
        }
    }

    fn authorities(&self) -> Option<&AuthorityList> {
        Some(&self.authorities)
    }

    fn keys(&self) -> Option<&dyn KeyStore> {
        Some(&self.keys)
    }

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
        Some(0)
    }

    fn installed(&self, _: Option<&ComponentId>) -> Option<Installed> {
        None
    }

    fn size(&mut self, component: &ComponentId) -> Result<Option<u64>, PlatformError> {
        Ok(self.components.get(component).map(|content| content.len() as u64))
    }

    fn capacity(&self, _: &ComponentId) -> u64 {
        1 << 17
    }

    fn read(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, PlatformError> {
        let content = self.components.get(component).ok_or(PlatformError::NotFound)?;
        let left = content.get(offset as usize..).unwrap_or_default();
        Ok(buffer.iter_mut().zip(left).map(|(to, from)| *to = *from).count())
    }

    fn begin(&mut self, _: &ComponentId, _: Option<u64>) -> Result<(), PlatformError> {
        self.writing.clear();
        Ok(())
    }

    fn describe(&mut self, _: &ComponentId, _: &ComponentMetadata<'_>) -> Result<(), PlatformError> {
        Ok(())
    }

    fn append(&mut self, _: &ComponentId, data: &[u8]) -> Result<(), PlatformError> {
        self.writing.extend_from_slice(data);
        Ok(())
    }

    fn commit(&mut self, component: &ComponentId) -> Result<(), PlatformError> {
        self.components.insert(component.clone(), std::mem::take(&mut self.writing));
        Ok(())
    }

    fn discard(&mut self, _: &ComponentId) {}

    fn swap(&mut self, one: &ComponentId, other: &ComponentId) -> Result<(), PlatformError> {
        let (first, second) = (self.components.remove(one), self.components.remove(other));
        self.components.extend(first.map(|content| (other.clone(), content)));
        self.components.extend(second.map(|content| (one.clone(), content)));
        Ok(())
    }

    fn open(&mut self, _: &str, _: Option<&[u8]>) -> Result<Self::Source, PlatformError> {
        Ok(self.served.clone().into_iter())
    }

    fn receive(&mut self, source: &mut Self::Source, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        Ok(buffer.iter_mut().zip(source).map(|(to, from)| *to = from).count())
    }

    fn invoke(&mut self, _: &ComponentId, _: Option<&[u8]>) -> Result<(), PlatformError> {
        Ok(())
    }

    fn now(&self) -> Option<u64> {
        Some(self.now)
    }

    fn battery(&self) -> Option<u64> {
        Some(1000)
    }

    fn utc_offset(&self) -> Option<i32> {
        Some(3600)
    }

    fn authorizes(&mut self, _: i64) -> bool {
        true
    }

    fn version(&self, _: &ComponentId) -> Option<Version> {
        Version::new(&[1, 2, 3])
    }

    fn wait(&mut self, _: &WaitInfo<'_>) -> Result<(), PlatformError> {
        self.now = self.now.checked_add(10_000).ok_or(PlatformError::NotReady)?;
        Ok(())
    }

    fn references(&self, component: &ComponentId, holder: &Digest) -> References {
        let links = self.links.get(component).map(Vec::as_slice).unwrap_or_default();
        let own = links.contains(holder);
        References { others: links.iter().filter(|other| *other != holder).count() as u32, own }
    }

    fn link(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        let links = self.links.entry(component.clone()).or_default();
        if !links.contains(holder) {
            links.push(*holder);
        }
        Ok(())
    }

    fn unlink(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        self.links.entry(component.clone()).or_default().retain(|other| other != holder);
        Ok(())
    }
}
