use alloc::vec::Vec;

use super::Fault;
use crate::{Order, Reason};

/// The keys of one map so far, encoded.
#[derive(Debug)]
pub(super) struct SeenKeys<'b> {
    order: Order,
    /// The key before, in deterministic order; no key is empty.
    last: &'b [u8],
    /// In any order: every key, in runs that are sorted each. The lengths of the runs are the powers of two that the
    /// number of keys is the sum of, the longest first. An adversary chooses the keys: to find one takes a search in each
    /// run, and each key is merged into a longer run no more often than there are runs.
    runs: Vec<&'b [u8]>,
}

impl<'b> SeenKeys<'b> {
    pub(super) fn new(order: Order) -> Self {
        Self { order, last: &[], runs: Vec::new() }
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
                if self.contains(key) {
                    return Err(Fault::new(at, Reason::DuplicateKey));
                }
                self.insert(key);
            }
        }
        Ok(())
    }

    fn contains(&self, key: &[u8]) -> bool {
        let mut rest = self.runs.as_slice();
        while !rest.is_empty() {
            let longest = 1 << rest.len().ilog2();
            let (run, shorter) = rest.split_at(longest);
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
            let shorter = self.runs.split_off(self.runs.len() - run.len());
            run = merge(&shorter, &run);
        }
        self.runs.append(&mut run);
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
