//! The kernel says no, somebody meddles, devices flood: the rules are the right ones all the same, and nothing passes that
//! should not.

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use gateway::{
    Class, Enforcer, Event, Forwarder, Listener, Names, Peer, PolicyId, Shared, Side, Upstream, Wanted, watch,
};
use mud::{Family, Protocol};
use sim::{Arrivals, InternetSettings};
use testkit::dns_query;

use crate::lab::{
    ANSWER, Lab, SILENCE, UPDATE_ONLY, allow, at, await_event, binding, class, id, ip, marks, program, reach,
    v4,
};
use crate::raw::{Ear, Packet, Says, send};

const HOST: &str = "203.0.113.10";
const FORBIDDEN: &str = "203.0.113.11";

fn datagram(device: usize, to: &str, ports: (u16, u16), number: u32) -> Packet {
    Packet { from: v4(device), to: ip(to), dscp: 0, says: Says::Udp { ports }, number }
}

/// Runs `act` while a device sends without pause what it must not, and asserts that nothing of it arrived.
fn while_probed(lab: &Lab, act: impl FnOnce()) {
    let ear = Ear::at(&lab.wan);
    let (stop, sent) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let number = 1_000_000 + sent.fetch_add(1, Ordering::Relaxed);
                send(&lab.devices[0], &[datagram(0, FORBIDDEN, (7000, 7001), number)]);
                thread::sleep(Duration::from_millis(2));
            }
        });
        // Also where it fails, so that the other thread ends and this one says why.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    let sent = sent.into_inner();
    assert!(sent > 10, "{sent} packets were tried");
    let numbers: BTreeSet<u32> = (1_000_000..1_000_000 + sent).collect();
    let arrived = &ear.heard(&BTreeSet::new(), Duration::from_millis(200)) & &numbers;
    assert!(arrived.is_empty(), "{} of {sent} forbidden packets arrived", arrived.len());
}

fn meddle(lab: &Lab, commands: &str) {
    let done = lab.gw.output("nft", &[commands]).unwrap();
    assert!(done.status.success(), "{commands}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The chain of a policy, as the kernel calls it.
fn chain_of(lab: &Lab, policy: PolicyId) -> String {
    let listing = lab.gw.output("nft", &["list map inet sextant pol_from"]).unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    let mark = format!("0x{:08x} : goto ", policy.number());
    let (_, rest) = listing.split_once(&mark).unwrap_or_else(|| panic!("{mark} in {listing}"));
    rest.split([' ', ',', '\n']).next().unwrap().to_owned()
}

#[test]
fn whatever_the_kernel_refuses_half_way_ends_in_the_right_rules() {
    let Some(lab) = Lab::new(2) else { return };
    let _servers: Vec<_> = [HOST, FORBIDDEN].map(|host| lab.wan.echo(at(host, 443)).unwrap()).into();
    lab.gw.enter(|| {
        let (mut enforcer, events) = lab.open(Wanted::default());
        let permitted = || program(vec![reach(HOST, Protocol::Tcp, 443)]);
        let policy = enforcer.stage(permitted()).unwrap();
        let spare = enforcer.stage(program(vec![reach(HOST, Protocol::Tcp, 444)])).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        let rebuilt = |events: &std::sync::mpsc::Receiver<Event>| {
            events.try_iter().any(|event| matches!(event, Event::Rebuilt { .. }))
        };
        let _before = rebuilt(&events);
        let healthy = |enforcer: &Enforcer| {
            assert!(enforcer.status().certain);
            assert!(lab.devices[0].tcp(at(HOST, 443), ANSWER), "what is permitted passes");
            assert!(!lab.devices[0].tcp(at(FORBIDDEN, 443), SILENCE), "and nothing else");
        };
        while_probed(&lab, || {
            // ENOENT: what is to be moved is not there.
            meddle(&lab, &format!("delete element inet sextant dev_to4 {{ {} }}", v4(0)));
            enforcer.assign(&[(id(0), UPDATE_ONLY)]).unwrap();
            enforcer.assign(&[(id(0), policy)]).unwrap();
            assert!(rebuilt(&events), "an element that is gone");
            healthy(&enforcer);

            // EEXIST: what is to be added is there, and says something else.
            meddle(&lab, &format!("add element inet sextant dev_to4 {{ {} : {} }}", v4(1), policy.number()));
            enforcer.admit(binding(1), UPDATE_ONLY).unwrap();
            assert!(rebuilt(&events), "an element of a stranger's making");
            assert!(!lab.devices[1].tcp(at(HOST, 443), SILENCE));
            healthy(&enforcer);

            // EBUSY: what is to be deleted is in use by a rule that is not ours.
            let chain = chain_of(&lab, spare);
            meddle(
                &lab,
                &format!("add chain inet sextant meddler ; add rule inet sextant meddler goto {chain}"),
            );
            enforcer.discard(spare).unwrap();
            assert!(rebuilt(&events), "a chain that another one refers to");
            let left = lab.gw.output("nft", &["list table inet sextant"]).unwrap();
            let left = String::from_utf8(left.stdout).unwrap();
            assert!(!left.contains("meddler") && !left.contains(&chain), "{left}");
            healthy(&enforcer);

            assert_eq!(marks(&lab.gw).len(), 12);
        });
    });
}

#[test]
fn a_flood_of_forbidden_packets_hides_nobody_elses() {
    let Some(lab) = Lab::new(2) else { return };
    let _server = lab.wan.echo(at(HOST, 443)).unwrap();
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let policy = enforcer.stage(program(vec![reach(HOST, Protocol::Tcp, 443)])).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        enforcer.admit(binding(1), policy).unwrap();
        let listener = Listener::open().unwrap();
        let shared = Shared::new(enforcer);
        let (stop, flooding, (sender, events)) = (AtomicBool::new(false), AtomicBool::new(true), channel());
        thread::scope(|scope| {
            scope.spawn(|| watch(listener, &shared, &sender, &stop).unwrap());
            let flood = scope.spawn(|| {
                let mut sent = 0_u32;
                while flooding.load(Ordering::Relaxed) {
                    // Each to another port, so that none is like the one before.
                    let some: Vec<Packet> = (0..500)
                        .map(|at| datagram(0, FORBIDDEN, (5000, ((sent + at) % 60_000) as u16), sent + at))
                        .collect();
                    send(&lab.devices[0], &some);
                    sent += 500;
                }
                sent
            });
            thread::sleep(Duration::from_secs(1));
            // The neighbour's one packet is told while the flood lasts, and what is permitted passes.
            send(&lab.devices[1], &[datagram(1, FORBIDDEN, (5000, 9), 7)]);
            let told = std::cell::Cell::new(0_usize);
            await_event(&events, |event| match event {
                Event::Violation(violation) if violation.device == Some(id(1)) => Some(()),
                Event::Violation(_) => {
                    told.set(told.get() + 1);
                    None
                }
                _ => None,
            });
            assert!(lab.devices[1].tcp(at(HOST, 443), ANSWER));
            flooding.store(false, Ordering::Relaxed);
            let sent = flood.join().unwrap();
            stop.store(true, Ordering::Relaxed);
            let of_flood = told.get();
            // Twenty a second after a first forty.
            assert!(sent > 5000, "a flood of {sent} packets is none");
            assert!((1..400).contains(&of_flood), "{of_flood} of {sent} were told");
            eprintln!("{sent} forbidden packets: {of_flood} told, and the neighbour's one too");
        });
        // The kernel counted what was not told one by one, as far as there was room.
        let counted: u64 =
            shared.with(|enforcer| enforcer.dropped()).unwrap().iter().map(|dropped| dropped.packets).sum();
        assert!(counted > 5000, "{counted}");
    });
}

#[test]
fn a_flood_of_queries_keeps_nobody_from_an_answer() {
    let Some(lab) = Lab::new(2) else { return };
    let settings = InternetSettings {
        dns: vec![at("198.51.100.2", 53)],
        names: [("api.maker.example".to_owned(), vec![ip(HOST)])].into(),
        ttl: 60,
        tcp: vec![at(HOST, 443)],
        udp: vec![],
    };
    let _internet = Arrivals::at_internet(&lab.wan, settings).unwrap();
    lab.gw.enter(|| {
        // Made here, so that its threads are in the namespace of the gateway.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let resolver = gateway::AddressRange::of_prefix(ip("10.77.0.1"), u8::MAX);
        enforcer.set_members(Class::dns(), [resolver].into()).unwrap();
        let mut starts =
            vec![allow(Side::From, Family::V4, Peer::Name("api.maker.example".into()), Protocol::Tcp, 443)];
        starts.extend(class(Side::From, Class::dns(), Protocol::Udp, 53));
        let policy = enforcer.stage(program(starts)).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        enforcer.admit(binding(1), policy).unwrap();
        let shared = Shared::new(enforcer);
        let (sender, _told) = channel();
        let servers = Upstream { servers: vec![at("198.51.100.2", 53)], ..Upstream::default() };
        let forwarder = Forwarder::new(Arc::new(shared.clone()) as Arc<dyn Names>, Arc::new(sender), servers);
        let socket = runtime.block_on(async { tokio::net::UdpSocket::bind("10.77.0.1:53").await.unwrap() });
        runtime.spawn(forwarder.serve_udp(socket));

        let flooding = AtomicBool::new(true);
        thread::scope(|scope| {
            let flood = scope.spawn(|| {
                lab.devices[0].enter(|| {
                    let socket = UdpSocket::bind((v4(0), 0)).unwrap();
                    let mut sent = 0_u64;
                    while flooding.load(Ordering::Relaxed) {
                        let name = format!("{sent:x}.{sent:x}.junk.example");
                        let _full = socket.send_to(&dns_query(sent as u16, &name), "10.77.0.1:53");
                        sent += 1;
                    }
                    sent
                })
            });
            thread::sleep(Duration::from_millis(500));
            let outcome = std::panic::catch_unwind(|| asked(&lab, "api.maker.example"));
            flooding.store(false, Ordering::Relaxed);
            let sent = flood.join().unwrap();
            let (addresses, tries) = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            assert_eq!(addresses, [ip(HOST)]);
            assert!(sent > 2000, "a flood of {sent} queries is none");
            eprintln!("answered at try {tries}, beside {sent} queries of a neighbour");
        });
        // The rules were there before the answer, flood or none.
        assert!(lab.devices[1].tcp(at(HOST, 443), ANSWER));
        assert!(shared.with(|enforcer| enforcer.status().certain));
    });
}

/// Asks as the second device does, again after a second as resolvers of devices do; the addresses, and at which try.
fn asked(lab: &Lab, name: &str) -> (Vec<IpAddr>, u16) {
    lab.devices[1].enter(|| {
        let socket = UdpSocket::bind((v4(1), 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        for number in 1..=10_u16 {
            socket.send_to(&dns_query(number, name), "10.77.0.1:53").unwrap();
            let mut answer = [0; 512];
            let Ok(length) = socket.recv(&mut answer) else { continue };
            let answer = &answer[..length];
            let count = u16::from_be_bytes([answer[6], answer[7]]);
            assert!(count == 1 && length >= 4, "{answer:?}");
            let address: [u8; 4] = answer[length - 4..].try_into().unwrap();
            return (vec![address.into()], number);
        }
        panic!("no answer in ten tries");
    })
}

#[test]
fn as_many_names_as_a_policy_may_have_are_enforced_and_more_are_refused() {
    let file = |names: usize| {
        let entry = |at: usize| {
            format!(
                r#"{{"name":"e{at}","matches":{{"ipv4":{{"ietf-acldns:dst-dnsname":"host{at}.maker.example"}},
                "tcp":{{"destination-port":{{"operator":"eq","port":443}}}}}},"actions":{{"forwarding":"accept"}}}}"#
            )
        };
        let entries: Vec<String> = (0..names).map(entry).collect();
        format!(
            r#"{{"ietf-mud:mud":{{"mud-version":1,"mud-url":"https://mud.maker.example/many.json",
            "last-update":"2026-11-01T00:00:00Z","is-supported":true,"from-device-policy":{{"access-lists":
            {{"access-list":[{{"name":"fr"}}]}}}}}},"ietf-access-control-list:acls":{{"acl":[{{"name":"fr",
            "type":"ipv4-acl-type","aces":{{"ace":[{}]}}}}]}}}}"#,
            entries.join(",")
        )
    };
    // Ten thousand names in one file, and one more than there may be: refused as a whole, by the limit that is named.
    for names in [10_000, mud::MAX_NAMES + 1] {
        let refused = mud::parse(file(names).as_bytes(), &mud::Context::default());
        assert!(
            matches!(refused, Err(mud::Error::TooLarge { .. } | mud::Error::Json { .. })),
            "{names}: {:?}",
            refused.map(|parsed| parsed.findings)
        );
    }
    let parsed = mud::parse(file(mud::MAX_NAMES).as_bytes(), &mud::Context::default()).unwrap();
    let policy = mud::compile(&parsed.file).policy;
    let subject = gateway::Subject { url: parsed.file.mud_url, strength: gateway::Strength::Strong };
    let lowered = gateway::lower(&policy, &subject, false).unwrap();

    let Some(lab) = Lab::new(1) else { return };
    let _server = lab.wan.echo(at(HOST, 443)).unwrap();
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let staged = enforcer.stage(lowered.program).unwrap();
        enforcer.admit(binding(0), staged).unwrap();
        let now = Instant::now();
        let of = |name: usize, from: u8| -> Vec<IpAddr> {
            let [high, low] = (name as u16).to_be_bytes();
            (0..Enforcer::MAX_ADDRESSES as u8)
                .map(|at| IpAddr::from([198, 18 + high, low, from + at]))
                .collect()
        };
        for name in 0..mud::MAX_NAMES {
            // Every eighth has as many as it may, the others some.
            let addresses = of(name, 0);
            let count = if name % 8 == 0 { addresses.len() } else { 4 };
            enforcer.learn(&format!("host{name}.maker.example"), &addresses[..count], 300, now).unwrap();
        }
        for name in [0, mud::MAX_NAMES - 1] {
            let host = format!("host{name}.maker.example");
            assert!(!lab.devices[0].tcp(at(HOST, 443), SILENCE));
            enforcer.learn(&host, &[ip(HOST)], 300, now + Duration::from_secs(1)).unwrap();
            assert!(lab.devices[0].tcp(at(HOST, 443), ANSWER), "{host}");
            // As many as a name may have, later: the newest stay.
            enforcer.learn(&host, &of(name, 100), 300, now + Duration::from_secs(2)).unwrap();
        }
        assert!(!lab.devices[0].tcp(at(HOST, 443), SILENCE));
        enforcer.reconcile().unwrap();
        assert!(enforcer.status().certain);
    });
}
