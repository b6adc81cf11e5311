//! What is told of what was dropped.

use std::time::{Duration, Instant};

use gateway::{Aggregate, Event, Listener, ViolationKind, Wanted};
use mud::Protocol;

use crate::lab::{Lab, SILENCE, at, binding, ip, mac, program, reach, v4, v6};

#[test]
fn violations_are_told_with_their_five_tuple() {
    let Some(lab) = Lab::new(2) else { return };
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let policy = enforcer.stage(program(vec![reach("203.0.113.10", Protocol::Tcp, 443)])).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        let mut listener = Listener::open().unwrap();

        lab.devices[0].tcp(at("203.0.113.11", 23), SILENCE);
        lab.devices[0].udp(at("2001:db8:aa::11", 1900), SILENCE);
        lab.devices[0].udp(at("203.0.113.11", 53), SILENCE);
        lab.wan.tcp((v4(0), 22).into(), SILENCE);
        lab.devices[1].tcp(at("203.0.113.10", 443), SILENCE);

        let mut aggregate = Aggregate::default();
        let mut told = Vec::new();
        let end = Instant::now() + Duration::from_secs(2);
        while told.len() < 5 && Instant::now() < end {
            for log in listener.receive().unwrap().into_iter().flatten() {
                told.extend(aggregate.observe(log, Instant::now()));
            }
        }
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
        let stranger = find(ViolationKind::UnknownDevice, ip("203.0.113.10"), 443).expect("a stranger is told");
        assert_eq!((stranger.mac, stranger.flow.source, stranger.policy), (Some(mac(1)), v4(1), None));
        assert!(aggregate.tick(Instant::now()).iter().all(|event| !matches!(event, Event::Overflow { .. })));
    });
}
