use alloc::{collections::VecDeque, string::String};

use crypto::Digest;

use crate::{Offer, Schedule, Standing};

/// How often a download may break before the offer waits for another poll.
const MAX_INTERRUPTIONS: u32 = 20;
/// Outcomes waiting to be reported; older ones are of no use to anybody.
const MAX_REPORTS: usize = 4;
/// How soon something that failed is first tried again, in milliseconds, if its period is not shorter.
const FIRST_RETRY: u64 = 2_000;

/// What an agent does when: a state machine without input and output.
///
/// The shell asks [`Machine::next`] what to do, does it, and says with [`Machine::on`] what came of it. Times are
/// milliseconds of any clock that does not run backwards.
#[derive(Debug)]
pub struct Machine {
    timing: Timing,
    attest: Schedule,
    poll: Schedule,
    retry: Schedule,
    admission: Schedule,
    /// What is to be done before time decides again.
    queue: VecDeque<Action>,
    reports: VecDeque<Feedback>,
    /// Offers that were answered without another try, so that the answer is given once.
    answered: Option<Digest>,
    next_attest: u64,
    /// When to prove the newest result to the gateway, until that is done.
    next_admit: Option<u64>,
    next_poll: u64,
    next_report: u64,
    /// Whether the verifier gave a token for the update server.
    token: bool,
    /// Until when the release on trial must prove itself.
    trial_ends: Option<u64>,
    download: Option<Fetch>,
}

/// Periods in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between attestations, unless the verifier asks for an earlier one.
    pub attest: u64,
    /// Between polls of the update server.
    pub poll: u64,
    /// How long a release on trial has to prove itself.
    pub trial: u64,
    /// Whether there is a gateway to be admitted by.
    pub gateway: bool,
}

/// A download that goes on at a time.
#[derive(Clone, Copy, Debug)]
struct Fetch {
    offer: Offer,
    at: u64,
    interruptions: u32,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Attest. Answer [`Event::Attested`] or [`Event::AttestationFailed`].
    Attest,
    /// Prove to the gateway whose address this is. Answer [`Event::NotAdmitted`] if it failed.
    Admit,
    /// Ask the update server. Answer [`Event::Offered`], [`Event::NothingOffered`], [`Event::Unauthorized`] or
    /// [`Event::PollFailed`].
    Poll,
    /// Fetch the next piece of an envelope. Answer [`Event::Received`], [`Event::Interrupted`], [`Event::Damaged`] or
    /// [`Event::Withdrawn`].
    Download(Offer),
    /// Install what was downloaded. Answer [`Event::Installed`], [`Event::Refused`] or [`Event::InstallFailed`].
    Install(Offer),
    /// Commit the release on trial. Answer [`Event::Committed`].
    Commit,
    /// End the trial against the release. What follows is a reboot.
    Revert,
    /// Boot. Answer [`Event::Booted`].
    Reboot,
    /// Tell the update server how an offer ended. Answer [`Event::Reported`] or [`Event::ReportFailed`].
    Report(Feedback),
    /// Nothing until then.
    Wait {
        /// When to ask again.
        until: u64,
    },
}

/// How an offer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// The release.
    pub manifest: Digest,
    /// The reason code of a failure; nothing when the release runs and is committed.
    pub failure: Option<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The device booted.
    Booted {
        /// The release on trial, if it is one that runs.
        trial: Option<Digest>,
    },
    /// The verifier answered.
    Attested(Outcome),
    /// It did not.
    AttestationFailed,
    /// The gateway did not take the proof.
    NotAdmitted,
    /// The server offers a release, which is this to the device.
    Offered(Offer, Standing),
    /// It offers nothing.
    NothingOffered,
    /// The token is no longer good.
    Unauthorized,
    /// The server did not answer.
    PollFailed,
    /// A piece of an envelope came.
    Received {
        /// Whether it was the last.
        complete: bool,
    },
    /// Less than is worth a connection came.
    Interrupted,
    /// All came, and it is not the envelope that was announced.
    Damaged,
    /// It is no longer to be had.
    Withdrawn,
    /// The release is installed, on trial.
    Installed,
    /// The device will not have the release, for this reason code.
    Refused(String),
    /// The device could not install it.
    InstallFailed,
    /// The release on trial is committed.
    Committed(Digest),
    /// The server knows how an offer ended.
    Reported,
    /// It could not be told.
    ReportFailed(Feedback),
}

/// What a verifier made of evidence, as far as the device cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it believed what it saw: the device runs what it says, even if something newer exists.
    pub accepted: bool,
    /// Whether it gave a token for the update server.
    pub token: bool,
    /// In how many milliseconds it wants to hear again.
    pub next: Option<u64>,
}

impl Machine {
    /// A machine that begins with a boot.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            attest: Schedule::new(timing.attest),
            poll: Schedule::new(timing.poll),
            retry: Schedule::new(timing.attest.min(FIRST_RETRY)),
            admission: Schedule::new(timing.attest.min(FIRST_RETRY)),
            queue: VecDeque::from([Action::Reboot]),
            reports: VecDeque::new(),
            answered: None,
            next_attest: 0,
            next_admit: None,
            next_poll: 0,
            next_report: 0,
            token: false,
            trial_ends: None,
            download: None,
        }
    }

    /// The server asked for another poll period, in milliseconds; it can only ask for more patience.
    pub fn slow_down(&mut self, period: u64) {
        self.poll.set_period(period.max(self.timing.poll));
    }

    /// What to do now.
    pub fn next(&mut self, now: u64) -> Action {
        if let Some(action) = self.queue.pop_front() {
            return action;
        }
        if self.trial_ends.is_some_and(|end| now >= end) {
            self.trial_ends = None;
            self.queue.push_back(Action::Reboot);
            return Action::Revert;
        }
        if now >= self.next_attest {
            return Action::Attest;
        }
        if self.next_admit.is_some_and(|at| now >= at) {
            self.next_admit = None;
            return Action::Admit;
        }
        if self.token
            && now >= self.next_report
            && let Some(feedback) = self.reports.pop_front()
        {
            return Action::Report(feedback);
        }
        if let Some(fetch) = self.download.filter(|fetch| self.token && now >= fetch.at) {
            return Action::Download(fetch.offer);
        }
        if self.polls() && now >= self.next_poll {
            return Action::Poll;
        }
        Action::Wait { until: self.next_time() }
    }

    /// Takes what came of an action. `random` is any uniform number, for jitter.
    pub fn on(&mut self, now: u64, random: u64, event: Event) {
        match event {
            Event::Booted { trial } => self.booted(now, trial),
            Event::Attested(outcome) => self.attested(now, random, outcome),
            Event::AttestationFailed => self.next_attest = now + self.retry.after_failure(random),
            Event::NotAdmitted => self.next_admit = Some(now + self.admission.after_failure(random)),
            Event::Offered(offer, standing) => {
                self.next_poll = now + self.poll.after_success(random);
                self.offered(now, offer, standing);
            }
            Event::NothingOffered => self.next_poll = now + self.poll.after_success(random),
            Event::Unauthorized => {
                // Another token comes with another attestation.
                self.token = false;
                self.next_attest = self.next_attest.min(now + self.retry.after_failure(random));
            }
            Event::PollFailed => self.next_poll = now + self.poll.after_failure(random),
            Event::Received { complete } => self.received(now, complete),
            Event::Interrupted => self.interrupted(now, random),
            Event::Damaged | Event::Withdrawn | Event::InstallFailed => self.put_off(now, random),
            Event::Installed => {
                self.download = None;
                self.queue.push_back(Action::Reboot);
            }
            Event::Refused(code) => {
                if let Some(fetch) = self.download.take() {
                    self.answer(fetch.offer.manifest, Some(code));
                }
            }
            Event::Committed(manifest) => {
                self.trial_ends = None;
                self.answer(manifest, None);
            }
            Event::Reported => {}
            Event::ReportFailed(feedback) => {
                self.reports.push_front(feedback);
                self.next_report = now + self.poll.after_failure(random);
            }
        }
    }

    fn booted(&mut self, now: u64, trial: Option<Digest>) {
        self.queue.clear();
        self.download = None;
        self.next_attest = now;
        // A release whose trial ended otherwise than by a commit is told when the server offers it again.
        self.trial_ends = trial.map(|_| now + self.timing.trial);
        self.answered = None;
    }

    fn attested(&mut self, now: u64, random: u64, outcome: Outcome) {
        self.retry.after_success(random);
        let own = self.attest.after_success(random);
        self.next_attest = now + outcome.next.map_or(own, |wanted| own.min(wanted.max(1)));
        if self.trial_ends.is_some() && outcome.accepted {
            self.queue.push_back(Action::Commit);
        }
        self.admission.after_success(random);
        self.next_admit = self.timing.gateway.then_some(now);
        if outcome.token && !self.token {
            self.next_poll = now;
        }
        self.token = outcome.token;
    }

    fn offered(&mut self, now: u64, offer: Offer, standing: Standing) {
        match standing {
            Standing::Wanted => self.download = Some(Fetch { offer, at: now, interruptions: 0 }),
            Standing::Installed if self.answered != Some(offer.manifest) => self.answer(offer.manifest, None),
            Standing::Refused(code) if self.answered != Some(offer.manifest) => {
                self.answer(offer.manifest, Some(code));
            }
            Standing::Installed | Standing::Refused(_) => {}
        }
    }

    fn received(&mut self, now: u64, complete: bool) {
        if let Some(fetch) = &mut self.download {
            fetch.at = now;
            if complete {
                self.queue.push_back(Action::Install(fetch.offer));
            }
        }
    }

    fn interrupted(&mut self, now: u64, random: u64) {
        let wait = self.retry.after_failure(random);
        match &mut self.download {
            Some(fetch) if fetch.interruptions < MAX_INTERRUPTIONS => {
                fetch.interruptions += 1;
                fetch.at = now + wait;
            }
            _ => self.put_off(now, random),
        }
    }

    /// Leaves the offer for another poll.
    fn put_off(&mut self, now: u64, random: u64) {
        self.download = None;
        self.next_poll = now + self.poll.after_failure(random);
    }

    fn answer(&mut self, manifest: Digest, failure: Option<String>) {
        self.answered = Some(manifest);
        if self.reports.len() == MAX_REPORTS {
            self.reports.pop_front();
        }
        self.reports.push_back(Feedback { manifest, failure });
    }

    /// Whether it asks for offers: not before a release on trial has proved itself, and one at a time.
    fn polls(&self) -> bool {
        self.token && self.trial_ends.is_none() && self.download.is_none()
    }

    fn next_time(&self) -> u64 {
        let report = (self.token && !self.reports.is_empty()).then_some(self.next_report);
        let download = self.download.filter(|_| self.token).map(|fetch| fetch.at);
        let poll = self.polls().then_some(self.next_poll);
        let times = [report, download, poll, self.trial_ends, self.next_admit];
        times.into_iter().flatten().fold(self.next_attest, u64::min)
    }
}

#[cfg(test)]
mod tests {
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
    fn an_offer_is_downloaded_installed_tried_committed_and_reported() {
        let mut machine = settled();
        assert_eq!(machine.next(0), Action::Poll);
        machine.on(0, 0, Event::Offered(offer("2"), Standing::Wanted));
        assert_eq!(machine.next(0), Action::Download(offer("2")));
        machine.on(1, 0, Event::Received { complete: false });
        assert_eq!(machine.next(1), Action::Download(offer("2")));
        machine.on(2, 0, Event::Received { complete: true });
        assert_eq!(machine.next(2), Action::Install(offer("2")));
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
    fn an_interrupted_download_goes_on_later_and_is_put_off_in_the_end() {
        let mut machine = settled();
        machine.on(0, 0, Event::Offered(offer("2"), Standing::Wanted));
        let (mut now, mut tries) = (0, 0);
        loop {
            match machine.next(now) {
                Action::Download(_) => {
                    tries += 1;
                    machine.on(now, 500, Event::Interrupted);
                }
                Action::Attest => machine.on(now, 0, Event::Attested(GOOD)),
                Action::Admit => {}
                Action::Wait { until } => {
                    assert!(until > now, "it does not spin");
                    now = until;
                }
                Action::Poll => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(tries, MAX_INTERRUPTIONS + 1);
    }

    #[test]
    fn what_is_withdrawn_or_damaged_or_cannot_be_installed_waits_for_another_poll() {
        for event in [Event::Withdrawn, Event::Damaged, Event::InstallFailed] {
            let mut machine = settled();
            machine.on(0, 0, Event::Offered(offer("2"), Standing::Wanted));
            assert_eq!(machine.next(0), Action::Download(offer("2")));
            machine.on(0, 0, event.clone());
            let until = wait(&mut machine, 0);
            assert!(until >= TIMING.poll / 2, "{event:?}");
            assert_eq!(machine.next(until), Action::Poll, "{event:?}");
        }
    }

    #[test]
    fn attestation_goes_on_while_a_download_takes_long() {
        let mut machine = settled();
        machine.on(0, 0, Event::Offered(offer("2"), Standing::Wanted));
        let mut attested = 0;
        for now in (0..300_000).step_by(1000) {
            match machine.next(now) {
                Action::Download(_) => machine.on(now, 0, Event::Received { complete: false }),
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
}
