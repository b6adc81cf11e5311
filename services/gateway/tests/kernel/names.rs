//! Names: the rules are there before the answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use gateway::{
    AddressRange, Class, Endpoint, Enforcer, Event, Forwarder, Names, Peer, Program, Shared, Side, Standing,
    Start, Upstream, Wanted,
};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use mud::{Family, Protocol};
use sim::netns::Namespace;
use tokio::runtime::Runtime;

use crate::lab::{
    ANSWER, Lab, SILENCE, UPDATE_ONLY, allow, at, await_event, binding, class, id, ip, program,
};

/// What the upstream resolver says: name, alias, addresses.
type Zone = Arc<Mutex<Vec<(&'static str, Option<&'static str>, Vec<IpAddr>)>>>;

/// A resolver in a namespace, for as long as its runtime lives.
async fn upstream(socket: std::net::UdpSocket, zone: Zone) {
    socket.set_nonblocking(true).unwrap();
    let socket = tokio::net::UdpSocket::from_std(socket).unwrap();
    let mut buffer = [0; 2048];
    loop {
        let (length, source) = socket.recv_from(&mut buffer).await.unwrap();
        let query = Message::from_vec(&buffer[..length]).unwrap();
        let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
        answer.queries.clone_from(&query.queries);
        let question = &query.queries[0];
        let is = |name: &str| Name::from_ascii(name).unwrap() == *question.name();
        if !zone.lock().unwrap().iter().any(|(name, ..)| is(name)) {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        for (name, alias, addresses) in zone.lock().unwrap().iter() {
            let mut owner = Name::from_ascii(name).unwrap();
            if owner != *question.name() {
                continue;
            }
            if let Some(alias) = alias {
                let target = Name::from_ascii(alias).unwrap();
                answer.add_answer(Record::from_rdata(owner, 1, RData::CNAME(CNAME(target.clone()))));
                owner = target;
            }
            for address in addresses {
                let data = match address {
                    IpAddr::V4(v4) => RData::A(A(*v4)),
                    IpAddr::V6(v6) => RData::AAAA(AAAA(*v6)),
                };
                if data.record_type() == question.query_type {
                    answer.add_answer(Record::from_rdata(owner.clone(), 1, data));
                }
            }
        }
        socket.send_to(&answer.to_vec().unwrap(), source).await.unwrap();
    }
}

/// Asks as a device, over UDP or TCP.
fn ask(device: &Namespace, name: &str, kind: RecordType, tcp: bool) -> Option<Message> {
    ask_at(device, "10.77.0.1", name, kind, tcp)
}

/// The same of a resolver, whose answer has to come from where it was asked.
fn ask_at(device: &Namespace, server: &str, name: &str, kind: RecordType, tcp: bool) -> Option<Message> {
    use std::io::{Read as _, Write as _};
    let server: SocketAddr = at(server, 53);
    let mut query = Message::query();
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    let bytes = query.to_vec().unwrap();
    let answer = device.enter(|| {
        let mut buffer = vec![0; 2048];
        if tcp {
            let mut stream = std::net::TcpStream::connect_timeout(&server, ANSWER).ok()?;
            stream.set_read_timeout(Some(ANSWER)).ok()?;
            stream.write_all(&[&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()).ok()?;
            stream.read_exact(&mut buffer[..2]).ok()?;
            let length = usize::from(u16::from_be_bytes([buffer[0], buffer[1]]));
            stream.read_exact(&mut buffer[..length]).ok()?;
            buffer.truncate(length);
        } else {
            let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = std::net::UdpSocket::bind(any).ok()?;
            socket.connect(server).ok()?;
            socket.set_read_timeout(Some(ANSWER)).ok()?;
            socket.send(&bytes).ok()?;
            let length = socket.recv(&mut buffer).ok()?;
            buffer.truncate(length);
        }
        Some(buffer)
    });
    let answer = Message::from_vec(&answer?).unwrap();
    assert_eq!(answer.metadata.id, query.metadata.id);
    assert_eq!(answer.queries, query.queries);
    Some(answer)
}

fn addresses(answer: &Message) -> Vec<IpAddr> {
    let data = answer.answers.iter().map(|record| &record.data);
    data.filter_map(|data| match data {
        RData::A(a) => Some(a.0.into()),
        RData::AAAA(aaaa) => Some(aaaa.0.into()),
        _ => None,
    })
    .collect()
}

fn by_name(name: &str, family: Family, protocol: Protocol) -> Start {
    allow(Side::From, family, Peer::Name(name.into()), protocol, 443)
}

fn policy() -> Program {
    let mut starts = vec![
        by_name("api.maker.example", Family::V4, Protocol::Tcp),
        by_name("api.maker.example", Family::V6, Protocol::Tcp),
        by_name("inside.maker.example", Family::V4, Protocol::Tcp),
    ];
    starts.extend(class(Side::From, Class::dns(), Protocol::Udp, 53));
    starts.extend(class(Side::From, Class::dns(), Protocol::Tcp, 53));
    program(starts)
}

fn two_threads() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs the resolver of the gateway, and the one that it asks. Call from a thread in the gateway's namespace.
fn serve(
    lab: &Lab,
    runtime: &Runtime,
    zone: &Zone,
    names: Arc<dyn Names>,
    observer: Arc<dyn gateway::Observer>,
) {
    let servers = Upstream { servers: vec![at("198.51.100.2", 53)], ..Upstream::default() };
    serve_with(lab, runtime, zone, names, (observer, servers));
}

fn serve_with(
    lab: &Lab,
    runtime: &Runtime,
    zone: &Zone,
    names: Arc<dyn Names>,
    (observer, servers): (Arc<dyn gateway::Observer>, Upstream),
) -> Arc<Forwarder> {
    let socket = lab.wan.enter(|| std::net::UdpSocket::bind("198.51.100.2:53").unwrap());
    runtime.spawn(upstream(socket, Arc::clone(zone)));
    let forwarder = Forwarder::new(names, observer, servers);
    for address in ["10.77.0.1:53", "[2001:db8:77::1]:53"] {
        let (udp, tcp) = runtime.block_on(async {
            let udp = tokio::net::UdpSocket::bind(address).await.unwrap();
            (udp, tokio::net::TcpListener::bind(address).await.unwrap())
        });
        runtime.spawn(Arc::clone(&forwarder).serve_udp(udp));
        runtime.spawn(Arc::clone(&forwarder).serve_tcp(tcp));
    }
    forwarder
}

#[test]
fn what_a_device_asks_other_resolvers_is_answered_in_their_place_where_the_site_wants_it() {
    for redirected in [false, true] {
        let Some(lab) = Lab::new(1) else { return };
        let zone: Zone = Arc::new(Mutex::new(vec![("api.maker.example.", None, vec![ip("203.0.113.10")])]));
        let _secure = lab.wan.echo(at("203.0.113.11", 853)).unwrap();
        lab.gw.enter(|| {
            let (sender, _events) = channel();
            let observer = Arc::new(sender);
            let own = ["10.77.0.1", "2001:db8:77::1"];
            let members = own.map(|own| AddressRange::of_prefix(ip(own), u8::MAX));
            let wanted = Wanted { classes: [(Class::dns(), members.into())].into(), ..Wanted::default() };
            let device = &lab.devices[0];
            let mut site = lab.site();
            if redirected {
                site.resolvers = own.map(ip).to_vec();
            }
            let mut enforcer = Enforcer::open(site, wanted, Arc::clone(&observer) as _).unwrap();
            let policy = enforcer.stage(policy()).unwrap();
            enforcer.admit(binding(0), policy).unwrap();
            let runtime = two_threads();
            serve(&lab, &runtime, &zone, Arc::new(Shared::new(enforcer)), observer);
            for (other, tcp) in [
                ("203.0.113.12", false),
                ("203.0.113.12", true),
                ("2001:db8:aa::12", false),
                ("2001:db8:aa::12", true),
            ] {
                let answer = ask_at(device, other, "api.maker.example.", RecordType::A, tcp);
                let found = answer.map(|answer| addresses(&answer));
                let expected = redirected.then(|| vec![ip("203.0.113.10")]);
                assert_eq!(found, expected, "{other} {tcp} {redirected}");
            }
            let own = ask(device, "api.maker.example.", RecordType::A, false).expect("an answer");
            assert_eq!(addresses(&own), [ip("203.0.113.10")]);
            assert!(!device.tcp(at("203.0.113.11", 853), SILENCE), "DNS over TLS is for policies to permit");
        });
    }
}

#[test]
fn resolvers_over_https_are_refused_and_dropped_unless_a_permitted_name_shares_their_address() {
    let Some(lab) = Lab::new(1) else { return };
    let hosts = ["203.0.113.10", "203.0.113.11", "203.0.113.12"];
    let _servers: Vec<_> = hosts.iter().map(|host| lab.wan.echo(at(host, 443)).unwrap()).collect();
    let zone: Zone = Arc::new(Mutex::new(vec![
        ("dns.example.", None, vec![ip("203.0.113.11")]),
        ("eu.dns.example.", None, vec![ip("203.0.113.11")]),
        ("api.maker.example.", None, vec![ip("203.0.113.10")]),
    ]));
    lab.gw.enter(|| {
        let (sender, _events) = channel();
        let observer = Arc::new(sender);
        let mut site = lab.site();
        site.blocked =
            ["203.0.113.10", "203.0.113.11"].map(|host| AddressRange::of_prefix(ip(host), 32)).to_vec();
        let classes = [(Class::dns(), [AddressRange::of_prefix(ip("10.77.0.1"), 32)].into())].into();
        let wanted = Wanted { classes, ..Wanted::default() };
        let mut enforcer = Enforcer::open(site, wanted, Arc::clone(&observer) as _).unwrap();
        // A policy as broad as can be.
        let mut starts = class(Side::From, Class::dns(), Protocol::Udp, 53);
        let any = Peer::Range(AddressRange::of_prefix(ip("203.0.113.0"), 24));
        starts.push(allow(Side::From, Family::V4, any, Protocol::Tcp, 443));
        starts.push(by_name("api.maker.example", Family::V4, Protocol::Tcp));
        let policy = enforcer.stage(program(starts)).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        let shared = Shared::new(enforcer);
        let runtime = two_threads();
        let resolvers = ["dns.example".to_owned()].into();
        let servers = Upstream { servers: vec![at("198.51.100.2", 53)], resolvers, ..Upstream::default() };
        let forwarder = serve_with(&lab, &runtime, &zone, Arc::new(shared.clone()), (observer, servers));

        let device = &lab.devices[0];
        assert!(device.tcp(at("203.0.113.12", 443), ANSWER));
        assert!(!device.tcp(at("203.0.113.11", 443), SILENCE), "though the policy has its range");
        assert!(!device.tcp(at("203.0.113.10", 443), SILENCE));
        for name in ["dns.example.", "EU.dns.example."] {
            let answer = ask(device, name, RecordType::A, false).expect("an answer");
            assert_eq!(
                (answer.metadata.response_code, answer.answers.len()),
                (ResponseCode::Refused, 0),
                "{name}"
            );
        }
        let answer = ask(device, "api.maker.example.", RecordType::A, false).expect("an answer");
        assert_eq!(addresses(&answer), [ip("203.0.113.10")]);
        assert!(device.tcp(at("203.0.113.10", 443), ANSWER), "a name of the policy stands for it");
        assert!(!device.tcp(at("203.0.113.11", 443), SILENCE));
        // Also when the whole table is made anew.
        assert!(lab.gw.output("nft", &["delete", "table", "inet", "sextant"]).unwrap().status.success());
        shared.with(|enforcer| enforcer.reconcile()).unwrap();
        assert!(device.tcp(at("203.0.113.10", 443), ANSWER) && !device.tcp(at("203.0.113.11", 443), SILENCE));

        ask(device, "gone.maker.example.", RecordType::A, false).expect("an answer");
        let told = forwarder.take_habits();
        let [(_, asked)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((asked.queries, asked.blocked, asked.nxdomain, asked.outside), (4, 2, 1, 3));
    });
}

#[test]
fn a_device_reaches_what_its_names_resolve_to_and_nothing_else() {
    let Some(lab) = Lab::new(2) else { return };
    let hosts = ["203.0.113.10", "203.0.113.11", "203.0.113.12", "2001:db8:aa::10"];
    let _servers: Vec<_> = hosts.iter().map(|host| lab.wan.echo(at(host, 443)).unwrap()).collect();
    let zone: Zone = Arc::new(Mutex::new(vec![
        ("api.maker.example.", Some("edge.cdn.example."), vec![ip("203.0.113.10"), ip("2001:db8:aa::10")]),
        ("other.example.", None, vec![ip("203.0.113.12")]),
        ("inside.maker.example.", None, vec![ip("192.168.0.1")]),
    ]));
    lab.gw.enter(|| {
        let (sender, events) = channel();
        let observer = Arc::new(sender);
        let classes = [(Class::dns(), [AddressRange::of_prefix(ip("10.77.0.1"), 32)].into())].into();
        let wanted = Wanted { classes, ..Wanted::default() };
        let mut enforcer = Enforcer::open(lab.site(), wanted, Arc::clone(&observer) as _).unwrap();
        let policy = enforcer.stage(policy()).unwrap();
        enforcer.admit(binding(0), policy).unwrap();
        enforcer.admit(binding(1), UPDATE_ONLY).unwrap();
        let shared = Shared::new(enforcer);

        let runtime = two_threads();
        serve(&lab, &runtime, &zone, Arc::new(shared.clone()), observer);

        let [device, restricted] = lab.devices.as_slice() else { panic!("two devices") };
        assert!(!device.tcp(at("203.0.113.10", 443), SILENCE), "nobody has asked yet");
        for (kind, host) in [(RecordType::A, "203.0.113.10"), (RecordType::AAAA, "2001:db8:aa::10")] {
            let answer = ask(device, "API.maker.example.", kind, false).expect("an answer");
            assert_eq!(addresses(&answer), [ip(host)]);
            assert!(device.tcp(at(host, 443), ANSWER), "the rules are there before the answer");
        }
        assert!(!device.tcp(at("203.0.113.11", 443), SILENCE));

        // The name moves; the old address stays good for a while.
        zone.lock().unwrap()[0].2 = vec![ip("203.0.113.11")];
        let answer = ask(device, "api.maker.example.", RecordType::A, true).expect("an answer over TCP");
        assert_eq!(addresses(&answer), [ip("203.0.113.11")]);
        assert!(device.tcp(at("203.0.113.11", 443), ANSWER) && device.tcp(at("203.0.113.10", 443), ANSWER));

        let answer = ask(device, "api.maker.example.", RecordType::HTTPS, false).expect("an answer");
        assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::NoError, 0));

        // Out of policy: told, answered, and of no use.
        let answer = ask(device, "other.example.", RecordType::A, false).expect("an answer");
        assert_eq!(addresses(&answer), [ip("203.0.113.12")]);
        assert!(!device.tcp(at("203.0.113.12", 443), SILENCE));
        let out_of_policy = |wanted: usize| {
            await_event(&events, |event| match event {
                Event::NameOutOfPolicy { device, name, refused } if *device == id(wanted) => {
                    Some((name.clone(), *refused))
                }
                _ => None,
            })
        };
        assert_eq!(out_of_policy(0), ("other.example".to_owned(), false));
        let answer = ask(restricted, "api.maker.example.", RecordType::A, false).expect("a refusal");
        assert_eq!(answer.metadata.response_code, ResponseCode::Refused);
        assert_eq!(out_of_policy(1), ("api.maker.example".to_owned(), true));

        // What a restricted device needs for its cure is in the policy of the restricted.
        let mut cure = vec![by_name("other.example", Family::V4, Protocol::Tcp)];
        cure.extend(class(Side::From, Class::dns(), Protocol::Udp, 53));
        shared.with(|enforcer| enforcer.replace(UPDATE_ONLY, program(cure))).unwrap();
        let answer = ask(restricted, "other.example.", RecordType::A, false).expect("an answer");
        assert_eq!(addresses(&answer), [ip("203.0.113.12")]);
        assert!(restricted.tcp(at("203.0.113.12", 443), ANSWER));
        assert!(!device.tcp(at("203.0.113.12", 443), SILENCE), "which is no business of the others");

        // Rebinding.
        let answer = ask(device, "inside.maker.example.", RecordType::A, false).expect("a refusal");
        assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::Refused, 0));
        let private = await_event(&events, |event| match event {
            Event::PrivateAnswer { address, .. } => Some(*address),
            _ => None,
        });
        assert_eq!(private, ip("192.168.0.1"));

        // A policy staged later knows the addresses that its names had.
        let later = shared.with(|enforcer| {
            let later = enforcer
                .stage(program(vec![by_name("api.maker.example", Family::V4, Protocol::Tcp)]))
                .unwrap();
            enforcer.assign(&[(id(0), later)]).unwrap();
            later
        });
        assert!(device.tcp(at("203.0.113.11", 443), ANSWER), "policy {later}");
    });
}

/// The enforcer's names, and one that everybody needs.
struct WithOneNeeded(Shared);

impl Names for WithOneNeeded {
    fn standing(&self, source: IpAddr, name: &str) -> Standing {
        if name == "sextant.example" { Standing::Needed } else { self.0.standing(source, name) }
    }

    fn learn(&self, name: &str, addresses: &[IpAddr], lifetime: u32) -> Result<(), gateway::Error> {
        self.0.learn(name, addresses, lifetime)
    }
}

#[test]
fn a_stranger_learns_where_the_server_is_and_what_time_it_is_and_nothing_else() {
    let Some(lab) = Lab::new(1) else { return };
    let stranger = &lab.devices[0];
    let _servers: Vec<_> =
        [443, 444].into_iter().map(|port| lab.wan.echo(at("203.0.113.13", port)).unwrap()).collect();
    let _clocks: Vec<_> =
        ["203.0.113.10", "203.0.113.11"].map(|host| lab.wan.echo(at(host, 123)).unwrap()).into();
    // A server of the site has a private address, which its name may tell.
    let zone: Zone = Arc::new(Mutex::new(vec![
        ("sextant.example.", None, vec![ip("192.168.0.13")]),
        ("other.example.", None, vec![ip("203.0.113.12")]),
    ]));
    lab.gw.enter(|| {
        let (sender, _events) = channel();
        let observer = Arc::new(sender);
        let mut site = lab.site();
        let endpoint = |address: &str, protocol, port| Endpoint { address: ip(address), protocol, port };
        site.management = vec![endpoint("203.0.113.13", 6, 443)];
        site.basics = vec![
            endpoint("10.77.0.1", 17, 53),
            endpoint("10.77.0.1", 6, 53),
            endpoint("203.0.113.10", 17, 123),
        ];
        let enforcer = Enforcer::open(site, Wanted::default(), Arc::clone(&observer) as _).unwrap();
        let runtime = two_threads();
        serve(&lab, &runtime, &zone, Arc::new(WithOneNeeded(Shared::new(enforcer))), observer);

        for tcp in [false, true] {
            let answer = ask(stranger, "Sextant.example.", RecordType::A, tcp).expect("an answer");
            assert_eq!(addresses(&answer), [ip("192.168.0.13")]);
            let answer = ask(stranger, "other.example.", RecordType::A, tcp).expect("a refusal");
            assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::Refused, 0));
        }
        assert!(stranger.tcp(at("203.0.113.13", 443), ANSWER), "the way to attestation");
        assert!(stranger.udp(at("203.0.113.10", 123), ANSWER), "the time");
        assert!(!stranger.tcp(at("203.0.113.13", 444), SILENCE), "another port");
        assert!(!stranger.udp(at("203.0.113.11", 123), SILENCE), "another clock");
        assert!(!stranger.udp(at("203.0.113.10", 53), SILENCE), "another resolver");
    });
}
