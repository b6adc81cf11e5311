//! The enforcer: what the kernel should hold, and one atomic transaction for each change of it.
//!
//! The wanted state is kept in full. When the kernel turns out to hold something else (another program interfered, or
//! nft ended in the middle of an answer), the table is replaced in one transaction, so that a packet meets the old
//! rules or the new ones and never none.

mod changes;
mod link;
mod names;
mod reconcile;
mod shadow;
mod uses;

pub use names::Shared;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use self::changes::{
    add_devices, change_members, delete_class, delete_devices, delete_policy, elements, link, unlink,
};
use self::shadow::{Admitted, Shadow};
use self::uses::Uses;
use crate::conntrack::Conntrack;
use crate::nft::{
    Dropped, Element, Endpoint, Nft, Program, Service, Side, Site, Start, Table, Transaction, class_set,
    install, queue_handshakes, read_dropped,
};
use crate::radius::{self, Filter};
use crate::{AddressRange, Binding, Class, DeviceId, Error, Event, Flow, Mac, Observer, PolicyId, kernel};

/// The one that writes the kernel's rules. All of it happens in the network namespace of the thread that opened it.
pub struct Enforcer {
    shadow: Shadow,
    nft: Nft,
    conntrack: Conntrack,
    observer: Arc<dyn Observer>,
    next: u32,
    /// The kernel may not hold what the shadow says.
    doubtful: bool,
    bridge_locked: bool,
    uses: Uses,
}

/// What should hold after a start: what was learned before it.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Policies, under the numbers they had.
    pub policies: BTreeMap<PolicyId, Program>,
    /// Devices and their policies.
    pub devices: Vec<(Binding, PolicyId)>,
    /// Members of classes that the operator named.
    pub classes: BTreeMap<Class, BTreeSet<AddressRange>>,
    /// Addresses of names, and for how many seconds they are still good. Flows to a name that is not here are cut
    /// when their device turns out to have been under another policy.
    pub names: Vec<(String, Vec<IpAddr>, u32)>,
}

/// How the gateway stands.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Devices admitted.
    pub devices: usize,
    /// Policies staged, with the three that always exist.
    pub policies: usize,
    /// Whether a second lock holds between the ports of the bridge.
    pub bridge_locked: bool,
    /// Whether the last change is known to be in the kernel.
    pub certain: bool,
}

impl Enforcer {
    /// Takes up enforcement. Rules that are in force stay so until the one transaction that makes them the wanted
    /// ones; where there are none, default drop comes first and forwarding last.
    pub fn open(site: Site, wanted: Wanted, observer: Arc<dyn Observer>) -> Result<Self, Error> {
        let mut enforcer = Self {
            shadow: Shadow::new(site),
            nft: Nft::new(),
            conntrack: Conntrack::open()?,
            observer,
            next: PolicyId::FIRST_STAGED,
            doubtful: false,
            bridge_locked: false,
            uses: Uses::default(),
        };
        enforcer.want(wanted)?;
        // Before any rule gives a connection the mark.
        queue_handshakes(&mut enforcer.nft, enforcer.shadow.site.tls)?;
        enforcer.reconcile()?;
        enforcer.begin_uses();
        // Whoever died between a commit and its cut left flows open that no policy permits any more.
        let devices: Vec<DeviceId> = enforcer.shadow.devices.keys().cloned().collect();
        let _cut = enforcer.cut(&devices)?;
        enforcer.lock_bridge();
        let bindings = enforcer.shadow.devices.values().map(|admitted| &admitted.binding);
        kernel::pin_neighbours(&enforcer.shadow.site, &[], bindings);
        kernel::refuse_midstream_pickup()?;
        if enforcer.shadow.site.forwarding {
            kernel::forward(&enforcer.shadow.site)?;
        }
        Ok(enforcer)
    }

    /// Makes a policy ready: its chains and sets are in the kernel, and no device has it yet.
    pub fn stage(&mut self, program: Program) -> Result<PolicyId, Error> {
        let id = PolicyId(self.next);
        self.put_policy(id, program)?;
        self.next += 1;
        Ok(id)
    }

    /// Gives a policy new contents, for all devices that have it. Their flows are judged again.
    pub fn replace(&mut self, id: PolicyId, program: Program) -> Result<(), Error> {
        if [PolicyId::BLOCKED, PolicyId::EJECTED].contains(&id) || !self.shadow.policies.contains_key(&id) {
            return Err(Error::UnknownPolicy(id));
        }
        self.put_policy(id, program)?;
        self.shadow.forget_unlisted();
        let holders = self.shadow.devices.iter().filter(|(_, admitted)| admitted.policy == id);
        let devices: Vec<DeviceId> = holders.map(|(device, _)| device.clone()).collect();
        self.applied(&devices)
    }

    /// Forgets a policy that no device has.
    pub fn discard(&mut self, id: PolicyId) -> Result<(), Error> {
        let in_use = self.shadow.devices.values().any(|admitted| admitted.policy == id);
        if in_use || id.number() < PolicyId::FIRST_STAGED {
            return Err(Error::PolicyInUse(id));
        }
        let Some(old) = self.shadow.policies.remove(&id) else { return Err(Error::UnknownPolicy(id)) };
        let mut tx = Transaction::new();
        unlink(&mut tx, id);
        delete_policy(&mut tx, &old.names, &old.program);
        for class in self.shadow.disuse_classes(&old.program) {
            delete_class(&mut tx, &class);
        }
        self.shadow.forget_unlisted();
        self.commit(&tx)
    }

    /// Admits a device, or changes its binding, its policy or both.
    pub fn admit(&mut self, binding: Binding, policy: PolicyId) -> Result<(), Error> {
        self.known(policy)?;
        for address in &binding.addresses {
            if let Some(holder) = self.shadow.holders.get(address).filter(|holder| **holder != binding.device)
            {
                return Err(Error::AddressTaken { address: *address, holder: holder.clone() });
            }
        }
        let device = binding.device.clone();
        let mut tx = Transaction::new();
        let left = self.retire(&mut tx, &device);
        self.enrol(&mut tx, binding, policy);
        self.commit(&tx)?;

        let Some(admitted) = self.shadow.devices.get(&device) else { return Ok(()) };
        let gone = left.into_iter().flat_map(|old| old.addresses);
        let gone: Vec<IpAddr> =
            gone.filter(|address| !admitted.binding.addresses.contains(address)).collect();
        kernel::pin_neighbours(&self.shadow.site, &gone, [&admitted.binding]);
        self.cut_all(&gone)?;
        self.applied(&[device])
    }

    /// Moves devices to other policies, all in one transaction.
    pub fn assign(&mut self, moves: &[(DeviceId, PolicyId)]) -> Result<(), Error> {
        for (device, policy) in moves {
            self.known(*policy)?;
            if !self.shadow.devices.contains_key(device) {
                return Err(Error::UnknownDevice(device.clone()));
            }
        }
        let mut tx = Transaction::new();
        let mut gone = Vec::new();
        let mut come = Vec::new();
        // The last word on a device counts.
        let moves: BTreeMap<&DeviceId, PolicyId> =
            moves.iter().map(|(device, policy)| (device, *policy)).collect();
        for (device, policy) in &moves {
            let Some(admitted) = self.shadow.devices.get_mut(*device) else { continue };
            if admitted.policy != *policy {
                let all = own_elements(&admitted.binding);
                come.extend(all.iter().map(|element| (*element, *policy)));
                gone.extend(all);
                admitted.policy = *policy;
            }
        }
        delete_devices(&mut tx, &gone);
        add_devices(&mut tx, &come);
        self.commit(&tx)?;
        let devices: Vec<DeviceId> = moves.into_keys().cloned().collect();
        self.applied(&devices)
    }

    /// Forgets a device: its packets are a stranger's from now on, and its flows are cut.
    pub fn remove(&mut self, device: &DeviceId) -> Result<(), Error> {
        let mut tx = Transaction::new();
        let Some(old) = self.retire(&mut tx, device) else {
            return Err(Error::UnknownDevice(device.clone()));
        };
        self.commit(&tx)?;
        kernel::pin_neighbours(&self.shadow.site, &old.addresses, []);
        self.cut_all(&old.addresses).map(|_cut| ())
    }

    /// Says who is in a class: the local networks, or a class of controllers. When members are gone, every device is
    /// judged again whose policy refers to the class.
    pub fn set_members(&mut self, class: Class, members: BTreeSet<AddressRange>) -> Result<(), Error> {
        if !class.is_named() {
            return Err(Error::MembersByBinding);
        }
        let families = [mud::Family::V4, mud::Family::V6];
        let before = families.map(|family| self.shadow.members(&class, family));
        self.shadow.named.insert(class.clone(), members);
        let mut tx = Transaction::new();
        let mut narrower = false;
        if self.shadow.uses.contains_key(&class) {
            for (family, before) in families.into_iter().zip(before) {
                let after = self.shadow.members(&class, family);
                let gone: Vec<AddressRange> = before.difference(&after).copied().collect();
                let come: Vec<AddressRange> = after.difference(&before).copied().collect();
                narrower |= !gone.is_empty();
                change_members(&mut tx, &class_set(&class, family), &gone, &come);
            }
        }
        self.commit(&tx)?;
        if narrower {
            let uses = |policy: &PolicyId| {
                let staged = self.shadow.policies.get(policy);
                staged.is_some_and(|staged| staged.program.refers_to(&class))
            };
            let holders = self.shadow.devices.iter().filter(|(_, admitted)| uses(&admitted.policy));
            let devices: Vec<DeviceId> = holders.map(|(device, _)| device.clone()).collect();
            self.cut(&devices)?;
        }
        Ok(())
    }

    /// Who has an address.
    pub fn device_at(&self, address: IpAddr) -> Option<&DeviceId> {
        self.shadow.holders.get(&address)
    }

    /// A device's policy.
    pub fn policy_of(&self, device: &DeviceId) -> Option<PolicyId> {
        self.shadow.devices.get(device).map(|admitted| admitted.policy)
    }

    /// Whether a policy would let a device start a flow, with the members that its classes and names have now.
    pub fn would_permit(&self, device: &DeviceId, policy: PolicyId, start: &Flow) -> bool {
        let admitted = self.shadow.devices.get(device);
        admitted.is_some_and(|admitted| self.shadow.permits(&admitted.binding, policy, start))
    }

    /// Profiles of which the handshake of a flow has to follow one; nothing where its device may not start it.
    pub fn tls_profiles(&self, start: &Flow) -> Option<Vec<mud::TlsProfile>> {
        let admitted = self.shadow.devices.get(self.device_at(start.source)?)?;
        let staged = self.shadow.policies.get(&admitted.policy)?;
        staged.program.profiles(start, &self.shadow).map(<[_]>::to_vec)
    }

    /// Every device, the address of its frames, and its policy.
    pub fn admitted(&self) -> Vec<(DeviceId, Mac, PolicyId)> {
        let devices = self.shadow.devices.iter();
        devices.map(|(device, admitted)| (device.clone(), admitted.binding.mac, admitted.policy)).collect()
    }

    /// A device's policy for an access server that filters before this gateway does, with the addresses known now.
    pub fn filter(&self, device: &DeviceId) -> Option<Filter> {
        let admitted = self.shadow.devices.get(device)?;
        if [PolicyId::BLOCKED, PolicyId::EJECTED].contains(&admitted.policy) {
            return Some(Filter::blocked());
        }
        let staged = self.shadow.policies.get(&admitted.policy)?;
        Some(radius::render(&self.shadow.site, &staged.program, &self.shadow))
    }

    /// Packets that devices sent and that the kernel dropped, as it counted them itself: exact where reports are
    /// bounded, and kept while this process was away. Ten minutes after the last packet of a kind it is forgotten.
    pub fn dropped(&self) -> Result<Vec<Dropped>, Error> {
        Ok(self.nft.list(Table::Inet)?.map(|listing| read_dropped(&listing)).unwrap_or_default())
    }

    /// How the gateway stands.
    pub fn status(&self) -> Status {
        Status {
            devices: self.shadow.devices.len(),
            policies: self.shadow.policies.len(),
            bridge_locked: self.bridge_locked,
            certain: !self.doubtful,
        }
    }

    /// Deletes the flows of devices that their policies do not permit to start; gives how many each had.
    fn cut(&mut self, devices: &[DeviceId]) -> Result<BTreeMap<DeviceId, usize>, Error> {
        let shadow = &self.shadow;
        let wanted: BTreeSet<&DeviceId> = devices.iter().collect();
        let admitted: Vec<&Admitted> =
            devices.iter().filter_map(|device| shadow.devices.get(device)).collect();
        let addresses: Vec<IpAddr> =
            admitted.iter().flat_map(|admitted| &admitted.binding.addresses).copied().collect();
        let mut cut = BTreeMap::new();
        if addresses.is_empty() {
            return Ok(cut);
        }
        for entry in self.conntrack.entries(&addresses)? {
            let start = entry.start();
            let ends = [start.source, start.destination, entry.original.source, entry.original.destination];
            let concerned: BTreeSet<&DeviceId> = ends
                .iter()
                .filter_map(|address| shadow.holders.get(address))
                .filter(|device| wanted.contains(device))
                .collect();
            let judge = |device: &&DeviceId| {
                shadow
                    .devices
                    .get(*device)
                    .is_some_and(|Admitted { binding, policy }| shadow.lets_go_on(binding, *policy, &start))
            };
            if let Some(device) = concerned.into_iter().find(|device| !judge(device))
                && self.conntrack.delete(&entry)?
            {
                *cut.entry(device.clone()).or_default() += 1;
            }
        }
        Ok(cut)
    }

    /// Deletes all flows of addresses.
    fn cut_all(&mut self, addresses: &[IpAddr]) -> Result<usize, Error> {
        let mut cut = 0;
        if !addresses.is_empty() {
            for entry in self.conntrack.entries(addresses)? {
                cut += usize::from(self.conntrack.delete(&entry)?);
            }
        }
        Ok(cut)
    }

    /// After a commit: cuts what is no longer permitted, and says that the policies hold.
    fn applied(&mut self, devices: &[DeviceId]) -> Result<(), Error> {
        let at = SystemTime::now();
        let cut = self.cut(devices)?;
        for device in devices {
            let Some(policy) = self.policy_of(device) else { continue };
            let cut = cut.get(device).copied().unwrap_or(0);
            self.observer.observe(Event::Applied { device: device.clone(), policy, at, cut });
        }
        Ok(())
    }

    fn known(&self, policy: PolicyId) -> Result<(), Error> {
        if self.shadow.policies.contains_key(&policy) { Ok(()) } else { Err(Error::UnknownPolicy(policy)) }
    }

    /// Takes a device out of the shadow, and says what that means for the kernel.
    fn retire(&mut self, tx: &mut Transaction, device: &DeviceId) -> Option<Binding> {
        let Admitted { binding, .. } = self.shadow.devices.remove(device)?;
        delete_devices(tx, &own_elements(&binding));
        if let Some(devices) = self.shadow.macs.get_mut(&binding.mac) {
            devices.remove(device);
            if devices.is_empty() {
                self.shadow.macs.remove(&binding.mac);
            }
        }
        for address in &binding.addresses {
            self.shadow.holders.remove(address);
            for class in self.shadow.leave(&binding, *address) {
                self.change_class(tx, &class, *address, false);
            }
        }
        Some(binding)
    }

    /// Puts a device into the shadow, and says what that means for the kernel.
    fn enrol(&mut self, tx: &mut Transaction, binding: Binding, policy: PolicyId) {
        let all: Vec<_> = own_elements(&binding).into_iter().map(|element| (element, policy)).collect();
        add_devices(tx, &all);
        for address in &binding.addresses {
            self.shadow.holders.insert(*address, binding.device.clone());
            for class in self.shadow.join(&binding, *address) {
                self.change_class(tx, &class, *address, true);
            }
        }
        self.shadow.macs.entry(binding.mac).or_default().insert(binding.device.clone());
        self.shadow.devices.insert(binding.device.clone(), Admitted { binding, policy });
    }

    fn change_class(&self, tx: &mut Transaction, class: &Class, address: IpAddr, come: bool) {
        let (Some(range), true) = (AddressRange::new(address, address), self.shadow.uses.contains_key(class))
        else {
            return;
        };
        let set = class_set(class, mud::Family::of(address));
        let (gone, come): (&[_], &[_]) = if come { (&[], &[range]) } else { (&[range], &[]) };
        change_members(tx, &set, gone, come);
    }

    /// Makes a policy's contents, or replaces them, in one transaction; on refusal nothing changes.
    fn put_policy(&mut self, id: PolicyId, program: Program) -> Result<(), Error> {
        let staged = self.shadow.staged(id, program);
        if let Some(old) = self.shadow.policies.get_mut(&id)
            && old.names == staged.names
        {
            // The kernel has it; what may go on is for us alone to know.
            *old = staged;
            return Ok(());
        }
        let mut tx = Transaction::new();
        for class in self.shadow.use_classes(&staged.program) {
            self.shadow.make_class(&mut tx, &class);
        }
        self.shadow.make_policy(&mut tx, &staged, Instant::now());
        let old = self.shadow.policies.remove(&id);
        if old.is_some() {
            unlink(&mut tx, id);
        }
        link(&mut tx, id, &staged.names);
        if let Some(old) = &old {
            delete_policy(&mut tx, &old.names, &old.program);
            for class in self.shadow.disuse_classes(&old.program) {
                delete_class(&mut tx, &class);
            }
        }
        self.shadow.policies.insert(id, staged);
        let outcome = self.try_commit(&tx);
        if outcome.is_err() {
            // A policy that the kernel does not take must not stand in the way of the others.
            if let Some(refused) = self.shadow.policies.remove(&id) {
                let _unused = self.shadow.disuse_classes(&refused.program);
            }
            if let Some(old) = old {
                let _used = self.shadow.use_classes(&old.program);
                self.shadow.policies.insert(id, old);
            }
        }
        outcome
    }

    /// Commits a change that the shadow has made already, and that it keeps: when the kernel did not take it now,
    /// the next change or comparison makes the kernel follow.
    fn commit(&mut self, tx: &Transaction) -> Result<(), Error> {
        self.try_commit(tx).inspect_err(|_| self.doubtful = true)
    }

    /// Commits a change that the shadow has made already. When the kernel is not what it should be, it is made so.
    /// On a refusal the kernel is as it was, and the caller undoes the change.
    fn try_commit(&mut self, tx: &Transaction) -> Result<(), Error> {
        let reason = if self.doubtful {
            "an earlier change is in doubt".to_owned()
        } else {
            match self.nft.commit(tx) {
                Ok(()) => return Ok(()),
                Err(error @ (Error::Conflict(_) | Error::Lost)) => error.to_string(),
                Err(error) => return Err(error),
            }
        };
        self.rebuild(reason)
    }

    /// Opens the way to the product's servers at these endpoints and no others. They change seldom, so the table is made
    /// anew for it, in one transaction.
    pub fn reach_servers_at(&mut self, management: Vec<Endpoint>) -> Result<(), Error> {
        if management == self.shadow.site.management {
            return Ok(());
        }
        self.shadow.site.management = management;
        self.reconcile()
    }

    /// Replaces the whole table in one transaction.
    fn rebuild(&mut self, reason: String) -> Result<(), Error> {
        self.doubtful = true;
        let mut tx = Transaction::new();
        crate::nft::nft!(tx, "add table inet sextant");
        crate::nft::nft!(tx, "delete table inet sextant");
        tx.append(&install(&self.shadow.site));
        for class in self.shadow.uses.keys() {
            self.shadow.make_class(&mut tx, class);
        }
        let now = Instant::now();
        for (id, staged) in &self.shadow.policies {
            self.shadow.make_policy(&mut tx, staged, now);
            link(&mut tx, *id, &staged.names);
        }
        let known: BTreeSet<IpAddr> =
            self.shadow.names.values().flatten().map(|known| known.address).collect();
        for address in known {
            self.shadow.put_shared(&mut tx, address, now);
        }
        let devices: Vec<(Element, PolicyId)> = self.wanted_elements().collect();
        add_devices(&mut tx, &devices);
        self.nft.commit(&tx)?;
        self.doubtful = false;
        tracing::info!(%reason, "packet filter rebuilt");
        self.observer.observe(Event::Rebuilt { reason });
        // Whatever was there before may have let flows start that ours would not.
        let all: Vec<DeviceId> = self.shadow.devices.keys().cloned().collect();
        self.cut(&all).map(|_cut| ())
    }

    fn wanted_elements(&self) -> impl Iterator<Item = (Element, PolicyId)> {
        self.shadow.devices.values().flat_map(|admitted| {
            own_elements(&admitted.binding).into_iter().map(|element| (element, admitted.policy))
        })
    }
}

/// Attestation, update and time: what a device needs to become trusted again, without any name yet.
pub fn update_only() -> Result<Program, Error> {
    Program::new(basics())
}

/// What every device may ask for that is let to do anything: names and time.
fn basics() -> Vec<Start> {
    let mut starts = Vec::new();
    for family in [mud::Family::V4, mud::Family::V6] {
        for (class, protocol, port) in [
            (Class::dns(), mud::Protocol::Udp, 53),
            (Class::dns(), mud::Protocol::Tcp, 53),
            (Class::ntp(), mud::Protocol::Udp, 123),
        ] {
            let mut service = Service::of(protocol);
            service.remote_ports = mud::Ports::one(port);
            let peer = crate::nft::Peer::Class(class);
            let (tls, verdict) = (Vec::new(), mud::Verdict::Accept);
            starts.push(Start { side: Side::From, family, peer, service, tls, verdict });
        }
    }
    starts
}

fn own_elements(binding: &Binding) -> Vec<Element> {
    // An address given twice is one element.
    let addresses: BTreeSet<&IpAddr> = binding.addresses.iter().collect();
    addresses.into_iter().flat_map(|address| elements(binding.mac, *address)).collect()
}
