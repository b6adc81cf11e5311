//! Golden texts, and agreement of the rules with MUD's own oracle.

pub(crate) mod world;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mud::{
    ConnState, Direction, Entry, Family, IpPrefix, MudUrl, Policy, Ports, Protocol, Remote, Verdict, oracle,
};

use self::world::{Neighbours, World, entry, subject};
use super::*;
use crate::{AddressRange, Class, Error, Flow, PolicyId, Strength};

/// The rendering, with the digests in names cut off.
fn rendered(entries: Vec<Entry>) -> String {
    let lowered = lower(&Policy { entries }, &subject(), true).unwrap();
    let names = policy_names(PolicyId(16), &lowered.program, false);
    let text = render(&names, &lowered.program, false).as_text().to_owned();
    let mut text = text.replace(names.base().as_str(), "P");
    for class in lowered.program.classes() {
        for family in [Family::V4, Family::V6] {
            text = text.replace(class_set(class, family).as_str(), &format!("CLASS_{}", family.bits()));
        }
    }
    text
}

#[test]
fn accepts_become_sets() {
    use Direction::{FromDevice, ToDevice};
    let name = |name: &str| Remote::Name(name.into());
    let prefix = |text: &str| Remote::Prefix(IpPrefix::parse(text).unwrap());
    let text = rendered(vec![
        entry(FromDevice, Family::V4, name("a.maker.example"), Protocol::Tcp, Ports::one(443)),
        entry(FromDevice, Family::V4, name("b.maker.example"), Protocol::Tcp, Ports::one(443)),
        entry(FromDevice, Family::V4, name("b.maker.example"), Protocol::Udp, Ports::new([1000..=2000])),
        entry(FromDevice, Family::V4, prefix("239.255.255.250/32"), Protocol::Udp, Ports::one(1900)),
        entry(FromDevice, Family::V4, prefix("10.0.0.0/8"), Protocol::Udp, Ports::one(1900)),
        entry(FromDevice, Family::V4, prefix("10.1.0.0/16"), Protocol::Udp, Ports::one(1900)),
        entry(
            FromDevice,
            Family::V6,
            Remote::SameManufacturer,
            Protocol::Icmp { icmp_type: Some(128), code: None },
            Ports::ANY,
        ),
        entry(ToDevice, Family::V4, Remote::LocalNetworks, Protocol::Tcp, Ports::new([80..=80, 8000..=8080])),
        entry(ToDevice, Family::V4, Remote::Any, Protocol::Other(2), Ports::ANY),
    ]);
    assert_eq!(
        text,
        "\
add set inet sextant P_from4 { type ipv4_addr . inet_proto . inet_service ; flags timeout ; counter ; size 65535 ; }
add set inet sextant P_g0 { type ipv4_addr ; flags timeout ; counter ; size 65535 ; }
add element inet sextant P_from4 { 239.255.255.250 . 17 . 1900 }
add chain inet sextant P_from
add rule inet sextant P_from ip daddr . meta l4proto . th dport @P_from4 counter return
add rule inet sextant P_from ip daddr @P_g0 meta l4proto 17 th dport { 1000-2000 } counter return
add rule inet sextant P_from ip daddr { 10.0.0.0-10.255.255.255 } meta l4proto 17 th dport { 1900 } counter return
add rule inet sextant P_from ip6 daddr @CLASS_128 meta l4proto 58 icmpv6 type 128 counter return
add rule inet sextant P_from ip daddr . meta l4proto . th dport @mgmt4 return
add rule inet sextant P_from ip6 daddr . meta l4proto . th dport @mgmt6 return
add rule inet sextant P_from goto violation_from
add chain inet sextant P_to
add rule inet sextant P_to ip saddr @CLASS_32 meta l4proto 6 th dport { 80 , 8000-8080 } counter return
add rule inet sextant P_to meta nfproto ipv4 meta l4proto 2 counter return
add rule inet sextant P_to goto violation_to
"
    );
}

#[test]
fn denials_before_accepts_become_rules_in_order() {
    let from = |remote, verdict| Entry {
        verdict,
        ..entry(Direction::FromDevice, Family::V4, remote, Protocol::Tcp, Ports::one(443))
    };
    let text = rendered(vec![
        from(Remote::Name("bad.example".into()), Verdict::Drop),
        from(Remote::Any, Verdict::Accept),
        from(Remote::LocalNetworks, Verdict::Reject),
    ]);
    assert_eq!(
        text,
        "\
add set inet sextant P_g0 { type ipv4_addr ; flags timeout ; counter ; size 65535 ; }
add chain inet sextant P_from
add rule inet sextant P_from ip daddr . meta l4proto . th dport @mgmt4 return
add rule inet sextant P_from ip6 daddr . meta l4proto . th dport @mgmt6 return
add rule inet sextant P_from ip daddr @P_g0 meta l4proto 6 th dport { 443 } counter drop
add rule inet sextant P_from meta nfproto ipv4 meta l4proto 6 th dport { 443 } counter return
add rule inet sextant P_from goto violation_from
add chain inet sextant P_to
add rule inet sextant P_to goto violation_to
"
    );
}

#[test]
fn the_default_for_resolvers_is_extended_to_tcp_only_where_the_site_wants_it() {
    let default = Entry {
        default: true,
        ..entry(
            Direction::FromDevice,
            Family::V4,
            Remote::Controller(mud::CONTROLLER_DNS.into()),
            Protocol::Udp,
            Ports::one(53),
        )
    };
    let policy = Policy { entries: vec![default] };
    for (over_tcp, rules) in [(false, 1), (true, 2)] {
        assert_eq!(lower(&policy, &subject(), over_tcp).unwrap().program.rules.len(), rules);
    }
}

#[test]
fn what_cannot_be_checked_is_narrower_and_said() {
    let extra = mud::ExtraMatch { tcp_flags: Some(2), ..mud::ExtraMatch::default() };
    let accept = Entry {
        extra: Some(extra),
        ..entry(Direction::FromDevice, Family::V4, Remote::Any, Protocol::Tcp, Ports::one(443))
    };
    let deny = Entry { verdict: Verdict::Drop, ..accept.clone() };
    let wide = Entry { extra: None, ..accept.clone() };
    let lowered = lower(&Policy { entries: vec![accept, deny, wide] }, &subject(), true).unwrap();
    assert_eq!(lowered.left_out, [0, 1]);
    let verdicts: Vec<_> = lowered.program.rules.iter().map(|rule| rule.verdict).collect();
    assert_eq!(verdicts, [Verdict::Drop, Verdict::Accept]);
}

#[test]
fn weak_devices_do_not_see_strong_classes() {
    let weak = Subject { strength: Strength::Weak, ..subject() };
    let policy = Policy {
        entries: vec![entry(
            Direction::FromDevice,
            Family::V4,
            Remote::SameManufacturer,
            Protocol::Tcp,
            Ports::one(1),
        )],
    };
    let classes = |subject: &Subject| -> Vec<Class> {
        lower(&policy, subject, true).unwrap().program.classes().cloned().collect()
    };
    assert_eq!(classes(&subject()), [Class::Manufacturer("maker.example".into(), Strength::Strong)]);
    assert_eq!(classes(&weak), [Class::Manufacturer("maker.example".into(), Strength::Weak)]);
    assert!(subject().classes().contains(&classes(&subject())[0]));
    let port = Subject { url: MudUrl::parse("https://Maker.example:8443/x").unwrap(), ..subject() };
    assert_eq!(classes(&port), [Class::Manufacturer("maker.example:8443".into(), Strength::Strong)]);
}

#[test]
fn limits_hold_at_the_limit_and_not_one_past_it() {
    let names = |count: usize| -> Vec<Start> {
        let service = Service { remote_ports: Ports::one(443), ..Service::of(Protocol::Tcp) };
        let start = |index| Start {
            side: Side::From,
            family: Family::V4,
            peer: Peer::Name(format!("n{index}.example")),
            service: service.clone(),
            tls: vec![],
            verdict: Verdict::Accept,
        };
        (0..count).map(start).collect()
    };
    assert!(Program::new(names(program::MAX_NAMES)).is_ok());
    assert!(matches!(
        Program::new(names(program::MAX_NAMES + 1)),
        Err(Error::TooLarge { what: "names", found: 501, limit: 500 })
    ));
}

/// A small world in which random policies and packets meet often.
#[test]
fn rules_and_oracle_agree_on_random_policies() {
    let mut world = World { state: 0x5e97_a417 };
    let local: BTreeMap<bool, IpAddr> =
        [(true, Ipv4Addr::new(10, 0, 0, 1).into()), (false, Ipv6Addr::LOCALHOST.into())].into();
    let (mut accepted, mut denied) = (0, 0);
    for round in 0..400 {
        let policy = Policy { entries: (0..1 + world.below(8)).map(|_| world.entry()).collect() };
        let program = lower(&policy, &subject(), false).unwrap().program;
        let members = Neighbours::random(&mut world);
        for _ in 0..100 {
            let packet = world.packet();
            let own = local[&packet.remote.is_ipv4()];
            let (side, source, destination, source_port, destination_port) = match packet.direction {
                Direction::FromDevice => {
                    (Side::From, own, packet.remote, packet.device_port, packet.remote_port)
                }
                Direction::ToDevice => (Side::To, packet.remote, own, packet.remote_port, packet.device_port),
            };
            let destination_port =
                packet.icmp.map_or(destination_port, |(kind, code)| u16::from_be_bytes([kind, code]));
            let flow = Flow { source, destination, protocol: packet.protocol, source_port, destination_port };
            let wanted =
                oracle(&policy, &members.resolved, &packet, ConnState::New).verdict == Verdict::Accept;
            assert_eq!(
                program.permits(side, &flow, &members),
                wanted,
                "round {round}: {packet:?} by {:#?}",
                policy.entries.iter().map(ToString::to_string).collect::<Vec<_>>()
            );
            if wanted { accepted += 1 } else { denied += 1 }
        }
    }
    assert!(accepted > 3_000 && denied > 3_000, "{accepted} accepted, {denied} denied");
}

#[test]
fn overlapping_prefixes_are_joined_before_the_kernel_sees_them() {
    let range = |text: &str, length| Start {
        side: Side::From,
        family: Family::V4,
        peer: Peer::Range(AddressRange::of_prefix(text.parse().unwrap(), length)),
        service: Service::of(Protocol::Udp),
        tls: vec![],
        verdict: Verdict::Accept,
    };
    let program =
        Program::new(vec![range("10.0.0.0", 8), range("10.2.0.0", 16), range("11.0.0.0", 8)]).unwrap();
    assert_eq!(program.rules.len(), 1);
}
