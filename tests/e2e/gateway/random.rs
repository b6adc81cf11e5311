//! Random policies and random packets in both directions and families: the rules in the kernel and the oracle say the same.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use gateway::{AddressRange, Class, Enforcer, PolicyId, Strength, Subject, Wanted, lower};
use mud::{
    AceId, ConnState, Direction, Entry, ExtraMatch, Family, IpPrefix, MudUrl, Policy, Ports, Protocol,
    Remote, Resolved, Verdict, oracle,
};

use crate::lab::{Lab, binding, id, ip, v4, v6};
use crate::raw::{ACK, EXPERIMENTS, Ear, Packet, SYN, Says, send, silence};

const HOSTS: [&str; 6] =
    ["203.0.113.10", "203.0.113.11", "203.0.113.12", "2001:db8:aa::10", "2001:db8:aa::11", "2001:db8:aa::12"];
const PORTS: [u16; 3] = [443, 444, 5683];
/// Ports of the device in packets from it and to it: none of the latter may be the answer to one of the former, which would
/// pass as such.
const OWN_PORTS: [u16; 3] = [22, 5683, 50_000];
const CALLED_PORTS: [u16; 3] = [23, 5684, 50_001];
const DEVICE_PORTS: [u16; 6] = [22, 23, 5683, 5684, 50_000, 50_001];
const DSCP: [u8; 2] = [0, 46];
const CLASS: &str = "urn:x";
const ROUNDS: usize = 25;
const PACKETS: usize = 120;
/// Far beyond what a packet takes through three namespaces.
const PATIENCE: Duration = Duration::from_secs(3);

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn host(&mut self, family: Family) -> IpAddr {
        ip(HOSTS[self.below(3) + if family == Family::V6 { 3 } else { 0 }])
    }

    fn ports(&mut self, of: &[u16]) -> Ports {
        match self.below(4) {
            0 => Ports::ANY,
            1 => Ports::new([of[0]..=of[1].max(of[0])]),
            _ => Ports::one(self.pick(of)),
        }
    }

    fn entry(&mut self, round: usize) -> Entry {
        let family = self.pick(&[Family::V4, Family::V6]);
        let host = self.host(family);
        let remote = match self.below(7) {
            0 => Remote::Any,
            1 => Remote::Prefix(IpPrefix::host(host)),
            2 => Remote::Prefix(IpPrefix::new(host, family.bits() - 1).unwrap()),
            3 => Remote::Controller(CLASS.into()),
            4 => Remote::LocalNetworks,
            // A name keeps its addresses for a while, so each round has its own.
            _ => Remote::Name(format!("r{round}.{}.example", self.pick(&["a", "b"]))),
        };
        let protocol = match self.below(8) {
            0 => Protocol::Any,
            1 => Protocol::Other(self.pick(&EXPERIMENTS)),
            2 => Protocol::Icmp {
                icmp_type: self.pick(&[None, Some(echo(family))]),
                code: self.pick(&[None, Some(0)]),
            },
            3..=5 => Protocol::Tcp,
            _ => Protocol::Udp,
        };
        let ported = matches!(protocol, Protocol::Tcp | Protocol::Udp);
        let remote_ports = if ported && self.below(2) == 0 { self.ports(&PORTS) } else { Ports::ANY };
        let device_ports = if ported && self.below(4) == 0 { self.ports(&DEVICE_PORTS) } else { Ports::ANY };
        let extra = (self.below(8) == 0)
            .then(|| ExtraMatch { dscp: Some(self.pick(&DSCP)), ..ExtraMatch::default() });
        Entry {
            direction: self.pick(&[Direction::FromDevice, Direction::ToDevice]),
            family,
            remote,
            protocol,
            remote_ports,
            device_ports,
            extra,
            tls: vec![],
            verdict: self.pick(&[
                Verdict::Accept,
                Verdict::Accept,
                Verdict::Accept,
                Verdict::Drop,
                Verdict::Reject,
            ]),
            ace: AceId { acl: String::new(), ace: String::new() },
            default: false,
        }
    }

    /// A packet of the device or to it.
    fn packet(&mut self, number: u32) -> (Direction, Packet) {
        let family = self.pick(&[Family::V4, Family::V6]);
        let direction = self.pick(&[Direction::FromDevice, Direction::FromDevice, Direction::ToDevice]);
        let remote = self.host(family);
        let device = if family == Family::V4 { v4(0) } else { v6(0) };
        let far = self.pick(&PORTS);
        let (near, experiment) = match direction {
            Direction::FromDevice => (self.pick(&OWN_PORTS), EXPERIMENTS[0]),
            Direction::ToDevice => (self.pick(&CALLED_PORTS), EXPERIMENTS[1]),
        };
        let (from, to, ports) = match direction {
            Direction::FromDevice => (device, remote, (near, far)),
            Direction::ToDevice => (remote, device, (far, near)),
        };
        let says = match self.below(8) {
            0 => Says::Icmp { kind: echo(family), code: 0 },
            1 => Says::Icmp { kind: if family == Family::V4 { 13 } else { 139 }, code: 0 },
            2 => Says::Other(experiment),
            // With the bits of congestion notification it is a start too (RFC 3168); what is in the middle is none.
            3..=5 => Says::Tcp { ports, flags: self.pick(&[SYN, SYN, SYN | 0xc0, ACK, SYN | ACK, 0x01]) },
            _ => Says::Udp { ports },
        };
        (direction, Packet { from, to, dscp: self.pick(&DSCP), says, number })
    }
}

/// The type of an echo request.
fn echo(family: Family) -> u8 {
    if family == Family::V4 { 8 } else { 128 }
}

fn expected(policy: &Policy, resolved: &Resolved, (direction, packet): &(Direction, Packet)) -> bool {
    oracle(policy, resolved, &packet.asked(*direction), ConnState::New).verdict == Verdict::Accept
}

/// Puts random members into the classes and addresses behind the names of a round, in the kernel and for the oracle.
fn resolve(enforcer: &mut Enforcer, chance: &mut Chance, round: usize) -> Resolved {
    let mut resolved = Resolved::default();
    for name in ["a", "b"].map(|name| format!("r{round}.{name}.example")) {
        let addresses = [chance.host(Family::V4), chance.host(Family::V6)];
        enforcer.learn(&name, &addresses, 300, Instant::now()).unwrap();
        resolved.insert(Remote::Name(name), addresses.map(IpPrefix::host));
    }
    for (class, remote) in [
        (Class::Controller(CLASS.into()), Remote::Controller(CLASS.into())),
        (Class::LocalNetworks, Remote::LocalNetworks),
    ] {
        let members = [chance.host(Family::V4), chance.host(Family::V6)];
        let ranges = members.map(|member| AddressRange::new(member, member).unwrap());
        enforcer.set_members(class, ranges.into()).unwrap();
        resolved.insert(remote, members.map(IpPrefix::host));
    }
    resolved
}

#[test]
fn kernel_and_oracle_agree_on_random_packets() {
    let Some(lab) = Lab::new(1) else { return };
    let device = &lab.devices[0];
    silence(device);
    silence(&lab.wan);
    let (at_host, at_device) = (Ear::at(&lab.wan), Ear::at(device));
    let subject =
        Subject { url: MudUrl::parse("https://maker.example/x.json").unwrap(), strength: Strength::Strong };
    let mut chance = Chance(0x5e97_a217);
    let (mut passed, mut dropped, mut number) = (0, 0, 0);
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        enforcer.admit(binding(0), PolicyId::BLOCKED).unwrap();
        for round in 0..ROUNDS {
            let policy = Policy { entries: (0..6 + chance.below(12)).map(|_| chance.entry(round)).collect() };
            let lowered = lower(&policy, &subject, false).unwrap();
            assert!(lowered.left_out.is_empty(), "everything here can be said to the kernel");
            let staged = enforcer.stage(lowered.program).unwrap();
            let resolved = resolve(&mut enforcer, &mut chance, round);
            enforcer.assign(&[(id(0), staged)]).unwrap();

            let packets: Vec<(Direction, Packet)> = (0..PACKETS)
                .map(|_| {
                    number += 1;
                    chance.packet(number)
                })
                .collect();
            let of = |direction: Direction| {
                let own = packets.iter().filter(move |(other, _)| *other == direction);
                own.map(|(_, packet)| *packet).collect::<Vec<_>>()
            };
            send(device, &of(Direction::FromDevice));
            send(&lab.wan, &of(Direction::ToDevice));
            let passing = |direction: Direction| -> BTreeSet<u32> {
                let own = packets.iter().filter(|packet| packet.0 == direction);
                own.filter(|packet| expected(&policy, &resolved, packet))
                    .map(|(_, packet)| packet.number)
                    .collect()
            };
            for (direction, ear) in [(Direction::FromDevice, &at_host), (Direction::ToDevice, &at_device)] {
                let wanted = passing(direction);
                let numbers: BTreeSet<u32> = of(direction).iter().map(|packet| packet.number).collect();
                let heard = &ear.heard(&wanted, PATIENCE) & &numbers;
                if let Some(number) = heard.symmetric_difference(&wanted).next() {
                    let packet = packets.iter().find(|(_, packet)| packet.number == *number);
                    let entries: Vec<String> = policy.entries.iter().map(ToString::to_string).collect();
                    panic!(
                        "round {round}: {packet:?} passed: {}, should: {}\n{entries:#?}\nwith {resolved:?}",
                        heard.contains(number),
                        wanted.contains(number)
                    );
                }
                passed += wanted.len();
                dropped += numbers.len() - wanted.len();
            }
            // Nothing of this round is in the middle of anything in the next one.
            enforcer.assign(&[(id(0), PolicyId::BLOCKED)]).unwrap();
            enforcer.discard(staged).unwrap();
        }
    });
    assert!(passed > 300 && dropped > 300, "{passed} passed, {dropped} dropped");
    eprintln!("{passed} packets passed and {dropped} did not, as the oracle says");
}
