use alloc::vec;

use crate::{Area, Device, Journal, Slot, StateError, Storage};

/// Bytes copied at a time.
const PIECE: usize = 16 * 1024;
/// Steps for each area.
const STEPS: u32 = 3;

impl<S: Storage> Device<S> {
    /// Exchanges the contents of the two slots by way of the scratch area, from the step on that is next.
    ///
    /// An area at a time, the manifest, each image, and the manifests depended on: A to scratch, B to A, scratch to B. Each
    /// step reads what it does not write, so it can be done again, and the journal notes that it was done. The last note
    /// also exchanges what the record says of the slots.
    pub(crate) fn exchange(&mut self) -> Result<(), StateError<S::Error>> {
        let images = u32::try_from(self.identity.components.len()).unwrap_or(u32::MAX);
        let manifests = u32::try_from(self.identity.manifest_numbers().count()).unwrap_or(u32::MAX);
        let last = images.saturating_add(1).saturating_add(manifests).saturating_mul(STEPS);
        let area = |number: u32, slot| match number.checked_sub(1).map(|number| (number, number >= images)) {
            None => Area::Manifest(slot),
            Some((image, false)) => Area::Image(slot, u8::try_from(image).unwrap_or(u8::MAX)),
            Some((beyond, true)) => Area::Dependency(slot, u8::try_from(beyond - images).unwrap_or(u8::MAX)),
        };
        let mut step = match self.state().journal {
            Some(Journal::Swapping { step }) => step,
            _ => {
                self.state.update(&mut self.storage, |state| {
                    state.journal = Some(Journal::Swapping { step: 0 });
                })?;
                0
            }
        };
        while step < last {
            let area = |slot| area(step / STEPS, slot);
            match step % STEPS {
                0 => self.copy_area(area(Slot::A), Area::Scratch)?,
                1 => self.copy_area(area(Slot::B), area(Slot::A))?,
                _ => self.copy_area(Area::Scratch, area(Slot::B))?,
            }
            step += 1;
            if step < last {
                self.state
                    .update(&mut self.storage, |state| state.journal = Some(Journal::Swapping { step }))?;
            }
        }
        self.state.update(&mut self.storage, |state| {
            state.slots.swap(0, 1);
            state.active = state.active.other();
            if let Some(trial) = &mut state.trial {
                trial.slot = trial.slot.other();
            }
            state.journal = None;
        })
    }

    fn copy_area(&mut self, from: Area, to: Area) -> Result<(), StateError<S::Error>> {
        let storage = &mut self.storage;
        storage.erase(to).map_err(StateError::Storage)?;
        let mut buffer = vec![0; PIECE];
        let mut offset = 0;
        loop {
            let count = storage.read(from, offset, &mut buffer).map_err(StateError::Storage)?;
            let piece = buffer.get(..count).unwrap_or_default();
            if !piece.is_empty() {
                storage.append(to, piece).map_err(StateError::Storage)?;
            }
            offset = offset.saturating_add(count as u64);
            if count < buffer.len() {
                return storage.sync(to).map_err(StateError::Storage);
            }
        }
    }
}
