//! Levels of response: what each cause makes of a device, what stands above it, and how many are cut by themselves.

use alloc::{vec, vec::Vec};

use crypto::{Digest, HashAlgorithm};
use eat::Tier;

use crate::{
    Access, Budget, Cap, Code, Decision, Effect, Hold, Inputs, MAX_OBSERVE_TIME, Outcome, OverlayInForce,
    Override, Policy, ReleaseStanding, Restriction, Scope, Standing, Violation, decide,
};

const NOW: i64 = 1_800_000_000;

fn digest(text: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, text.as_bytes())
}

/// A device that runs its release, and what may stand against it.
#[derive(Clone, Default)]
struct Case {
    tier: Option<Tier>,
    late: bool,
    revoked: bool,
    strays: bool,
    spared: bool,
    hold: Option<Restriction>,
    observed: bool,
    policy: Policy,
}

impl Case {
    fn decide(&self) -> Decision {
        let (release, reasons) = match self.tier {
            Some(_) => (None, vec![Code::DigestMismatch.into()]),
            None => (Some(digest("1.0")), Vec::new()),
        };
        let outcome = Outcome {
            object: digest("result"),
            tier: self.tier.unwrap_or(Tier::Affirming),
            release,
            reasons,
            issued: NOW - 10,
            expires: if self.late { NOW } else { NOW + 290 },
        };
        let standing =
            if self.revoked { Standing::Revoked { why: "leak".into() } } else { Standing::Current };
        let violation = Violation { at: NOW - 5, count: 3, target: "203.0.113.9 tcp 23".into() };
        let hold = self.hold.map(|restriction| Hold {
            restriction,
            person: "Nadia".into(),
            why: "odd".into(),
            until: None,
        });
        let observing = OverlayInForce {
            object: digest("observe"),
            not_before: NOW - 1,
            expires: NOW + 60,
            approves: None,
            observes: true,
        };
        decide(&Inputs {
            device: &[1; 17],
            outcome: Some(&outcome),
            releases: &[ReleaseStanding {
                release: digest("1.0"),
                version: "1.0".into(),
                standing,
                broad: None,
            }],
            overlays: if self.observed { core::slice::from_ref(&observing) } else { &[] },
            violations: if self.strays { core::slice::from_ref(&violation) } else { &[] },
            hold: hold.as_ref(),
            spared: self.spared,
            policy: &self.policy,
            now: NOW,
        })
    }
}

fn codes(decision: &Decision) -> Vec<Code> {
    decision.reasons.iter().map(|reason| reason.code).collect()
}

#[test]
fn levels_are_ordered_and_each_has_its_word_and_number() {
    use Access::*;
    assert_eq!(Access::ALL, [Ejected, Blocked, UpdateOnly, Restricted, Release, Observed]);
    assert!(Access::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    // Decisions and policies of before say these.
    assert_eq!([Blocked, UpdateOnly, Release].map(Access::number), [0, 1, 2]);
    for access in Access::ALL {
        assert_eq!(Access::from_number(access.number()), Some(access));
        assert_eq!(Access::from_text(access.as_str()), Some(access));
    }
    assert_eq!((Access::from_number(6), Access::from_text("open")), (None, None));
}

#[test]
fn policy_chooses_the_level_of_each_cause() {
    use Access::*;
    let usual = Policy::default();
    let bad = Case { tier: Some(Tier::Contraindicated), ..Case::default() };
    let late = Case { late: true, ..Case::default() };
    let revoked = Case { revoked: true, ..Case::default() };
    let strays = Case { strays: true, ..Case::default() };
    let rows: Vec<(&Case, Policy, Access)> = vec![
        (&bad, usual.clone(), UpdateOnly),
        (&bad, Policy { untrusted_access: Blocked, ..usual.clone() }, Blocked),
        (&bad, Policy { untrusted_access: Ejected, ..usual.clone() }, Ejected),
        (&late, usual.clone(), UpdateOnly),
        (&late, Policy { stale_access: Restricted, ..usual.clone() }, Restricted),
        (&revoked, usual.clone(), UpdateOnly),
        (&revoked, Policy { outdated_access: Restricted, ..usual.clone() }, Restricted),
        (&strays, usual.clone(), Release),
        (&strays, Policy { violating_access: Restricted, ..usual.clone() }, Restricted),
        (&strays, Policy { violating_access: Ejected, ..usual.clone() }, Ejected),
        (&strays, Policy { violating_access: Blocked, violation_threshold: 4, ..usual.clone() }, Release),
    ];
    for (case, policy, access) in rows {
        let decision = Case { policy: policy.clone(), ..case.clone() }.decide();
        assert_eq!(decision.access, access, "{policy:?}");
    }
}

#[test]
fn reasons_stack_and_the_narrowest_level_counts() {
    let policy =
        Policy { stale_access: Access::Restricted, violating_access: Access::Blocked, ..Policy::default() };
    let mut case = Case { late: true, strays: true, policy, ..Case::default() };
    case.hold = Some(Restriction::UpdateOnly);
    let decision = case.decide();
    assert_eq!((decision.access, decision.cut), (Access::Blocked, true));
    assert_eq!(
        codes(&decision),
        [Code::EvidenceOverdue, Code::ForbiddenFlow, Code::OperatorQuarantine],
        "each is told"
    );
    case.strays = false;
    assert_eq!((case.decide().access, case.decide().cut), (Access::UpdateOnly, false));
    case.hold = None;
    assert_eq!(case.decide().access, Access::Restricted);
    case.late = false;
    assert_eq!(case.decide().access, Access::Release);
}

#[test]
fn a_person_may_hold_at_each_level() {
    for restriction in Restriction::ALL {
        let decision = Case { hold: Some(restriction), ..Case::default() }.decide();
        assert_eq!((decision.access, decision.held), (restriction.access(), true));
        assert_eq!(Restriction::from_text(restriction.as_str()), restriction);
    }
    assert_eq!(Restriction::from_text("release"), Restriction::Blocked, "no restriction opens");
    assert_eq!(Restriction::from_text(""), Restriction::Blocked);
}

#[test]
fn observing_opens_a_trusted_device_and_answers_nothing_else() {
    let observed = Case { observed: true, ..Case::default() };
    let decision = observed.decide();
    assert_eq!((decision.access, decision.reasons.len()), (Access::Observed, 0));
    assert!(decision.rests_on.contains(&digest("observe")));
    assert_eq!(decision.due, Some(NOW + 60), "and has its end");
    let policy = Policy { violating_access: Access::UpdateOnly, ..Policy::default() };
    for (case, access) in [
        (Case { late: true, ..observed.clone() }, Access::UpdateOnly),
        (Case { tier: Some(Tier::Contraindicated), ..observed.clone() }, Access::UpdateOnly),
        (Case { revoked: true, ..observed.clone() }, Access::UpdateOnly),
        (Case { hold: Some(Restriction::Restricted), ..observed.clone() }, Access::Restricted),
        (Case { strays: true, policy, ..observed.clone() }, Access::UpdateOnly),
    ] {
        assert_eq!(case.decide().access, access);
    }
}

#[test]
fn observing_has_an_end_within_a_month() {
    let mut order = Override {
        id: [7; 16],
        scope: Scope::Device(vec![1; 17]),
        effect: Effect::Observe,
        author: "Nadia".into(),
        reason: "what does it want with that host".into(),
        not_before: NOW,
        expires: NOW + MAX_OBSERVE_TIME,
    };
    assert_eq!(Override::decode(&order.encode()), Ok(order.clone()));
    order.expires += 1;
    assert!(Override::decode(&order.encode()).is_err());
}

#[test]
fn a_cut_that_is_withheld_is_told_and_nothing_else_is_withheld() {
    let policy = Policy { violating_access: Access::UpdateOnly, ..Policy::default() };
    let spared = Case { strays: true, spared: true, policy, ..Case::default() };
    let decision = spared.decide();
    assert_eq!((decision.access, decision.cut, decision.violating), (Access::Release, false, true));
    assert_eq!(codes(&decision), [Code::ForbiddenFlow, Code::CutWithheld]);
    for case in [
        Case { tier: Some(Tier::Contraindicated), ..spared.clone() },
        Case { late: true, ..spared.clone() },
        Case { hold: Some(Restriction::Blocked), ..spared.clone() },
    ] {
        let decision = case.decide();
        assert!(decision.access <= Access::UpdateOnly, "evidence and people are not capped");
        assert!(!codes(&decision).contains(&Code::CutWithheld));
    }
    // Who does not stray is not spared anything.
    assert_eq!(codes(&Case { strays: false, ..spared }.decide()), []);
}

#[test]
fn a_policy_says_each_level_and_refuses_those_that_a_cause_may_not_have() {
    use Access::*;
    let usual = Policy::default();
    let takes = |policy: Policy| Policy::decode(&policy.encode()) == Ok(policy);
    for access in Access::ALL {
        let any = access != Observed;
        assert_eq!(takes(Policy { violating_access: access, ..usual.clone() }), any, "{access:?}");
        assert_eq!(takes(Policy { outdated_access: access, ..usual.clone() }), any, "{access:?}");
        let none = access <= UpdateOnly;
        assert_eq!(takes(Policy { untrusted_access: access, ..usual.clone() }), none, "{access:?}");
        let some = (UpdateOnly..=Restricted).contains(&access);
        assert_eq!(takes(Policy { stale_access: access, ..usual.clone() }), some, "{access:?}");
    }
    for (percent, taken) in [(0, true), (100, true), (101, false)] {
        let violation_cap = Cap { least: 0, percent };
        assert_eq!(takes(Policy { violation_cap, ..usual.clone() }), taken, "{percent}");
    }
    // What is as it always was is written as it always was.
    let labels = Policy { violating_access: UpdateOnly, ..usual.clone() }.encode();
    assert_eq!(labels.first(), usual.encode().first(), "no more entries than before");
}

#[test]
fn a_cap_is_a_share_of_the_fleet_and_never_less_than_its_least() {
    let cap = Cap::default();
    for (devices, most) in [(0, 5), (1, 5), (50, 5), (60, 6), (69, 6), (1000, 100)] {
        assert_eq!(cap.of(devices), most, "{devices}");
    }
    assert_eq!(Cap { least: 0, percent: 0 }.of(1000), 0);
    assert_eq!(Cap { least: u32::MAX, percent: 0 }.of(1), u32::MAX as usize);
}

#[test]
fn a_budget_opens_again_an_hour_after_each_cut() {
    let mut budget = Budget::default();
    assert!(budget.spend(2, NOW) && budget.spend(2, NOW + 10));
    assert!(!budget.spend(2, NOW + 10) && !budget.spend(2, NOW + Budget::SPAN - 1));
    assert!(budget.spend(2, NOW + Budget::SPAN), "the first is an hour old");
    assert!(!budget.spend(2, NOW + Budget::SPAN + 9));
    // A restart does not fill it again, and neither does a clock that went back.
    let mut budget = Budget::of(budget.cuts().collect::<Vec<_>>().into_iter().rev());
    assert!(!budget.spend(2, NOW + Budget::SPAN + 9) && !budget.spend(2, NOW));
    assert!(budget.spend(2, NOW + Budget::SPAN + 10));
    budget.forget(NOW + 3 * Budget::SPAN);
    assert!(budget.is_empty());
}

/// Whatever asks when, with restarts and caps that change in between: no hour has more cuts than the largest cap in it.
#[test]
fn no_hour_has_more_cuts_than_the_cap() {
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..200 {
        let most = random(8) as usize;
        let (mut budget, mut now, mut cuts) = (Budget::default(), NOW, Vec::new());
        for _ in 0..400 {
            now += random(120) as i64 * random(2) as i64;
            // Asking for less than the cap in between takes nothing from anybody.
            let most = if random(4) == 0 { most.saturating_sub(1) } else { most };
            if budget.spend(most, now) {
                cuts.push(now);
            }
            if random(20) == 0 {
                budget = Budget::of(budget.cuts());
            }
        }
        for cut in &cuts {
            let hour = cuts.iter().filter(|other| (*cut..*cut + Budget::SPAN).contains(other));
            assert!(hour.count() <= most, "{most} {cuts:?}");
        }
        assert!(most == 0 || cuts.len() >= most, "and the cap is used");
    }
}
