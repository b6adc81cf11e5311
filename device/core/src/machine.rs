use alloc::{collections::VecDeque, string::String};

use crypto::Digest;

use crate::{Offer, Schedule, Standing};

/// How often an installation may break off before the offer waits for another poll.
const MAX_INTERRUPTIONS: u32 = 20;
/// Outcomes waiting to be reported; older ones are of no use to anybody.
const MAX_REPORTS: usize = 4;
/// After how many of its periods without an answer of the update server its silence is told.
const SILENT_PERIODS: u64 = 10;
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
    admission: Schedule,
    delivery: Schedule,
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
    /// When to deliver the next SUIT report, while any waits.
    next_delivery: Option<u64>,
    /// Whether the verifier gave a token for the update server.
    token: bool,
    /// Whether nothing but proofs was done since the last one.
    proved: bool,
    /// Until when the release on trial must prove itself.
    trial_ends: Option<u64>,
    download: Option<Fetch>,
    /// When the update server last answered, or could not be asked for the device's own reasons.
    heard: u64,
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

/// An installation that goes on at a time.
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
    /// Install a release, fetching as it goes, until something else is due ([`Machine::due`]). Answer
    /// [`Event::Installed`], [`Event::Refused`], [`Event::Paused`], [`Event::Interrupted`], [`Event::Withdrawn`] or
    /// [`Event::InstallFailed`].
    Install(Offer),
    /// An installation broke off too often and waits for another offer: what is known of it is final.
    GiveUp(Offer),
    /// Deliver the SUIT report that waits longest. Answer [`Event::Delivered`] or [`Event::NotDelivered`].
    Deliver,
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
    /// Something came of a release, and something else is due.
    Paused,
    /// Less than is worth a connection came.
    Interrupted,
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
    /// A SUIT report waits to be delivered.
    Queued,
    /// One was delivered, or is wanted by nobody.
    Delivered {
        /// Whether others wait.
        more: bool,
    },
    /// It could not be.
    NotDelivered,
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
            attest: Schedule::new(timing.attest).with_retry(FIRST_RETRY),
            poll: Schedule::new(timing.poll),
            admission: Schedule::new(timing.attest).with_retry(FIRST_RETRY),
            delivery: Schedule::new(timing.poll),
            queue: VecDeque::from([Action::Reboot]),
            reports: VecDeque::new(),
            answered: None,
            next_attest: 0,
            next_admit: None,
            next_poll: 0,
            next_report: 0,
            next_delivery: None,
            token: false,
            proved: false,
            trial_ends: None,
            download: None,
            heard: 0,
        }
    }

    /// The server asked for another poll period, in milliseconds; it can only ask for more patience.
    pub fn slow_down(&mut self, period: u64) {
        self.poll.set_period(period.max(self.timing.poll));
    }

    /// Whether the update server has not been heard of for so long that somebody may be keeping its word from the
    /// device. What runs goes on.
    pub fn is_source_silent(&self, now: u64) -> bool {
        let asking = self.trial_ends.is_none() && self.download.is_none();
        asking && now.saturating_sub(self.heard) > self.poll.period().saturating_mul(SILENT_PERIODS)
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
        // Proofs come first, yet not twice in a row before other work that is due: where a proof takes as long as its
        // period, the update that would mend the device would never have its turn.
        let work = self.work_due(now);
        if now >= self.next_attest && !(self.proved && work.is_some()) {
            self.proved = true;
            return Action::Attest;
        }
        if self.next_admit.is_some_and(|at| now >= at) {
            self.next_admit = None;
            return Action::Admit;
        }
        let Some(work) = work else { return Action::Wait { until: self.next_time() } };
        self.proved = false;
        match work {
            Action::Report(_) => drop(self.reports.pop_front()),
            Action::Deliver => self.next_delivery = None,
            _ => {}
        }
        work
    }

    /// What is due with the update server, the most urgent first.
    fn work_due(&self, now: u64) -> Option<Action> {
        if !self.token {
            return None;
        }
        if let Some(feedback) = self.reports.front().filter(|_| now >= self.next_report) {
            return Some(Action::Report(feedback.clone()));
        }
        if self.next_delivery.is_some_and(|at| now >= at) {
            return Some(Action::Deliver);
        }
        if let Some(fetch) = self.download {
            return (now >= fetch.at).then_some(Action::Install(fetch.offer));
        }
        (self.polls() && now >= self.next_poll).then_some(Action::Poll)
    }

    /// When something is due that an installation must not hold up.
    pub fn due(&self) -> u64 {
        self.trial_ends.unwrap_or(u64::MAX).min(self.next_attest)
    }

    /// Takes what came of an action. `random` is any uniform number, for jitter.
    pub fn on(&mut self, now: u64, random: u64, event: Event) {
        if self.trial_ends.is_some() || self.download.is_some() {
            self.heard = now;
        }
        match event {
            Event::Booted { trial } => self.booted(now, trial),
            Event::Attested(outcome) => self.attested(now, random, outcome),
            Event::AttestationFailed => self.next_attest = now + self.attest.after_failure(random),
            Event::NotAdmitted => self.next_admit = Some(now + self.admission.after_failure(random)),
            Event::Offered(offer, standing) => {
                self.heard = now;
                self.next_poll = now + self.poll.after_success(random);
                self.offered(now, offer, standing);
            }
            Event::NothingOffered => {
                self.heard = now;
                self.next_poll = now + self.poll.after_success(random);
            }
            Event::Unauthorized => {
                // Another token comes with another attestation.
                self.token = false;
                self.next_attest = self.next_attest.min(now + self.attest.after_failure(random));
            }
            Event::PollFailed => self.next_poll = now + self.poll.after_failure(random),
            Event::Paused => {
                if let Some(fetch) = &mut self.download {
                    fetch.at = now;
                }
            }
            Event::Interrupted => self.interrupted(now, random),
            Event::Withdrawn | Event::InstallFailed => self.put_off(now, random),
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
            Event::Queued => self.next_delivery = self.next_delivery.or(Some(now)),
            Event::Delivered { more } => {
                self.delivery.after_success(random);
                self.next_delivery = more.then_some(now);
            }
            Event::NotDelivered => self.next_delivery = Some(now + self.delivery.after_failure(random)),
        }
    }

    fn booted(&mut self, now: u64, trial: Option<Digest>) {
        self.queue.clear();
        self.download = None;
        self.next_attest = now;
        self.proved = false;
        // A release whose trial ended otherwise than by a commit is told when the server offers it again.
        self.trial_ends = trial.map(|_| now + self.timing.trial);
        self.answered = None;
    }

    fn attested(&mut self, now: u64, random: u64, outcome: Outcome) {
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

    fn interrupted(&mut self, now: u64, random: u64) {
        let wait = self.attest.after_failure(random);
        match &mut self.download {
            Some(fetch) if fetch.interruptions < MAX_INTERRUPTIONS => {
                fetch.interruptions += 1;
                fetch.at = now + wait;
            }
            Some(fetch) => {
                self.queue.push_back(Action::GiveUp(fetch.offer));
                self.put_off(now, random);
            }
            None => {}
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
        let delivery = self.next_delivery.filter(|_| self.token);
        let times = [report, delivery, download, poll, self.trial_ends, self.next_admit];
        times.into_iter().flatten().fold(self.next_attest, u64::min)
    }
}

#[cfg(test)]
mod tests;
