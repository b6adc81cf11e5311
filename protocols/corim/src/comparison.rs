//! Whether a value satisfies a condition (draft, section "Rules of Comparison").
//!
//! What a condition does not say is not compared. What it says and nobody knows how to compare makes no match.

use alloc::vec::Vec;

use crate::{
    Class, CryptoKey, Digest, DigestAlgorithm, Element, Environment, Extensions, Flags, IntRange,
    KnownProfile, Measurement, MeasurementValues, RawValue, Svn,
};

impl Environment {
    /// Whether every attribute of this environment, taken as a condition, stands in `target` with the same value.
    pub fn is_satisfied_by(&self, target: &Self) -> bool {
        let class = match (&self.class, &target.class) {
            (None, _) => true,
            (Some(condition), Some(target)) => condition.is_satisfied_by(target),
            (Some(_), None) => false,
        };
        class && same(&self.instance, &target.instance) && same(&self.group, &target.group)
    }
}

impl Class {
    fn is_satisfied_by(&self, target: &Self) -> bool {
        same(&self.id, &target.id)
            && same(&self.vendor, &target.vendor)
            && same(&self.model, &target.model)
            && same(&self.layer, &target.layer)
            && same(&self.index, &target.index)
    }
}

impl Measurement {
    /// Whether an element satisfies this measurement, taken as a condition: the same key, or none on both sides, and
    /// every value. Who must have said so is not looked at.
    pub fn is_satisfied_by(&self, element: &Element, profile: Option<KnownProfile>) -> bool {
        self.key == element.key && self.values.is_satisfied_by(&element.values, profile)
    }
}

impl MeasurementValues {
    /// Whether every value of these, taken as a condition, is satisfied by `target`. A profile may say how to compare
    /// what the base specification does not know.
    pub fn is_satisfied_by(&self, target: &Self, profile: Option<KnownProfile>) -> bool {
        same(&self.version, &target.version)
            && both(&self.svn, &target.svn, |condition, entry| svn(*condition, *entry))
            && (self.digests.is_empty() || digests(&self.digests, &target.digests))
            && both(&self.flags, &target.flags, flags)
            && both(&self.raw_value, &target.raw_value, raw_value)
            && same(&self.mac_addr, &target.mac_addr)
            && same(&self.ip_addr, &target.ip_addr)
            && same(&self.serial_number, &target.serial_number)
            && same(&self.ueid, &target.ueid)
            && same(&self.uuid, &target.uuid)
            && same(&self.name, &target.name)
            && cryptokeys(&self.cryptokeys, &target.cryptokeys)
            && self.integrity_registers.iter().all(|(id, condition)| {
                target.integrity_registers.get(id).is_some_and(|entry| digests(condition, entry))
            })
            && both(&self.int_range, &target.int_range, |condition, entry| int_range(*condition, *entry))
            && extensions(&self.extensions, &target.extensions, profile)
    }

    /// Whether it is the keys alone for which `target` does not satisfy these: everything else does, and there is
    /// something else.
    pub(crate) fn fails_by_keys_alone(&self, target: &Self, profile: Option<KnownProfile>) -> bool {
        let without = Self { cryptokeys: Vec::new(), ..self.clone() };
        without != Self::default()
            && !cryptokeys(&self.cryptokeys, &target.cryptokeys)
            && without.is_satisfied_by(target, profile)
    }
}

impl MeasurementValues {
    /// Whether something is said in both, and not the same.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        fn differ<T: PartialEq>(one: &Option<T>, two: &Option<T>) -> bool {
            one.is_some() && two.is_some() && one != two
        }
        fn lists_differ<T: PartialEq>(one: &[T], two: &[T]) -> bool {
            !one.is_empty() && !two.is_empty() && one != two
        }
        let registers = self.integrity_registers.iter().any(|(id, register)| {
            other.integrity_registers.get(id).is_some_and(|other| lists_differ(register, other))
        });
        let extensions = self
            .extensions
            .iter()
            .any(|(key, value)| other.extensions.find(key).is_some_and(|other| other != value));
        differ(&self.version, &other.version)
            || differ(&self.svn, &other.svn)
            || lists_differ(&self.digests, &other.digests)
            || differ(&self.flags, &other.flags)
            || differ(&self.raw_value, &other.raw_value)
            || differ(&self.mac_addr, &other.mac_addr)
            || differ(&self.ip_addr, &other.ip_addr)
            || differ(&self.serial_number, &other.serial_number)
            || differ(&self.ueid, &other.ueid)
            || differ(&self.uuid, &other.uuid)
            || differ(&self.name, &other.name)
            || lists_differ(&self.cryptokeys, &other.cryptokeys)
            || registers
            || differ(&self.int_range, &other.int_range)
            || extensions
    }
}

/// Nothing is asked, or there is an equal value.
fn same<T: PartialEq>(condition: &Option<T>, entry: &Option<T>) -> bool {
    condition.is_none() || condition == entry
}

/// Nothing is asked, or there is a value that fits.
fn both<T>(condition: &Option<T>, entry: &Option<T>, fits: impl FnOnce(&T, &T) -> bool) -> bool {
    match (condition, entry) {
        (None, _) => true,
        (Some(condition), Some(entry)) => fits(condition, entry),
        (Some(_), None) => false,
    }
}

/// A minimum as a state is a state of its own: nothing but the same minimum is satisfied by it.
fn svn(condition: Svn, entry: Svn) -> bool {
    match (condition, entry) {
        (Svn::Bare(condition) | Svn::Exact(condition), Svn::Bare(entry) | Svn::Exact(entry)) => {
            condition == entry
        }
        (Svn::Min(condition), Svn::Bare(entry) | Svn::Exact(entry)) => condition <= entry,
        (Svn::Min(condition), Svn::Min(entry)) => condition == entry,
        (Svn::Bare(_) | Svn::Exact(_), Svn::Min(_)) => false,
    }
}

/// Some algorithm is common, and all that are agree. A truncated digest alone proves too little to be a match, though a
/// wrong one is none either.
fn digests(condition: &[Digest], entry: &[Digest]) -> bool {
    let (Some(condition), Some(entry)) = (by_algorithm(condition), by_algorithm(entry)) else { return false };
    let mut proven = false;
    for (algorithm, value) in &condition {
        let Ok(index) = entry.binary_search_by(|(other, _)| other.cmp(algorithm)) else { continue };
        let Some((_, other)) = entry.get(index) else { continue };
        if value != other {
            return false;
        }
        proven |= !is_weak(algorithm);
    }
    proven
}

/// None where an algorithm occurs twice.
fn by_algorithm(digests: &[Digest]) -> Option<Vec<(DigestAlgorithm, &[u8])>> {
    let mut all: Vec<_> =
        digests.iter().map(|digest| (digest.algorithm().canonical(), digest.value())).collect();
    all.sort();
    let twice = all.windows(2).any(|pair| matches!(pair, [(one, _), (two, _)] if one == two));
    (!twice).then_some(all)
}

/// Numbers 2 to 6 are truncated forms of SHA-256; 0 stands for nothing.
pub(crate) fn is_weak(algorithm: &DigestAlgorithm) -> bool {
    matches!(algorithm, DigestAlgorithm::Id(0 | 2..=6))
}

fn flags(condition: &Flags, entry: &Flags) -> bool {
    condition.extensions.is_empty()
        && condition.known.iter().all(|(number, set)| entry.known.get(number) == Some(set))
}

/// What is found is plain; the condition may have a mask, as long as the value.
fn raw_value(condition: &RawValue, entry: &RawValue) -> bool {
    let RawValue::Plain(entry) = entry else { return false };
    match condition {
        RawValue::Plain(value) => value == entry,
        RawValue::Masked { value, mask } | RawValue::OlderMasked { value, mask } => {
            value.len() == entry.len()
                && value.len() == mask.len()
                && value.iter().zip(entry).zip(mask).all(|((value, entry), mask)| (value ^ entry) & mask == 0)
        }
    }
}

/// In order, from the first; more may follow.
fn cryptokeys(condition: &[CryptoKey], entry: &[CryptoKey]) -> bool {
    entry.starts_with(condition)
}

/// All of the entry lies in the condition, and there is something in it.
fn int_range(condition: IntRange, entry: IntRange) -> bool {
    let limits = |range| match range {
        IntRange::Exact(value) => (Some(value), Some(value)),
        IntRange::Range(min, max) => (min, max),
    };
    let ((low, high), (min, max)) = (limits(condition), limits(entry));
    let is_empty = min.zip(max).is_some_and(|(min, max)| min > max);
    !is_empty
        && low.is_none_or(|low| min.is_some_and(|min| min >= low))
        && high.is_none_or(|high| max.is_some_and(|max| max <= high))
}

/// Only a profile says how to compare what the base specification does not know; those that do say "equal".
fn extensions(condition: &Extensions, entry: &Extensions, profile: Option<KnownProfile>) -> bool {
    condition.is_empty()
        || profile.is_some_and(|profile| {
            condition.iter().all(|(key, value)| profile.compares(key) && entry.find(key) == Some(value))
        })
}

#[cfg(test)]
mod tests;
