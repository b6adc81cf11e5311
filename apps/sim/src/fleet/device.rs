//! One simulated device: the device's own state machine, and the shell that does what it says.

use std::{collections::VecDeque, sync::atomic::Ordering};

use crypto::Digest;
use device_core::{
    Action, Area, Boot, Device, Event, Feedback, InstallError, Machine, Offer, Offered, Outcome, Timing,
};
use eat::{Nonce, SignedResult, Tier};

use super::{
    link::{Deployment, Link, Trouble},
    model::{Model, key, unix_now},
    seed::{Numbers, Seed},
    source::LinkSource,
    storage::SharedStorage,
};
use crate::Error;

/// Offers whose action is remembered, to report how they ended.
const MAX_OFFERS: usize = 4;

/// A device of a fleet.
pub(crate) struct SimDevice {
    number: u32,
    device: Device<SharedStorage>,
    machine: Machine,
    numbers: Numbers,
    token: Option<String>,
    offers: VecDeque<Deployment>,
    /// What the newest result says.
    tier: Option<Tier>,
    change: Change,
}

/// What became of a device whose image was changed behind its back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was not.
    None,
    /// It has not attested since.
    Unseen,
    /// Its evidence was believed all the same.
    Missed,
    /// Its evidence was not believed.
    Found,
    /// An update mended it before it attested.
    Mended,
}

/// What surrounds a device while it acts.
pub(crate) struct Surroundings<'s> {
    pub(crate) link: &'s Link,
    pub(crate) model: &'s Model,
    pub(crate) seed: Seed,
    /// Milliseconds since the fleet began.
    pub(crate) now: &'s dyn Fn() -> u64,
    /// Whether the fleet is about to end.
    pub(crate) over: &'s dyn Fn() -> bool,
}

/// A device as it is at the end.
pub(crate) struct Standing {
    pub(crate) ueid: String,
    /// Status of the newest result.
    pub(crate) tier: Option<Tier>,
    /// Sequence number of what runs.
    pub(crate) sequence: Option<u64>,
    pub(crate) change: Change,
    /// Whether what lies in its slot is what its manifest says.
    pub(crate) intact: bool,
}

impl SimDevice {
    pub(crate) fn new(number: u32, device: Device<SharedStorage>, timing: Timing, numbers: Numbers) -> Self {
        Self {
            number,
            device,
            machine: Machine::new(timing),
            numbers,
            token: None,
            offers: VecDeque::new(),
            tier: None,
            change: Change::None,
        }
    }

    /// Whether the verifier believed the newest evidence.
    pub(crate) fn is_believed(&self) -> bool {
        self.tier.is_some_and(is_good)
    }

    /// Evidence for whoever gave a nonce.
    pub(crate) fn evidence(&self, nonce: &Nonce) -> Option<Vec<u8>> {
        self.device.evidence(nonce).ok()
    }

    /// Changes one bit of the image that runs, once.
    pub(crate) fn change(&mut self) {
        let Some(running) = self.device.running().filter(|running| !running.on_trial) else { return };
        let image = Area::Image(running.slot, 0);
        if self.change == Change::None && self.device.storage_mut().flip(image) {
            self.change = Change::Unseen;
        }
    }

    /// Does all that is due; gives when there is more.
    pub(crate) fn act(&mut self, around: &Surroundings<'_>) -> Result<u64, Error> {
        loop {
            let now = (around.now)();
            let action = match self.machine.next(now) {
                Action::Wait { until } => return Ok(until),
                action => action,
            };
            if let Some(event) = self.perform(action, around)? {
                let random = self.numbers.next();
                self.machine.on((around.now)(), random, event);
            }
            if (around.over)() {
                return Ok((around.now)());
            }
        }
    }

    /// How it stands.
    pub(crate) fn standing(&mut self) -> Result<Standing, Error> {
        let intact = self.device.is_intact().map_err(|error| broken(&error))?;
        Ok(Standing {
            ueid: self.ueid(),
            tier: self.tier,
            sequence: self.device.running().map(|running| running.sequence),
            change: self.change,
            intact,
        })
    }

    fn perform(&mut self, action: Action, around: &Surroundings<'_>) -> Result<Option<Event>, Error> {
        Ok(match action {
            Action::Attest => Some(self.attest(around.link).unwrap_or(Event::AttestationFailed)),
            Action::Poll => Some(self.poll(around.link)?),
            Action::Install(offer) => Some(self.install(&offer, around.link)?),
            Action::Commit => {
                self.device.commit().map_err(|error| broken(&error))?;
                self.device.running().map(|running| Event::Committed(running.manifest))
            }
            Action::Revert => {
                self.device.revert().map_err(|error| broken(&error))?;
                None
            }
            Action::Reboot => Some(self.reboot(around)?),
            Action::Report(feedback) => Some(self.report(feedback, around.link)),
            // There is no gateway, SUIT reports are not simulated, and whoever calls waits.
            Action::Admit | Action::GiveUp(_) | Action::Deliver | Action::Wait { .. } => None,
        })
    }

    /// Forgets everything that is not stored, and boots.
    fn reboot(&mut self, around: &Surroundings<'_>) -> Result<Event, Error> {
        let storage = self.device.storage().clone();
        let (key, ueid) = (key(around.seed, self.number)?, self.device.identity().ueid.clone());
        self.device = around.model.wake(storage, key, ueid, &mut self.numbers)?;
        let booted = self.device.boot(unix_now()).map_err(|error| broken(&error))?;
        let trial = match booted {
            Boot::Release(running) => running.on_trial.then_some(running.manifest),
            Boot::Recovery => None,
        };
        Ok(Event::Booted { trial })
    }

    fn attest(&mut self, link: &Link) -> Option<Event> {
        let challenge = link.challenge().ok()?;
        if self.change == Change::Unseen && self.device.is_intact().ok()? {
            self.change = Change::Mended;
        }
        let evidence = self.evidence(&challenge.nonce)?;
        let session = link.attest(&challenge, &evidence).ok()?;
        let result = session.sextant_result?.0;
        // The device looks at what others are to verify: it believes the server no more than TLS makes it.
        let signed = SignedResult::decode_cwt(&result).ok()?;
        let claims = signed.unverified();
        let tier = claims.tier();
        let running = self.device.running().map(|running| running.manifest);
        let is_of_running = claims.submods.values().any(|appraisal| {
            let release = appraisal.release.as_deref();
            release.is_some_and(|release| running.is_some_and(|own| own.as_bytes() == release))
        });
        self.tier = Some(tier);
        self.change = match self.change {
            Change::Unseen if is_good(tier) => Change::Missed,
            Change::Unseen => Change::Found,
            other => other,
        };
        self.token = session.device_token;
        link.metrics.attestations.fetch_add(1, Ordering::Relaxed);
        Some(Event::Attested(Outcome {
            accepted: is_good(tier) && is_of_running,
            token: self.token.is_some(),
            next: session.next_attestation.map(|seconds| seconds.saturating_mul(1000)),
        }))
    }

    fn poll(&mut self, link: &Link) -> Result<Event, Error> {
        let Some(token) = &self.token else { return Ok(Event::Unauthorized) };
        let polled = match link.poll(&self.ueid(), token) {
            Ok(polled) => polled,
            Err(trouble) => return Ok(self.unlucky(trouble, Event::PollFailed)),
        };
        link.metrics.polls.fetch_add(1, Ordering::Relaxed);
        if let Some(sleep) = polled.sleep {
            self.machine.slow_down(sleep);
        }
        let Some(deployment) = polled.deployment else { return Ok(Event::NothingOffered) };
        let offer = deployment.offer;
        let standing = self.device.assess(&offer).map_err(|error| broken(&error))?;
        self.remember(deployment);
        Ok(Event::Offered(offer, standing))
    }

    fn install(&mut self, offer: &Offer, link: &Link) -> Result<Event, Error> {
        let deployment = self.offers.iter().find(|deployment| deployment.offer == *offer);
        let (Some(deployment), Some(token)) = (deployment, &self.token) else {
            return Ok(Event::Unauthorized);
        };
        let mut source = LinkSource::new(link, deployment, token);
        let index = match source.read_index() {
            Ok(Ok(index)) => index,
            Ok(Err(error)) => {
                self.device.refuse(offer, &error).map_err(|error| broken(&error))?;
                return Ok(Event::Refused(error.code().to_owned()));
            }
            Err(trouble) => return Ok(self.broke_off(trouble)),
        };
        let release = Offered { index: &index, envelope: offer.envelope, manifest: Some(offer.manifest) };
        match self.device.install_from(&release, &mut source, unix_now()) {
            Ok(_manifest) => {
                link.metrics.installations.fetch_add(1, Ordering::Relaxed);
                Ok(Event::Installed)
            }
            Err(InstallError::Refused(fault)) => Ok(Event::Refused(fault.code().to_owned())),
            Err(InstallError::Interrupted(_)) => {
                let trouble = source.trouble().unwrap_or(Trouble::Failed);
                Ok(self.broke_off(trouble))
            }
            Err(InstallError::Device(error)) => Err(broken(&error)),
        }
    }

    fn broke_off(&mut self, trouble: Trouble) -> Event {
        match trouble {
            Trouble::Absent => Event::Withdrawn,
            trouble => self.unlucky(trouble, Event::Interrupted),
        }
    }

    fn report(&mut self, feedback: Feedback, link: &Link) -> Event {
        let Some(action) = self.action_of(&feedback.manifest) else { return Event::Reported };
        let Some(token) = &self.token else { return Event::ReportFailed(feedback) };
        match link.report(&self.ueid(), token, &action, feedback.failure.as_deref()) {
            Ok(()) => Event::Reported,
            Err(trouble) => self.unlucky(trouble, Event::ReportFailed(feedback)),
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
        self.device.identity().ueid.to_string()
    }

    /// The server did not do its part.
    fn unlucky(&mut self, trouble: Trouble, otherwise: Event) -> Event {
        match trouble {
            Trouble::Unauthorized => {
                self.token = None;
                Event::Unauthorized
            }
            Trouble::Absent | Trouble::Failed => otherwise,
        }
    }
}

fn is_good(tier: Tier) -> bool {
    matches!(tier, Tier::Affirming | Tier::Warning)
}

/// Storage in memory does not fail, so this is a fault of the device's own code.
fn broken(error: &dyn std::fmt::Debug) -> Error {
    Error::object("a simulated device failed")(format!("{error:?}"))
}
