//! What a site adds to a policy: which addresses its selectors stand for. Pure data; the gateway keeps it current.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::address::{IpPrefix, is_internal};
use crate::oracle::Resolved;
use crate::policy::{Policy, Remote};
use crate::url::MudUrl;

/// Addresses that are kept of one name (threat: a name with thousands of addresses).
pub const MAX_ADDRESSES_PER_NAME: usize = 64;

/// How a device's MUD URL was learned. Devices of different strength never share a class (RFC 8520, section 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Anyone on the network could have said it (DHCP, LLDP).
    Weak,
    /// Bound to the device by a certificate or attestation.
    Strong,
}

/// What a device whose URL was learned by weak means gets from its file (RFC 8520, section 16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeakAccess {
    /// No more than a device without a file: what every device has by default, less what the file drops.
    #[default]
    NoMore,
    /// What its file permits.
    AsFile,
}

/// A device of the site, as far as classes are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Whatever tells devices apart at the site.
    pub id: String,
    /// Its MUD URL: the one that was learned, not that inside of the file or after a redirect.
    pub url: MudUrl,
    /// How the URL was learned.
    pub strength: Strength,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// Inputs of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Members of controller classes by class name, among them [`crate::CONTROLLER_DNS`] and
    /// [`crate::CONTROLLER_NTP`].
    pub controllers: BTreeMap<String, Vec<IpPrefix>>,
    /// Controllers that the operator assigned, by MUD URL (RFC 8520, section 4.7).
    pub my_controllers: BTreeMap<MudUrl, Vec<IpPrefix>>,
    /// The local networks (RFC 8520, section 4.5).
    pub local_networks: Vec<IpPrefix>,
    /// Addresses of names, as observed by the site's resolver.
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// Names that may resolve to internal addresses, because the site's own DNS says so.
    pub internal_names: BTreeSet<String>,
    /// Devices.
    pub members: Vec<Member>,
    /// What devices get that could have said anything about themselves.
    pub weak_access: WeakAccess,
}

impl Site {
    /// The part of its file's policy that a device gets at this site. A weakly identified device that may not gain by its
    /// file still loses what the file drops: that is narrower, and the author's word.
    pub fn grant(&self, policy: &Policy, device: &Member) -> Policy {
        match (device.strength, self.weak_access) {
            (Strength::Strong, _) | (Strength::Weak, WeakAccess::AsFile) => policy.clone(),
            (Strength::Weak, WeakAccess::NoMore) => policy.defaults_only(),
        }
    }

    /// Resolves the remotes of a policy for one device. A remote without members stays empty, and entries about it
    /// match nothing.
    pub fn resolve(&self, policy: &Policy, device: &Member) -> Resolved {
        let mut resolved = Resolved::default();
        for remote in policy.remotes() {
            let members = match remote {
                Remote::Any | Remote::Prefix(_) => continue,
                Remote::Name(name) => self.name(name),
                Remote::Controller(class) => self.controllers.get(class).cloned().unwrap_or_default(),
                Remote::MyController => self.my_controllers.get(&device.url).cloned().unwrap_or_default(),
                Remote::LocalNetworks => self.local_networks.clone(),
                Remote::Manufacturer(host) => self.class(device, |member| is_manufacturer(&member.url, host)),
                Remote::SameManufacturer => {
                    self.class(device, |member| member.url.authority() == device.url.authority())
                }
                Remote::Model(url) => self.class(device, |member| member.url.as_str() == url),
            };
            resolved.insert(remote.clone(), members);
        }
        resolved
    }

    /// Addresses of a name. A public name that leads inside is an attack on what is inside (DNS rebinding).
    fn name(&self, name: &str) -> Vec<IpPrefix> {
        let addresses = self.names.get(name).map(Vec::as_slice).unwrap_or_default();
        let internal = self.internal_names.contains(name);
        let allowed = addresses.iter().filter(|address| internal || !is_internal(**address));
        allowed.take(MAX_ADDRESSES_PER_NAME).map(|address| IpPrefix::host(*address)).collect()
    }

    /// Other devices, learned as strongly as this one, to which the rule applies.
    fn class(&self, device: &Member, rule: impl Fn(&Member) -> bool) -> Vec<IpPrefix> {
        self.members
            .iter()
            .filter(|member| member.id != device.id && member.strength == device.strength && rule(member))
            .flat_map(|member| &member.addresses)
            .map(|address| IpPrefix::host(*address))
            .collect()
    }
}

/// `manufacturer` is a host and cannot carry a port, so it means the default one. Whole hosts are compared: a suffix
/// would let `evil-maker.example` in.
fn is_manufacturer(url: &MudUrl, host: &str) -> bool {
    let authority = url.authority().host;
    let authority = authority.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(authority);
    url.has_default_port() && authority == host
}
