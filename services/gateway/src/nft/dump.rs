//! What the kernel holds of ours, as nft lists it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use super::{Name, Site, stamp};
use crate::{AddressRange, Mac};

/// A device's element in one of the four maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    /// The source of its frames, in the maps for what it starts.
    pub(crate) mac: Option<Mac>,
    pub(crate) address: IpAddr,
}

/// The state of the table, as far as it differs from one enforcer to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Whether the fixed part is the one that we would make.
    pub(crate) ours: bool,
    /// Rules in each chain.
    pub(crate) chains: BTreeMap<Name, usize>,
    /// Chains by policy number, for what devices start and what is started toward them.
    pub(crate) from: BTreeMap<u32, Name>,
    pub(crate) to: BTreeMap<u32, Name>,
    /// Policy numbers of devices.
    pub(crate) devices: BTreeMap<Element, u32>,
    /// Members of class sets.
    pub(crate) classes: BTreeMap<Name, BTreeSet<AddressRange>>,
    /// Sets of policies.
    pub(crate) sets: BTreeSet<Name>,
}

impl Found {
    /// Reads a listing. Nothing, when it holds something that we would not have put there.
    pub(crate) fn read(listing: &Value, site: &Site) -> Option<Self> {
        let mut found = Self::default();
        for object in listing.get("nftables")?.as_array()? {
            if let Some(chain) = object.get("chain") {
                found.chains.entry(name(chain, "name")?).or_default();
            } else if let Some(rule) = object.get("rule") {
                *found.chains.entry(name(rule, "chain")?).or_default() += 1;
            } else if let Some(set) = object.get("set") {
                found.read_set(set)?;
            } else if let Some(map) = object.get("map") {
                found.read_map(map)?;
            }
        }
        found.ours = found.chains.contains_key(&stamp(site));
        Some(found)
    }

    fn read_set(&mut self, set: &Value) -> Option<()> {
        let name = name(set, "name")?;
        if name.as_str().starts_with('p') {
            self.sets.insert(name);
        } else if name.as_str().starts_with("c") {
            let members = elements(set).map(|member| range(plain(member))).collect::<Option<_>>()?;
            self.classes.insert(name, members);
        }
        Some(())
    }

    fn read_map(&mut self, map: &Value) -> Option<()> {
        let name = map.get("name")?.as_str()?;
        for pair in elements(map) {
            let [key, value] = pair.as_array()?.as_slice() else { return None };
            let key = plain(key);
            match name {
                "pol_from" => self.from.insert(number(key)?, target(value)?).map_or(Some(()), |_| None)?,
                "pol_to" => self.to.insert(number(key)?, target(value)?).map_or(Some(()), |_| None)?,
                "dev_from4" | "dev_from6" => {
                    let [mac, address] = key.get("concat")?.as_array()?.as_slice() else { return None };
                    let mac = Some(Mac::parse(mac.as_str()?)?);
                    let element = Element { mac, address: address.as_str()?.parse().ok()? };
                    self.devices.insert(element, number(value)?);
                }
                "dev_to4" | "dev_to6" => {
                    let element = Element { mac: None, address: key.as_str()?.parse().ok()? };
                    self.devices.insert(element, number(value)?);
                }
                _ => return None,
            }
        }
        Some(())
    }
}

/// Packets of one kind that a device sent and that were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Source of the frames.
    pub mac: Mac,
    /// Where they were to go.
    pub remote: IpAddr,
    /// TCP (6) or UDP (17).
    pub protocol: u8,
    /// Destination port.
    pub port: u16,
    /// How many.
    pub packets: u64,
}

/// Reads the counted sets of a listing; what is not understood is passed over.
pub(crate) fn read_dropped(listing: &Value) -> Vec<Dropped> {
    let objects = listing.get("nftables").and_then(Value::as_array).into_iter().flatten();
    let sets = objects.filter_map(|object| object.get("set")).filter(|set| {
        set.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with("seen_from"))
    });
    sets.flat_map(elements).filter_map(read_one_dropped).collect()
}

fn read_one_dropped(element: &Value) -> Option<Dropped> {
    let [mac, remote, protocol, port] = plain(element).get("concat")?.as_array()?.as_slice() else {
        return None;
    };
    Some(Dropped {
        mac: Mac::parse(mac.as_str()?)?,
        remote: remote.as_str()?.parse().ok()?,
        protocol: number_of(protocol)?,
        port: u16::try_from(port.as_u64()?).ok()?,
        packets: packets(element.get("elem")?)?,
    })
}

/// Something of a policy that counts packets: of flows that begin, since all others pass before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counter {
    /// The rule of this number in a chain.
    Rule(Name, usize),
    /// An element of a set: an address, or one with protocol and port.
    Element(Name, IpAddr, Option<(u8, u16)>),
}

/// Reads what the rules and elements of policies counted; what is not understood is passed over.
pub(crate) fn read_counters(listing: &Value) -> BTreeMap<Counter, u64> {
    let mut counters = BTreeMap::new();
    let mut seen: BTreeMap<Name, usize> = BTreeMap::new();
    let of_policy = |name: &Name| name.as_str().starts_with('p');
    for object in listing.get("nftables").and_then(Value::as_array).into_iter().flatten() {
        if let Some(rule) = object.get("rule")
            && let Some(chain) = name(rule, "chain").filter(of_policy)
        {
            let number = seen.entry(chain.clone()).or_default();
            let parts = rule.get("expr").and_then(Value::as_array).into_iter().flatten();
            if let Some(packets) = parts.filter_map(packets).next() {
                counters.insert(Counter::Rule(chain, *number), packets);
            }
            *number += 1;
        } else if let Some(set) = object.get("set")
            && let Some(name) = name(set, "name").filter(of_policy)
        {
            counters.extend(elements(set).filter_map(|element| {
                let (address, key) = member(plain(element))?;
                Some((Counter::Element(name.clone(), address, key), packets(element.get("elem")?)?))
            }));
        }
    }
    counters
}

/// An address, or an address with protocol and port.
fn member(value: &Value) -> Option<(IpAddr, Option<(u8, u16)>)> {
    if let Some(text) = value.as_str() {
        return Some((text.parse().ok()?, None));
    }
    let [address, protocol, port] = value.get("concat")?.as_array()?.as_slice() else { return None };
    let address = address.as_str()?.parse().ok()?;
    Some((address, Some((number_of(protocol)?, u16::try_from(port.as_u64()?).ok()?))))
}

/// nft writes TCP and UDP by their names.
fn number_of(protocol: &Value) -> Option<u8> {
    match protocol.as_str() {
        Some("tcp") => Some(6),
        Some("udp") => Some(17),
        Some(_) => None,
        None => u8::try_from(protocol.as_u64()?).ok(),
    }
}

fn packets(counted: &Value) -> Option<u64> {
    counted.get("counter")?.get("packets")?.as_u64()
}

fn elements(set: &Value) -> impl Iterator<Item = &Value> {
    set.get("elem").and_then(Value::as_array).into_iter().flatten()
}

/// An element without its timeout and counters.
fn plain(element: &Value) -> &Value {
    element.get("elem").and_then(|element| element.get("val")).unwrap_or(element)
}

fn name(object: &Value, member: &str) -> Option<Name> {
    Name::from_kernel(object.get(member)?.as_str()?)
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

fn target(verdict: &Value) -> Option<Name> {
    name(verdict.get("goto")?, "target")
}

/// nft writes a range as one address, as a prefix or by its ends.
fn range(value: &Value) -> Option<AddressRange> {
    if let Some(text) = value.as_str() {
        let address = text.parse().ok()?;
        return AddressRange::new(address, address);
    }
    if let Some(prefix) = value.get("prefix") {
        let address = prefix.get("addr")?.as_str()?.parse().ok()?;
        return Some(AddressRange::of_prefix(address, u8::try_from(prefix.get("len")?.as_u64()?).ok()?));
    }
    let [first, last] = value.get("range")?.as_array()?.as_slice() else { return None };
    AddressRange::new(first.as_str()?.parse().ok()?, last.as_str()?.parse().ok()?)
}
