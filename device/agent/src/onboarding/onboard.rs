use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crypto::{Digest, HashAlgorithm};
use device_core::{Area, Boot, Device};
use fdo::DEFAULT_DELAY;
use fdo_http::{Client, Finding, find_owner};
use serde::Serialize;
use suit::AuthorityList;

use super::{
    Onboarding,
    provisioning::Checks,
    session::{Failed, Session},
    stored::Operational,
};
use crate::{
    Error, FileStorage, ModuleOptions, OnboardOptions, OnboardingStatus, RunOptions, Status,
    keys::Secrets,
    payload::Payload,
    place::{Place, read, setup},
    setup::{lock, unix_now, wake},
};

/// How long it sleeps at a time, to look after the program of the release in between.
const NAP: Duration = Duration::from_millis(100);
/// Waits differ by up to this part of them either way, so that devices do not come at once.
const JITTER: u64 = 4;

const WAITING: &str = "waiting";
const ONBOARDED: &str = "onboarded";
/// Code of rendezvous information in which no way leads anywhere.
const NOWHERE: &str = "rendezvous-no-address";

/// What `onboard` answers.
#[derive(Debug, Serialize)]
pub struct Onboarded {
    /// How the device's voucher calls it.
    guid: String,
    /// The server that the owner gave it.
    server: Option<String>,
    /// Whether the owner gave it a certificate.
    certificate: bool,
}

/// Finds the owner of a device and is taken over.
pub fn onboard(options: &OnboardOptions) -> Result<Onboarded, Error> {
    let data = &options.data;
    let _lock = lock(data)?;
    let mut onboarding = Onboarding::load(data)?.ok_or_else(|| {
        Error::Usage(format!("{} holds no device that was made for onboarding", data.display()))
    })?;
    if onboarding.given.is_none() || options.again {
        let mut search = Search::new(Wanted {
            data,
            modules: &options.modules,
            device: wake(data, &options.target)?,
            has_anchors: false,
            once: options.once,
            runs_payload: false,
        })?;
        onboarding = search.until_done(onboarding)?;
    }
    write_out(&onboarding, data)?;
    let given = onboarding.given.as_ref();
    Ok(Onboarded {
        guid: onboarding.credential.guid.to_string(),
        server: onboarding.provision().map(|provision| provision.server.clone()),
        certificate: given.is_some_and(|given| given.operational.is_some()),
    })
}

/// Has the device taken over if it was made for that and was not yet, before it does anything else. The answer is how it
/// stands with its owner.
pub(crate) fn onboarded(options: &RunOptions) -> Result<Option<OnboardingStatus>, Error> {
    let data = &options.data;
    let Some(onboarding) = Onboarding::load(data)? else { return Ok(None) };
    if onboarding.given.is_some() {
        write_out(&onboarding, data)?;
        return Ok(Some(status_of(&onboarding, ONBOARDED)));
    }
    let mut search = Search::new(Wanted {
        data,
        modules: &options.modules,
        device: wake(data, &options.target)?,
        has_anchors: options.ca.is_some(),
        once: false,
        runs_payload: true,
    })?;
    let onboarding = search.until_done(onboarding)?;
    write_out(&onboarding, data)?;
    Ok(search.progress.status.onboarding)
}

/// What is done, with what.
struct Wanted<'o> {
    data: &'o Path,
    modules: &'o ModuleOptions,
    device: Device<FileStorage>,
    /// Whether anchors of the server are given on the command line.
    has_anchors: bool,
    once: bool,
    /// Whether the program of a release that the factory installed runs meanwhile.
    runs_payload: bool,
}

/// The search for an owner.
struct Search<'o> {
    wanted: Wanted<'o>,
    client: Client,
    secrets: Secrets,
    checks: Checks,
    progress: Progress,
}

/// How far it is, and what goes on beside it.
struct Progress {
    payload: Payload,
    status: Status,
}

impl<'o> Search<'o> {
    /// Boots the device, so that evidence is about what runs.
    fn new(mut wanted: Wanted<'o>) -> Result<Self, Error> {
        let data = wanted.data;
        let mut payload = Payload::default();
        if let Boot::Release(running) = wanted.device.boot(unix_now())?
            && let Some(start) = running.start.filter(|_| wanted.runs_payload)
        {
            let path = wanted.device.storage().path(Area::Image(running.slot, start.component));
            payload.start(path, start.arguments.as_deref());
        }
        let secrets = Secrets::load(data)?;
        let checks = Checks { has_anchors: wanted.has_anchors, authorities: own_lists(&wanted)? };
        let progress = Progress { payload, status: Status::default() };
        Ok(Self { wanted, client: Client::default(), secrets, checks, progress })
    }

    /// Goes through all ways to the owner until one leads to it, or once. What the owner gave is in force when this returns.
    fn until_done(&mut self, onboarding: Onboarding) -> Result<Onboarding, Error> {
        self.progress.status.onboarding = Some(status_of(&onboarding, WAITING));
        self.tell();
        loop {
            if let Some(done) = self.round(&onboarding)? {
                self.progress.payload.stop();
                self.progress.status.onboarding = Some(OnboardingStatus {
                    attempts: self.progress.onboarding().map_or(0, |status| status.attempts),
                    ..status_of(&done, ONBOARDED)
                });
                self.tell();
                return Ok(done);
            }
            if self.wanted.once {
                let failure = self.progress.onboarding().and_then(|status| status.failure.clone());
                return Err(Error::NotOnboarded(failure.unwrap_or_else(|| NOWHERE.into())));
            }
        }
    }

    /// Goes through all ways once. There is a wait in it even where none of them is of use.
    fn round(&mut self, onboarding: &Onboarding) -> Result<Option<Onboarding>, Error> {
        let Self { wanted, client, secrets, checks, progress } = self;
        if let Err(error) = secrets.check() {
            progress.cannot_prove(&error);
            self.tell();
            if !self.wanted.once {
                self.progress.nap(jittered(DEFAULT_DELAY)?);
            }
            return Ok(None);
        }
        let secrets = secrets.as_dyn();
        let session =
            Session { client, device: &wanted.device, secrets, onboarding, checks, modules: wanted.modules };
        let mut has_waited = wanted.once;
        for finding in find_owner(client, &onboarding.credential, secrets) {
            match finding {
                Finding::Candidate(candidate) => match session.run(&candidate) {
                    Ok(done) => {
                        done.save(wanted.data)?;
                        tracing::info!(guid = %done.credential.guid, "the owner took this device over");
                        return Ok(Some(done));
                    }
                    Err(Failed { code, error }) => progress.failed(code, &*error),
                },
                Finding::Failed(error) => progress.failed(error.code(), &*error),
                Finding::Unusable { directive, reason } => {
                    tracing::warn!(directive, code = reason.code(), %reason, "a way to the owner is of no use");
                }
                Finding::Wait { .. } if wanted.once => {}
                Finding::Wait { seconds, .. } => {
                    has_waited = true;
                    progress.tell(wanted);
                    progress.nap(jittered(seconds)?);
                }
            }
        }
        self.tell();
        if !has_waited {
            self.progress.nap(jittered(DEFAULT_DELAY)?);
        }
        Ok(None)
    }

    fn tell(&mut self) {
        self.progress.tell(&self.wanted);
    }
}

impl Progress {
    fn onboarding(&self) -> Option<&OnboardingStatus> {
        self.status.onboarding.as_ref()
    }

    /// A server was asked, and was of no use.
    fn failed(&mut self, code: &str, error: &(dyn std::error::Error + 'static)) {
        tracing::warn!(code, error, "the owner is not there");
        if let Some(status) = &mut self.status.onboarding {
            status.failure = Some(code.to_owned());
            status.attempts += 1;
        }
    }

    /// Nobody is asked: the device has nothing to prove itself with.
    fn cannot_prove(&mut self, error: &tpm::Error) {
        let code = error.code();
        tracing::error!(code, error = error as &dyn std::error::Error, "the device cannot prove itself");
        if let Some(status) = &mut self.status.onboarding {
            status.failure = Some(code.to_owned());
        }
    }

    /// Writes down how far it is.
    fn tell(&mut self, wanted: &Wanted<'_>) {
        self.status.refresh(&wanted.device);
        self.status.payload = self.payload.id();
        if let Err(error) = self.status.write(wanted.data) {
            tracing::warn!(%error, "the status could not be written");
        }
    }

    fn nap(&mut self, duration: Duration) {
        let started = Instant::now();
        loop {
            self.payload.look_after();
            let left = duration.saturating_sub(started.elapsed());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(NAP));
        }
    }
}

/// Digests of the authority lists that are the device's own. One without a list obeys an empty one, below all versions.
fn own_lists(wanted: &Wanted<'_>) -> Result<Vec<Digest>, Error> {
    let path = Place(wanted.data).authorities();
    let mut lists = Vec::new();
    if wanted.device.authorities().version() > 0 {
        lists.push(wanted.device.authorities_digest());
    }
    let made_with = if path.exists() { Some(read(&path)?) } else { None };
    let given = Onboarding::load(wanted.data)?.and_then(|onboarding| onboarding.authorities);
    for list in [made_with, given].into_iter().flatten() {
        let list = AuthorityList::decode(&list).map_err(setup(&path))?;
        lists.push(list.digest(HashAlgorithm::Sha256));
    }
    Ok(lists)
}

fn status_of(onboarding: &Onboarding, state: &str) -> OnboardingStatus {
    let (guid, state) = (onboarding.credential.guid.to_string(), state.to_owned());
    OnboardingStatus { guid, state, failure: None, attempts: 0 }
}

/// Writes out what programs of the device need. It is made of what is in force, and made again at each start.
fn write_out(onboarding: &Onboarding, data: &Path) -> Result<(), Error> {
    let operational = onboarding.given.as_ref().and_then(|given| given.operational.as_ref());
    match operational {
        Some(operational) => operational.write_out(&Place(data).fdo()),
        None => Operational::take_away(&Place(data).fdo()),
    }
}

/// This many seconds, more or less a quarter.
fn jittered(seconds: u32) -> Result<Duration, Error> {
    let random = u64::from(getrandom::u32().map_err(Error::Random)?);
    let milliseconds = u64::from(seconds) * 1000;
    let spread = milliseconds / JITTER;
    Ok(Duration::from_millis(milliseconds - spread + random % (2 * spread + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_differ_by_a_quarter_at_most() {
        for seconds in [0, 1, 120, u32::MAX] {
            for _ in 0..100 {
                let (waited, told) = (jittered(seconds).unwrap(), Duration::from_secs(seconds.into()));
                assert!(waited >= told * 3 / 4 && waited <= told * 5 / 4, "{waited:?} for {told:?}");
            }
        }
    }
}
