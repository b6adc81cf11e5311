//! What passes in the flows of devices, as the kernel counts it.

use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use gateway::{Conntrack, Endings, Enforcer, FlowKind, Ledger, Peer, PolicyId, Record, Side, Wanted};
use mud::{Direction, Family, Protocol};

use crate::lab::{ANSWER, Lab, SILENCE, allow, at, binding, id, ip, program, reach, v4, v6};

/// Records as they are after a look, with whatever ended before.
fn taken(
    ledger: &mut Ledger,
    (endings, conntrack): (&mut Endings, &mut Conntrack),
    enforcer: &Enforcer,
) -> Vec<(FlowKind, Record)> {
    let owner = |address: IpAddr| enforcer.device_at(address).cloned();
    // Endings that are on their way come before the look that would miss their connections.
    loop {
        let some = endings.receive().unwrap();
        if some.is_empty() {
            break;
        }
        some.iter().for_each(|ended| ledger.ended(ended.as_ref().expect("nothing was lost"), owner, 1000));
    }
    ledger.look(&conntrack.all().unwrap(), owner, 2000);
    let (records, overflow) = ledger.take();
    assert_eq!(overflow, 0);
    records.into_iter().collect()
}

#[test]
fn flows_are_recorded_by_who_began_them_and_with_what_passed() {
    let Some(lab) = Lab::new(2) else { return };
    let hosts = [("203.0.113.10", 443), ("2001:db8:aa::10", 443)];
    let _servers: Vec<_> = hosts.map(|(host, port)| lab.wan.echo(at(host, port)).unwrap()).into();
    let device = &lab.devices[0];
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let permitted = [
            reach("203.0.113.10", Protocol::Tcp, 443),
            reach("203.0.113.10", Protocol::Udp, 443),
            reach("2001:db8:aa::10", Protocol::Tcp, 443),
        ];
        let policy = enforcer.stage(program(permitted.into())).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        let (mut endings, mut conntrack) = (Endings::open().unwrap(), Conntrack::open().unwrap());
        let mut ledger = Ledger::default();
        let mut look = |enforcer: &Enforcer| taken(&mut ledger, (&mut endings, &mut conntrack), enforcer);
        assert_eq!(look(&enforcer), []);

        // A long connection, two datagrams to the same place, one connection over IPv6, and one that nothing permits.
        let mut long = device.connect(at("203.0.113.10", 443), ANSWER).unwrap();
        long.write_all(&[7; 1000]).unwrap();
        long.read_exact(&mut [0; 1000]).unwrap();
        assert!(device.udp(at("203.0.113.10", 443), ANSWER) && device.udp(at("203.0.113.10", 443), ANSWER));
        assert!(device.tcp(at("2001:db8:aa::10", 443), ANSWER));
        assert!(!device.tcp(at("203.0.113.11", 443), SILENCE));
        let records = look(&enforcer);
        let kind = |protocol, remote: &str| FlowKind {
            device: id(0),
            direction: Direction::FromDevice,
            protocol,
            remote: ip(remote),
            port: 443,
        };
        let of = |kind: &FlowKind| {
            records.iter().find(|(found, _)| found == kind).map(|(_, record)| *record).expect("a record")
        };
        assert_eq!(records.len(), 3, "{records:?}");
        let tcp = of(&kind(6, "203.0.113.10"));
        assert_eq!(tcp.flows, 1);
        // The handshake, the data and its acknowledgement: no less, and few more.
        assert!((1000 + 3 * 40..2000).contains(&tcp.sent.octets), "{tcp:?}");
        assert!(tcp.received.octets >= 1000 && tcp.received.packets >= 2, "{tcp:?}");
        let udp = of(&kind(17, "203.0.113.10"));
        assert_eq!((udp.flows, udp.sent.packets, udp.received.packets), (2, 2, 2), "{udp:?}");
        assert_eq!(of(&kind(6, "2001:db8:aa::10")).flows, 1);

        // More on the long one is no new flow; a cut ends it, and the kernel says so at once.
        long.write_all(&[7; 500]).unwrap();
        long.read_exact(&mut [0; 500]).unwrap();
        enforcer.assign(&[(id(0), PolicyId::BLOCKED)]).unwrap();
        let mut more = Record::default();
        let patience = Instant::now() + Duration::from_secs(10);
        while more.sent.octets < 500 && Instant::now() < patience {
            let found = look(&enforcer).into_iter().find(|(found, _)| *found == kind(6, "203.0.113.10"));
            if let Some((_, record)) = found {
                more.flows += record.flows;
                more.sent.octets += record.sent.octets;
            }
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(more.flows, 0);
        assert!((500..1000).contains(&more.sent.octets), "{more:?}");
    });
}

#[test]
fn flows_between_devices_are_of_both() {
    let Some(lab) = Lab::new(2) else { return };
    let [one, two] = [0, 1].map(|index| &lab.devices[index]);
    let _server = two.echo(at(&v6(1).to_string(), 80)).unwrap();
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let out = reach(&v6(1).to_string(), Protocol::Tcp, 80);
        let into = allow(Side::To, Family::V6, Peer::Any, Protocol::Tcp, 80);
        let (from, to) = (program(vec![out]), program(vec![into]));
        let (from, to) = (enforcer.stage(from).unwrap(), enforcer.stage(to).unwrap());
        enforcer.admit(binding(0), from).unwrap();
        enforcer.admit(binding(1), to).unwrap();
        let (mut endings, mut conntrack) = (Endings::open().unwrap(), Conntrack::open().unwrap());
        assert!(one.tcp(at(&v6(1).to_string(), 80), ANSWER));
        let mut ledger = Ledger::default();
        let records = taken(&mut ledger, (&mut endings, &mut conntrack), &enforcer);
        let told: Vec<_> = records
            .iter()
            .map(|(kind, record)| (kind.device.clone(), kind.direction, kind.remote, kind.port, record.flows))
            .collect();
        let expected =
            [(id(0), Direction::FromDevice, v6(1), 80, 1), (id(1), Direction::ToDevice, v6(0), 80, 1)];
        assert_eq!(told, expected);
        let [sent, received] = [records[0].1.sent, records[1].1.received];
        assert_eq!(sent, received, "what one sends the other gets");
        assert!(records.iter().all(|(kind, _)| kind.remote != v4(0)));
    });
}
