//! The kernel, the compiler and MUD's own oracle say the same.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use gateway::{AddressRange, Class, PolicyId, Strength, Subject, Wanted, lower};
use mud::{
    AceId, ConnState, Direction, Entry, Family, IpPrefix, MudUrl, Packet, PacketFields, Policy, Ports,
    Protocol, Remote, Resolved, Verdict, oracle,
};

use crate::lab::{ANSWER, Lab, at, binding, id, ip};

const HOSTS: [&str; 6] =
    ["203.0.113.10", "203.0.113.11", "203.0.113.12", "2001:db8:aa::10", "2001:db8:aa::11", "2001:db8:aa::12"];
const PORTS: [u16; 2] = [443, 444];
/// For probes that run all at once.
const PATIENCE: Duration = Duration::from_millis(400);

fn subject() -> Subject {
    Subject { url: MudUrl::parse("https://maker.example/x.json").unwrap(), strength: Strength::Strong }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn entry(&mut self) -> Entry {
        let family = [Family::V4, Family::V6][self.below(2)];
        let host = ip(HOSTS[self.below(3) + if family == Family::V6 { 3 } else { 0 }]);
        let remote = match self.below(6) {
            0 => Remote::Any,
            1 => Remote::Prefix(IpPrefix::host(host)),
            2 => Remote::Prefix(IpPrefix::new(host, family.bits() - 1).unwrap()),
            3 => Remote::Controller("urn:x".into()),
            _ => Remote::Name(["a.example", "b.example"][self.below(2)].into()),
        };
        let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Any][self.below(3)];
        let remote_ports = match (protocol, self.below(3)) {
            (Protocol::Any, _) => Ports::ANY,
            (_, 0) => Ports::new([443..=444]),
            (_, port) => Ports::one(PORTS[port - 1]),
        };
        Entry {
            direction: Direction::FromDevice,
            family,
            remote,
            protocol,
            remote_ports,
            device_ports: Ports::ANY,
            extra: None,
            tls: vec![],
            verdict: [Verdict::Accept, Verdict::Accept, Verdict::Drop][self.below(3)],
            ace: AceId { acl: String::new(), ace: String::new() },
            default: false,
        }
    }
}

#[test]
fn kernel_and_oracle_agree_on_random_policies() {
    let Some(lab) = Lab::new(1) else { return };
    let _servers: Vec<_> =
        HOSTS.iter().flat_map(|host| PORTS.map(|port| lab.wan.echo(at(host, port)).unwrap())).collect();
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let mut random = Random(0x00c0_ffee);
        enforcer.admit(binding(0), PolicyId::BLOCKED).unwrap();
        let (mut passed, mut dropped) = (0, 0);
        for round in 0..12 {
            let mut policy = Policy { entries: (0..2 + random.below(6)).map(|_| random.entry()).collect() };
            // A name keeps its addresses for a while, so each round has its own.
            for entry in &mut policy.entries {
                if let Remote::Name(name) = &mut entry.remote {
                    name.insert_str(0, &format!("r{round}."));
                }
            }
            let names = ["a.example", "b.example"].map(|name| format!("r{round}.{name}"));
            let id16 = enforcer.stage(lower(&policy, &subject(), false).unwrap().program).unwrap();
            let mut resolved = Resolved::default();
            for name in &names {
                let addresses: Vec<IpAddr> = vec![ip(HOSTS[random.below(3)]), ip(HOSTS[3 + random.below(3)])];
                resolved.insert(Remote::Name(name.clone()), addresses.into_iter().map(IpPrefix::host));
            }
            for name in &names {
                let remote = Remote::Name(name.clone());
                let addresses: Vec<IpAddr> =
                    resolved.members(&remote).iter().map(IpPrefix::address).collect();
                enforcer.learn(name, &addresses, 300, std::time::Instant::now()).unwrap();
            }
            let member = ip(HOSTS[random.below(6)]);
            let range = AddressRange::new(member, member).unwrap();
            enforcer.set_members(Class::Controller("urn:x".into()), [range].into()).unwrap();
            resolved.insert(Remote::Controller("urn:x".into()), [IpPrefix::host(member)]);
            enforcer.assign(&[(id(0), id16)]).unwrap();

            let device = &lab.devices[0];
            let probes: Vec<(SocketAddr, bool)> = HOSTS
                .iter()
                .flat_map(|host| PORTS.map(|port| at(host, port)))
                .flat_map(|to| [(to, true), (to, false)])
                .collect();
            let results: Vec<bool> = std::thread::scope(|scope| {
                let probe = |(to, tcp): (SocketAddr, bool)| {
                    scope.spawn(move || if tcp { device.tcp(to, PATIENCE) } else { device.udp(to, PATIENCE) })
                };
                let running: Vec<_> = probes.iter().copied().map(probe).collect();
                running.into_iter().map(|probe| probe.join().unwrap()).collect()
            });
            for ((to, tcp), found) in probes.into_iter().zip(results) {
                let packet = Packet {
                    direction: Direction::FromDevice,
                    remote: to.ip(),
                    protocol: if tcp { 6 } else { 17 },
                    remote_port: to.port(),
                    device_port: 50_000,
                    icmp: None,
                    tcp_flags: None,
                    fields: PacketFields::default(),
                };
                let wanted = oracle(&policy, &resolved, &packet, ConnState::New).verdict == Verdict::Accept;
                let entries: Vec<String> = policy.entries.iter().map(ToString::to_string).collect();
                assert_eq!(found, wanted, "round {round}, {to}, tcp {tcp}: {entries:#?} with {resolved:?}");
                if found { passed += 1 } else { dropped += 1 }
            }
            enforcer.assign(&[(id(0), PolicyId::BLOCKED)]).unwrap();
            enforcer.discard(id16).unwrap();
        }
        assert!(passed > 30 && dropped > 30, "{passed} passed, {dropped} dropped");
    });
}

#[test]
fn every_profile_of_the_corpus_loads() {
    let Some(vectors) = testkit::vectors("mud") else { return };
    let Some(lab) = Lab::new(1) else { return };
    let mut files: Vec<_> = std::fs::read_dir(vectors.join("unsw"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        for path in &files {
            let bytes = std::fs::read(path).unwrap();
            let parsed =
                mud::parse(&bytes, &mud::Context::default()).unwrap_or_else(|e| panic!("{path:?}: {e:?}"));
            let policy = mud::compile(&parsed.file).policy;
            let lowered = lower(&policy, &subject(), true).unwrap();
            for index in &lowered.left_out {
                let entry = &policy.entries[*index];
                assert!(entry.extra.is_some_and(|extra| extra.remote_mac.is_some()), "{path:?}: {entry}");
            }
            enforcer.stage(lowered.program).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        }
        assert_eq!(enforcer.status().policies, files.len() + 3);
    });
}

#[test]
fn members_of_a_class_change_in_place() {
    let Some(lab) = Lab::new(1) else { return };
    let _servers: Vec<_> =
        ["203.0.113.10", "203.0.113.13"].map(|host| lab.wan.echo(at(host, 443)).unwrap()).into();
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let starts = crate::lab::class(gateway::Side::From, Class::LocalNetworks, Protocol::Tcp, 443);
        let policy = enforcer.stage(crate::lab::program(starts)).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        let range = |first: &str, last: &str| AddressRange::new(ip(first), ip(last)).unwrap();
        for (members, near, far) in [
            (BTreeSet::new(), false, false),
            (BTreeSet::from([range("203.0.113.8", "203.0.113.11")]), true, false),
            (BTreeSet::from([range("203.0.113.0", "203.0.113.255")]), true, true),
            (
                BTreeSet::from([range("203.0.113.0", "203.0.113.11"), range("203.0.113.13", "203.0.113.13")]),
                true,
                true,
            ),
            (BTreeSet::from([range("203.0.113.12", "203.0.113.20"), range("::", "::1")]), false, true),
            (BTreeSet::new(), false, false),
        ] {
            enforcer.set_members(Class::LocalNetworks, members.clone()).unwrap();
            for (host, expected) in [("203.0.113.10", near), ("203.0.113.13", far)] {
                let patience = if expected { ANSWER } else { PATIENCE };
                assert_eq!(lab.devices[0].tcp(at(host, 443), patience), expected, "{host} with {members:?}");
            }
        }
        assert!(enforcer.status().certain);
        let strong = Class::Manufacturer("maker.example".into(), Strength::Strong);
        assert!(matches!(
            enforcer.set_members(strong, BTreeSet::new()),
            Err(gateway::Error::MembersByBinding)
        ));
    });
}
