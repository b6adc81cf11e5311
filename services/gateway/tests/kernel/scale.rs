//! Many devices: everything still works, and a change does not slow down with their number.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use gateway::{Binding, DeviceId, Mac, Wanted};
use mud::Protocol;

use crate::lab::{ANSWER, Lab, SILENCE, UPDATE_ONLY, at, binding, program, reach};

fn synthetic(index: u32) -> Binding {
    let [_, a, b, c] = index.to_be_bytes();
    Binding {
        device: DeviceId::new(&[2, a, b, c]).unwrap(),
        mac: Mac([6, 0, 0, a, b, c]),
        addresses: vec![IpAddr::from([10, 100 + a, b, c])],
        classes: vec![],
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "says what it measured")]
fn ten_thousand_devices_move_one_by_one_and_all_together() {
    let Some(lab) = Lab::new(2) else { return };
    let target: SocketAddr = at("203.0.113.10", 443);
    let _server = lab.wan.echo(target).unwrap();
    const COUNT: u32 = 10_000;
    lab.gw.enter(|| {
        let policy = gateway::PolicyId::staged(16).unwrap();
        let wanted = Wanted {
            policies: [(policy, program(vec![reach("203.0.113.10", Protocol::Tcp, 443)]))].into(),
            devices: (0..COUNT).map(|index| (synthetic(index), policy)).collect(),
            ..Wanted::default()
        };
        let start = Instant::now();
        let (mut enforcer, _events) = lab.open(wanted);
        eprintln!("{COUNT} devices loaded in {:?}", start.elapsed());
        enforcer.admit(binding(0), policy).unwrap();
        assert!(lab.devices[0].tcp(target, ANSWER));
        assert!(!lab.devices[1].tcp(target, SILENCE));

        let rounds = 200;
        let mut times: Vec<_> = (0..rounds)
            .map(|round| {
                let device = synthetic(round * (COUNT / rounds)).device;
                let start = Instant::now();
                enforcer.assign(&[(device, UPDATE_ONLY)]).unwrap();
                start.elapsed()
            })
            .collect();
        times.sort();
        eprintln!("one device moved in {:?} (median), {:?} (95 %)", times[100], times[190]);

        let all: Vec<_> = (0..1000).map(|index| (synthetic(index).device, UPDATE_ONLY)).collect();
        let start = Instant::now();
        enforcer.assign(&all).unwrap();
        eprintln!("1000 devices moved in {:?}", start.elapsed());
        assert_eq!(enforcer.policy_of(&synthetic(999).device), Some(UPDATE_ONLY));
        let start = Instant::now();
        enforcer.reconcile().unwrap();
        eprintln!("compared with the kernel in {:?}", start.elapsed());
        assert!(enforcer.status().certain);
    });
}
