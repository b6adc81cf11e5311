//! Where a gateway stands: its settings, and what the kernel says of its links.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::follow::Following;
use super::resolvers::Resolvers;
use super::servers::Servers;
use super::{Config, StartError, link};
use crate::{AddressRange, Class, Endpoint, Interface, Site, Wanted};

/// Where the gateway stands, from its settings and what the kernel says of its links.
pub(super) struct Place {
    pub(super) site: Site,
    pub(super) wanted: Wanted,
    pub(super) listen: Vec<IpAddr>,
    pub(super) following: Following,
    /// Names of resolvers that devices may not use.
    pub(super) resolvers: BTreeSet<String>,
    pub(super) servers: Servers,
}

impl Place {
    pub(super) fn of(config: &Config, lan: &Interface) -> Result<Self, StartError> {
        let wan = Interface::new(&config.wan)?;
        if *lan == wan {
            return Err(StartError::Setting("LAN and WAN are one interface".to_owned()));
        }
        for interface in [lan, &wan] {
            if !link::exists(interface)? {
                return Err(StartError::Setting(format!("there is no interface {}", interface.as_str())));
            }
        }
        let present = link::addresses(lan)?;
        let mut listen = config.lan_addresses.clone();
        if listen.is_empty() {
            listen.extend(present.iter().filter(|address| !is_link_local(**address)));
        }
        if listen.is_empty() {
            return Err(StartError::Setting(format!("{} has no address", lan.as_str())));
        }
        let mut own = listen.clone();
        own.extend(present.iter().filter(|address| !listen.contains(*address)).copied().collect::<Vec<_>>());

        let mut servers = Servers::of(config)?;
        servers.look();
        let mut site = Site::new(lan.as_str())?;
        site.ports = link::ports(lan)?;
        site.tls = config.tls_profiles;
        site.own = own;
        site.admission = Some(config.admission_port);
        site.management = servers.endpoints();
        let service = |protocol, port| move |address: &IpAddr| Endpoint { address: *address, protocol, port };
        if !config.dns_upstream.is_empty() {
            site.basics.extend(listen.iter().map(service(UDP, DNS)));
            site.basics.extend(listen.iter().map(service(TCP, DNS)));
        }
        if config.dns_redirect && !config.dns_upstream.is_empty() {
            let first = |v6: bool| listen.iter().find(move |address| address.is_ipv6() == v6);
            site.resolvers.extend([false, true].into_iter().filter_map(first));
        }
        let blocked = Resolvers::load(config.block_doh.as_deref())?;
        site.blocked = blocked.addresses;
        site.basics.extend(config.ntp.iter().map(service(UDP, NTP)));
        let single = |address: &IpAddr| AddressRange::of_prefix(*address, u8::MAX);
        let local =
            config.local_networks.iter().map(|(address, length)| AddressRange::of_prefix(*address, *length));
        let mut classes = BTreeMap::from([(Class::LocalNetworks, local.collect())]);
        if !config.dns_upstream.is_empty() {
            classes.insert(Class::dns(), listen.iter().map(single).collect());
        }
        classes.insert(Class::ntp(), config.ntp.iter().map(single).collect());
        let wanted = Wanted { classes, ..Wanted::default() };
        let following = match config.follow_addresses {
            true => Following::within(link::networks(lan)?),
            false => Following::default(),
        };
        Ok(Self { site, wanted, listen, following, resolvers: blocked.names, servers })
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

// Well-known ports and IP protocol numbers (IANA).
pub(super) const DNS: u16 = 53;
const NTP: u16 = 123;
const TCP: u8 = 6;
const UDP: u8 = 17;
