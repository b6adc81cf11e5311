//! What stands between devices and this gateway is kept in step with it: filters of an access server, entries of a RADIUS
//! server, the list of an access point.
//!
//! They are told what the kernel enforces, after it does, and again when names or classes have other members. None of them is
//! waited for: the gateway's own rules hold whether they do what they are told or not.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Config, StartError};
use crate::radius::{Answer, DynamicAuthorization, Filter, RadiusError, Secret, Session, authorize_entry};
use crate::{AccessPoint, DeviceId, Mac, PolicyId, Shared};

/// Wakes whoever tells others.
#[derive(Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    condition: Condvar,
}

impl Bell {
    /// A device has another policy.
    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condition.notify_all();
    }

    /// Waits for it, or for a while.
    pub(super) fn wait(&self, time: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.condition.wait_timeout_while(rung, time, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

/// Those who are told.
pub(super) struct Edge {
    access_server: Option<DynamicAuthorization>,
    named_filter: Option<String>,
    authorize_file: Option<PathBuf>,
    access_point: Option<AccessPoint>,
    enforcer: Shared,
    told: BTreeMap<DeviceId, Told>,
    written: String,
    /// The access server did not answer in this round: the rest of it is not asked.
    silent: bool,
}

/// What they know of a device.
struct Told {
    mac: Mac,
    filter: Option<Filter>,
    ejected: bool,
    failures: u32,
    again: Instant,
}

/// A device as the kernel has it.
struct Standing {
    mac: Mac,
    filter: Filter,
    blocked: bool,
}

impl Edge {
    /// `None` where there is nobody to tell.
    pub(super) fn of(config: &Config, enforcer: Shared) -> Result<Option<Self>, StartError> {
        let edge = &config.edge;
        let access_server = match &edge.access_server {
            Some((address, file)) => {
                let secret = std::fs::read(file).map_err(StartError::io(format!(
                    "reading the secret of the access server, {}",
                    file.display()
                )))?;
                let secret = Secret::new(secret.trim_ascii_end())
                    .map_err(|error| StartError::Setting(format!("{}: {error}", file.display())))?;
                Some(DynamicAuthorization { address: *address, secret, patience: PATIENCE })
            }
            None => None,
        };
        let access_point = edge.access_point.as_deref().map(AccessPoint::at);
        let authorize_file = edge.authorize_file.clone();
        if access_server.is_none() && access_point.is_none() && authorize_file.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            access_server,
            named_filter: edge.named_filter.clone(),
            authorize_file,
            access_point,
            enforcer,
            told: BTreeMap::new(),
            written: String::new(),
            silent: false,
        }))
    }

    /// Tells everybody what they do not know yet.
    pub(super) fn tell(&mut self) {
        self.silent = false;
        let mut present: BTreeMap<DeviceId, Standing> = BTreeMap::new();
        for (device, mac, policy) in self.enforcer.with(|enforcer| enforcer.admitted()) {
            // One at a time, so that no change waits for all of them.
            if let Some(filter) = self.enforcer.with(|enforcer| enforcer.filter(&device)) {
                present.insert(device, Standing { mac, filter, blocked: policy == PolicyId::BLOCKED });
            }
        }
        let gone: Vec<DeviceId> =
            self.told.keys().filter(|known| !present.contains_key(*known)).cloned().collect();
        for device in gone {
            if let Some(told) = self.told.remove(&device) {
                self.forget(&device, &told);
            }
        }
        for (device, standing) in &present {
            self.tell_of(device, standing);
        }
        if let Some(file) = &self.authorize_file {
            let entries = entries(&present);
            if entries != self.written {
                match replace(file, &entries) {
                    Ok(()) => self.written = entries,
                    Err(error) => {
                        tracing::error!(%error, file = %file.display(), "the entries are not written")
                    }
                }
            }
        }
    }

    fn tell_of(&mut self, device: &DeviceId, standing: &Standing) {
        let now = Instant::now();
        let fresh = Told { mac: standing.mac, filter: None, ejected: false, failures: 0, again: now };
        let told = self.told.entry(device.clone()).or_insert(fresh);
        if told.mac != standing.mac {
            // Another network interface is another session.
            *told = Told { mac: standing.mac, filter: None, ejected: false, failures: 0, again: now };
        }
        let filtered = self.access_server.is_none() || told.filter.as_ref() == Some(&standing.filter);
        let listed = self.access_point.is_none() || told.ejected == standing.blocked;
        if (filtered && listed) || told.again > now {
            return;
        }
        let mut failed = false;
        if let (Some(access_point), false) = (&self.access_point, listed) {
            let outcome = if standing.blocked {
                access_point.eject(standing.mac)
            } else {
                access_point.admit(standing.mac)
            };
            match outcome {
                Ok(()) => told.ejected = standing.blocked,
                Err(error) => {
                    tracing::warn!(device.id = %device, %error, "the access point was not told");
                    failed = true;
                }
            }
        }
        if let (Some(access_server), false, false) = (&self.access_server, filtered, self.silent) {
            let session = Session { mac: standing.mac, names: Vec::new() };
            match change(access_server, self.named_filter.as_deref(), &session, standing) {
                Ok(Answer::Done) => told.filter = Some(standing.filter.clone()),
                Ok(Answer::Refused(cause)) => {
                    let cause = cause.map(|cause| cause.to_string());
                    tracing::warn!(device.id = %device, cause, "the access server refused");
                    failed = true;
                }
                Err(error) => {
                    tracing::warn!(device.id = %device, %error, "the access server was not told");
                    self.silent = matches!(error, RadiusError::NoAnswer);
                    failed = true;
                }
            }
        }
        told.failures = if failed { told.failures.saturating_add(1) } else { 0 };
        let pause =
            FIRST_RETRY.saturating_mul(1 << told.failures.min(8).saturating_sub(1)).min(LONGEST_RETRY);
        told.again = if failed { now + pause } else { now };
    }

    /// A device that this gateway knows no more is a stranger to it, and is nothing to the others.
    fn forget(&mut self, device: &DeviceId, told: &Told) {
        if let (Some(access_server), false) = (&self.access_server, self.silent) {
            let session = Session { mac: told.mac, names: Vec::new() };
            // Whoever has no such session refuses, which is as good.
            if let Err(error) = access_server.disconnect(&session) {
                tracing::warn!(device.id = %device, %error, "a session was not ended");
                self.silent = matches!(error, RadiusError::NoAnswer);
            }
        }
        if let (Some(access_point), true) = (&self.access_point, told.ejected)
            && let Err(error) = access_point.admit(told.mac)
        {
            tracing::warn!(device.id = %device, %error, "the access point still keeps a stranger out");
        }
    }
}

/// Rules where they fit, else the filter of that name; a session that is to have nothing ends where it cannot be filtered.
fn change(
    access_server: &DynamicAuthorization,
    named_filter: Option<&str>,
    session: &Session,
    standing: &Standing,
) -> Result<Answer, RadiusError> {
    let outcome = match (access_server.change(session, &standing.filter), named_filter) {
        (Err(RadiusError::TooLong { .. }), Some(name)) => access_server.change_to(session, name),
        (outcome, _) => outcome,
    };
    match outcome {
        Ok(Answer::Refused(_)) if standing.blocked => access_server.disconnect(session),
        outcome => outcome,
    }
}

fn entries(present: &BTreeMap<DeviceId, Standing>) -> String {
    let mut entries = String::from("# Written by the gateway; changed whenever its policies are.\n");
    for (device, standing) in present {
        match authorize_entry(standing.mac, &standing.filter) {
            Ok(entry) => entries.push_str(&entry),
            Err(error) => tracing::warn!(device.id = %device, %error, "a device has no entry"),
        }
    }
    entries
}

/// The old contents or the new ones, never a part.
fn replace(file: &Path, contents: &str) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let mut written = std::fs::File::create(&beside)?;
    written.write_all(contents.as_bytes())?;
    written.sync_all()?;
    std::fs::rename(&beside, file)
}

/// How long others may not know that a name has other addresses.
pub(super) const SWEEP: Duration = Duration::from_secs(5);
/// How long the first answer of an access server may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// First wait after a failure, and the longest.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);
