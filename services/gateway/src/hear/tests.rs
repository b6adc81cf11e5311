//! What is heard from sequences of frames, and the vectors of announcements.

use std::net::{IpAddr, Ipv6Addr};

use super::frame::tests::{SENDER, framed, frames, over_v4, over_v6, udp_v6};
use super::frame::{ARP, IPV4, IPV6, LLDP};
use super::{Ear, Frame, Origin, dhcp4, dhcp6, lldp, neighbour};
use crate::{Announced, Heard, Mac, News};

const OTHER: Mac = Mac([2, 0, 0, 0, 0, 12]);

fn hear(ear: &mut Ear, origin: Origin, frame: &[u8], now: i64) -> Vec<Heard> {
    ear.hear(origin, &Frame::decode(frame).unwrap(), now)
}

fn dhcp4(kind: u8, options: &[u8]) -> Vec<u8> {
    let message = dhcp4::tests::message(1, [0; 4], [0; 4], &[&[53, 1, kind], options].concat());
    framed(SENDER, IPV4, &over_v4(68, 67, &message))
}

fn granted(lease: u32) -> Vec<u8> {
    let options = [&[53, 1, 5, 51, 4][..], &lease.to_be_bytes()].concat();
    let message = dhcp4::tests::message(2, [0; 4], [10, 0, 0, 2], &options);
    framed(Mac([0; 6]), IPV4, &over_v4(67, 68, &message))
}

fn dhcp6(kind: u8, options: &[u8]) -> Vec<u8> {
    framed(SENDER, IPV6, &udp_v6(if kind == 7 { 546 } else { 547 }, &dhcp6::tests::message(kind, options)))
}

fn arp(mac: Mac, address: [u8; 4]) -> Vec<u8> {
    framed(mac, ARP, &neighbour::tests::arp(1, mac, address, [10, 0, 0, 1]))
}

fn uses(mac: Mac, address: &str, until: i64) -> Heard {
    Heard { mac, news: News::Uses { address: address.parse().unwrap(), until } }
}

fn news(heard: Vec<Heard>) -> Option<News> {
    assert!(heard.len() <= 1);
    heard.into_iter().next().map(|heard| heard.news)
}

fn contradicts(heard: Vec<Heard>) -> bool {
    matches!(news(heard), Some(News::Contradicts(_)))
}

#[test]
fn announcements_of_the_vectors_give_their_url_or_none() {
    let Some(folder) = testkit::vectors("mud/signed") else { return };
    let file = std::fs::read(folder.join("emission.json")).unwrap();
    let cases: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let mut seen = 0;
    for case in cases["cases"].as_array().unwrap() {
        let Some(option) = case["hex"].as_str().map(testkit::hex) else { continue };
        let frame = match case["kind"].as_str().unwrap() {
            "dhcpv4-option" => dhcp4(3, &option),
            "dhcpv6-option" => dhcp6(1, &option),
            "lldp-tlv" => framed(SENDER, LLDP, &lldp::tests::message(&option)),
            other => panic!("{other}"),
        };
        let found = match news(hear(&mut Ear::default(), Origin::Link, &frame, 0)) {
            Some(News::Announces { url, .. }) => Some(url.as_str().to_owned()),
            _ => None,
        };
        assert_eq!(found.as_deref(), case["url"].as_str(), "{}", case["name"]);
        seen += 1;
    }
    assert!(seen >= 14, "{seen} cases");
}

#[test]
fn a_device_that_says_two_things_is_believed_neither() {
    let url = |path: &str| format!("https://maker.example/{path}").into_bytes();
    let a4 = dhcp4::tests::option(161, &url("a"));
    let (a6, b6) = (dhcp6::tests::option(112, &url("a")), dhcp6::tests::option(112, &url("b")));
    assert!(contradicts(hear(&mut Ear::default(), Origin::Link, &dhcp4(1, &[&a4[..], &a4].concat()), 0)));
    assert!(contradicts(hear(&mut Ear::default(), Origin::Link, &dhcp6(1, &[&a6[..], &b6].concat()), 0)));
    let twice = lldp::tests::tlv(127, &[&[0, 0, 0x5e, 1], &url("a")[..]].concat()).repeat(2);
    let twice = framed(SENDER, LLDP, &lldp::tests::message(&twice));
    assert!(contradicts(hear(&mut Ear::default(), Origin::Link, &twice, 0)));
    assert!(contradicts(hear(
        &mut Ear::default(),
        Origin::Link,
        &dhcp4(1, &dhcp4::tests::option(161, b"ftp://x/")),
        0
    )));

    let mut ear = Ear::default();
    let first = news(hear(&mut ear, Origin::Link, &dhcp4(1, &a4), 0));
    assert!(matches!(first, Some(News::Announces { by: Announced::Dhcpv4, .. })), "{first:?}");
    assert_eq!(
        hear(&mut ear, Origin::Link, &dhcp6(1, &b6), 100),
        [Heard { mac: SENDER, news: News::Contradicts(Announced::Dhcpv6) }]
    );
    assert!(contradicts(hear(&mut ear, Origin::Link, &dhcp4(1, &a4), 100)), "nor the first any more");
    let again = news(hear(&mut ear, Origin::Link, &dhcp6(1, &a6), 200));
    assert!(matches!(again, Some(News::Announces { by: Announced::Dhcpv6, .. })), "until it says one thing");
}

#[test]
fn news_are_told_at_once_and_the_same_once_in_a_while() {
    let option = |path: &str| dhcp4::tests::option(161, format!("https://maker.example/{path}").as_bytes());
    let mut ear = Ear::default();
    let mut told =
        |path: &str, now: i64| !hear(&mut ear, Origin::Link, &dhcp4(3, &option(path)), now).is_empty();
    assert!(told("a", 0) && !told("a", 1) && !told("a", 599) && told("a", 600));
    assert!(!told("b", 609) && told("b", 610), "another one as fast as somebody can act on it");
    let mut ear = Ear::default();
    let mut count = 0;
    for number in 0u32..5000 {
        let [_, _, c, d] = number.to_be_bytes();
        let mut frame = framed(Mac([2, 9, 9, 9, c, d]), LLDP, &frames()[4][14..]);
        frame[0] = 1;
        count += hear(&mut ear, Origin::Link, &frame, 0).len();
    }
    assert_eq!(count, Ear::MAX_SPEAKERS);
    assert_eq!(ear.tick(86_400), []);
    assert_eq!(hear(&mut ear, Origin::Link, &frames()[4], 86_400).len(), 1, "and the ear forgets");
}

#[test]
fn a_lease_is_of_whoever_asked_for_it() {
    let mut ear = Ear::default();
    assert_eq!(hear(&mut ear, Origin::Gateway, &granted(3600), 0), [], "nobody asked");
    let mut other = dhcp4(3, &[]);
    other[6..12].copy_from_slice(&OTHER.0);
    assert_eq!(hear(&mut ear, Origin::Link, &other, 0), []);
    assert_eq!(hear(&mut ear, Origin::Gateway, &granted(3600), 0), [], "one asked for another");
    hear(&mut ear, Origin::Link, &dhcp4(3, &[]), 0);
    let mut forged = granted(3600);
    forged[6..12].copy_from_slice(&OTHER.0);
    assert_eq!(hear(&mut ear, Origin::Link, &forged, 1), [], "the answer came from the link");
    assert_eq!(hear(&mut ear, Origin::Gateway, &granted(3600), 1), [uses(SENDER, "10.0.0.2", 3601)]);
    assert_eq!(hear(&mut ear, Origin::Gateway, &granted(3600), 2), [], "said twice");
    assert_eq!(ear.tick(3601), []);
    assert_eq!(ear.tick(3602), [Heard { mac: SENDER, news: News::Releases([10, 0, 0, 2].into()) }]);
    hear(&mut ear, Origin::Link, &dhcp4(3, &[]), 4000);
    let endless = hear(&mut ear, Origin::Gateway, &granted(u32::MAX), 4000);
    assert_eq!(endless, [uses(SENDER, "10.0.0.2", 4000 + Ear::MAX_LEASE)]);
    assert_eq!(ear.tick(4060), []);
    assert_eq!(hear(&mut ear, Origin::Gateway, &granted(60), 4060), [], "too late an answer");

    let lease = dhcp6::tests::association("2001:db8::b".parse().unwrap(), 3600);
    let mut ear = Ear::default();
    assert_eq!(hear(&mut ear, Origin::Gateway, &dhcp6(7, &lease), 0), []);
    assert_eq!(hear(&mut ear, Origin::Link, &dhcp6(3, &[]), 0), []);
    assert_eq!(hear(&mut ear, Origin::Link, &dhcp6(7, &lease), 0), []);
    assert_eq!(hear(&mut ear, Origin::Gateway, &dhcp6(7, &lease), 0), [uses(SENDER, "2001:db8::b", 3600)]);
    assert_eq!(hear(&mut ear, Origin::Link, &dhcp6(8, &lease), 10), []);
    assert_eq!(ear.tick(70).len(), 1, "given back");
}

#[test]
fn an_address_is_its_first_speaker_s_until_the_server_gives_it_to_another() {
    let mut ear = Ear::new([IpAddr::from([10, 0, 0, 1])]);
    assert_eq!(
        hear(&mut ear, Origin::Link, &arp(OTHER, [10, 0, 0, 1]), 0),
        [],
        "the gateway's own is nobody's"
    );
    assert_eq!(
        hear(&mut ear, Origin::Link, &arp(OTHER, [10, 0, 0, 2]), 0),
        [uses(OTHER, "10.0.0.2", Ear::USE)]
    );
    assert_eq!(hear(&mut ear, Origin::Link, &arp(SENDER, [10, 0, 0, 2]), 1), []);
    hear(&mut ear, Origin::Link, &dhcp4(3, &[]), 2);
    let given = hear(&mut ear, Origin::Gateway, &granted(3600), 2);
    let lost = Heard { mac: OTHER, news: News::Releases([10, 0, 0, 2].into()) };
    assert_eq!(given, [lost, uses(SENDER, "10.0.0.2", 3602)]);
    assert_eq!(hear(&mut ear, Origin::Link, &arp(OTHER, [10, 0, 0, 2]), 3), []);
    assert_eq!(
        hear(&mut ear, Origin::Link, &arp(Mac([3, 0, 0, 0, 0, 1]), [10, 0, 0, 9]), 3),
        [],
        "a group's MAC"
    );

    // Whoever asks whether an address is free does not have it when another speaks for it.
    let address: Ipv6Addr = "2001:db8::b".parse().unwrap();
    let probe = over_v6(58, Ipv6Addr::UNSPECIFIED, &neighbour::tests::discovery(135, address, &[]));
    let answer = over_v6(58, address, &neighbour::tests::discovery(136, address, &[]));
    assert_eq!(
        hear(&mut ear, Origin::Link, &framed(SENDER, IPV6, &probe), 10),
        [uses(SENDER, "2001:db8::b", 70)]
    );
    let objected = hear(&mut ear, Origin::Link, &framed(OTHER, IPV6, &answer), 10);
    let lost = Heard { mac: SENDER, news: News::Releases(address.into()) };
    assert_eq!(objected, [lost, uses(OTHER, "2001:db8::b", 10 + Ear::USE)]);
}

#[test]
fn any_bytes_are_heard_without_harm() {
    let mut ear = Ear::default();
    for frame in frames() {
        for at in 0..frame.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff, frame[at].wrapping_add(1)] {
                let mut changed = frame.clone();
                changed[at] = value;
                for origin in [Origin::Link, Origin::Gateway] {
                    hear(&mut ear, origin, &changed, at as i64);
                }
            }
            ear.tick(at as i64);
        }
    }
}
