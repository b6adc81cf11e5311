//! What passes and what does not.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

use gateway::{
    AddressRange, Class, Endpoint, Error, Event, Nft, Part as _, Peer, PolicyId, Side, Strength, Table,
    Transaction, Wanted,
};
use mud::{Family, Protocol};

use crate::lab::{
    ANSWER, Lab, SILENCE, UPDATE_ONLY, allow, at, await_event, binding, class, id, ip, marks, program, reach,
    v4, v6,
};

#[test]
fn nothing_passes_before_a_device_is_admitted() {
    let Some(lab) = Lab::new(1) else { return };
    let _server = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    lab.gw.sysctl("net.ipv4.ip_forward", "1").unwrap();
    assert!(lab.devices[0].tcp(at("203.0.113.10", 443), ANSWER), "the network works without rules");
    lab.gw.enter(|| {
        let (_enforcer, _events) = lab.open(Wanted::default());
        assert!(!lab.devices[0].tcp(at("203.0.113.10", 443), SILENCE));
        assert!(!lab.devices[0].ping(ip("10.77.0.1")));
    });
}

#[test]
fn only_what_the_policy_lists_passes() {
    let Some(lab) = Lab::new(2) else { return };
    let hosts = ["203.0.113.10", "203.0.113.11", "2001:db8:aa::10", "2001:db8:aa::11"];
    let _servers: Vec<_> =
        hosts.iter().flat_map(|host| [443, 444].map(|port| lab.wan.echo(at(host, port)).unwrap())).collect();
    let _inside: Vec<_> =
        [v4(0), v6(0)].map(|address| lab.devices[0].echo(SocketAddr::new(address, 8080)).unwrap()).into();
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let any = |side, family, protocol| allow(side, family, Peer::Any, protocol, 8080);
        let policy = enforcer
            .stage(program(vec![
                reach("203.0.113.10", Protocol::Tcp, 443),
                reach("203.0.113.11", Protocol::Udp, 444),
                reach("2001:db8:aa::10", Protocol::Udp, 443),
                reach("2001:db8:aa::11", Protocol::Tcp, 444),
                any(Side::To, Family::V4, Protocol::Tcp),
                any(Side::To, Family::V6, Protocol::Udp),
            ]))
            .unwrap();
        enforcer.admit(binding(0), policy).unwrap();

        let device = &lab.devices[0];
        for host in hosts {
            for port in [443, 444] {
                let tcp = matches!((host, port), ("203.0.113.10", 443) | ("2001:db8:aa::11", 444));
                let udp = matches!((host, port), ("203.0.113.11", 444) | ("2001:db8:aa::10", 443));
                let patience = |expected| if expected { ANSWER } else { SILENCE };
                assert_eq!(device.tcp(at(host, port), patience(tcp)), tcp, "tcp {host} {port}");
                assert_eq!(device.udp(at(host, port), patience(udp)), udp, "udp {host} {port}");
            }
            assert!(!device.ping(ip(host)), "ping {host}");
        }
        for (address, tcp, udp) in [(v4(0), true, false), (v6(0), false, true)] {
            let inside = SocketAddr::new(address, 8080);
            assert_eq!(lab.wan.tcp(inside, if tcp { ANSWER } else { SILENCE }), tcp, "tcp to {address}");
            assert_eq!(lab.wan.udp(inside, if udp { ANSWER } else { SILENCE }), udp, "udp to {address}");
        }
        assert!(!lab.devices[1].tcp(at("203.0.113.10", 443), SILENCE), "the other device has no policy");
    });
}

#[test]
fn management_and_admission_stay_open_and_nothing_else_of_the_gateway_does() {
    let Some(lab) = Lab::new(2) else { return };
    let _management = lab.wan.echo(at("203.0.113.10", 8443)).unwrap();
    let _services: Vec<_> = [53, 22, 7443].map(|port| lab.gw.echo(at("10.77.0.1", port)).unwrap()).into();
    lab.gw.enter(|| {
        let mut site = lab.site();
        site.management = vec![Endpoint { address: ip("203.0.113.10"), protocol: 6, port: 8443 }];
        site.admission = Some(7443);
        let classes = [(Class::dns(), BTreeSet::from([AddressRange::of_prefix(ip("10.77.0.1"), 32)]))].into();
        let wanted = Wanted { classes, ..Wanted::default() };
        let mut enforcer = gateway::Enforcer::open(site, wanted, std::sync::Arc::new(())).unwrap();

        let [known, unknown] = lab.devices.as_slice() else { panic!("two devices") };
        enforcer.admit(binding(0), UPDATE_ONLY).unwrap();
        assert!(known.tcp(at("203.0.113.10", 8443), ANSWER));
        assert!(known.tcp(at("10.77.0.1", 53), ANSWER) && known.udp(at("10.77.0.1", 53), ANSWER));
        assert!(known.tcp(at("10.77.0.1", 7443), ANSWER));
        assert!(unknown.tcp(at("10.77.0.1", 7443), ANSWER), "admission is for those who are not admitted");
        assert!(!known.tcp(at("10.77.0.1", 22), SILENCE));
        assert!(!unknown.tcp(at("10.77.0.1", 53), SILENCE));

        // Local networks in a policy do not mean the gateway's own services.
        enforcer
            .set_members(Class::LocalNetworks, [AddressRange::of_prefix(ip("10.77.0.0"), 24)].into())
            .unwrap();
        let wide = program(class(Side::From, Class::LocalNetworks, Protocol::Tcp, 22));
        let policy = enforcer.stage(wide).unwrap();
        enforcer.assign(&[(id(0), policy)]).unwrap();
        assert!(!known.tcp(at("10.77.0.1", 22), SILENCE));

        enforcer.assign(&[(id(0), PolicyId::BLOCKED)]).unwrap();
        assert!(!known.tcp(at("203.0.113.10", 8443), SILENCE), "blocked means blocked");
    });
}

#[test]
fn devices_reach_each_other_only_if_both_policies_permit() {
    let Some(lab) = Lab::new(3) else { return };
    let targets = [SocketAddr::new(v4(1), 8080), SocketAddr::new(v6(1), 8080)];
    let _servers: Vec<_> = targets.map(|target| lab.devices[1].echo(target).unwrap()).into();
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let maker = Class::Manufacturer("maker.example".into(), Strength::Strong);
        let caller = enforcer.stage(program(class(Side::From, maker.clone(), Protocol::Tcp, 8080))).unwrap();
        let callee = enforcer.stage(program(class(Side::To, maker.clone(), Protocol::Tcp, 8080))).unwrap();
        let silent = enforcer.stage(program(vec![])).unwrap();
        let member = |index| gateway::Binding { classes: vec![maker.clone()], ..binding(index) };

        enforcer.admit(member(0), caller).unwrap();
        enforcer.admit(member(1), callee).unwrap();
        enforcer.admit(binding(2), caller).unwrap();
        for target in targets {
            for _ in 0..3 {
                assert!(lab.devices[0].tcp(target, ANSWER), "both permit {target}");
            }
            assert!(!lab.devices[2].tcp(target, SILENCE), "one of another maker is not in the callee's set");
        }
        enforcer.assign(&[(id(1), silent)]).unwrap();
        assert!(!lab.devices[0].tcp(targets[0], SILENCE), "the callee does not permit");
        enforcer.assign(&[(id(1), callee), (id(0), silent)]).unwrap();
        assert!(!lab.devices[0].tcp(targets[1], SILENCE), "the caller does not permit");
        enforcer.assign(&[(id(0), caller)]).unwrap();
        assert!(lab.devices[0].tcp(targets[1], ANSWER));
        enforcer.remove(&id(0)).unwrap();
        assert!(!lab.devices[0].tcp(targets[0], SILENCE), "a removed device is a stranger");
    });
}

#[test]
fn a_borrowed_address_has_no_use() {
    let Some(lab) = Lab::new(2) else { return };
    let _server = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let policy = enforcer.stage(program(vec![reach("203.0.113.10", Protocol::Udp, 443)])).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        enforcer.admit(binding(1), UPDATE_ONLY).unwrap();
        assert!(lab.devices[0].udp(at("203.0.113.10", 443), ANSWER));

        // The second device takes the first one's address, and tells the network so.
        let thief = &lab.devices[1];
        thief.ip("addr flush dev eth0").unwrap();
        thief.ip(&format!("addr add {}/24 dev eth0", v4(0))).unwrap();
        thief.ip("route replace default via 10.77.0.1").unwrap();
        thief.output("ping", &["-c", "1", "-W", "1", "10.77.0.1"]).unwrap();
        assert!(!thief.udp(at("203.0.113.10", 443), SILENCE));
        assert!(lab.devices[0].udp(at("203.0.113.10", 443), ANSWER), "its owner still gets its packets");
        assert!(matches!(
            enforcer.admit(gateway::Binding { addresses: vec![v4(0)], ..binding(1) }, UPDATE_ONLY),
            Err(Error::AddressTaken { .. })
        ));
    });
}

#[test]
fn no_packet_is_lost_while_policies_change() {
    let Some(lab) = Lab::new(1) else { return };
    let _server = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let wide = || {
            program(vec![reach("203.0.113.10", Protocol::Udp, 443), reach("203.0.113.11", Protocol::Tcp, 1)])
        };
        let narrow = || program(vec![reach("203.0.113.10", Protocol::Udp, 443)]);
        let a = enforcer.stage(wide()).unwrap();
        let b = enforcer.stage(narrow()).unwrap();
        enforcer.admit(binding(0), a).unwrap();

        let stop = AtomicBool::new(false);
        let (sent, lost) = std::thread::scope(|scope| {
            let flow = scope.spawn(|| {
                lab.devices[0].enter(|| {
                    let mut buffer = [0; 16];
                    let (mut sent, mut lost) = (0, 0);
                    let open = || {
                        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                        socket.set_read_timeout(Some(ANSWER)).unwrap();
                        socket.connect(at("203.0.113.10", 443)).unwrap();
                        socket
                    };
                    let mut socket = open();
                    while !stop.load(Ordering::Relaxed) {
                        // Some packets belong to an established flow, some start one and are judged by the policy.
                        if sent % 8 == 0 {
                            socket = open();
                        }
                        sent += usize::from(socket.send(b"x").is_ok());
                        lost += usize::from(socket.recv(&mut buffer).is_err());
                    }
                    (sent, lost)
                })
            });
            for round in 0..60 {
                enforcer.assign(&[(id(0), if round % 2 == 0 { b } else { a })]).unwrap();
                enforcer.replace(b, if round % 3 == 0 { wide() } else { narrow() }).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
            flow.join().unwrap()
        });
        assert!(sent > 60, "{sent} packets were sent while policies changed");
        assert_eq!(lost, 0, "of {sent}");
    });
}

#[test]
fn narrowing_cuts_open_flows_and_no_others() {
    let Some(lab) = Lab::new(2) else { return };
    let _servers: Vec<_> =
        ["203.0.113.10", "203.0.113.11"].map(|host| lab.wan.echo(at(host, 443)).unwrap()).into();
    lab.gw.enter(|| {
        let (mut enforcer, events) = lab.open(Wanted::default());
        let both =
            || vec![reach("203.0.113.10", Protocol::Tcp, 443), reach("203.0.113.11", Protocol::Tcp, 443)];
        let policy = enforcer.stage(program(both())).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        enforcer.admit(binding(1), policy).unwrap();
        let mut flows: Vec<_> = [(0, "203.0.113.10"), (0, "203.0.113.11"), (1, "203.0.113.10")]
            .into_iter()
            .map(|(device, host)| lab.devices[device].connect(at(host, 443), ANSWER).unwrap())
            .collect();
        let mut speaks = |flow: usize, expected: bool| {
            let stream = &mut flows[flow];
            stream.set_read_timeout(Some(if expected { ANSWER } else { SILENCE })).unwrap();
            stream.write_all(b"x").unwrap();
            let heard = stream.read(&mut [0; 1]).is_ok_and(|length| length == 1);
            assert_eq!(heard, expected, "flow {flow}");
        };
        (0..3).for_each(|flow| speaks(flow, true));
        let cut = |wanted: usize| {
            await_event(&events, |event| match event {
                Event::Applied { device, cut, .. } if *device == id(wanted) => Some(*cut),
                _ => None,
            })
        };
        assert_eq!(cut(0), 0);

        let narrow = enforcer.stage(program(vec![reach("203.0.113.11", Protocol::Tcp, 443)])).unwrap();
        enforcer.assign(&[(id(0), narrow)]).unwrap();
        assert_eq!(cut(0), 1);
        speaks(0, false);
        speaks(1, true);
        speaks(2, true);

        enforcer.assign(&[(id(0), PolicyId::UPDATE_ONLY)]).unwrap();
        speaks(1, false);
        speaks(2, true);
    });
}

#[test]
fn denials_before_accepts_keep_their_order() {
    let Some(lab) = Lab::new(1) else { return };
    let _servers: Vec<_> =
        ["203.0.113.10", "203.0.113.11"].map(|host| lab.wan.echo(at(host, 443)).unwrap()).into();
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let deny =
            gateway::Start { verdict: mud::Verdict::Drop, ..reach("203.0.113.10", Protocol::Tcp, 443) };
        let all = allow(Side::From, Family::V4, Peer::Any, Protocol::Tcp, 443);
        let policy = enforcer.stage(program(vec![deny.clone(), all.clone()])).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        assert!(!lab.devices[0].tcp(at("203.0.113.10", 443), SILENCE));
        assert!(lab.devices[0].tcp(at("203.0.113.11", 443), ANSWER));
        enforcer.replace(policy, program(vec![all, deny])).unwrap();
        assert!(lab.devices[0].tcp(at("203.0.113.10", 443), ANSWER));
    });
}

#[test]
fn policies_in_use_cannot_be_discarded_and_unused_ones_leave_nothing() {
    let Some(lab) = Lab::new(1) else { return };
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let listing = || {
            String::from_utf8(lab.gw.output("nft", &["list", "table", "inet", "sextant"]).unwrap().stdout)
                .unwrap()
        };
        let before = listing();
        let maker = Class::Manufacturer("\"; } flush ruleset ; {".into(), Strength::Strong);
        let mut starts = class(Side::From, maker, Protocol::Tcp, 8080);
        starts.push(reach("203.0.113.10", Protocol::Tcp, 443));
        let name = Peer::Name("hostile\n}.example".into());
        starts.push(allow(
            Side::From,
            Family::V4,
            name,
            Protocol::Icmp { icmp_type: Some(8), code: None },
            0,
        ));
        let policy = enforcer.stage(program(starts)).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        assert!(matches!(enforcer.discard(policy), Err(Error::PolicyInUse(p)) if p == policy));
        assert!(matches!(enforcer.discard(PolicyId::UPDATE_ONLY), Err(Error::PolicyInUse(_))));
        enforcer.remove(&id(0)).unwrap();
        enforcer.discard(policy).unwrap();
        assert_eq!(listing(), before);
        assert!(matches!(enforcer.admit(binding(0), policy), Err(Error::UnknownPolicy(p)) if p == policy));
        assert_eq!(marks(&lab.gw), []);
    });
}

#[test]
fn a_policy_that_the_kernel_refuses_stands_in_nobodys_way() {
    let Some(lab) = Lab::new(1) else { return };
    let _server = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    lab.gw.enter(|| {
        let (mut enforcer, events) = lab.open(Wanted::default());
        let good = enforcer.stage(program(vec![reach("203.0.113.10", Protocol::Tcp, 443)])).unwrap();
        enforcer.admit(binding(0), good).unwrap();
        let _before = events.try_iter().count();
        let mut bad = reach("203.0.113.10", Protocol::Tcp, 443);
        bad.service.extra.push(gateway::Extra::Dscp(255));
        assert!(matches!(enforcer.stage(program(vec![bad.clone()])), Err(Error::Refused(_))));
        assert!(matches!(enforcer.replace(good, program(vec![bad])), Err(Error::Refused(_))));
        assert!(lab.devices[0].tcp(at("203.0.113.10", 443), ANSWER), "the policy is the one from before");
        assert!(enforcer.status().certain);
        enforcer.assign(&[(id(0), UPDATE_ONLY)]).unwrap();
        assert!(!lab.devices[0].tcp(at("203.0.113.10", 443), SILENCE));
        enforcer.reconcile().unwrap();
        assert!(events.try_iter().all(|event| !matches!(event, Event::Rebuilt { .. })));
    });
}

#[test]
fn transactions_are_framed_and_apply_as_a_whole() {
    let Some(lab) = Lab::new(0) else { return };
    let transaction = |commands: &[&'static str]| {
        let mut transaction = Transaction::new();
        for command in commands {
            command.put(&mut transaction);
            transaction.end();
        }
        transaction
    };
    lab.gw.enter(|| {
        let mut nft = Nft::new();
        assert_eq!(nft.list(Table::Inet).unwrap(), None);
        nft.commit(&transaction(&["add table inet sextant", "add chain inet sextant a"])).unwrap();
        let half = transaction(&["add chain inet sextant b", "delete chain inet sextant absent"]);
        assert!(matches!(nft.commit(&half), Err(Error::Conflict(said)) if said.contains("No such file")));
        assert!(matches!(nft.commit(&transaction(&["no such command"])), Err(Error::Refused(_))));
        nft.commit(&transaction(&["add chain inet sextant c"])).unwrap();

        // Long ones take another way, with the same outcome.
        let mut long = transaction(&["add set inet sextant s { type inet_service ; }"]);
        for port in 1..3000u16 {
            "add element inet sextant s {".put(&mut long);
            port.put(&mut long);
            "}".put(&mut long);
            long.end();
        }
        nft.commit(&long).unwrap();
        long.append(&half);
        assert!(matches!(nft.commit(&long), Err(Error::Conflict(said)) if said.contains("absent")));

        let listing = nft.list(Table::Inet).unwrap().unwrap();
        let chains: Vec<&str> = listing["nftables"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|object| object.get("chain")?.get("name")?.as_str())
            .collect();
        assert_eq!(chains, ["a", "c"]);
    });
}

#[test]
fn a_cut_stream_stays_cut_and_neighbours_are_pinned() {
    let Some(lab) = Lab::new(1) else { return };
    let _server = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let policy = enforcer.stage(program(vec![reach("203.0.113.10", Protocol::Tcp, 443)])).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        let mut stream = lab.devices[0].connect(at("203.0.113.10", 443), ANSWER).unwrap();
        enforcer.assign(&[(id(0), UPDATE_ONLY)]).unwrap();
        enforcer.assign(&[(id(0), policy)]).unwrap();
        // The permission is back, the connection is not: it has to be opened again.
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        stream.write_all(b"x").unwrap();
        assert!(stream.read(&mut [0; 1]).is_err());
        assert!(lab.devices[0].tcp(at("203.0.113.10", 443), ANSWER));
        let neighbours = lab.gw.output("ip", &["neigh", "show", "dev", "lan0"]).unwrap().stdout;
        let neighbours = String::from_utf8(neighbours).unwrap();
        for address in [v4(0), v6(0)] {
            let pinned = format!("{address} lladdr {} PERMANENT", crate::lab::mac(0));
            assert!(neighbours.contains(&pinned), "{neighbours}");
        }
    });
}

#[test]
fn ports_do_not_hear_each_other_even_without_isolation() {
    let Some(lab) = Lab::new(2) else { return };
    let target = SocketAddr::new(v4(1), 8080);
    let _server = lab.devices[1].echo(target).unwrap();
    for (port, device, other) in [("p0", 0, 1), ("p1", 1, 0)] {
        lab.gw.output("bridge", &["link", "set", "dev", port, "isolated", "off"]).unwrap();
        // As a device would that knows its neighbour and does not ask.
        let line =
            format!("neigh replace {} lladdr {} dev eth0 nud permanent", v4(other), crate::lab::mac(other));
        lab.devices[device].ip(&line).unwrap();
    }
    assert!(lab.devices[0].tcp(target, ANSWER), "without rules they are on one link");
    lab.gw.enter(|| {
        let (enforcer, _events) = lab.open(Wanted::default());
        assert!(enforcer.status().bridge_locked);
        assert!(!lab.devices[0].tcp(target, SILENCE));
    });
}
