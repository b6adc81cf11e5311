//! Files proposed from what was seen: they permit that, say why, and permit little else.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mud::{
    ConnState, Context, DateTime, Direction, Hesitation, IpPrefix, MAX_PROPOSED, MudUrl, Observation,
    Omission, Packet, PacketFields, Policy, Protocol, Remote, Resolved, Severity, Surroundings, Verdict,
    compile, oracle, parse, propose, worst,
};
use sextant_mud as mud;

const URL: &str = "https://mud.northlight.example/learned.json";
const HUB: &str = "10.0.0.5";
const SIBLING: &str = "10.0.0.6";
const NEIGHBOUR: &str = "10.0.0.7";
const RESOLVER: &str = "10.0.0.1";

fn around() -> Surroundings {
    let address = |text: &str| text.parse().unwrap();
    Surroundings {
        mud_url: MudUrl::parse(URL).unwrap(),
        last_update: DateTime::parse("2026-11-29T10:00:00Z").unwrap(),
        systeminfo: Some("a lamp".into()),
        local_networks: vec![IpPrefix::parse("10.0.0.0/24").unwrap(), IpPrefix::parse("fd00::/64").unwrap()],
        services: vec![address(RESOLVER)],
        my_controllers: vec![address(HUB)],
        same_manufacturer: vec![address(SIBLING)],
    }
}

fn seen(
    direction: Direction,
    protocol: Protocol,
    remote: &str,
    name: Option<&str>,
    port: u16,
) -> Observation {
    Observation {
        direction,
        protocol,
        remote: remote.parse().unwrap(),
        name: name.map(str::to_owned),
        port,
        flows: 3,
        first: 100,
        last: 200,
    }
}

fn out(protocol: Protocol, remote: &str, name: Option<&str>, port: u16) -> Observation {
    seen(Direction::FromDevice, protocol, remote, name, port)
}

/// The policy of the file as it would be read by whoever gets it.
fn policy_of(file: &mud::MudFile) -> Policy {
    let text = file.encode();
    let parsed = parse(text.as_bytes(), &Context { fetched_url: Some(URL), ..Default::default() }).unwrap();
    assert_eq!(parsed.file, *file, "what is written is what is read");
    let compiled = compile(&parsed.file);
    // Of an address the proposal says itself that a person has to think about it.
    let findings: Vec<_> = parsed
        .findings
        .iter()
        .chain(&compiled.findings)
        .filter(|found| found.code != "literal-address")
        .collect();
    assert!(worst(findings.iter().copied()) < Some(Severity::NeedsApproval), "{findings:?}");
    compiled.policy
}

fn resolved(observations: &[Observation]) -> Resolved {
    let mut resolved = Resolved::default();
    let around = around();
    let mut names: std::collections::BTreeMap<Remote, Vec<IpPrefix>> = std::collections::BTreeMap::new();
    for seen in observations {
        if let Some(name) = &seen.name {
            names.entry(Remote::Name(name.clone())).or_default().push(IpPrefix::host(seen.remote));
        }
    }
    for (remote, members) in names {
        resolved.insert(remote, members);
    }
    resolved.insert(Remote::MyController, around.my_controllers.into_iter().map(IpPrefix::host));
    resolved.insert(Remote::SameManufacturer, around.same_manufacturer.into_iter().map(IpPrefix::host));
    resolved.insert(Remote::LocalNetworks, around.local_networks);
    resolved
}

fn packet(seen: &Observation) -> Packet {
    let v4 = seen.remote.is_ipv4();
    let (remote_port, device_port) = match seen.direction {
        Direction::FromDevice => (seen.port, 40_000),
        Direction::ToDevice => (40_000, seen.port),
    };
    let (protocol, icmp) = match seen.protocol {
        Protocol::Tcp => (6, None),
        Protocol::Udp => (17, None),
        Protocol::Icmp { icmp_type, code } => {
            (if v4 { 1 } else { 58 }, Some((icmp_type.unwrap_or(8), code.unwrap_or(0))))
        }
        Protocol::Other(number) => (number, None),
        Protocol::Any => (0, None),
    };
    let ported = matches!(seen.protocol, Protocol::Tcp | Protocol::Udp);
    Packet {
        direction: seen.direction,
        remote: seen.remote,
        protocol,
        remote_port: if ported { remote_port } else { 0 },
        device_port: if ported { device_port } else { 0 },
        icmp,
        tcp_flags: None,
        fields: PacketFields::default(),
    }
}

fn passes(policy: &Policy, resolved: &Resolved, seen: &Observation) -> bool {
    oracle(policy, resolved, &packet(seen), ConnState::New).verdict == Verdict::Accept
}

#[test]
fn permits_what_was_seen_and_says_why() {
    let ping = Protocol::Icmp { icmp_type: Some(8), code: Some(0) };
    let observations = [
        out(Protocol::Tcp, "192.0.2.10", Some("cloud.northlight.example"), 443),
        out(Protocol::Udp, "192.0.2.10", Some("cloud.northlight.example"), 5684),
        out(Protocol::Tcp, HUB, None, 8883),
        out(Protocol::Udp, SIBLING, None, 5683),
        out(Protocol::Tcp, NEIGHBOUR, None, 80),
        out(Protocol::Udp, "224.0.0.251", None, 5353),
        Observation { flows: 1, ..out(Protocol::Tcp, "198.51.100.9", None, 8443) },
        out(ping, "192.0.2.10", Some("cloud.northlight.example"), 0),
        seen(Direction::ToDevice, Protocol::Tcp, NEIGHBOUR, None, 22),
        out(Protocol::Other(47), "192.0.2.10", Some("cloud.northlight.example"), 0),
    ];
    let proposal = propose(&observations, &around());
    let (policy, resolved) = (policy_of(&proposal.file), resolved(&observations));
    for observation in &observations {
        assert!(passes(&policy, &resolved, observation), "{observation:?}\n{policy:?}");
        // Not from the other end, and not to the next port.
        let back =
            Observation { direction: observation.direction.opposite(), port: 40_000, ..observation.clone() };
        if matches!(observation.protocol, Protocol::Tcp | Protocol::Udp) {
            assert!(!passes(&policy, &resolved, &back), "{back:?}");
            let next = Observation { port: observation.port + 1, ..observation.clone() };
            assert!(!passes(&policy, &resolved, &next), "{next:?}");
        }
    }
    assert_eq!(proposal.left_out, []);
    let said: Vec<_> = proposal
        .entries
        .iter()
        .map(|entry| {
            let doubts: Vec<_> = entry.doubts.iter().map(|doubt| doubt.code()).collect();
            (entry.remote.to_string(), entry.seen.clone(), doubts)
        })
        .collect();
    let said = |remote: &str, at: usize| {
        said.iter()
            .find(|(name, seen, _)| name == remote && seen.contains(&at))
            .map(|(.., doubts)| doubts.clone())
    };
    assert_eq!(said("name cloud.northlight.example", 0), Some(vec![]));
    assert_eq!(said("my-controller", 2), Some(vec![]));
    assert_eq!(said("same-manufacturer", 3), Some(vec![]));
    assert_eq!(said("local-networks", 4), Some(vec!["neighbourhood"]));
    assert_eq!(said("224.0.0.251/32", 5), Some(vec![]));
    assert_eq!(said("198.51.100.9/32", 6), Some(vec!["address", "seen-once"]));
    assert_eq!(said("local-networks", 8), Some(vec!["inbound", "neighbourhood"]));
    // Each entry is where it says.
    for entry in &proposal.entries {
        let list = proposal.file.acls.iter().find(|list| list.name == entry.ace.acl).unwrap();
        assert!(list.aces.iter().any(|ace| ace.name == entry.ace.ace), "{:?}", entry.ace);
    }
}

#[test]
fn names_and_classes_hold_in_both_families_and_addresses_in_one() {
    let observations = [
        out(Protocol::Tcp, "192.0.2.10", Some("cloud.example"), 443),
        out(Protocol::Tcp, "198.51.100.9", None, 443),
    ];
    let policy = policy_of(&propose(&observations, &around()).file);
    let twin = out(Protocol::Tcp, "2001:db8::10", Some("cloud.example"), 443);
    let mut known = resolved(&observations);
    known.insert(Remote::Name("cloud.example".into()), [IpPrefix::host(twin.remote)]);
    assert!(passes(&policy, &known, &twin));
    let v6 = policy.entries.iter().filter(|entry| entry.family == mud::Family::V6 && !entry.default);
    assert_eq!(v6.count(), 1);
}

#[test]
fn ports_are_joined_and_many_become_a_range() {
    let at = |port| out(Protocol::Udp, "192.0.2.10", Some("media.example"), port);
    let neighbours: Vec<_> = [5000, 5001, 5002, 9000].map(at).into();
    let proposal = propose(&neighbours, &around());
    let mut ports: Vec<_> = proposal.entries.iter().map(|entry| entry.ports.to_string()).collect();
    ports.sort_unstable();
    assert_eq!(ports, ["5000-5002", "9000"]);

    let most: Vec<_> = (0..mud::MAX_PROPOSED_PORTS as u16).map(|at_| at(6000 + 2 * at_)).collect();
    assert_eq!(propose(&most, &around()).entries.len(), most.len());
    let more: Vec<_> = (0..=mud::MAX_PROPOSED_PORTS as u16).map(|at_| at(6000 + 2 * at_)).collect();
    let [range] = &propose(&more, &around()).entries[..] else { panic!("one range") };
    assert_eq!((range.ports.to_string(), &range.doubts[..]), ("6000-6016".into(), &[Hesitation::Range][..]));
    assert_eq!(range.seen.len(), more.len());
}

#[test]
fn says_what_it_leaves_out() {
    let observations = [
        out(Protocol::Udp, RESOLVER, None, 53),
        out(Protocol::Udp, RESOLVER, None, 123),
        out(Protocol::Tcp, RESOLVER, None, 8080),
        out(Protocol::Any, "192.0.2.1", None, 0),
        out(Protocol::Tcp, "172.16.9.9", None, 443),
        out(Protocol::Tcp, "192.0.2.1", Some("not a name"), 443),
        out(Protocol::Udp, "192.0.2.53", None, 53),
    ];
    let proposal = propose(&observations, &around());
    let left: Vec<_> = proposal.left_out.iter().map(|left| (left.seen, left.why)).collect();
    let unsayable = [3, 4, 5].map(|at| (at, Omission::Unsayable));
    assert_eq!(left, [[(0, Omission::Default), (1, Omission::Default)].as_slice(), &unsayable].concat());
    // Another resolver than that of the site is a need of its own.
    assert!(proposal.entries.iter().any(|entry| entry.seen == [6]));
    assert!(
        proposal.entries.iter().any(|entry| entry.seen == [2]),
        "the gateway's other ports are no default"
    );
}

#[test]
fn a_full_file_keeps_what_was_used_most() {
    let observations: Vec<_> = (0..2 * MAX_PROPOSED)
        .map(|at| Observation {
            flows: at as u64 + 2,
            ..out(Protocol::Tcp, "192.0.2.10", Some(&format!("host{at}.example")), 443)
        })
        .collect();
    let proposal = propose(&observations, &around());
    let kept: BTreeSet<usize> = proposal.entries.iter().flat_map(|entry| entry.seen.clone()).collect();
    assert!(kept.contains(&(2 * MAX_PROPOSED - 1)) && !kept.contains(&0));
    assert_eq!(kept.len() + proposal.left_out.len(), observations.len());
    assert!(proposal.left_out.iter().all(|left| left.why == Omission::Full));
    assert_eq!(proposal.entries.len(), MAX_PROPOSED);
    policy_of(&proposal.file);
}

#[test]
fn nothing_seen_is_a_file_that_permits_the_defaults() {
    let proposal = propose(&[], &around());
    assert!(proposal.entries.is_empty());
    let text = proposal.file.encode();
    let parsed = parse(text.as_bytes(), &Context { fetched_url: Some(URL), ..Default::default() }).unwrap();
    assert!(compile(&parsed.file).policy.entries.iter().all(|entry| entry.default));
}

/// Random observations: each passes, and each flow that passes was seen up to its address, which names and classes stand for.
#[test]
fn permits_all_of_it_and_nothing_of_another_kind() {
    let mut state = 7_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let remotes: [(&str, Option<&str>); 7] = [
        ("192.0.2.10", Some("a.example")),
        ("2001:db8::10", Some("a.example")),
        ("192.0.2.11", Some("b.example")),
        ("198.51.100.1", None),
        (HUB, None),
        (SIBLING, None),
        (NEIGHBOUR, None),
    ];
    for _ in 0..200 {
        let observations: Vec<_> = (0..below(6))
            .map(|_| {
                let direction = [Direction::FromDevice, Direction::ToDevice][below(2)];
                let protocol = [Protocol::Tcp, Protocol::Udp][below(2)];
                let (remote, name) = remotes[below(remotes.len())];
                seen(direction, protocol, remote, name, [22, 443, 8080][below(3)])
            })
            .collect();
        let policy = policy_of(&propose(&observations, &around()).file);
        let known = resolved(&observations);
        assert!(observations.iter().all(|seen| passes(&policy, &known, seen)), "{observations:?}");
        for _ in 0..50 {
            let direction = [Direction::FromDevice, Direction::ToDevice][below(2)];
            let protocol = [Protocol::Tcp, Protocol::Udp][below(2)];
            let (remote, name) = remotes[below(remotes.len())];
            let tried = seen(direction, protocol, remote, name, [22, 443, 8080, 9999][below(4)]);
            let near = |seen: &Observation| {
                let local = |text: &IpAddr| around().local_networks.iter().any(|net| net.contains(*text));
                let same_end = seen.remote == tried.remote
                    || (seen.name.is_some() && seen.name == tried.name)
                    || (local(&seen.remote) && local(&tried.remote));
                same_end
                    && (seen.direction, seen.protocol, seen.port)
                        == (tried.direction, tried.protocol, tried.port)
            };
            if passes(&policy, &known, &tried) {
                assert!(observations.iter().any(near), "{tried:?} was never seen: {observations:?}");
            }
        }
    }
}
