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
        let now = now_ms() / 1000;
        let mut given = self.given();
        if given.names.len() + addresses.len() > CAPACITY {
            given.forget(now);
        }
        for address in addresses.iter().filter(|_| given.names.len() < CAPACITY).copied().collect::<Vec<_>>()
        {
            let until = now.saturating_add(i64::from(lifetime));
            let known = given.names.entry(address).or_default().entry(name.to_owned()).or_default();
            *known = until.max(*known);
            given.unsaved = true;
        }
        Ok(())
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
