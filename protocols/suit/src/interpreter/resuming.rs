use crypto::Hasher;

use super::{
    Platform, PlatformError,
    machine::{Machine, Stop},
    storing::Bounds,
    table::Slot,
};
use crate::ComponentId;

impl<P: Platform> Machine<'_, P> {
    /// Goes on with a transfer that broke off, where something of it was retained. True when the component now holds the
    /// image; false when there is nothing to go on with, or it led to something else, so that all is to be fetched anew.
    ///
    /// What is retained was checked by nobody, so it is read and hashed first, and the whole is compared with the image
    /// digest before it counts as content.
    pub(super) fn resume(
        &mut self,
        slot: Slot,
        component: &ComponentId,
        uri: &str,
        bounds: Bounds,
    ) -> Result<bool, Stop> {
        let (Some(wanted), Some(size)) = (self.table.image_digest(slot), bounds.expected) else {
            return Ok(false);
        };
        let retained = self.platform.retained(component)?;
        if retained == 0 || retained > size || self.is_dependency(self.place.index) {
            return Ok(false);
        }
        self.ready_buffer();
        let mut hasher = Hasher::new(wanted.algorithm());
        self.hash_retained(component, retained, &mut hasher)?;
        let arguments = self.table.fetch_arguments(slot);
        let mut source = match retained < size {
            true => Some(self.platform.open_at(uri, arguments, retained)?),
            false => None,
        };
        let result = self.go_on(slot, component, (retained, size), &mut hasher, &mut source);
        let whole = result.inspect_err(|_| self.platform.discard(component))?;
        if whole && hasher.finish() == *wanted {
            self.platform.commit(component)?;
            return Ok(true);
        }
        self.platform.discard(component);
        Ok(false)
    }

    fn hash_retained(
        &mut self,
        component: &ComponentId,
        retained: u64,
        hasher: &mut Hasher,
    ) -> Result<(), PlatformError> {
        let mut offset = 0;
        while offset < retained {
            let room = usize::try_from(retained - offset).unwrap_or(usize::MAX).min(self.buffer.len());
            let buffer = self.buffer.get_mut(..room).unwrap_or_default();
            let count = self.platform.read(component, offset, buffer)?;
            let data = self.buffer.get(..count).filter(|data| !data.is_empty()).ok_or(PlatformError::Io)?;
            hasher.update(data);
            offset = offset.saturating_add(count as u64);
        }
        Ok(())
    }

    /// Appends what comes from an offset on. False when it is not as much as there should be.
    fn go_on(
        &mut self,
        slot: Slot,
        component: &ComponentId,
        (from, size): (u64, u64),
        hasher: &mut Hasher,
        source: &mut Option<P::Source>,
    ) -> Result<bool, PlatformError> {
        self.platform.resume(component, from)?;
        self.describe(slot, component)?;
        let mut offset = from;
        while let Some(source) = source {
            // One byte more than is expected shows that there is too much.
            let room = usize::try_from((size - offset).saturating_add(1)).unwrap_or(usize::MAX);
            let room = room.min(self.buffer.len());
            let buffer = self.buffer.get_mut(..room).unwrap_or_default();
            let count = self.platform.receive(source, buffer)?;
            if count == 0 {
                break;
            }
            let arrived = offset.saturating_add(count as u64);
            if arrived > size {
                return Ok(false);
            }
            let data = self.buffer.get(..count).ok_or(PlatformError::Io)?;
            hasher.update(data);
            self.platform.append(component, data)?;
            offset = arrived;
        }
        Ok(offset == size)
    }
}
