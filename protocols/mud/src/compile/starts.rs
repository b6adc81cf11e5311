//! The flows that one entry lets start, or the reason why it is left out.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::address::{Family, IpPrefix};
use crate::finding::{Rule, rules};
use crate::model::{
    Ace, Acl, AclType, Direction, EthMatch, Forwarding, IpMatch, MacAddress, Matches, MudMatch, PortMatch,
    TransportMatch,
};
use crate::oracle::{STATE_FLAGS, SYN};
use crate::policy::{AceId, Entry, ExtraMatch, Protocol, Remote, Verdict};
use crate::ports::Ports;
use crate::url::Host;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// What an entry compiles to.
pub(super) enum Starts {
    /// It is about frames that carry no IP packet.
    LinkLayer,
    Entries(Vec<Entry>),
}

/// Why an entry cannot be compiled.
pub(super) struct Refusal {
    pub(super) rule: &'static Rule,
    pub(super) message: String,
}

fn refuse<T>(rule: &'static Rule, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { rule, message: message.into() })
}

pub(super) fn starts(
    acl: &Acl,
    ace: &Ace,
    matches: &Matches,
    direction: Direction,
) -> Result<Starts, Refusal> {
    let families = families(acl, matches, ace.forwarding != Forwarding::Accept)?;
    if families.is_empty() {
        return Ok(Starts::LinkLayer);
    }
    if let Some(TransportMatch::Icmp(icmp)) = &matches.transport
        && families.len() > 1
        && (icmp.icmp_type.is_some() || icmp.code.is_some())
    {
        return refuse(&rules::NO_FAMILY, "types of ICMP messages differ between IPv4 and IPv6");
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
    // Asked last, so that what is wrong with an entry shows even if it starts nothing.
    if let Some(TransportMatch::Tcp(tcp)) = &matches.transport {
        let other_starts = tcp.direction_initiated.is_some_and(|initiator| initiator != direction);
        // Packets in the middle of a connection pass by its state.
        let midway = tcp.flags.is_some_and(|flags| flags & STATE_FLAGS & !SYN != 0);
        if other_starts || (midway && verdict == Verdict::Accept) {
            entries.clear();
        }
    }
    Ok(Starts::Entries(entries))
}

/// The families an entry is about: that of its container, else those of the list's type, as far as the ethertype
/// agrees. None at all when it matches frames without IP.
fn families(acl: &Acl, matches: &Matches, deny: bool) -> Result<Vec<Family>, Refusal> {
    let ethertype = matches.eth.and_then(|eth| eth.ethertype);
    let candidates = match (&matches.ip, acl.acl_type) {
        (Some(ip), _) => vec![ip.family],
        // Every frame, so both families among them. A list that is about one family lets nothing of the other pass.
        (None, Some(acl_type))
            if matches.eth.is_some() && (acl_type == AclType::Eth || acl_type.allows_eth() && deny) =>
        {
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

/// The rarer conditions, or a refusal when nothing about a flow as a whole says whether one holds: what is different in
/// each packet cannot be asked of the first one only, for that would let all the others pass.
fn extra(matches: &Matches, direction: Direction, remote: &Remote) -> Result<Option<ExtraMatch>, Refusal> {
    let mut extra = ExtraMatch::default();
    if let Some(ip) = &matches.ip {
        let odd = [("ihl", ip.ihl.is_some()), ("identification", ip.identification.is_some())];
        enforceable(&odd)?;
        if ip.flags.is_some() || ip.offset.is_some() {
            let message = "fragments are put together before packets are filtered";
            return refuse(&rules::NOT_ENFORCEABLE, message);
        }
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
            // Nothing but a SYN starts a connection.
            extra.tcp_flags = tcp.flags.filter(|flags| *flags != SYN);
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
        Some((name, _)) => {
            let message = format!("`{name}` differs from packet to packet, and a policy is about flows");
            refuse(&rules::NOT_ENFORCEABLE, message)
        }
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
