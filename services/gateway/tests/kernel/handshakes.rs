//! TLS profiles: a flow goes on when its ClientHello keeps to one, and ends when it does not. Real clients, real packets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Duration;

use gateway::{Event, Queue, Shared, Site, Start, TlsMode, Wanted, watch_handshakes};
use mud::{Protocol, TlsProfile, TlsVersion};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use sim::netns::Namespace;

use crate::lab::{ANSWER, Lab, SILENCE, at, await_event, binding, id, program, reach};

/// An enforcer in the gateway's namespace, and whoever looks at handshakes.
struct Gateway<'l> {
    lab: &'l Lab,
    shared: Shared,
    events: Receiver<Event>,
    mode: TlsMode,
    watch: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl<'l> Gateway<'l> {
    fn new(lab: &'l Lab, mode: TlsMode) -> Self {
        let (sender, events) = std::sync::mpsc::channel();
        let sender: Arc<dyn gateway::Observer> = Arc::new(sender);
        let site = Site { tls: mode, ..lab.site() };
        let shared = lab.gw.enter(|| {
            let enforcer = gateway::Enforcer::open(site, Wanted::default(), Arc::clone(&sender)).unwrap();
            Shared::new(enforcer)
        });
        let mut gateway = Self { lab, shared, events, mode, watch: None };
        gateway.look(sender);
        gateway
    }

    fn look(&mut self, observer: Arc<dyn gateway::Observer>) {
        let queue = self.lab.gw.enter(|| Queue::open().unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, mode, flag, space) = (self.shared.clone(), self.mode, stop.clone(), self.lab.gw.clone());
        let thread = std::thread::spawn(move || {
            space.enter(|| watch_handshakes(queue, &shared, mode, observer.as_ref(), &flag).unwrap());
        });
        self.watch = Some((stop, thread));
    }

    fn look_away(&mut self) {
        let Some((stop, thread)) = self.watch.take() else { return };
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }

    /// Gives the first device a policy of these starts.
    fn give(&self, starts: Vec<Start>) {
        let shared = &self.shared;
        self.lab.gw.enter(|| {
            shared.with(|enforcer| {
                let policy = enforcer.stage(program(starts)).unwrap();
                enforcer.admit(binding(0), policy).unwrap();
            });
        });
    }

    fn wrong(&self) -> (String, bool) {
        await_event(&self.events, |event| match event {
            Event::Handshake { device, why, passed, .. } => {
                assert_eq!(device.as_ref(), Some(&id(0)));
                Some((why.clone(), *passed))
            }
            _ => None,
        })
    }
}

impl Drop for Gateway<'_> {
    fn drop(&mut self) {
        self.look_away();
    }
}

fn with(profile: &TlsProfile, start: Start) -> Start {
    Start { tls: vec![profile.clone()], ..start }
}

/// What rustls offers with TLS 1.3 alone, by its cipher suites.
fn matching() -> TlsProfile {
    TlsProfile {
        name: "own".into(),
        tls_versions: vec![TlsVersion::V1_3],
        cipher_suites: vec![0x1301, 0x1302, 0x1303, 0x00ff],
        ..TlsProfile::default()
    }
}

/// The same with a suite that rustls offers missing.
fn other() -> TlsProfile {
    TlsProfile { cipher_suites: vec![0x1301, 0x00ff], ..matching() }
}

/// A server that gives back what clients say, over TLS. It ends with the namespace.
struct TlsServer {
    client: Arc<ClientConfig>,
}

impl TlsServer {
    fn start(space: &Namespace, addresses: &[SocketAddr]) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["api.example".to_owned()]).unwrap();
        let key = || PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = || Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let server = server.unwrap().with_no_client_auth();
        let server = Arc::new(server.with_single_cert(vec![made.cert.der().clone()], key()).unwrap());
        for address in addresses {
            let listener = space.enter(|| TcpListener::bind(address).unwrap());
            let server = Arc::clone(&server);
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let server = Arc::clone(&server);
                    std::thread::spawn(move || {
                        let connection = ServerConnection::new(server).unwrap();
                        let mut stream = StreamOwned::new(connection, stream);
                        let mut bytes = [0; 64];
                        while let Ok(count @ 1..) = stream.read(&mut bytes) {
                            if stream.write_all(&bytes[..count]).is_err() {
                                return;
                            }
                        }
                    });
                }
            });
        }
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        // Of its suites rustls offers all, whatever the versions are.
        let mut newest = rustls::crypto::aws_lc_rs::default_provider();
        newest.cipher_suites.retain(|suite| suite.tls13().is_some());
        let client = ClientConfig::builder_with_provider(Arc::new(newest));
        let client = client.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        Self { client: Arc::new(client) }
    }

    /// A connection of a device, when its handshake came through.
    fn connect(
        &self,
        device: &Namespace,
        to: SocketAddr,
    ) -> Option<StreamOwned<ClientConnection, TcpStream>> {
        let stream = device.connect(to, ANSWER).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        let name = ServerName::try_from("api.example").unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        runs(&mut stream).then_some(stream)
    }
}

fn runs(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> bool {
    let mut echo = [0; 4];
    stream.write_all(b"ping").is_ok() && stream.read_exact(&mut echo).is_ok() && echo == *b"ping"
}

const V4: &str = "203.0.113.10";
const V6: &str = "2001:db8:aa::10";

fn services() -> [SocketAddr; 2] {
    [at(V4, 443), at(V6, 443)]
}

fn starts(profile: &TlsProfile) -> Vec<Start> {
    let tls = [V4, V6].map(|address| with(profile, reach(address, Protocol::Tcp, 443)));
    tls.into_iter().chain([reach(V4, Protocol::Tcp, 80)]).collect()
}

#[test]
fn a_handshake_that_keeps_to_a_profile_comes_through_and_its_flow_needs_nobody_afterwards() {
    let Some(lab) = Lab::new(1) else { return };
    let device = &lab.devices[0];
    let server = TlsServer::start(&lab.wan, &services());
    let _plain = lab.wan.echo(at(V4, 80)).unwrap();
    let mut gateway = Gateway::new(&lab, TlsMode::Enforce);
    gateway.give(starts(&matching()));
    let mut open: Vec<_> = services()
        .into_iter()
        .map(|to| server.connect(device, to).unwrap_or_else(|| panic!("{to}: {:?}", gateway.wrong())))
        .collect();
    assert!(device.tcp(at(V4, 80), ANSWER), "an entry without profile asks for none");

    // With nobody at the queue no such flow begins, and those that run go on.
    gateway.look_away();
    assert!(open.iter_mut().all(runs), "what was looked at costs nobody anything");
    assert!(services().iter().all(|to| !device.tcp(*to, SILENCE)), "the queue does not open");
    assert!(device.tcp(at(V4, 80), ANSWER));
}

#[test]
fn a_handshake_that_keeps_to_none_ends_its_flow_and_is_told() {
    let Some(lab) = Lab::new(1) else { return };
    let device = &lab.devices[0];
    let server = TlsServer::start(&lab.wan, &services());
    let gateway = Gateway::new(&lab, TlsMode::Enforce);
    gateway.give(starts(&other()));
    for to in services() {
        assert!(server.connect(device, to).is_none(), "{to}");
        let (why, passed) = gateway.wrong();
        assert!(why.contains("(tls-cipher-suite)") && !passed, "{why}");
    }
    let tracked =
        lab.gw.enter(|| gateway::Conntrack::open().unwrap().entries(&[at(V4, 0).ip(), at(V6, 0).ip()]));
    assert_eq!(tracked.unwrap(), [], "nothing of them is known any more");

    // What is no TLS at all.
    let mut plain = device.connect(at(V4, 443), ANSWER).unwrap();
    plain.set_read_timeout(Some(SILENCE)).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(plain.read(&mut [0; 8]).is_err());
    assert_eq!(gateway.wrong(), ("not a TLS handshake".to_owned(), false));

    // Two profiles: one of them is enough.
    let both = |start: Start| Start { tls: vec![other(), matching()], ..start };
    gateway.give([V4, V6].map(|address| both(reach(address, Protocol::Tcp, 443))).into());
    assert!(services().iter().all(|to| server.connect(device, *to).is_some()));
}

#[test]
fn where_a_site_only_observes_all_pass_and_what_is_wrong_is_told() {
    let Some(lab) = Lab::new(1) else { return };
    let device = &lab.devices[0];
    let server = TlsServer::start(&lab.wan, &services());
    let mut gateway = Gateway::new(&lab, TlsMode::Observe);
    gateway.give(starts(&other()));
    for to in services() {
        assert!(server.connect(device, to).is_some(), "{to}");
        let (why, passed) = gateway.wrong();
        assert!(why.contains("(tls-cipher-suite)") && passed, "{why}");
    }
    gateway.look_away();
    assert!(server.connect(device, at(V4, 443)).is_some(), "and with nobody at the queue");
}

/// A ClientHello with one cipher suite.
fn hello_body(version: [u8; 2], cookie: bool) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend(cookie.then_some(0));
    body.extend([0, 2, 0xc0, 0x2b, 1, 0]);
    body
}

#[test]
fn a_message_in_small_pieces_is_waited_for() {
    let Some(lab) = Lab::new(1) else { return };
    let device = &lab.devices[0];
    let _echo = lab.wan.echo(at(V4, 443)).unwrap();
    let gateway = Gateway::new(&lab, TlsMode::Enforce);
    let profile = |suite| TlsProfile { cipher_suites: vec![suite], ..TlsProfile::default() };
    for (suite, comes) in [(0xc02b, true), (0xc02c, false)] {
        gateway.give(vec![with(&profile(suite), reach(V4, Protocol::Tcp, 443))]);
        let body = hello_body([3, 3], false);
        let message = [&[1, 0, 0, body.len() as u8][..], &body].concat();
        // Records of seven bytes, in segments of five.
        let records =
            message.chunks(7).flat_map(|part| [&[22, 3, 1, 0, part.len() as u8][..], part].concat());
        let bytes: Vec<u8> = records.collect();
        let mut stream = device.connect(at(V4, 443), ANSWER).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        for part in bytes.chunks(5) {
            stream.write_all(part).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut echo = vec![0; bytes.len()];
        assert_eq!(stream.read_exact(&mut echo).is_ok(), comes, "{suite:#x}");
        if !comes {
            assert!(gateway.wrong().0.contains("cipher suite 0xc02b"));
        }
    }
}

#[test]
fn datagrams_with_fragments_are_put_together_and_what_is_not_dtls_ends() {
    let Some(lab) = Lab::new(1) else { return };
    let device = &lab.devices[0];
    let _echo = lab.wan.echo(at(V4, 5684)).unwrap();
    let gateway = Gateway::new(&lab, TlsMode::Enforce);
    let body = hello_body([0xfe, 0xfd], true);
    let fragment = |from: usize, to: usize, number: u8| {
        let part = &body[from..to];
        let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, number, 0, 12 + part.len() as u8];
        record.extend([1, 0, 0, body.len() as u8, 0, 0, 0, 0, from as u8, 0, 0, part.len() as u8]);
        record.extend(part);
        record
    };
    let ask = |datagrams: &[Vec<u8>]| {
        device.enter(|| {
            let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect(at(V4, 5684)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let mut answers = 0;
            for datagram in datagrams {
                socket.send(datagram).unwrap();
                answers += usize::from(socket.recv(&mut [0; 2048]).is_ok());
            }
            answers
        })
    };
    let profile = |suite| TlsProfile { cipher_suites: vec![suite], ..TlsProfile::default() };
    gateway.give(vec![with(&profile(0xc02b), reach(V4, Protocol::Udp, 5684))]);
    let parts = [fragment(20, body.len(), 0), fragment(0, 30, 1), b"what follows is encrypted".to_vec()];
    assert_eq!(ask(&parts), 3, "in any order, overlapping, and then anything");
    assert_eq!(ask(&[vec![0xc3, 0, 0, 0, 1]]), 0, "not QUIC");
    assert_eq!(gateway.wrong(), ("not a TLS handshake".to_owned(), false));
    gateway.give(vec![with(&profile(0xc02c), reach(V4, Protocol::Udp, 5684))]);
    assert_eq!(ask(&parts), 1, "with the last fragment it is wrong, and nothing follows");
    assert!(gateway.wrong().0.contains("cipher suite 0xc02b"));
}
