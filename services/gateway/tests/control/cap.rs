//! A cap on automatic cuts: one file that is wrong for all takes down no fleet.

use api::Profile;
use gateway::control::{Config, Gateway, Journal, State};
use trust::{Access, Budget, Cap, Code, Policy, Violation};

use crate::lab::{ANSWER, Lab, SILENCE, at};
use crate::live::{SERVER, applied, come, config, now};
use crate::server::{Identity, Server};
use crate::site::{
    Finding, Made, NOW, Parts, admit, anchors, answer, codes, id, is_wide, listed, text, ueid,
};

fn strict(least: u32) -> Policy {
    let violation_cap = Cap { least, percent: 0 };
    Policy {
        violating_access: Access::UpdateOnly,
        violation_window: 600,
        violation_cap,
        result_lifetime: 24 * 3600,
        ..Policy::default()
    }
}

fn strays(state: &mut State, device: u8, at: i64) -> bool {
    state.violated(&id(device), Violation { at, count: 1, target: "203.0.113.66 tcp port 23".into() });
    !is_wide(&state.judge(&id(device), at))
}

/// What a server says of twelve devices of one model that all run one release.
fn said(release: &Made) -> api::GatewayState {
    let result = |device| Finding { expires: NOW + 86_400, ..Finding::good(device, release) }.signed();
    answer(&[release], (1..=12).map(|device| listed(device, Some(&result(device)))).collect())
}

fn fleet(policy: Policy) -> State {
    let release = Made::of("1.0.0", 1);
    let mut anchors = anchors();
    anchors.policy = policy;
    let mut state = State::new(anchors);
    (1..=12).for_each(|device| admit(&mut state, device, &release, NOW - 1));
    state.take_in(&said(&release), NOW);
    state
}

#[test]
fn so_many_of_a_model_are_cut_within_an_hour_and_no_more() {
    let mut state = fleet(strict(3));
    let cut: Vec<bool> = (1..=6).map(|device| strays(&mut state, device, NOW)).collect();
    assert_eq!(cut, [true, true, true, false, false, false]);
    let spared: Vec<_> = state.answers().spared().keys().cloned().collect();
    assert_eq!(spared, [id(4), id(5), id(6)]);
    let made = state.judge(&id(4), NOW);
    assert_eq!(codes(&made), [Code::ForbiddenFlow, Code::CutWithheld]);
    assert!(strays(&mut state, 1, NOW + 1), "who is cut stays so, and counts once");
    assert!(state.take_changed().answers);

    // Bad evidence is answered whatever was.
    let bad = Finding::bad(4).at(NOW + 2).signed();
    let release = Made::of("1.0.0", 1);
    let mut said = said(&release);
    said.devices[3].result = Some(api::Base64Url(bad));
    state.take_in(&said, NOW + 2);
    assert!(!is_wide(&state.judge(&id(4), NOW + 2)));
    let good = Finding::good(4, &release).at(NOW + 3).signed();
    said.devices[3].result = Some(api::Base64Url(good));
    said.devices[3].held = Some(api::Restriction::Restricted);
    state.take_in(&said, NOW + 3);
    assert_eq!(
        codes(&state.judge(&id(4), NOW + 3)),
        [Code::ForbiddenFlow, Code::OperatorRestriction, Code::CutWithheld]
    );

    // An hour later there is room, and who is spared is so no more once it keeps to its release.
    let later = NOW + Budget::SPAN;
    let made = state.judge(&id(6), later);
    assert_eq!((codes(&made), state.answers().spares(&id(6))), (vec![], false));
    assert!(strays(&mut state, 6, later + 1));
}

#[test]
fn a_share_of_the_model_counts_where_it_is_more() {
    let mut policy = strict(1);
    policy.violation_cap.percent = 25;
    let mut state = fleet(policy);
    let cut = (1..=12).filter(|device| strays(&mut state, *device, NOW)).count();
    assert_eq!(cut, 3, "a quarter of twelve");
}

#[test]
fn a_gateway_cuts_up_to_the_cap_and_raises_an_alarm_that_outlives_it() {
    let Some(lab) = Lab::new(3) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    std::fs::write(config.anchors.join("policy.cbor"), strict(1).encode()).unwrap();
    let _service = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let identity = Identity::new(SERVER, &config.ca);
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    let results: Vec<_> = (1..=3).map(|device| Finding::good(device, &release).at(now()).signed()).collect();
    let devices = || (1..=3).map(|device| listed(device, Some(&results[usize::from(device) - 1]))).collect();
    server.say(answer(&[&release], devices()));
    server.hears("the staged policy", |report| (!report.staged.is_empty()).then_some(()));
    let door = at("10.77.0.1", Config::ADMISSION_PORT);
    for (device, result) in (1..=3).zip(&results) {
        let space = &lab.devices[usize::from(device) - 1];
        assert_eq!(come(space, door, device, result), (204, String::new()));
    }
    let own = |index: usize| lab.devices[index].tcp(at("203.0.113.10", 443), SILENCE);
    let stray = |index: usize| assert!(!lab.devices[index].tcp(at("203.0.113.11", 23), SILENCE));

    stray(0);
    server.hears("the cut", applied(1, Profile::UpdateOnly));
    assert!(!own(0) && own(1));
    stray(1);
    let alarm = server.hears("the alarm", |report| report.withheld.first().cloned());
    assert_eq!((alarm.ueid, alarm.most), (text(&ueid(2)), 1));
    assert_eq!(alarm.model, "https://mud.maker.example/cam-1.0.0.json");
    assert!(own(1), "it stays");

    // The next process cuts nobody more, and still says what was withheld.
    drop(server);
    lab.gw.enter(|| gateway.stop());
    let (_journal, saved) = Journal::open(&config.data).unwrap();
    assert_eq!(saved.answers.cuts.values().map(Vec::len).collect::<Vec<_>>(), [1]);
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    server.say(answer(&[&release], devices()));
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    server.hears("the alarm again", |report| (report.withheld.len() == 1).then_some(()));
    stray(2);
    server.hears("a second alarm", |report| (report.withheld.len() == 2).then_some(()));
    assert!(lab.devices[2].tcp(at("203.0.113.10", 443), ANSWER));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}
