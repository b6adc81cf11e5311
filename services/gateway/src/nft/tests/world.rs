//! Random policies, packets and neighbours.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mud::{
    AceId, Direction, Entry, Family, IpPrefix, MudUrl, Packet, PacketFields, Ports, Protocol, Remote,
    Resolved, Verdict,
};

use crate::nft::{Members, Subject, View};
use crate::{AddressRange, Class, Strength};

pub(crate) fn subject() -> Subject {
    Subject { url: MudUrl::parse("https://maker.example/plug.json").unwrap(), strength: Strength::Strong }
}

pub(crate) fn entry(
    direction: Direction,
    family: Family,
    remote: Remote,
    protocol: Protocol,
    port: Ports,
) -> Entry {
    let (remote_ports, device_ports) = match direction {
        Direction::FromDevice => (port, Ports::ANY),
        Direction::ToDevice => (Ports::ANY, port),
    };
    Entry {
        direction,
        family,
        remote,
        protocol,
        remote_ports,
        device_ports,
        extra: None,
        tls: Vec::new(),
        verdict: Verdict::Accept,
        ace: AceId { acl: "a".into(), ace: "b".into() },
        default: false,
    }
}

/// Draws policies, packets and who is there.
pub(crate) struct World {
    pub(crate) state: u64,
}

impl World {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % bound as u64) as usize
    }

    fn address(&mut self, family: Family) -> IpAddr {
        let host = self.below(4) as u8;
        match family {
            Family::V4 => Ipv4Addr::new(192, 0, 2, host).into(),
            Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host.into()).into(),
        }
    }

    fn family(&mut self) -> Family {
        if self.below(2) == 0 { Family::V4 } else { Family::V6 }
    }

    pub(crate) fn entry(&mut self) -> Entry {
        let family = self.family();
        let remote = match self.below(8) {
            0 => Remote::Any,
            1 => Remote::Prefix(IpPrefix::host(self.address(family))),
            2 => Remote::Prefix(IpPrefix::new(self.address(family), family.bits() - 1).unwrap()),
            3 | 4 => Remote::Name(["a.example", "b.example"][self.below(2)].into()),
            5 => Remote::Controller("urn:x".into()),
            6 => Remote::SameManufacturer,
            _ => Remote::LocalNetworks,
        };
        let protocol = match self.below(6) {
            0 => Protocol::Any,
            1 | 2 => Protocol::Tcp,
            3 => Protocol::Udp,
            4 => Protocol::Icmp { icmp_type: Some(8), code: (self.below(2) == 0).then_some(0) },
            _ => Protocol::Other(47),
        };
        let mut ports = || match self.below(4) {
            0 => Ports::new([1..=2]),
            1 => Ports::ANY,
            port => Ports::one(port as u16),
        };
        let (remote_ports, device_ports) = match protocol {
            Protocol::Tcp | Protocol::Udp => (ports(), ports()),
            _ => (Ports::ANY, Ports::ANY),
        };
        let direction = [Direction::FromDevice, Direction::ToDevice][self.below(2)];
        let verdict = [Verdict::Accept, Verdict::Accept, Verdict::Accept, Verdict::Drop][self.below(4)];
        Entry {
            remote_ports,
            device_ports,
            verdict,
            ..entry(direction, family, remote, protocol, Ports::ANY)
        }
    }

    pub(crate) fn packet(&mut self) -> Packet {
        let family = self.family();
        let icmp = if family == Family::V4 { 1 } else { 58 };
        let protocol = [6, 17, icmp, 47][self.below(4)];
        let ports = matches!(protocol, 6 | 17);
        let mut port = || if ports { self.below(4) as u16 } else { 0 };
        let (remote_port, device_port) = (port(), port());
        Packet {
            direction: [Direction::FromDevice, Direction::ToDevice][self.below(2)],
            remote: self.address(family),
            protocol,
            remote_port,
            device_port,
            icmp: (protocol == icmp).then(|| (8, self.below(2) as u8)),
            tcp_flags: None,
            fields: PacketFields::default(),
        }
    }
}

/// The same members for the oracle and for the rules.
pub(crate) struct Neighbours {
    pub(crate) resolved: Resolved,
    names: BTreeMap<&'static str, Vec<IpAddr>>,
    classes: BTreeMap<Class, Vec<IpAddr>>,
}

impl Neighbours {
    pub(crate) fn random(world: &mut World) -> Self {
        let mut some = || -> Vec<IpAddr> {
            [Family::V4, Family::V6]
                .into_iter()
                .flat_map(|family| [world.address(family), world.address(family)])
                .collect()
        };
        let names = BTreeMap::from([("a.example", some()), ("b.example", some())]);
        let remotes = [Remote::Controller("urn:x".into()), Remote::SameManufacturer, Remote::LocalNetworks];
        let keys = [
            Class::Controller("urn:x".into()),
            Class::Manufacturer("maker.example".into(), Strength::Strong),
            Class::LocalNetworks,
        ];
        let mut resolved = Resolved::default();
        let mut classes = BTreeMap::new();
        for (name, addresses) in &names {
            resolved.insert(Remote::Name((*name).into()), addresses.iter().copied().map(IpPrefix::host));
        }
        for (remote, class) in remotes.into_iter().zip(keys) {
            let members = some();
            resolved.insert(remote, members.iter().copied().map(IpPrefix::host));
            classes.insert(class, members);
        }
        Self { resolved, names, classes }
    }
}

impl View for Neighbours {
    fn class_has(&self, class: &Class, address: IpAddr) -> bool {
        self.classes.get(class).is_some_and(|members| members.contains(&address))
    }

    fn name_has(&self, name: &str, address: IpAddr) -> bool {
        self.names.get(name).is_some_and(|members| members.contains(&address))
    }
}

impl Members for Neighbours {
    fn of_class(&self, class: &Class, family: Family) -> Vec<AddressRange> {
        let members = self.classes.get(class).into_iter().flatten().copied();
        let ranges = members.filter_map(|address| AddressRange::new(address, address));
        crate::address::join(ranges.filter(|range| Family::of(range.first()) == family).collect())
    }

    fn of_name(&self, name: &str) -> Vec<IpAddr> {
        self.names.get(name).cloned().unwrap_or_default()
    }
}
