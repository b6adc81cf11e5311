//! Golden texts, and agreement of the rules with MUD's own oracle.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mud::{
    AceId, ConnState, Direction, Entry, Family, IpPrefix, MudUrl, Packet, PacketFields, Policy, Ports,
    Protocol, Remote, Resolved, Verdict, oracle,
};

use super::*;
use crate::{AddressRange, Class, Error, Flow, PolicyId, Strength};

fn subject() -> Subject {
    Subject { url: MudUrl::parse("https://maker.example/plug.json").unwrap(), strength: Strength::Strong }
}

fn entry(direction: Direction, family: Family, remote: Remote, protocol: Protocol, port: Ports) -> Entry {
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

/// The rendering, with the digests in names cut off.
fn rendered(entries: Vec<Entry>) -> String {
    let lowered = lower(&Policy { entries }, &subject(), true).unwrap();
    let names = policy_names(PolicyId(16), &lowered.program, false);
    let text = render(&names, &lowered.program, false).as_text().to_owned();
    let mut text = text.replace(names.base().as_str(), "P");
    for class in lowered.program.classes() {
        for family in [Family::V4, Family::V6] {
            text = text.replace(class_set(class, family).as_str(), &format!("CLASS_{}", family.bits()));
        }
    }
    text
}

#[test]
fn accepts_become_sets() {
    use Direction::{FromDevice, ToDevice};
    let name = |name: &str| Remote::Name(name.into());
    let prefix = |text: &str| Remote::Prefix(IpPrefix::parse(text).unwrap());
    let text = rendered(vec![
        entry(FromDevice, Family::V4, name("a.maker.example"), Protocol::Tcp, Ports::one(443)),
        entry(FromDevice, Family::V4, name("b.maker.example"), Protocol::Tcp, Ports::one(443)),
        entry(FromDevice, Family::V4, name("b.maker.example"), Protocol::Udp, Ports::new([1000..=2000])),
        entry(FromDevice, Family::V4, prefix("239.255.255.250/32"), Protocol::Udp, Ports::one(1900)),
        entry(FromDevice, Family::V4, prefix("10.0.0.0/8"), Protocol::Udp, Ports::one(1900)),
        entry(FromDevice, Family::V4, prefix("10.1.0.0/16"), Protocol::Udp, Ports::one(1900)),
        entry(
            FromDevice,
            Family::V6,
            Remote::SameManufacturer,
            Protocol::Icmp { icmp_type: Some(128), code: None },
            Ports::ANY,
        ),
        entry(ToDevice, Family::V4, Remote::LocalNetworks, Protocol::Tcp, Ports::new([80..=80, 8000..=8080])),
        entry(ToDevice, Family::V4, Remote::Any, Protocol::Other(2), Ports::ANY),
    ]);
    assert_eq!(
        text,
        "\
add set inet sextant P_from4 { type ipv4_addr . inet_proto . inet_service ; flags timeout ; size 65535 ; }
add set inet sextant P_g0 { type ipv4_addr ; flags timeout ; size 65535 ; }
add element inet sextant P_from4 { 239.255.255.250 . 17 . 1900 }
add chain inet sextant P_from
add rule inet sextant P_from ip daddr . meta l4proto . th dport @P_from4 return
add rule inet sextant P_from ip daddr @P_g0 meta l4proto 17 th dport { 1000-2000 } return
add rule inet sextant P_from ip daddr { 10.0.0.0-10.255.255.255 } meta l4proto 17 th dport { 1900 } return
add rule inet sextant P_from ip6 daddr @CLASS_128 meta l4proto 58 icmpv6 type 128 return
add rule inet sextant P_from ip daddr . meta l4proto . th dport @mgmt4 return
add rule inet sextant P_from ip6 daddr . meta l4proto . th dport @mgmt6 return
add rule inet sextant P_from goto violation_from
add chain inet sextant P_to
add rule inet sextant P_to ip saddr @CLASS_32 meta l4proto 6 th dport { 80 , 8000-8080 } return
add rule inet sextant P_to meta nfproto ipv4 meta l4proto 2 return
add rule inet sextant P_to goto violation_to
"
    );
}

#[test]
fn denials_before_accepts_become_rules_in_order() {
    let from = |remote, verdict| Entry {
        verdict,
        ..entry(Direction::FromDevice, Family::V4, remote, Protocol::Tcp, Ports::one(443))
    };
    let text = rendered(vec![
        from(Remote::Name("bad.example".into()), Verdict::Drop),
        from(Remote::Any, Verdict::Accept),
        from(Remote::LocalNetworks, Verdict::Reject),
    ]);
    assert_eq!(
        text,
        "\
add set inet sextant P_g0 { type ipv4_addr ; flags timeout ; size 65535 ; }
add chain inet sextant P_from
add rule inet sextant P_from ip daddr . meta l4proto . th dport @mgmt4 return
add rule inet sextant P_from ip6 daddr . meta l4proto . th dport @mgmt6 return
add rule inet sextant P_from ip daddr @P_g0 meta l4proto 6 th dport { 443 } counter drop
add rule inet sextant P_from meta nfproto ipv4 meta l4proto 6 th dport { 443 } return
add rule inet sextant P_from goto violation_from
add chain inet sextant P_to
add rule inet sextant P_to goto violation_to
"
    );
}

#[test]
fn the_default_for_resolvers_is_extended_to_tcp_only_where_the_site_wants_it() {
    let default = Entry {
        default: true,
        ..entry(
            Direction::FromDevice,
            Family::V4,
            Remote::Controller(mud::CONTROLLER_DNS.into()),
            Protocol::Udp,
            Ports::one(53),
        )
    };
    let policy = Policy { entries: vec![default] };
    for (over_tcp, rules) in [(false, 1), (true, 2)] {
        assert_eq!(lower(&policy, &subject(), over_tcp).unwrap().program.rules.len(), rules);
    }
}

#[test]
fn what_cannot_be_checked_is_narrower_and_said() {
    let extra = mud::ExtraMatch { tcp_flags: Some(2), ..mud::ExtraMatch::default() };
    let accept = Entry {
        extra: Some(extra),
        ..entry(Direction::FromDevice, Family::V4, Remote::Any, Protocol::Tcp, Ports::one(443))
    };
    let deny = Entry { verdict: Verdict::Drop, ..accept.clone() };
    let wide = Entry { extra: None, ..accept.clone() };
    let lowered = lower(&Policy { entries: vec![accept, deny, wide] }, &subject(), true).unwrap();
    assert_eq!(lowered.left_out, [0, 1]);
    let verdicts: Vec<_> = lowered.program.rules.iter().map(|rule| rule.verdict).collect();
    assert_eq!(verdicts, [Verdict::Drop, Verdict::Accept]);
}

#[test]
fn weak_devices_do_not_see_strong_classes() {
    let weak = Subject { strength: Strength::Weak, ..subject() };
    let policy = Policy {
        entries: vec![entry(
            Direction::FromDevice,
            Family::V4,
            Remote::SameManufacturer,
            Protocol::Tcp,
            Ports::one(1),
        )],
    };
    let classes = |subject: &Subject| -> Vec<Class> {
        lower(&policy, subject, true).unwrap().program.classes().cloned().collect()
    };
    assert_eq!(classes(&subject()), [Class::Manufacturer("maker.example".into(), Strength::Strong)]);
    assert_eq!(classes(&weak), [Class::Manufacturer("maker.example".into(), Strength::Weak)]);
    assert!(subject().classes().contains(&classes(&subject())[0]));
    let port = Subject { url: MudUrl::parse("https://Maker.example:8443/x").unwrap(), ..subject() };
    assert_eq!(classes(&port), [Class::Manufacturer("maker.example:8443".into(), Strength::Strong)]);
}

#[test]
fn limits_hold_at_the_limit_and_not_one_past_it() {
    let names = |count: usize| -> Vec<Start> {
        let service = Service { remote_ports: Ports::one(443), ..Service::of(Protocol::Tcp) };
        let start = |index| Start {
            side: Side::From,
            family: Family::V4,
            peer: Peer::Name(format!("n{index}.example")),
            service: service.clone(),
            verdict: Verdict::Accept,
        };
        (0..count).map(start).collect()
    };
    assert!(Program::new(names(program::MAX_NAMES)).is_ok());
    assert!(matches!(
        Program::new(names(program::MAX_NAMES + 1)),
        Err(Error::TooLarge { what: "names", found: 501, limit: 500 })
    ));
}

/// A small world in which random policies and packets meet often.
struct World {
    state: u64,
}

impl World {
    fn below(&mut self, bound: usize) -> usize {
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

    fn entry(&mut self) -> Entry {
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

    fn packet(&mut self) -> Packet {
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
struct Members {
    resolved: Resolved,
    names: BTreeMap<&'static str, Vec<IpAddr>>,
    classes: BTreeMap<Class, Vec<IpAddr>>,
}

impl Members {
    fn random(world: &mut World) -> Self {
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

impl View for Members {
    fn class_has(&self, class: &Class, address: IpAddr) -> bool {
        self.classes.get(class).is_some_and(|members| members.contains(&address))
    }

    fn name_has(&self, name: &str, address: IpAddr) -> bool {
        self.names.get(name).is_some_and(|members| members.contains(&address))
    }
}

#[test]
fn rules_and_oracle_agree_on_random_policies() {
    let mut world = World { state: 0x5e97_a417 };
    let local: BTreeMap<bool, IpAddr> =
        [(true, Ipv4Addr::new(10, 0, 0, 1).into()), (false, Ipv6Addr::LOCALHOST.into())].into();
    let (mut accepted, mut denied) = (0, 0);
    for round in 0..400 {
        let policy = Policy { entries: (0..1 + world.below(8)).map(|_| world.entry()).collect() };
        let program = lower(&policy, &subject(), false).unwrap().program;
        let members = Members::random(&mut world);
        for _ in 0..100 {
            let packet = world.packet();
            let own = local[&packet.remote.is_ipv4()];
            let (side, source, destination, source_port, destination_port) = match packet.direction {
                Direction::FromDevice => {
                    (Side::From, own, packet.remote, packet.device_port, packet.remote_port)
                }
                Direction::ToDevice => (Side::To, packet.remote, own, packet.remote_port, packet.device_port),
            };
            let destination_port =
                packet.icmp.map_or(destination_port, |(kind, code)| u16::from_be_bytes([kind, code]));
            let flow = Flow { source, destination, protocol: packet.protocol, source_port, destination_port };
            let wanted =
                oracle(&policy, &members.resolved, &packet, ConnState::New).verdict == Verdict::Accept;
            assert_eq!(
                program.permits(side, &flow, &members),
                wanted,
                "round {round}: {packet:?} by {:#?}",
                policy.entries.iter().map(ToString::to_string).collect::<Vec<_>>()
            );
            if wanted { accepted += 1 } else { denied += 1 }
        }
    }
    assert!(accepted > 3_000 && denied > 3_000, "{accepted} accepted, {denied} denied");
}

#[test]
fn overlapping_prefixes_are_joined_before_the_kernel_sees_them() {
    let range = |text: &str, length| Start {
        side: Side::From,
        family: Family::V4,
        peer: Peer::Range(AddressRange::of_prefix(text.parse().unwrap(), length)),
        service: Service::of(Protocol::Udp),
        verdict: Verdict::Accept,
    };
    let program =
        Program::new(vec![range("10.0.0.0", 8), range("10.2.0.0", 16), range("11.0.0.0", 8)]).unwrap();
    assert_eq!(program.rules.len(), 1);
}
