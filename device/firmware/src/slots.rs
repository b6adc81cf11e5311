//! A device with one component in two slots of RAM.

use suit::{Abilities, AuthorityList, ComponentId, Installed, Platform, PlatformError, Uuid, VendorId};

use crate::Failure;

/// Bytes of one slot.
const SLOT_LEN: usize = 4096;

/// Vendor and class of the device: UUIDs of `northlight.example`, and of `welcome-cam` below it.
const VENDOR: [u8; 16] = 0x26e60c00_e79d_506c_827e_50fb4281ab12_u128.to_be_bytes();
const CLASS: [u8; 16] = 0xd2a62493_aa63_565f_b8ee_3fbf94d268ef_u128.to_be_bytes();

/// Whom a device believes when a release brings dependencies. A device that takes none has no code for them.
pub trait Dependencies {
    /// The list of those who may sign them, if any may.
    fn authorities(&self) -> Option<&AuthorityList>;
}

/// No dependencies are taken.
pub struct NoDependencies;

impl Dependencies for NoDependencies {
    fn authorities(&self) -> Option<&AuthorityList> {
        None
    }
}

impl Dependencies for AuthorityList {
    fn authorities(&self) -> Option<&AuthorityList> {
        Some(self)
    }
}

/// The device. What is written goes into the slot that is not in use; a commit exchanges their parts.
pub struct TwoSlots<D> {
    dependencies: D,
    slots: &'static mut [Slot; 2],
    /// The slot in use.
    active: usize,
    component: ComponentId,
    started: bool,
    /// What was installed last.
    pub installed: Option<Installed>,
}

/// Room for one image.
struct Slot {
    bytes: [u8; SLOT_LEN],
    len: usize,
}

impl<D> TwoSlots<D> {
    /// The device, empty. There is but one.
    pub fn take(dependencies: D) -> Result<Self, Failure> {
        let empty = [const { Slot { bytes: [0; SLOT_LEN], len: 0 } }; 2];
        let slots = cortex_m::singleton!(: [Slot; 2] = empty).ok_or("the slots were taken before")?;
        let component = ComponentId::new(&["app"]).ok_or("the component")?;
        Ok(Self { dependencies, slots, active: 0, component, started: false, installed: None })
    }

    /// The image that was started, if one was.
    pub fn started(&self) -> Option<&[u8]> {
        self.started.then(|| self.content()).flatten()
    }

    fn content(&self) -> Option<&[u8]> {
        let slot = &self.slots[self.active];
        slot.bytes.get(..slot.len).filter(|content| !content.is_empty())
    }

    fn spare(&mut self) -> &mut Slot {
        &mut self.slots[1 - self.active]
    }
}

impl<D: Dependencies> Platform for TwoSlots<D> {
    type Source = ();

    const CHUNK: usize = 256;

    fn abilities(&self) -> Abilities {
        Abilities { dependencies: self.authorities().is_some(), ..Abilities::default() }
    }

    fn authorities(&self) -> Option<&AuthorityList> {
        self.dependencies.authorities()
    }

    fn has_component(&self, component: &ComponentId) -> bool {
        *component == self.component
    }

    fn is_vendor(&self, _: &ComponentId, vendor: &VendorId<'_>) -> bool {
        *vendor == VendorId::Uuid(Uuid::from(VENDOR))
    }

    fn is_class(&self, _: &ComponentId, class: &Uuid) -> bool {
        *class == Uuid::from(CLASS)
    }

    fn is_device(&self, _: &ComponentId, _: &Uuid) -> bool {
        false
    }

    fn slot(&self, _: &ComponentId) -> Option<u64> {
        None
    }

    fn installed(&self, _: Option<&ComponentId>) -> Option<Installed> {
        self.installed
    }

    fn size(&mut self, _: &ComponentId) -> Result<Option<u64>, PlatformError> {
        Ok(self.content().map(|content| content.len() as u64))
    }

    fn capacity(&self, _: &ComponentId) -> u64 {
        SLOT_LEN as u64
    }

    fn read(&mut self, _: &ComponentId, offset: u64, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        let content = self.content().ok_or(PlatformError::NotFound)?;
        let left = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
        let count = left.len().min(buffer.len());
        buffer.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
        Ok(count)
    }

    fn begin(&mut self, _: &ComponentId, _: Option<u64>) -> Result<(), PlatformError> {
        self.spare().len = 0;
        Ok(())
    }

    fn append(&mut self, _: &ComponentId, data: &[u8]) -> Result<(), PlatformError> {
        let slot = self.spare();
        let left = slot.bytes.get_mut(slot.len..).unwrap_or_default();
        left.get_mut(..data.len()).ok_or(PlatformError::NoRoom)?.copy_from_slice(data);
        slot.len += data.len();
        Ok(())
    }

    fn commit(&mut self, _: &ComponentId) -> Result<(), PlatformError> {
        self.active = 1 - self.active;
        Ok(())
    }

    fn discard(&mut self, _: &ComponentId) {
        self.spare().len = 0;
    }

    fn swap(&mut self, _: &ComponentId, _: &ComponentId) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported)
    }

    /// The device has no network: all that it installs comes within the envelope.
    fn open(&mut self, _: &str, _: Option<&[u8]>) -> Result<(), PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn receive(&mut self, (): &mut (), _: &mut [u8]) -> Result<usize, PlatformError> {
        Err(PlatformError::Unsupported)
    }

    fn invoke(&mut self, _: &ComponentId, _: Option<&[u8]>) -> Result<(), PlatformError> {
        self.started = true;
        Ok(())
    }
}
