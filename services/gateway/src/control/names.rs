//! Names as the resolver of the gateway handles them, with what the control half adds to the enforcer's view.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::SavedName;
use super::controller::now_ms;
use crate::{Error, Names, Shared, Standing};

/// The enforcer's names, those that every device needs, and a memory of which address was given for which name.
pub(super) struct Observed {
    enforcer: Shared,
    /// Names of the servers for attestation and update: a device that may reach nothing else needs them.
    needed: BTreeSet<String>,
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    /// Names of an address, and until when each is good.
    names: HashMap<IpAddr, BTreeMap<String, i64>>,
    unsaved: bool,
}

impl Observed {
    /// With what was remembered before a restart.
    pub(super) fn new(enforcer: Shared, needed: BTreeSet<String>, saved: &[SavedName]) -> Self {
        let mut given = Given::default();
        for saved in saved {
            given.names.entry(saved.address).or_default().insert(saved.name.clone(), saved.until);
        }
        Self { enforcer, needed, given: Mutex::new(given) }
    }

    /// The name for which an address was last given to a device.
    pub(super) fn name_of(&self, address: IpAddr) -> Option<String> {
        let given = self.given();
        let newest = given.names.get(&address)?.iter().max_by_key(|(_, until)| **until)?;
        Some(newest.0.clone())
    }

    /// What is to be remembered over a restart, if that changed since the last call.
    pub(super) fn unsaved(&self, now: i64) -> Option<Vec<SavedName>> {
        let mut given = self.given();
        if !std::mem::take(&mut given.unsaved) {
            return None;
        }
        given.forget(now);
        let names = given.names.iter().flat_map(|(address, names)| names.iter().map(|name| (*address, name)));
        Some(
            names
                .map(|(address, (name, until))| SavedName { name: name.clone(), address, until: *until })
                .collect(),
        )
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Given {
    fn remember(&mut self, name: &str, addresses: &[IpAddr], lifetime: u32, capacity: usize) {
        let now = now_ms() / 1000;
        if self.names.len() + addresses.len() > capacity {
            self.forget(now);
        }
        let until = now.saturating_add(i64::from(lifetime));
        for address in addresses {
            if self.names.len() >= capacity && !self.names.contains_key(address) {
                continue;
            }
            let known = self.names.entry(*address).or_default().entry(name.to_owned()).or_default();
            *known = until.max(*known);
            self.unsaved = true;
        }
    }

    fn forget(&mut self, now: i64) {
        for names in self.names.values_mut() {
            names.retain(|_, until| *until > now);
        }
        self.names.retain(|_, names| !names.is_empty());
    }
}

impl Names for Observed {
    fn standing(&self, source: IpAddr, name: &str) -> Standing {
        needed_or(self.enforcer.standing(source, name), self.needed.contains(name))
    }

    fn learn(&self, name: &str, addresses: &[IpAddr], lifetime: u32) -> Result<(), Error> {
        self.enforcer.learn(name, addresses, lifetime)?;
        self.given().remember(name, addresses, lifetime, CAPACITY);
        Ok(())
    }

    fn note(&self, name: &str, addresses: &[IpAddr], lifetime: u32) {
        // Anybody can ask for names that no policy lists, and must not crowd out those that one does.
        self.given().remember(name, addresses, lifetime, CAPACITY / 2);
    }
}

/// What is needed is told to everybody, and to whoever's policy lists it as well, as any name of that policy.
fn needed_or(standing: Standing, needed: bool) -> Standing {
    match standing {
        Standing::Unlisted { .. } | Standing::Stranger if needed => Standing::Needed,
        other => other,
    }
}

/// What a restart makes of remembered addresses: the names with as many seconds as are left.
pub(super) fn wanted(saved: &[SavedName], now: i64) -> Vec<(String, Vec<IpAddr>, u32)> {
    let left =
        |saved: &SavedName| u32::try_from(saved.until.saturating_sub(now)).ok().filter(|left| *left > 0);
    saved.iter().filter_map(|saved| Some((saved.name.clone(), vec![saved.address], left(saved)?))).collect()
}

/// Addresses whose names are remembered.
const CAPACITY: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceId;

    #[test]
    fn names_that_no_policy_lists_leave_room_for_those_that_one_does() {
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        let mut given = Given::default();
        for number in 0..CAPACITY as u32 {
            given.remember("stray.example", &[address(number)], 300, CAPACITY / 2);
        }
        assert_eq!(given.names.len(), CAPACITY / 2);
        let listed = address(CAPACITY as u32);
        given.remember("listed.example", &[listed], 300, CAPACITY);
        assert!(given.names.contains_key(&listed));
        // One address of many names has room too.
        given.remember("other.example", &[address(0)], 300, CAPACITY / 2);
        assert_eq!(given.names[&address(0)].len(), 2);
    }

    #[test]
    fn needed_names_are_for_everybody() {
        let device = DeviceId::new(&[1]).unwrap();
        let unlisted = Standing::Unlisted { device: device.clone(), restricted: true };
        for (standing, needed, expected) in [
            (Standing::Stranger, true, Standing::Needed),
            (Standing::Stranger, false, Standing::Stranger),
            (unlisted.clone(), true, Standing::Needed),
            (unlisted.clone(), false, unlisted),
            (Standing::Listed(device.clone()), true, Standing::Listed(device)),
        ] {
            assert_eq!(needed_or(standing, needed), expected);
        }
    }
}
