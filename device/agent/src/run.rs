use std::{
    collections::VecDeque,
    convert::Infallible,
    thread,
    time::{Duration, Instant},
};

use crypto::{Digest, PublicKey};
use device_core::{
    Action, Area, AttestError, AuthorityUpdateError, Boot, Device, Event, Feedback, InstallError, Machine,
    NotSigned, Offer, Offered, Outcome, StateError, Storage as _, Timing,
};
use eat::{SignedResult, Tier};
use suit::{EnvelopeIndex, SignedUpdateAnswer, UpdateAnswer, limits::UPDATE_NONCE_LEN};

use crate::{
    AttestationStatus, Error, FileStorage, OnboardingStatus, RunOptions, Status,
    download::Fault,
    gateway::Gateway,
    http::{Deployment, Failure, Polled, Server},
    onboarding::{Endpoints, Onboarding, onboarded},
    outbox::Outbox,
    payload::Payload,
    setup::{hex, lock, unix_now, update_server_key, wake},
};

/// How long it sleeps at a time, to look after the program of the release in between.
const NAP: Duration = Duration::from_millis(100);
/// Code of an answer that speaks of another authority list, or of another change of it than is given.
const OTHER_AUTHORITIES: &str = "update-answer-of-other-authorities";
/// Offers whose action is remembered, to report how they ended.
const MAX_OFFERS: usize = 4;

/// Is the device until the process ends.
pub fn run(options: &RunOptions) -> Result<(), Error> {
    let _lock = lock(&options.data)?;
    let status = onboarded(options)?;
    let onboarding = Onboarding::load(&options.data)?;
    let endpoints = Endpoints::of(options, onboarding.as_ref().and_then(Onboarding::provision))?;
    match Shell::new(options, &endpoints, status)?.live()? {}
}

/// Does what the machine says.
struct Shell<'o> {
    options: &'o RunOptions,
    device: Device<FileStorage>,
    machine: Machine,
    server: Server,
    gateway: Option<Gateway>,
    payload: Payload,
    started: Instant,
    token: Option<String>,
    /// The newest result, for the gateway.
    result: Option<Vec<u8>>,
    offers: VecDeque<Deployment>,
    /// Where the change of the authorities is that was refused last.
    refused_update: Option<String>,
    /// The head of the envelope that is being installed.
    index: Option<(Offer, EnvelopeIndex)>,
    /// The release that the device was last asked to install, which its report is about.
    attempted: Option<Digest>,
    outbox: Outbox,
    /// Signs what the update server answers, where the device was told.
    update_key: Option<PublicKey>,
    /// Whether a report was queued that the machine does not know of.
    queued: bool,
    status: Status,
}

type Failed = device_core::StateError<std::io::Error>;

impl<'o> Shell<'o> {
    fn new(
        options: &'o RunOptions,
        endpoints: &Endpoints,
        onboarding: Option<OnboardingStatus>,
    ) -> Result<Self, Error> {
        let gateway = Gateway::new(&endpoints.gateways)?;
        let timing = Timing {
            attest: options.attest_ms,
            poll: options.poll_ms,
            trial: options.trial_ms,
            gateway: gateway.is_some(),
        };
        Ok(Self {
            options,
            device: wake(&options.data, &options.target)?,
            machine: Machine::new(timing),
            server: Server::new(
                endpoints,
                &options.payload_origins,
                Duration::from_millis(options.stall_ms),
            )?,
            gateway,
            payload: Payload::default(),
            started: Instant::now(),
            token: None,
            result: None,
            offers: VecDeque::new(),
            refused_update: None,
            index: None,
            attempted: None,
            outbox: Outbox::open(&options.data)
                .map_err(|source| Error::File { path: options.data.clone(), source })?,
            update_key: update_server_key(&options.data)?,
            queued: true,
            status: Status { onboarding, ..Status::default() },
        })
    }

    fn live(mut self) -> Result<Infallible, Error> {
        loop {
            let action = self.machine.next(self.now());
            self.payload.look_after();
            let event = match action {
                Action::Wait { until } => {
                    self.nap(until);
                    continue;
                }
                action => self.perform(action)?,
            };
            if let Some(event) = event {
                tracing::debug!(?event);
                let random = getrandom::u64().map_err(Error::Random)?;
                self.machine.on(self.now(), random, event);
            }
            if std::mem::take(&mut self.queued) {
                self.machine.on(self.now(), 0, Event::Queued);
            }
            self.tell();
        }
    }

    fn perform(&mut self, action: Action) -> Result<Option<Event>, Error> {
        Ok(match action {
            Action::Attest => Some(self.attest()),
            Action::Admit => self.admit(),
            Action::Poll => Some(self.poll()),
            Action::Install(offer) => Some(self.install(&offer)),
            Action::GiveUp(offer) => {
                self.give_up(&offer);
                None
            }
            Action::Deliver => Some(self.deliver()),
            Action::Commit => {
                self.device.commit()?;
                let running = self.device.running();
                tracing::info!(sequence = self.device.state().sequence, "the release is committed");
                running.map(|running| Event::Committed(running.manifest))
            }
            Action::Revert => {
                tracing::warn!("the release on trial did not attest in time");
                self.device.revert()?;
                None
            }
            Action::Reboot => Some(self.reboot()?),
            Action::Report(feedback) => Some(self.report(feedback)),
            Action::Wait { .. } => None,
        })
    }

    /// Ends the program, forgets everything that is not stored, and boots.
    fn reboot(&mut self) -> Result<Event, Error> {
        self.payload.stop();
        self.result = None;
        self.index = None;
        self.device = wake(&self.options.data, &self.options.target)?;
        let trial = match self.device.boot(unix_now())? {
            Boot::Release(running) => {
                tracing::info!(
                    slot = ?running.slot,
                    manifest = %running.manifest,
                    sequence = running.sequence,
                    trial = running.on_trial,
                    "booted"
                );
                if let Some(start) = running.start {
                    let image = Area::Image(running.slot, start.component);
                    let path = self.device.storage().path(image);
                    self.payload.start(path, start.arguments.as_deref());
                }
                running.on_trial.then_some(running.manifest)
            }
            Boot::Recovery => {
                tracing::warn!("booted to recovery: no slot holds a release to believe");
                None
            }
        };
        self.queue_capabilities();
        self.queued = true;
        Ok(Event::Booted { trial })
    }

    fn attest(&mut self) -> Event {
        match self.try_attest() {
            Ok(event) => event,
            Err(Failure::Unauthorized) => {
                tracing::warn!("the verifier refuses to be asked");
                Event::AttestationFailed
            }
            Err(Failure::Failed(what)) => {
                tracing::warn!(what, "attestation failed");
                Event::AttestationFailed
            }
        }
    }

    fn try_attest(&mut self) -> Result<Event, Failure> {
        let challenge = self.server.challenge()?;
        let evidence = self.device.evidence(&challenge.nonce);
        self.status.key_failure = match evidence {
            Err(AttestError::Key(NotSigned { code })) => Some(code.to_owned()),
            _ => None,
        };
        let evidence = evidence.map_err(|error| Failure::Failed(format!("no evidence: {error:?}")))?;
        let session = self.server.attest(&challenge, &evidence)?;
        let result = session.sextant_result.ok_or_else(|| Failure::Failed("there is no result".into()))?.0;
        // The device looks at what others are to verify: it believes the server no more than TLS makes it.
        let signed = SignedResult::decode_cwt(&result);
        let signed = signed.map_err(|error| Failure::Failed(format!("the result is malformed: {error}")))?;
        let result_claims = signed.unverified();
        let tier = result_claims.tier();
        // What runs has proved itself when the verifier knows it as the release it should be.
        let running = self.device.running().map(|running| running.manifest);
        let is_of_running = result_claims.submods.values().any(|appraisal| {
            appraisal
                .release
                .as_deref()
                .is_some_and(|release| running.is_some_and(|own| own.as_bytes() == release))
        });
        let reasons = result_claims.submods.values().flat_map(|appraisal| &appraisal.reasons);
        let reasons: Vec<String> = reasons.map(|reason| reason.code.clone()).collect();
        tracing::info!(status = %tier, ?reasons, "attested");
        self.status.attestation = Some(AttestationStatus {
            status: tier.name().to_owned(),
            at: result_claims.issued_at,
            expires_at: result_claims.expires_at,
            reasons,
        });
        self.status.admitted = false;
        self.result = Some(result);
        self.token = session.device_token;
        Ok(Event::Attested(Outcome {
            accepted: matches!(tier, Tier::Affirming | Tier::Warning) && is_of_running,
            token: self.token.is_some(),
            next: session.next_attestation.map(|seconds| seconds.saturating_mul(1000)),
        }))
    }

    fn admit(&mut self) -> Option<Event> {
        let (gateway, result) = (self.gateway.as_ref()?, self.result.as_ref()?);
        match gateway.admit(|nonce| self.device.admission(nonce, result)) {
            Ok(()) => {
                self.status.admitted = true;
                None
            }
            Err(failure) => {
                tracing::warn!(?failure, "the gateway did not admit this device");
                Some(Event::NotAdmitted)
            }
        }
    }

    fn poll(&mut self) -> Event {
        let Some(token) = &self.token else { return Event::Unauthorized };
        let Ok(nonce) = random_nonce() else { return Event::PollFailed };
        let polled = match self.server.poll(&self.ueid(), token, &self.device.authorities_digest(), &nonce) {
            Ok(polled) => polled,
            Err(failure) => return self.unlucky(&failure, Event::PollFailed),
        };
        let answer = match self.believe(&polled, &nonce) {
            Ok(answer) => answer,
            Err(code) => return self.not_believed(code),
        };
        self.status.answer_refusal = None;
        if let Some(sleep) = polled.sleep {
            self.machine.slow_down(sleep);
        }
        if let Some(url) = polled.authority_update {
            self.update_authorities(url, answer.and_then(|answer| answer.authority_update));
        }
        let Some(deployment) = polled.deployment else { return Event::NothingOffered };
        let offer = deployment.offer;
        match self.device.assess(&offer) {
            Ok(standing) => {
                self.remember(deployment);
                Event::Offered(offer, standing)
            }
            Err(error) => self.broken(error, Event::PollFailed),
        }
    }

    /// What the update server itself says now, as far as the device was told its key. What TLS says of the other end says
    /// nothing of how old the answer is that stands behind it, nor whether all of it is here.
    fn believe(
        &self,
        polled: &Polled,
        nonce: &[u8; UPDATE_NONCE_LEN],
    ) -> Result<Option<UpdateAnswer>, &'static str> {
        let Some(key) = &self.update_key else { return Ok(None) };
        let answer = polled.answer.as_deref().ok_or("unsigned-update-answer")?;
        let ueid = self.device.identity().ueid.as_bytes();
        let answer = SignedUpdateAnswer::decode(answer).and_then(|answer| answer.verify(key, ueid, nonce));
        let answer = answer.map_err(|error| error.code())?;
        if answer.offer != polled.deployment.as_ref().map(|deployment| deployment.offer.manifest) {
            return Err("update-answer-of-another-release");
        }
        let obeys = Some(self.device.authorities_digest());
        if answer.obeys != obeys || answer.authority_update.is_some() != polled.authority_update.is_some() {
            return Err(OTHER_AUTHORITIES);
        }
        Ok(Some(answer))
    }

    fn not_believed(&mut self, code: &'static str) -> Event {
        tracing::warn!(code, "an answer of the update server is not believed");
        self.status.answer_refusal = Some(code.to_owned());
        Event::PollFailed
    }

    /// Fetches a change of the list of authorities and hands it to the device, which believes only the roots of its
    /// list. The same change is not tried again once it was refused; whatever fails otherwise is, at the next poll.
    /// Another change than the server stated is not even shown to the device.
    fn update_authorities(&mut self, url: String, stated: Option<Digest>) {
        let Some(token) = &self.token else { return };
        if self.refused_update.as_ref() == Some(&url) {
            return;
        }
        let update = match self.server.authority_update(&url, token) {
            Ok(update) => update,
            Err(failure) => {
                tracing::warn!(?failure, "the change of the authorities did not come");
                return;
            }
        };
        if stated.is_some_and(|stated| !stated.matches(&update)) {
            self.not_believed(OTHER_AUTHORITIES);
            return;
        }
        match self.device.update_authorities(&update) {
            Ok(()) => {
                let version = self.device.authorities().version();
                tracing::info!(version, digest = %self.device.authorities_digest(), "the authorities changed");
                self.status.authority_refusal = None;
            }
            Err(AuthorityUpdateError::Refused(refusal)) => {
                tracing::warn!(code = refusal.code(), %refusal, "a change of the authorities is refused");
                self.status.authority_refusal = Some(refusal.code().to_owned());
                self.refused_update = Some(url);
            }
            Err(AuthorityUpdateError::Device(error)) => {
                tracing::error!(error = &Error::from(error) as &dyn std::error::Error, "storage failed");
            }
        }
    }

    /// Installs an offer, as far as it goes before something else is due.
    fn install(&mut self, offer: &Offer) -> Event {
        let deployment = self.offers.iter().find(|deployment| deployment.offer == *offer).cloned();
        let (Some(deployment), Some(token)) = (deployment, self.token.clone()) else {
            return Event::Unauthorized;
        };
        let pause_at = self.started.checked_add(Duration::from_millis(self.machine.due()));
        let mut download = self.server.download(&deployment, &token, pause_at);
        let index = match self.index.take().filter(|(of, _)| of == offer) {
            Some((_, index)) => index,
            None => match download.read_index() {
                Ok(index) => {
                    self.status.installations += 1;
                    index
                }
                Err(fault) => return self.interrupted(offer, fault),
            },
        };
        let release = Offered { index: &index, envelope: offer.envelope, manifest: Some(offer.manifest) };
        self.attempted = Some(offer.manifest);
        let result = self.device.install_from(&release, &mut download, unix_now());
        let fault = download.fault();
        match result {
            Ok(manifest) => {
                tracing::info!(%manifest, "installed");
                self.status.problem = None;
                self.queue_report(&deployment.action);
                Event::Installed
            }
            Err(InstallError::Refused(refusal)) => {
                tracing::warn!(code = refusal.code(), %refusal, manifest = %offer.manifest, "refused");
                self.status.problem = Some(refusal.code().to_owned());
                self.queue_report(&deployment.action);
                Event::Refused(refusal.code().to_owned())
            }
            Err(InstallError::Interrupted(error)) => {
                self.index = Some((*offer, index));
                match fault {
                    Some(fault) => self.interrupted(offer, fault),
                    None => {
                        tracing::warn!(%error, "the installation broke off");
                        Event::Interrupted
                    }
                }
            }
            Err(InstallError::Device(error)) => {
                self.status.problem = Some(storage_code(&error).to_owned());
                self.queue_report(&deployment.action);
                self.broken(error, Event::InstallFailed)
            }
        }
    }

    /// The download did not go on; what came is kept.
    fn interrupted(&mut self, offer: &Offer, fault: Fault) -> Event {
        if fault == Fault::Paused {
            return Event::Paused;
        }
        tracing::warn!(code = fault.code(), %fault, manifest = %offer.manifest, "the download broke off");
        self.status.problem = Some(fault.code().to_owned());
        match fault {
            Fault::Unauthorized => self.unlucky(&Failure::Unauthorized, Event::Interrupted),
            Fault::Withdrawn => Event::Withdrawn,
            Fault::Envelope(error) => {
                // Nothing of it can be installed, now or later: it is another matter when it is offered anew.
                self.attempted = Some(offer.manifest);
                let refused = self.device.refuse(offer, &error);
                let action = self.action_of(&offer.manifest).unwrap_or_default();
                self.queue_report(&action);
                match refused {
                    Ok(()) => Event::Refused(error.code().to_owned()),
                    Err(error) => self.broken(error, Event::InstallFailed),
                }
            }
            Fault::Changed | Fault::WrongLength => {
                self.index = None;
                Event::Interrupted
            }
            _ => Event::Interrupted,
        }
    }

    /// An installation broke off too often: its last report is final.
    fn give_up(&mut self, offer: &Offer) {
        self.index = None;
        // Where not even the head came there was no attempt to report.
        if let Some(action) =
            self.action_of(&offer.manifest).filter(|_| self.attempted == Some(offer.manifest))
        {
            self.queue_report(&action);
        }
    }

    /// Keeps the report of the newest attempt until it is delivered.
    fn queue_report(&mut self, action: &str) {
        let report = match self.device.report() {
            Ok(Some(report)) => report,
            Ok(None) => return,
            Err(NotSigned { code }) => return tracing::error!(code, "a report is not signed, and given up"),
        };
        match self.outbox.push(&report, Some(action), None) {
            Ok(()) => self.queued = true,
            Err(error) => tracing::error!(%error, "a report could not be kept"),
        }
    }

    /// Keeps the report of what the device can process, unless the server knows it.
    fn queue_capabilities(&mut self) {
        let digest = hex(self.device.capabilities_digest().as_bytes());
        let report = match self.device.capability_report() {
            Ok(Some(report)) => report,
            Ok(None) => return,
            Err(NotSigned { code }) => return tracing::error!(code, "the capability report is not signed"),
        };
        let kept = match self.outbox.told(&digest) {
            Ok(true) => return,
            Ok(false) => self.outbox.push(&report, None, Some(&digest)),
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            tracing::error!(%error, "the capability report could not be kept");
        }
    }

    /// Delivers the report that waits longest.
    fn deliver(&mut self) -> Event {
        let Some(token) = self.token.clone() else { return Event::NotDelivered };
        let queued = match self.outbox.oldest() {
            Ok(Some(queued)) => queued,
            Ok(None) => return Event::Delivered { more: false },
            Err(error) => {
                tracing::error!(%error, "reports cannot be read");
                return Event::NotDelivered;
            }
        };
        let action = queued.action.as_deref().filter(|action| !action.is_empty());
        match self.server.deliver(&self.ueid(), &token, &queued.report.0, action) {
            Ok(taken) => {
                if let Some(capabilities) = queued.capabilities.as_deref().filter(|_| taken)
                    && let Err(error) = self.outbox.note_told(capabilities)
                {
                    tracing::warn!(%error, "it is not noted that the server knows the capabilities");
                }
                if !taken {
                    tracing::warn!("the server does not want a report");
                }
                match self.outbox.remove(&queued).and_then(|()| self.outbox.oldest()) {
                    Ok(next) => Event::Delivered { more: next.is_some() },
                    Err(error) => {
                        tracing::error!(%error, "reports cannot be removed");
                        Event::NotDelivered
                    }
                }
            }
            Err(failure) => {
                let event = self.unlucky(&failure, Event::NotDelivered);
                self.queued = true;
                event
            }
        }
    }

    fn report(&mut self, feedback: Feedback) -> Event {
        let Some(action) = self.action_of(&feedback.manifest) else { return Event::Reported };
        let Some(token) = &self.token else { return Event::ReportFailed(feedback) };
        match self.server.report(&self.ueid(), token, &action, feedback.failure.as_deref()) {
            Ok(()) => Event::Reported,
            Err(failure) => self.unlucky(&failure, Event::ReportFailed(feedback)),
        }
    }

    fn remember(&mut self, deployment: Deployment) {
        self.offers.retain(|other| other.offer != deployment.offer);
        if self.offers.len() == MAX_OFFERS {
            self.offers.pop_front();
        }
        self.offers.push_back(deployment);
    }

    /// The action that asked for a release last.
    fn action_of(&self, manifest: &Digest) -> Option<String> {
        let mut offers = self.offers.iter().rev();
        offers.find(|deployment| deployment.offer.manifest == *manifest).map(|found| found.action.clone())
    }

    fn ueid(&self) -> String {
        hex(self.device.identity().ueid.as_bytes())
    }

    /// The server did not do its part.
    fn unlucky(&mut self, failure: &Failure, otherwise: Event) -> Event {
        match failure {
            Failure::Unauthorized => {
                tracing::info!("the update server wants another token");
                self.token = None;
                Event::Unauthorized
            }
            Failure::Failed(what) => {
                tracing::warn!(what, "the update server did not do its part");
                otherwise
            }
        }
    }

    /// The storage did not do its part.
    fn broken(&self, error: Failed, otherwise: Event) -> Event {
        tracing::error!(error = &Error::from(error) as &dyn std::error::Error, "storage failed");
        otherwise
    }

    /// Milliseconds since the agent started.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn nap(&mut self, until: u64) {
        let left = Duration::from_millis(until.saturating_sub(self.now()));
        let before = self.payload.id();
        thread::sleep(left.min(NAP));
        self.payload.look_after();
        if self.payload.id() != before {
            self.tell();
        }
    }

    /// Writes down where the device stands.
    fn tell(&mut self) {
        let silent = self.machine.is_source_silent(self.now());
        if silent && !self.status.update_source_silent {
            tracing::warn!("the update server has been silent for long: what runs may be out of date");
        }
        self.status.update_source_silent = silent;
        self.status.refresh(&self.device);
        self.status.payload = self.payload.id();
        if let Err(error) = self.status.write(&self.options.data) {
            tracing::warn!(%error, "the status could not be written");
        }
    }
}

fn random_nonce() -> Result<[u8; UPDATE_NONCE_LEN], getrandom::Error> {
    let mut nonce = [0; UPDATE_NONCE_LEN];
    getrandom::fill(&mut nonce).map(|()| nonce)
}

/// Stable word for what is wrong with the device itself.
fn storage_code(error: &Failed) -> &'static str {
    match error {
        StateError::Storage(error) if FileStorage::is_full(error) => "no-room",
        _ => "storage-failed",
    }
}
