use alloc::{vec, vec::Vec};

/// One of the two places an installed release can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

impl Slot {
    pub(crate) const ALL: [Self; 2] = [Self::A, Self::B];

    /// The other slot.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// 0 or 1.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// One of the two copies of the boot record, or of the list of authorities, written in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordCopy {
    /// The first.
    First,
    /// The second.
    Second,
}

/// A named area of durable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// A copy of the boot record.
    Record(RecordCopy),
    /// The envelope of the release in a slot, without its image payloads.
    Manifest(Slot),
    /// The image of one component in a slot.
    Image(Slot, u8),
    /// The envelope of a manifest about one component, which the release in a slot depends on.
    Dependency(Slot, u8),
    /// A copy of the list of authorities, once it was changed.
    Authorities(RecordCopy),
    /// What a component was sent in another form than it is installed in, until it is installed.
    Staged(u8),
    /// Where swapping slots puts what it has in hand.
    Scratch,
}

/// Durable areas of bytes, as flash sectors or files give them.
///
/// Nothing is assumed about what a power cut leaves of writes since the last [`Storage::sync`] of an area: all, none, or
/// any prefix of them.
pub trait Storage {
    /// What can go wrong.
    type Error;

    /// How many bytes an area holds.
    fn len(&self, area: Area) -> Result<u64, Self::Error>;

    /// Reads at an offset; fewer bytes than asked for only at the end of the area.
    fn read(&self, area: Area, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error>;

    /// Empties an area.
    fn erase(&mut self, area: Area) -> Result<(), Self::Error>;

    /// Writes behind what the area holds.
    fn append(&mut self, area: Area, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Returns once everything written to the area survives a power cut.
    fn sync(&mut self, area: Area) -> Result<(), Self::Error>;

    /// Whether a write failed because there is no room left.
    fn is_full(error: &Self::Error) -> bool {
        let _ = error;
        false
    }
}

/// Reads a whole area, or `None` when it holds more than `limit` bytes.
pub fn read_all<S: Storage>(storage: &S, area: Area, limit: usize) -> Result<Option<Vec<u8>>, S::Error> {
    let Some(len) = usize::try_from(storage.len(area)?).ok().filter(|len| *len <= limit) else {
        return Ok(None);
    };
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match storage.read(area, filled as u64, rest)? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(Some(bytes))
}
