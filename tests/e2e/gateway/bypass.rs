//! Ways round a list of ports: fragments, extension headers, tunnels, other protocols (threat N10).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use gateway::Wanted;
use mud::Protocol;
use sim::netns::Namespace;

use crate::lab::{Lab, binding, ip, program, reach, v4, v6};
use crate::raw::{self, Ear, Packet, Says, silence};

const HOST: [&str; 2] = ["203.0.113.10", "2001:db8:aa::10"];
const PERMITTED: u16 = 5683;
const FORBIDDEN: u16 = 5684;
const PATIENCE: Duration = Duration::from_secs(3);

/// Something that a device sends: its packets, and the number by which the ear knows it, if that may arrive.
struct Attempt {
    what: String,
    to: IpAddr,
    packets: Vec<Vec<u8>>,
    number: u32,
    passes: bool,
}

fn datagram(family: usize, port: u16, number: u32) -> Packet {
    let (from, to) = if family == 0 { (v4(0), ip(HOST[0])) } else { (v6(0), ip(HOST[1])) };
    let ports = (10_000 + (number % 50_000) as u16, port);
    Packet { from, to, dscp: 0, says: Says::Udp { ports }, number }
}

/// A part of the datagram as a fragment; all but the last are whole multiples of eight octets.
fn fragment(packet: &Packet, range: Range<usize>, more: bool) -> Vec<u8> {
    let whole = packet.encode();
    let identification = (packet.number as u16).to_be_bytes();
    let (offset, more) = (range.start as u16, u16::from(more));
    let (header, body) = whole.split_at(if packet.to.is_ipv4() { 20 } else { 40 });
    let (mut header, body) = (header.to_vec(), &body[range]);
    if packet.to.is_ipv4() {
        header[2..4].copy_from_slice(&(20 + body.len() as u16).to_be_bytes());
        header[4..6].copy_from_slice(&identification);
        header[6..8].copy_from_slice(&((more << 13) | (offset / 8)).to_be_bytes());
    } else {
        header[4..6].copy_from_slice(&(8 + body.len() as u16).to_be_bytes());
        header[6] = FRAGMENT;
        header.extend([raw::UDP, 0]);
        header.extend((offset | more).to_be_bytes());
        header.extend([0, 0]);
        header.extend(identification);
    }
    [header, body.to_vec()].concat()
}

/// The datagram in two fragments.
fn in_fragments(packet: &Packet) -> Vec<Vec<u8>> {
    vec![fragment(packet, 0..8, true), fragment(packet, 8..LENGTH, false)]
}

/// The IPv6 packet with extension headers of eight octets before its datagram.
fn behind(packet: &Packet, headers: &[u8]) -> Vec<u8> {
    let whole = packet.encode();
    let (header, body) = whole.split_at(40);
    let mut header = header.to_vec();
    let inside: Vec<u8> = headers
        .iter()
        .enumerate()
        .flat_map(|(at, _)| {
            let next = headers.get(at + 1).copied().unwrap_or(raw::UDP);
            // One option of padding with four octets.
            [next, 0, 1, 4, 0, 0, 0, 0]
        })
        .collect();
    header[6] = headers[0];
    header[4..6].copy_from_slice(&((inside.len() + body.len()) as u16).to_be_bytes());
    [header, inside, body.to_vec()].concat()
}

/// A packet within another protocol, as tunnels do it.
fn tunnelled(protocol: u8, inner: &Packet) -> Vec<u8> {
    let outer = Packet { says: Says::Other(protocol), ..datagram(0, 0, inner.number) };
    let mut packet = outer.encode();
    packet.truncate(20);
    // Of GRE only the four octets that it has at least.
    if protocol == GRE {
        packet.extend([0, 0, 8, 0]);
    }
    packet.extend(inner.encode());
    let length = (packet.len() as u16).to_be_bytes();
    packet[2..4].copy_from_slice(&length);
    packet
}

fn attempts() -> Vec<Attempt> {
    let mut all = Vec::new();
    let mut number = 0;
    let mut attempt = |what: String, to: IpAddr, passes: bool, make: &dyn Fn(u32) -> Vec<Vec<u8>>| {
        number += 1;
        all.push(Attempt { what, to, packets: make(number), number, passes });
    };
    for (family, host) in HOST.map(ip).into_iter().enumerate() {
        for (port, passes) in [(PERMITTED, true), (FORBIDDEN, false)] {
            attempt(format!("whole, to port {port} of {host}"), host, passes, &|number| {
                vec![datagram(family, port, number).encode()]
            });
            attempt(format!("in two fragments, to port {port} of {host}"), host, passes, &|number| {
                in_fragments(&datagram(family, port, number))
            });
            attempt(
                format!("in fragments of which the last comes first, to port {port} of {host}"),
                host,
                passes,
                &|number| in_fragments(&datagram(family, port, number)).into_iter().rev().collect(),
            );
            attempt(format!("the last fragment alone, to port {port} of {host}"), host, false, &|number| {
                in_fragments(&datagram(family, port, number)).split_off(1)
            });
        }
        // The start comes again with another port: what is put together has the port that was judged.
        attempt(format!("a start that comes twice, to {host}"), host, true, &|number| {
            let mut fragments = in_fragments(&datagram(family, PERMITTED, number));
            fragments.insert(1, fragment(&datagram(family, FORBIDDEN, number), 0..8, true));
            fragments
        });
        attempt(
            format!("a start that comes twice, the forbidden one first, to {host}"),
            host,
            false,
            &|number| {
                let mut fragments = in_fragments(&datagram(family, PERMITTED, number));
                fragments.insert(0, fragment(&datagram(family, FORBIDDEN, number), 0..8, true));
                fragments
            },
        );
    }
    let v6_host = ip(HOST[1]);
    for headers in
        [&[DESTINATION][..], &[HOP_BY_HOP], &[HOP_BY_HOP, DESTINATION], &[DESTINATION, DESTINATION]]
    {
        for (port, passes) in [(PERMITTED, true), (FORBIDDEN, false)] {
            attempt(format!("behind headers {headers:?}, to port {port}"), v6_host, passes, &|number| {
                vec![behind(&datagram(1, port, number), headers)]
            });
        }
    }
    for (name, protocol) in
        [("IPv4 in IPv4", 4), ("IPv6 in IPv4", 41), ("GRE", GRE), ("ESP", 50), ("SCTP", 132)]
    {
        attempt(name.to_owned(), ip(HOST[0]), false, &|number| {
            let inner = datagram(usize::from(protocol == 41), PERMITTED, number);
            vec![tunnelled(protocol, &inner)]
        });
    }
    all
}

fn send(space: &Namespace, attempts: &[Attempt]) {
    let packets: Vec<(IpAddr, Vec<u8>)> =
        attempts.iter().flat_map(|one| one.packets.iter().map(|packet| (one.to, packet.clone()))).collect();
    raw::send_bytes(space, &packets);
}

#[test]
fn no_fragment_header_or_tunnel_leads_round_the_list() {
    let Some(lab) = Lab::new(1) else { return };
    let device = &lab.devices[0];
    silence(device);
    silence(&lab.wan);
    let ear = Ear::of(&lab.wan, &[raw::UDP, 4, 41, GRE, 50, 132]);
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let permitted = HOST.map(|host| reach(host, Protocol::Udp, PERMITTED));
        let policy = enforcer.stage(program(permitted.into())).unwrap();
        enforcer.admit(binding(0), policy).unwrap();

        let attempts = attempts();
        send(device, &attempts);
        let wanted: BTreeSet<u32> = attempts.iter().filter(|one| one.passes).map(|one| one.number).collect();
        let heard = ear.heard(&wanted, PATIENCE);
        let wrong: Vec<&str> = attempts
            .iter()
            .filter(|one| heard.contains(&one.number) != one.passes)
            .map(|one| one.what.as_str())
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(ear.others(), 0, "and nothing else of any of these protocols");
        assert!(wanted.len() >= 10 && attempts.len() - wanted.len() >= 15);
    });
}

/// Octets of the datagrams, with their headers.
const LENGTH: usize = 12;

// Protocols and extension headers (IANA).
const FRAGMENT: u8 = 44;
const HOP_BY_HOP: u8 = 0;
const DESTINATION: u8 = 60;
const GRE: u8 = 47;
