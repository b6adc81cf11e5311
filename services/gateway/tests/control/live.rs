//! A whole gateway against a real kernel, with devices and a server. Needs root; says so and passes over.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use api::{Applied, Base64Url, GatewayReport, Profile, Restriction, Violation};
use gateway::control::{Config, EdgeConfig, Gateway, Journal};
use sim::netns::Namespace;
use trust::Code;

use crate::frames::datagram;
use crate::lab::{self, ANSWER, Lab, SILENCE, at, ip, marks, send_frame, v4, v6};
use crate::server::{Identity, Server, TOKEN};
use crate::site::{
    AUTHOR, Finding, Made, Parts, admission, anchors, answer, key, listed, of_device, text, ueid,
};

pub(crate) const SERVER: &str = "203.0.113.13";

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

pub(crate) fn config(directory: &Path) -> Config {
    let anchors_directory = directory.join("anchors");
    std::fs::create_dir_all(&anchors_directory).unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(anchors_directory.join(name), bytes).unwrap();
    put("authorities.cbor", &anchors().releases.authorities.to_bytes());
    put("verifier.key", &cose::Key::from_public(key(5).public_key()).encode());
    put("override.key", &cose::Key::from_public(key(6).public_key()).encode());
    put("broad-approved", b"");
    std::fs::write(directory.join("token"), format!("{TOKEN}\n")).unwrap();
    Config {
        name: "gw".into(),
        server: format!("https://{SERVER}:8443"),
        ca: directory.join("ca.pem"),
        token_file: directory.join("token"),
        anchors: anchors_directory,
        mud_sources: Some(directory.join("sources.toml")).filter(|path| path.exists()),
        data: directory.join("data"),
        lan: "lan0".into(),
        wan: "wan0".into(),
        lan_addresses: vec![ip("10.77.0.1"), ip("2001:db8:77::1")],
        dns_upstream: vec![],
        dns_redirect: false,
        block_doh: None,
        private_domains: vec![],
        management: vec![at("2001:db8:aa::13", 8443)],
        onboarding: Vec::new(),
        ntp: vec![],
        local_networks: vec![],
        admission_port: Config::ADMISSION_PORT,
        follow_addresses: false,
        settle: 0,
        tls_profiles: gateway::TlsMode::Enforce,
        edge: EdgeConfig::default(),
    }
}

/// One request to the admission service from a device, and its answer: status and body.
fn request(device: &Namespace, to: SocketAddr, head: &str, body: &[u8]) -> (u16, String) {
    device.enter(|| {
        let mut stream = std::net::TcpStream::connect_timeout(&to, ANSWER).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let head =
            format!("{head} HTTP/1.1\r\nhost: gw\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        let head = format!("{head}content-type: application/cose\r\n\r\n");
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    })
}

const PATH: &str = "/.well-known/sextant/admission";

/// A device proves itself; gives the status and the reason code.
pub(crate) fn come(device: &Namespace, to: SocketAddr, index: u8, result: &[u8]) -> (u16, String) {
    let (status, body) = request(device, to, &format!("GET {PATH}"), b"");
    assert_eq!(status, 200);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let nonce = Base64Url::decode(body["nonce"].as_str().unwrap()).unwrap();
    let message = admission(of_device(index), &nonce, &ueid(index), result);
    let (status, body) = request(device, to, &format!("POST {PATH}"), &message);
    let reason: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    (status, reason["code"].as_str().unwrap_or_default().to_owned())
}

/// A gateway at work behind which the first device runs a release; and its server. The result that says so.
pub(crate) fn trusting(lab: &Lab, config: &Config, release: &Made) -> (Gateway, Server, Vec<u8>) {
    let identity = Identity::new(SERVER, &config.ca);
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    server.say(answer(&[release], vec![listed(1, None)]));
    server.hears("the staged policy", |report| (!report.staged.is_empty()).then_some(()));
    let good = Finding::good(1, release).at(now()).signed();
    let door = at("10.77.0.1", Config::ADMISSION_PORT);
    assert_eq!(come(&lab.devices[0], door, 1, &good), (204, String::new()));
    server.say(answer(&[release], vec![listed(1, Some(&good))]));
    (gateway, server, good)
}

/// What was applied to a device, when it is this profile.
pub(crate) fn applied(index: u8, profile: Profile) -> impl Fn(&GatewayReport) -> Option<Applied> {
    move |report| {
        let mut mine = report.applied.iter().filter(|applied| applied.ueid == text(&ueid(index)));
        mine.find(|applied| applied.profile == profile).cloned()
    }
}

fn is_for(applied: &Applied, code: Code) -> bool {
    applied.reasons.iter().any(|reason| reason.code == code.as_str())
}

#[test]
fn a_gateway_enforces_what_is_signed_and_needs_no_server_to_go_on() {
    let Some(lab) = Lab::new(2) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let identity = Identity::new(SERVER, &config.ca);
    let services =
        [("203.0.113.10", 443), ("203.0.113.11", 443), ("203.0.113.11", 23), ("2001:db8:aa::13", 8443)];
    let _services: Vec<_> =
        services.iter().map(|(host, port)| lab.wan.echo(at(host, *port)).unwrap()).collect();
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let next = Parts { now: now(), ..Parts::of("1.1.0", 2).reaching("203.0.113.11", 443) }.made();
    let [device, other] = lab.devices.as_slice() else { panic!("two devices") };
    let door = at("10.77.0.1", Config::ADMISSION_PORT);

    // Without a server there is no way but to it.
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    assert!(!device.tcp(at("203.0.113.10", 443), SILENCE));
    assert!(device.tcp(at("2001:db8:aa::13", 8443), ANSWER), "who is unknown reaches attestation and update");

    // A release is staged and acknowledged before anybody runs it.
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    server.say(answer(&[&release], vec![listed(1, None)]));
    server.hears("the staged policy", |report| {
        report.staged.iter().find(|staged| staged.manifest_digest == text(release.digest.as_bytes())).cloned()
    });

    // Refused at the door, then let in, over both families.
    let start = now();
    let good = Finding::good(1, &release).at(start).signed();
    let forged = Finding { verifier: AUTHOR, ..Finding::good(1, &release) }.at(start).signed();
    assert_eq!(come(device, door, 1, &forged), (422, Code::ResultSigner.as_str().to_owned()));
    assert_eq!(request(device, door, &format!("POST {PATH}"), &[0; 70_000]).0, 413);
    assert_eq!(request(device, door, "GET /", b"").0, 404);
    assert!(!device.tcp(at("203.0.113.10", 443), SILENCE));
    assert_eq!(come(device, door, 1, &good), (204, String::new()));
    assert!(device.tcp(at("203.0.113.10", 443), ANSWER), "the release's flow is open when admission answers");
    assert!(!device.tcp(at("203.0.113.11", 443), SILENCE), "and no other");
    assert_eq!(come(device, at("2001:db8:77::1", Config::ADMISSION_PORT), 1, &good), (204, String::new()));
    server.hears("both addresses", |report| {
        let binding = report.bindings.iter().find(|binding| binding.ueid == text(&ueid(1)))?;
        let mut addresses = binding.addresses.clone();
        addresses.sort();
        (addresses == [v4(0).to_string(), v6(0).to_string()]).then_some(())
    });
    // A clone elsewhere has another key, and the address has its owner.
    let cloned = Finding { key: Some(of_device(2)), ..Finding::good(1, &release) }.at(start + 1).signed();
    assert_eq!(come(other, door, 1, &cloned).1, Code::ResultBinding.as_str());

    // What is dropped is told with its five-tuple.
    assert!(!device.tcp(at("203.0.113.11", 23), SILENCE));
    let told: Violation = server.hears("the violation", |report| {
        report.violations.iter().find(|violation| violation.dport == 23).cloned()
    });
    assert_eq!(
        (told.ueid, told.src, told.dst, told.protocol.as_str(), told.direction.as_str(), told.group),
        (Some(text(&ueid(1))), v4(0).to_string(), "203.0.113.11".into(), "tcp", "from-device", 10)
    );

    // Bad evidence: an open flow is cut, and the way to the cure stays.
    let mut open = device.connect(at("203.0.113.10", 443), ANSWER).unwrap();
    open.set_read_timeout(Some(SILENCE)).unwrap();
    let mut echo = [0; 4];
    open.write_all(b"ping").unwrap();
    open.read_exact(&mut echo).unwrap();
    let bad = Finding::bad(1).at(start + 1).signed();
    server.say(answer(&[&release], vec![listed(1, Some(&bad))]));
    let cut = server.hears("the cut", applied(1, Profile::UpdateOnly));
    assert!(is_for(&cut, Code::DigestMismatch), "{cut:?}");
    open.write_all(b"ping").unwrap();
    assert!(open.read_exact(&mut echo).is_err(), "the open flow is cut");
    assert!(!device.tcp(at("203.0.113.10", 443), SILENCE));
    assert!(device.tcp(at("2001:db8:aa::13", 8443), ANSWER), "attestation and update stay");

    // The update is staged, and its flows open when it has attested.
    let updated = Finding::good(1, &next).at(start + 2).signed();
    server.say(answer(&[&release, &next], vec![listed(1, Some(&updated))]));
    let open = server.hears("the release", applied(1, Profile::Release));
    assert_eq!(open.manifest_digest, Some(text(next.digest.as_bytes())));
    assert!(device.tcp(at("203.0.113.11", 443), ANSWER) && !device.tcp(at("203.0.113.10", 443), SILENCE));

    // A person's quarantine cuts a trusted device, open flows too, and leaves the way to attestation and update. It
    // holds over the end of the process, without any server.
    let mut open = device.connect(at("203.0.113.11", 443), ANSWER).unwrap();
    open.set_read_timeout(Some(SILENCE)).unwrap();
    open.write_all(b"ping").unwrap();
    open.read_exact(&mut echo).unwrap();
    let mut held = listed(1, Some(&updated));
    held.held = Some(Restriction::UpdateOnly);
    server.say(answer(&[&release, &next], vec![held]));
    let cut = server.hears("the quarantine", applied(1, Profile::UpdateOnly));
    assert!(is_for(&cut, Code::OperatorQuarantine), "{cut:?}");
    open.write_all(b"ping").unwrap();
    assert!(open.read_exact(&mut echo).is_err(), "the open flow is cut");
    let is_quarantined =
        || !device.tcp(at("203.0.113.11", 443), SILENCE) && device.tcp(at("2001:db8:aa::13", 8443), ANSWER);
    assert!(is_quarantined());
    drop(server);
    lab.gw.enter(|| gateway.stop());
    assert!(is_quarantined());
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    assert!(is_quarantined());
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    server.say(answer(&[&release, &next], vec![listed(1, Some(&updated))]));
    server.hears("the release again", applied(1, Profile::Release));
    assert!(device.tcp(at("203.0.113.11", 443), ANSWER));

    // Neither the end of the process nor that of the server changes anything.
    drop(server);
    lab.gw.enter(|| gateway.stop());
    assert!(device.tcp(at("203.0.113.11", 443), ANSWER) && !device.tcp(at("203.0.113.10", 443), SILENCE));
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    assert!(device.tcp(at("203.0.113.11", 443), ANSWER) && !device.tcp(at("203.0.113.10", 443), SILENCE));

    // A result ends by the gateway's own clock.
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    let brief = Finding { issued: start + 3, expires: now() + 3, ..Finding::good(1, &next) }.signed();
    server.say(answer(&[&release, &next], vec![listed(1, Some(&brief))]));
    server.hears("the end of the result", |report| {
        applied(1, Profile::UpdateOnly)(report).filter(|made| is_for(made, Code::EvidenceOverdue))
    });
    assert!(!device.tcp(at("203.0.113.11", 443), SILENCE));

    // A person's block closes even the way to the cure.
    let mut held = listed(1, Some(&brief));
    held.held = Some(Restriction::Blocked);
    server.say(answer(&[&release, &next], vec![held]));
    server.hears("the block", applied(1, Profile::Blocked));
    assert!(!device.tcp(at("2001:db8:aa::13", 8443), SILENCE));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}

#[test]
fn a_device_that_strays_is_cut_until_it_has_kept_to_its_release_for_a_while() {
    let Some(lab) = Lab::new(2) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let window = 4;
    let policy = trust::Policy {
        violating_access: trust::Access::UpdateOnly,
        violation_window: window,
        ..Default::default()
    };
    std::fs::write(config.anchors.join("policy.cbor"), policy.encode()).unwrap();
    let _service = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let (gateway, server, _good) = trusting(&lab, &config, &release);
    let device = &lab.devices[0];
    let own = || device.tcp(at("203.0.113.10", 443), SILENCE);
    assert!(own());

    // Others' packets are dropped and told, and speak against nobody.
    assert!(!lab.wan.tcp(at(&v4(0).to_string(), 23), SILENCE));
    server.hears("what came from outside", |report| {
        report.violations.iter().find(|violation| violation.direction == "to-device").cloned()
    });
    assert!(own());

    // Nor does what a neighbour sends with its address, or with its MAC.
    for (mac, source) in [(lab::mac(1), v4(0)), (lab::mac(0), ip("10.77.0.99"))] {
        send_frame(&lab.devices[1], "eth0", &datagram(mac, source));
        let told: Violation = server.hears("the imitation", |report| {
            report.violations.iter().find(|violation| violation.src == source.to_string()).cloned()
        });
        assert_eq!((told.class.as_str(), told.ueid, told.mac), ("spoofed-binding", None, mac.to_string()));
        assert_eq!(told.imitated, Some(text(&ueid(1))));
    }
    assert!(own());

    // It strays and is cut. What it is entitled to is dropped now as well, and does not hold it back.
    assert!(!device.tcp(at("203.0.113.11", 23), SILENCE));
    let cut = server.hears("the cut", applied(1, Profile::UpdateOnly));
    assert!(is_for(&cut, Code::ForbiddenFlow), "{cut:?}");
    let begin = std::time::Instant::now();
    while !own() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it is not let go");
    }
    server.hears("its return", applied(1, Profile::Release));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}

#[test]
fn killed_at_any_moment_a_gateway_goes_on_where_it_was() {
    let Some(lab) = Lab::new(1) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let identity = Identity::new(SERVER, &config.ca);
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let door = at("10.77.0.1", Config::ADMISSION_PORT);
    let start = now() - 200;
    let good = |second: i64| Finding::good(1, &release).at(start + second).signed();
    let (mut second, mut wide) = (0, true);
    for round in 0..KILLS {
        let process = Process::start(&lab.gw, directory.path());
        let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
        server.say(answer(&[&release], vec![listed(1, None)]));
        server.hears("the process", |report| (!report.staged.is_empty()).then_some(()));
        if round == 0 {
            assert_eq!(come(&lab.devices[0], door, 1, &good(0)), (204, String::new()));
        }
        // Bad and good results in turn, each newer than the last; the process ends in the middle of the last of them.
        let mut heard = 0;
        for step in 0..=round {
            second += 1;
            let result = if wide { Finding::bad(1).at(start + second).signed() } else { good(second) };
            wide = !wide;
            server.say(answer(&[&release], vec![listed(1, Some(&result))]));
            if step < round {
                server.hears(
                    "the change",
                    applied(1, if wide { Profile::Release } else { Profile::UpdateOnly }),
                );
                heard = second;
            }
        }
        drop(process);
        drop(server);

        // What was said to be enforced is written down, and the next process enforces what is.
        let (_journal, saved) = Journal::open(&config.data).unwrap();
        let newest = saved.devices[0].result.clone().unwrap();
        let newest = gateway::control::attested(&newest.0, &anchors().keys, now()).unwrap().outcome;
        assert!(newest.issued >= start + heard, "round {round}: {} after {heard}", newest.issued - start);
        let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
        wide = newest.release.is_some();
        let marks = marks(&lab.gw);
        assert_eq!(marks.len(), 2, "round {round}: {marks:?}");
        assert!(marks.iter().all(|(_, _, mark)| (*mark >= 16) == wide), "round {round}: {marks:?}");
        lab.gw.enter(|| gateway.stop());
    }
}

/// This test program again, as a gateway of its own in a namespace. It is killed when dropped.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(space: &Namespace, directory: &Path) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", space.name()]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", "live::gateway_process"]).env(DIRECTORY, directory);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended by itself fails the test elsewhere.
        let _killed = self.0.kill();
        let _status = self.0.wait();
    }
}

/// The body of that process; in a test run it is nothing.
#[test]
fn gateway_process() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        gateway::control::run(config(Path::new(&directory))).unwrap();
    }
}

const DIRECTORY: &str = "SEXTANT_TEST_GATEWAY";
const KILLS: usize = 6;

#[test]
fn a_gateway_without_its_anchors_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let _identity = Identity::new(SERVER, &config.ca);
    let refused = |config: Config| match Gateway::start(config) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it started"),
    };
    let plain = Config { server: format!("http://{SERVER}:8443"), ..config.clone() };
    assert!(refused(plain).contains("https"));
    let one = Config { wan: "lan0".into(), ..config.clone() };
    assert_eq!(refused(one), "LAN and WAN are one interface");
    let absent = Config { lan: "sx-absent".into(), ..config.clone() };
    assert_eq!(refused(absent), "there is no interface sx-absent");
    std::fs::remove_file(config.anchors.join("verifier.key")).unwrap();
    assert!(refused(config).starts_with("anchor verifier.key"));
}
