//! Devices that are heard with addresses they did not prove.

use std::time::{Duration, Instant};

use gateway::control::{Config, Followed, Saved, State};

use crate::frames::{arp, grant, request};
use crate::lab::{self, Lab, SILENCE, at, marks, send_frame};
use crate::live::{config, now, trusting};
use crate::site::{Finding, LIFETIME, Made, NOW, Parts, address, admit, anchors, id, mac};

fn state(devices: u8) -> State {
    let release = Made::of("1.0.0", 1);
    let mut state = State::new(anchors());
    (1..=devices).for_each(|index| admit(&mut state, index, &release, NOW));
    state.take_changed();
    state
}

#[test]
fn a_device_is_followed_where_that_takes_nothing_from_anybody() {
    let mut state = state(2);
    let until = NOW + 100;
    let addresses = |state: &State| state.place(&id(1)).unwrap().1.to_vec();
    assert_eq!(state.follow(mac(9), address(9), until, NOW), Followed::Nobody, "nobody has the MAC");
    let taken = Followed::Taken { device: id(1), holder: id(2) };
    assert_eq!(state.follow(mac(1), address(2), until, NOW), taken);
    assert_eq!(state.follow(mac(1), address(1), until, NOW), Followed::Known(id(1)), "it proved that one");
    assert_eq!((state.follow_due(), state.take_changed().devices.len()), (None, 0));

    assert_eq!(state.follow(mac(1), address(3), until, NOW), Followed::New(id(1)));
    assert_eq!(addresses(&state), [address(1), address(3)]);
    assert!(state.take_changed().devices.contains(&id(1)), "it is saved, and bound");
    assert_eq!(state.follow(mac(1), address(3), until + 50, NOW), Followed::Known(id(1)));
    assert_eq!(state.follow_due(), Some(until + 50));
    let taken = Followed::Taken { device: id(2), holder: id(1) };
    assert_eq!(state.follow(mac(2), address(3), until, NOW), taken, "nor is hearsay displaced by hearsay");

    for index in 10..10 + State::MAX_ADDRESSES as u8 - 2 {
        assert_eq!(state.follow(mac(1), address(index), until, NOW), Followed::New(id(1)));
    }
    assert_eq!(state.follow(mac(1), address(99), until, NOW), Followed::Full(id(1)));
    assert_eq!(addresses(&state).len(), State::MAX_ADDRESSES);

    // A result that has ended is no reason to give more.
    let end = NOW + LIFETIME;
    assert_eq!(state.follow(mac(2), address(50), end + 9, end), Followed::Nobody);
}

#[test]
fn proof_comes_before_hearsay() {
    let release = Made::of("1.0.0", 1);
    let mut state = state(2);
    state.follow(mac(1), address(3), NOW + 100, NOW);
    let shown = |index: u8| {
        let result = Finding::good(index, &release).at(NOW + 1).signed();
        gateway::control::attested(&result, &anchors().keys, NOW + 1).unwrap()
    };
    state.admit(shown(2), mac(2), address(3), NOW + 1).unwrap();
    assert_eq!(state.holder(address(3)), Some(&id(2)));
    assert_eq!(state.place(&id(1)).unwrap().1, [address(1)]);

    // What was heard is proven, and has no end any more.
    state.follow(mac(1), address(4), NOW + 100, NOW + 1);
    state.admit(shown(1), mac(1), address(4), NOW + 1).unwrap();
    assert_eq!(state.follow_due(), None);
    // What was only heard makes room for what is proven.
    for index in 10..16 {
        state.follow(mac(1), address(index), NOW + 100 + i64::from(index), NOW + 1);
    }
    state.admit(shown(1), mac(1), address(30), NOW + 1).unwrap();
    let place = state.place(&id(1)).unwrap().1;
    assert_eq!(place.len(), State::MAX_ADDRESSES);
    assert!(place.contains(&address(1)) && !place.contains(&address(10)), "{place:?}");
    // From another MAC nothing of it holds.
    state.admit(shown(1), mac(7), address(7), NOW + 1).unwrap();
    assert_eq!(state.place(&id(1)).unwrap().1, [address(7)]);
    assert_eq!(
        (state.follow_due(), state.follow(mac(1), address(40), NOW + 100, NOW + 1)),
        (None, Followed::Nobody)
    );
}

#[test]
fn what_was_heard_ends_and_survives_a_restart_until_then() {
    let mut before = state(1);
    before.follow(mac(1), address(3), NOW + 100, NOW);
    let device = before.saved_device(&id(1)).unwrap();
    let device = serde_json::from_slice(&serde_json::to_vec(&device).unwrap()).unwrap();
    let saved = Saved { devices: vec![device], ..Saved::default() };
    let mut after = State::restore(anchors(), &saved, NOW + 1);
    assert_eq!(after.outlived(NOW + 99), []);
    assert_eq!(after.outlived(NOW + 100), [(mac(1), address(3))]);
    after.prolong(address(3), NOW + 200);
    after.prolong(address(1), NOW + 200);
    assert_eq!((after.outlived(NOW + 100), after.follow_due()), (vec![], Some(NOW + 200)));
    assert!(!after.release(mac(2), address(3)), "nobody gives back what another has");
    assert!(after.release(mac(1), address(3)));
    assert_eq!((after.holder(address(3)), after.place(&id(1)).unwrap().1), (None, vec![address(1)]));
}

/// Policies of the elements of one device map that name an address.
fn mark_of(lab: &Lab, address: &str) -> Option<u64> {
    let quoted = format!("\"{address}\"");
    let found =
        marks(&lab.gw).into_iter().find(|(map, key, _)| map.starts_with("dev_from") && key.contains(&quoted));
    found.map(|(_, _, mark)| mark)
}

fn until(what: &str, done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(15), "{what}");
    }
}

#[test]
fn a_device_that_is_renumbered_keeps_its_rules_and_a_spoofing_neighbour_gains_nothing() {
    let Some(lab) = Lab::new(2) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = Config { follow_addresses: true, ..config(directory.path()) };
    let _service = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let (gateway, server, _good) = trusting(&lab, &config, &release);
    let [device, neighbour] = lab.devices.as_slice() else { panic!("two devices") };
    let own = at("203.0.113.10", 443);
    assert!(device.tcp(own, SILENCE));

    // A new lease: asked for by the device, given by the gateway's side.
    send_frame(device, "eth0", &request(lab::mac(0), false));
    send_frame(&lab.gw, "lan0", &grant(lab::mac(0), [10, 77, 0, 60], 3600));
    until("the lease is followed", || mark_of(&lab, "10.77.0.60").is_some_and(|mark| mark >= 16));
    device.ip("addr del 10.77.0.11/24 dev eth0").unwrap();
    device.ip("addr add 10.77.0.60/24 dev eth0").unwrap();
    device.ip("route replace default via 10.77.0.1").unwrap();
    assert!(device.tcp(own, SILENCE), "at its new address");
    server.hears("the new binding", |report| {
        report.bindings.iter().find(|binding| binding.addresses.contains(&"10.77.0.60".to_owned())).cloned()
    });

    // An address for privacy: the kernel asks whether it is free.
    device.sysctl("net.ipv6.conf.eth0.accept_dad", "1").unwrap();
    device.ip("addr add 2001:db8:77::f00d/64 dev eth0").unwrap();
    until("the address is followed", || mark_of(&lab, "2001:db8:77::f00d").is_some_and(|mark| mark >= 16));

    // The neighbour says that all of these are its own, and that it has asked for a lease as the device.
    let before = marks(&lab.gw);
    for claimed in [[10, 77, 0, 60], [10, 77, 0, 1], [10, 77, 0, 11]] {
        send_frame(neighbour, "eth0", &arp(lab::mac(1), claimed));
    }
    send_frame(neighbour, "eth0", &request(lab::mac(1), false));
    let own_answer = grant(lab::mac(0), [10, 77, 0, 61], 3600);
    send_frame(neighbour, "eth0", &own_answer);
    neighbour.ip("addr replace 10.77.0.60/24 dev eth0").unwrap();
    neighbour
        .output("ip", &["route", "replace", "default", "via", "10.77.0.1", "src", "10.77.0.60"])
        .unwrap();
    assert!(!neighbour.tcp(own, SILENCE), "with the address of another");
    assert!(device.tcp(own, SILENCE), "which still has it");
    assert_eq!(marks(&lab.gw), before);
    neighbour.ip("addr del 10.77.0.60/24 dev eth0").unwrap();

    // A lease that ends, and that nobody uses, is nobody's.
    send_frame(device, "eth0", &request(lab::mac(0), false));
    send_frame(&lab.gw, "lan0", &grant(lab::mac(0), [10, 77, 0, 62], 3));
    until("the short lease is followed", || mark_of(&lab, "10.77.0.62").is_some());
    until("the short lease ends", || mark_of(&lab, "10.77.0.62").is_none());
    assert!(mark_of(&lab, "10.77.0.60").is_some() && device.tcp(own, SILENCE));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}

#[test]
fn without_the_setting_only_proof_counts() {
    let Some(lab) = Lab::new(1) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let (gateway, server, _good) = trusting(&lab, &config, &release);
    let before = marks(&lab.gw);
    send_frame(&lab.devices[0], "eth0", &request(lab::mac(0), false));
    send_frame(&lab.gw, "lan0", &grant(lab::mac(0), [10, 77, 0, 60], 3600));
    send_frame(&lab.devices[0], "eth0", &arp(lab::mac(0), [10, 77, 0, 60]));
    std::thread::sleep(SILENCE);
    assert_eq!(marks(&lab.gw), before);
    assert_eq!(mark_of(&lab, "10.77.0.60"), None);
    drop(server);
    lab.gw.enter(|| gateway.stop());
}
