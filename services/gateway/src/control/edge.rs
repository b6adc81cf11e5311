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
    told: BTreeMap<DeviceId, Told>,
    /// The entries as they were last written, and those who had none.
    written: Entries,
}

/// What they know of a device.
struct Told {
    mac: Mac,
    /// The rules of its session; none for a session that is to end.
    session: Word<Option<Filter>>,
    /// Whether the access point keeps it out. Unknown at first: an earlier process may have said so.
    ejected: Word<bool>,
}

/// What one of them was last told. What failed is tried again later; what is new is said at once.
#[derive(Default)]
struct Word<T> {
    done: Option<T>,
    failed: Option<(T, u32, Instant)>,
}

/// A device as the kernel has it.
#[derive(Clone)]
struct Standing {
    mac: Mac,
    filter: Filter,
    ejected: bool,
}

/// Entries for a RADIUS server, and devices whose rules have no room in one.
#[derive(Default, PartialEq)]
struct Entries {
    text: String,
    without: Vec<DeviceId>,
}

impl Edge {
    /// `None` where there is nobody to tell.
    pub(super) fn of(config: &Config) -> Result<Option<Self>, StartError> {
        let edge = &config.edge;
        let access_server = match &edge.access_server {
            Some((address, file)) => {
                let what = || format!("reading the secret of the access server, {}", file.display());
                let secret = std::fs::read(file).map_err(StartError::io(what()))?;
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
        let named_filter = edge.named_filter.clone();
        let (told, written) = (BTreeMap::new(), Entries::default());
        Ok(Some(Self { access_server, named_filter, authorize_file, access_point, told, written }))
    }

    /// Tells everybody what they do not know yet of what the kernel enforces.
    pub(super) fn tell(&mut self, enforcer: &Shared) {
        let mut present: BTreeMap<DeviceId, Standing> = BTreeMap::new();
        for (device, mac, policy) in enforcer.with(|enforcer| enforcer.admitted()) {
            // One at a time, so that no change waits for all of them.
            if let Some(filter) = enforcer.with(|enforcer| enforcer.filter(&device)) {
                present.insert(device, Standing { mac, filter, ejected: policy == PolicyId::EJECTED });
            }
        }
        self.write_entries(&present);
        self.tell_of(&present, Instant::now());
    }

    fn tell_of(&mut self, present: &BTreeMap<DeviceId, Standing>, now: Instant) {
        for (device, Standing { mac, .. }) in present {
            let fresh = || Told { mac: *mac, session: Word::default(), ejected: Word::default() };
            let told = self.told.entry(device.clone()).or_insert_with(fresh);
            if told.mac != *mac {
                // Another network interface is another session.
                *told = fresh();
            }
        }
        let mut silent = false;
        let mut known = std::mem::take(&mut self.told);
        known.retain(|device, told| {
            let standing = present.get(device);
            self.tell_access_point(device, told, standing.is_some_and(|standing| standing.ejected), now);
            // Who did not answer for one device does not for the next.
            if !silent {
                silent = self.tell_access_server(device, told, standing, now);
            }
            let over = |done: bool, there: bool| done || !there;
            let forgotten = over(told.session.done == Some(None), self.access_server.is_some())
                && over(told.ejected.done == Some(false), self.access_point.is_some());
            // A device that this gateway knows no more is a stranger to it, and is nothing to the others.
            standing.is_some() || !forgotten
        });
        self.told = known;
    }

    fn tell_access_point(&self, device: &DeviceId, told: &mut Told, ejected: bool, now: Instant) {
        let Some(access_point) = self.access_point.as_ref().filter(|_| told.ejected.is_due(&ejected, now))
        else {
            return;
        };
        let outcome = if ejected { access_point.eject(told.mac) } else { access_point.admit(told.mac) };
        if let Err(error) = &outcome {
            tracing::warn!(device.id = %device, %error, "the access point was not told");
        }
        told.ejected.note(ejected, outcome.is_ok(), now);
    }

    /// Says whether the access server did not answer.
    fn tell_access_server(
        &self,
        device: &DeviceId,
        told: &mut Told,
        standing: Option<&Standing>,
        now: Instant,
    ) -> bool {
        // A session of whoever is to be off the network ends, as one of whoever is not known.
        let standing = standing.filter(|standing| !standing.ejected);
        let wanted = standing.map(|standing| standing.filter.clone());
        let Some(access_server) = self.access_server.as_ref().filter(|_| told.session.is_due(&wanted, now))
        else {
            return false;
        };
        let session = Session { mac: told.mac, names: Vec::new() };
        let outcome = match standing {
            Some(standing) => change(access_server, self.named_filter.as_deref(), &session, standing),
            // Whoever has no such session refuses, which is as good.
            None => access_server.disconnect(&session).map(|_| Answer::Done),
        };
        match &outcome {
            Ok(Answer::Done) => {}
            Ok(Answer::Refused(cause)) => {
                let cause = cause.map(|cause| cause.to_string());
                tracing::warn!(device.id = %device, cause, "the access server refused");
            }
            Err(error) => tracing::warn!(device.id = %device, %error, "the access server was not told"),
        }
        told.session.note(wanted, matches!(outcome, Ok(Answer::Done)), now);
        matches!(outcome, Err(RadiusError::NoAnswer))
    }

    fn write_entries(&mut self, present: &BTreeMap<DeviceId, Standing>) {
        let Some(file) = &self.authorize_file else { return };
        let entries = entries(present);
        if entries == self.written {
            return;
        }
        for device in &entries.without {
            tracing::warn!(device.id = %device, "a device has no entry: its rules are too many for an answer");
        }
        match replace(file, &entries.text) {
            Ok(()) => self.written = entries,
            Err(error) => tracing::error!(%error, file = %file.display(), "the entries are not written"),
        }
    }
}

impl<T: PartialEq> Word<T> {
    fn is_due(&self, wanted: &T, now: Instant) -> bool {
        let waits = |(failed, _, again): &(T, u32, Instant)| failed == wanted && *again > now;
        self.done.as_ref() != Some(wanted) && !self.failed.as_ref().is_some_and(waits)
    }

    fn note(&mut self, word: T, done: bool, now: Instant) {
        if done {
            *self = Self { done: Some(word), failed: None };
            return;
        }
        let failures = match &self.failed {
            Some((failed, failures, _)) if *failed == word => failures.saturating_add(1),
            _ => 1,
        };
        let pause = FIRST_RETRY.saturating_mul(1 << (failures.min(8) - 1)).min(LONGEST_RETRY);
        // It may have been heard, and the answer lost.
        *self = Self { done: None, failed: Some((word, failures, now + pause)) };
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
        Ok(Answer::Refused(_)) if standing.filter == Filter::blocked() => access_server.disconnect(session),
        outcome => outcome,
    }
}

fn entries(present: &BTreeMap<DeviceId, Standing>) -> Entries {
    let text = String::from("# Written by the gateway; changed whenever its policies are.\n");
    let mut entries = Entries { text, without: Vec::new() };
    for (device, standing) in present {
        match authorize_entry(standing.mac, &standing.filter) {
            Ok(entry) => entries.text.push_str(&entry),
            Err(_) => entries.without.push(device.clone()),
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

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::radius::tests::{SECRET, answer};

    /// An access server that answers as it is told to; and one who tells it.
    struct Pair {
        server: UdpSocket,
        edge: Edge,
        begin: Instant,
    }

    impl Pair {
        fn new() -> Self {
            let server = UdpSocket::bind("127.0.0.1:0").unwrap();
            server.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            let access_server = DynamicAuthorization {
                address: server.local_addr().unwrap(),
                secret: Secret::new(SECRET).unwrap(),
                patience: Duration::from_millis(300),
            };
            let edge = Edge {
                access_server: Some(access_server),
                named_filter: None,
                authorize_file: None,
                access_point: None,
                told: BTreeMap::new(),
                written: Entries::default(),
            };
            Self { server, edge, begin: Instant::now() }
        }

        /// Tells at a second; the server answers each request with a code, or none. Gives the codes of the requests.
        fn at(&mut self, second: u64, present: &BTreeMap<DeviceId, Standing>, code: Option<u8>) -> Vec<u8> {
            let (server, done) = (&self.server, std::sync::atomic::AtomicBool::new(false));
            let edge = &mut self.edge;
            let now = self.begin + Duration::from_secs(second);
            std::thread::scope(|scope| {
                let requests = scope.spawn(|| {
                    let (mut codes, mut buffer) = (Vec::new(), [0; 4096]);
                    loop {
                        match server.recv_from(&mut buffer) {
                            Ok((length, from)) => {
                                codes.push(buffer[0]);
                                if let Some(code) = code {
                                    server.send_to(&answer(&buffer[..length], code, true), from).unwrap();
                                }
                            }
                            Err(_) if done.load(std::sync::atomic::Ordering::Relaxed) => return codes,
                            Err(_) => {}
                        }
                    }
                });
                edge.tell_of(present, now);
                done.store(true, std::sync::atomic::Ordering::Relaxed);
                requests.join().unwrap()
            })
        }
    }

    const DISCONNECT: u8 = 40;
    const CHANGE: u8 = 43;
    const ACK: u8 = 44;
    const NAK: u8 = 45;
    const NONE: [u8; 0] = [];

    fn present(filter: Filter) -> BTreeMap<DeviceId, Standing> {
        let standing = Standing { mac: Mac([2; 6]), filter, ejected: false };
        [(DeviceId::new(&[1]).unwrap(), standing)].into()
    }

    fn open() -> Filter {
        let rules = vec![crate::radius::FilterRule::all(true, crate::radius::Way::In)];
        Filter { rules, left_out: 0 }
    }

    #[test]
    fn what_failed_waits_and_what_is_new_does_not() {
        let mut pair = Pair::new();
        let (wide, narrow) = (present(open()), present(Filter::blocked()));
        assert_eq!(pair.at(0, &wide, Some(NAK)), [CHANGE]);
        assert_eq!(pair.at(1, &wide, Some(ACK)), NONE, "refused a moment ago");
        assert_eq!(pair.at(1, &narrow, Some(ACK)), [CHANGE], "another word is said at once");
        assert_eq!(pair.at(2, &narrow, Some(ACK)), NONE, "it is known");
        assert_eq!(pair.at(2, &wide, Some(ACK)), [CHANGE]);
    }

    #[test]
    fn a_session_ends_though_nobody_answered_when_its_device_went() {
        let mut pair = Pair::new();
        assert_eq!(pair.at(0, &present(open()), Some(ACK)), [CHANGE]);
        let nobody = BTreeMap::new();
        assert_eq!(pair.at(1, &nobody, None), [DISCONNECT; DynamicAuthorization::TRIES as usize]);
        assert_eq!(pair.at(2, &nobody, Some(41)), NONE);
        assert_eq!(pair.at(10, &nobody, Some(41)), [DISCONNECT]);
        assert_eq!(pair.at(1000, &nobody, Some(41)), NONE);
        assert!(pair.edge.told.is_empty());
    }
}
