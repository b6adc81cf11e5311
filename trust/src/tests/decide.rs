//! Table of every posture and every reason a decision can give.

use alloc::{string::ToString, vec, vec::Vec};

use crypto::{Digest, HashAlgorithm};
use eat::Tier;

use crate::{
    Access, Approval, Broad, Code, Decision, Hold, Inputs, Outcome, OverlayInForce, Policy, Posture, Reason,
    ReleaseStanding, Restriction, Standing, Violation, decide,
};

const NOW: i64 = 1_800_000_000;
const DEVICE: &[u8] = &[1; 17];

fn digest(text: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, text.as_bytes())
}

fn affirming() -> Outcome {
    Outcome {
        object: digest("result"),
        tier: Tier::Affirming,
        release: Some(digest("1.0")),
        reasons: Vec::new(),
        issued: NOW - 10,
        expires: NOW + 290,
    }
}

fn refused(code: Code) -> Outcome {
    Outcome { tier: Tier::Contraindicated, release: None, reasons: vec![code.into()], ..affirming() }
}

fn release(standing: Standing) -> Vec<ReleaseStanding> {
    vec![ReleaseStanding { release: digest("1.0"), version: "1.0".into(), standing, broad: None }]
}

struct Case {
    outcome: Option<Outcome>,
    releases: Vec<ReleaseStanding>,
    overlays: Vec<OverlayInForce>,
    violations: Vec<Violation>,
    hold: Option<Hold>,
    spared: bool,
    policy: Policy,
    now: i64,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            outcome: Some(affirming()),
            releases: release(Standing::Current),
            overlays: vec![],
            violations: vec![],
            hold: None,
            spared: false,
            policy: Policy::default(),
            now: NOW,
        }
    }
}

impl Case {
    fn decide(&self) -> Decision {
        decide(&Inputs {
            device: DEVICE,
            outcome: self.outcome.as_ref(),
            releases: &self.releases,
            overlays: &self.overlays,
            violations: &self.violations,
            hold: self.hold.as_ref(),
            spared: self.spared,
            policy: &self.policy,
            now: self.now,
        })
    }
}

fn codes(decision: &Decision) -> Vec<Code> {
    decision.reasons.iter().map(|reason| reason.code).collect()
}

#[test]
fn gives_each_posture_its_reasons_and_its_access() {
    use Posture::*;
    let superseded = |since| release(Standing::Superseded { by: "1.1".into(), since });
    let grace = Policy::default().supersede_grace;
    let rows: Vec<(Case, Posture, &[Code], Access)> = vec![
        (Case::default(), Trusted, &[], Access::Release),
        (Case { outcome: None, ..Case::default() }, Unknown, &[Code::NeverAttested], Access::UpdateOnly),
        (Case { releases: vec![], ..Case::default() }, Unknown, &[Code::NoReference], Access::UpdateOnly),
        (Case { now: NOW + 290, ..Case::default() }, Stale, &[Code::EvidenceOverdue], Access::UpdateOnly),
        (Case { releases: superseded(NOW - grace + 1), ..Case::default() }, Trusted, &[], Access::Release),
        (
            Case { releases: superseded(NOW - grace), ..Case::default() },
            Outdated,
            &[Code::Superseded],
            Access::UpdateOnly,
        ),
        (
            Case { releases: release(Standing::Revoked { why: "leak".into() }), ..Case::default() },
            Outdated,
            &[Code::ReleaseRevoked],
            Access::UpdateOnly,
        ),
        (
            Case { releases: release(Standing::Flawed { flaw: "CVE-2026-1".into() }), ..Case::default() },
            Outdated,
            &[Code::KnownFlaw],
            Access::UpdateOnly,
        ),
        (
            Case {
                outcome: Some(Outcome { tier: Tier::Warning, release: None, ..affirming() }),
                ..Case::default()
            },
            Unknown,
            &[Code::NotAffirmed],
            Access::UpdateOnly,
        ),
        (
            Case {
                outcome: Some(Outcome { tier: Tier::Contraindicated, release: None, ..affirming() }),
                ..Case::default()
            },
            Untrusted,
            &[Code::NotAffirmed],
            Access::UpdateOnly,
        ),
        (
            // Affirming, yet it names no release: nothing says which flows to open.
            Case { outcome: Some(Outcome { release: None, ..affirming() }), ..Case::default() },
            Unknown,
            &[Code::NotAffirmed],
            Access::UpdateOnly,
        ),
        (
            // What was found wrong does not get better by waiting.
            Case { outcome: Some(refused(Code::DigestMismatch)), now: NOW + 400, ..Case::default() },
            Untrusted,
            &[Code::DigestMismatch, Code::EvidenceOverdue],
            Access::UpdateOnly,
        ),
    ];
    for (case, posture, reasons, access) in rows {
        let decision = case.decide();
        assert_eq!(
            (decision.posture, codes(&decision).as_slice(), decision.access),
            (posture, reasons, access)
        );
    }
}

#[test]
fn every_code_a_verifier_can_give_keeps_the_device_from_being_trusted() {
    for code in Code::ALL {
        let decision = Case { outcome: Some(refused(*code)), ..Case::default() }.decide();
        assert_ne!(decision.posture, Posture::Trusted, "{code}");
        assert_eq!(decision.access, Access::UpdateOnly, "{code}");
        assert!(codes(&decision).contains(code), "{code} must reach the decision unchanged");
        // Not even a result that calls itself affirming outweighs a reason.
        let contradictory = Outcome { reasons: vec![(*code).into()], ..affirming() };
        let decision = Case { outcome: Some(contradictory), ..Case::default() }.decide();
        assert_ne!(decision.posture, Posture::Trusted, "{code}");
    }
}

#[test]
fn a_result_is_good_for_no_longer_than_policy_says() {
    let long = Outcome { expires: NOW + 100_000, ..affirming() };
    let case = Case { outcome: Some(long), ..Case::default() };
    assert_eq!(case.decide().due, Some(NOW + 290));
    assert_eq!(Case { now: NOW + 290, ..case }.decide().posture, Posture::Stale);
}

#[test]
fn violations_mark_within_their_window_and_restrict_only_by_policy() {
    let violation = Violation { at: NOW - 5, count: 3, target: "203.0.113.9 tcp 23".into() };
    let mut case = Case { violations: vec![violation], ..Case::default() };
    let decision = case.decide();
    assert!(decision.violating);
    assert_eq!((decision.posture, decision.access), (Posture::Trusted, Access::Release));
    assert_eq!(
        decision.reasons,
        [Reason::new(Code::ForbiddenFlow).with("count", 3).with("target", "203.0.113.9 tcp 23")]
    );
    case.policy.violating_access = Access::UpdateOnly;
    assert_eq!(case.decide().access, Access::UpdateOnly);
    case.policy.violation_threshold = 4;
    assert!(!case.decide().violating);
    case.policy.violation_threshold = 1;
    case.now = NOW - 5 + case.policy.violation_window;
    assert!(!case.decide().violating);
}

#[test]
fn a_device_is_let_go_when_a_whole_window_was_quiet() {
    let seen = |at: i64| Violation { at, count: 1, target: "203.0.113.9 tcp 23".into() };
    let outcome = Some(Outcome { expires: NOW + 100_000, ..affirming() });
    let violations = vec![seen(NOW - 500), seen(NOW - 5)];
    let mut case = Case { outcome, violations, ..Case::default() };
    case.policy.result_lifetime = 100_000;
    (case.policy.violation_threshold, case.policy.violating_access) = (2, Access::UpdateOnly);
    let window = case.policy.violation_window;
    let decision = case.decide();
    assert_eq!((decision.access, decision.due), (Access::UpdateOnly, Some(NOW - 5 + window)));
    // The first is old by then, and the second is not.
    case.now = NOW - 500 + window;
    assert_eq!(case.decide().access, Access::UpdateOnly);
    case.now = NOW - 5 + window;
    assert_eq!(case.decide().access, Access::Release);
    // Two that are further apart are not two in a window.
    case.now = NOW;
    case.violations = vec![seen(NOW - 5 - window), seen(NOW - 5)];
    assert!(!case.decide().violating);
    // A window of no time at all marks nobody.
    case.policy.violation_window = 0;
    assert!(!case.decide().violating);
}

#[test]
fn a_persons_block_closes_everything_until_its_end() {
    let hold = hold(Restriction::Blocked, Some(NOW + 60));
    let mut case = Case { hold: Some(hold), ..Case::default() };
    let decision = case.decide();
    assert!(decision.held);
    assert_eq!((decision.posture, decision.access), (Posture::Trusted, Access::Blocked));
    assert_eq!(codes(&decision), [Code::OperatorBlock]);
    assert_eq!(decision.due, Some(NOW + 60));
    case.now = NOW + 60;
    assert_eq!(case.decide().access, Access::Release);
}

fn hold(restriction: Restriction, until: Option<i64>) -> Hold {
    Hold { restriction, person: "Nadia".into(), why: "smells".into(), until }
}

#[test]
fn a_persons_quarantine_leaves_the_way_to_the_cure_whatever_the_evidence_says() {
    let quarantine = |until| Some(hold(Restriction::UpdateOnly, until));
    let mut case = Case { hold: quarantine(Some(NOW + 60)), ..Case::default() };
    let decision = case.decide();
    assert!(decision.held);
    assert_eq!((decision.posture, decision.access), (Posture::Trusted, Access::UpdateOnly));
    let reason = Reason::new(Code::OperatorQuarantine);
    let reason = reason.with("person", "Nadia").with("reason", "smells").with("until", NOW + 60);
    assert_eq!((decision.reasons.as_slice(), decision.due), ([reason].as_slice(), Some(NOW + 60)));
    case.now = NOW + 60;
    assert_eq!((case.decide().held, case.decide().access), (false, Access::Release));

    // Beside all other reasons, and without an end of its own.
    let case =
        Case { outcome: Some(refused(Code::DigestMismatch)), hold: quarantine(None), ..Case::default() };
    let decision = case.decide();
    assert_eq!(codes(&decision), [Code::DigestMismatch, Code::OperatorQuarantine]);
    assert_eq!((decision.posture, decision.access), (Posture::Untrusted, Access::UpdateOnly));

    // It never gives what a policy takes.
    let policy = Policy { outdated_access: Access::Blocked, ..Policy::default() };
    let releases = release(Standing::Revoked { why: "leak".into() });
    let case = Case { releases, policy, hold: quarantine(None), ..Case::default() };
    assert_eq!(case.decide().access, Access::Blocked);
}

#[test]
fn a_restriction_that_is_not_known_closes_everything() {
    for restriction in [Restriction::Blocked, Restriction::UpdateOnly] {
        assert_eq!(Restriction::from_text(restriction.as_str()), restriction);
    }
    for unknown in ["", "Update-only", "release", "none"] {
        assert_eq!(Restriction::from_text(unknown), Restriction::Blocked, "{unknown}");
    }
}

/// An approval of this release, and of this file or any.
fn approval(release: &str, file: Option<&str>, from: i64, until: i64) -> OverlayInForce {
    let approves = Some(Approval { release: digest(release), file: file.map(digest) });
    OverlayInForce { object: digest("approval"), not_before: from, expires: until, approves, observes: false }
}

#[test]
fn a_broad_file_gives_its_flows_only_while_an_approval_is_in_force() {
    let why = Reason::new(Code::MudNeedsApproval).with("breadth", 80);
    let broad = Some(Broad { file: digest("file"), why: why.clone() });
    let releases =
        release(Standing::Current).into_iter().map(|known| ReleaseStanding { broad: broad.clone(), ..known });
    let case = Case { releases: releases.collect(), ..Case::default() };
    let under = |overlays: Vec<OverlayInForce>, now| {
        let outcome = Some(Outcome { issued: now, expires: now + 290, ..affirming() });
        Case { overlays, now, outcome, releases: case.releases.clone(), ..Case::default() }.decide()
    };
    let refused = case.decide();
    assert_eq!((refused.posture, refused.access), (Posture::Trusted, Access::UpdateOnly));
    assert_eq!(refused.reasons.as_slice(), core::slice::from_ref(&why));
    for (file, until) in [(None, NOW + 50), (Some("file"), NOW + 50)] {
        let approvals = vec![approval("1.0", file, NOW, until)];
        let decision = under(approvals.clone(), NOW);
        assert_eq!(
            (decision.access, decision.reasons.len(), decision.due),
            (Access::Release, 0, Some(until))
        );
        assert!(decision.rests_on.contains(&digest("approval")));
        let ended = under(approvals, until);
        assert_eq!(
            (ended.access, ended.reasons.as_slice()),
            (Access::UpdateOnly, core::slice::from_ref(&why))
        );
    }
    // Of another release or file, to come, or over.
    for other in [
        approval("1.1", None, NOW, NOW + 50),
        approval("1.0", Some("other file"), NOW, NOW + 50),
        approval("1.0", None, NOW + 20, NOW + 50),
        approval("1.0", None, NOW - 50, NOW),
    ] {
        let decision = under(vec![other], NOW);
        assert_eq!(
            (decision.access, decision.reasons.as_slice()),
            (Access::UpdateOnly, core::slice::from_ref(&why))
        );
        assert!(!decision.rests_on.contains(&digest("approval")));
    }
    assert_eq!(under(vec![approval("1.0", None, NOW + 20, NOW + 50)], NOW).due, Some(NOW + 20));
    // It opens nothing else: neither quarantine nor what its evidence does not give.
    let case = Case {
        overlays: vec![approval("1.0", None, NOW, NOW + 50)],
        hold: Some(hold(Restriction::UpdateOnly, None)),
        ..case
    };
    assert_eq!(codes(&case.decide()), [Code::OperatorQuarantine]);
    assert_eq!(case.decide().access, Access::UpdateOnly);
    // Nor does one touch a release that asks for little.
    let narrow = Case { overlays: case.overlays.clone(), ..Case::default() }.decide();
    assert!(!narrow.rests_on.contains(&digest("approval")));
}

#[test]
fn names_what_it_rests_on_and_when_it_is_due() {
    let overlay = |name: &str, from, until| OverlayInForce {
        object: digest(name),
        not_before: from,
        expires: until,
        approves: None,
        observes: false,
    };
    let case = Case {
        overlays: vec![
            overlay("now", NOW - 1, NOW + 50),
            overlay("later", NOW + 20, NOW + 90),
            overlay("over", NOW - 50, NOW),
        ],
        ..Case::default()
    };
    let decision = case.decide();
    assert_eq!(decision.rests_on, [digest("result"), digest("1.0"), digest("now")]);
    assert_eq!(decision.due, Some(NOW + 20));
    assert_eq!(decision.policy, case.policy.digest());
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let case = Case::default();
    assert_eq!(case.decide().encode(), case.decide().encode());
    let other = Case { now: NOW + 1, ..Case::default() };
    assert_ne!(case.decide().encode(), other.decide().encode());
}

#[test]
fn a_policy_round_trips_and_refuses_rules_it_does_not_know() {
    let policy = Policy { allow_debug: true, outdated_access: Access::Release, ..Policy::default() };
    assert_eq!(Policy::decode(&policy.encode()), Ok(policy));
    assert_eq!(
        Policy::decode(&[0xa1, 0x18, 0x63, 0x00]).unwrap_err().to_string(),
        "label 99 is not known at byte 3"
    );
    assert_eq!(
        Policy::decode(&[0xa1, 0x09, 0x04]).unwrap_err().to_string(),
        "number is out of range at byte 2"
    );
    assert_eq!(
        Policy::decode(&[0xa1, 0x01, 0x20]).unwrap_err().to_string(),
        "number is out of range at byte 2"
    );
}

#[test]
fn each_code_has_its_own_word() {
    for code in Code::ALL {
        assert_eq!(Code::from_text(code.as_str()), Some(*code));
        assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '-'));
    }
    assert_eq!(Code::from_text("fine"), None);
}
