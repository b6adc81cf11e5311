//! Addresses of names: from an answer of the resolver into the sets of every policy that lists the name.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Enforcer;
use super::shadow::{Known, fits};
use crate::dns::{Names, Standing};
use crate::nft::Transaction;
use crate::{Error, PolicyId};

impl Enforcer {
    /// Addresses kept for one name. The ones that would expire first make room: a name cannot collect the Internet.
    pub const MAX_ADDRESSES: usize = 64;

    /// Permits the addresses of a name for its lifetime (at least five minutes) and a minute of grace, wherever a
    /// policy lists it. When this returns, the kernel does.
    pub fn learn(
        &mut self,
        name: &str,
        addresses: &[IpAddr],
        lifetime: u32,
        now: Instant,
    ) -> Result<(), Error> {
        if !self.shadow.policies.values().any(|staged| staged.program.lists(name)) {
            return Ok(());
        }
        let changed = self.remember(name, addresses, lifetime, now);
        let mut tx = Transaction::new();
        for staged in self.shadow.policies.values() {
            for slot in staged.program.slots(name) {
                for address in changed.iter().filter(|address| fits(slot, **address)) {
                    self.shadow.put_address(&mut tx, staged, slot, *address, now);
                }
            }
        }
        self.commit(&tx)
    }

    /// Addresses whose kernel timeouts have to change.
    pub(super) fn remember(
        &mut self,
        name: &str,
        addresses: &[IpAddr],
        lifetime: u32,
        now: Instant,
    ) -> BTreeSet<IpAddr> {
        let known = self.shadow.names.entry(name.to_owned()).or_default();
        let lifetime = Duration::from_secs(lifetime.into()).min(LONGEST);
        let until = now + lifetime.max(SHORTEST) + GRACE;
        let mut changed = BTreeSet::new();
        for address in addresses.iter().take(Self::MAX_ADDRESSES) {
            match known.iter_mut().find(|known| known.address == *address) {
                // Nothing to do while the kernel's timeout outlasts the answer.
                Some(known) if known.until >= now + lifetime + GRACE => {}
                Some(known) => {
                    known.until = until;
                    changed.insert(*address);
                }
                None => {
                    known.push(Known { address: *address, until });
                    changed.insert(*address);
                }
            }
        }
        while known.len() > Self::MAX_ADDRESSES {
            let first = known.iter().enumerate().min_by_key(|(_, known)| known.until).map(|(index, _)| index);
            let Some(first) = first else { break };
            changed.insert(known.swap_remove(first).address);
        }
        changed
    }
}

/// An enforcer that several tasks use.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Enforcer>>);

impl Shared {
    /// Shares an enforcer.
    pub fn new(enforcer: Enforcer) -> Self {
        Self(Arc::new(Mutex::new(enforcer)))
    }

    /// Uses it; others wait. A change takes milliseconds, so call this where waiting is allowed.
    pub fn with<T>(&self, act: impl FnOnce(&mut Enforcer) -> T) -> T {
        // A panic in one task leaves the enforcer doubtful at worst, and the next change repairs the kernel.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Names for Shared {
    fn standing(&self, source: IpAddr, name: &str) -> Standing {
        self.with(|enforcer| {
            let Some(device) = enforcer.device_at(source).cloned() else { return Standing::Stranger };
            let policy = enforcer.policy_of(&device);
            let staged = policy.and_then(|policy| enforcer.shadow.policies.get(&policy));
            if staged.is_some_and(|staged| staged.program.lists(name)) {
                return Standing::Listed(device);
            }
            let restricted = policy.is_none_or(|policy| policy.number() < PolicyId::FIRST_STAGED);
            Standing::Unlisted { device, restricted }
        })
    }

    fn learn(&self, name: &str, addresses: &[IpAddr], lifetime: u32) -> Result<(), Error> {
        self.with(|enforcer| enforcer.learn(name, addresses, lifetime, Instant::now()))
    }
}

/// Shortest time an address is permitted: devices keep addresses longer than short-lived records say.
const SHORTEST: Duration = Duration::from_secs(300);
/// Longest time, whatever a record says.
const LONGEST: Duration = Duration::from_secs(86_400);
/// Between the end of a record's life and the end of the permission.
const GRACE: Duration = Duration::from_secs(60);
