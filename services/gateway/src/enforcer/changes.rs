//! Transactions: each takes the kernel from one wanted state to the next.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use mud::Family;

use super::shadow::{Shadow, Staged, fits, place};
use crate::nft::{Element, Name, PolicyNames, Program, Side, Slot, Transaction, class_set, nft, render};
use crate::{AddressRange, Class, PolicyId};

impl Shadow {
    /// Everything of a policy except the verdict map's word that it counts.
    pub(super) fn make_policy(&self, tx: &mut Transaction, staged: &Staged, now: Instant) {
        tx.append(&render(&staged.names, &staged.program, self.site.send_errors));
        self.fill_names(tx, staged, now);
    }

    /// The known addresses of a policy's names.
    pub(super) fn fill_names(&self, tx: &mut Transaction, staged: &Staged, now: Instant) {
        for name in staged.program.names() {
            for known in self.names.get(name).into_iter().flatten() {
                for slot in staged.program.slots(name).iter().filter(|slot| fits(slot, known.address)) {
                    self.put_address(tx, staged, slot, known.address, now);
                }
            }
        }
    }

    /// Makes one place hold an address for as long as it should, whatever it holds.
    pub(super) fn put_address(
        &self,
        tx: &mut Transaction,
        staged: &Staged,
        slot: &Slot,
        address: IpAddr,
        now: Instant,
    ) {
        let (set, key) = place(&staged.names, slot);
        let key = key.map(|(protocol, port)| (".", (protocol, (".", port))));
        // An element that is there keeps its timeout, one that is not there cannot be deleted: together they work.
        nft!(*tx, "add element inet sextant", set, "{", address, key, "}");
        nft!(*tx, "delete element inet sextant", set, "{", address, key, "}");
        if let Some(left) = self.due(&staged.program, slot, address, now) {
            nft!(*tx, "add element inet sextant", set, "{", address, key, "timeout", Seconds(left), "}");
        }
    }

    /// Makes the set of those that are not blocked hold an address of a policy's name for as long as it should, where the address is
    /// blocked.
    pub(super) fn put_shared(&self, tx: &mut Transaction, address: IpAddr, now: Instant) {
        if !self.site.blocked.iter().any(|range| range.contains(address)) {
            return;
        }
        let set = if address.is_ipv4() { "shared4" } else { "shared6" };
        let known = self.names.values().flatten().filter(|known| known.address == address);
        let left = known.map(|known| known.until.saturating_duration_since(now)).max();
        nft!(*tx, "add element inet sextant", set, "{", address, "}");
        nft!(*tx, "delete element inet sextant", set, "{", address, "}");
        if let Some(left) = left.filter(|left| *left >= Duration::from_secs(1)) {
            nft!(*tx, "add element inet sextant", set, "{", address, "timeout", Seconds(left), "}");
        }
    }

    /// The sets of a class, with its members.
    pub(super) fn make_class(&self, tx: &mut Transaction, class: &Class) {
        for family in [Family::V4, Family::V6] {
            let set = class_set(class, family);
            let address = match family {
                Family::V4 => "{ type ipv4_addr ;",
                Family::V6 => "{ type ipv6_addr ;",
            };
            nft!(
                *tx,
                "add set inet sextant",
                set,
                address,
                class.is_named().then_some("flags interval ;"),
                "}"
            );
            let members: Vec<AddressRange> = self.members(class, family).into_iter().collect();
            for some in members.chunks(ELEMENTS_A_COMMAND) {
                nft!(*tx, "add element inet sextant", set, "{", *some, "}");
            }
        }
    }
}

/// Deletes the sets of a class.
pub(super) fn delete_class(tx: &mut Transaction, class: &Class) {
    for family in [Family::V4, Family::V6] {
        nft!(*tx, "delete set inet sextant", class_set(class, family));
    }
}

/// Makes a policy count.
pub(super) fn link(tx: &mut Transaction, id: PolicyId, names: &PolicyNames) {
    nft!(*tx, "add element inet sextant pol_from {", id, ": goto", names.chain(Side::From), "}");
    nft!(*tx, "add element inet sextant pol_to {", id, ": goto", names.chain(Side::To), "}");
}

/// Makes a policy not count any more.
pub(super) fn unlink(tx: &mut Transaction, id: PolicyId) {
    nft!(*tx, "delete element inet sextant pol_from {", id, "}");
    nft!(*tx, "delete element inet sextant pol_to {", id, "}");
}

/// Deletes the chains and sets of a policy to which no verdict map refers.
pub(super) fn delete_policy(tx: &mut Transaction, names: &PolicyNames, program: &Program) {
    for side in [Side::From, Side::To] {
        nft!(*tx, "flush chain inet sextant", names.chain(side));
        nft!(*tx, "delete chain inet sextant", names.chain(side));
    }
    for side in [Side::From, Side::To] {
        for family in [Family::V4, Family::V6].into_iter().filter(|family| program.has_keys(side, *family)) {
            nft!(*tx, "delete set inet sextant", names.keys(side, family));
        }
    }
    for number in 0..program.groups.len() {
        nft!(*tx, "delete set inet sextant", names.group(number));
    }
}

/// The elements by which the maps know a device's address.
pub(super) fn elements(mac: crate::Mac, address: IpAddr) -> [Element; 2] {
    [Element { mac: Some(mac), address }, Element { mac: None, address }]
}

/// Adds elements to the device maps.
pub(super) fn add_devices(tx: &mut Transaction, elements: &[(Element, PolicyId)]) {
    for (map, of_map) in MAPS {
        let wanted: Vec<Marked> = elements
            .iter()
            .filter(|(element, _)| of_map(element))
            .map(|(element, policy)| Marked(*element, Some(*policy)))
            .collect();
        for some in wanted.chunks(ELEMENTS_A_COMMAND) {
            nft!(*tx, "add element inet sextant", map, "{", *some, "}");
        }
    }
}

/// Deletes elements from the device maps.
pub(super) fn delete_devices(tx: &mut Transaction, elements: &[Element]) {
    for (map, of_map) in MAPS {
        let gone: Vec<Marked> =
            elements.iter().filter(|element| of_map(element)).map(|element| Marked(*element, None)).collect();
        for some in gone.chunks(ELEMENTS_A_COMMAND) {
            nft!(*tx, "delete element inet sextant", map, "{", *some, "}");
        }
    }
}

/// Changes the members of a class's set.
pub(super) fn change_members(tx: &mut Transaction, set: &Name, gone: &[AddressRange], come: &[AddressRange]) {
    for some in gone.chunks(ELEMENTS_A_COMMAND) {
        nft!(*tx, "delete element inet sextant", *set, "{", *some, "}");
    }
    for some in come.chunks(ELEMENTS_A_COMMAND) {
        nft!(*tx, "add element inet sextant", *set, "{", *some, "}");
    }
}

/// The device maps, and which elements are theirs.
const MAPS: [(&str, OfMap); 4] = [
    ("dev_from4", |element| element.mac.is_some() && element.address.is_ipv4()),
    ("dev_from6", |element| element.mac.is_some() && element.address.is_ipv6()),
    ("dev_to4", |element| element.mac.is_none() && element.address.is_ipv4()),
    ("dev_to6", |element| element.mac.is_none() && element.address.is_ipv6()),
];

type OfMap = fn(&Element) -> bool;

/// An element of a device map, with its value where one is to be written.
struct Marked(Element, Option<PolicyId>);

impl crate::nft::Part for Marked {
    fn put(&self, out: &mut Transaction) {
        let Self(element, policy) = self;
        element.mac.map(|mac| (mac, ".")).put(out);
        element.address.put(out);
        policy.map(|policy| (":", policy)).put(out);
    }
}

/// A time as nft writes it.
struct Seconds(Duration);

impl crate::nft::Part for Seconds {
    fn put(&self, out: &mut Transaction) {
        out.seconds(self.0.as_secs());
    }
}

/// Elements are written a thousand at a time: the complaint about one repeats its line.
const ELEMENTS_A_COMMAND: usize = 1000;
