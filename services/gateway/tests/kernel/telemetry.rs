//! What is told of what was dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use gateway::{Event, Listener, Shared, Violation, ViolationKind, Wanted, watch};
use mud::Protocol;

use crate::lab::{Lab, SILENCE, at, await_event, binding, id, ip, mac, program, reach, v4, v6};

#[test]
fn violations_are_told_with_their_five_tuple() {
    let Some(lab) = Lab::new(2) else { return };
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let policy = enforcer.stage(program(vec![reach("203.0.113.10", Protocol::Tcp, 443)])).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        let listener = Listener::open().unwrap();
        let shared = Shared::new(enforcer);
        let (stop, (sender, events)) = (AtomicBool::new(false), channel());
        let told: Vec<Violation> = std::thread::scope(|scope| {
            scope.spawn(|| watch(listener, &shared, &sender, &stop).unwrap());
            lab.devices[0].tcp(at("203.0.113.11", 23), SILENCE);
            lab.devices[0].udp(at("2001:db8:aa::11", 1900), SILENCE);
            lab.devices[0].udp(at("203.0.113.11", 53), SILENCE);
            lab.wan.tcp((v4(0), 22).into(), SILENCE);
            lab.devices[1].tcp(at("203.0.113.10", 443), SILENCE);
            let told = (0..5).map(|_| {
                await_event(&events, |event| match event {
                    Event::Violation(violation) => Some(violation.clone()),
                    _ => None,
                })
            });
            let told = told.collect();
            stop.store(true, Ordering::Relaxed);
            told
        });
        let find = |kind, destination, port| {
            told.iter().find(|violation| {
                let flow = violation.flow;
                (violation.kind, flow.destination, flow.destination_port) == (kind, destination, port)
            })
        };
        let first = find(ViolationKind::FromDevice, ip("203.0.113.11"), 23).expect("telnet is told");
        assert_eq!((first.flow.source, first.flow.protocol, first.mac), (v4(0), 6, Some(mac(0))));
        assert_eq!(first.policy, Some(policy));
        assert_ne!(first.flow.source_port, 0);
        let sixth = find(ViolationKind::FromDevice, ip("2001:db8:aa::11"), 1900).expect("IPv6 is told");
        assert_eq!((sixth.flow.source, sixth.flow.protocol), (v6(0), 17));
        assert!(find(ViolationKind::Resolver, ip("203.0.113.11"), 53).is_some(), "another resolver is told");
        assert!(find(ViolationKind::ToDevice, v4(0), 22).is_some(), "a start from outside is told");
        let stranger =
            find(ViolationKind::UnknownDevice, ip("203.0.113.10"), 443).expect("a stranger is told");
        assert_eq!((stranger.mac, stranger.flow.source, stranger.policy), (Some(mac(1)), v4(1), None));
        assert_eq!((first.device.as_ref(), stranger.device.as_ref()), (Some(&id(0)), None));

        let dropped = shared.with(|enforcer| enforcer.dropped()).unwrap();
        let telnet = dropped.iter().find(|dropped| dropped.port == 23).expect("the kernel counted it");
        assert_eq!((telnet.mac, telnet.remote, telnet.protocol), (mac(0), ip("203.0.113.11"), 6));
        assert!(telnet.packets >= 1);
    });
}
