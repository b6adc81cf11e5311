//! The network operator's last word.

use api::{Base64Url, GatewayState};
use gateway::control::{State, Target};
use mud::{Direction, Family, IpPrefix, Protocol, Remote};
use trust::{Code, Effect, Flow, Override, Scope};

use crate::site::{
    Finding, Made, NOW, OPERATOR, VERIFIER, admit, anchors, answer, id, is_wide, key, listed, order, ueid,
    url,
};

fn flow(address: &str) -> Flow {
    Flow {
        direction: Direction::FromDevice,
        family: Family::V4,
        protocol: Protocol::Tcp,
        remote: Remote::Prefix(IpPrefix::parse(address).unwrap()),
        ports: Some((443, 443)),
    }
}

fn deny() -> Effect {
    Effect::Deny(flow("203.0.113.10/32"))
}

fn with(release: &Made, overrides: &[Vec<u8>]) -> GatewayState {
    let mut answer = answer(&[release], vec![listed(1, None), listed(2, None)]);
    answer.overrides = overrides.iter().cloned().map(Base64Url).collect();
    answer
}

fn site(release: &Made) -> State {
    let mut state = State::new(anchors());
    admit(&mut state, 1, release, NOW);
    admit(&mut state, 2, release, NOW);
    state.take_in(&with(release, &[]), NOW);
    state
}

/// How many overrides a device's policy is under.
fn under(state: &State, device: u8, now: i64) -> usize {
    match state.assess(&id(device), now).target {
        Target::Release(key) => key.overrides.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_override_counts_by_the_operators_signature_its_scope_and_its_time() {
    let release = Made::of("1.0.0", 1);
    let sample = || order(1, deny());
    // (override, signer, refused, devices under it)
    let rows: Vec<(&str, Override, u8, bool, [usize; 2])> = vec![
        ("site", sample(), OPERATOR, false, [1, 1]),
        ("one device", Override { scope: Scope::Device(ueid(2)), ..sample() }, OPERATOR, false, [0, 1]),
        ("model", Override { scope: Scope::Model(url("1.0.0")), ..sample() }, OPERATOR, false, [1, 1]),
        (
            "another model",
            Override { scope: Scope::Model(url("2.0.0")), ..sample() },
            OPERATOR,
            false,
            [0, 0],
        ),
        ("by the verifier", sample(), VERIFIER, true, [0, 0]),
        ("not yet", Override { not_before: NOW + 1, ..sample() }, OPERATOR, false, [0, 0]),
        ("no longer", Override { not_before: NOW - 9, expires: NOW, ..sample() }, OPERATOR, false, [0, 0]),
    ];
    for (name, content, signer, refused, devices) in rows {
        let mut state = site(&release);
        state.take_in(&with(&release, &[content.sign(&key(signer))]), NOW);
        let codes: Vec<Code> = state.refused().values().map(|reason| reason.code).collect();
        assert_eq!(codes, if refused { vec![Code::OverrideRefused] } else { vec![] }, "{name}");
        assert_eq!([1, 2].map(|device| under(&state, device, NOW)), devices, "{name}");
        let wide = matches!(content.scope, Scope::Site | Scope::Model(_)) && devices == [1, 1];
        let baseline = state.baselines(NOW).into_iter().next().unwrap();
        assert_eq!(baseline.overrides.len(), usize::from(wide), "{name}");
    }
}

#[test]
fn an_override_changes_the_program_and_ends_by_the_clock() {
    let release = Made::of("1.0.0", 1);
    let mut state = site(&release);
    let plain = state.program(&release.key()).unwrap();
    let end = NOW + 100;
    let content = Override { not_before: NOW + 10, expires: end, ..order(1, deny()) };
    state.take_in(&with(&release, &[content.sign(&key(OPERATOR))]), NOW);
    assert_eq!((under(&state, 1, NOW), state.assess(&id(1), NOW).due), (0, Some(NOW + 10)));
    assert_eq!(state.overrides_due(NOW), Some(NOW + 10));

    let Target::Release(changed) = state.assess(&id(1), NOW + 10).target else { panic!("trusted") };
    assert_eq!(changed.overrides.len(), 1);
    assert_ne!(state.program(&changed).unwrap(), plain);
    assert_eq!(state.assess(&id(1), NOW + 10).due, Some(end));
    assert_eq!((under(&state, 1, end), state.overrides_due(end)), (0, None));

    // Gone, its policy cannot be made without it.
    state.take_in(&with(&release, &[]), end);
    assert_eq!(state.program(&changed).unwrap_err().code, Code::OverrideRefused);
}

#[test]
fn a_server_cannot_forget_or_bring_back_an_override() {
    let release = Made::of("1.0.0", 1);
    let mut state = site(&release);
    let signed = order(1, deny()).sign(&key(OPERATOR));
    state.take_in(&with(&release, std::slice::from_ref(&signed)), NOW);
    state.take_in(&with(&release, &[]), NOW);
    assert_eq!(under(&state, 1, NOW), 1, "a denial that the server no longer mentions");

    // The operator ends it with another of the same id, which begins later.
    let ended = Override { not_before: NOW + 1, expires: NOW + 2, ..order(1, deny()) }.sign(&key(OPERATOR));
    state.take_in(&with(&release, &[ended]), NOW);
    state.take_in(&with(&release, std::slice::from_ref(&signed)), NOW);
    assert_eq!(under(&state, 1, NOW + 2), 0);

    // Also when the other has ended, and the first would not have.
    for _ in 0..2 {
        state.take_in(&with(&release, std::slice::from_ref(&signed)), NOW + 3);
        assert_eq!(under(&state, 1, NOW + 3), 0);
    }
}

#[test]
fn an_override_survives_an_update_and_opens_nothing_in_quarantine() {
    let (one, two) = (Made::of("1.0.0", 1), Made::of("2.0.0", 2));
    let mut state = site(&one);
    let allow = order(1, Effect::Allow(flow("203.0.113.11/32"))).sign(&key(OPERATOR));
    state.take_in(&with(&one, std::slice::from_ref(&allow)), NOW);
    assert_eq!(under(&state, 1, NOW), 1);

    let result = Finding::good(1, &two).at(NOW + 1).signed();
    let mut next = answer(&[&one, &two], vec![listed(1, Some(&result)), listed(2, None)]);
    next.overrides = vec![Base64Url(allow)];
    state.take_in(&next, NOW + 1);
    let Target::Release(key) = state.assess(&id(1), NOW + 1).target else { panic!("trusted") };
    assert_eq!((key.release(), key.overrides.len()), (Some(&two.digest), 1));

    let bad = Finding::bad(1).at(NOW + 2).signed();
    next.devices = vec![listed(1, Some(&bad))];
    state.take_in(&next, NOW + 2);
    assert!(!is_wide(&state.assess(&id(1), NOW + 2)));
}
