//! Levels of response: between the release and nothing, and beyond the release where the operator signed it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use api::{Base64Url, Profile, Restriction};
use gateway::control::{Config, Gateway, PolicyKey, State, Target};
use trust::{Access, Code, Effect, Override, Scope};

use crate::lab::{ANSWER, Lab, SILENCE, at, v4};
use crate::live::{SERVER, applied, come, config, now, trusting};
use crate::server::{Identity, Server};
use crate::site::{
    Finding, Made, NOW, OPERATOR, Parts, admit, anchors, answer, codes, id, key, listed, order, text, ueid,
};

/// A site where the first device runs a release.
fn site(release: &Made, policy: trust::Policy) -> State {
    let mut anchors = anchors();
    anchors.policy = trust::Policy { result_lifetime: 24 * 3600, ..policy };
    let mut state = State::new(anchors);
    admit(&mut state, 1, release, NOW);
    state.take_in(&answer(&[release], vec![listed(1, None)]), NOW);
    state
}

fn at_level(release: &Made, access: Access) -> Target {
    Target::Release(PolicyKey { access, ..release.key() })
}

#[test]
fn a_person_holds_at_each_level() {
    let release = Made::of("1.0.0", 1);
    let mut state = site(&release, trust::Policy::default());
    let mut device = listed(1, None);
    for (held, target, code) in [
        (Restriction::Restricted, at_level(&release, Access::Restricted), Code::OperatorRestriction),
        (Restriction::UpdateOnly, Target::UpdateOnly, Code::OperatorQuarantine),
        (Restriction::Blocked, Target::Blocked, Code::OperatorBlock),
        (Restriction::Ejected, Target::Ejected, Code::OperatorEjection),
    ] {
        device.held = Some(held);
        state.take_in(&answer(&[&release], vec![device.clone()]), NOW);
        let made = state.assess(&id(1), NOW);
        assert_eq!((made.target.clone(), codes(&made)), (target, vec![code]));
    }
}

#[test]
fn observing_is_for_those_whom_the_operator_names_and_only_while_they_are_trusted() {
    let release = Made::of("1.0.0", 1);
    let mut state = site(&release, trust::Policy::default());
    admit(&mut state, 2, &release, NOW);
    let mut said = answer(&[&release], vec![listed(1, None), listed(2, None)]);
    let content = Override { scope: Scope::Device(ueid(1)), ..order(1, Effect::Observe) };
    // Nobody but the operator.
    said.overrides = vec![Base64Url(content.sign(&key(OPERATOR + 1)))];
    state.take_in(&said, NOW);
    assert_eq!(state.assess(&id(1), NOW).target, at_level(&release, Access::Release));

    said.overrides = vec![Base64Url(content.sign(&key(OPERATOR)))];
    state.take_in(&said, NOW);
    assert_eq!(state.assess(&id(1), NOW).target, at_level(&release, Access::Observed));
    assert_eq!(state.assess(&id(2), NOW).target, at_level(&release, Access::Release), "and nobody else");
    let observed = state.program(&PolicyKey { access: Access::Observed, ..release.key() }).unwrap();
    assert_ne!(observed, state.program(&release.key()).unwrap());
    assert!(state.baselines(NOW).contains(&release.key()), "what others get is the release's");

    let bad = Finding::bad(1).at(NOW + 1).signed();
    said.devices = vec![listed(1, Some(&bad)), listed(2, None)];
    state.take_in(&said, NOW + 1);
    assert_eq!(state.assess(&id(1), NOW + 1).target, Target::UpdateOnly);
}

/// A flow through which bytes go and come back.
fn runs(stream: &mut TcpStream) -> bool {
    let mut echo = [0; 4];
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    stream.write_all(b"ping").is_ok() && stream.read_exact(&mut echo).is_ok()
}

#[test]
fn what_runs_goes_on_where_nothing_may_begin_and_ends_in_quarantine() {
    let Some(lab) = Lab::new(1) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let _services: Vec<_> = [("203.0.113.10", 443), ("2001:db8:aa::13", 8443)]
        .map(|(host, port)| lab.wan.echo(at(host, port)).unwrap())
        .into();
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let (gateway, server, good) = trusting(&lab, &config, &release);
    let device = &lab.devices[0];
    assert_eq!(come(device, at("2001:db8:77::1", Config::ADMISSION_PORT), 1, &good), (204, String::new()));
    let own = at("203.0.113.10", 443);
    let mut running = device.connect(own, ANSWER).unwrap();
    assert!(runs(&mut running));

    let hold = |level| {
        let mut held = listed(1, Some(&good));
        held.held = level;
        answer(&[&release], vec![held])
    };
    server.say(hold(Some(Restriction::Restricted)));
    let cut = server.hears("the restriction", applied(1, Profile::Restricted));
    assert_eq!(cut.manifest_digest, Some(text(release.digest.as_bytes())));
    assert_eq!(cut.reasons[0].code, Code::OperatorRestriction.as_str());
    assert!(runs(&mut running), "what runs goes on");
    assert!(!device.tcp(own, SILENCE), "and nothing begins");
    assert!(device.tcp(at("2001:db8:aa::13", 8443), ANSWER), "but the cure");

    // The same after a restart without a server.
    drop(server);
    lab.gw.enter(|| gateway.stop());
    assert!(runs(&mut running) && !device.tcp(own, SILENCE));
    let server = Server::start(&lab.wan, at(SERVER, 8443), &Identity::new(SERVER, &config.ca));
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    assert!(runs(&mut running) && !device.tcp(own, SILENCE));

    server.say(hold(Some(Restriction::UpdateOnly)));
    server.hears("the quarantine", applied(1, Profile::UpdateOnly));
    assert!(!runs(&mut running), "quarantine ends what runs");
    assert!(device.tcp(at("2001:db8:aa::13", 8443), ANSWER));
    server.say(hold(Some(Restriction::Blocked)));
    server.hears("the block", applied(1, Profile::Blocked));
    assert!(!device.tcp(at("2001:db8:aa::13", 8443), SILENCE));
    server.say(hold(None));
    server.hears("the release", applied(1, Profile::Release));
    assert!(device.tcp(own, ANSWER));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}

#[test]
fn what_an_observed_device_does_beyond_its_release_passes_and_is_told() {
    let Some(lab) = Lab::new(2) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    // Whoever strays would be cut; who is observed does not stray.
    let policy = trust::Policy { violating_access: Access::Blocked, ..Default::default() };
    std::fs::write(config.anchors.join("policy.cbor"), policy.encode()).unwrap();
    let services = [
        ("203.0.113.10", 443),
        ("203.0.113.11", 23),
        ("203.0.113.11", 53),
        ("203.0.113.12", 443),
        ("2001:db8:aa::11", 23),
    ];
    let _services: Vec<_> = services.map(|(host, port)| lab.wan.echo(at(host, port)).unwrap()).into();
    let _inner = lab.devices[0].echo(at(&v4(0).to_string(), 22)).unwrap();
    let _other = lab.devices[1].echo(at(&v4(1).to_string(), 80)).unwrap();
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let (gateway, server, good) = trusting(&lab, &config, &release);
    let device = &lab.devices[0];
    assert_eq!(come(device, at("2001:db8:77::1", Config::ADMISSION_PORT), 1, &good), (204, String::new()));

    let observe = Override { not_before: now() - 5, expires: now() + 3600, ..order(1, Effect::Observe) };
    let flow = trust::Flow {
        direction: mud::Direction::FromDevice,
        family: mud::Family::V4,
        protocol: mud::Protocol::Tcp,
        remote: mud::Remote::Prefix(mud::IpPrefix::parse("203.0.113.12/32").unwrap()),
        ports: None,
    };
    let deny = Override { not_before: now() - 5, expires: now() + 3600, ..order(2, Effect::Deny(flow)) };
    let mut said = answer(&[&release], vec![listed(1, Some(&good))]);
    said.overrides = [&observe, &deny].map(|order| Base64Url(order.sign(&key(OPERATOR)))).into();
    server.say(said);
    server.hears("the observation", applied(1, Profile::Observed));

    assert!(device.tcp(at("203.0.113.10", 443), ANSWER), "its own");
    assert!(device.tcp(at("203.0.113.11", 23), ANSWER), "what it was never to do");
    assert!(device.tcp(at("2001:db8:aa::11", 23), ANSWER), "over either family");
    let told = server.hears("what passed", |report| {
        report.violations.iter().find(|violation| violation.dport == 23).cloned()
    });
    assert_eq!((told.group, told.direction.as_str()), (api::Violation::OBSERVED, "from-device"));
    assert!(!device.tcp(at("203.0.113.12", 443), SILENCE), "the operator's denial stays");
    assert!(!device.tcp(at("203.0.113.11", 53), SILENCE), "and so do other resolvers");
    assert!(!device.tcp(at(&v4(1).to_string(), 80), SILENCE), "others' policies hold");
    assert!(!lab.wan.tcp(at(&v4(0).to_string(), 22), SILENCE), "and what others start");

    // Going round the resolver is what a device is cut for, observed or not.
    let cut = server.hears("the cut", applied(1, Profile::Blocked));
    assert_eq!(cut.reasons[0].code, Code::ForbiddenFlow.as_str());
    drop(server);
    lab.gw.enter(|| gateway.stop());
}

#[test]
fn an_observation_ends_by_the_clock_and_cuts_what_it_let_begin() {
    let Some(lab) = Lab::new(1) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config: Config = config(directory.path());
    let _service = lab.wan.echo(at("203.0.113.11", 23)).unwrap();
    let _own = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let (gateway, server, good) = trusting(&lab, &config, &release);
    let device = &lab.devices[0];
    let expires = now() + 4;
    let observe = Override { not_before: now() - 5, expires, ..order(1, Effect::Observe) };
    let mut said = answer(&[&release], vec![listed(1, Some(&good))]);
    said.overrides = vec![Base64Url(observe.sign(&key(OPERATOR)))];
    server.say(said);
    server.hears("the observation", applied(1, Profile::Observed));
    let mut beyond = device.connect(at("203.0.113.11", 23), ANSWER).unwrap();
    let mut own = device.connect(at("203.0.113.10", 443), ANSWER).unwrap();
    assert!(runs(&mut beyond) && runs(&mut own));
    server.hears("its end", applied(1, Profile::Release));
    assert!(now() >= expires);
    std::thread::sleep(Duration::from_millis(100));
    assert!(!runs(&mut beyond), "what it let begin is cut");
    assert!(runs(&mut own), "and what the release permits is not");
    assert!(!device.tcp(at("203.0.113.11", 23), SILENCE));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}

/// The port of a gateway's own service is no more open to an observed device than to any other.
#[test]
fn observing_opens_none_of_the_gateways_own_services() {
    let Some(lab) = Lab::new(1) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let _shell = lab.gw.echo(at("10.77.0.1", 22)).unwrap();
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let (gateway, server, good) = trusting(&lab, &config, &release);
    let observe = Override { not_before: now() - 5, expires: now() + 60, ..order(1, Effect::Observe) };
    let mut said = answer(&[&release], vec![listed(1, Some(&good))]);
    said.overrides = vec![Base64Url(observe.sign(&key(OPERATOR)))];
    server.say(said);
    server.hears("the observation", applied(1, Profile::Observed));
    assert!(!lab.devices[0].tcp(at("10.77.0.1", 22), SILENCE));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}
