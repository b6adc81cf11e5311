//! A device in memory, as the contract describes it.

use std::collections::BTreeMap;

use cose::{DecryptionKey, DecryptionKeys, KeyStore};
use crypto::Digest;
use sextant_suit_conformance::{Component, Device, Trace, from_hex, to_hex};
use suit::{
    Abilities, AuthorityList, ComponentId, Installed, Platform, PlatformError, References, Uuid, VendorId,
    Version, WaitInfo,
};

use crate::{component_id, segments};

/// What it can do: all there is.
pub(crate) const ABILITIES: Abilities = Abilities {
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
};

/// A device whose components are byte vectors.
pub(crate) struct MemoryDevice {
    told: Device,
    vendor: Option<Uuid>,
    class: Option<Uuid>,
    device: Option<Uuid>,
    components: BTreeMap<ComponentId, (Component, Option<Vec<u8>>)>,
    served: BTreeMap<String, Vec<u8>>,
    authorities: AuthorityList,
    keys: DecryptionKeys,
    /// Manifests that refer to a component.
    links: BTreeMap<ComponentId, Vec<Digest>>,
    writing: Option<Vec<u8>>,
    fetched: Vec<String>,
    invoked: Vec<Vec<String>>,
}

impl MemoryDevice {
    pub(crate) fn new(told: &Device, authorities: AuthorityList) -> Result<Self, String> {
        let uuid = |digits: &Option<String>| match digits {
            None => Ok(None),
            Some(digits) => {
                let bytes = from_hex(digits).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
                bytes.map(|bytes| Some(Uuid::from(bytes))).ok_or_else(|| format!("`{digits}` is no UUID"))
            }
        };
        let bytes = |digits: &str| from_hex(digits).ok_or_else(|| format!("`{digits}` is not hexadecimal"));
        let mut components = BTreeMap::new();
        for component in &told.components {
            let content = component.content.as_deref().map(bytes).transpose()?;
            components.insert(component_id(component)?, (component.clone(), content));
        }
        let mut served = BTreeMap::new();
        for (uri, content) in &told.served {
            served.insert(uri.clone(), bytes(content)?);
        }
        let mut keys = DecryptionKeys::default();
        for key in &told.decryption_keys {
            keys.push(DecryptionKey::decode(&bytes(key)?).map_err(|error| format!("not a key: {error}"))?);
        }
        Ok(Self {
            keys,
            vendor: uuid(&told.vendor)?,
            class: uuid(&told.class)?,
            device: uuid(&told.device)?,
            told: told.clone(),
            components,
            served,
            authorities,
            links: BTreeMap::new(),
            writing: None,
            fetched: Vec::new(),
            invoked: Vec::new(),
        })
    }

    /// Tells what happened and what the components hold.
    pub(crate) fn tell(self, trace: &mut Trace) {
        trace.fetched = self.fetched;
        trace.invoked = self.invoked;
        trace.components = self
            .components
            .into_iter()
            .map(|(id, (_, content))| Component {
                id: segments(&id),
                content: content.map(to_hex),
                ..Component::default()
            })
            .collect();
    }

    fn content(&self, component: &ComponentId) -> Option<&[u8]> {
        self.components.get(component)?.1.as_deref()
    }
}

impl Platform for MemoryDevice {
    type Source = std::vec::IntoIter<u8>;

    fn abilities(&self) -> Abilities {
        ABILITIES
    }

    fn authorities(&self) -> Option<&AuthorityList> {
        Some(&self.authorities)
    }

    fn keys(&self) -> Option<&dyn KeyStore> {
        Some(&self.keys)
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

    fn slot(&self, component: &ComponentId) -> Option<u64> {
        self.components.get(component)?.0.slot
    }

    fn version(&self, component: &ComponentId) -> Option<Version> {
        Version::new(self.components.get(component)?.0.version.as_deref()?)
    }

    fn references(&self, component: &ComponentId, holder: &Digest) -> References {
        let holders = self.links.get(component).map(Vec::as_slice).unwrap_or_default();
        let others = holders.iter().filter(|it| *it != holder).count();
        References { others: u32::try_from(others).unwrap_or(u32::MAX), own: holders.contains(holder) }
    }

    fn link(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        self.unlink(component, holder)?;
        self.links.entry(component.clone()).or_default().push(*holder);
        Ok(())
    }

    fn unlink(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        self.links.entry(component.clone()).or_default().retain(|it| it != holder);
        Ok(())
    }

    fn installed(&self, _: Option<&ComponentId>) -> Option<Installed> {
        self.told.installed.map(|sequence_number| Installed { sequence_number, manifest_digest: None })
    }

    fn size(&mut self, component: &ComponentId) -> Result<Option<u64>, PlatformError> {
        Ok(self.content(component).map(|content| content.len() as u64))
    }

    fn capacity(&self, _: &ComponentId) -> u64 {
        1 << 20
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

    fn begin(&mut self, _: &ComponentId, _: Option<u64>) -> Result<(), PlatformError> {
        self.writing = Some(Vec::new());
        Ok(())
    }

    fn append(&mut self, _: &ComponentId, data: &[u8]) -> Result<(), PlatformError> {
        self.writing.as_mut().ok_or(PlatformError::Io)?.extend_from_slice(data);
        Ok(())
    }

    fn commit(&mut self, component: &ComponentId) -> Result<(), PlatformError> {
        let written = self.writing.take().ok_or(PlatformError::Io)?;
        self.components.get_mut(component).ok_or(PlatformError::NotFound)?.1 = Some(written);
        Ok(())
    }

    fn discard(&mut self, _: &ComponentId) {
        self.writing = None;
    }

    fn swap(&mut self, one: &ComponentId, other: &ComponentId) -> Result<(), PlatformError> {
        let first = self.components.get_mut(one).ok_or(PlatformError::NotFound)?.1.take();
        let second = self.components.get_mut(other).ok_or(PlatformError::NotFound)?;
        let second = std::mem::replace(&mut second.1, first);
        self.components.get_mut(one).ok_or(PlatformError::NotFound)?.1 = second;
        Ok(())
    }

    fn open(&mut self, uri: &str, _: Option<&[u8]>) -> Result<Self::Source, PlatformError> {
        self.fetched.push(uri.into());
        Ok(self.served.get(uri).ok_or(PlatformError::NotFound)?.clone().into_iter())
    }

    fn receive(&mut self, source: &mut Self::Source, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        Ok(buffer.iter_mut().zip(source).map(|(to, from)| *to = from).count())
    }

    fn invoke(&mut self, component: &ComponentId, _: Option<&[u8]>) -> Result<(), PlatformError> {
        self.invoked.push(segments(component));
        Ok(())
    }

    fn now(&self) -> Option<u64> {
        self.told.now
    }

    fn battery(&self) -> Option<u64> {
        self.told.battery
    }

    fn authorizes(&mut self, priority: i64) -> bool {
        self.told.authorized.is_some_and(|least| priority <= least)
    }

    fn wait(&mut self, _: &WaitInfo<'_>) -> Result<(), PlatformError> {
        Err(PlatformError::NotReady)
    }
}
