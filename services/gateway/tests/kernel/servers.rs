//! The way to the product's own servers, when they move.

use std::io::{Read as _, Write as _};

use gateway::{Endpoint, Event, Wanted};
use mud::Protocol;

use crate::lab::{ANSWER, Lab, SILENCE, UPDATE_ONLY, at, binding, ip, program, reach};

#[test]
fn quarantined_devices_and_strangers_reach_the_servers_where_they_are_now() {
    let Some(lab) = Lab::new(3) else { return };
    let hosts = ["203.0.113.10", "203.0.113.11", "203.0.113.12"];
    let _servers: Vec<_> = hosts.map(|host| lab.wan.echo(at(host, 443)).unwrap()).into();
    lab.gw.enter(|| {
        let (mut enforcer, events) = lab.open(Wanted::default());
        let policy = enforcer.stage(program(vec![reach(hosts[2], Protocol::Tcp, 443)])).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        enforcer.admit(binding(1), UPDATE_ONLY).unwrap();
        let mut open = lab.devices[0].connect(at(hosts[2], 443), ANSWER).unwrap();
        let server = |host: &str| Endpoint { address: ip(host), protocol: 6, port: 443 };

        for (here, there) in [(hosts[0], hosts[1]), (hosts[1], hosts[0])] {
            enforcer.reach_servers_at(vec![server(here)]).unwrap();
            for device in &lab.devices[1..] {
                assert!(device.tcp(at(here, 443), ANSWER), "{here} is open");
                assert!(!device.tcp(at(there, 443), SILENCE), "{there} is not");
            }
        }
        let _until_here = events.try_iter().count();
        enforcer.reach_servers_at(vec![server(hosts[1])]).unwrap();
        assert!(events.try_iter().all(|event| !matches!(event, Event::Rebuilt { .. })), "nothing changed");

        open.set_read_timeout(Some(ANSWER)).unwrap();
        open.write_all(b"x").unwrap();
        assert_eq!(open.read(&mut [0; 1]).unwrap(), 1, "permitted flows outlive the change");
    });
}
