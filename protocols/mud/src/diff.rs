//! What a new version of a policy permits that the old one did not, and the other way round.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::policy::{Entry, Policy, Remote, Verdict};

/// The difference between two policies. Errs on one side: what may have been gained counts as gained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyDiff {
    /// Entries of the new policy that permit something the old one may not have permitted.
    pub gained: Vec<Entry>,
    /// Entries of the old policy that permitted something the new one may not permit.
    pub lost: Vec<Entry>,
    /// Remotes to or from which only the new policy lets flows start, each once.
    pub remotes_gained: Vec<Remote>,
    /// Remotes to or from which only the old policy lets flows start, each once.
    pub remotes_lost: Vec<Remote>,
}

impl PolicyDiff {
    /// The new policy permits more: a person has to look at it.
    pub fn is_wider(&self) -> bool {
        !self.gained.is_empty()
    }

    /// The new policy permits less, and nothing more.
    pub fn is_narrower(&self) -> bool {
        self.gained.is_empty() && !self.lost.is_empty()
    }

    /// Both permit the same.
    pub fn is_equal(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

/// Compares two policies.
pub fn diff(old: &Policy, new: &Policy) -> PolicyDiff {
    PolicyDiff {
        gained: beyond(old, new),
        lost: beyond(new, old),
        remotes_gained: reached(new).difference(&reached(old)).map(|remote| (*remote).clone()).collect(),
        remotes_lost: reached(old).difference(&reached(new)).map(|remote| (*remote).clone()).collect(),
    }
}

/// Remotes of the entries that accept.
fn reached(policy: &Policy) -> BTreeSet<&Remote> {
    let accepts = policy.entries.iter().filter(|entry| entry.verdict == Verdict::Accept);
    accepts.map(|entry| &entry.remote).collect()
}

/// Accepting entries of `new` whose packets `old` does not surely accept.
fn beyond(old: &Policy, new: &Policy) -> Vec<Entry> {
    // For each entry of `old` that drops: from where in `new` on such packets are dropped as well.
    let dropped_from: Vec<usize> = old
        .entries
        .iter()
        .map(|entry| match entry.verdict {
            Verdict::Accept => 0,
            _ => new
                .entries
                .iter()
                .position(|e| e.verdict != Verdict::Accept && e.covers(entry))
                .unwrap_or(usize::MAX),
        })
        .collect();
    let accepts = new.entries.iter().enumerate().filter(|(_, entry)| entry.verdict == Verdict::Accept);
    accepts
        .filter(|(index, entry)| !accepted(old, &dropped_from, *index, entry))
        .map(|(_, entry)| entry.clone())
        .collect()
}

/// True when `policy` accepts all that `entry` at this index accepts. A drop in the way does no harm when one that
/// covers it stands before the entry too.
fn accepted(policy: &Policy, dropped_from: &[usize], index: usize, entry: &Entry) -> bool {
    for (other, from) in policy.entries.iter().zip(dropped_from) {
        if other.verdict == Verdict::Accept {
            if other.covers(entry) {
                return true;
            }
        } else if *from >= index && other.may_overlap(entry) {
            return false;
        }
    }
    false
}
