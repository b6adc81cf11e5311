use alloc::{borrow::ToOwned, collections::VecDeque, string::String, vec::Vec};

use cbor::{Reader, Writer};

use super::{
    MAX_ENTRIES, ModuleFault, ServiceFault,
    list::{entry_len, head_len, is_name, join_key, split_key, write_entry},
};

/// Bytes of a list where the receiver named no limit (sections 5.5.7 and 5.5.8).
pub const DEFAULT_BUDGET: usize = 1300;

/// Fewest bytes of a list that a receiver may ask for: any key and enough of a value to come to an end.
pub const MIN_BUDGET: usize = 256;

/// Most bytes of a list that a receiver may ask for.
pub const MAX_BUDGET: usize = 65_535;

/// Length in bytes of the longest piece of a file in one message (`data` of `fdo.download` and `fdo.upload`).
pub const MAX_DATA_LEN: usize = 1014;

/// Encoded bytes that may wait to be sent.
pub const MAX_QUEUED_LEN: usize = 131_072;

/// A piece of a value shorter than this is not put at the end of a list.
const MIN_PIECE_LEN: usize = 16;

/// Key/values that wait to be sent, and how they are packed into lists.
///
/// Order is kept. A value is sent whole if a list can hold it; one that none can hold is cut into key/values with the same
/// key, one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    entries: VecDeque<Entry>,
    /// Whether the first entry is the rest of one that has begun.
    is_cut: bool,
    /// Encoded length of all entries.
    queued: usize,
    budget: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    key: String,
    value: Vec<u8>,
}

impl Entry {
    fn len(&self) -> usize {
        entry_len(self.key.len(), self.value.len())
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Self::new()
    }
}

impl Outgoing {
    /// Nothing to be sent, in lists of [`DEFAULT_BUDGET`].
    pub fn new() -> Self {
        Self { entries: VecDeque::new(), is_cut: false, queued: 0, budget: DEFAULT_BUDGET }
    }

    /// How many bytes the next lists may have.
    pub fn set_budget(&mut self, bytes: usize) -> Result<(), ServiceFault> {
        if !(MIN_BUDGET..=MAX_BUDGET).contains(&bytes) {
            return Err(ServiceFault::Budget);
        }
        self.budget = bytes;
        Ok(())
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Encoded length in bytes of all that waits.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether all that waits goes into the next list.
    pub fn fits(&self) -> bool {
        self.entries.len() <= MAX_ENTRIES && head_len(self.entries.len()) + self.queued <= self.budget
    }

    /// Adds a message, whose value must be one encoded item.
    ///
    /// # Errors
    /// [`ModuleFault::QueueFull`], and [`ModuleFault::Malformed`] for names that are none.
    pub fn push(&mut self, module: &str, message: &str, value: Vec<u8>) -> Result<(), ModuleFault> {
        if !is_name(module) || module.contains(':') || !is_name(message) || value.is_empty() {
            return Err(ModuleFault::Malformed);
        }
        let entry = Entry { key: join_key(module, message), value };
        if entry.len() > MAX_QUEUED_LEN - self.queued {
            return Err(ModuleFault::QueueFull);
        }
        self.queued += entry.len();
        self.entries.push_back(entry);
        Ok(())
    }

    /// Adds a message whose value a function encodes.
    pub fn send(
        &mut self,
        module: &str,
        message: &str,
        value: impl FnOnce(&mut Writer),
    ) -> Result<(), ModuleFault> {
        self.push(module, message, Writer::encode(value))
    }

    /// How long a byte string may be that still goes into the next list, whole, as the value of this message: 0 to
    /// [`MAX_DATA_LEN`].
    pub fn space(&self, module: &str, message: &str) -> usize {
        let count = self.entries.len() + 1;
        if count > MAX_ENTRIES {
            return 0;
        }
        // Two heads before the bytes: of the string, and of the string around it.
        const HEADS: usize = 2 * head_len(MAX_DATA_LEN);
        let key = module.len() + 1 + message.len();
        let taken = head_len(count) + self.queued + entry_len(key, 0) + HEADS;
        self.budget.saturating_sub(taken).min(MAX_DATA_LEN)
    }

    /// The next list, encoded: as much as fits.
    pub fn take(&mut self) -> Vec<u8> {
        let mut entries = Writer::new();
        let mut count = 0;
        while count < MAX_ENTRIES {
            let Some(mut entry) = self.entries.pop_front() else { break };
            let room = self.budget.saturating_sub(head_len(count + 1) + entries.as_bytes().len());
            if entry.len() <= room {
                self.queued -= entry.len();
                self.is_cut = false;
                write_entry(&mut entries, &entry.key, &entry.value);
                count += 1;
                continue;
            }
            let goes_alone = entry.len() + head_len(1) <= self.budget;
            let piece = value_len(entry.key.len(), room).min(entry.value.len());
            if (goes_alone && !self.is_cut) || piece < MIN_PIECE_LEN {
                self.entries.push_front(entry);
                break;
            }
            self.queued -= entry.len();
            let rest = entry.value.split_off(piece);
            write_entry(&mut entries, &entry.key, &entry.value);
            count += 1;
            entry.value = rest;
            self.queued += entry.len();
            self.is_cut = true;
            self.entries.push_front(entry);
            break;
        }
        let mut list = Writer::with_capacity(head_len(count) + entries.as_bytes().len());
        list.array(count).raw(entries.as_bytes());
        list.into_bytes()
    }

    /// What waits as bytes, for whoever does not live until the next message. The budget is not in it.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(w))
    }

    /// What waits, of which these are the bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ServiceFault> {
        let mut reader = Reader::new(bytes);
        let outgoing = Self::read(&mut reader)?;
        reader.end().map_err(|_| ServiceFault::State)?;
        Ok(outgoing)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.array(2).bool(self.is_cut).array(self.entries.len());
        self.entries.iter().for_each(|entry| write_entry(w, &entry.key, &entry.value));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ServiceFault> {
        let mut outgoing = Self::new();
        let mut entries = || -> Result<(), cbor::Error> {
            reader.array_of(2)?;
            outgoing.is_cut = reader.bool()?;
            for _ in 0..reader.array()? {
                reader.array_of(2)?;
                let entry = Entry { key: reader.text()?.to_owned(), value: reader.bytes()?.to_owned() };
                let is_sound = split_key(&entry.key).is_ok() && !entry.value.is_empty();
                if !is_sound || entry.len() > MAX_QUEUED_LEN - outgoing.queued {
                    return Err(reader.fail(cbor::Reason::OutOfRange));
                }
                outgoing.queued += entry.len();
                outgoing.entries.push_back(entry);
            }
            Ok(())
        };
        entries().map_err(|_| ServiceFault::State)?;
        if outgoing.is_cut && outgoing.is_empty() {
            return Err(ServiceFault::State);
        }
        Ok(outgoing)
    }
}

/// Length of the longest value that goes into so many bytes together with its key.
fn value_len(key: usize, room: usize) -> usize {
    let left = room.saturating_sub(1 + head_len(key) + key);
    let fits = |head: usize| left.checked_sub(head).filter(|len| head_len(*len) <= head);
    [1, 2, 3, 5].into_iter().find_map(fits).unwrap_or(0)
}
