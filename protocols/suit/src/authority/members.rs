use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Authority, Role};
use crate::limits::MAX_AUTHORITIES;

/// The entries of a list, and which of them have the same key. That is found out once, when the list is made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Members {
    entries: Vec<Authority>,
    /// For each entry the number of the first one that has its key.
    keys: Vec<u8>,
}

// A set of bits must have room for every entry.
const _: () = assert!(MAX_AUTHORITIES <= u64::BITS as usize);

impl Members {
    /// At most [`MAX_AUTHORITIES`] entries.
    pub(super) fn new(entries: Vec<Authority>) -> Self {
        let mut keys = Vec::with_capacity(entries.len());
        for entry in &entries {
            let first = entries.iter().position(|other| other.key == entry.key);
            keys.push(first.and_then(|first| u8::try_from(first).ok()).unwrap_or(u8::MAX));
        }
        Self { entries, keys }
    }

    pub(crate) fn entries(&self) -> &[Authority] {
        &self.entries
    }

    /// Each entry with its own number and that of its key.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u32, u8, &Authority)> {
        (0..).zip(&self.keys).zip(&self.entries).map(|((number, key), entry)| (number, *key, entry))
    }

    /// How many different keys the entries of a set have that fit.
    pub(super) fn count(&self, set: u64, fits: &dyn Fn(&Authority) -> bool) -> u8 {
        let mut keys = 0;
        for (number, key, entry) in self.numbered() {
            if set & bit(number) != 0 && fits(entry) {
                keys |= bit(key.into());
            }
        }
        keys.count_ones() as u8
    }
}

/// The entries of a list whose keys signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signing<'a> {
    members: &'a Arc<Members>,
    set: u64,
}

impl<'a> Signing<'a> {
    /// Nobody.
    pub(crate) fn new(members: &'a Arc<Members>) -> Self {
        Self { members, set: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.set == 0
    }

    /// Adds every entry that has the key with a number.
    pub(crate) fn add(&mut self, key: u8) {
        for (number, other, _) in self.members.numbered() {
            if other == key {
                self.set |= bit(number);
            }
        }
    }

    /// Whether one of the entries fits.
    pub(crate) fn any(&self, fits: &dyn Fn(&Authority) -> bool) -> bool {
        self.count_fitting(fits) > 0
    }

    /// How many different keys of a role signed.
    pub(crate) fn count(&self, role: Role) -> u8 {
        self.count_fitting(&|entry| entry.role == role)
    }

    /// How many different keys signed that have an entry which fits.
    pub(crate) fn count_fitting(&self, fits: &dyn Fn(&Authority) -> bool) -> u8 {
        self.members.count(self.set, fits)
    }

    /// The same for as long as it is wanted.
    pub(crate) fn keep(&self) -> Signed {
        Signed { members: Arc::clone(self.members), set: self.set }
    }
}

/// [`Signing`] beyond the life of the list.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    members: Arc<Members>,
    set: u64,
}

impl Signed {
    /// Each key that signed once, by its first entry, in the order of roles and names.
    pub(crate) fn signers(&self) -> impl Iterator<Item = &Authority> {
        let is_first = |number: u32, key: u8| self.set & bit(number) != 0 && number == u32::from(key);
        self.members
            .numbered()
            .filter(move |(number, key, _)| is_first(*number, *key))
            .map(|(_, _, entry)| entry)
    }
}

impl PartialEq for Signed {
    fn eq(&self, other: &Self) -> bool {
        self.signers().eq(other.signers())
    }
}

impl Eq for Signed {}

/// An entry or a key as a set. The numbers of both are below [`MAX_AUTHORITIES`].
pub(crate) fn bit(number: u32) -> u64 {
    1_u64.checked_shl(number).unwrap_or_default()
}
