//! A release that asks for much is applied with the network operator's approval only (threat N4), in any order.

use api::{Base64Url, GatewayState};
use crypto::{Digest, HashAlgorithm};
use gateway::control::{Anchors, State, Target};
use gateway::manager::{ApprovalRule, Sources};
use trust::{Approval, Code, Effect, Override};

use crate::site::{
    AUTHOR, Finding, Made, NOW, OPERATOR, Parts, STRANGER, VERIFIER, admit, anchors, answer, codes, id,
    is_wide, key, listed, mud_file, order,
};

/// A release whose file lets the device reach the whole Internet.
fn broad() -> Made {
    let file = mud_file("1.0.0", "0.0.0.0", 443).replace("0.0.0.0/32", "0.0.0.0/0");
    Parts { signed_file: file.clone(), file, ..Parts::of("1.0.0", 1) }.made()
}

/// A site that wants an approval for each.
fn strict() -> Anchors {
    Anchors { broad_mud_approved: false, ..anchors() }
}

fn approve(number: u8, release: Digest) -> Override {
    order(number, Effect::Approve(Approval { release, file: None }))
}

fn said(release: &Made, overrides: &[Vec<u8>]) -> GatewayState {
    let result = Finding::good(1, release).signed();
    let mut said = answer(&[release], vec![listed(1, Some(&result))]);
    said.overrides = overrides.iter().cloned().map(Base64Url).collect();
    said
}

fn gateway(release: &Made) -> State {
    let mut state = State::new(strict());
    admit(&mut state, 1, release, NOW);
    state
}

/// Whether the release's policy stands ready and its device has it; both or neither, and never without a reason.
fn is_open(state: &State, release: &Made, now: i64) -> bool {
    let made = state.assess(&id(1), now);
    let open = is_wide(&made);
    assert_eq!(state.baselines(now).contains(&release.key()), open);
    let waiting: Vec<_> = state.awaiting_approval(now).map(|(digest, why)| (*digest, why.code)).collect();
    if open {
        assert_eq!((codes(&made), waiting), (vec![], vec![]));
    } else {
        assert_eq!((made.target.clone(), codes(&made)), (Target::UpdateOnly, vec![Code::MudNeedsApproval]));
        assert_eq!(waiting, [(release.digest, Code::MudNeedsApproval)]);
    }
    open
}

#[test]
fn an_approval_counts_before_the_release_and_after_it_was_held_back() {
    let release = broad();
    let signed = [approve(1, release.digest).sign(&key(OPERATOR))];
    // After.
    let mut state = gateway(&release);
    state.take_in(&said(&release, &[]), NOW);
    assert!(!is_open(&state, &release, NOW));
    state.take_in(&said(&release, &signed), NOW);
    assert!(is_open(&state, &release, NOW));
    let key = release.key();
    assert_eq!(state.assess(&id(1), NOW).target, Target::Release(key.clone()), "under no override");
    assert!(state.program(&key).is_ok());
    // Before.
    let mut state = gateway(&release);
    let mut first = said(&release, &signed);
    first.releases.clear();
    state.take_in(&first, NOW);
    state.take_in(&said(&release, &[]), NOW);
    assert!(is_open(&state, &release, NOW));
}

#[test]
fn only_the_operators_own_approval_of_this_release_and_file_opens_anything() {
    let release = broad();
    let other = Digest::of(HashAlgorithm::Sha256, b"other");
    let good = || approve(1, release.digest);
    let other_file = Effect::Approve(Approval { release: release.digest, file: Some(other) });
    let rows: [(&str, Override, u8, bool); 7] = [
        ("by a stranger", good(), STRANGER, true),
        ("by the author", good(), AUTHOR, true),
        ("by the verifier, whose key is for results", good(), VERIFIER, true),
        ("of another release", approve(1, other), OPERATOR, false),
        ("of another file", Override { effect: other_file, ..good() }, OPERATOR, false),
        ("not yet", Override { not_before: NOW + 1, ..good() }, OPERATOR, false),
        ("no longer", Override { not_before: NOW - 9, expires: NOW, ..good() }, OPERATOR, false),
    ];
    for (name, content, signer, refused) in rows {
        let mut state = gateway(&release);
        let signed = content.sign(&key(signer));
        state.take_in(&said(&release, std::slice::from_ref(&signed)), NOW);
        assert!(!is_open(&state, &release, NOW), "{name}");
        let codes: Vec<Code> = state.refused().values().map(|reason| reason.code).collect();
        assert_eq!(codes, if refused { vec![Code::OverrideRefused] } else { vec![] }, "{name}");
        // Nor with a byte of the good one changed.
        let mut forged = good().sign(&key(OPERATOR));
        let at = forged.windows(32).position(|bytes| bytes == release.digest.as_bytes()).unwrap();
        forged[at] ^= 1;
        state.take_in(&said(&release, &[forged]), NOW);
        assert!(!is_open(&state, &release, NOW), "{name}");
    }
}

#[test]
fn an_approval_ends_by_the_clock_and_by_the_operators_later_word() {
    let release = broad();
    let mut state = gateway(&release);
    let end = NOW + 50;
    let signed = Override { expires: end, ..approve(1, release.digest) }.sign(&key(OPERATOR));
    state.take_in(&said(&release, std::slice::from_ref(&signed)), NOW);
    assert_eq!((state.assess(&id(1), NOW).due, state.overrides_due(NOW)), (Some(end), Some(end)));
    assert!(is_open(&state, &release, end - 1) && !is_open(&state, &release, end));

    // A server cannot bring back what the operator took back.
    let taken_back = Override { not_before: NOW + 1, expires: NOW + 2, ..approve(1, release.digest) };
    state.take_in(&said(&release, &[taken_back.sign(&key(OPERATOR))]), NOW + 1);
    for now in [NOW + 2, NOW + 3] {
        state.take_in(&said(&release, std::slice::from_ref(&signed)), now);
        assert!(!is_open(&state, &release, now));
    }
}

#[test]
fn an_approval_and_what_awaits_one_survive_the_process() {
    let release = broad();
    for overrides in [vec![], vec![approve(1, release.digest).sign(&key(OPERATOR))]] {
        let mut before = gateway(&release);
        before.take_in(&said(&release, &overrides), NOW);
        let changed = before.take_changed();
        let saved = gateway::control::Saved {
            site: before.saved_site(),
            releases: changed.releases.iter().filter_map(|digest| before.saved_release(digest)).collect(),
            devices: changed.devices.iter().filter_map(|device| before.saved_device(device)).collect(),
            ..Default::default()
        };
        let mut after = State::restore(strict(), &saved, NOW);
        after.take_in(&said(&release, &[]), NOW);
        assert_eq!(is_open(&after, &release, NOW), !overrides.is_empty());
    }
}

#[test]
fn a_site_may_apply_every_broad_file() {
    let release = broad();
    let mut state = State::new(anchors());
    admit(&mut state, 1, &release, NOW);
    state.take_in(&said(&release, &[]), NOW);
    assert!(is_open(&state, &release, NOW));
}

/// A site at which releases that permit more than those before them wait.
fn careful(approval: ApprovalRule) -> State {
    State::new(Anchors { sources: Sources { approval, ..Sources::default() }, ..anchors() })
}

fn all_open(state: &State, releases: &[&Made]) -> Vec<bool> {
    let open = state.baselines(NOW);
    releases.iter().map(|release| open.contains(&release.key())).collect()
}

#[test]
fn a_release_that_permits_more_than_the_one_before_waits_where_the_site_wants_it() {
    let first = Parts::of("1.0.0", 1).made();
    let same = Parts::of("1.1.0", 2).made();
    let wider = Parts::of("1.2.0", 3).reaching("203.0.113.11", 443).made();
    let after = Parts::of("1.3.0", 4).reaching("203.0.113.11", 443).made();
    let releases = [&first, &same, &wider, &after];
    for (rule, expected) in [
        (ApprovalRule::Broad, [true, true, true, true]),
        (ApprovalRule::Wider, [true, true, false, false]),
        (ApprovalRule::Every, [false, false, false, false]),
    ] {
        let mut state = careful(rule);
        state.take_in(&answer(&releases, vec![]), NOW);
        assert_eq!(all_open(&state, &releases), expected, "{rule:?}");
        let waiting: Vec<_> = state.awaiting_approval(NOW).map(|(_, why)| why.code).collect();
        assert_eq!(waiting.len(), expected.iter().filter(|open| !**open).count());
        assert!(waiting.iter().all(|code| *code == Code::MudNeedsApproval));
    }
    // A device that runs it reaches attestation and update only, until it is approved. What permits no more than an
    // approved one needs no approval of its own.
    let mut state = careful(ApprovalRule::Wider);
    let result = Finding::good(1, &wider).signed();
    let mut said = answer(&releases, vec![listed(1, Some(&result))]);
    state.take_in(&said, NOW);
    let made = state.assess(&id(1), NOW);
    assert_eq!((made.target, made.reasons[0].code), (Target::UpdateOnly, Code::MudNeedsApproval));
    let approved = approve(1, wider.digest);
    said.overrides = vec![Base64Url(approved.sign(&key(OPERATOR)))];
    state.take_in(&said, NOW);
    assert!(is_wide(&state.assess(&id(1), NOW)));
    assert_eq!(all_open(&state, &releases), [true; 4]);
    let after_end = state.baselines(approved.expires);
    assert!(!after_end.contains(&wider.key()) && !after_end.contains(&after.key()));
    assert!(!is_wide(&state.assess(&id(1), approved.expires)));
}

#[test]
fn a_server_that_hides_the_release_before_opens_nothing_by_it() {
    let first = Parts::of("1.0.0", 1).made();
    let wider = Parts::of("1.2.0", 3).reaching("203.0.113.11", 443).made();
    let mut state = careful(ApprovalRule::Wider);
    state.take_in(&answer(&[&first], vec![]), NOW);
    state.take_in(&answer(&[], vec![]), NOW);
    state.take_in(&answer(&[&wider], vec![]), NOW);
    assert_eq!(all_open(&state, &[&wider]), [false]);
    // Over a restart too.
    let changed = state.take_changed();
    let saved = gateway::control::Saved {
        site: state.saved_site(),
        releases: changed.releases.iter().filter_map(|digest| state.saved_release(digest)).collect(),
        ..Default::default()
    };
    let sources = Sources { approval: ApprovalRule::Wider, ..Sources::default() };
    let mut again = State::restore(Anchors { sources, ..anchors() }, &saved, NOW);
    again.take_in(&answer(&[&wider], vec![]), NOW);
    assert_eq!(all_open(&again, &[&first, &wider]), [true, false]);
}
