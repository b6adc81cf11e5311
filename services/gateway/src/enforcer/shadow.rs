//! What the kernel should hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use mud::Family;

use crate::nft::{Members, Place, PolicyNames, Program, Side, Site, Slot, View, policy_names};
use crate::{AddressRange, Binding, Class, DeviceId, Flow, Mac, PolicyId, TlsMode};

/// The wanted state. Everything in the kernel can be made from it.
#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) site: Site,
    pub(super) policies: BTreeMap<PolicyId, Staged>,
    pub(super) devices: BTreeMap<DeviceId, Admitted>,
    pub(super) holders: BTreeMap<IpAddr, DeviceId>,
    /// Devices by their MAC: several may be behind one.
    pub(super) macs: BTreeMap<Mac, BTreeSet<DeviceId>>,
    /// Members of the classes that the operator fills.
    pub(super) named: BTreeMap<Class, BTreeSet<AddressRange>>,
    /// Members of the other classes, and how many bindings bring each.
    pub(super) joined: BTreeMap<Class, BTreeMap<IpAddr, usize>>,
    pub(super) names: BTreeMap<String, Vec<Known>>,
    /// How many policies refer to a class, which therefore has sets.
    pub(super) uses: BTreeMap<Class, usize>,
}

/// A policy in the kernel.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) program: Program,
    pub(super) names: PolicyNames,
}

/// A device in the kernel.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) binding: Binding,
    pub(super) policy: PolicyId,
}

/// An address that a name had, and how long the kernel permits it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) address: IpAddr,
    pub(super) until: Instant,
}

impl Shadow {
    pub(super) fn new(site: Site) -> Self {
        Self {
            site,
            policies: BTreeMap::new(),
            devices: BTreeMap::new(),
            holders: BTreeMap::new(),
            macs: BTreeMap::new(),
            named: BTreeMap::new(),
            joined: BTreeMap::new(),
            names: BTreeMap::new(),
            uses: BTreeMap::new(),
        }
    }

    pub(super) fn staged(&self, id: PolicyId, program: Program) -> Staged {
        let program = if self.site.tls == TlsMode::Off { program.without_profiles() } else { program };
        let names = policy_names(id, &program, self.site.send_errors);
        Staged { program, names }
    }

    /// Members of a class in one family, as its set has them.
    pub(super) fn members(&self, class: &Class, family: Family) -> BTreeSet<AddressRange> {
        let of_family = |range: &AddressRange| Family::of(range.first()) == family;
        if class.is_named() {
            let named = self.named.get(class).into_iter().flatten().copied();
            crate::address::join(named.filter(of_family).collect()).into_iter().collect()
        } else {
            let joined = self.joined.get(class).into_iter().flatten();
            let joined = joined.filter_map(|(address, _)| AddressRange::new(*address, *address));
            joined.filter(of_family).collect()
        }
    }

    /// Counts the classes of a program; gives those that nobody used before.
    pub(super) fn use_classes(&mut self, program: &Program) -> Vec<Class> {
        let mut new = Vec::new();
        for class in program.classes().collect::<BTreeSet<_>>() {
            let count = self.uses.entry(class.clone()).or_default();
            *count += 1;
            if *count == 1 {
                new.push(class.clone());
            }
        }
        new
    }

    /// The reverse; gives those that nobody uses any more.
    pub(super) fn disuse_classes(&mut self, program: &Program) -> Vec<Class> {
        let mut old = Vec::new();
        for class in program.classes().collect::<BTreeSet<_>>() {
            if let Some(count) = self.uses.get_mut(class) {
                *count -= 1;
                if *count == 0 {
                    self.uses.remove(class);
                    old.push(class.clone());
                }
            }
        }
        old
    }

    /// Takes an address into the classes of its device; gives those whose sets must grow.
    pub(super) fn join(&mut self, binding: &Binding, address: IpAddr) -> Vec<Class> {
        let mut grown = Vec::new();
        for class in joinable(binding) {
            let count = self.joined.entry(class.clone()).or_default().entry(address).or_default();
            *count += 1;
            if *count == 1 {
                grown.push(class.clone());
            }
        }
        grown
    }

    /// The reverse; gives those whose sets must shrink.
    pub(super) fn leave(&mut self, binding: &Binding, address: IpAddr) -> Vec<Class> {
        let mut shrunk = Vec::new();
        for class in joinable(binding) {
            let Some(addresses) = self.joined.get_mut(class) else { continue };
            let Some(count) = addresses.get_mut(&address) else { continue };
            *count -= 1;
            if *count == 0 {
                addresses.remove(&address);
                shrunk.push(class.clone());
            }
        }
        shrunk
    }

    /// Forgets the addresses of names that no policy lists any more.
    pub(super) fn forget_unlisted(&mut self) {
        let policies = &self.policies;
        self.names.retain(|name, _| policies.values().any(|staged| staged.program.remembers(name)));
    }

    /// How long the kernel should still permit an address at a place: as long as the last of the names that put it
    /// there.
    pub(super) fn due(
        &self,
        program: &Program,
        slot: &Slot,
        address: IpAddr,
        now: Instant,
    ) -> Option<Duration> {
        let known = program.holders(slot).iter().filter_map(|name| self.names.get(name)).flatten();
        let until = known.filter(|known| known.address == address).map(|known| known.until).max()?;
        until.checked_duration_since(now).filter(|left| *left >= Duration::from_secs(1))
    }

    /// Whether the start of a flow would be permitted now, as far as this device is concerned.
    pub(super) fn permits(&self, binding: &Binding, policy: PolicyId, start: &Flow) -> bool {
        self.judge(binding, policy, start, |program, side| program.permits(side, start, self))
    }

    /// Whether a flow that runs may go on, as far as this device is concerned.
    pub(super) fn lets_go_on(&self, binding: &Binding, policy: PolicyId, start: &Flow) -> bool {
        self.judge(binding, policy, start, |program, side| program.lets_go_on(side, start, self))
    }

    fn judge(
        &self,
        binding: &Binding,
        policy: PolicyId,
        start: &Flow,
        by_policy: impl Fn(&Program, Side) -> bool,
    ) -> bool {
        let Some(staged) = self.policies.get(&policy) else { return false };
        let own = |address: IpAddr| binding.addresses.contains(&address);
        let program = &staged.program;
        if own(start.source) {
            self.is_admission(start)
                || (program.management && self.is_management(start))
                || by_policy(program, Side::From)
        } else if own(start.destination) {
            self.site.own.contains(&start.source) || by_policy(program, Side::To)
        } else {
            false
        }
    }

    fn is_management(&self, start: &Flow) -> bool {
        self.site.management.iter().any(|endpoint| {
            endpoint.address == start.destination
                && endpoint.protocol == start.protocol
                && endpoint.port == start.destination_port
        })
    }

    fn is_admission(&self, start: &Flow) -> bool {
        start.protocol == 6
            && Some(start.destination_port) == self.site.admission
            && self.site.own.contains(&start.destination)
    }
}

impl View for Shadow {
    fn class_has(&self, class: &Class, address: IpAddr) -> bool {
        if class.is_named() {
            self.named.get(class).is_some_and(|set| set.iter().any(|range| range.contains(address)))
        } else {
            self.joined.get(class).is_some_and(|set| set.contains_key(&address))
        }
    }

    /// An address that has expired counts as well: a connection may outlive the answer it began with.
    fn name_has(&self, name: &str, address: IpAddr) -> bool {
        self.names.get(name).is_some_and(|known| known.iter().any(|known| known.address == address))
    }
}

impl Members for Shadow {
    fn of_class(&self, class: &Class, family: Family) -> Vec<AddressRange> {
        self.members(class, family).into_iter().collect()
    }

    fn of_name(&self, name: &str) -> Vec<IpAddr> {
        let now = Instant::now();
        let known = self.names.get(name).into_iter().flatten();
        known.filter(|known| known.until > now).map(|known| known.address).collect()
    }
}

/// What a device may be a member of; each class once.
fn joinable(binding: &Binding) -> BTreeSet<&Class> {
    binding.classes.iter().filter(|class| !class.is_named()).collect()
}

/// The family of a slot.
pub(super) fn family(slot: &Slot) -> Family {
    if slot.v6 { Family::V6 } else { Family::V4 }
}

/// Whether an address can go to a slot.
pub(super) fn fits(slot: &Slot, address: IpAddr) -> bool {
    slot.v6 == address.is_ipv6()
}

/// The set of a slot, and what follows the address in its elements.
pub(super) fn place(names: &PolicyNames, slot: &Slot) -> (crate::nft::Name, Option<(u8, u16)>) {
    match slot.place {
        Place::Key(protocol, port) => (names.keys(slot.side, family(slot)), Some((protocol, port))),
        Place::Group(number) => (names.group(number), None),
    }
}
