//! Names as the resolver of the gateway handles them, with what the control half adds to the enforcer's view.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::{Error, Names, Shared, Standing};

/// The enforcer's names, those that every device needs, and a memory of which name an address was given for.
pub(super) struct Observed {
    enforcer: Shared,
    /// Names of the servers for attestation and update: a device that may reach nothing else needs them.
    needed: BTreeSet<String>,
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    names: HashMap<IpAddr, String>,
    order: VecDeque<IpAddr>,
}

impl Observed {
    pub(super) fn new(enforcer: Shared, needed: BTreeSet<String>) -> Self {
        Self { enforcer, needed, given: Mutex::default() }
    }

    /// The name for which an address was last given to a device.
    pub(super) fn name_of(&self, address: IpAddr) -> Option<String> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).names.get(&address).cloned()
    }
}

impl Names for Observed {
    fn standing(&self, source: IpAddr, name: &str) -> Standing {
        match self.enforcer.standing(source, name) {
            Standing::Unlisted { device, .. } if self.needed.contains(name) => Standing::Listed(device),
            other => other,
        }
    }

    fn learn(&self, name: &str, addresses: &[IpAddr], lifetime: u32) -> Result<(), Error> {
        self.enforcer.learn(name, addresses, lifetime)?;
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        for address in addresses {
            if given.names.insert(*address, name.to_owned()).is_none() {
                given.order.push_back(*address);
            }
        }
        while given.order.len() > CAPACITY {
            let oldest = given.order.pop_front();
            oldest.and_then(|address| given.names.remove(&address));
        }
        Ok(())
    }
}

/// Addresses whose names are remembered.
const CAPACITY: usize = 8192;
