use alloc::vec::Vec;

use super::Fault;
use crate::{Order, Reason};

/// The keys of one map so far, encoded.
#[derive(Debug)]
pub(super) struct SeenKeys<'b> {
    order: Order,
    /// The key before, in deterministic order; no key is empty.
    last: &'b [u8],
    /// In any order: the first keys, so that most maps need no memory. No key is empty, and places without one are.
    few: [&'b [u8]; FEW],
    /// In any order: every other key, in runs that are sorted each. The lengths of the runs are the powers of two that the
    /// number of keys is the sum of, the longest first. An adversary chooses the keys: to find one takes a search in each
    /// run, and each key is merged into a longer run no more often than there are runs.
    runs: Vec<&'b [u8]>,
}

/// How many keys are kept without memory.
const FEW: usize = 4;

impl<'b> SeenKeys<'b> {
    pub(super) fn new(order: Order) -> Self {
        Self { order, last: &[], few: [&[]; FEW], runs: Vec::new() }
    }

    /// Takes note of a key that stands at `at`.
    pub(super) fn see(&mut self, key: &'b [u8], at: usize) -> Result<(), Fault> {
        match self.order {
            Order::Deterministic => {
                let before = core::mem::replace(&mut self.last, key);
                if before >= key {
                    let reason = if before == key { Reason::DuplicateKey } else { Reason::KeyOrder };
                    return Err(Fault::new(at, reason));
                }
            }
            Order::Unique => {
                for place in &mut self.few {
                    if place.is_empty() {
                        *place = key;
                        return Ok(());
                    }
                    if *place == key {
                        return Err(Fault::new(at, Reason::DuplicateKey));
                    }
                }
                if self.is_in_runs(key) {
                    return Err(Fault::new(at, Reason::DuplicateKey));
                }
                self.insert(key);
            }
        }
        Ok(())
    }

    fn is_in_runs(&self, key: &[u8]) -> bool {
        let mut rest = self.runs.as_slice();
        while !rest.is_empty() {
            let longest = 1 << rest.len().ilog2();
            let (run, shorter) = rest.split_at_checked(longest).unwrap_or_default();
            if run.binary_search(&key).is_ok() {
                return true;
            }
            rest = shorter;
        }
        false
    }

    fn insert(&mut self, key: &'b [u8]) {
        let mut run = alloc::vec![key];
        for _ in 0..self.runs.len().trailing_ones() {
            // The shortest run has as many keys as the one that is being made.
            let start = self.runs.len().saturating_sub(run.len());
            run = merge(self.runs.get(start..).unwrap_or_default(), &run);
            self.runs.truncate(start);
        }
        self.runs.extend_from_slice(&run);
    }
}

/// One sorted run of two.
fn merge<'b>(mut left: &[&'b [u8]], mut right: &[&'b [u8]]) -> Vec<&'b [u8]> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some((a, after_a)), Some((b, after_b))) = (left.split_first(), right.split_first()) {
        if a < b {
            merged.push(*a);
            left = after_a;
        } else {
            merged.push(*b);
            right = after_b;
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the order of the keys, each is new once, and known from then on.
    #[test]
    fn keys_in_any_order_are_taken_once() {
        let keys: Vec<[u8; 2]> = (0..1000u16).map(u16::to_be_bytes).collect();
        // Upwards, downwards, and by steps that share no factor with the number of keys.
        for step in [1, 999, 7, 333, 501] {
            let mut seen = SeenKeys::new(Order::Unique);
            for number in 0..keys.len() {
                let key = &keys[number * step % keys.len()];
                seen.see(key, number).unwrap();
                assert!(seen.see(key, number).is_err() && seen.see(&keys[0], number).is_err());
            }
            assert_eq!(seen.runs.len(), keys.len() - FEW);
            for (number, key) in keys.iter().enumerate() {
                let error = crate::Error::from(seen.see(key, number).unwrap_err());
                assert_eq!(error, crate::Error::new(number, Reason::DuplicateKey));
            }
        }
    }

    #[test]
    fn runs_stay_sorted_and_as_long_as_powers_of_two() {
        let keys: Vec<[u8; 1]> = (0..100u8).rev().map(|key| [key]).collect();
        let mut seen = SeenKeys::new(Order::Unique);
        for (number, key) in keys.iter().enumerate() {
            seen.see(key, number).unwrap();
            let mut rest = seen.runs.as_slice();
            while !rest.is_empty() {
                let (run, shorter) = rest.split_at(1 << rest.len().ilog2());
                assert!(run.is_sorted());
                rest = shorter;
            }
        }
    }
}
