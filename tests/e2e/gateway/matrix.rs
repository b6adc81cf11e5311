//! The probe matrix: for each entry of real files the start it permits, the same from the other side, the next port, another
//! host, the same in the other family, what answers it and what errors say about it. The oracle says what is to pass; what
//! belongs to a flow passes when the flow did begin, and not before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use gateway::{AddressRange, Class, Enforcer, PolicyId, Strength, Subject, Wanted, lower};
use mud::{
    ConnState, Context, Direction, Entry, Family, IpPrefix, Policy, Protocol, Remote, Resolved, Verdict,
    compile, oracle, parse,
};

use crate::lab::{Lab, binding, id, ip, v4, v6};
use crate::raw::{Ear, Packet, SYN, Says, send, silence};

/// Addresses that remotes of a file get, in each family.
const HOSTS: [[&str; 3]; 2] = [
    ["203.0.113.10", "203.0.113.11", "203.0.113.12"],
    ["2001:db8:aa::10", "2001:db8:aa::11", "2001:db8:aa::12"],
];
/// A host that no remote stands for.
const OTHER: [&str; 2] = ["203.0.113.13", "2001:db8:aa::13"];
const PATIENCE: Duration = Duration::from_secs(3);

fn index(family: Family) -> usize {
    usize::from(family == Family::V6)
}

/// A packet, which way it goes, and whether it should pass.
#[derive(Clone, Debug)]
struct Probe {
    direction: Direction,
    packet: Packet,
    passes: bool,
    what: String,
}

/// Numbers and ports that were not used before, so that no packet belongs to the flow of another.
#[derive(Default)]
struct Fresh {
    number: u32,
}

impl Fresh {
    fn number(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    fn port(&mut self) -> u16 {
        20_000 + (self.number % 40_000) as u16
    }
}

struct Bench<'l> {
    lab: &'l Lab,
    at_host: Ear,
    at_device: Ear,
    fresh: Fresh,
}

impl Bench<'_> {
    /// Sends all of them and looks who passed.
    fn run(&self, probes: &[Probe], file: &str) {
        let numbers = |direction: Direction, passing: bool| -> BTreeSet<u32> {
            let own =
                probes.iter().filter(|probe| probe.direction == direction && (probe.passes || !passing));
            own.map(|probe| probe.packet.number).collect()
        };
        let of = |direction| {
            probes
                .iter()
                .filter(|probe| probe.direction == direction)
                .map(|probe| probe.packet)
                .collect::<Vec<_>>()
        };
        send(&self.lab.devices[0], &of(Direction::FromDevice));
        send(&self.lab.wan, &of(Direction::ToDevice));
        for (direction, ear) in
            [(Direction::FromDevice, &self.at_host), (Direction::ToDevice, &self.at_device)]
        {
            let wanted = numbers(direction, true);
            let heard = &ear.heard(&wanted, PATIENCE) & &numbers(direction, false);
            let wrong: Vec<_> = probes
                .iter()
                .filter(|probe| probe.direction == direction)
                .filter(|probe| heard.contains(&probe.packet.number) != probe.passes)
                .collect();
            assert!(wrong.is_empty(), "{file}: {wrong:#?}");
        }
    }
}

/// Gives every remote of a policy addresses, for the oracle and in the kernel.
fn resolve(policy: &Policy, enforcer: &mut Enforcer) -> Resolved {
    let mut resolved = Resolved::default();
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for remote in policy.remotes() {
        let next = named.len();
        let at = match remote {
            Remote::Name(name) => *named.entry(name.clone()).or_insert(next) % 2,
            _ => 2,
        };
        let addresses: Vec<IpAddr> = HOSTS.map(|hosts| ip(hosts[at])).into();
        let class = match remote {
            Remote::Name(name) => {
                enforcer.learn(name, &addresses, 300, Instant::now()).unwrap();
                None
            }
            Remote::Controller(uri) => Some(Class::Controller(uri.clone())),
            Remote::LocalNetworks => Some(Class::LocalNetworks),
            _ => continue,
        };
        if let Some(class) = class {
            let single = |address: &IpAddr| AddressRange::new(*address, *address).unwrap();
            enforcer.set_members(class, addresses.iter().map(single).collect()).unwrap();
        }
        resolved.insert(remote.clone(), addresses.into_iter().map(IpPrefix::host));
    }
    resolved
}

/// The packet that starts what an entry is about, to or from one of its remotes; none where the laboratory has none of them.
fn start(entry: &Entry, resolved: &Resolved, fresh: &mut Fresh) -> Option<(Direction, Packet)> {
    let hosts = HOSTS[index(entry.family)].map(ip);
    let remote = hosts.into_iter().find(|host| match &entry.remote {
        Remote::Any => true,
        Remote::Prefix(prefix) => prefix.contains(*host),
        remote => resolved.contains(remote, *host),
    })?;
    let number = fresh.number();
    let low = |ports: &mud::Ports| ports.ranges().next().map(|range| *range.start());
    let device_port = low(&entry.device_ports).unwrap_or_else(|| fresh.port());
    let remote_port = low(&entry.remote_ports).unwrap_or_else(|| fresh.port());
    let device = if entry.family == Family::V4 { v4(0) } else { v6(0) };
    let (from, to, ports) = match entry.direction {
        Direction::FromDevice => (device, remote, (device_port, remote_port)),
        Direction::ToDevice => (remote, device, (remote_port, device_port)),
    };
    let echo = if entry.family == Family::V4 { 8 } else { 128 };
    let says = match entry.protocol {
        Protocol::Tcp | Protocol::Any => Says::Tcp { ports, flags: SYN },
        Protocol::Udp => Says::Udp { ports },
        Protocol::Icmp { icmp_type, code } => {
            // The kernel has a flow begin with a question only.
            let kind = icmp_type.unwrap_or(echo);
            if kind != echo {
                return None;
            }
            Says::Icmp { kind, code: code.unwrap_or(0) }
        }
        Protocol::Other(_) => return None,
    };
    let dscp = entry.extra.and_then(|extra| extra.dscp).unwrap_or(0);
    Some((entry.direction, Packet { from, to, dscp, says, number }))
}

/// What differs from a start in one thing.
fn neighbours(
    direction: Direction,
    start: &Packet,
    fresh: &mut Fresh,
) -> Vec<(&'static str, Direction, Packet)> {
    let family = Family::of(start.from);
    let mut all = Vec::new();
    let mut add = |what, direction, fresh: &mut Fresh, change: &dyn Fn(&mut Packet, u16)| {
        let mut packet = Packet { number: fresh.number(), ..*start };
        change(&mut packet, fresh.port());
        all.push((what, direction, packet));
    };
    // The called port stays in place where it is what differs; the calling one is fresh.
    let called = |packet: &mut Packet, change: &dyn Fn(u16) -> u16, calling: u16| match &mut packet.says {
        Says::Tcp { ports, .. } | Says::Udp { ports } => *ports = (calling, change(ports.1)),
        Says::Icmp { .. } | Says::Other(_) | Says::Unreachable { .. } => {}
    };
    let ported = matches!(start.says, Says::Tcp { .. } | Says::Udp { .. });
    if ported {
        add("the next port", direction, fresh, &|packet, port| {
            called(packet, &|port| port.wrapping_add(1), port)
        });
        add("the same from the other side", direction.opposite(), fresh, &|packet, port| {
            (packet.from, packet.to) = (packet.to, packet.from);
            called(packet, &|port| port, port);
        });
    }
    if let Says::Tcp { .. } = start.says {
        add("the middle of a connection", direction, fresh, &|packet, port| {
            called(packet, &|port| port, port);
            if let Says::Tcp { flags, .. } = &mut packet.says {
                *flags = 0x10;
            }
        });
    }
    add("another host", direction, fresh, &|packet, port| {
        let other = ip(OTHER[index(family)]);
        match direction {
            Direction::FromDevice => packet.to = other,
            Direction::ToDevice => packet.from = other,
        }
        called(packet, &|port| port, port);
    });
    add("the other family", direction, fresh, &|packet, port| {
        let twin = |address: IpAddr| {
            let other = usize::from(family == Family::V4);
            let at = HOSTS[index(family)].iter().position(|host| ip(host) == address);
            at.map_or(if other == 0 { v4(0) } else { v6(0) }, |at| ip(HOSTS[other][at]))
        };
        (packet.from, packet.to) = (twin(packet.from), twin(packet.to));
        if let Says::Icmp { kind, .. } = &mut packet.says {
            *kind = if *kind == 8 { 128 } else { 8 };
        }
        called(packet, &|port| port, port);
    });
    all
}

fn passes(policy: &Policy, resolved: &Resolved, direction: Direction, packet: &Packet) -> bool {
    oracle(policy, resolved, &packet.asked(direction), ConnState::New).verdict == Verdict::Accept
}

/// All probes of one file; gives how many were sent and how many entries no host of the laboratory is a remote of.
fn probe(bench: &mut Bench<'_>, enforcer: &mut Enforcer, file: &str, bytes: &[u8]) -> (usize, usize) {
    let parsed = parse(bytes, &Context::default()).unwrap_or_else(|error| panic!("{file}: {error:?}"));
    let policy = compile(&parsed.file).policy;
    let subject = Subject { url: parsed.file.mud_url.clone(), strength: Strength::Strong };
    let lowered = lower(&policy, &subject, false).unwrap();
    let staged = enforcer.stage(lowered.program).unwrap();
    let resolved = resolve(&policy, enforcer);
    enforcer.assign(&[(id(0), staged)]).unwrap();

    let (mut apart, mut starts, mut unreached) = (Vec::new(), Vec::new(), 0);
    for entry in &policy.entries {
        let Some((direction, packet)) = start(entry, &resolved, &mut bench.fresh) else {
            unreached += 1;
            continue;
        };
        for (what, direction, packet) in neighbours(direction, &packet, &mut bench.fresh) {
            let passes = passes(&policy, &resolved, direction, &packet);
            apart.push(Probe { direction, packet, passes, what: format!("{entry}: {what}") });
        }
        let passes = passes(&policy, &resolved, direction, &packet);
        starts.push(Probe { direction, packet, passes, what: format!("{entry}: the start") });
    }
    let numbered = |bench: &mut Bench<'_>, probe: &Probe, made: Option<Packet>, what: &str, passes: bool| {
        let number = bench.fresh.number();
        made.map(|packet| Probe {
            direction: probe.direction.opposite(),
            packet: Packet { number, ..packet },
            passes,
            what: format!("{}: {what}", probe.what),
        })
    };
    // Before the flow began its answers are nothing, and neither is an error about it.
    let mut early = Vec::new();
    for probe in &starts {
        early.extend(numbered(bench, probe, probe.packet.error(), "an error about it, too early", false));
    }
    bench.run(&early, file);
    bench.run(&apart, file);
    bench.run(&starts, file);
    let mut after = Vec::new();
    for probe in &starts {
        after.extend(numbered(bench, probe, probe.packet.answer(), "its answer", probe.passes));
        after.extend(numbered(bench, probe, probe.packet.error(), "an error about it", probe.passes));
    }
    bench.run(&after, file);
    enforcer.assign(&[(id(0), PolicyId::BLOCKED)]).unwrap();
    enforcer.discard(staged).unwrap();
    (early.len() + apart.len() + starts.len() + after.len(), unreached)
}

fn bench(lab: &Lab) -> Bench<'_> {
    silence(&lab.devices[0]);
    silence(&lab.wan);
    Bench { at_host: Ear::at(&lab.wan), at_device: Ear::at(&lab.devices[0]), lab, fresh: Fresh::default() }
}

#[test]
fn each_entry_of_a_file_lets_pass_what_it_says_and_nothing_beside_it() {
    let Some(lab) = Lab::new(1) else { return };
    let mut bench = bench(&lab);
    let file = include_bytes!("../../../protocols/mud/tests/data/welcome-cam.json");
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        enforcer.admit(binding(0), PolicyId::BLOCKED).unwrap();
        let (probes, unreached) = probe(&mut bench, &mut enforcer, "welcome-cam.json", file);
        assert!(probes > 40, "{probes}");
        eprintln!("{probes} probes, {unreached} entries without a host");
    });
}

#[test]
fn each_entry_of_the_corpus_lets_pass_what_it_says_and_nothing_beside_it() {
    let Some(vectors) = testkit::vectors("mud") else { return };
    let Some(lab) = Lab::new(1) else { return };
    let mut bench = bench(&lab);
    let mut files: Vec<_> = std::fs::read_dir(vectors.join("unsw"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let (mut probes, mut unreached) = (0, 0);
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        enforcer.admit(binding(0), PolicyId::BLOCKED).unwrap();
        for path in &files {
            let name = path.file_name().unwrap().to_string_lossy();
            let (sent, none) = probe(&mut bench, &mut enforcer, &name, &std::fs::read(path).unwrap());
            probes += sent;
            unreached += none;
        }
    });
    assert!(files.len() > 10 && probes > 2000, "{probes} probes of {} files", files.len());
    eprintln!("{probes} probes of {} files, {unreached} entries without a host", files.len());
}
