//! Properties that hold for every file and packet, tried on random ones. The seed is fixed, so a failure repeats.
//!
//! The reference is a second reading of RFC 8519, written apart from the compiler: it walks the entries of the file
//! for each packet and knows nothing of policies.

mod common;

use std::net::IpAddr;

use common::{PERMISSIVE, parse_and_compile};
use mud::{
    Ace, AceBody, ConnState, Direction, Family, Forwarding, Host, IpMatch, IpPrefix, MudFile, Packet,
    PacketFields, Policy, PortMatch, PortOperator, Ports, Remote, Resolved, TransportMatch, Verdict, compile,
    diff, oracle,
};
use sextant_mud as mud;

const FILES: usize = 400;
const PACKETS: usize = 300;
const NAMES: [&str; 3] = ["a.example", "b.example", "c.example"];
const CLASSES: [&str; 3] = ["urn:ietf:params:mud:dns", "urn:ietf:params:mud:ntp", "urn:example:class"];
const V4: [&str; 6] = ["192.0.2.1", "192.0.2.2", "198.51.100.1", "198.51.100.130", "224.0.0.251", "10.0.0.1"];
const V6: [&str; 4] = ["2001:db8::1", "2001:db8::2", "2001:db8:1::1", "ff02::fb"];
const PREFIXES_V4: [&str; 4] = ["192.0.2.0/24", "198.51.100.128/25", "224.0.0.0/4", "0.0.0.0/0"];
const PREFIXES_V6: [&str; 3] = ["2001:db8::/48", "ff02::fb/128", "::/0"];
const PORTS: [u16; 6] = [53, 123, 443, 444, 5353, 8080];

/// SplitMix64: enough chance for a test.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True once in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// A random file, mostly sensible. `odd` adds entries that have to be left out.
fn random_file(chance: &mut Chance, odd: bool) -> String {
    let mut lists = Vec::new();
    for (name, side) in [("fr", "dst"), ("to", "src")] {
        for family in ["ipv4", "ipv6"] {
            let aces: Vec<_> =
                (0..chance.below(6)).map(|i| random_ace(chance, i, family, side, odd)).collect();
            lists.push(format!(
                "{{\"name\":\"{name}-{family}\",\"type\":\"{family}-acl-type\",\"aces\":{{\"ace\":[{}]}}}}",
                aces.join(",")
            ));
        }
    }
    let policy = |name: &str| {
        let lists = format!("[{{\"name\":\"{name}-ipv4\"}},{{\"name\":\"{name}-ipv6\"}}]");
        format!("{{\"access-lists\":{{\"access-list\":{lists}}}}}")
    };
    format!(
        "{{\"ietf-mud:mud\":{{\"mud-version\":1,\"mud-url\":\"https://m.example/x\",\"is-supported\":true,\
        \"last-update\":\"2026-01-01T00:00:00Z\",\"from-device-policy\":{},\"to-device-policy\":{}}},\
        \"ietf-access-control-list:acls\":{{\"acl\":[{}]}}}}",
        policy("fr"),
        policy("to"),
        lists.join(",")
    )
}

fn random_ace(chance: &mut Chance, index: usize, family: &str, side: &str, odd: bool) -> String {
    let mut ip = Vec::new();
    let mut members = Vec::new();
    let far = if side == "dst" { "destination" } else { "source" };
    let prefixes: &[&str] = if family == "ipv4" { &PREFIXES_V4 } else { &PREFIXES_V6 };
    match chance.below(8) {
        0..=2 => ip.push(format!("\"ietf-acldns:{side}-dnsname\":\"{}\"", chance.pick(&NAMES))),
        3 => ip.push(format!("\"{far}-{family}-network\":\"{}\"", chance.pick(prefixes))),
        4 => members.push(format!("\"ietf-mud:mud\":{{\"controller\":\"{}\"}}", chance.pick(&CLASSES))),
        5 => members.push("\"ietf-mud:mud\":{\"local-networks\":[null]}".to_owned()),
        6 => members.push("\"ietf-mud:mud\":{\"same-manufacturer\":[null]}".to_owned()),
        _ => {}
    }
    if odd && chance.once_in(4) {
        let near = if side == "dst" { "src" } else { "dst" };
        match chance.below(4) {
            0 => ip.push(format!("\"ietf-acldns:{near}-dnsname\":\"a.example\"")),
            1 => ip.push("\"identification\":1".to_owned()),
            2 => members.push("\"example:match\":1".to_owned()),
            _ => members.push("\"eth\":{\"source-mac-address-mask\":\"ff:00:00:00:00:00\"}".to_owned()),
        }
    }
    if chance.once_in(8) {
        ip.push("\"dscp\":46".to_owned());
    }
    let transport = random_transport(chance, family);
    match transport {
        Some(text) => members.push(text),
        None if chance.once_in(2) => ip.push(format!("\"protocol\":{}", chance.pick(&[2, 6, 17, 47]))),
        None => {}
    }
    members.push(format!("\"{family}\":{{{}}}", ip.join(",")));
    let verdict = chance.pick(&["accept", "accept", "accept", "accept", "drop", "reject"]);
    format!(
        "{{\"name\":\"{index}\",\"matches\":{{{}}},\"actions\":{{\"forwarding\":\"{verdict}\"}}}}",
        members.join(",")
    )
}

fn random_transport(chance: &mut Chance, family: &str) -> Option<String> {
    let mut ports = Vec::new();
    for end in ["source-port", "destination-port"] {
        if chance.once_in(2) {
            let port = chance.pick(&PORTS);
            ports.push(match chance.below(5) {
                0 => format!("\"{end}\":{{\"lower-port\":{port},\"upper-port\":{}}}", port + 400),
                1 => {
                    let operator = chance.pick(&["lte", "gte", "neq", "eq"]);
                    format!("\"{end}\":{{\"operator\":\"{operator}\",\"port\":{port}}}")
                }
                _ => format!("\"{end}\":{{\"port\":{port}}}"),
            });
        }
    }
    match chance.below(6) {
        0..=2 => {
            match chance.below(3) {
                0 => ports.push("\"ietf-mud:direction-initiated\":\"from-device\"".to_owned()),
                1 => ports.push("\"ietf-mud:direction-initiated\":\"to-device\"".to_owned()),
                _ => {}
            }
            Some(format!("\"tcp\":{{{}}}", ports.join(",")))
        }
        3..=4 => Some(format!("\"udp\":{{{}}}", ports.join(","))),
        _ if chance.once_in(2) => {
            let echo = if family == "ipv4" { 8 } else { 128 };
            Some(format!("\"icmp\":{{\"type\":{echo}}}"))
        }
        _ => None,
    }
}

fn random_packet(chance: &mut Chance) -> Packet {
    let remote = if chance.once_in(2) { chance.pick(&V4) } else { chance.pick(&V6) };
    let remote: IpAddr = remote.parse().expect("address");
    let icmp = if remote.is_ipv4() { 1 } else { 58 };
    let protocol = chance.pick(&[6, 6, 17, 17, icmp, 2, 47]);
    let mut port = || if chance.once_in(4) { 40_000 } else { chance.pick(&PORTS) };
    let has_ports = matches!(protocol, 6 | 17);
    Packet {
        remote,
        protocol,
        remote_port: if has_ports { port() } else { 0 },
        device_port: if has_ports { port() } else { 0 },
        icmp: (protocol == icmp).then(|| (chance.pick(&[0, 8, 128]), 0)),
        tcp_flags: None,
        direction: chance.pick(&[Direction::FromDevice, Direction::ToDevice]),
        fields: PacketFields { dscp: Some(chance.pick(&[0, 46])), ..PacketFields::default() },
    }
}

/// Members for every remote that random files use.
fn random_site(chance: &mut Chance) -> Resolved {
    let mut resolved = Resolved::default();
    let names = NAMES.map(|name| Remote::Name(name.to_owned()));
    let classes = CLASSES.map(|class| Remote::Controller(class.to_owned()));
    let others = [Remote::LocalNetworks, Remote::SameManufacturer];
    for remote in names.into_iter().chain(classes).chain(others) {
        for _ in 0..chance.below(4) {
            let text = if chance.once_in(2) { chance.pick(&V4) } else { chance.pick(&V6) };
            resolved.insert(remote.clone(), [IpPrefix::host(text.parse().expect("address"))]);
        }
    }
    resolved
}

/// The reference: what the entries of a file, taken as a packet filter without state, say about a packet. `None` when
/// no entry matches. The index is that of the deciding entry among all of its direction.
fn filter<'f>(file: &'f MudFile, site: &Resolved, packet: &Packet) -> Option<(&'f Ace, Forwarding)> {
    for acl in file.policy(packet.direction) {
        for ace in &acl.aces {
            let matches = match &ace.body {
                // Nobody knows what it matches: nothing to accept, anything to drop.
                AceBody::Refused { .. } if ace.forwarding == Forwarding::Accept => continue,
                AceBody::Refused { .. } => return Some((ace, Forwarding::Drop)),
                AceBody::Matches(matches) => matches,
            };
            let ip = matches.ip.as_ref().expect("random entries have one");
            let initiator = match &matches.transport {
                Some(TransportMatch::Tcp(tcp)) => tcp.direction_initiated,
                _ => None,
            };
            if (ace.forwarding != Forwarding::Accept || !is_beyond_filters(matches, packet.direction))
                && ip_holds(ip, site, packet)
                && classes_hold(matches, site, packet)
                && transport_holds(&matches.transport, packet)
                && initiator.is_none_or(|initiator| initiator == packet.direction)
            {
                return Some((ace, ace.forwarding));
            }
        }
    }
    None
}

/// True for conditions that no filter can check. They are taken to fail in an entry that accepts, and to hold in one
/// that does not: the reading that lets least through.
fn is_beyond_filters(matches: &mud::Matches, direction: Direction) -> bool {
    let ip = matches.ip.as_ref().expect("random entries have one");
    let near_name = if direction == Direction::FromDevice { &ip.src_dnsname } else { &ip.dst_dnsname };
    near_name.is_some() || ip.identification.is_some() || matches.eth.is_some()
}

fn ip_holds(ip: &IpMatch, site: &Resolved, packet: &Packet) -> bool {
    let from = packet.direction == Direction::FromDevice;
    let (name, network) = if from { (&ip.dst_dnsname, ip.destination) } else { (&ip.src_dnsname, ip.source) };
    let named = |host: &Host| match host {
        Host::Name(name) => site.contains(&Remote::Name(name.clone()), packet.remote),
        Host::Address(address) => *address == packet.remote,
    };
    ip.family == Family::of(packet.remote)
        && name.as_ref().is_none_or(named)
        && network.is_none_or(|prefix| prefix.contains(packet.remote))
        && ip.protocol.is_none_or(|protocol| protocol == packet.protocol)
        && ip.dscp.is_none_or(|dscp| packet.fields.dscp == Some(dscp))
}

fn classes_hold(matches: &mud::Matches, site: &Resolved, packet: &Packet) -> bool {
    let holds = |present: bool, remote: Remote| !present || site.contains(&remote, packet.remote);
    let class = matches.mud.controller.clone();
    holds(matches.mud.local_networks, Remote::LocalNetworks)
        && holds(matches.mud.same_manufacturer, Remote::SameManufacturer)
        && class.is_none_or(|class| site.contains(&Remote::Controller(class), packet.remote))
}

fn transport_holds(transport: &Option<TransportMatch>, packet: &Packet) -> bool {
    let (source, destination) = match packet.direction {
        Direction::FromDevice => (packet.device_port, packet.remote_port),
        Direction::ToDevice => (packet.remote_port, packet.device_port),
    };
    let ports =
        |s: &Option<PortMatch>, d: &Option<PortMatch>| port_holds(s, source) && port_holds(d, destination);
    match transport {
        None => true,
        Some(TransportMatch::Tcp(tcp)) => {
            packet.protocol == 6 && ports(&tcp.source_port, &tcp.destination_port)
        }
        Some(TransportMatch::Udp(udp)) => {
            packet.protocol == 17 && ports(&udp.source_port, &udp.destination_port)
        }
        Some(TransportMatch::Icmp(icmp)) => packet
            .icmp
            .is_some_and(|(t, c)| icmp.icmp_type.is_none_or(|x| x == t) && icmp.code.is_none_or(|x| x == c)),
    }
}

fn port_holds(port: &Option<PortMatch>, value: u16) -> bool {
    match *port {
        None => true,
        Some(PortMatch::Range(low, high)) => low <= value && value <= high,
        Some(PortMatch::Operator(PortOperator::Eq, port)) => value == port,
        Some(PortMatch::Operator(PortOperator::Neq, port)) => value != port,
        Some(PortMatch::Operator(PortOperator::Lte, port)) => value <= port,
        Some(PortMatch::Operator(PortOperator::Gte, port)) => value >= port,
    }
}

/// True for an entry toward the device that gives the remote's port and not the device's: possibly an answer rule.
fn may_be_answer(ace: &Ace) -> bool {
    let AceBody::Matches(matches) = &ace.body else { return false };
    match &matches.transport {
        Some(TransportMatch::Tcp(tcp)) => {
            tcp.source_port.is_some() && tcp.destination_port.is_none_or(|p| all(&p))
        }
        Some(TransportMatch::Udp(udp)) => {
            udp.source_port.is_some() && udp.destination_port.is_none_or(|p| all(&p))
        }
        _ => false,
    }
}

fn all(port: &PortMatch) -> bool {
    Ports::from(port).is_any()
}

#[test]
fn a_policy_accepts_no_packet_that_no_entry_accepts() {
    let mut chance = Chance(8520);
    let mut accepted = 0;
    for _ in 0..FILES {
        let json = random_file(&mut chance, true);
        let (parsed, compiled) = parse_and_compile(json.as_bytes(), &PERMISSIVE);
        let site = random_site(&mut chance);
        for _ in 0..PACKETS {
            let packet = random_packet(&mut chance);
            let decision = oracle(&compiled.policy, &site, &packet, ConnState::New);
            if decision.verdict != Verdict::Accept {
                continue;
            }
            accepted += 1;
            let entry = &compiled.policy.entries[decision.entry.expect("an entry accepts new flows")];
            let reference = filter(&parsed.file, &site, &packet).map(|(_, forwarding)| forwarding);
            if entry.default {
                assert_ne!(reference, Some(Forwarding::Drop), "{packet:?}\n{json}");
                assert_ne!(reference, Some(Forwarding::Reject), "{packet:?}\n{json}");
            } else {
                assert_eq!(reference, Some(Forwarding::Accept), "{packet:?}\n{entry}\n{json}");
            }
        }
    }
    assert!(accepted > 1000, "enough packets are accepted to say anything: {accepted}");
}

#[test]
fn a_policy_accepts_every_flow_that_the_file_permits() {
    let mut chance = Chance(8519);
    let mut permitted = 0;
    for _ in 0..FILES {
        let json = random_file(&mut chance, false);
        let (parsed, compiled) = parse_and_compile(json.as_bytes(), &PERMISSIVE);
        let site = random_site(&mut chance);
        for _ in 0..PACKETS {
            let packet = random_packet(&mut chance);
            let Some((ace, Forwarding::Accept)) = filter(&parsed.file, &site, &packet) else { continue };
            let decision = oracle(&compiled.policy, &site, &packet, ConnState::New);
            let answer = packet.direction == Direction::ToDevice && may_be_answer(ace);
            permitted += 1;
            assert!(decision.verdict == Verdict::Accept || answer, "{packet:?}\n{ace:?}\n{json}");
        }
    }
    assert!(permitted > 1000, "enough packets are permitted to say anything: {permitted}");
}

#[test]
fn compiling_is_deterministic_and_survives_writing() {
    let mut chance = Chance(7951);
    for _ in 0..FILES {
        let json = random_file(&mut chance, true);
        let (parsed, compiled) = parse_and_compile(json.as_bytes(), &PERMISSIVE);
        assert_eq!(compile(&parsed.file), compiled);
        let written = parsed.file.encode();
        let (again, recompiled) = parse_and_compile(written.as_bytes(), &PERMISSIVE);
        assert_eq!(again.file, parsed.file, "{json}");
        assert_eq!(again.file.encode(), written);
        assert_eq!(recompiled, compiled);
        assert_eq!(recompiled.policy.encode_json(), compiled.policy.encode_json());
    }
}

/// A policy that is not reported as wider accepts nothing that the old one did not.
#[test]
fn a_diff_never_hides_a_gain() {
    let mut chance = Chance(9761);
    let mut equal_or_narrower = 0;
    for _ in 0..FILES {
        let json = random_file(&mut chance, false);
        let old = parse_and_compile(json.as_bytes(), &PERMISSIVE).1.policy;
        let new = mutate(&mut chance, &old);
        if diff(&old, &new).is_wider() {
            continue;
        }
        equal_or_narrower += 1;
        for _ in 0..20 {
            let site = random_site(&mut chance);
            for _ in 0..PACKETS / 10 {
                let packet = random_packet(&mut chance);
                let accepts = |policy: &Policy| {
                    oracle(policy, &site, &packet, ConnState::New).verdict == Verdict::Accept
                };
                assert!(!accepts(&new) || accepts(&old), "{packet:?}\n{json}");
            }
        }
    }
    assert!(equal_or_narrower > FILES / 10, "enough mutations are narrower: {equal_or_narrower}");
}

/// Changes a policy in one to three places.
fn mutate(chance: &mut Chance, policy: &Policy) -> Policy {
    let mut entries = policy.entries.clone();
    for _ in 0..=chance.below(3) {
        if entries.is_empty() {
            break;
        }
        let at = chance.below(entries.len());
        match chance.below(5) {
            0 => drop(entries.remove(at)),
            1 => entries[at].remote_ports = Ports::one(chance.pick(&PORTS)),
            2 => entries[at].verdict = chance.pick(&[Verdict::Drop, Verdict::Accept]),
            3 => {
                let to = chance.below(entries.len());
                entries.swap(at, to);
            }
            _ => entries[at].extra = None,
        }
    }
    Policy { entries }
}
