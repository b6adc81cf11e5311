//! From the policy that the kernel enforces to filter rules without state.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mud::{Family, Ports, Protocol, Verdict};

use super::packet::{Attribute, RadiusError, attributes};
use super::rule::{FilterRule, Prefix, Way};
use crate::AddressRange;
use crate::address::join;
use crate::nft::{Endpoint, Key, Members, Peers, Place, Program, Service, Side, Site, Slot, TCP, UDP, slot};

/// A device's policy as filter rules, the last of which deny everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// In order: the first that matches a packet decides about it.
    pub rules: Vec<FilterRule>,
    /// How many rules of the policy permit what no filter rule can say (header fields, ICMP codes, types of ICMPv6). They
    /// are left out.
    pub left_out: usize,
}

impl Filter {
    /// Nothing passes.
    pub fn blocked() -> Self {
        let rules = [Way::In, Way::Out].map(|way| FilterRule::all(false, way));
        Self { rules: rules.into(), left_out: 0 }
    }

    /// NAS-Filter-Rule attributes: the rules' texts with a zero between, cut every 253 octets wherever that is (RFC 4849,
    /// section 2). An access server takes them as a whole, so that too many for one packet are none.
    pub fn attributes(&self) -> Result<Vec<Attribute>, RadiusError> {
        let texts: Vec<String> = self.rules.iter().map(FilterRule::to_string).collect();
        let text = texts.join("\0");
        let room = Self::MAX_OCTETS;
        if text.len() > room {
            return Err(RadiusError::TooLong { found: text.len(), limit: room });
        }
        text.as_bytes()
            .chunks(Attribute::MAX_LEN)
            .map(|part| Attribute::new(attributes::NAS_FILTER_RULE, part))
            .collect()
    }

    /// Octets of rules that one packet has room for, beside what names the session.
    pub const MAX_OCTETS: usize = 3600;
}

/// The rules of a policy, with the members that classes and names have now.
pub(crate) fn render(site: &Site, program: &Program, members: &dyn Members) -> Filter {
    // Rules without state cannot let a flow go on and let none begin: the gateway's do.
    let program = program.keeps.as_deref().unwrap_or(program);
    let mut draft = Draft::default();
    if program.management {
        for Endpoint { address, protocol, port } in &site.management {
            draft.port(Side::From, *address, *protocol, *port);
        }
    }
    for address in &site.own {
        // What the gateway itself asks of its devices, and where they prove who they are.
        let any = Service::of(Protocol::Any);
        draft.say(Side::To, Family::of(*address), &any, Verdict::Accept, &[host(*address)]);
        if let Some(port) = site.admission {
            draft.port(Side::From, *address, TCP, port);
        }
    }
    for rule in &program.rules {
        let (side, family) = (rule.side, rule.family);
        let ranges = match &rule.peers {
            Peers::Keys => {
                for key in exact(side, family, program, members) {
                    draft.port(side, key.address, key.protocol, key.port);
                }
                continue;
            }
            Peers::Any => vec![whole(family)],
            Peers::Ranges(ranges) => ranges.clone(),
            Peers::Class(class) => members.of_class(class, family),
            Peers::Group(number) => held(program, slot(side, family, Place::Group(*number)), members),
        };
        draft.say(side, family, &rule.service, rule.verdict, &ranges);
    }
    if program.observed {
        for family in [Family::V4, Family::V6] {
            let any = Service::of(Protocol::Any);
            draft.say(Side::From, family, &any, Verdict::Accept, &[whole(family)]);
        }
    }
    // Whatever may begin comes before whatever may answer, so that a denial of answers takes nothing from it.
    let parts = [basics(site), draft.starts, draft.answers, Filter::blocked().rules];
    Filter { rules: parts.concat(), left_out: draft.left_out }
}

/// Addresses with one port, those of names among them.
fn exact(side: Side, family: Family, program: &Program, members: &dyn Members) -> BTreeSet<Key> {
    let written = program.keys.iter().filter(|(of, key)| *of == side && Family::of(key.address) == family);
    let mut keys: BTreeSet<Key> = written.map(|(_, key)| *key).collect();
    for place in program.all_slots().filter(|place| place.side == side && place.v6 == (family == Family::V6))
    {
        let Place::Key(protocol, port) = place.place else { continue };
        let names = program.holders(&place).iter().flat_map(|name| members.of_name(name));
        let addresses = names.filter(|address| address.is_ipv6() == place.v6);
        keys.extend(addresses.map(|address| Key { address, protocol, port }));
    }
    keys
}

/// Addresses of the names that go to a place.
fn held(program: &Program, slot: Slot, members: &dyn Members) -> Vec<AddressRange> {
    let addresses = program.holders(&slot).iter().flat_map(|name| members.of_name(name));
    join(addresses.filter(|address| address.is_ipv6() == slot.v6).map(host).collect())
}

/// Rules under way.
#[derive(Default)]
struct Draft {
    starts: Vec<FilterRule>,
    answers: Vec<FilterRule>,
    left_out: usize,
}

impl Draft {
    /// Permits one port at one address: of the remote end, or of the device for what comes from there.
    fn port(&mut self, side: Side, address: IpAddr, protocol: u8, port: u16) {
        let family = Family::of(address);
        let mut service = Service::of(Protocol::from_number(protocol, family));
        match side {
            Side::From => service.remote_ports = Ports::one(port),
            Side::To => service.device_ports = Ports::one(port),
        }
        self.say(side, family, &service, Verdict::Accept, &[host(address)]);
    }

    /// What may begin, or may not, and its answers. What cannot be said makes a permission nothing and a denial wider: narrower
    /// in both cases.
    fn say(
        &mut self,
        side: Side,
        family: Family,
        service: &Service,
        verdict: Verdict,
        ranges: &[AddressRange],
    ) {
        let permit = verdict == Verdict::Accept;
        let (icmp_type, code) = match service.protocol {
            Protocol::Icmp { icmp_type, code } => (icmp_type, code),
            _ => (None, None),
        };
        // Types are those of IPv4 (RFC 6733, section 4.3.1).
        let unsaid =
            code.is_some() || (icmp_type.is_some() && family == Family::V6) || !service.extra.is_empty();
        if permit && unsaid {
            self.left_out += 1;
            return;
        }
        let icmp_type = icmp_type.filter(|_| family == Family::V4);
        let (way, back) = match side {
            Side::From => (Way::In, Way::Out),
            Side::To => (Way::Out, Way::In),
        };
        let protocol = service.protocol.number(family);
        for prefix in ranges.iter().flat_map(Prefix::cover) {
            let start = FilterRule {
                permit,
                way,
                protocol,
                remote: Some(prefix),
                remote_ports: service.remote_ports.clone(),
                device_ports: service.device_ports.clone(),
                established: false,
                icmp_type,
                before_address: false,
            };
            let answer = FilterRule { way: back, icmp_type: None, ..start.clone() };
            self.starts.push(start);
            match (permit, icmp_type, protocol) {
                (false, _, _) | (true, None, Some(_)) => {
                    self.answers.push(FilterRule { established: permit && protocol == Some(TCP), ..answer });
                }
                (true, Some(ECHO), _) => {
                    self.answers.push(FilterRule { icmp_type: Some(ECHO_REPLY), ..answer });
                }
                (true, Some(_), _) => {}
                // Any protocol would let any TCP connection begin.
                (true, None, None) => {
                    let icmp = if family == Family::V4 { ICMP } else { ICMPV6 };
                    self.answers.extend([TCP, UDP, icmp].map(|protocol| FilterRule {
                        protocol: Some(protocol),
                        established: protocol == TCP,
                        ..answer.clone()
                    }));
                }
            }
        }
    }
}

/// Without these a device has no address and finds nobody: DHCP to its servers and from them, and neighbour discovery on the link.
/// No filter rule knows the types of ICMPv6, so that router advertisements of a device are for the port itself to refuse.
fn basics(site: &Site) -> Vec<FilterRule> {
    let dhcp = |client: u16, server: u16, way| FilterRule {
        protocol: Some(UDP),
        remote_ports: Ports::one(server),
        device_ports: Ports::one(client),
        before_address: true,
        ..FilterRule::all(true, way)
    };
    let mut rules = Vec::new();
    for (client, server) in [(68, 67), (546, 547)] {
        rules.extend([dhcp(client, server, Way::In), dhcp(client, server, Way::Out)]);
    }
    let local = [
        (IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10),
        (IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 0]), 16),
    ];
    let gateway = site.own.iter().filter(|address| address.is_ipv6()).map(|address| (*address, 128));
    for (address, length) in local.into_iter().chain(gateway) {
        for way in [Way::In, Way::Out] {
            let remote = Some(Prefix { address, length });
            rules.push(FilterRule {
                protocol: Some(ICMPV6),
                remote,
                before_address: true,
                ..FilterRule::all(true, way)
            });
        }
    }
    rules
}

fn host(address: IpAddr) -> AddressRange {
    AddressRange::of_prefix(address, u8::MAX)
}

fn whole(family: Family) -> AddressRange {
    match family {
        Family::V4 => AddressRange::of_prefix([0, 0, 0, 0].into(), 0),
        Family::V6 => AddressRange::of_prefix([0_u16; 8].into(), 0),
    }
}

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// ICMP message types (RFC 792).
const ECHO: u8 = 8;
const ECHO_REPLY: u8 = 0;
