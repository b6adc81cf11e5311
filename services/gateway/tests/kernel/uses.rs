//! Which entries of a policy flows begin by, as the kernel counts them.

use std::collections::BTreeMap;
use std::time::Instant;

use gateway::{AddressRange, Enforcer, Peer, PolicyId, Side, Start, Wanted};
use mud::{Family, Protocol, Verdict};

use crate::lab::{ANSWER, Lab, SILENCE, allow, at, binding, ip, program, reach};

fn starts() -> Vec<Start> {
    let range = AddressRange::of_prefix(ip("203.0.113.12"), 31);
    vec![
        reach("203.0.113.10", Protocol::Tcp, 443),
        allow(Side::From, Family::V4, Peer::Range(range), Protocol::Tcp, 443),
        allow(Side::From, Family::V4, Peer::Name("a.example".into()), Protocol::Tcp, 443),
        reach("203.0.113.10", Protocol::Tcp, 8080),
    ]
}

/// Flows by the number of the start, as they are now in the kernel.
fn taken(enforcer: &mut Enforcer, policy: PolicyId) -> BTreeMap<usize, u64> {
    enforcer.reconcile().unwrap();
    let mut uses = enforcer.take_uses();
    let of_policy = uses.remove(&policy).unwrap_or_default();
    assert!(uses.is_empty(), "of other policies: {uses:?}");
    of_policy
}

#[test]
fn flows_are_counted_by_what_permits_them() {
    let Some(lab) = Lab::new(1) else { return };
    let hosts = ["203.0.113.10", "203.0.113.11", "203.0.113.12", "203.0.113.13"];
    let _servers: Vec<_> = hosts.map(|host| lab.wan.echo(at(host, 443)).unwrap()).into();
    let device = &lab.devices[0];
    let reached = |host| device.tcp(at(host, 443), ANSWER);
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let policy = enforcer.stage(program(starts())).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        enforcer.learn("a.example", &[ip("203.0.113.11")], 300, Instant::now()).unwrap();
        assert_eq!(taken(&mut enforcer, policy), BTreeMap::new());

        // An address with a port, a range, and a name; one that nobody uses, and a flow that nothing permits.
        assert!(reached("203.0.113.10") && reached("203.0.113.10") && reached("203.0.113.11"));
        assert!(reached("203.0.113.12") && reached("203.0.113.13") && reached("203.0.113.12"));
        assert!(!device.tcp(at("203.0.113.11", 23), SILENCE));
        assert_eq!(taken(&mut enforcer, policy), BTreeMap::from([(0, 2), (1, 3), (2, 1)]));
        assert_eq!(taken(&mut enforcer, policy), BTreeMap::new(), "each flow once");

        // Where a file denies something, order counts, and so do its rules.
        let mut ordered = starts();
        let denied = Start { verdict: Verdict::Drop, ..reach("203.0.113.12", Protocol::Tcp, 443) };
        ordered.insert(0, denied);
        enforcer.replace(policy, program(ordered)).unwrap();
        assert_eq!(taken(&mut enforcer, policy), BTreeMap::new());
        assert!(!device.tcp(at("203.0.113.12", 443), SILENCE) && reached("203.0.113.13"));
        assert!(reached("203.0.113.10") && reached("203.0.113.11"));
        let ordered = taken(&mut enforcer, policy);
        assert!(ordered.get(&0).is_some_and(|tries| *tries >= 1), "{ordered:?}");
        assert_eq!(ordered.into_iter().skip(1).collect::<Vec<_>>(), [(1, 1), (2, 1), (3, 1)]);
    });
}

#[test]
fn what_was_counted_before_a_start_is_not_counted_again() {
    let Some(lab) = Lab::new(1) else { return };
    let _server = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    let reached = || lab.devices[0].tcp(at("203.0.113.10", 443), ANSWER);
    lab.gw.enter(|| {
        let policy = PolicyId::staged(16).unwrap();
        let wanted = || Wanted {
            policies: [(policy, program(starts()))].into(),
            devices: vec![(binding(0), policy)],
            ..Wanted::default()
        };
        let (mut enforcer, _events) = lab.open(wanted());
        assert!(reached() && reached());
        assert_eq!(taken(&mut enforcer, policy), BTreeMap::from([(0, 2)]));
        drop(enforcer);
        let (mut enforcer, _events) = lab.open(wanted());
        assert!(reached());
        assert_eq!(taken(&mut enforcer, policy), BTreeMap::from([(0, 1)]));
    });
}
