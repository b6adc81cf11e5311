//! Which results are believed, and what each makes of a device.

use api::Restriction;
use gateway::control::{Anchors, State, Target};
use trust::{Code, Violation};

use crate::site::{
    Finding, LIFETIME, Made, NOW, STRANGER, admit, anchors, answer, codes, id, is_wide, listed, of_device,
    text, ueid,
};

/// A gateway where device 1 was admitted a minute ago with a good result.
fn admitted(release: &Made) -> State {
    let mut state = State::new(anchors());
    admit(&mut state, 1, release, NOW - 60);
    state.take_in(&answer(&[release], vec![listed(1, None)]), NOW - 60);
    assert!(is_wide(&state.assess(&id(1), NOW - 60)));
    state
}

#[test]
fn a_result_counts_by_its_signature_its_device_its_key_and_its_time() {
    let (release, other) = (Made::of("1.0.0", 1), Made::of("2.0.0", 2));
    let good = || Finding::good(1, &release);
    /// What is tried, the finding, what it is refused with, whether the release's policy applies, and the reasons.
    type Row = (&'static str, Finding, Option<Code>, bool, Vec<Code>);
    let rows: Vec<Row> = vec![
        ("newer and good", good(), None, true, vec![]),
        ("newer and bad", Finding::bad(1), None, false, vec![Code::DigestMismatch]),
        (
            "signed by another",
            Finding { verifier: STRANGER, ..Finding::bad(1) },
            Some(Code::ResultSigner),
            true,
            vec![],
        ),
        (
            "of another device",
            Finding { device: 2, ..Finding::bad(1) },
            Some(Code::ResultBinding),
            true,
            vec![],
        ),
        (
            "by another key of the device",
            Finding { key: Some(of_device(2)), ..Finding::bad(1) },
            Some(Code::ResultBinding),
            true,
            vec![],
        ),
        (
            "bound to no key",
            Finding { key: None, ..Finding::bad(1) },
            Some(Code::ResultBinding),
            true,
            vec![],
        ),
        ("older and bad", Finding::bad(1).at(NOW - 61), None, true, vec![]),
        ("of the same second and bad", Finding::bad(1).at(NOW - 60), None, false, vec![Code::DigestMismatch]),
        ("from the future", Finding::bad(1).at(NOW + 61), Some(Code::MalformedObject), true, vec![]),
        ("of a release that is not accepted", Finding::good(1, &other), None, false, vec![Code::NoReference]),
        (
            "past its end",
            Finding { expires: NOW, ..good().at(NOW - 10) },
            None,
            false,
            vec![Code::EvidenceOverdue],
        ),
    ];
    for (name, finding, refused, wide, reasons) in rows {
        let mut state = admitted(&release);
        let result = finding.signed();
        state.take_in(&answer(&[&release], vec![listed(1, Some(&result))]), NOW);
        let object = format!("result:{}", text(&ueid(1)));
        assert_eq!(state.refused().get(&object).map(|reason| reason.code), refused, "{name}");
        let made = state.assess(&id(1), NOW);
        assert_eq!((is_wide(&made), codes(&made)), (wide, reasons), "{name}");
    }
}

#[test]
fn an_edited_result_is_refused_at_every_byte() {
    let release = Made::of("1.0.0", 1);
    let result = Finding::bad(1).signed();
    let kid = result.windows(8).position(|window| window == b"verifier").unwrap();
    let bucket = kid - 3..kid + 8;
    for at in 0..result.len() {
        let mut state = admitted(&release);
        let mut edited = result.clone();
        edited[at] ^= 1;
        state.take_in(&answer(&[&release], vec![listed(1, Some(&edited))]), NOW);
        // No signature covers the key identifier, which is a hint: whatever it says, the anchor decides, and the
        // result says what was signed.
        let refused = !state.refused().is_empty();
        assert!(refused || bucket.contains(&at), "byte {at}");
        assert_eq!(is_wide(&state.assess(&id(1), NOW)), refused, "byte {at}");
    }
}

#[test]
fn an_older_result_never_displaces_a_newer_one() {
    let release = Made::of("1.0.0", 1);
    let mut state = admitted(&release);
    let bad = Finding::bad(1).signed();
    state.take_in(&answer(&[&release], vec![listed(1, Some(&bad))]), NOW);
    for issued in [NOW - 30, NOW] {
        let good = Finding::good(1, &release).at(issued).signed();
        state.take_in(&answer(&[&release], vec![listed(1, Some(&good))]), NOW);
        assert_eq!(state.assess(&id(1), NOW).target, Target::UpdateOnly, "issued {issued}");
    }
    let good = Finding::good(1, &release).at(NOW + 1).signed();
    state.take_in(&answer(&[&release], vec![listed(1, Some(&good))]), NOW + 1);
    assert!(is_wide(&state.assess(&id(1), NOW + 1)));
}

#[test]
fn a_result_ends_by_the_clock_of_the_gateway() {
    let release = Made::of("1.0.0", 1);
    let state = admitted(&release);
    let end = NOW - 60 + LIFETIME;
    assert_eq!(state.assess(&id(1), end - 1).due, Some(end));
    assert!(is_wide(&state.assess(&id(1), end - 1)));
    let made = state.assess(&id(1), end);
    assert_eq!((made.target.clone(), codes(&made)), (Target::UpdateOnly, vec![Code::EvidenceOverdue]));
}

#[test]
fn what_nobody_signed_narrows_and_no_more() {
    let release = Made::of("1.0.0", 1);
    let good = Finding::good(1, &release).signed();

    // Held, more and more.
    let mut state = admitted(&release);
    let mut device = listed(1, Some(&good));
    for (held, target, code) in [
        (Restriction::UpdateOnly, Target::UpdateOnly, Code::OperatorQuarantine),
        (Restriction::Blocked, Target::Blocked, Code::OperatorBlock),
    ] {
        device.held = Some(held);
        state.take_in(&answer(&[&release], vec![device.clone()]), NOW);
        let made = state.assess(&id(1), NOW);
        assert_eq!((made.target.clone(), codes(&made)), (target, vec![code]));
    }

    // No longer listed.
    state.take_in(&answer(&[&release], vec![]), NOW);
    let made = state.assess(&id(1), NOW);
    assert_eq!(made.target, Target::Blocked, "and still held");
    state.take_in(&answer(&[&release], vec![listed(1, Some(&good))]), NOW);
    assert!(is_wide(&state.assess(&id(1), NOW)));
    state.take_in(&answer(&[&release], vec![]), NOW);
    let made = state.assess(&id(1), NOW);
    assert_eq!((made.target.clone(), codes(&made)), (Target::UpdateOnly, vec![Code::UnknownDevice]));

    // A device that never attested, whatever the server calls it.
    let mut device = listed(2, None);
    device.mud_url = Some("https://mud.maker.example/cam-1.0.0.json".into());
    device.offered = Some(text(release.digest.as_bytes()));
    state.take_in(&answer(&[&release], vec![device]), NOW);
    let made = state.assess(&id(2), NOW);
    assert_eq!((made.target.clone(), codes(&made)), (Target::UpdateOnly, vec![Code::NeverAttested]));
}

#[test]
fn a_violating_device_is_cut_where_the_site_wants_it() {
    let release = Made::of("1.0.0", 1);
    let dropped = || Violation { at: NOW, count: 3, target: "203.0.113.66 tcp port 23".into() };
    for restrict in [false, true] {
        let mut anchors = anchors();
        if restrict {
            anchors.policy.violating_access = trust::Access::UpdateOnly;
        }
        let window = anchors.policy.violation_window;
        let mut state = State::new(anchors);
        admit(&mut state, 1, &release, NOW);
        state.take_in(&answer(&[&release], vec![listed(1, None)]), NOW);
        for _ in 0..2 * State::MAX_VIOLATIONS {
            state.violated(&id(1), dropped());
        }
        let made = state.assess(&id(1), NOW);
        assert_eq!(codes(&made), [Code::ForbiddenFlow]);
        assert_eq!(is_wide(&made), !restrict);
        let later = NOW + window.min(LIFETIME - 1);
        assert_eq!(is_wide(&state.assess(&id(1), later)), !restrict || later >= NOW + window);
    }
}

/// Good and bad evidence in turn, once a second for ten minutes: the device is let go at once after the first time, and later after
/// each further one.
#[test]
fn evidence_that_is_good_and_bad_in_turn_moves_a_device_a_few_times_only() {
    let release = Made::of("1.0.0", 1);
    let run = |settle: i64| {
        let mut state = State::new(Anchors { settle, ..anchors() });
        admit(&mut state, 1, &release, NOW - 60);
        state.take_in(&answer(&[&release], vec![listed(1, None)]), NOW - 60);
        let (mut moves, mut wide) = (0, true);
        let mut last = Vec::new();
        for second in 0..600 {
            let now = NOW + second;
            let finding = if second % 2 == 0 { Finding::bad(1) } else { Finding::good(1, &release) };
            let result = finding.at(now).signed();
            state.take_in(&answer(&[&release], vec![listed(1, Some(&result))]), now);
            let made = state.assess(&id(1), now);
            moves += u32::from(is_wide(&made) != wide);
            wide = is_wide(&made);
            if second % 2 == 1 {
                last = codes(&made);
                // It is looked at again when the wait is over.
                assert!(wide || made.due.is_some_and(|due| due > now), "second {second}");
            }
        }
        (moves, last, state)
    };
    assert_eq!(run(0).0, 600, "nothing is damped unless the site wants it");
    let (moves, last, mut state) = run(15);
    assert!(moves <= 4, "{moves} moves");
    assert_eq!(last, [Code::Unsettled]);
    // Good evidence that stays good lets it go in the end.
    let later = NOW + 600 + 601;
    let result = Finding::good(1, &release).at(later).signed();
    state.take_in(&answer(&[&release], vec![listed(1, Some(&result))]), later);
    assert!(is_wide(&state.assess(&id(1), later)));
}
