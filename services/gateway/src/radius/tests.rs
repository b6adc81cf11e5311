//! Rules against the policies that they come from, and answers against whoever forges them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crypto::{hmac_md5, md5};
use mud::{Direction, Family, Policy};

use super::*;
use crate::Flow;
use crate::nft::tests::world::{Neighbours, World, subject};
use crate::nft::{Program, Side, Site, lower};

/// What an access server does with the first packet of a flow.
fn passes(filter: &Filter, side: Side, flow: &Flow) -> bool {
    let (way, remote, remote_port, device_port) = match side {
        Side::From => (Way::In, flow.destination, flow.destination_port, flow.source_port),
        Side::To => (Way::Out, flow.source, flow.source_port, flow.destination_port),
    };
    let icmp = matches!(flow.protocol, 1 | 58);
    let [icmp_type, _code] = flow.destination_port.to_be_bytes();
    let matches = |rule: &FilterRule| {
        let of_family = |prefix: &Prefix| prefix.address.is_ipv4() == remote.is_ipv4();
        let within = |prefix: &Prefix| {
            of_family(prefix)
                && crate::AddressRange::of_prefix(prefix.address, prefix.length).contains(remote)
        };
        rule.way == way
            && !rule.established
            && rule.protocol.is_none_or(|protocol| protocol == flow.protocol)
            && rule.remote.as_ref().is_none_or(within)
            && (icmp || rule.remote_ports.contains(remote_port))
            && (icmp || rule.device_ports.contains(device_port))
            && rule.icmp_type.is_none_or(|wanted| wanted == icmp_type)
    };
    filter.rules.iter().find(|rule| matches(rule)).is_some_and(|rule| rule.permit)
}

#[test]
fn rules_permit_what_the_policy_permits_and_answers_to_it() {
    let mut world = World { state: 0x0dd_ba11 };
    let site = Site { own: Vec::new(), ..Site::new("lan0").unwrap() };
    let (mut permitted, mut refused, mut exact) = (0, 0, 0);
    for round in 0..300 {
        let policy = Policy { entries: (0..1 + world.below(8)).map(|_| world.entry()).collect() };
        let program = lower(&policy, &subject(), false).unwrap().program;
        let neighbours = Neighbours::random(&mut world);
        let filter = render(&site, &program, &neighbours);
        for _ in 0..100 {
            let packet = world.packet();
            let own = match Family::of(packet.remote) {
                Family::V4 => IpAddr::from(Ipv4Addr::new(10, 0, 0, 1)),
                Family::V6 => Ipv6Addr::LOCALHOST.into(),
            };
            let (side, other) = match packet.direction {
                Direction::FromDevice => (Side::From, Side::To),
                Direction::ToDevice => (Side::To, Side::From),
            };
            let icmp = packet.icmp.map(|(kind, code)| u16::from_be_bytes([kind, code]));
            let flow = |side| {
                let (device, remote) = ((own, packet.device_port), (packet.remote, packet.remote_port));
                let (source, destination) =
                    if side == Side::From { (device, remote) } else { (remote, device) };
                Flow {
                    source: source.0,
                    destination: destination.0,
                    protocol: packet.protocol,
                    source_port: source.1,
                    destination_port: icmp.unwrap_or(destination.1),
                }
            };
            let wanted = program.permits(side, &flow(side), &neighbours);
            // Without state, what may answer may begin.
            let answers = packet.protocol != 6 && program.permits(other, &flow(other), &neighbours);
            let found = passes(&filter, side, &flow(side));
            let because = || format!("round {round}: {packet:?} by {:#?}", texts(&filter));
            assert!(!found || wanted || answers, "wider: {}", because());
            if filter.left_out == 0 {
                exact += 1;
                assert!(found || !wanted, "narrower: {}", because());
            }
            if found { permitted += 1 } else { refused += 1 }
        }
    }
    assert!(permitted > 2_000 && refused > 2_000 && exact > 5_000, "{permitted} {refused} {exact}");
}

fn texts(filter: &Filter) -> Vec<String> {
    filter.rules.iter().map(FilterRule::to_string).collect()
}

#[test]
fn an_empty_policy_leaves_addresses_neighbours_and_servers() {
    let mut site = Site::new("lan0").unwrap();
    site.own = vec!["10.0.0.1".parse().unwrap()];
    site.admission = Some(8480);
    site.management =
        vec![crate::Endpoint { address: "203.0.113.5".parse().unwrap(), protocol: 6, port: 8443 }];
    let neighbours = Neighbours::random(&mut World { state: 1 });
    let expected = [
        "permit in 17 from any 68 to any 67",
        "permit out 17 from any 67 to any 68",
        "permit in 17 from any 546 to any 547",
        "permit out 17 from any 547 to any 546",
        "permit in 58 from any to fe80::/10",
        "permit out 58 from fe80::/10 to any",
        "permit in 58 from any to ff02::/16",
        "permit out 58 from ff02::/16 to any",
        "permit in 6 from assigned to 203.0.113.5/32 8443",
        "permit out ip from 10.0.0.1/32 to assigned",
        "permit in 6 from assigned to 10.0.0.1/32 8480",
        "permit out 6 from 203.0.113.5/32 8443 to assigned established",
        "permit in 6 from assigned to 10.0.0.1/32 established",
        "permit in 17 from assigned to 10.0.0.1/32",
        "permit in 1 from assigned to 10.0.0.1/32",
        "permit out 6 from 10.0.0.1/32 8480 to assigned established",
        "deny in ip from any to any",
        "deny out ip from any to any",
    ];
    let filter = render(&site, &Program::new(Vec::new()).unwrap(), &neighbours);
    assert_eq!(texts(&filter), expected);
}

#[test]
fn rules_are_cut_where_attributes_end_and_too_many_are_none() {
    let mut filter = Filter::blocked();
    let one = filter.rules[0].to_string().len() + 1;
    filter.rules = vec![filter.rules[0].clone(); Filter::MAX_OCTETS / one];
    let attributes = filter.attributes().unwrap();
    let lengths: Vec<usize> = attributes.iter().map(|attribute| attribute.value().len()).collect();
    let (last, full) = lengths.split_last().unwrap();
    assert!(full.iter().all(|length| *length == Attribute::MAX_LEN) && *last <= Attribute::MAX_LEN);
    let whole: Vec<u8> = attributes.iter().flat_map(|attribute| attribute.value().to_vec()).collect();
    assert_eq!(String::from_utf8(whole).unwrap(), texts(&filter).join("\0"));
    filter.rules.extend([filter.rules[0].clone(), filter.rules[0].clone()]);
    assert!(matches!(filter.attributes(), Err(RadiusError::TooLong { .. })));
}

fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

pub(crate) const SECRET: &[u8] = b"sixteen octets or more";

/// An access server's answer, authenticated as RFC 2865, section 3, and RFC 3579, section 3.2, say.
pub(crate) fn answer(request: &[u8], code: u8, message_authenticator: bool) -> Vec<u8> {
    let mut answer = vec![code, request[1], 0, 0];
    answer.extend(&request[4..20]);
    answer.extend([101, 6, 0, 0, 1, 0xf7]);
    if message_authenticator {
        answer.extend([80, 18]);
        answer.extend([0; 16]);
    }
    let length = answer.len() as u16;
    answer[2..4].copy_from_slice(&length.to_be_bytes());
    if message_authenticator {
        let tag = hmac_md5(SECRET, &answer);
        answer[28..44].copy_from_slice(&tag);
    }
    let authenticator = md5(&[&answer, SECRET]);
    answer[4..20].copy_from_slice(&authenticator);
    answer
}

fn request(identifier: u8) -> Vec<u8> {
    let attributes = vec![Attribute::event_timestamp(1_700_000_000)];
    Packet { code: Code::DisconnectRequest, identifier, attributes }.encode_request(&secret()).unwrap()
}

#[test]
fn only_the_answer_to_this_request_by_who_knows_the_secret_counts() {
    let request = request(7);
    for message_authenticator in [false, true] {
        let answer = answer(&request, 42, message_authenticator);
        let packet = Packet::decode_answer(&answer, &request, &secret()).unwrap();
        assert_eq!((packet.code, packet.integer(attributes::ERROR_CAUSE)), (Code::DisconnectNak, Some(503)));
        // What follows the length is padding.
        assert!(Packet::decode_answer(&[&answer[..], &[0; 4]].concat(), &request, &secret()).is_ok());
        for at in 0..answer.len() {
            for bit in 0..8 {
                let mut forged = answer.clone();
                forged[at] ^= 1 << bit;
                assert!(
                    Packet::decode_answer(&forged, &request, &secret()).is_err(),
                    "octet {at}, bit {bit}"
                );
            }
            assert!(Packet::decode_answer(&answer[..at], &request, &secret()).is_err(), "{at} octets");
        }
        let other = Secret::new(b"sixteen other octets").unwrap();
        assert!(matches!(Packet::decode_answer(&answer, &request, &other), Err(RadiusError::NotAuthentic)));
        assert!(matches!(
            Packet::decode_answer(&answer, &super::tests::request(8), &secret()),
            Err(RadiusError::NotThisRequest)
        ));
    }
}

#[test]
fn a_wrong_message_authenticator_is_found_under_a_right_answer() {
    let request = request(7);
    let mut forged = answer(&request, 41, true);
    forged[30] ^= 1;
    forged[4..20].copy_from_slice(&request[4..20]);
    let authenticator = md5(&[&forged, SECRET]);
    forged[4..20].copy_from_slice(&authenticator);
    assert!(matches!(Packet::decode_answer(&forged, &request, &secret()), Err(RadiusError::NotAuthentic)));
}

#[test]
fn secrets_and_attributes_have_lengths() {
    assert!(matches!(Secret::new(&[0; 15]), Err(RadiusError::ShortSecret { found: 15 })));
    assert!(Secret::new(&[0; 16]).is_ok());
    assert_eq!(format!("{:?}", secret()), "Secret(…)");
    assert!(Attribute::new(attributes::USER_NAME, &[1; 253]).is_ok());
    for found in [0, 254] {
        assert!(Attribute::new(attributes::USER_NAME, &vec![1; found]).is_err());
    }
    let attributes = vec![Attribute::new(attributes::USER_NAME, &[1; 253]).unwrap(); 17];
    let long = Packet { code: Code::CoaRequest, identifier: 0, attributes };
    assert!(matches!(long.encode_request(&secret()), Err(RadiusError::TooLong { .. })));
}
