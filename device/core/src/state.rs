use alloc::{string::String, vec::Vec};

use cbor::{Error as CborError, MapBuilder, Reader, Reason, Writer};
use crypto::{Digest, HashAlgorithm};

use crate::{Area, RecordCopy, Slot, Storage, read_all};

/// How many refused releases are remembered.
pub(crate) const MAX_REFUSALS: usize = 8;
/// The longest boot record.
pub(crate) const MAX_RECORD: usize = 4096;
/// The longest reason code.
const MAX_CODE: usize = 64;
/// Bytes of the checksum that ends a record.
const CHECKSUM: usize = 32;

/// A release that is completely written in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its manifest digest.
    pub manifest: Digest,
    /// Its sequence number.
    pub sequence: u64,
    /// The places of the manifests it depends on, as bits of the numbers of their components.
    pub refers: u8,
    /// The manifests that it leads to, one for each place.
    pub dependencies: Vec<Dependency>,
}

/// A manifest that an installed release depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Number of the component it is kept beside.
    pub component: u8,
    /// Its manifest digest.
    pub manifest: Digest,
    /// Its sequence number.
    pub sequence: u64,
    /// The places of the manifests it depends on itself, as bits of the numbers of their components.
    pub refers: u8,
}

/// What a manifest beside a component must follow: the newest one there that was part of a committed release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// Number of the component.
    pub component: u8,
    /// The sequence number; it never falls.
    pub sequence: u64,
    /// The manifest, which alone may come again under the same number.
    pub manifest: Digest,
}

impl Installed {
    /// Its manifests, and which places of others each refers to.
    pub(crate) fn holders(&self) -> impl Iterator<Item = (Digest, u8)> {
        let others = self.dependencies.iter().map(|dependency| (dependency.manifest, dependency.refers));
        core::iter::once((self.manifest, self.refers)).chain(others)
    }
}

impl Dependency {
    /// Whether it is the same manifest in the same place.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (self.component, self.manifest) == (other.component, other.manifest)
    }
}

impl Floor {
    pub(crate) fn installed(&self) -> suit::Installed {
        suit::Installed { sequence_number: self.sequence, manifest_digest: Some(self.manifest) }
    }
}

/// A release that was installed and has not yet proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Where it is.
    pub slot: Slot,
    /// How often it may still be booted before the device goes back.
    pub boots_left: u8,
}

/// What the power may have cut short, and how it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// A release is being written into a slot. The same release goes on where its images end; another begins anew.
    Installing {
        /// Where it is written.
        slot: Slot,
        /// Its manifest digest.
        manifest: Digest,
    },
    /// The contents of the slots are being exchanged: this step is next. A boot ends it before anything else.
    Swapping {
        /// How many steps were done.
        step: u32,
    },
    /// The release in a slot is being removed. A boot ends it before anything else.
    Uninstalling {
        /// Where it is.
        slot: Slot,
    },
}

/// A release that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its manifest digest.
    pub manifest: Digest,
    /// The reason code.
    pub code: String,
    /// What this device will not try again in a row.
    pub bars: Bars,
}

/// What a refusal keeps from being tried again, until another release was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bars {
    /// Nothing: what is installed was damaged, and the same release cures it.
    Nothing,
    /// The release in any envelope: the fault is in what its author signed.
    Release,
    /// The release in the envelope with this SHA-256: the fault is in what came with the signed manifest, so a mirror
    /// that damages envelopes cannot keep the device from good ones.
    Envelope(Digest),
}

/// What a device must remember across power cuts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootState {
    /// How often the record was written; the copy with the greater one counts.
    pub generation: u64,
    /// How often the device booted.
    pub boot_count: u64,
    /// The slot to boot when nothing is on trial.
    pub active: Slot,
    /// What is completely written in each slot.
    pub slots: [Option<Installed>; 2],
    /// What is on trial.
    pub trial: Option<Trial>,
    /// The highest sequence number that was ever committed; it never falls.
    pub sequence: u64,
    /// The release that was committed with it, which alone may be installed again under the same number.
    pub committed: Option<Digest>,
    /// The same of the manifests that committed releases depended on, one for each place.
    pub floors: Vec<Floor>,
    /// The highest version of the list of authorities known to have been in force; it never falls.
    pub authorities: u64,
    /// What is under way.
    pub journal: Option<Journal>,
    /// Releases refused lately, oldest first.
    pub refusals: Vec<Refusal>,
}

impl Default for BootState {
    fn default() -> Self {
        Self {
            generation: 0,
            boot_count: 0,
            active: Slot::A,
            slots: [None, None],
            trial: None,
            sequence: 0,
            committed: None,
            floors: Vec::new(),
            authorities: 0,
            journal: None,
            refusals: Vec::new(),
        }
    }
}

mod labels {
    pub(super) const GENERATION: i64 = 1;
    pub(super) const BOOT_COUNT: i64 = 2;
    pub(super) const ACTIVE: i64 = 3;
    pub(super) const SLOT_A: i64 = 4;
    pub(super) const SLOT_B: i64 = 5;
    pub(super) const TRIAL: i64 = 6;
    pub(super) const SEQUENCE: i64 = 7;
    pub(super) const REFUSALS: i64 = 8;
    pub(super) const COMMITTED: i64 = 9;
    pub(super) const AUTHORITIES: i64 = 10;
    pub(super) const JOURNAL: i64 = 11;
    pub(super) const DEPENDENCIES_A: i64 = 12;
    pub(super) const DEPENDENCIES_B: i64 = 13;
    pub(super) const FLOORS: i64 = 14;

    pub(super) const INSTALLING: u64 = 1;
    pub(super) const SWAPPING: u64 = 2;
    pub(super) const UNINSTALLING: u64 = 3;

    pub(super) const BARS_NOTHING: u64 = 0;
    pub(super) const BARS_RELEASE: u64 = 1;
    pub(super) const BARS_ENVELOPE: u64 = 2;
}

impl BootState {
    /// The slot this boot runs: the one on trial, else the active one.
    pub fn running(&self) -> Slot {
        self.trial.map_or(self.active, |trial| trial.slot)
    }

    /// What is installed in the slot this boot runs.
    pub fn running_release(&self) -> Option<&Installed> {
        self.installed(self.running())
    }

    /// What is installed in a slot.
    pub fn installed(&self, slot: Slot) -> Option<&Installed> {
        match slot {
            Slot::A => self.slots[0].as_ref(),
            Slot::B => self.slots[1].as_ref(),
        }
    }

    /// Empties a slot, and says what was there.
    pub(crate) fn clear(&mut self, slot: Slot) -> Option<Installed> {
        match slot {
            Slot::A => self.slots[0].take(),
            Slot::B => self.slots[1].take(),
        }
    }

    /// Says what is in a slot.
    pub(crate) fn put(&mut self, slot: Slot, installed: Installed) {
        match slot {
            Slot::A => self.slots[0] = Some(installed),
            Slot::B => self.slots[1] = Some(installed),
        }
    }

    /// Notes that manifests were part of a committed release.
    pub(crate) fn raise_floors(&mut self, dependencies: &[Dependency]) {
        for Dependency { component, manifest, sequence, .. } in dependencies {
            let (component, manifest, sequence) = (*component, *manifest, *sequence);
            match self.floors.iter_mut().find(|floor| floor.component == component) {
                Some(floor) if floor.sequence > sequence => {}
                Some(floor) => (floor.sequence, floor.manifest) = (sequence, manifest),
                None => self.floors.push(Floor { component, sequence, manifest }),
            }
        }
    }

    /// Whether a number that must not fall is lower than in another state.
    fn falls_below(&self, other: &Self) -> bool {
        let kept = |floor: &Floor| {
            let now = self.floors.iter().find(|now| now.component == floor.component);
            now.is_some_and(|now| now.sequence >= floor.sequence)
        };
        self.sequence < other.sequence || !other.floors.iter().all(kept)
    }

    /// Why this release in this envelope must not be tried, if it is what failed last.
    pub fn barred(&self, manifest: &Digest, envelope: &Digest) -> Option<&Refusal> {
        let last = self.refusals.iter().rev().find(|refusal| refusal.bars != Bars::Nothing)?;
        let barred = match last.bars {
            Bars::Nothing => false,
            Bars::Release => last.manifest == *manifest,
            Bars::Envelope(barred) => last.manifest == *manifest && barred == *envelope,
        };
        barred.then_some(last)
    }

    /// Remembers a refused release; the oldest is forgotten first.
    pub fn refuse(&mut self, manifest: Digest, code: &str, bars: Bars) {
        self.refusals.retain(|refusal| refusal.manifest != manifest);
        if self.refusals.len() == MAX_REFUSALS {
            self.refusals.remove(0);
        }
        let code = code.chars().take(MAX_CODE).collect();
        self.refusals.push(Refusal { manifest, code, bars });
    }

    /// The record as it is stored: a map, then the SHA-256 of the map, which tells a torn write.
    pub fn encode(&self) -> Vec<u8> {
        use labels::*;
        let mut map = MapBuilder::new();
        for (label, value) in [
            (GENERATION, self.generation),
            (BOOT_COUNT, self.boot_count),
            (ACTIVE, self.active.index() as u64),
            (SEQUENCE, self.sequence),
            (AUTHORITIES, self.authorities),
        ] {
            map.int(label, |w| {
                w.uint(value);
            });
        }
        for (label, installed) in [(SLOT_A, &self.slots[0]), (SLOT_B, &self.slots[1])] {
            map.int_if(label, installed.as_ref(), |w, installed| {
                w.array(3);
                encode_digest(w, &installed.manifest);
                w.uint(installed.sequence);
            });
        }
        map.int_if(COMMITTED, self.committed.as_ref(), |w, manifest| {
            w.array(2);
            encode_digest(w, manifest);
        });
        map.int_if(TRIAL, self.trial, |w, trial| {
            w.array(2).uint(trial.slot.index() as u64).uint(u64::from(trial.boots_left));
        });
        map.int_if(JOURNAL, self.journal.as_ref(), encode_journal);
        map.int(REFUSALS, |w| {
            w.array(self.refusals.len());
            for refusal in &self.refusals {
                w.array(4);
                encode_digest(w, &refusal.manifest);
                w.text(&refusal.code);
                encode_bars(w, &refusal.bars);
            }
        });
        for (label, installed) in [(DEPENDENCIES_A, &self.slots[0]), (DEPENDENCIES_B, &self.slots[1])] {
            let installed = installed.as_ref().filter(|installed| !installed.dependencies.is_empty());
            map.int_if(label, installed, |w, installed| {
                w.array(1 + installed.dependencies.len()).uint(installed.refers.into());
                for Dependency { component, manifest, sequence, refers } in &installed.dependencies {
                    w.array(5).uint((*component).into());
                    encode_digest(w, manifest);
                    w.uint(*sequence).uint((*refers).into());
                }
            });
        }
        map.int_if(FLOORS, Some(&self.floors).filter(|floors| !floors.is_empty()), |w, floors| {
            w.array(floors.len());
            for Floor { component, sequence, manifest } in floors {
                w.array(4).uint((*component).into());
                encode_digest(w, manifest);
                w.uint(*sequence);
            }
        });
        let mut record = map.into_bytes();
        let checksum = Digest::of(HashAlgorithm::Sha256, &record);
        record.extend_from_slice(checksum.as_bytes());
        record
    }

    /// Reads a record; a torn or foreign one is an error.
    pub fn decode(record: &[u8]) -> Result<Self, CborError> {
        use labels::*;
        let split = record.len().checked_sub(CHECKSUM).ok_or(CborError::new(0, Reason::Truncated))?;
        let (body, checksum) = record.split_at(split);
        if Digest::of(HashAlgorithm::Sha256, body).as_bytes() != checksum {
            return Err(CborError::rule(split, "boot record is torn: checksum differs"));
        }
        let mut state = Self::default();
        let mut reader = Reader::new(body);
        let mut map = reader.map()?;
        while let Some(label) = map.next_int(&mut reader)? {
            let at = reader.position();
            match label {
                GENERATION => state.generation = reader.uint()?,
                BOOT_COUNT => state.boot_count = reader.uint()?,
                ACTIVE => state.active = decode_slot(&mut reader)?,
                SLOT_A => state.slots[0] = Some(decode_installed(&mut reader)?),
                SLOT_B => state.slots[1] = Some(decode_installed(&mut reader)?),
                TRIAL => {
                    reader.array_of(2)?;
                    let slot = decode_slot(&mut reader)?;
                    state.trial = Some(Trial { slot, boots_left: reader.uint_as()? });
                }
                SEQUENCE => state.sequence = reader.uint()?,
                AUTHORITIES => state.authorities = reader.uint()?,
                COMMITTED => {
                    reader.array_of(2)?;
                    state.committed = Some(decode_digest(&mut reader)?);
                }
                JOURNAL => state.journal = Some(decode_journal(&mut reader)?),
                REFUSALS => {
                    for _ in 0..reader.array()? {
                        reader.array_of(4)?;
                        let manifest = decode_digest(&mut reader)?;
                        let code = reader.text()?;
                        state.refuse(manifest, code, decode_bars(&mut reader)?);
                    }
                }
                DEPENDENCIES_A => decode_dependencies(&mut reader, &mut state.slots[0])?,
                DEPENDENCIES_B => decode_dependencies(&mut reader, &mut state.slots[1])?,
                FLOORS => {
                    for _ in 0..reader.array()? {
                        reader.array_of(4)?;
                        let (component, manifest) = (reader.uint_as()?, decode_digest(&mut reader)?);
                        state.floors.push(Floor { component, sequence: reader.uint()?, manifest });
                    }
                }
                unknown => return Err(CborError::new(at, Reason::Unknown(unknown))),
            }
        }
        reader.end()?;
        Ok(state)
    }
}

fn encode_digest(writer: &mut Writer, digest: &Digest) {
    writer.int(digest.algorithm().cose_id()).bytes(digest.as_bytes());
}

fn decode_digest(reader: &mut Reader<'_>) -> Result<Digest, CborError> {
    let at = reader.position();
    let algorithm = HashAlgorithm::from_cose_id(reader.int()?);
    let bytes = reader.bytes()?;
    algorithm.and_then(|algorithm| Digest::new(algorithm, bytes)).ok_or(CborError::rule(at, "not a digest"))
}

fn encode_bars(writer: &mut Writer, bars: &Bars) {
    match bars {
        Bars::Nothing => writer.array(1).uint(labels::BARS_NOTHING),
        Bars::Release => writer.array(1).uint(labels::BARS_RELEASE),
        Bars::Envelope(envelope) => {
            writer.array(3).uint(labels::BARS_ENVELOPE);
            encode_digest(writer, envelope);
            writer
        }
    };
}

fn decode_bars(reader: &mut Reader<'_>) -> Result<Bars, CborError> {
    let at = reader.position();
    match (reader.array()?, reader.uint()?) {
        (1, labels::BARS_NOTHING) => Ok(Bars::Nothing),
        (1, labels::BARS_RELEASE) => Ok(Bars::Release),
        (3, labels::BARS_ENVELOPE) => decode_digest(reader).map(Bars::Envelope),
        _ => Err(CborError::rule(at, "not what a refusal bars")),
    }
}

fn encode_journal(writer: &mut Writer, journal: &Journal) {
    match journal {
        Journal::Installing { slot, manifest } => {
            writer.array(4).uint(labels::INSTALLING).uint(slot.index() as u64);
            encode_digest(writer, manifest);
        }
        Journal::Swapping { step } => {
            writer.array(2).uint(labels::SWAPPING).uint(u64::from(*step));
        }
        Journal::Uninstalling { slot } => {
            writer.array(2).uint(labels::UNINSTALLING).uint(slot.index() as u64);
        }
    }
}

fn decode_journal(reader: &mut Reader<'_>) -> Result<Journal, CborError> {
    let at = reader.position();
    match (reader.array()?, reader.uint()?) {
        (4, labels::INSTALLING) => {
            Ok(Journal::Installing { slot: decode_slot(reader)?, manifest: decode_digest(reader)? })
        }
        (2, labels::SWAPPING) => Ok(Journal::Swapping { step: reader.uint_as()? }),
        (2, labels::UNINSTALLING) => Ok(Journal::Uninstalling { slot: decode_slot(reader)? }),
        _ => Err(CborError::rule(at, "not what is under way")),
    }
}

fn decode_installed(reader: &mut Reader<'_>) -> Result<Installed, CborError> {
    reader.array_of(3)?;
    let (manifest, sequence) = (decode_digest(reader)?, reader.uint()?);
    Ok(Installed { manifest, sequence, refers: 0, dependencies: Vec::new() })
}

/// What the release in a slot depends on, which stands behind it.
fn decode_dependencies(reader: &mut Reader<'_>, slot: &mut Option<Installed>) -> Result<(), CborError> {
    let at = reader.position();
    let count = reader.array()?;
    let installed = slot.as_mut().ok_or(CborError::rule(at, "nothing that could depend on others"))?;
    installed.refers = reader.uint_as()?;
    for _ in 1..count {
        reader.array_of(5)?;
        let (component, manifest) = (reader.uint_as()?, decode_digest(reader)?);
        let (sequence, refers) = (reader.uint()?, reader.uint_as()?);
        installed.dependencies.push(Dependency { component, manifest, sequence, refers });
    }
    Ok(())
}

fn decode_slot(reader: &mut Reader<'_>) -> Result<Slot, CborError> {
    let at = reader.position();
    match reader.uint()? {
        0 => Ok(Slot::A),
        1 => Ok(Slot::B),
        _ => Err(CborError::new(at, Reason::OutOfRange)),
    }
}

/// Why the boot record cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError<E> {
    /// The storage failed.
    Storage(E),
    /// Both copies hold something and neither is whole: the storage does not keep its promise, or was tampered with.
    Lost,
    /// The change would lower the sequence number.
    SequenceFalls,
    /// No copy of the list of authorities is as new as the one that was in force.
    AuthoritiesLost,
    /// The state does not fit the record.
    TooLong,
}

/// Keeps the boot record in two copies that are written in turn, so that one whole copy stands at every moment.
#[derive(Debug)]
pub struct StateStore {
    state: BootState,
    /// The copy that holds `state`; the next write goes to the other.
    current: RecordCopy,
}

impl StateStore {
    /// Reads the newest whole copy; empty storage is a device fresh from the factory.
    pub fn load<S: Storage>(storage: &S) -> Result<Self, StateError<S::Error>> {
        let mut newest: Option<Self> = None;
        let mut traces = false;
        for current in [RecordCopy::First, RecordCopy::Second] {
            let record = read_all(storage, Area::Record(current), MAX_RECORD).map_err(StateError::Storage)?;
            traces |= record.as_ref().is_none_or(|record| !record.is_empty());
            let state = record.and_then(|record| BootState::decode(&record).ok());
            if let Some(state) = state
                && newest.as_ref().is_none_or(|other| other.state.generation < state.generation)
            {
                newest = Some(Self { state, current });
            }
        }
        match newest {
            Some(store) => Ok(store),
            // The very first write may tear; nothing was installed before it. Both copies torn cannot come from a cut.
            None if traces && !Self::first_write_torn(storage)? => Err(StateError::Lost),
            None => Ok(Self { state: BootState::default(), current: RecordCopy::Second }),
        }
    }

    /// The first record of a device goes to the first copy, so a torn first write leaves the second copy empty.
    fn first_write_torn<S: Storage>(storage: &S) -> Result<bool, StateError<S::Error>> {
        Ok(storage.len(Area::Record(RecordCopy::Second)).map_err(StateError::Storage)? == 0)
    }

    /// The state as it is stored.
    pub fn state(&self) -> &BootState {
        &self.state
    }

    /// Changes the state; when this returns the change survives a power cut, and before that the old state does.
    pub fn update<S: Storage>(
        &mut self,
        storage: &mut S,
        change: impl FnOnce(&mut BootState),
    ) -> Result<(), StateError<S::Error>> {
        let mut next = self.state.clone();
        change(&mut next);
        if next.falls_below(&self.state) {
            return Err(StateError::SequenceFalls);
        }
        next.generation = self.state.generation + 1;
        let copy = match self.current {
            RecordCopy::First => RecordCopy::Second,
            RecordCopy::Second => RecordCopy::First,
        };
        let record = next.encode();
        if record.len() > MAX_RECORD {
            return Err(StateError::TooLong);
        }
        let area = Area::Record(copy);
        storage.erase(area).map_err(StateError::Storage)?;
        storage.append(area, &record).map_err(StateError::Storage)?;
        storage.sync(area).map_err(StateError::Storage)?;
        self.state = next;
        self.current = copy;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
