//! A whole gateway with a real access server and a real access point before it. Needs root; says so and passes over.

use std::time::{Duration, Instant};

use api::{Profile, Restriction};
use gateway::AccessPoint;
use gateway::control::{Config, EdgeConfig, Gateway};
use testkit::{FreeRadius, Hostapd};

use crate::lab::{Lab, at, mac};
use crate::live::{SERVER, applied, config, now, trusting};
use crate::server::{Identity, Server};
use crate::site::{Parts, answer, listed};

#[test]
fn those_before_the_gateway_are_told_what_it_enforces() {
    let Some(lab) = Lab::new(1) else { return };
    let space = Some(lab.gw.name());
    let Some(radius) = FreeRadius::start(space, "", "none") else { return };
    let Some(hostapd) = Hostapd::start(space) else { return };
    lab.gw.ip("link set lo up").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, format!("{}\n", FreeRadius::SECRET)).unwrap();
    let authorize = directory.path().join("authorize");
    let edge = EdgeConfig {
        access_server: Some((radius.dynamic, secret)),
        named_filter: None,
        authorize_file: Some(authorize.clone()),
        access_point: Some(hostapd.socket.clone()),
    };
    let config = Config { edge, ..config(directory.path()) };
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let (gateway, server, good) = trusting(&lab, &config, &release);

    // The release's flow, as the access server and those who ask have it.
    let station = mac(0).0.map(|octet| format!("{octet:02X}")).join("-");
    let rule = "permit in 6 from assigned to 203.0.113.10/32 443";
    wait("the release's rules", || {
        let read = radius.read();
        read.contains(rule) && read.contains(&format!("Calling-Station-Id = \"{station}\""))
    });
    wait("the entry", || std::fs::read_to_string(&authorize).is_ok_and(|entries| entries.contains(rule)));
    let access_point = AccessPoint::at(&hostapd.socket);
    let ejected = || lab.gw.enter(|| access_point.ejected().unwrap());
    assert_eq!(ejected(), []);

    // A block denies everything there as well, and an ejection also ends its session and puts the device off the air; its
    // end brings it back.
    let denied = "deny in ip from any to any";
    let before = radius.read().len();
    let mut held = listed(1, Some(&good));
    held.held = Some(Restriction::Blocked);
    server.say(answer(&[&release], vec![held.clone()]));
    server.hears("the block", applied(1, Profile::Blocked));
    wait("the denial", || {
        let read = radius.read();
        read[before..].contains(denied) && !read[before..].contains(rule)
    });
    assert_eq!(ejected(), [], "a block leaves it on the air");
    let before = radius.read().len();
    held.held = Some(Restriction::Ejected);
    server.say(answer(&[&release], vec![held]));
    server.hears("the ejection", applied(1, Profile::Ejected));
    wait("the ejection", || ejected() == [mac(0)]);
    wait("the end of its session", || radius.read()[before..].contains("Disconnect-Request"));
    let before = radius.read().len();
    server.say(answer(&[&release], vec![listed(1, Some(&good))]));
    wait("its return", || ejected().is_empty());
    wait("its rules", || radius.read()[before..].contains(rule));

    // What an earlier process said of a device, the next one takes back.
    let mut held = listed(1, Some(&good));
    held.held = Some(Restriction::Ejected);
    server.say(answer(&[&release], vec![held]));
    wait("the second ejection", || ejected() == [mac(0)]);
    drop(server);
    lab.gw.enter(|| gateway.stop());
    let server = Server::start(&lab.wan, at(SERVER, 8443), &Identity::new(SERVER, &config.ca));
    server.say(answer(&[&release], vec![listed(1, Some(&good))]));
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    wait("its second return", || ejected().is_empty());
    drop(server);
    lab.gw.enter(|| gateway.stop());
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(30), "waiting for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
