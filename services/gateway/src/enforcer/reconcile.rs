//! After a start, and from time to time: compares the kernel with the wanted state and applies the difference.
//!
//! Chains and sets are called after their contents, so a policy that is there under its name stays untouched, with
//! the addresses its sets have learned.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use mud::Family;

use super::changes::{add_devices, change_members, delete_devices, link, unlink};
use super::{Enforcer, Wanted, update_only};
use crate::nft::{
    Element, Found, Name, Program, Side, Table, Transaction, class_set, handshakes_wait, nft,
    queue_handshakes, rule_count,
};
use crate::{DeviceId, Error, PolicyId, TlsMode};

impl Enforcer {
    /// Makes the kernel hold what it should, in one transaction. Idempotent; does nothing when all is well. The flows
    /// of devices that were under another policy are judged again.
    pub fn reconcile(&mut self) -> Result<(), Error> {
        if self.shadow.site.tls != TlsMode::Off && !handshakes_wait(&self.nft)? {
            tracing::warn!("the table in which handshakes wait was gone");
            queue_handshakes(&mut self.nft, self.shadow.site.tls)?;
        }
        let Some(listing) = self.nft.list(Table::Inet)? else {
            return self.rebuild("no table".to_owned());
        };
        let found = match Found::read(&listing, &self.shadow.site) {
            Some(found) if found.ours => found,
            Some(_) => return self.rebuild("a table of another version or site".to_owned()),
            None => return self.rebuild("a table that is not ours".to_owned()),
        };
        self.count_uses(&listing);
        let (tx, changed) = self.difference(&found);
        if !tx.is_empty() {
            tracing::info!("packet filter differs from the wanted state");
        }
        match self.nft.commit(&tx) {
            Ok(()) => {
                self.doubtful = false;
                self.applied(&changed)
            }
            Err(error) => self.rebuild(error.to_string()),
        }
    }

    /// Takes the wanted state into the shadow, before anything is in the kernel.
    pub(super) fn want(&mut self, wanted: Wanted) -> Result<(), Error> {
        let Wanted { mut policies, devices, classes, names } = wanted;
        policies.insert(PolicyId::BLOCKED, Program::blocked());
        policies.insert(PolicyId::EJECTED, Program::blocked());
        if let std::collections::btree_map::Entry::Vacant(place) = policies.entry(PolicyId::UPDATE_ONLY) {
            place.insert(update_only()?);
        }
        self.shadow.named = classes;
        for (id, program) in policies {
            let _new = self.shadow.use_classes(&program);
            let staged = self.shadow.staged(id, program);
            self.shadow.policies.insert(id, staged);
            self.next = self.next.max(id.number() + 1);
        }
        let now = Instant::now();
        for (name, addresses, lifetime) in names {
            let _changed = self.shadow.remember(&name, &addresses, lifetime, now);
        }
        let mut unused = Transaction::new();
        for (binding, policy) in devices {
            self.known(policy)?;
            let taken = binding
                .addresses
                .iter()
                .find_map(|address| Some((*address, self.device_at(*address)?.clone())));
            if let Some((address, holder)) = taken {
                return Err(Error::AddressTaken { address, holder });
            }
            self.enrol(&mut unused, binding, policy);
        }
        Ok(())
    }

    /// What is to be done, and which devices were under another policy until then.
    fn difference(&self, found: &Found) -> (Transaction, Vec<DeviceId>) {
        let mut tx = Transaction::new();
        let kept_classes = self.difference_of_classes(&mut tx, found);
        let (kept, relinked) = self.difference_of_policies(&mut tx, found);
        let moved = self.difference_of_devices(&mut tx, found);
        let changed = self.shadow.devices.iter().filter(|(_, admitted)| {
            let moved = admitted.binding.addresses.iter().any(|address| moved.contains(address));
            moved || relinked.contains(&admitted.policy)
        });
        let changed = changed.map(|(device, _)| device.clone()).collect();

        // What nothing refers to any more: chains before the sets that their rules use.
        let gone: Vec<&Name> = found
            .chains
            .keys()
            .filter(|chain| is_policy(chain) && !kept.iter().any(|base| of(chain, base)))
            .collect();
        for chain in &gone {
            nft!(tx, "flush chain inet sextant", **chain);
        }
        for chain in gone {
            nft!(tx, "delete chain inet sextant", *chain);
        }
        for set in found.sets.iter().filter(|set| !kept.iter().any(|base| of(set, base))) {
            nft!(tx, "delete set inet sextant", *set);
        }
        for set in found.classes.keys().filter(|set| !kept_classes.contains(*set)) {
            nft!(tx, "delete set inet sextant", *set);
        }
        (tx, changed)
    }

    fn difference_of_classes(&self, tx: &mut Transaction, found: &Found) -> BTreeSet<Name> {
        let mut kept = BTreeSet::new();
        for class in self.shadow.uses.keys() {
            let sets = [Family::V4, Family::V6].map(|family| (family, class_set(class, family)));
            if sets.iter().all(|(_, set)| found.classes.contains_key(set)) {
                for (family, set) in &sets {
                    let wanted = self.shadow.members(class, *family);
                    let Some(present) = found.classes.get(set) else { continue };
                    let gone: Vec<_> = present.difference(&wanted).copied().collect();
                    let come: Vec<_> = wanted.difference(present).copied().collect();
                    change_members(tx, set, &gone, &come);
                }
            } else {
                self.shadow.make_class(tx, class);
            }
            kept.extend(sets.into_iter().map(|(_, set)| set));
        }
        kept
    }

    /// Gives the names of the policies whose chains stay or are made here, and the policies that have new contents.
    fn difference_of_policies(
        &self,
        tx: &mut Transaction,
        found: &Found,
    ) -> (BTreeSet<Name>, BTreeSet<PolicyId>) {
        let now = Instant::now();
        let mut kept = BTreeSet::new();
        let mut relinked = BTreeSet::new();
        for (id, staged) in &self.shadow.policies {
            let whole = [Side::From, Side::To].into_iter().all(|side| {
                let chain = staged.names.chain(side);
                found.chains.get(&chain) == Some(&rule_count(&staged.program, side))
            });
            if whole {
                self.shadow.fill_names(tx, staged, now);
            } else {
                self.shadow.make_policy(tx, staged, now);
            }
            let linked = [(Side::From, &found.from), (Side::To, &found.to)]
                .into_iter()
                .all(|(side, map)| map.get(&id.number()) == Some(&staged.names.chain(side)));
            if !linked {
                delete_verdicts(tx, found, id.number());
                link(tx, *id, &staged.names);
                relinked.insert(*id);
            }
            kept.insert(staged.names.base().clone());
        }
        let numbers: BTreeSet<u32> = found.from.keys().chain(found.to.keys()).copied().collect();
        for number in
            numbers.into_iter().filter(|number| !self.shadow.policies.contains_key(&PolicyId(*number)))
        {
            delete_verdicts(tx, found, number);
        }
        (kept, relinked)
    }

    /// Gives the addresses whose elements were not as they should be.
    fn difference_of_devices(&self, tx: &mut Transaction, found: &Found) -> BTreeSet<IpAddr> {
        let wanted: BTreeMap<Element, PolicyId> = self.wanted_elements().collect();
        let stays =
            |element: &Element, mark: u32| wanted.get(element).is_some_and(|policy| policy.number() == mark);
        let gone: Vec<Element> = found
            .devices
            .iter()
            .filter(|(element, mark)| !stays(element, **mark))
            .map(|(element, _)| *element)
            .collect();
        let come: Vec<(Element, PolicyId)> = wanted
            .iter()
            .filter(|(element, policy)| found.devices.get(element) != Some(&policy.number()))
            .map(|(element, policy)| (*element, *policy))
            .collect();
        delete_devices(tx, &gone);
        add_devices(tx, &come);
        come.into_iter().map(|(element, _)| element.address).collect()
    }
}

fn delete_verdicts(tx: &mut Transaction, found: &Found, number: u32) {
    match (found.from.contains_key(&number), found.to.contains_key(&number)) {
        (true, true) => unlink(tx, PolicyId(number)),
        (true, false) => nft!(*tx, "delete element inet sextant pol_from {", number, "}"),
        (false, true) => nft!(*tx, "delete element inet sextant pol_to {", number, "}"),
        (false, false) => {}
    }
}

/// Chains of policies are `p<digest>_…`.
fn is_policy(chain: &Name) -> bool {
    chain.as_str().len() > 34 && chain.as_str().starts_with('p')
}

fn of(name: &Name, base: &Name) -> bool {
    name.as_str().strip_prefix(base.as_str()).is_some_and(|rest| rest.starts_with('_'))
}
