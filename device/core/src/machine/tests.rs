use crypto::HashAlgorithm;

use super::*;

const TIMING: Timing = Timing { attest: 60_000, poll: 10_000, trial: 300_000, gateway: true };
const GOOD: Outcome = Outcome { accepted: true, token: true, next: None };

fn digest(text: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, text.as_bytes())
}

fn offer(text: &str) -> Offer {
    Offer { manifest: digest(text), envelope: digest("envelope"), size: 1000 }
}

/// A machine that booted, attested and was admitted at time 0.
fn settled() -> Machine {
    let mut machine = Machine::new(TIMING);
    assert_eq!(machine.next(0), Action::Reboot);
    machine.on(0, 0, Event::Booted { trial: None });
    assert_eq!(machine.next(0), Action::Attest);
    machine.on(0, 0, Event::Attested(GOOD));
    assert_eq!(machine.next(0), Action::Admit);
    machine
}

fn wait(machine: &mut Machine, now: u64) -> u64 {
    match machine.next(now) {
        Action::Wait { until } => until,
        other => panic!("{other:?} instead of waiting"),
    }
}

#[test]
fn an_offer_is_installed_tried_committed_and_reported() {
    let mut machine = settled();
    assert_eq!(machine.next(0), Action::Poll);
    machine.on(0, 0, Event::Offered(offer("2"), Standing::Wanted));
    assert_eq!(machine.next(0), Action::Install(offer("2")));
    machine.on(1, 0, Event::Paused);
    assert_eq!(machine.next(1), Action::Install(offer("2")));
    machine.on(3, 0, Event::Installed);
    assert_eq!(machine.next(3), Action::Reboot);
    machine.on(4, 0, Event::Booted { trial: Some(digest("2")) });
    assert_eq!(machine.next(4), Action::Attest);
    machine.on(5, 0, Event::Attested(GOOD));
    assert_eq!(machine.next(5), Action::Commit);
    machine.on(6, 0, Event::Committed(digest("2")));
    assert_eq!(machine.next(6), Action::Admit);
    assert_eq!(machine.next(6), Action::Report(Feedback { manifest: digest("2"), failure: None }));
    machine.on(7, 0, Event::Reported);
    let until = wait(&mut machine, 7);
    assert_eq!(machine.next(until), Action::Poll);
}

#[test]
fn an_update_goes_on_where_every_proof_takes_longer_than_its_period() {
    let mut machine = settled();
    let mut now = 0;
    let mut pieces = 0;
    machine.on(now, 0, Event::Offered(offer("2"), Standing::Wanted));
    for _ in 0..100 {
        now += 2 * TIMING.attest;
        match machine.next(now) {
            Action::Attest => machine.on(now, 0, Event::Attested(GOOD)),
            Action::Admit => {}
            Action::Install(_) => {
                pieces += 1;
                machine.on(now, 0, Event::Paused);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((30..=40).contains(&pieces), "{pieces} of 100 turns");
}

#[test]
fn a_release_on_trial_that_does_not_attest_in_time_is_left() {
    let mut machine = settled();
    machine.on(0, 0, Event::Booted { trial: Some(digest("2")) });
    let mut now = 0;
    let refused = Outcome { accepted: false, ..GOOD };
    loop {
        match machine.next(now) {
            Action::Attest => machine.on(now, 7, Event::Attested(refused)),
            Action::Admit => {}
            Action::Wait { until } => now = until,
            Action::Revert => break,
            other => panic!("{other:?} while on trial"),
        }
    }
    assert_eq!(now, TIMING.trial);
    assert_eq!(machine.next(now), Action::Reboot);
    machine.on(now, 0, Event::Booted { trial: None });
    machine.on(now, 0, Event::Attested(GOOD));
    machine.on(now, 0, Event::Offered(offer("2"), Standing::Refused("trial-timeout".into())));
    assert_eq!(machine.next(now), Action::Admit);
    let told = Feedback { manifest: digest("2"), failure: Some("trial-timeout".into()) };
    assert_eq!(machine.next(now), Action::Report(told));
}

#[test]
fn a_refused_release_is_told_once_however_often_it_is_offered() {
    let mut machine = settled();
    let mut told = 0;
    let mut now = 0;
    for _ in 0..5 {
        now = now.max(machine.next_poll);
        machine.on(now, 0, Event::Offered(offer("bad"), Standing::Refused("wrong-class".into())));
        while let Action::Report(feedback) = machine.next(now) {
            assert_eq!(feedback.failure.as_deref(), Some("wrong-class"));
            machine.on(now, 0, Event::Reported);
            told += 1;
        }
    }
    assert_eq!(told, 1);
}

#[test]
fn an_interrupted_installation_goes_on_later_and_is_put_off_in_the_end() {
    let mut machine = settled();
    machine.on(0, 0, Event::Offered(offer("2"), Standing::Wanted));
    let (mut now, mut tries, mut final_word) = (0, 0, 0);
    loop {
        match machine.next(now) {
            Action::Install(_) => {
                tries += 1;
                machine.on(now, 500, Event::Interrupted);
            }
            Action::Attest => machine.on(now, 0, Event::Attested(GOOD)),
            Action::Admit => {}
            Action::Wait { until } => {
                assert!(until > now, "it does not spin");
                now = until;
            }
            Action::GiveUp(given_up) => {
                assert_eq!(given_up, offer("2"));
                final_word += 1;
            }
            Action::Poll => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((tries, final_word), (MAX_INTERRUPTIONS + 1, 1));
}

#[test]
fn what_is_withdrawn_or_cannot_be_installed_waits_for_another_poll() {
    for event in [Event::Withdrawn, Event::InstallFailed] {
        let mut machine = settled();
        machine.on(0, 0, Event::Offered(offer("2"), Standing::Wanted));
        assert_eq!(machine.next(0), Action::Install(offer("2")));
        machine.on(0, 0, event.clone());
        let until = wait(&mut machine, 0);
        assert!(until >= TIMING.poll / 2, "{event:?}");
        assert_eq!(machine.next(until), Action::Poll, "{event:?}");
    }
}

#[test]
fn attestation_goes_on_while_an_installation_takes_long() {
    let mut machine = settled();
    machine.on(0, 0, Event::Offered(offer("2"), Standing::Wanted));
    let mut attested = 0;
    for now in (0..300_000).step_by(1000) {
        match machine.next(now) {
            Action::Install(_) => {
                assert!(machine.due() > now, "what is due comes first");
                machine.on(now, 0, Event::Paused);
            }
            Action::Attest => {
                attested += 1;
                machine.on(now, 0, Event::Attested(GOOD));
            }
            Action::Admit => {}
            other => panic!("{other:?}"),
        }
    }
    assert!((4..=6).contains(&attested), "{attested}");
}

#[test]
fn a_gateway_that_does_not_answer_is_asked_again_and_does_not_hold_up_the_rest() {
    let mut machine = settled();
    machine.on(0, 0, Event::NotAdmitted);
    assert_eq!(machine.next(0), Action::Poll);
    machine.on(0, 0, Event::NothingOffered);
    let until = wait(&mut machine, 0);
    assert!((1..10_000).contains(&until), "{until}");
    assert_eq!(machine.next(until), Action::Admit);
}

#[test]
fn without_a_token_nothing_is_polled_and_a_lost_one_is_asked_for_again() {
    let mut machine = settled();
    machine.on(0, 0, Event::Attested(Outcome { token: false, ..GOOD }));
    assert_eq!(machine.next(0), Action::Admit);
    assert!(wait(&mut machine, 0) >= 50_000);
    let mut machine = settled();
    machine.on(0, 0, Event::Unauthorized);
    let until = wait(&mut machine, 0);
    assert!(until <= 5_000);
    assert_eq!(machine.next(until), Action::Attest);
}

#[test]
fn the_verifier_can_ask_for_earlier_attestation_and_the_server_for_slower_polls() {
    let mut machine = settled();
    machine.on(0, 0, Event::Attested(Outcome { next: Some(5_000), ..GOOD }));
    assert_eq!(machine.next_attest, 5_000);
    machine.on(0, 0, Event::Attested(Outcome { next: Some(u64::MAX), ..GOOD }));
    assert!(machine.next_attest <= 66_000);
    machine.slow_down(1);
    machine.on(0, 0, Event::NothingOffered);
    assert!(machine.next_poll >= 9_000);
    machine.slow_down(100_000);
    machine.on(0, 0, Event::NothingOffered);
    assert!(machine.next_poll >= 90_000);
}

#[test]
fn failed_reports_are_kept_and_old_ones_dropped() {
    let mut machine = settled();
    machine.on(0, 0, Event::NothingOffered);
    for n in 0..=MAX_REPORTS {
        machine.answer(digest(&alloc::format!("{n}")), None);
    }
    let Action::Report(first) = machine.next(0) else { panic!("nothing to report") };
    assert_eq!(first.manifest, digest("1"));
    machine.on(0, 0, Event::ReportFailed(first.clone()));
    let until = wait(&mut machine, 0);
    assert!(until > 0);
    machine.on(until, 0, Event::NothingOffered);
    assert_eq!(machine.next(machine.next_report), Action::Report(first));
}

#[test]
fn suit_reports_are_delivered_one_by_one_and_again_later_when_they_are_not_taken() {
    let mut machine = settled();
    machine.on(0, 0, Event::NothingOffered);
    machine.on(0, 0, Event::Queued);
    assert_eq!(machine.next(0), Action::Deliver);
    machine.on(0, 0, Event::Delivered { more: true });
    assert_eq!(machine.next(0), Action::Deliver);
    machine.on(0, 0, Event::NotDelivered);
    let until = wait(&mut machine, 0);
    assert!(until >= TIMING.poll / 2);
    machine.on(0, 0, Event::Attested(Outcome { token: false, ..GOOD }));
    assert_eq!(machine.next(until), Action::Admit);
    assert!(wait(&mut machine, until) > until, "not without a token");
    machine.on(until, 0, Event::Attested(GOOD));
    let mut actions = vec![machine.next(until), machine.next(until), machine.next(until)];
    actions.retain(|action| *action == Action::Deliver);
    assert_eq!(actions.len(), 1);
    machine.on(until, 0, Event::Delivered { more: false });
    assert!(!matches!(machine.next(until), Action::Deliver));
}

#[test]
fn silence_of_the_update_server_is_told_after_ten_periods_and_not_while_nobody_asks() {
    let mut machine = settled();
    machine.on(1_000, 0, Event::NothingOffered);
    assert!(!machine.is_source_silent(101_000));
    machine.on(101_000, 0, Event::PollFailed);
    assert!(machine.is_source_silent(101_001));
    machine.on(102_000, 0, Event::Offered(offer("2"), Standing::Wanted));
    assert!(!machine.is_source_silent(102_000));
    // However long an installation and a trial take: the server is not asked meanwhile.
    machine.on(400_000, 0, Event::Paused);
    assert!(!machine.is_source_silent(900_000));
    machine.on(900_000, 0, Event::Installed);
    machine.on(900_001, 0, Event::Booted { trial: Some(digest("2")) });
    assert!(!machine.is_source_silent(1_100_000));
    machine.on(1_100_000, 0, Event::Attested(GOOD));
    machine.on(1_100_000, 0, Event::Committed(digest("2")));
    assert!(!machine.is_source_silent(1_200_000));
    assert!(machine.is_source_silent(1_200_001));
    // A server that asks for patience is given it.
    machine.slow_down(60_000);
    assert!(!machine.is_source_silent(1_700_000));
    // A device that never gets as far as asking tells as well.
    assert!(Machine::new(TIMING).is_source_silent(100_001));
}
