//! Two profiles of devices that do not exist, written like those of devices that do: what they compile to, and how
//! packets fare under them at a site.

mod common;

use std::fmt::Write as _;
use std::net::IpAddr;

use common::{findings, fixture, parse_and_compile};
use mud::{
    CONTROLLER_DNS, CONTROLLER_MANAGEMENT, CONTROLLER_NTP, ConnState, Context, Direction, IpPrefix,
    MAX_ADDRESSES_PER_NAME, Member, MudUrl, Packet, PacketFields, Policy, Reason, Remote, Resolved, Site,
    Strength, Verdict, WeakAccess, diff, oracle,
};
use sextant_mud as mud;

const FROM: Direction = Direction::FromDevice;
const TO: Direction = Direction::ToDevice;
const CAMERA: &str = "https://mud.northlight.example/welcome-cam/v3.json";
const PLUG: &str = "https://mud.northlight.example/smart-plug/v1.json";

fn policy(name: &str) -> Policy {
    parse_and_compile(&fixture(name), &Context::default()).1.policy
}

/// Everything a person would review about a profile.
fn summary(name: &str, url: &str) -> String {
    let context = Context { fetched_url: Some(url), ..Context::default() };
    let (parsed, compiled) = parse_and_compile(&fixture(name), &context);
    let mut text = String::new();
    let policy = &compiled.policy;
    for entry in &policy.entries {
        let default = if entry.default { " (default)" } else { "" };
        writeln!(text, "{entry}{default}").expect("text");
    }
    for finding in findings(&parsed, &compiled) {
        writeln!(text, "{:?} {} {}", finding.severity, finding.code, finding.path).expect("text");
    }
    for name in policy.names() {
        writeln!(text, "name {name}").expect("text");
    }
    writeln!(text, "breadth: {}", policy.breadth().score).expect("text");
    text
}

#[test]
fn the_camera_compiles_to_the_recorded_policy() {
    let expected = String::from_utf8(fixture("welcome-cam.expected.txt")).expect("text");
    assert_eq!(summary("welcome-cam.json", CAMERA), expected);
}

#[test]
fn the_plug_compiles_to_the_recorded_policy() {
    let expected = String::from_utf8(fixture("smart-plug.expected.txt")).expect("text");
    assert_eq!(summary("smart-plug.json", PLUG), expected);
}

#[test]
fn a_policy_is_written_the_same_way_each_time() {
    let expected = String::from_utf8(fixture("smart-plug.policy.json")).expect("text");
    assert_eq!(policy("smart-plug.json").encode_json(), expected);
}

#[test]
fn canonical_files_are_written_as_they_are() {
    for name in ["welcome-cam.json", "smart-plug.json"] {
        let (parsed, _) = parse_and_compile(&fixture(name), &Context::default());
        let written = parsed.file.encode();
        let (again, _) = parse_and_compile(written.as_bytes(), &Context::default());
        assert_eq!(again, parsed, "{name}");
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn prefix(text: &str) -> IpPrefix {
    IpPrefix::parse(text).unwrap_or_else(|| panic!("{text}"))
}

fn member(id: &str, url: &str, strength: Strength, addresses: &[&str]) -> Member {
    let addresses = addresses.iter().map(|a| address(a)).collect();
    Member { id: id.into(), url: MudUrl::parse(url).expect("a MUD URL"), strength, addresses }
}

fn site() -> Site {
    let mut site =
        Site { local_networks: vec![prefix("192.168.7.0/24"), prefix("fd00:7::/64")], ..Site::default() };
    site.controllers.insert(CONTROLLER_DNS.into(), vec![prefix("192.168.7.1/32"), prefix("fd00:7::1/128")]);
    site.controllers.insert(CONTROLLER_NTP.into(), vec![prefix("192.168.7.1/32")]);
    site.names.insert("api.northlight.example".into(), vec![address("198.51.100.7"), address("2001:db8::7")]);
    site.names.insert("relay.northlight.example".into(), vec![address("198.51.100.9")]);
    site.members = vec![
        member("camera", CAMERA, Strength::Strong, &["192.168.7.20"]),
        member("plug", PLUG, Strength::Strong, &["192.168.7.30"]),
        member("claimed plug", PLUG, Strength::Weak, &["192.168.7.31"]),
        member("stranger", "https://mud.evilnorthlight.example/x", Strength::Strong, &["192.168.7.66"]),
        member("other port", "https://mud.northlight.example:8443/x", Strength::Strong, &["192.168.7.67"]),
        member("meter", "https://meters.example/m", Strength::Strong, &["192.168.7.40"]),
        member("meter, other port", "https://meters.example:8443/m", Strength::Strong, &["192.168.7.41"]),
    ];
    site
}

fn packet(direction: Direction, protocol: u8, remote: &str, remote_port: u16, device_port: u16) -> Packet {
    Packet {
        direction,
        remote: address(remote),
        protocol,
        remote_port,
        device_port,
        icmp: None,
        tcp_flags: None,
        fields: PacketFields::default(),
    }
}

fn ping(direction: Direction, remote: &str, icmp_type: u8) -> Packet {
    let protocol = if address(remote).is_ipv4() { 1 } else { 58 };
    Packet { icmp: Some((icmp_type, 0)), ..packet(direction, protocol, remote, 0, 0) }
}

#[test]
fn packets_of_the_camera_meet_the_expected_verdict() {
    use Reason::{Entry, NoMatch, WrongInitiator};
    let policy = policy("welcome-cam.json");
    let site = site();
    let resolved = site.resolve(&policy, &site.members[0]);
    for (packet, reason) in [
        // Its cloud, over both families, and nothing beside.
        (packet(FROM, 6, "198.51.100.7", 443, 50000), Entry),
        (packet(FROM, 6, "2001:db8::7", 443, 50000), Entry),
        (packet(FROM, 6, "198.51.100.7", 444, 50000), NoMatch),
        (packet(FROM, 6, "198.51.100.8", 443, 50000), NoMatch),
        (packet(FROM, 17, "198.51.100.7", 443, 50000), NoMatch),
        // The cloud cannot start what the camera may start.
        (packet(TO, 6, "198.51.100.7", 443, 50000), WrongInitiator),
        // The relay was permitted over IPv4 only.
        (packet(FROM, 17, "198.51.100.9", 40199, 50000), Entry),
        (packet(FROM, 17, "198.51.100.9", 40200, 50000), NoMatch),
        (packet(TO, 17, "198.51.100.9", 40000, 50000), NoMatch),
        // A name that is not resolved yet leads nowhere.
        (packet(FROM, 6, "198.51.100.10", 8883, 50000), NoMatch),
        // DNS goes to the site's servers only.
        (packet(FROM, 17, "192.168.7.1", 53, 50000), Entry),
        (packet(FROM, 17, "fd00:7::1", 53, 50000), Entry),
        (packet(FROM, 17, "198.51.100.53", 53, 50000), NoMatch),
        // An answer nobody asked for opens no port.
        (packet(TO, 17, "192.168.7.1", 53, 5683), NoMatch),
        // Live view is started by the local network.
        (packet(TO, 6, "192.168.7.99", 50000, 554), Entry),
        (packet(FROM, 6, "192.168.7.99", 50000, 554), WrongInitiator),
        (packet(TO, 6, "203.0.113.5", 50000, 554), NoMatch),
        (packet(TO, 6, "fd00:7::99", 50000, 554), Entry),
        // The chime: devices of the maker that proved it, on the same port of the authority.
        (packet(FROM, 17, "192.168.7.30", 5683, 50000), Entry),
        (packet(TO, 17, "192.168.7.30", 50000, 5683), Entry),
        (packet(FROM, 17, "192.168.7.31", 5683, 50000), NoMatch),
        (packet(FROM, 17, "192.168.7.66", 5683, 50000), NoMatch),
        (packet(FROM, 17, "192.168.7.67", 5683, 50000), NoMatch),
        (packet(FROM, 17, "192.168.7.20", 5683, 50000), NoMatch),
        // Multicast.
        (packet(FROM, 17, "224.0.0.251", 5353, 5353), Entry),
        (packet(FROM, 17, "ff02::fb", 5353, 5353), Entry),
        (packet(FROM, 2, "224.0.0.22", 0, 0), Entry),
        // Echo requests from the local network, each with its family's number.
        (ping(TO, "192.168.7.99", 8), Entry),
        (ping(TO, "fd00:7::99", 128), Entry),
        (ping(TO, "fd00:7::99", 8), NoMatch),
        (ping(FROM, "192.168.7.99", 8), NoMatch),
    ] {
        let decision = oracle(&policy, &resolved, &packet, ConnState::New);
        assert_eq!(decision.reason, reason, "{packet:?}");
        assert_eq!(decision.verdict == Verdict::Accept, reason == Entry, "{packet:?}");
        assert_eq!(decision.entry.is_some(), matches!(reason, Entry | WrongInitiator), "{packet:?}");
    }
}

#[test]
fn packets_of_the_plug_meet_the_expected_verdict() {
    let policy = policy("smart-plug.json");
    let mut site = site();
    let plug = site.members[1].clone();
    site.my_controllers.insert(plug.url.clone(), vec![prefix("192.168.7.2/32")]);
    site.controllers.insert(CONTROLLER_MANAGEMENT.into(), vec![prefix("192.168.7.5/32")]);
    let resolved = site.resolve(&policy, &plug);
    for (packet, verdict) in [
        // The file switches DNS off over IPv4, not over IPv6.
        (packet(FROM, 17, "192.168.7.1", 53, 50000), Verdict::Drop),
        (packet(FROM, 17, "fd00:7::1", 53, 50000), Verdict::Accept),
        (packet(FROM, 17, "192.168.7.1", 123, 50000), Verdict::Accept),
        (packet(TO, 6, "192.168.7.2", 50000, 8443), Verdict::Accept),
        (packet(TO, 6, "192.168.7.3", 50000, 8443), Verdict::Drop),
        // A manufacturer has no port, so it means devices of the default one.
        (packet(FROM, 6, "192.168.7.40", 802, 50000), Verdict::Accept),
        (packet(FROM, 6, "192.168.7.41", 802, 50000), Verdict::Drop),
        // The site's management may ask it for its bill of materials.
        (packet(TO, 6, "192.168.7.5", 50000, 443), Verdict::Accept),
        (packet(TO, 6, "192.168.7.6", 50000, 443), Verdict::Drop),
        // No other plug has proved to be one, and the plug itself does not count.
        (packet(FROM, 17, "192.168.7.31", 5685, 50000), Verdict::Drop),
        (packet(FROM, 17, "192.168.7.30", 5685, 50000), Verdict::Drop),
        (ping(FROM, "192.168.7.2", 8), Verdict::Accept),
    ] {
        assert_eq!(oracle(&policy, &resolved, &packet, ConnState::New).verdict, verdict, "{packet:?}");
    }
    let unfilled: Vec<_> = resolved.unfilled(&policy).map(ToString::to_string).collect();
    assert_eq!(
        unfilled,
        ["controller https://northlight.example/classes/scenes".to_owned(), format!("model {PLUG}")]
    );
}

#[test]
fn state_decides_before_the_entries() {
    let policy = policy("welcome-cam.json");
    let stranger = packet(TO, 6, "203.0.113.5", 1, 1);
    for (state, verdict, reason) in [
        (ConnState::Established, Verdict::Accept, Reason::State),
        (ConnState::Related, Verdict::Accept, Reason::State),
        (ConnState::Invalid, Verdict::Drop, Reason::InvalidState),
        (ConnState::New, Verdict::Drop, Reason::NoMatch),
    ] {
        let decision = oracle(&policy, &Resolved::default(), &stranger, state);
        assert_eq!((decision.verdict, decision.reason), (verdict, reason));
    }
}

#[test]
fn only_a_syn_starts_a_connection() {
    let policy = policy("welcome-cam.json");
    let site = site();
    let resolved = site.resolve(&policy, &site.members[0]);
    for (flags, reason) in [
        (0x02, Reason::Entry),
        // With ECN negotiation, RFC 3168.
        (0xc2, Reason::Entry),
        (0x12, Reason::NotAStart),
        (0x10, Reason::NotAStart),
        (0x04, Reason::NotAStart),
        (0x03, Reason::NotAStart),
        (0x00, Reason::NotAStart),
    ] {
        let start = Packet { tcp_flags: Some(flags), ..packet(FROM, 6, "198.51.100.7", 443, 50000) };
        assert_eq!(oracle(&policy, &resolved, &start, ConnState::New).reason, reason, "{flags:#x}");
    }
}

/// A camera and a plug of the same maker: what the camera may send, the plug has to take.
#[test]
fn both_ends_have_to_permit_a_flow_between_devices() {
    let (camera, plug) = (policy("welcome-cam.json"), policy("smart-plug.json"));
    let mut site = site();
    let devices = [
        member("cam", CAMERA, Strength::Strong, &["192.168.7.21"]),
        member("plug", PLUG, Strength::Strong, &["192.168.7.40"]),
    ];
    site.members = devices.to_vec();
    let resolve = |policy, index: usize| site.resolve(policy, &devices[index]);
    let ends = [resolve(&camera, 0), resolve(&camera, 1), resolve(&plug, 1)];
    let end = |policy, resolved: usize, device: usize| mud::End {
        policy,
        resolved: &ends[resolved],
        address: devices[device].addresses[0],
    };
    let (cam, other_cam, plug) = (end(&camera, 0, 0), end(&camera, 1, 1), end(&plug, 2, 1));
    let coap = packet(FROM, 17, "0.0.0.0", 5683, 50000);
    let reasons = |sender, receiver| {
        mud::oracle_between(sender, receiver, &coap, ConnState::New).map(|decision| decision.reason)
    };
    // The camera may ask devices of its maker by CoAP; a plug takes none, and another camera does.
    assert_eq!(reasons(cam, plug), [Reason::Entry, Reason::NoMatch]);
    assert_eq!(reasons(plug, cam), [Reason::NoMatch, Reason::Entry]);
    assert_eq!(reasons(cam, other_cam), [Reason::Entry, Reason::Entry]);
    let answers = mud::oracle_between(plug, cam, &coap, ConnState::Established);
    assert!(answers.iter().all(|decision| decision.verdict == Verdict::Accept));
}

#[test]
fn the_nearest_entry_says_what_is_wrong_with_a_packet() {
    use mud::Difference::{DevicePort, Family, Protocol, Remote as Far, RemotePort};
    let policy = policy("welcome-cam.json");
    let mut resolved = Resolved::default();
    resolved.insert(Remote::Name("api.northlight.example".into()), [prefix("203.0.113.5/32")]);
    resolved.insert(Remote::LocalNetworks, [prefix("192.168.7.0/24")]);
    let nearest = |packet: &Packet| {
        mud::nearest(&policy, &resolved, packet)
            .map(|miss| (policy.entries[miss.entry].to_string(), miss.differences))
    };
    let api =
        |family: &str| format!("from-device {family} tcp to name api.northlight.example port 443: accept");
    for (packet, expected) in [
        (packet(FROM, 6, "203.0.113.5", 80, 40000), Some((api("ipv4"), vec![RemotePort]))),
        (packet(FROM, 6, "203.0.113.9", 443, 40000), Some((api("ipv4"), vec![Far]))),
        (packet(FROM, 17, "203.0.113.5", 443, 40000), Some((api("ipv4"), vec![Protocol]))),
        (packet(FROM, 6, "2001:db8::9", 443, 40000), Some((api("ipv6"), vec![Far]))),
        (
            packet(TO, 6, "192.168.7.9", 40000, 22),
            Some((
                "to-device ipv4 tcp from local-networks, device port 554: accept".into(),
                vec![DevicePort],
            )),
        ),
    ] {
        assert_eq!(nearest(&packet), expected, "{packet:?}");
    }
    assert_eq!(mud::nearest(&Policy::default(), &resolved, &packet(FROM, 6, "203.0.113.5", 80, 1)), None);
    let only_v4 = Policy { entries: policy.entries[..1].to_vec() };
    let far = packet(FROM, 6, "2001:db8::9", 443, 40000);
    let miss = mud::nearest(&only_v4, &resolved, &far).expect("close");
    assert_eq!(miss.differences, [Family, Far]);
    assert_eq!(mud::nearest(&only_v4, &resolved, &packet(FROM, 17, "2001:db8::9", 9, 1)), None);
}

#[test]
fn a_remote_without_members_matches_nothing() {
    let policy = policy("welcome-cam.json");
    let nobody = Site::default();
    let resolved = nobody.resolve(&policy, &site().members[0]);
    for remote in ["198.51.100.7", "192.168.7.1", "192.168.7.30", "0.0.0.0", "255.255.255.255"] {
        for direction in [FROM, TO] {
            for (remote_port, device_port) in [(443, 1), (53, 1), (1, 554), (5683, 5683)] {
                for protocol in [6, 17] {
                    let packet = packet(direction, protocol, remote, remote_port, device_port);
                    let decision = oracle(&policy, &resolved, &packet, ConnState::New);
                    assert_eq!(decision.verdict, Verdict::Drop, "{packet:?}");
                }
            }
        }
    }
}

#[test]
fn names_do_not_lead_inside_and_have_few_addresses() {
    let policy = policy("welcome-cam.json");
    let mut site = site();
    let name = "api.northlight.example";
    let remote = Remote::Name(name.into());
    let camera = site.members[0].clone();
    site.names.insert(name.into(), vec![address("192.168.7.1"), address("::1"), address("198.51.100.7")]);
    assert_eq!(site.resolve(&policy, &camera).members(&remote), [prefix("198.51.100.7/32")]);
    site.internal_names.insert(name.into());
    assert_eq!(site.resolve(&policy, &camera).members(&remote).len(), 3);
    let many = (0..=MAX_ADDRESSES_PER_NAME).map(|i| address(&format!("198.51.100.{i}"))).collect();
    site.names.insert(name.into(), many);
    assert_eq!(site.resolve(&policy, &camera).members(&remote).len(), MAX_ADDRESSES_PER_NAME);
}

#[test]
fn weak_devices_share_classes_with_weak_ones_only() {
    let policy = policy("welcome-cam.json");
    let site = site();
    let weak = member("claimed camera", CAMERA, Strength::Weak, &["192.168.7.21"]);
    let resolved = site.resolve(&policy, &weak);
    assert_eq!(resolved.members(&Remote::SameManufacturer), [prefix("192.168.7.31/32")]);
}

/// A device that only claims to be a camera gains nothing by the camera's file, unless the site wants it.
#[test]
fn weak_devices_get_what_every_device_gets() {
    let plug = policy("smart-plug.json");
    let mut site = site();
    let member = |strength| member("claimed", PLUG, strength, &["192.168.7.40"]);
    let lines = |policy: &Policy| policy.entries.iter().map(ToString::to_string).collect::<Vec<_>>();
    let least = site.grant(&plug, &member(Strength::Weak));
    assert!(least.entries.iter().all(|entry| entry.default || entry.verdict != Verdict::Accept));
    assert!(lines(&least)[0].ends_with("port 53: drop"), "what the file drops stays dropped");
    assert!(lines(&least).iter().any(|line| line.contains(CONTROLLER_NTP)));
    assert!(!diff(&plug, &least).is_wider());
    assert_eq!(site.grant(&plug, &member(Strength::Strong)), plug);
    site.weak_access = WeakAccess::AsFile;
    assert_eq!(site.grant(&plug, &member(Strength::Weak)), plug);
}

#[test]
fn a_diff_shows_what_was_gained_and_lost() {
    let old = policy("welcome-cam.json");
    assert!(diff(&old, &old).is_equal());

    let mut fewer = old.clone();
    let lost = fewer.entries.remove(0);
    let change = diff(&old, &fewer);
    assert!(change.is_narrower() && !change.is_wider());
    assert_eq!(change.lost, std::slice::from_ref(&lost));
    // The name is still reached over IPv6.
    assert!(change.remotes_lost.is_empty() && change.remotes_gained.is_empty());
    let mut elsewhere = old.clone();
    let other = Remote::Name("other.example".into());
    elsewhere.entries[1].remote = other.clone();
    elsewhere.entries[9].remote = other.clone();
    let change = diff(&old, &elsewhere);
    assert_eq!((&*change.remotes_gained, change.gained.len()), (&[other][..], 2));
    assert_eq!(change.remotes_lost, [Remote::Name("events.northlight.example".into())]);
    assert_eq!(diff(&fewer, &old).gained, std::slice::from_ref(&lost));

    // A wider port range is a gain; dropping first makes it none.
    let mut wider = old.clone();
    wider.entries[0].remote_ports = mud::Ports::new([443..=444]);
    assert!(diff(&old, &wider).is_wider());
    let mut stopped = old.clone();
    stopped.entries.insert(0, mud::Entry { verdict: Verdict::Drop, ..lost });
    assert!(diff(&stopped, &old).is_wider(), "taking a drop away is a gain");
    assert!(!diff(&old, &stopped).is_wider());

    // Order has no meaning without drops.
    let mut turned = old.clone();
    turned.entries.reverse();
    assert!(diff(&old, &turned).is_equal());
}

#[test]
fn breadth_grows_with_what_is_permitted() {
    let camera = policy("welcome-cam.json");
    let entry = camera.entries[0].clone();
    let score = |remotes: &[&str], ports: mud::Ports, protocol| {
        let entries = remotes
            .iter()
            .map(|remote| mud::Entry {
                remote: if *remote == "any" { Remote::Any } else { Remote::Prefix(prefix(remote)) },
                remote_ports: ports.clone(),
                protocol,
                ..entry.clone()
            })
            .collect();
        Policy { entries }.breadth()
    };
    let https = || mud::Ports::one(443);
    let tcp = mud::Protocol::Tcp;
    let rising = [
        Policy::default().breadth().score,
        camera.breadth().score,
        score(&["198.51.0.0/16"], https(), tcp).score,
        score(&["0.0.0.0/1"], https(), tcp).score,
        score(&["any"], https(), tcp).score,
        score(&["any"], mud::Ports::ANY, tcp).score,
        score(&["any"], mud::Ports::ANY, mud::Protocol::Any).score,
    ];
    assert!(rising.is_sorted(), "{rising:?}");
    assert!(!camera.breadth().needs_approval());
    assert!(score(&["any"], https(), tcp).needs_approval());
    assert!(
        !score(&["ff00::/8", "224.0.0.0/4"], mud::Ports::ANY, tcp).needs_approval(),
        "multicast stays near"
    );
    // Cutting the Internet into pieces does not make it smaller.
    let halves = score(&["0.0.0.0/1", "128.0.0.0/1"], https(), tcp);
    assert_eq!(halves.score, score(&["any"], https(), tcp).score);
    let quarters = score(&["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"], https(), tcp);
    assert!(quarters.needs_approval());
}

#[test]
fn quarantine_keeps_the_named_entries_and_every_drop() {
    let policy = policy("smart-plug.json");
    let kept = policy.only(&["hub-to".to_owned(), "dns".to_owned()]);
    let lines: Vec<_> = kept.entries.iter().map(ToString::to_string).collect();
    let expected = [
        format!("from-device ipv4 udp to controller {CONTROLLER_DNS} port 53: drop"),
        "to-device ipv4 tcp from my-controller, device port 8443: accept".to_owned(),
    ];
    assert_eq!(lines, expected);
    assert!(!diff(&policy, &kept).is_wider());
}

/// A packet whose header is not known completely gets the narrower verdict.
#[test]
fn an_unknown_field_fails_an_accept_and_satisfies_a_drop() {
    let any = policy("welcome-cam.json").entries[7].clone();
    let extra = Some(mud::ExtraMatch { ttl: Some(1), ..mud::ExtraMatch::default() });
    let accept = mud::Entry { extra, ..any.clone() };
    let stop = mud::Entry { extra, verdict: Verdict::Drop, ..any.clone() };
    let igmp = packet(FROM, 2, "224.0.0.22", 0, 0);
    let with_ttl =
        |ttl| Packet { fields: PacketFields { ttl: Some(ttl), ..PacketFields::default() }, ..igmp };
    for (packet, accepted, stopped) in
        [(igmp, false, true), (with_ttl(1), true, true), (with_ttl(2), false, false)]
    {
        let verdict = |entries: &[mud::Entry]| {
            let policy = Policy { entries: entries.to_vec() };
            oracle(&policy, &Resolved::default(), &packet, ConnState::New).verdict
        };
        assert_eq!(verdict(std::slice::from_ref(&accept)) == Verdict::Accept, accepted, "{packet:?}");
        assert_eq!(verdict(&[stop.clone(), any.clone()]) == Verdict::Drop, stopped, "{packet:?}");
    }
}
