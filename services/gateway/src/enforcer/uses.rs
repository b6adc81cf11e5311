//! Which starts of a policy are used: flows that began by each, as the kernel counts them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Enforcer;
use super::shadow::{Shadow, Staged, fits, place};
use crate::PolicyId;
use crate::nft::{Counter, Program, Side, Spot, read_counters, rules_before};

/// What was counted, and what of it was not told yet.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// As the kernel last had it; nothing before the first look.
    last: Option<BTreeMap<Counter, u64>>,
    new: BTreeMap<PolicyId, BTreeMap<usize, u64>>,
}

impl Enforcer {
    /// Flows that began since the last call, by policy and by the number of the start among those that its program was made of.
    /// Taken with each comparison of the kernel ([`Enforcer::reconcile`]): what began between the last one and a change of the
    /// policy is not counted.
    pub fn take_uses(&mut self) -> BTreeMap<PolicyId, BTreeMap<usize, u64>> {
        std::mem::take(&mut self.uses.new)
    }

    /// What the kernel counts from now on is new, though nobody looked yet.
    pub(super) fn begin_uses(&mut self) {
        self.uses.last.get_or_insert_default();
    }

    /// Takes the counts of a listing. What the first one has was counted for another process.
    pub(super) fn count_uses(&mut self, listing: &Value) {
        let counters = read_counters(listing);
        let Some(last) = &self.uses.last else {
            self.uses.last = Some(counters);
            return;
        };
        let grown = |counter: Counter| {
            let now = counters.get(&counter).copied().unwrap_or(0);
            let before = last.get(&counter).copied().unwrap_or(0);
            // Less than before is another rule or element of the same name.
            if now >= before { now - before } else { now }
        };
        for (policy, staged) in &self.shadow.policies {
            let mut starts: BTreeMap<usize, u64> = BTreeMap::new();
            for (start, spot) in &staged.program.spots {
                let flows: u64 = counters_of(&self.shadow, staged, spot).into_iter().map(&grown).sum();
                if flows > 0 {
                    *starts.entry(*start).or_default() += flows;
                }
            }
            for (start, flows) in starts {
                *self.uses.new.entry(*policy).or_default().entry(start).or_default() += flows;
            }
        }
        self.uses.last = Some(counters);
    }
}

/// The kernel's counters of one place.
fn counters_of(shadow: &Shadow, staged: &Staged, spot: &Spot) -> Vec<Counter> {
    let Staged { program, names } = staged;
    match spot {
        Spot::Rule(number) => {
            let Some((side, number)) = in_chain(program, *number) else { return Vec::new() };
            vec![Counter::Rule(names.chain(side), number)]
        }
        Spot::Key(side, key) => {
            let set = names.keys(*side, mud::Family::of(key.address));
            vec![Counter::Element(set, key.address, Some((key.protocol, key.port)))]
        }
        Spot::Name(slot, name) => {
            let known = shadow.names.get(name).into_iter().flatten().map(|known| known.address);
            let (set, key) = place(names, slot);
            let element = |address| Counter::Element(set.clone(), address, key);
            known.filter(|address| fits(slot, *address)).map(element).collect()
        }
    }
}

/// A rule of a program by its chain and its number there.
fn in_chain(program: &Program, number: usize) -> Option<(Side, usize)> {
    let rule = program.rules.get(number)?;
    let before = program.rules.get(..number)?.iter().filter(|other| other.side == rule.side).count();
    Some((rule.side, rules_before(program, rule.side) + before))
}
