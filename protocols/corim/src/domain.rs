//! Environments made up of others, and those that others depend on (draft, section "Triples for domain definition").

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{DomainTriple, Environment};

/// Whether no domain is below itself, over however many steps.
///
/// Environments are the same only when they are equal, as the draft has it for domains.
pub fn is_acyclic<'a>(triples: impl IntoIterator<Item = &'a DomainTriple>) -> bool {
    let mut below: BTreeMap<&Environment, BTreeSet<&Environment>> = BTreeMap::new();
    let mut above: BTreeMap<&Environment, usize> = BTreeMap::new();
    for triple in triples {
        for other in &triple.others {
            if below.entry(&triple.domain).or_default().insert(other) {
                *above.entry(other).or_default() += 1;
            }
        }
    }
    // Takes away what nothing is above of, until nothing is left or a cycle is (Kahn's algorithm).
    let mut free: Vec<&Environment> =
        below.keys().copied().filter(|domain| !above.contains_key(domain)).collect();
    let mut taken = 0;
    while let Some(domain) = free.pop() {
        for other in below.get(domain).into_iter().flatten() {
            taken += 1;
            if let Some(count) = above.get_mut(other) {
                *count -= 1;
                if *count == 0 {
                    free.push(other);
                }
            }
        }
    }
    taken == below.values().map(BTreeSet::len).sum::<usize>()
}

/// The membership triples that hold: every member is an environment that is known to be there, or a domain that holds.
/// None hold where they contradict themselves in a cycle. `is_there` is asked once for each environment, `step` called for
/// each look at a member.
pub(crate) fn held<'a, E>(
    triples: &[&'a DomainTriple],
    mut is_there: impl FnMut(&Environment) -> Result<bool, E>,
    mut step: impl FnMut() -> Result<(), E>,
) -> Result<Vec<&'a DomainTriple>, E> {
    let mut held = Vec::new();
    if !is_acyclic(triples.iter().copied()) {
        return Ok(held);
    }
    let mut known: BTreeMap<&Environment, bool> = BTreeMap::new();
    for environment in triples.iter().flat_map(|triple| &triple.others) {
        if !known.contains_key(environment) {
            known.insert(environment, is_there(environment)?);
        }
    }
    let mut waiting: Vec<&DomainTriple> = triples.to_vec();
    loop {
        let mut later = Vec::new();
        let before = held.len();
        for triple in waiting {
            let mut holds = true;
            for member in &triple.others {
                step()?;
                holds = holds && known.get(member) == Some(&true);
            }
            if holds { held.push(triple) } else { later.push(triple) }
        }
        // Only what held before this round is built upon, so that the order of the triples does not matter.
        held.iter().skip(before).for_each(|triple| _ = known.insert(&triple.domain, true));
        if held.len() == before {
            return Ok(held);
        }
        waiting = later;
    }
}

/// The dependency triples that hold: every trustee is a member of the domain that depends on it, and nothing depends on
/// itself.
pub(crate) fn depended<'a>(triples: &[&'a DomainTriple], members: &[&DomainTriple]) -> Vec<&'a DomainTriple> {
    if !is_acyclic(triples.iter().copied()) {
        return Vec::new();
    }
    let mut of_domain: BTreeMap<&Environment, BTreeSet<&Environment>> = BTreeMap::new();
    for member in members {
        of_domain.entry(&member.domain).or_default().extend(&member.others);
    }
    let holds = |triple: &&&DomainTriple| {
        let members = of_domain.get(&triple.domain);
        members.is_some_and(|members| triple.others.iter().all(|other| members.contains(other)))
    };
    triples.iter().filter(holds).copied().collect()
}
