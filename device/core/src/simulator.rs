//! Storage in memory whose power can be cut at any write.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{Area, Storage};

/// What a cut leaves of writes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Nothing: the area is as it was when last synced.
    All,
    /// Everything, the torn write included.
    Nothing,
    /// Half of the torn write.
    Half,
    /// Half of the bytes written since the last sync, the last of them wrong.
    Garbled,
}

impl Loss {
    pub(crate) const ALL: [Self; 4] = [Self::All, Self::Nothing, Self::Half, Self::Garbled];
}

/// The power is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PowerCut;

#[derive(Clone, Debug, Default)]
struct Content {
    durable: Vec<u8>,
    seen: Vec<u8>,
}

/// Storage that counts its writes and fails for good at one of them.
#[derive(Clone, Debug)]
pub(crate) struct Simulator {
    areas: BTreeMap<Area, Content>,
    writes: usize,
    cut: Option<(usize, Loss)>,
    off: bool,
    /// What each cut would have left, while nothing is cut.
    recorded: Option<Vec<Simulator>>,
}

impl Simulator {
    pub(crate) fn new() -> Self {
        Self { areas: BTreeMap::new(), writes: 0, cut: None, off: false, recorded: None }
    }

    /// The same storage, whose power fails at the write after `writes` more.
    pub(crate) fn cut_after(mut self, writes: usize, loss: Loss) -> Self {
        self.writes = 0;
        self.cut = Some((writes, loss));
        self
    }

    /// The same storage, which notes at every write what a cut there would leave: for each loss in the order of
    /// [`Loss::ALL`]. It is what cuts one after the other would leave, for the price of one run.
    pub(crate) fn recording(self) -> Self {
        Self { recorded: Some(Vec::new()), ..self }
    }

    /// What was noted so far.
    pub(crate) fn take_recorded(&mut self) -> Vec<Self> {
        self.recorded.take().unwrap_or_default()
    }

    fn record(&mut self, write: impl Fn(&mut Self) -> Result<(), PowerCut>) {
        let Some(mut recorded) = self.recorded.take() else { return };
        for loss in Loss::ALL {
            let mut cut = self.clone().cut_after(0, loss);
            assert_eq!(write(&mut cut), Err(PowerCut));
            recorded.push(cut.power_up());
        }
        self.recorded = Some(recorded);
    }

    /// What is left when the power comes back.
    pub(crate) fn power_up(&self) -> Self {
        let loss = self.cut.map_or(Loss::All, |(_, loss)| loss);
        let areas = self.areas.iter().map(|(area, content)| {
            let left = match loss {
                Loss::All => content.durable.clone(),
                Loss::Nothing | Loss::Half => content.seen.clone(),
                Loss::Garbled if content.seen == content.durable => content.durable.clone(),
                Loss::Garbled => {
                    let mut left = content.seen.clone();
                    left.truncate(left.len().div_ceil(2));
                    if let Some(last) = left.last_mut() {
                        *last ^= 0x55;
                    }
                    left
                }
            };
            (*area, Content { durable: left.clone(), seen: left })
        });
        Self { areas: areas.collect(), writes: 0, cut: None, off: false, recorded: None }
    }

    /// What it holds, and what of that is durable.
    pub(crate) fn fingerprint(&self, hasher: &mut impl core::hash::Hasher) {
        use core::hash::Hash as _;
        for (area, content) in &self.areas {
            (area, &content.durable, &content.seen).hash(hasher);
        }
    }

    /// Counts a write; at the cut the power is gone, and the caller applies the torn part if any is to be seen.
    fn write(&mut self) -> Result<Option<Loss>, PowerCut> {
        if self.off {
            return Err(PowerCut);
        }
        if let Some((writes, loss)) = self.cut
            && self.writes == writes
        {
            self.off = true;
            return Ok(Some(loss));
        }
        self.writes += 1;
        Ok(None)
    }
}

impl Storage for Simulator {
    type Error = PowerCut;

    fn len(&self, area: Area) -> Result<u64, PowerCut> {
        if self.off {
            Err(PowerCut)
        } else {
            Ok(self.areas.get(&area).map_or(0, |content| content.seen.len() as u64))
        }
    }

    fn read(&self, area: Area, offset: u64, buffer: &mut [u8]) -> Result<usize, PowerCut> {
        if self.off {
            return Err(PowerCut);
        }
        let content = self.areas.get(&area).map(|content| content.seen.as_slice()).unwrap_or_default();
        let rest = content.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn erase(&mut self, area: Area) -> Result<(), PowerCut> {
        self.record(|cut| cut.erase(area));
        let torn = self.write()?;
        let content = self.areas.entry(area).or_default();
        match torn {
            None | Some(Loss::Nothing) => content.seen.clear(),
            Some(Loss::Half) => content.seen.truncate(content.seen.len() / 2),
            Some(Loss::All | Loss::Garbled) => {}
        }
        if torn.is_some() { Err(PowerCut) } else { Ok(()) }
    }

    fn append(&mut self, area: Area, bytes: &[u8]) -> Result<(), PowerCut> {
        self.record(|cut| cut.append(area, bytes));
        let torn = self.write()?;
        let content = self.areas.entry(area).or_default();
        let kept = match torn {
            None | Some(Loss::Nothing | Loss::Garbled) => bytes.len(),
            Some(Loss::Half) => bytes.len() / 2,
            Some(Loss::All) => 0,
        };
        content.seen.extend_from_slice(&bytes[..kept]);
        if torn.is_some() { Err(PowerCut) } else { Ok(()) }
    }

    fn sync(&mut self, area: Area) -> Result<(), PowerCut> {
        self.record(|cut| cut.sync(area));
        if self.write()?.is_some() {
            return Err(PowerCut);
        }
        let content = self.areas.entry(area).or_default();
        content.durable = content.seen.clone();
        Ok(())
    }
}
