//! A policy as the kernel will hold it: a few rules over sets.
//!
//! Accepts commute, so they become sets: exact (address, protocol, port) keys in one hash set, and for the rest one
//! rule for each distinct service. When a file denies something before it accepts something else, order matters, and
//! that direction becomes one rule per entry; other policies do not pay for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use mud::{Family, Ports, Protocol, TlsProfile, Verdict};

use crate::address::join;
use crate::{AddressRange, Class, Error, Flow};

/// Who starts a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The device.
    From,
    /// Somebody else, toward the device.
    To,
}

/// The other end of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Any address of the family.
    Any,
    /// Addresses written in the policy.
    Range(AddressRange),
    /// Whatever the name resolves to. Lower case, without the trailing dot.
    Name(String),
    /// Members of a class.
    Class(Class),
}

/// What is spoken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Over what.
    pub protocol: Protocol,
    /// Ports of the other end.
    pub remote_ports: Ports,
    /// Ports of the device.
    pub device_ports: Ports,
    /// Further header fields, all of which must match.
    pub extra: Vec<Extra>,
}

/// A header field beyond addresses and ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extra {
    /// Differentiated services code point.
    Dscp(u8),
    /// Explicit congestion notification.
    Ecn(u8),
    /// IPv4 total length or IPv6 payload length.
    Length(u16),
    /// IPv4 time to live or IPv6 hop limit.
    Ttl(u8),
    /// IPv6 flow label.
    FlowLabel(u32),
}

/// Starts of flows, and what becomes of them: one entry of a policy, with its classes named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Who starts.
    pub side: Side,
    /// IPv4 or IPv6, never both.
    pub family: Family,
    /// The other end.
    pub peer: Peer,
    /// What is spoken.
    pub service: Service,
    /// Profiles of which a handshake of the device has to follow one (RFC 9761); any handshake where there are none.
    pub tls: Vec<TlsProfile>,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// A policy as rules and sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub(crate) management: bool,
    /// What the device starts and the rules do not mention passes and is told.
    pub(crate) observed: bool,
    /// By whose rules flows that run are judged as well, where they may go on.
    pub(crate) keeps: Option<Box<Program>>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) keys: BTreeSet<(Side, Key)>,
    slots: BTreeMap<String, Vec<Slot>>,
    holders: BTreeMap<Slot, Vec<String>>,
    pub(crate) groups: Vec<Family>,
    /// Where each start is counted, by its number among those that the program was made of.
    pub(crate) spots: Vec<(usize, Spot)>,
}

/// Where the kernel counts the flows that began by a start. Starts of one service to ranges, and those that name the same
/// address and port, share a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// The rule of this number.
    Rule(usize),
    /// An element of the hash set.
    Key(Side, Key),
    /// The addresses of a name at a place.
    Name(Slot, String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) side: Side,
    pub(crate) family: Family,
    pub(crate) peers: Peers,
    pub(crate) service: Service,
    pub(crate) tls: Vec<TlsProfile>,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peers {
    Any,
    Ranges(Vec<AddressRange>),
    Class(Class),
    /// The addresses of names, in the set of this number.
    Group(usize),
    /// The hash set of exact keys; the rule's service is not looked at.
    Keys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) address: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) port: u16,
}

/// Where the addresses of a name go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) side: Side,
    pub(crate) v6: bool,
    pub(crate) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Key(u8, u16),
    Group(usize),
}

/// What a program refers to but does not hold.
pub(crate) trait View {
    fn class_has(&self, class: &Class, address: IpAddr) -> bool;
    fn name_has(&self, name: &str, address: IpAddr) -> bool;
}

/// Who is behind the words of a program now.
pub(crate) trait Members {
    fn of_class(&self, class: &Class, family: Family) -> Vec<AddressRange>;
    fn of_name(&self, name: &str) -> Vec<IpAddr>;
}

impl Program {
    /// Nothing is permitted, not even the management path.
    pub fn blocked() -> Self {
        Self {
            management: false,
            observed: false,
            keeps: None,
            rules: Vec::new(),
            keys: BTreeSet::new(),
            slots: BTreeMap::new(),
            holders: BTreeMap::new(),
            groups: Vec::new(),
            spots: Vec::new(),
        }
    }

    /// The management path, and what the starts permit in their order.
    pub fn new(starts: Vec<Start>) -> Result<Self, Error> {
        Self::build(starts, false)
    }

    /// The same, and whatever else the device starts passes and is told. What the starts deny stays denied, and so do
    /// resolvers but the gateway's.
    pub fn observing(starts: Vec<Start>) -> Result<Self, Error> {
        Self::build(starts, true)
    }

    fn build(starts: Vec<Start>, observed: bool) -> Result<Self, Error> {
        let mut program = Self { management: true, observed, ..Self::blocked() };
        for side in [Side::From, Side::To] {
            for family in [Family::V4, Family::V6] {
                // An address of the other family matches nothing.
                let possible = |peer: &Peer| match peer {
                    Peer::Range(range) => Family::of(range.first()) == family,
                    _ => true,
                };
                let way = starts.iter().enumerate().filter(|(_, start)| {
                    start.side == side && start.family == family && possible(&start.peer)
                });
                program.add(side, family, way.collect());
            }
        }
        program.within("rules", program.rules.len(), MAX_RULES)?;
        program.within("names", program.slots.len(), MAX_NAMES)?;
        program.within("addresses", program.keys.len(), MAX_KEYS)?;
        Ok(program)
    }

    /// The same, where flows that the other program permits go on if they run.
    #[must_use]
    pub fn keeping(self, running: Program) -> Self {
        Self { keeps: Some(Box::new(running)), ..self }
    }

    /// Names whose addresses the program needs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.slots.keys().map(String::as_str)
    }

    /// Whether the program permits the name.
    pub fn lists(&self, name: &str) -> bool {
        self.slots.contains_key(name)
    }

    /// Whether flows may go on by addresses of the name, if not begin.
    pub(crate) fn remembers(&self, name: &str) -> bool {
        self.lists(name) || self.keeps.as_ref().is_some_and(|running| running.lists(name))
    }

    /// Whether flows may begin or go on because of who is in the class.
    pub(crate) fn refers_to(&self, class: &Class) -> bool {
        let names = |program: &Self| program.classes().any(|used| used == class);
        names(self) || self.keeps.as_deref().is_some_and(names)
    }

    /// Where a name's addresses go.
    pub(crate) fn slots(&self, name: &str) -> &[Slot] {
        self.slots.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every place that addresses of names go to.
    pub(crate) fn all_slots(&self) -> impl Iterator<Item = Slot> {
        self.holders.keys().copied()
    }

    /// Whose addresses go to a place.
    pub(crate) fn holders(&self, slot: &Slot) -> &[String] {
        self.holders.get(slot).map(Vec::as_slice).unwrap_or_default()
    }

    /// Classes that the rules refer to.
    pub(crate) fn classes(&self) -> impl Iterator<Item = &Class> {
        self.rules.iter().filter_map(|rule| match &rule.peers {
            Peers::Class(class) => Some(class),
            _ => None,
        })
    }

    /// Whether there is a set of exact keys for that side and family.
    pub(crate) fn has_keys(&self, side: Side, family: Family) -> bool {
        let any = |rule: &Rule| rule.side == side && rule.family == family && rule.peers == Peers::Keys;
        self.rules.iter().any(any)
    }

    /// Judges a flow that runs: whether it could begin now, or may go on.
    pub(crate) fn lets_go_on(&self, side: Side, flow: &Flow, view: &dyn View) -> bool {
        self.permits(side, flow, view)
            || self.keeps.as_ref().is_some_and(|running| running.permits(side, flow, view))
    }

    /// The same, where handshakes are not looked at.
    #[must_use]
    pub(crate) fn without_profiles(mut self) -> Self {
        self.rules.iter_mut().for_each(|rule| rule.tls.clear());
        self.keeps = self.keeps.map(|running| Box::new(running.without_profiles()));
        self
    }

    /// Profiles of which the handshake of a flow that the device starts has to follow one: none where any will do, and nothing
    /// where the flow may neither begin nor go on.
    pub(crate) fn profiles(&self, flow: &Flow, view: &dyn View) -> Option<&[TlsProfile]> {
        match self.decide(Side::From, flow, view) {
            Some(rule) if rule.verdict == Verdict::Accept => Some(&rule.tls),
            Some(_) => None,
            None if self.permits(Side::From, flow, view) => Some(&[]),
            None => self.keeps.as_ref()?.profiles(flow, view),
        }
    }

    /// Judges the start of a flow by the same rules and sets that the kernel has, apart from the management path.
    /// Fields that a flow does not tell count against it.
    pub(crate) fn permits(&self, side: Side, flow: &Flow, view: &dyn View) -> bool {
        match self.decide(side, flow, view) {
            Some(rule) => rule.verdict == Verdict::Accept,
            None => self.observed && side == Side::From && !is_resolver(flow),
        }
    }

    /// The rule that decides about the start of a flow.
    fn decide(&self, side: Side, flow: &Flow, view: &dyn View) -> Option<&Rule> {
        let (remote, remote_port, device_port) = match side {
            Side::From => (flow.destination, flow.destination_port, flow.source_port),
            Side::To => (flow.source, flow.source_port, flow.destination_port),
        };
        let family = Family::of(remote);
        for rule in self.rules.iter().filter(|rule| rule.side == side && rule.family == family) {
            let peer = match &rule.peers {
                Peers::Any => true,
                Peers::Ranges(ranges) => ranges.iter().any(|range| range.contains(remote)),
                Peers::Class(class) => view.class_has(class, remote),
                Peers::Group(number) => self.held(slot(side, family, Place::Group(*number)), remote, view),
                Peers::Keys => {
                    let key = Key { address: remote, protocol: flow.protocol, port: flow.destination_port };
                    let place = Place::Key(flow.protocol, flow.destination_port);
                    if self.keys.contains(&(side, key)) || self.held(slot(side, family, place), remote, view)
                    {
                        return Some(rule);
                    }
                    false
                }
            };
            let service = &rule.service;
            let told = service.extra.is_empty() || rule.verdict != Verdict::Accept;
            if peer
                && rule.peers != Peers::Keys
                && told
                && speaks(service.protocol, family, flow)
                && service.remote_ports.contains(remote_port)
                && service.device_ports.contains(device_port)
            {
                return Some(rule);
            }
        }
        None
    }

    fn held(&self, slot: Slot, address: IpAddr, view: &dyn View) -> bool {
        self.holders(&slot).iter().any(|name| view.name_has(name, address))
    }

    fn add(&mut self, side: Side, family: Family, way: Vec<(usize, &Start)>) {
        // Denials after the last accept say what holds anyway, unless the rest passes.
        let open = self.observed && side == Side::From;
        let last = way.iter().rposition(|(_, start)| open || start.verdict == Verdict::Accept);
        let Some(last) = last else { return };
        let way = way.get(..=last).unwrap_or_default();
        // Which of two entries permits a flow does not matter, unless one of them asks for a handshake.
        if way.iter().all(|(_, start)| start.verdict == Verdict::Accept && start.tls.is_empty()) {
            self.add_sets(side, family, way);
        } else {
            for (number, start) in way {
                self.spots.push((*number, Spot::Rule(self.rules.len())));
                self.add_rule(side, family, start);
            }
        }
    }

    /// Entries whose order does not matter.
    fn add_sets(&mut self, side: Side, family: Family, way: &[(usize, &Start)]) {
        let mut services: BTreeMap<&Service, Vec<(usize, &Peer)>> = BTreeMap::new();
        let mut keyed = false;
        for (number, start) in way {
            match exact_keys(side, &start.service) {
                Some((protocol, ports))
                    if self.add_keys(*number, (side, family), &start.peer, protocol, &ports) =>
                {
                    keyed = true;
                }
                _ => services.entry(&start.service).or_default().push((*number, &start.peer)),
            }
        }
        if keyed {
            let service = Service::of(Protocol::Any);
            self.rules.push(Rule {
                side,
                family,
                peers: Peers::Keys,
                service,
                tls: Vec::new(),
                verdict: Verdict::Accept,
            });
        }
        for (service, peers) in services {
            let mut sets = Vec::new();
            let mut ranges = Vec::new();
            let mut group = None;
            for (start, peer) in &peers {
                match peer {
                    Peer::Any => sets.push(Peers::Any),
                    Peer::Range(range) => ranges.push(*range),
                    Peer::Class(class) => sets.push(Peers::Class(class.clone())),
                    Peer::Name(name) => {
                        let number = *group.get_or_insert_with(|| self.new_group(family));
                        let slot = slot(side, family, Place::Group(number));
                        self.hold(name, slot);
                        self.spots.push((*start, Spot::Name(slot, name.clone())));
                    }
                }
            }
            if !ranges.is_empty() {
                sets.push(Peers::Ranges(join(ranges)));
            }
            sets.extend(group.map(Peers::Group));
            let mut distinct: Vec<Peers> = Vec::new();
            sets.into_iter().for_each(|peers| {
                if !distinct.contains(&peers) {
                    distinct.push(peers)
                }
            });
            for (start, peer) in peers {
                let is_of = |peers: &Peers| match (peers, peer) {
                    (Peers::Any, Peer::Any) | (Peers::Ranges(_), Peer::Range(_)) => true,
                    (Peers::Class(made), Peer::Class(class)) => made == class,
                    _ => false,
                };
                let rule = distinct.iter().position(is_of).map(|position| self.rules.len() + position);
                self.spots.extend(rule.map(|rule| (start, Spot::Rule(rule))));
            }
            self.rules.extend(distinct.into_iter().map(|peers| Rule {
                side,
                family,
                peers,
                service: service.clone(),
                tls: Vec::new(),
                verdict: Verdict::Accept,
            }));
        }
    }

    /// An entry that has its place in an order.
    fn add_rule(&mut self, side: Side, family: Family, start: &Start) {
        let peers = match &start.peer {
            Peer::Any => Peers::Any,
            Peer::Range(range) => Peers::Ranges(vec![*range]),
            Peer::Class(class) => Peers::Class(class.clone()),
            Peer::Name(name) => {
                let number = self.new_group(family);
                self.hold(name, slot(side, family, Place::Group(number)));
                Peers::Group(number)
            }
        };
        let (service, tls) = (start.service.clone(), start.tls.clone());
        self.rules.push(Rule { side, family, peers, service, tls, verdict: start.verdict });
    }

    /// Whether the peer could be expressed by exact keys, which it then is.
    fn add_keys(
        &mut self,
        start: usize,
        (side, family): (Side, Family),
        peer: &Peer,
        protocol: u8,
        ports: &[u16],
    ) -> bool {
        match peer {
            Peer::Name(name) => {
                for port in ports {
                    let slot = slot(side, family, Place::Key(protocol, *port));
                    self.hold(name, slot);
                    self.spots.push((start, Spot::Name(slot, name.clone())));
                }
                true
            }
            Peer::Range(range) => match range.single() {
                Some(address) => {
                    for port in ports {
                        let key = Key { address, protocol, port: *port };
                        self.keys.insert((side, key));
                        self.spots.push((start, Spot::Key(side, key)));
                    }
                    true
                }
                None => false,
            },
            _ => false,
        }
    }

    fn new_group(&mut self, family: Family) -> usize {
        self.groups.push(family);
        self.groups.len() - 1
    }

    fn hold(&mut self, name: &str, slot: Slot) {
        let slots = self.slots.entry(name.to_owned()).or_default();
        if !slots.contains(&slot) {
            slots.push(slot);
            self.holders.entry(slot).or_default().push(name.to_owned());
        }
    }

    fn within(&self, what: &'static str, found: usize, limit: usize) -> Result<(), Error> {
        if found > limit { Err(Error::TooLarge { what, found, limit }) } else { Ok(()) }
    }
}

impl Service {
    /// A service over a protocol, on any port.
    pub fn of(protocol: Protocol) -> Self {
        Self { protocol, remote_ports: Ports::ANY, device_ports: Ports::ANY, extra: Vec::new() }
    }
}

fn speaks(protocol: Protocol, family: Family, flow: &Flow) -> bool {
    let [flow_type, flow_code] = flow.destination_port.to_be_bytes();
    let same = protocol.number(family).is_none_or(|number| number == flow.protocol);
    match protocol {
        Protocol::Icmp { icmp_type, code } => {
            same && icmp_type.is_none_or(|wanted| wanted == flow_type)
                && code.is_none_or(|wanted| wanted == flow_code)
        }
        _ => same,
    }
}

pub(crate) fn slot(side: Side, family: Family, place: Place) -> Slot {
    Slot { side, v6: family == Family::V6, place }
}

/// Protocol and destination ports of a service that is nothing but single destination ports.
fn exact_keys(side: Side, service: &Service) -> Option<(u8, Vec<u16>)> {
    let (destination, source) = match side {
        Side::From => (&service.remote_ports, &service.device_ports),
        Side::To => (&service.device_ports, &service.remote_ports),
    };
    let protocol = match service.protocol {
        Protocol::Tcp => TCP,
        Protocol::Udp => UDP,
        _ => return None,
    };
    if destination.is_any() || !source.is_any() || !service.extra.is_empty() {
        return None;
    }
    let single = |range: RangeInclusive<u16>| (range.start() == range.end()).then_some(*range.start());
    destination.ranges().map(single).collect::<Option<Vec<_>>>().map(|ports| (protocol, ports))
}

/// Whether the flow is for a resolver, which for devices is the gateway's: DNS, or DNS over TLS.
fn is_resolver(flow: &Flow) -> bool {
    matches!(flow.protocol, TCP | UDP) && matches!(flow.destination_port, 53 | 853)
}

/// IP protocol numbers (IANA).
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// Rules of one policy, both directions and families.
pub(crate) const MAX_RULES: usize = 8192;
/// Names of one policy.
pub(crate) const MAX_NAMES: usize = 500;
/// Addresses written in one policy.
pub(crate) const MAX_KEYS: usize = 32768;
