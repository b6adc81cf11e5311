//! Makes the kernel hold what was decided: a reconciler over what is known, the journal and the enforcer.
//!
//! Every change goes the same way, in this order: decide, write down, narrow, stage, widen, tell. So a restart finds
//! what was known when it ends in the middle, and no device waits for the staging of others' policies to be cut.

mod saved;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use api::Profile;
use mud::MudUrl;
use trust::{Code, Reason, Violation};

use saved::{policy, saved_policy};
use tell::reported;

use super::admission::Door;
use super::hex::hex;
use super::names;
use super::outbox::Outbox;
use super::state::{Assessment, Changed, Followed, PolicyKey, State, Target};
use super::{Anchors, Attested, Journal, Saved, SavedName};
use crate::manager::{Altered, Brought, Fault, Fetches, Order, Source, Told, Unattested};
use crate::{Binding, DeviceId, Enforcer, Error, Flow, Heard, Mac, Observer, PolicyId, Shared, Site, Wanted};

/// The one that knows, decides and has it enforced.
pub struct Controller {
    inner: Mutex<Inner>,
    bell: Condvar,
    enforcer: Shared,
    journal: Journal,
    outbox: Arc<Outbox>,
}

struct Inner {
    state: State,
    assessed: BTreeMap<DeviceId, Assessment>,
    /// Policies in the kernel.
    staged: BTreeMap<PolicyKey, PolicyId>,
    /// Policies that cannot be enforced.
    unfit: BTreeMap<PolicyKey, Reason>,
    /// Bindings in the kernel.
    admitted: BTreeMap<DeviceId, Binding>,
    /// Devices whose rules may not be what was decided.
    pending: BTreeSet<DeviceId>,
    /// What was last told about devices.
    told: BTreeMap<DeviceId, (Profile, Option<String>, Vec<Code>)>,
    /// What was last told about devices without attestation.
    told_unattested: Told,
    /// What is told about them may be other than that.
    retell: bool,
    /// Other policies may be needed than those in the kernel.
    restage: bool,
    due: Option<i64>,
    /// When the overrides that make policies change next.
    overrides_due: Option<i64>,
    /// The kernel or the journal failed; to be tried again, and since when.
    trouble: bool,
    troubled_at: i64,
}

impl Controller {
    /// Takes up enforcement where the journal says it was left. Needs no server.
    pub fn open(
        anchors: Anchors,
        (journal, saved): (Journal, Saved),
        (site, mut wanted): (Site, Wanted),
        observer: Arc<dyn Observer>,
        outbox: Arc<Outbox>,
        now: i64,
    ) -> Result<Self, Error> {
        let mut state = State::restore(anchors, &saved, now);
        let servers = site.management.iter().chain(&site.basics).map(|endpoint| endpoint.address);
        state.reserve(site.own.iter().copied().chain(servers));
        wanted.names = names::wanted(&saved.names, now);
        let mut staged = BTreeMap::new();
        for (key, id) in saved.site.policies.iter().filter_map(policy) {
            match state.program(&key) {
                Ok(program) => {
                    wanted.policies.insert(id, program);
                    staged.insert(key, id);
                }
                Err(reason) => tracing::warn!(policy = %id, %reason, "a saved policy is enforced no longer"),
            }
        }
        let mut inner = Inner {
            state,
            assessed: BTreeMap::new(),
            staged,
            unfit: BTreeMap::new(),
            admitted: BTreeMap::new(),
            pending: BTreeSet::new(),
            told: BTreeMap::new(),
            told_unattested: Told::default(),
            retell: true,
            restage: true,
            due: None,
            overrides_due: None,
            trouble: false,
            troubled_at: now,
        };
        inner.assess(now);
        for device in inner.assessed.keys() {
            let Some(binding) = inner.binding(device) else { continue };
            let policy = inner.policy(device).unwrap_or(PolicyId::UPDATE_ONLY);
            wanted.devices.push((binding.clone(), policy));
            inner.admitted.insert(device.clone(), binding);
        }
        let enforcer = Shared::new(Enforcer::open(site, wanted, observer)?);
        let controller = Self { inner: Mutex::new(inner), bell: Condvar::new(), enforcer, journal, outbox };
        controller.update(now, |_state| ());
        Ok(controller)
    }

    /// The enforcer, for those who read what the kernel logs and learn names.
    pub fn enforcer(&self) -> &Shared {
        &self.enforcer
    }

    /// Changes what is known, and makes the kernel follow. When this returns, it has.
    pub fn update<T>(&self, now: i64, act: impl FnOnce(&mut State) -> T) -> T {
        let mut inner = self.lock();
        let outcome = act(&mut inner.state);
        self.settle(&mut inner, now);
        outcome
    }

    /// Takes what was heard on the LAN about a device that does not speak for itself. When this returns, the kernel has
    /// followed.
    pub fn heard(&self, heard: &Heard, now: i64) {
        let mut inner = self.lock();
        inner.state.heard(heard, now);
        // Most of what is heard is not new.
        if inner.state.has_news() {
            self.settle(&mut inner, now);
        }
    }

    /// Notes packets that a device sent and the kernel dropped. Those that its release asks for speak against nobody: they
    /// are dropped while the device is not trusted.
    pub fn violated(&self, device: &DeviceId, flow: &Flow, violation: Violation, now: i64) {
        let mut inner = self.lock();
        let own = inner.state.own_policy(device, now).and_then(|key| inner.staged.get(&key).copied());
        let declared = |policy| self.enforcer.with(|enforcer| enforcer.would_permit(device, policy, flow));
        if !own.is_some_and(declared) {
            inner.state.violated(device, violation);
            self.settle(&mut inner, now);
        }
    }

    /// Lets the device that is heard with an address have it until then, where that takes nothing from anybody.
    pub(super) fn follow(&self, mac: Mac, address: IpAddr, until: i64, now: i64) -> Followed {
        let mut inner = self.lock();
        let outcome = inner.state.follow(mac, address, until, now);
        if matches!(outcome, Followed::New(_)) {
            self.settle(&mut inner, now);
        }
        outcome
    }

    /// Takes an address from the device with this MAC, unless somebody uses it still.
    pub(super) fn release(&self, mac: Mac, address: IpAddr, now: i64) {
        let mut inner = self.lock();
        if !self.is_used(address) && inner.state.release(mac, address) {
            tracing::info!(%mac, %address, "an address was given back, or its lease has ended");
            self.settle(&mut inner, now);
        }
    }

    /// Takes addresses that were not proven from devices that have not been heard with them for long and use them no more.
    fn forget_outlived(&self, inner: &mut Inner, now: i64) {
        for (mac, address) in inner.state.outlived(now) {
            if self.is_used(address) {
                inner.state.prolong(address, now.saturating_add(IN_USE));
            } else {
                tracing::info!(%mac, %address, "a device was not heard with an address for long");
                inner.state.release(mac, address);
            }
        }
    }

    /// Whether there are flows of an address. Where that is not known, there may be.
    fn is_used(&self, address: IpAddr) -> bool {
        self.enforcer.with(|enforcer| enforcer.has_flows(address)).unwrap_or(true)
    }

    /// Notes a flow of a device whose release asks for it, and for another handshake.
    pub fn misbegun(&self, device: &DeviceId, violation: Violation, now: i64) {
        self.update(now, |state| state.violated(device, violation));
    }

    /// Waits a moment, or less if something changed, and does what has come due.
    pub fn tick(&self, patience: Duration, now: impl Fn() -> i64) {
        let (mut inner, _timeout) =
            self.bell.wait_timeout(self.lock(), patience).unwrap_or_else(PoisonError::into_inner);
        let now = now();
        if inner.trouble && now.saturating_sub(inner.troubled_at) >= RETRY {
            inner.trouble = false;
            inner.restage = true;
            inner.troubled_at = now;
            if let Err(error) = self.enforcer.with(Enforcer::reconcile) {
                tracing::error!(%error, "the kernel does not hold what it should");
                inner.trouble = true;
                return;
            }
            self.settle(&mut inner, now);
        } else if inner.due.is_some_and(|due| due <= now) {
            self.settle(&mut inner, now);
        }
    }

    /// Remembers addresses of names over a restart.
    pub fn save_names(&self, names: &[SavedName]) {
        if let Err(error) = self.journal.put_names(names) {
            tracing::warn!(%error, "addresses of names are not saved");
        }
    }

    /// Looks whether the kernel still holds what it should, and sees to it.
    pub fn reconcile(&self) {
        // Changes wait, so that the comparison is with one state.
        let mut inner = self.lock();
        if let Err(error) = self.enforcer.with(Enforcer::reconcile) {
            tracing::error!(%error, "the kernel does not hold what it should");
            inner.trouble = true;
        }
        self.tell_uses(&inner);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, inner: &mut Inner, now: i64) {
        self.forget_outlived(inner, now);
        let changed = inner.assess(now);
        if let Err(error) = self.save(inner, &changed) {
            tracing::error!(%error, "the journal cannot be written");
            inner.state.put_back(changed);
            inner.trouble = true;
        }
        self.enforce(inner, true);
        let restaged = inner.restage && self.stage(inner, now);
        self.enforce(inner, false);
        let discarded = std::mem::take(&mut inner.restage) && self.discard(inner, now);
        if (restaged || discarded)
            && let Err(error) = self.save_site(inner)
        {
            tracing::error!(%error, "the journal cannot be written");
            inner.trouble = true;
        }
        self.tell(inner, now);
        inner.overrides_due = inner.state.overrides_due(now);
        let others = inner.overrides_due.into_iter().chain(inner.state.follow_due());
        let ends = inner.state.unattested_due(now);
        inner.due = inner.assessed.values().filter_map(|made| made.due).chain(others).chain(ends).min();
        self.bell.notify_all();
    }

    /// Before the kernel follows, so that no restart goes back behind it.
    fn save(&self, inner: &Inner, changed: &Changed) -> io::Result<()> {
        for release in &changed.releases {
            if let Some(saved) = inner.state.saved_release(release) {
                self.journal.put_release(&hex(release.as_bytes()), &saved)?;
            }
        }
        if changed.site {
            self.save_site(inner)?;
        }
        if changed.answers {
            self.journal.put_answers(&inner.state.answers().saved())?;
        }
        for device in changed.devices.iter().filter_map(|device| inner.state.saved_device(device)) {
            self.journal.put_device(&device)?;
        }
        for release in &changed.forgotten {
            self.journal.remove_release(&hex(release.as_bytes()))?;
        }
        for url in &changed.unattested.models {
            if let Some(model) = inner.state.saved_model(url) {
                self.journal.put_model(&model)?;
            }
        }
        for mac in &changed.unattested.devices {
            match inner.state.saved_resident(*mac) {
                Some(resident) => self.journal.put_resident(&resident)?,
                None => self.journal.remove_resident(&mac.to_string())?,
            }
        }
        for url in &changed.unattested.forgotten {
            self.journal.remove_model(url.as_str())?;
        }
        Ok(())
    }

    fn save_site(&self, inner: &Inner) -> io::Result<()> {
        let mut site = inner.state.saved_site();
        site.policies = inner.staged.iter().map(|(key, id)| saved_policy(key, *id)).collect();
        self.journal.put_site(&site)
    }

    /// Gives pending devices the policies decided for them; first only those that get none of a release.
    fn enforce(&self, inner: &mut Inner, narrow_only: bool) {
        let mut moves: Vec<(DeviceId, PolicyId)> = Vec::new();
        let mut bindings: Vec<(Binding, PolicyId)> = Vec::new();
        for device in &inner.pending {
            let wide =
                inner.assessed.get(device).is_some_and(|made| matches!(made.target, Target::Release(_)));
            if wide && narrow_only {
                continue;
            }
            let Some(binding) = inner.binding(device) else { continue };
            let policy = inner.policy(device).unwrap_or(PolicyId::UPDATE_ONLY);
            if inner.admitted.get(device) != Some(&binding) {
                bindings.push((binding, policy));
            } else if self.enforcer.with(|enforcer| enforcer.policy_of(device)) != Some(policy) {
                moves.push((device.clone(), policy));
            }
        }
        let gone: Vec<DeviceId> = inner
            .pending
            .iter()
            .filter(|device| inner.admitted.contains_key(*device) && inner.state.place(device).is_none())
            .cloned()
            .collect();

        let mut failed = BTreeSet::new();
        if !moves.is_empty()
            && let Err(error) = self.enforcer.with(|enforcer| enforcer.assign(&moves))
        {
            tracing::error!(%error, "devices keep their policies");
            failed.extend(moves.into_iter().map(|(device, _)| device));
        }
        // Who loses an address goes before who gets it.
        for device in gone {
            match self.enforcer.with(|enforcer| enforcer.remove(&device)) {
                Ok(()) => {
                    inner.admitted.remove(&device);
                }
                Err(error) => {
                    tracing::error!(device.id = %device, %error, "a device could not be removed");
                    failed.insert(device);
                }
            }
        }
        bindings.sort_by_key(|(binding, _)| {
            let before = inner.admitted.get(&binding.device);
            let loses = |address: &IpAddr| !binding.addresses.contains(address);
            !before.is_some_and(|before| before.addresses.iter().any(loses))
        });
        for (binding, policy) in bindings {
            match self.enforcer.with(|enforcer| enforcer.admit(binding.clone(), policy)) {
                Ok(()) => {
                    self.outbox.bound(reported(&binding));
                    inner.admitted.insert(binding.device.clone(), binding);
                }
                Err(error) => {
                    tracing::error!(device.id = %binding.device, %error, "a device could not be bound");
                    failed.insert(binding.device);
                }
            }
        }
        inner.trouble |= !failed.is_empty();
        let done: Vec<DeviceId> = inner
            .pending
            .iter()
            .filter(|device| !failed.contains(*device) && (!narrow_only || !inner.is_wide(device)))
            .cloned()
            .collect();
        for device in done {
            inner.pending.remove(&device);
            self.report(inner, &device);
        }
    }

    /// Makes ready what devices have or may get next. Says whether there is anything new.
    fn stage(&self, inner: &mut Inner, now: i64) -> bool {
        let mut new = false;
        for key in inner.wanted(now) {
            if inner.staged.contains_key(&key) || inner.unfit.contains_key(&key) {
                continue;
            }
            match inner.state.program(&key) {
                Ok(program) => match self.enforcer.with(|enforcer| enforcer.stage(program)) {
                    Ok(id) => {
                        tracing::info!(source = %key.source, policy = %id, "policy staged");
                        inner.staged.insert(key, id);
                        new = true;
                    }
                    Err(error) => {
                        tracing::error!(source = %key.source, %error, "a policy could not be staged");
                        inner.trouble = true;
                    }
                },
                Err(reason) => {
                    tracing::warn!(source = %key.source, %reason, "a policy cannot be enforced");
                    inner.unfit.insert(key, reason);
                }
            }
        }
        new
    }

    /// Forgets what no device has and none may get next.
    fn discard(&self, inner: &mut Inner, now: i64) -> bool {
        let wanted = inner.wanted(now);
        inner.unfit.retain(|key, _| wanted.contains(key));
        let unused: Vec<(PolicyKey, PolicyId)> = inner
            .staged
            .iter()
            .filter(|(key, _)| !wanted.contains(*key))
            .map(|(key, id)| (key.clone(), *id))
            .collect();
        let mut gone = false;
        for (key, id) in unused {
            match self.enforcer.with(|enforcer| enforcer.discard(id)) {
                Ok(()) | Err(Error::UnknownPolicy(_)) => {
                    inner.staged.remove(&key);
                    gone = true;
                }
                // A device could not be moved off it; that is tried again, and then this.
                Err(error) => {
                    tracing::warn!(policy = %id, %error, "a policy stays");
                    inner.trouble = true;
                }
            }
        }
        gone
    }
}

impl Door for Controller {
    fn admit(&self, shown: Attested, mac: Mac, address: IpAddr, now: i64) -> Result<(), Reason> {
        self.update(now, |state| state.admit(shown, mac, address, now))
    }

    fn anchors(&self) -> Anchors {
        self.lock().state.anchors().clone()
    }
}

impl Fetches for Controller {
    fn order(&self, now: i64) -> Option<Order> {
        self.lock().state.order(now)
    }

    fn bring(&self, url: &MudUrl, source: &Source, outcome: Result<Brought, Fault>, jitter: u32, now: i64) {
        self.update(now, |state| state.bring(url, source, outcome, jitter, now));
    }
}

impl Inner {
    /// Decides again where something changed or came due.
    fn assess(&mut self, now: i64) -> Changed {
        self.state.advance(now);
        let mut changed = self.state.take_changed();
        let due = self.assessed.iter().filter(|(_, made)| made.due.is_some_and(|due| due <= now));
        let mut again: BTreeSet<DeviceId> = due.map(|(device, _)| device.clone()).collect();
        again.extend(changed.devices.iter().chain(&changed.violating).cloned());
        if changed.everything {
            again.extend(self.state.devices());
        }
        again.extend(changed.unattested.devices.iter().filter_map(|mac| Unattested::id(*mac)));
        again.extend(self.state.having(&changed.unattested.models));
        self.restage |= changed.everything
            || !changed.forgotten.is_empty()
            || !changed.unattested.models.is_empty()
            || self.overrides_due.is_some_and(|due| due <= now);
        self.retell |= changed.everything
            || changed.unattested != Altered::default()
            || again.iter().any(|device| self.state.is_unattested(device).is_some());
        for device in again {
            let made = self.state.judge(&device, now);
            let before = self.assessed.get(&device);
            self.restage |= before.is_none_or(|before| before.target != made.target);
            self.assessed.insert(device.clone(), made);
            self.pending.insert(device);
        }
        changed.answers |= self.state.take_changed().answers;
        changed
    }

    /// The binding of a device that proved where it is. Its classes are those of the release it was last found to run.
    fn binding(&self, device: &DeviceId) -> Option<Binding> {
        let (mac, mut addresses) = self.state.place(device)?;
        // Which of them it spoke from last makes no other binding.
        addresses.sort_unstable();
        let classes = self.assessed.get(device).and_then(|made| made.classes.clone());
        let before = || self.admitted.get(device).map(|binding| binding.classes.clone()).unwrap_or_default();
        let classes = classes.unwrap_or_else(before);
        Some(Binding { device: device.clone(), mac, addresses, classes })
    }

    /// The policy decided for a device, if it stands ready.
    fn policy(&self, device: &DeviceId) -> Option<PolicyId> {
        match &self.assessed.get(device)?.target {
            Target::Ejected => Some(PolicyId::EJECTED),
            Target::Blocked => Some(PolicyId::BLOCKED),
            Target::UpdateOnly => Some(PolicyId::UPDATE_ONLY),
            Target::Release(key) => self.staged.get(key).copied(),
        }
    }

    fn is_wide(&self, device: &DeviceId) -> bool {
        self.assessed.get(device).is_some_and(|made| matches!(made.target, Target::Release(_)))
    }

    /// Policies that devices have or may get next.
    fn wanted(&self, now: i64) -> BTreeSet<PolicyKey> {
        let mut wanted = self.state.baselines(now);
        wanted.extend(self.assessed.values().filter_map(|made| match &made.target {
            Target::Release(key) => Some(key.clone()),
            _ => None,
        }));
        wanted
    }
}

/// Seconds for which an address stays that has flows, after which they are looked for again.
const IN_USE: i64 = 300;

/// Seconds between attempts after the kernel or the journal failed.
const RETRY: i64 = 2;

/// A reason as it travels.
pub(super) fn reason(reason: &Reason) -> api::Reason {
    api::Reason { code: reason.code.as_str().to_owned(), detail: reason.detail.iter().cloned().collect() }
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
