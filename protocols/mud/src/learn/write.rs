//! Entries of a proposal as lists of a file.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Proposed, Surroundings};
use crate::address::Family;
use crate::model::{
    Ace, AceBody, Acl, AclType, Direction, Forwarding, IcmpMatch, IpMatch, Matches, MudFile, MudMatch,
    PortMatch, PortOperator, TcpMatch, TransportMatch, UdpMatch,
};
use crate::policy::{Protocol, Remote};
use crate::ports::Ports;
use crate::url::Host;

/// The file, and the entries with their names. A draft without a family is for both.
pub(super) fn file(
    drafts: Vec<(Option<Family>, Proposed)>,
    around: &Surroundings,
) -> (MudFile, Vec<Proposed>) {
    let mut lists: Vec<Acl> = LISTS
        .iter()
        .map(|(name, acl_type, ..)| Acl {
            name: (*name).to_string(),
            acl_type: Some(*acl_type),
            aces: Vec::new(),
        })
        .collect();
    let mut names = BTreeSet::new();
    let mut entries = Vec::new();
    for (family, mut draft) in drafts {
        let name = name(&draft, &mut names);
        for (list, (_, _, packets, of)) in lists.iter_mut().zip(LISTS) {
            let both_ways = draft.protocol == Protocol::Tcp;
            if family.is_some_and(|family| family != of) || (packets != draft.direction && !both_ways) {
                continue;
            }
            if draft.ace.acl.is_empty() && packets == draft.direction {
                draft.ace.acl.clone_from(&list.name);
            }
            let body = AceBody::Matches(matches(&draft, of, packets));
            list.aces.push(Ace { name: name.clone(), body, forwarding: Forwarding::Accept });
        }
        draft.ace.ace = name;
        entries.push(draft);
    }
    lists.retain(|list| !list.aces.is_empty());
    let of = |direction| {
        let own = |list: &&Acl| {
            LISTS.iter().any(|(name, _, packets, _)| *name == list.name && *packets == direction)
        };
        // A policy without lists permits nothing in its direction, which is what was seen.
        Some(lists.iter().filter(own).map(|list| list.name.clone()).collect())
    };
    let file = MudFile {
        mud_url: around.mud_url.clone(),
        last_update: around.last_update.clone(),
        mud_signature: None,
        cache_validity: None,
        is_supported: true,
        systeminfo: around.systeminfo.clone(),
        mfg_name: None,
        model_name: None,
        firmware_rev: None,
        software_rev: None,
        documentation: None,
        extensions: Vec::new(),
        from_device_policy: of(Direction::FromDevice),
        to_device_policy: of(Direction::ToDevice),
        tls_profile_supported: None,
        transparency: None,
        ownership: None,
        quarantine: None,
        report_uri: None,
        attestation: None,
        acls: lists,
    };
    (file, entries)
}

/// The lists of a file: their names, and whose packets they match.
const LISTS: [(&str, AclType, Direction, Family); 4] = [
    ("from-ipv4", AclType::Ipv4, Direction::FromDevice, Family::V4),
    ("from-ipv6", AclType::Ipv6, Direction::FromDevice, Family::V6),
    ("to-ipv4", AclType::Ipv4, Direction::ToDevice, Family::V4),
    ("to-ipv6", AclType::Ipv6, Direction::ToDevice, Family::V6),
];

/// What packets of one direction of the flow look like.
fn matches(draft: &Proposed, family: Family, packets: Direction) -> Matches {
    let mut ip = IpMatch::any(family);
    let mut mud = MudMatch::default();
    match &draft.remote {
        Remote::Name(name) => match packets {
            Direction::FromDevice => ip.dst_dnsname = Some(Host::Name(name.clone())),
            Direction::ToDevice => ip.src_dnsname = Some(Host::Name(name.clone())),
        },
        Remote::Prefix(prefix) => match packets {
            Direction::FromDevice => ip.destination = Some(*prefix),
            Direction::ToDevice => ip.source = Some(*prefix),
        },
        Remote::MyController => mud.my_controller = true,
        Remote::SameManufacturer => mud.same_manufacturer = true,
        Remote::LocalNetworks => mud.local_networks = true,
        // Never chosen: what was seen is an address, and these have to be meant.
        Remote::Any | Remote::Controller(_) | Remote::Manufacturer(_) | Remote::Model(_) => {}
    }
    // The port of the end that is called: where packets of the one who began go to, and those of the other come from.
    let port = port_match(&draft.ports);
    let (source_port, destination_port) =
        if packets == draft.direction { (None, port) } else { (port, None) };
    let transport = match draft.protocol {
        Protocol::Tcp => {
            let direction_initiated = Some(draft.direction);
            Some(TransportMatch::Tcp(TcpMatch {
                source_port,
                destination_port,
                direction_initiated,
                ..TcpMatch::default()
            }))
        }
        Protocol::Udp => Some(TransportMatch::Udp(UdpMatch { length: None, source_port, destination_port })),
        Protocol::Icmp { icmp_type, code } => {
            Some(TransportMatch::Icmp(IcmpMatch { icmp_type, code, rest_of_header: None }))
        }
        Protocol::Other(number) => {
            ip.protocol = Some(number);
            None
        }
        Protocol::Any => None,
    };
    Matches { eth: None, ip: Some(ip), transport, mud, tls: Vec::new() }
}

fn port_match(ports: &Ports) -> Option<PortMatch> {
    let (low, high) = ports.ranges().next()?.into_inner();
    Some(if low == high { PortMatch::Operator(PortOperator::Eq, low) } else { PortMatch::Range(low, high) })
}

/// A name that says what the entry is for, and that no other has.
fn name(draft: &Proposed, taken: &mut BTreeSet<String>) -> String {
    let remote = match &draft.remote {
        Remote::Name(name) => name.clone(),
        Remote::Prefix(prefix) => prefix.address().to_string(),
        Remote::MyController => "my-controller".to_string(),
        Remote::SameManufacturer => "same-manufacturer".to_string(),
        _ => "local-networks".to_string(),
    };
    let remote: String = remote
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(MAX_REMOTE)
        .collect();
    let service = match (draft.protocol, draft.ports.ranges().next().map(|range| range.into_inner())) {
        (Protocol::Tcp, Some((low, high))) if low == high => format!("tcp-{low}"),
        (Protocol::Tcp, Some((low, high))) => format!("tcp-{low}-{high}"),
        (Protocol::Udp, Some((low, high))) if low == high => format!("udp-{low}"),
        (Protocol::Udp, Some((low, high))) => format!("udp-{low}-{high}"),
        (Protocol::Icmp { icmp_type: Some(kind), .. }, _) => format!("icmp-{kind}"),
        (Protocol::Icmp { .. }, _) => "icmp".to_string(),
        (Protocol::Other(number), _) => format!("protocol-{number}"),
        (Protocol::Tcp, None) => "tcp".to_string(),
        (Protocol::Udp, None) => "udp".to_string(),
        (Protocol::Any, _) => "any".to_string(),
    };
    let base = match draft.direction {
        Direction::FromDevice => format!("{remote}-{service}"),
        Direction::ToDevice => format!("{remote}-{service}-in"),
    };
    let mut name = base.clone();
    let mut number = 2_u32;
    while !taken.insert(name.clone()) {
        name = format!("{base}-{number}");
        number += 1;
    }
    name
}

/// Characters of the remote in a name: with the rest it stays below the 64 of a key.
const MAX_REMOTE: usize = 36;
