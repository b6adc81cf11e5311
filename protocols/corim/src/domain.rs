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
/// None hold where they contradict themselves in a cycle.
pub(crate) fn held<'a>(
    triples: &[&'a DomainTriple],
    is_there: impl Fn(&Environment) -> bool,
) -> Vec<&'a DomainTriple> {
    if !is_acyclic(triples.iter().copied()) {
        return Vec::new();
    }
    let mut waiting: Vec<&DomainTriple> = triples.to_vec();
    let mut domains: BTreeSet<&Environment> = BTreeSet::new();
    let mut held = Vec::new();
    loop {
        let before = waiting.len();
        waiting.retain(|triple| {
            let holds = triple.others.iter().all(|member| domains.contains(member) || is_there(member));
            if holds {
                held.push(*triple);
            }
            !holds
        });
        if waiting.len() == before {
            return held;
        }
        domains.extend(held.iter().map(|triple| &triple.domain));
    }
}

/// The dependency triples that hold: every trustee is a member of the domain that depends on it, and nothing depends on
/// itself.
pub(crate) fn depended<'a>(triples: &[&'a DomainTriple], members: &[&DomainTriple]) -> Vec<&'a DomainTriple> {
    if !is_acyclic(triples.iter().copied()) {
        return Vec::new();
    }
    let holds = |triple: &&&DomainTriple| {
        members.iter().any(|member| {
            member.domain == triple.domain && triple.others.iter().all(|other| member.others.contains(other))
        })
    };
    triples.iter().filter(holds).copied().collect()
}
