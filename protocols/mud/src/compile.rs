//! From a file to its policy.
//!
//! A MUD file is written for packet filters without memory: two lists, one per direction, with mirrored entries. An
//! enforcer that keeps state needs something else, namely who may start which flow; answers follow the state. So an
//! entry of the list for one direction compiles to the start of a flow in that direction, except that
//!
//! * a TCP entry whose `direction-initiated` names the other end starts nothing (RFC 8520, section 4.8);
//! * an entry towards the device that only gives the remote's port, and mirrors an entry from the device, is the answer
//!   to it and starts nothing. Taken as a start, it would open every port of the device to a sender that merely picks
//!   its source port.
//!
//! Whatever cannot be compiled is left out, never widened. When the entry that is left out would have dropped packets,
//! the entries behind it are left out as well: the author meant them for what passed the first one.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::address::{Family, IpPrefix};
use crate::extensions::{SbomRetrieval, Transparency};
use crate::finding::{Finding, Rule, rules};
use crate::model::{
    Ace, AceBody, Acl, Direction, EthMatch, Forwarding, IpMatch, MacAddress, Matches, MudFile, MudMatch,
    PortMatch, TransportMatch,
};
use crate::policy::{
    AceId, CONTROLLER_DNS, CONTROLLER_MANAGEMENT, CONTROLLER_NTP, Entry, ExtraMatch, Policy, Protocol,
    Remote, Verdict,
};
use crate::ports::Ports;
use crate::url::Host;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const DNS_PORT: u16 = 53;
const NTP_PORT: u16 = 123;

/// A policy and what compiling it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The policy.
    pub policy: Policy,
    /// Findings that depend on the direction in which a list is used. Their paths assume the canonical encoding.
    pub findings: Vec<Finding>,
}

/// Compiles a file. The same file always gives the same policy; what a selector stands for is up to the site.
pub fn compile(file: &MudFile) -> Compiled {
    let mut compiler = Compiler { starts: Vec::new(), findings: Vec::new() };
    let complete = compiler.direction(file, Direction::FromDevice);
    if complete {
        compiler.defaults();
    }
    let complete = compiler.direction(file, Direction::ToDevice);
    if complete {
        compiler.local_sbom(file);
    }
    compiler.drop_answers();
    compiler.finish()
}

struct Compiler {
    starts: Vec<Start>,
    findings: Vec<Finding>,
}

/// An entry and where its source stands in the file.
struct Start {
    entry: Entry,
    place: Option<Place>,
}

#[derive(Clone, Copy)]
struct Place {
    acl: usize,
    ace: usize,
}

impl Place {
    fn pointer(self) -> String {
        format!("/ietf-access-control-list:acls/acl/{}/aces/ace/{}", self.acl, self.ace)
    }
}

/// Why an entry cannot be compiled.
struct Refusal {
    rule: &'static Rule,
    message: String,
}

fn refuse<T>(rule: &'static Rule, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { rule, message: message.into() })
}

impl Compiler {
    /// Compiles all lists of one direction. False when it had to stop because a drop could not be compiled.
    fn direction(&mut self, file: &MudFile, direction: Direction) -> bool {
        let mut complete = true;
        for acl in file.policy(direction) {
            let acl_index = file.acls.iter().position(|a| a.name == acl.name).unwrap_or_default();
            for (ace_index, ace) in acl.aces.iter().enumerate() {
                let place = Place { acl: acl_index, ace: ace_index };
                complete = self.ace(acl, ace, place, direction, complete);
            }
        }
        complete
    }

    fn ace(&mut self, acl: &Acl, ace: &Ace, place: Place, direction: Direction, complete: bool) -> bool {
        let deny = ace.forwarding != Forwarding::Accept;
        let matches = match &ace.body {
            AceBody::Matches(matches) => matches,
            // Its finding was made when it was read.
            AceBody::Refused { .. } => return complete && !deny,
        };
        if !complete {
            let message = "left out, because it follows a drop that was left out";
            self.finding(&rules::BEHIND_REFUSED, place, message);
            return false;
        }
        match starts(acl, ace, matches, direction) {
            Ok(Starts::LinkLayer) => {
                self.finding(
                    &rules::LINK_LAYER,
                    place,
                    "matches no IP packet, so the policy has nothing for it",
                );
                true
            }
            Ok(Starts::Entries(entries)) => {
                self.starts.extend(entries.into_iter().map(|entry| Start { entry, place: Some(place) }));
                true
            }
            Err(refusal) => {
                self.finding(refusal.rule, place, refusal.message);
                !deny
            }
        }
    }

    /// Appends DNS and NTP (RFC 8520, section 5 and appendix A) after all entries of the file, so that a drop in the
    /// file wins. The appendix mirrors them toward the device; as answers, those start nothing here.
    fn defaults(&mut self) {
        for (class, port, name) in [(CONTROLLER_DNS, DNS_PORT, "dns"), (CONTROLLER_NTP, NTP_PORT, "ntp")] {
            for family in [Family::V4, Family::V6] {
                let entry = implied(Direction::FromDevice, family, class, (Protocol::Udp, port), name);
                let off =
                    self.starts.iter().find(|s| s.entry.verdict != Verdict::Accept && s.entry.covers(&entry));
                match off.map(|start| start.place) {
                    None => self.starts.push(Start { entry, place: None }),
                    Some(place) => {
                        let message = format!("switches off {name} over {}", family.name());
                        let path = place.map(Place::pointer).unwrap_or_default();
                        self.findings.push(Finding::new(&rules::DEFAULT_OFF, path, message));
                    }
                }
            }
        }
    }

    /// A device that serves its own bill of materials can be asked for it (RFC 9472): by the management of the site, and
    /// nobody else.
    fn local_sbom(&mut self, file: &MudFile) {
        let Some(Transparency { sbom: Some(SbomRetrieval::LocalWellKnown(scheme)), .. }) = &file.transparency
        else {
            return;
        };
        let service = match scheme.as_str() {
            "https" => (Protocol::Tcp, 443),
            "http" => (Protocol::Tcp, 80),
            "coaps" => (Protocol::Udp, 5684),
            _ => (Protocol::Udp, 5683),
        };
        for family in [Family::V4, Family::V6] {
            let entry = implied(Direction::ToDevice, family, CONTROLLER_MANAGEMENT, service, "sbom");
            self.starts.push(Start { entry, place: None });
        }
    }

    /// Removes entries toward the device that only repeat what the state of a flow from the device allows.
    fn drop_answers(&mut self) {
        let questions: Vec<Entry> = self
            .starts
            .iter()
            .map(|start| &start.entry)
            .filter(|e| e.direction == Direction::FromDevice && e.verdict == Verdict::Accept)
            .cloned()
            .collect();
        let findings = &mut self.findings;
        self.starts.retain(|Start { entry, place }| {
            let answer = entry.direction == Direction::ToDevice
                && entry.verdict == Verdict::Accept
                && entry.device_ports.is_any()
                && !entry.remote_ports.is_any();
            if !answer {
                return true;
            }
            let mirrored = questions.iter().any(|question| {
                question.family == entry.family
                    && question.protocol == entry.protocol
                    && question.remote.covers(&entry.remote)
                    && question.remote_ports.covers(&entry.remote_ports)
            });
            if !mirrored {
                let path = place.map(Place::pointer).unwrap_or_default();
                let message =
                    "no entry from the device asks, so all ports of the device are open to this answer";
                findings.push(Finding::new(&rules::ANSWER_ONLY, path, message.to_owned()));
            }
            !mirrored
        });
    }

    fn finish(mut self) -> Compiled {
        for Start { entry, place } in &self.starts {
            if let (Remote::Any, Verdict::Accept, Some(place)) = (&entry.remote, entry.verdict, place) {
                let message = format!("permits every {} address", entry.family.name());
                self.findings.push(Finding::new(&rules::ANY_REMOTE, place.pointer(), message));
            }
        }
        let entries = self.starts.into_iter().map(|start| start.entry).collect();
        Compiled { policy: Policy { entries }, findings: self.findings }
    }

    fn finding(&mut self, rule: &Rule, place: Place, message: impl Into<String>) {
        self.findings.push(Finding::new(rule, place.pointer(), message.into()));
    }
}

/// An entry that no file has to spell out. The port is that of the end that is called.
fn implied(direction: Direction, family: Family, class: &str, service: (Protocol, u16), name: &str) -> Entry {
    let (protocol, port) = service;
    let (remote_ports, device_ports) = match direction {
        Direction::FromDevice => (Ports::one(port), Ports::ANY),
        Direction::ToDevice => (Ports::ANY, Ports::one(port)),
    };
    Entry {
        direction,
        family,
        remote: Remote::Controller(class.to_owned()),
        protocol,
        remote_ports,
        device_ports,
        extra: None,
        tls: Vec::new(),
        verdict: Verdict::Accept,
        ace: AceId { acl: String::new(), ace: name.to_owned() },
        default: true,
    }
}

/// What an entry compiles to.
enum Starts {
    /// It is about frames that carry no IP packet.
    LinkLayer,
    Entries(Vec<Entry>),
}

fn starts(acl: &Acl, ace: &Ace, matches: &Matches, direction: Direction) -> Result<Starts, Refusal> {
    let families = families(acl, matches)?;
    if families.is_empty() {
        return Ok(Starts::LinkLayer);
    }
    if let Some(TransportMatch::Tcp(tcp)) = &matches.transport
        && tcp.direction_initiated.is_some_and(|initiator| initiator != direction)
    {
        return Ok(Starts::Entries(Vec::new()));
    }
    let verdict = match ace.forwarding {
        Forwarding::Accept => Verdict::Accept,
        Forwarding::Drop => Verdict::Drop,
        Forwarding::Reject => Verdict::Reject,
    };
    let mut entries = Vec::with_capacity(families.len());
    for family in families {
        let remote = remote(matches, direction, family)?;
        let (remote_ports, device_ports) = ports(matches, direction);
        entries.push(Entry {
            direction,
            family,
            extra: extra(matches, direction, &remote)?,
            remote,
            protocol: protocol(matches, family),
            remote_ports,
            device_ports,
            tls: matches.tls.clone(),
            verdict,
            ace: AceId { acl: acl.name.clone(), ace: ace.name.clone() },
            default: false,
        });
    }
    Ok(Starts::Entries(entries))
}

/// The families an entry is about: that of its container, else those of the list's type, as far as the ethertype
/// agrees. None at all when it matches frames without IP.
fn families(acl: &Acl, matches: &Matches) -> Result<Vec<Family>, Refusal> {
    let ethertype = matches.eth.and_then(|eth| eth.ethertype);
    let candidates = match (&matches.ip, acl.acl_type) {
        (Some(ip), _) => vec![ip.family],
        // Every frame, so both families among them.
        (None, Some(acl_type)) if acl_type.allows_eth() && matches.eth.is_some() => {
            vec![Family::V4, Family::V6]
        }
        (None, Some(acl_type)) => {
            let families =
                [Family::V4, Family::V6].into_iter().filter(|f| acl_type.allows(*f)).collect::<Vec<_>>();
            if families.is_empty() {
                return refuse(&rules::NO_FAMILY, "matches neither frames nor packets of a known family");
            }
            families
        }
        (None, None) if matches.eth.is_some() => vec![Family::V4, Family::V6],
        (None, None) => {
            return refuse(&rules::NO_FAMILY, "neither the entry nor its list says which family it is about");
        }
    };
    let carried = |family: &Family| match (ethertype, family) {
        (None, _) => true,
        (Some(number), Family::V4) => number == ETHERTYPE_IPV4,
        (Some(number), Family::V6) => number == ETHERTYPE_IPV6,
    };
    Ok(candidates.into_iter().filter(carried).collect())
}

/// The one selector of the other end. Two of them would have to hold at once, which nobody writes on purpose, except
/// that a known tool adds `local-networks` to multicast addresses; those are local in their own right.
fn remote(matches: &Matches, direction: Direction, family: Family) -> Result<Remote, Refusal> {
    let (name, prefix) = match &matches.ip {
        Some(ip) => far_end(ip, direction)?,
        None => (None, None),
    };
    let mut selectors = abstractions(&matches.mud);
    let local_group = prefix.is_some_and(|p| p.is_group()) && selectors == [Remote::LocalNetworks];
    if local_group {
        selectors.clear();
    }
    if let Some(host) = name {
        selectors.push(match host {
            Host::Name(name) => Remote::Name(name.clone()),
            Host::Address(address) => literal(IpPrefix::host(*address), family)?,
        });
    }
    if let Some(prefix) = prefix {
        selectors.push(literal(prefix, family)?);
    }
    match selectors.as_slice() {
        [] => Ok(Remote::Any),
        [only] => Ok(only.clone()),
        [first, second, ..] => {
            refuse(&rules::TWO_REMOTES, format!("{first} and {second} would have to hold at once"))
        }
    }
}

/// Name and prefix of the other end. The device's own end is implicit (RFC 8520, section 2) and cannot be named.
fn far_end(ip: &IpMatch, direction: Direction) -> Result<(Option<&Host>, Option<IpPrefix>), Refusal> {
    let source = (&ip.src_dnsname, ip.source);
    let destination = (&ip.dst_dnsname, ip.destination);
    let (near, far) = match direction {
        Direction::FromDevice => (source, destination),
        Direction::ToDevice => (destination, source),
    };
    let policy = direction.name();
    if near.0.is_some() {
        return refuse(
            &rules::DEVICE_SIDE_NAME,
            format!("a name for the device itself in the {policy} policy"),
        );
    }
    if near.1.is_some() {
        return refuse(
            &rules::DEVICE_SIDE_PREFIX,
            format!("addresses of the device itself in the {policy} policy"),
        );
    }
    Ok((far.0.as_ref(), far.1))
}

fn literal(prefix: IpPrefix, family: Family) -> Result<Remote, Refusal> {
    if prefix.family() != family {
        return refuse(&rules::OTHER_FAMILY, format!("{prefix} is no {} address", family.name()));
    }
    Ok(if prefix.length() == 0 { Remote::Any } else { Remote::Prefix(prefix) })
}

fn abstractions(mud: &MudMatch) -> Vec<Remote> {
    let manufacturer = mud.manufacturer.as_ref().map(|host| Remote::Manufacturer(host.to_string()));
    let model = mud.model.as_ref().map(|url| Remote::Model(url.as_str().to_owned()));
    let controller = mud.controller.as_ref().map(|class| Remote::Controller(class.clone()));
    [
        manufacturer,
        mud.same_manufacturer.then_some(Remote::SameManufacturer),
        model,
        mud.local_networks.then_some(Remote::LocalNetworks),
        controller,
        mud.my_controller.then_some(Remote::MyController),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn protocol(matches: &Matches, family: Family) -> Protocol {
    match &matches.transport {
        Some(TransportMatch::Tcp(_)) => Protocol::Tcp,
        Some(TransportMatch::Udp(_)) => Protocol::Udp,
        Some(TransportMatch::Icmp(icmp)) => Protocol::Icmp { icmp_type: icmp.icmp_type, code: icmp.code },
        None => match matches.ip.as_ref().and_then(|ip| ip.protocol) {
            Some(number) => Protocol::from_number(number, family),
            None => Protocol::Any,
        },
    }
}

/// Ports of the other end and of the device.
fn ports(matches: &Matches, direction: Direction) -> (Ports, Ports) {
    let (source, destination) = match &matches.transport {
        Some(TransportMatch::Tcp(tcp)) => (tcp.source_port, tcp.destination_port),
        Some(TransportMatch::Udp(udp)) => (udp.source_port, udp.destination_port),
        _ => (None, None),
    };
    let set = |port: Option<PortMatch>| port.as_ref().map(Ports::from).unwrap_or_default();
    match direction {
        Direction::FromDevice => (set(destination), set(source)),
        Direction::ToDevice => (set(source), set(destination)),
    }
}

/// The rarer conditions, or a refusal when packet filters have no expression for one.
fn extra(matches: &Matches, direction: Direction, remote: &Remote) -> Result<Option<ExtraMatch>, Refusal> {
    let mut extra = ExtraMatch::default();
    if let Some(ip) = &matches.ip {
        let odd = [
            ("ihl", ip.ihl.is_some()),
            ("flags", ip.flags.is_some()),
            ("offset", ip.offset.is_some()),
            ("identification", ip.identification.is_some()),
        ];
        enforceable(&odd)?;
        extra.dscp = ip.dscp;
        extra.ecn = ip.ecn;
        extra.ttl = ip.ttl;
        extra.length = ip.length;
        extra.flow_label = ip.flow_label;
    }
    match &matches.transport {
        Some(TransportMatch::Tcp(tcp)) => {
            let odd = [
                ("sequence-number", tcp.sequence_number.is_some()),
                ("acknowledgement-number", tcp.acknowledgement_number.is_some()),
                ("data-offset", tcp.data_offset.is_some()),
                ("reserved", tcp.reserved.is_some()),
                ("window-size", tcp.window_size.is_some()),
                ("urgent-pointer", tcp.urgent_pointer.is_some()),
                ("options", tcp.options.is_some()),
            ];
            enforceable(&odd)?;
            extra.tcp_flags = tcp.flags;
        }
        Some(TransportMatch::Udp(udp)) => enforceable(&[("length", udp.length.is_some())])?,
        Some(TransportMatch::Icmp(icmp)) => {
            enforceable(&[("rest-of-header", icmp.rest_of_header.is_some())])?;
        }
        None => {}
    }
    if let Some(eth) = &matches.eth {
        extra.remote_mac = remote_mac(eth, direction, remote)?;
    }
    Ok(Some(extra).filter(|extra| *extra != ExtraMatch::default()))
}

fn enforceable(leaves: &[(&str, bool)]) -> Result<(), Refusal> {
    match leaves.iter().find(|(_, used)| *used) {
        Some((name, _)) => refuse(&rules::NOT_ENFORCEABLE, format!("no enforcer matches on `{name}`")),
        None => Ok(()),
    }
}

/// MAC address of the other end, unless its IP address already says the same.
fn remote_mac(eth: &EthMatch, direction: Direction, remote: &Remote) -> Result<Option<MacAddress>, Refusal> {
    let (near, far) = match direction {
        Direction::FromDevice => (eth.source, eth.destination),
        Direction::ToDevice => (eth.destination, eth.source),
    };
    if near.is_some() || eth.source_mask.is_some() || eth.destination_mask.is_some() {
        return refuse(&rules::NOT_ENFORCEABLE, "a MAC address of the device itself, or a mask");
    }
    let implied = match remote {
        Remote::Prefix(prefix) if *prefix == IpPrefix::host(prefix.address()) => group_mac(prefix.address()),
        _ => None,
    };
    Ok(far.filter(|mac| Some(*mac) != implied))
}

/// MAC address that frames to a broadcast or multicast address have (RFC 1112, section 6.4; RFC 2464, section 7).
fn group_mac(address: IpAddr) -> Option<MacAddress> {
    match address {
        IpAddr::V4(a) if a.is_broadcast() => Some(MacAddress([0xff; 6])),
        IpAddr::V4(a) if a.is_multicast() => {
            let [_, b, c, d] = a.octets();
            Some(MacAddress([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
        }
        IpAddr::V6(a) if a.is_multicast() => {
            let [.., c, d, e, f] = a.octets();
            Some(MacAddress([0x33, 0x33, c, d, e, f]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
