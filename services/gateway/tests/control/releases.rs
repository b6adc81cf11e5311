//! Which releases are accepted, and which policies stand ready.

use gateway::control::{State, Target};
use trust::Code;

use crate::site::{
    Finding, Made, NOW, Parts, STRANGER, admit, anchors, answer, codes, id, is_wide, listed, mud_file, text,
};

#[test]
fn a_release_is_accepted_by_its_author_and_its_mud_signer() {
    let good = || Parts::of("1.0.0", 1);
    let rows: [(&str, Parts, Option<Code>); 5] = [
        ("good", good(), None),
        (
            "by an author without authority",
            Parts { author: STRANGER, ..good() },
            Some(Code::BadManifestSignature),
        ),
        (
            "with another MUD file than the signed one",
            Parts { file: mud_file("1.0.0", "203.0.113.66", 443), ..good() },
            Some(Code::MudSignerMismatch),
        ),
        (
            "with a MUD file by another signer than the pinned one",
            Parts { mud_signer: STRANGER, ..good() },
            Some(Code::MudSignerMismatch),
        ),
        ("without network needs", Parts { with_mud: false, ..good() }, Some(Code::MudMissing)),
    ];
    for (name, parts, refused) in rows {
        let made = parts.made();
        let mut state = State::new(anchors());
        let result = Finding::good(1, &made).signed();
        admit(&mut state, 1, &made, NOW);
        state.take_in(&answer(&[&made], vec![listed(1, Some(&result))]), NOW);
        let object = format!("release:{}", text(made.digest.as_bytes()));
        assert_eq!(state.refused().get(&object).map(|reason| reason.code), refused, "{name}");
        assert_eq!(state.baselines(NOW).contains(&made.key()), refused.is_none(), "{name}");
        // An affirming result about a release that this site does not accept opens nothing.
        let assessed = state.assess(&id(1), NOW);
        assert_eq!(is_wide(&assessed), refused.is_none(), "{name}");
        assert_eq!(
            codes(&assessed),
            refused.map(|_| Code::NoReference).into_iter().collect::<Vec<_>>(),
            "{name}"
        );
    }
}

#[test]
fn a_refused_envelope_does_not_displace_the_accepted_one() {
    let parts = Parts::of("1.0.0", 1);
    let good = parts.made();
    let swapped = Parts { file: mud_file("1.0.0", "203.0.113.66", 443), ..parts }.made();
    assert_eq!(good.digest, swapped.digest, "the manifest pins the signer, not the file");
    let mut state = State::new(anchors());
    state.take_in(&answer(&[&good], vec![]), NOW);
    let before = state.program(&good.key()).unwrap();
    state.take_in(&answer(&[&swapped], vec![]), NOW);
    assert_eq!(state.refused().len(), 1);
    assert_eq!(state.program(&good.key()).unwrap(), before);
}

#[test]
fn the_policy_is_that_of_the_release_which_was_attested() {
    let (one, two) = (Made::of("1.0.0", 1), Made::of("2.0.0", 2));
    let mut state = State::new(anchors());
    admit(&mut state, 1, &one, NOW);
    let mut device = listed(1, None);
    device.offered = Some(text(two.digest.as_bytes()));
    state.take_in(&answer(&[&one, &two], vec![device]), NOW);
    assert_eq!(state.baselines(NOW), [one.key(), two.key()].into(), "both stand ready");
    assert_eq!(state.assess(&id(1), NOW).target, Target::Release(one.key()), "an offer opens nothing");

    let result = Finding::good(1, &two).at(NOW + 1).signed();
    state.take_in(&answer(&[&one, &two], vec![listed(1, Some(&result))]), NOW + 1);
    assert_eq!(state.assess(&id(1), NOW + 1).target, Target::Release(two.key()));
}

#[test]
fn a_revoked_release_is_revoked_for_ever() {
    let release = Made::of("1.0.0", 1);
    let mut state = State::new(anchors());
    admit(&mut state, 1, &release, NOW);
    let mut revoked = answer(&[], vec![listed(1, None)]);
    revoked.revoked = vec![text(release.digest.as_bytes())];
    state.take_in(&answer(&[&release], vec![listed(1, None)]), NOW);
    assert!(is_wide(&state.assess(&id(1), NOW)));
    state.take_in(&revoked, NOW);
    let made = state.assess(&id(1), NOW);
    assert_eq!((made.target.clone(), codes(&made)), (Target::UpdateOnly, vec![Code::ReleaseRevoked]));
    assert_eq!(state.baselines(NOW), [].into());

    // A server that takes it back is not believed, because it did not sign.
    state.take_in(&answer(&[&release], vec![listed(1, None)]), NOW);
    assert_eq!(state.assess(&id(1), NOW).target, Target::UpdateOnly);
    assert_eq!(state.baselines(NOW), [].into());
}

#[test]
fn a_release_stays_as_long_as_somebody_runs_it() {
    let (one, two) = (Made::of("1.0.0", 1), Made::of("2.0.0", 2));
    let mut state = State::new(anchors());
    admit(&mut state, 1, &one, NOW);
    state.take_in(&answer(&[&one, &two], vec![listed(1, None)]), NOW);
    state.take_in(&answer(&[], vec![listed(1, None)]), NOW);
    assert_eq!(state.baselines(NOW), [one.key()].into());
    assert!(is_wide(&state.assess(&id(1), NOW)));
    assert_eq!(state.take_changed().forgotten, [two.digest].into());
}
