use alloc::{collections::BTreeMap, vec::Vec};
use core::convert::Infallible;

use crate::{Area, Storage};

/// Storage in memory, for devices that exist only in a simulation.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    areas: BTreeMap<Area, Vec<u8>>,
}

impl MemoryStorage {
    /// Empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// What an area holds, to look at or to tamper with.
    pub fn area_mut(&mut self, area: Area) -> &mut Vec<u8> {
        self.areas.entry(area).or_default()
    }
}

impl Storage for MemoryStorage {
    type Error = Infallible;

    fn len(&self, area: Area) -> Result<u64, Infallible> {
        Ok(self.areas.get(&area).map_or(0, |content| content.len() as u64))
    }

    fn read(&self, area: Area, offset: u64, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let content = self.areas.get(&area).map(Vec::as_slice).unwrap_or_default();
        let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Ok(count)
    }

    fn erase(&mut self, area: Area) -> Result<(), Infallible> {
        self.areas.remove(&area);
        Ok(())
    }

    fn append(&mut self, area: Area, bytes: &[u8]) -> Result<(), Infallible> {
        self.area_mut(area).extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self, _area: Area) -> Result<(), Infallible> {
        Ok(())
    }
}
