//! Addresses of names: from an answer of the resolver into the sets of every policy that lists the name.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Enforcer;
use super::shadow::{Known, Shadow, fits};
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
        if !self.shadow.policies.values().any(|staged| staged.program.remembers(name)) {
            return Ok(());
        }
        let changed = self.shadow.remember(name, addresses, lifetime, now);
        let mut tx = Transaction::new();
        for staged in self.shadow.policies.values() {
            for slot in staged.program.slots(name) {
                for address in changed.iter().filter(|address| fits(slot, **address)) {
                    self.shadow.put_address(&mut tx, staged, slot, *address, now);
                }
            }
        }
        for address in &changed {
            self.shadow.put_shared(&mut tx, *address, now);
        }
        self.commit(&tx)
    }
}

impl Shadow {
    /// Takes the addresses of an answer; gives those whose place in the kernel has to change.
    pub(super) fn remember(
        &mut self,
        name: &str,
        addresses: &[IpAddr],
        lifetime: u32,
        now: Instant,
    ) -> BTreeSet<IpAddr> {
        let known = self.names.entry(name.to_owned()).or_default();
        let lifetime = Duration::from_secs(lifetime.into()).min(LONGEST);
        let until = now + lifetime.max(SHORTEST) + GRACE;
        let mut changed = BTreeSet::new();
        for address in addresses.iter().take(Enforcer::MAX_ADDRESSES) {
            match known.iter_mut().find(|known| known.address == *address) {
                // Nothing to do while the kernel's timeout outlasts the answer. Half of the grace is spent on this: else
                // each answer with a long life that never shrinks would be a transaction.
                Some(known) if known.until >= now + lifetime + GRACE / 2 => {}
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
        while known.len() > Enforcer::MAX_ADDRESSES {
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
            let restricted = policy.is_none_or(|policy| policy.number() < PolicyId::FIRST_STAGED)
                || staged.is_some_and(|staged| staged.program.keeps.is_some());
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::Site;

    fn address(host: u32) -> IpAddr {
        Ipv4Addr::from(0xc000_0200 + host).into()
    }

    fn left(shadow: &Shadow, address: IpAddr, now: Instant) -> Option<Duration> {
        let known = shadow.names["n.example"].iter().find(|known| known.address == address)?;
        Some(known.until.saturating_duration_since(now))
    }

    #[test]
    fn short_lifetimes_are_stretched_and_long_ones_are_cut() {
        let now = Instant::now();
        for (lifetime, seconds) in [(0, 360), (299, 360), (300, 360), (3600, 3660), (u32::MAX, 86_460)] {
            let mut shadow = Shadow::new(Site::new("lan0").unwrap());
            assert_eq!(
                shadow.remember("n.example", &[address(1)], lifetime, now),
                BTreeSet::from([address(1)])
            );
            assert_eq!(left(&shadow, address(1), now), Some(Duration::from_secs(seconds)), "{lifetime}");
        }
    }

    #[test]
    fn the_kernel_is_told_again_only_before_it_forgets_too_soon() {
        let mut shadow = Shadow::new(Site::new("lan0").unwrap());
        let now = Instant::now();
        let mut ask = |lifetime: u32, seconds: u64| {
            let now = now + Duration::from_secs(seconds);
            !shadow.remember("n.example", &[address(1)], lifetime, now).is_empty()
        };
        assert!(ask(60, 0));
        assert!(
            !ask(60, 0) && !ask(60, 270),
            "the kernel still permits it for as long as the answer lasts, and half of the grace"
        );
        assert!(ask(60, 271));
        assert!(!ask(60, 272));
        assert!(ask(3600, 1000));
        assert!(
            !ask(3600, 1000) && !ask(3600, 1030),
            "an answer whose life does not shrink is told once in a while"
        );
        assert!(ask(3600, 1031));
    }

    #[test]
    fn a_name_has_sixty_four_addresses_at_most() {
        let mut shadow = Shadow::new(Site::new("lan0").unwrap());
        let now = Instant::now();
        let first: Vec<IpAddr> = (0..64).map(address).collect();
        assert_eq!(shadow.remember("n.example", &first, 300, now).len(), 64);
        // One more puts the one out that would go first.
        let later = now + Duration::from_secs(1);
        shadow.remember("n.example", &first[1..], 9000, later);
        let changed = shadow.remember("n.example", &[address(64)], 300, later);
        assert_eq!(changed, BTreeSet::from([address(0), address(64)]));
        assert_eq!(shadow.names["n.example"].len(), 64);
        assert_eq!(left(&shadow, address(0), later), None);
        let flood: Vec<IpAddr> = (100..400).map(address).collect();
        shadow.remember("n.example", &flood, 300, later);
        assert_eq!(shadow.names["n.example"].len(), 64);
    }
}
