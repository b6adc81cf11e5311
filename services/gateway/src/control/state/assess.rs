//! From what is known to what a device may reach, and by which policy.

use std::collections::BTreeSet;
use std::fmt;

use crypto::Digest;
use mud::{AceId, MudUrl, Verdict};
use trust::{
    Access, Code, Decision, Effect, Hold, Inputs, OVERRIDE_LIST, OverlayInForce, Override, Reason,
    ReleaseStanding, Restriction, Standing, decide, overlay,
};

use super::{Device, State};
use crate::{Class, DeviceId, Lowered, Program, Strength, lower};

/// The name of a policy: what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyKey {
    /// Whose needs it holds.
    pub source: PolicySource,
    /// Digests of the signed overrides that it is under.
    pub overrides: BTreeSet<Digest>,
    /// At which level it is applied: [`Access::Restricted`], [`Access::Release`] or [`Access::Observed`].
    pub access: Access,
}

/// Where the needs in a policy are from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicySource {
    /// A release, by its manifest digest.
    Release(Digest),
    /// A file for devices without attestation.
    File(FilePolicy),
}

/// A file as it counts for some devices without attestation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePolicy {
    /// Their MUD URL.
    pub url: MudUrl,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// How their URL is known. Devices of different strength never share a policy (threat N16).
    pub strength: Strength,
}

impl PolicyKey {
    /// The release whose needs it holds.
    pub fn release(&self) -> Option<&Digest> {
        match &self.source {
            PolicySource::Release(release) => Some(release),
            PolicySource::File(_) => None,
        }
    }
}

impl fmt::Display for PolicySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(release) => write!(f, "release {release}"),
            Self::File(file) => write!(f, "file {} of {}", file.digest, file.url),
        }
    }
}

/// What a device may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// What its release declares, or what the level of the key makes of it; its file where it does not attest.
    Release(PolicyKey),
    /// Attestation, update and what they need.
    UpdateOnly,
    /// Nothing.
    Blocked,
    /// Nothing, and off the link.
    Ejected,
}

/// A decision, as far as enforcement needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// What it may reach.
    pub target: Target,
    /// Whether it would reach more without what it lately contacted.
    pub cut: bool,
    /// Whether it lately contacted what its release does not ask for.
    pub violating: bool,
    /// Everything that stands against it.
    pub reasons: Vec<Reason>,
    /// The release it was found to run.
    pub release: Option<Digest>,
    /// Classes that its addresses join, when its release is known.
    pub classes: Option<Vec<Class>>,
    /// When it must be made again although nothing new arrives.
    pub due: Option<i64>,
}

impl Assessment {
    /// One against which nothing stands.
    pub(super) fn of(target: Target) -> Self {
        Self {
            target,
            cut: false,
            violating: false,
            reasons: Vec::new(),
            release: None,
            classes: None,
            due: None,
        }
    }
}

impl State {
    /// Every device that is known.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> {
        self.devices.keys().cloned().chain(self.unattested_devices())
    }

    /// Decides about a device, and counts it where that cuts it for violations. Where so many of its model were cut within
    /// the hour that it is to be spared, it is decided about once more.
    pub fn judge(&mut self, id: &DeviceId, now: i64) -> Assessment {
        let made = self.assess(id, now);
        let changed = if made.cut {
            let model = made.release.and_then(|release| self.model(&release)).unwrap_or_default();
            let cap = self.anchors.policy.violation_cap;
            let mut answers = std::mem::take(&mut self.answers);
            let changed = answers.cut(id, &model, cap, || self.fleet(&model, now), now);
            self.answers = answers;
            changed
        } else if !made.violating {
            self.answers.settle(id, now)
        } else {
            false
        };
        self.changed.answers |= changed;
        if changed { self.assess(id, now) } else { made }
    }

    fn model(&self, release: &Digest) -> Option<String> {
        Some(self.releases.get(release)?.subject.as_ref()?.url.as_str().to_owned())
    }

    /// How many devices in service run releases of a model; counted once a second at most.
    fn fleet(&mut self, model: &str, now: i64) -> usize {
        if let Some((at, count)) = self.fleets.get(model)
            && *at == now
        {
            return *count;
        }
        let is_of_model = |release: &Digest| {
            let subject = self.releases.get(release).and_then(|known| known.subject.as_ref());
            subject.is_some_and(|subject| subject.url.as_str() == model)
        };
        let runs = |device: &&Device| {
            let release = device.result.as_ref().and_then(|result| result.outcome.release);
            device.in_service && release.is_some_and(|release| is_of_model(&release))
        };
        let count = self.devices.values().filter(runs).count();
        self.fleets.retain(|_, (at, _)| *at == now);
        self.fleets.insert(model.to_owned(), (now, count));
        count
    }

    /// Decides about a device: its result, release, overrides and block, and the time.
    pub fn assess(&self, id: &DeviceId, now: i64) -> Assessment {
        if let Some(mac) = self.is_unattested(id) {
            return self.assess_unattested(id, mac, now);
        }
        let nobody = Device::default();
        let device = self.devices.get(id).unwrap_or(&nobody);
        let outcome = device.result.as_ref().map(|result| &result.outcome);
        let known = outcome.and_then(|outcome| self.releases.get(&outcome.release?));
        let url = known.and_then(|known| known.subject.as_ref()).map(|subject| subject.url.as_str());
        let standings: Vec<ReleaseStanding> = known
            .map(|known| {
                let standing = self.standing(&known.release.manifest_digest());
                let standing = ReleaseStanding::of(&known.release, standing, self.anchors.broad_mud_approved);
                self.with_approval(standing, known, now)
            })
            .into_iter()
            .collect();
        // Whoever touches the device at some time, so that the decision is due when that time comes.
        let touching = self.overrides.values().filter(|item| {
            let content = item.signed.content();
            content.applies(id.as_bytes(), url, content.not_before)
        });
        let overlays: Vec<OverlayInForce> = touching.map(|item| item.signed.overlay()).collect();
        let violations: Vec<_> = device.violations.iter().cloned().collect();
        let hold = device.held.map(|held| Hold {
            restriction: Restriction::from_text(held.as_str()),
            person: HOLDER.to_owned(),
            why: String::new(),
            until: None,
        });
        let decision = decide(&Inputs {
            device: id.as_bytes(),
            outcome,
            releases: &standings,
            overlays: &overlays,
            violations: &violations,
            hold: hold.as_ref(),
            spared: self.answers.spares(id),
            policy: &self.anchors.policy,
            now,
        });
        let Decision { access, release, cut, violating, mut reasons, mut due, .. } = decision;
        // When it is spared no more, it is looked at again.
        let until = self.answers.spared_until(id).filter(|until| *until > now);
        due = due.into_iter().chain(until).min();
        if !device.in_service {
            reasons.push(Code::UnknownDevice.into());
        }
        let settled = device.damping.until(self.anchors.settle);
        let access = if now < settled && access > Access::UpdateOnly {
            let (cuts, _) = device.damping.parts();
            reasons.push(Reason::new(Code::Unsettled).with("cuts", cuts).with("seconds", settled - now));
            due = due.into_iter().chain([settled]).min();
            Access::UpdateOnly
        } else {
            access
        };
        let target = match (access, release) {
            (Access::Ejected, _) => Target::Ejected,
            (Access::Blocked, _) => Target::Blocked,
            (Access::Restricted | Access::Release | Access::Observed, Some(release)) if device.in_service => {
                let overrides = self.in_force(id.as_bytes(), url, now);
                Target::Release(PolicyKey { source: PolicySource::Release(release), overrides, access })
            }
            _ => Target::UpdateOnly,
        };
        let classes = known.and_then(|known| known.subject.as_ref()).map(crate::Subject::classes);
        Assessment { target, cut, violating, reasons, release, classes, due }
    }

    /// The policy of the release that a device was last found to run, whatever it may reach now.
    pub fn own_policy(&self, id: &DeviceId, now: i64) -> Option<PolicyKey> {
        let release = self.devices.get(id)?.result.as_ref()?.outcome.release?;
        let url = self.releases.get(&release)?.subject.as_ref()?.url.as_str();
        let overrides = self.in_force(id.as_bytes(), Some(url), now);
        Some(PolicyKey { source: PolicySource::Release(release), overrides, access: Access::Release })
    }

    /// The policies that stand ready before any device has them: each release that is neither revoked nor awaits an
    /// approval, under the overrides that are not about single devices.
    pub fn baselines(&self, now: i64) -> BTreeSet<PolicyKey> {
        let current = self.releases.iter().filter(|(digest, _)| !self.revoked.contains(digest));
        current
            .filter(|(_, known)| self.approved(known, now).is_ok())
            .filter_map(|(digest, known)| {
                let url = known.subject.as_ref()?.url.as_str();
                // No device has an empty UEID.
                let overrides = self.in_force(&[], Some(url), now);
                Some(PolicyKey { source: PolicySource::Release(*digest), overrides, access: Access::Release })
            })
            .collect()
    }

    /// Releases whose policy is not applied because it asks for much and no approval is in force, and why.
    pub fn awaiting_approval(&self, now: i64) -> impl Iterator<Item = (&Digest, Reason)> {
        let listed = self.releases.iter().filter(|(_, known)| known.listed);
        listed.filter_map(move |(digest, known)| Some((digest, self.approved(known, now).err()?)))
    }

    /// When baselines change although nothing new arrives: the next beginning or end of an override.
    pub fn overrides_due(&self, now: i64) -> Option<i64> {
        let ends = self.overrides.values().flat_map(|item| {
            let content = item.signed.content();
            [content.not_before, content.expires]
        });
        ends.filter(|end| *end > now).min()
    }

    /// Compiles a policy for the kernel.
    pub fn program(&self, key: &PolicyKey) -> Result<Program, Reason> {
        let (_, lowered) = self.lowered(key)?;
        if !lowered.left_out.is_empty() {
            tracing::warn!(source = %key.source, entries = lowered.left_out.len(), "entries cannot be enforced and stay closed");
        }
        Ok(lowered.program)
    }

    /// The entries that the starts of a policy's program are of.
    pub fn entries(&self, key: &PolicyKey) -> Vec<AceId> {
        let Ok((policy, lowered)) = self.lowered(key) else { return Vec::new() };
        let of = |entry: &usize| policy.entries.get(*entry).map(|entry| entry.ace.clone());
        lowered.origins.iter().filter_map(of).collect()
    }

    fn lowered(&self, key: &PolicyKey) -> Result<(mud::Policy, Lowered), Reason> {
        let (needs, subject) = match &key.source {
            PolicySource::Release(release) => {
                let known = self.releases.get(release).ok_or(Reason::new(Code::NoReference))?;
                let (Some(needs), Some(subject)) = (known.release.network_needs(), &known.subject) else {
                    return Err(Reason::new(Code::MudMissing).with("version", known.release.version()));
                };
                (needs.policy.clone(), subject.clone())
            }
            PolicySource::File(file) => self.granted(file).ok_or(Reason::new(Code::MudMissing))?,
        };
        let chosen: Vec<&Override> = self
            .overrides
            .values()
            .filter(|item| key.overrides.contains(&item.signed.object()))
            .map(|item| item.signed.content())
            .collect();
        if chosen.len() != key.overrides.len() {
            // Without one of its overrides it would be another policy, perhaps a wider one.
            return Err(Reason::new(Code::OverrideRefused).with("error", "an override of the policy is gone"));
        }
        let mut policy = overlay(&needs, chosen);
        let refused = |error: crate::Error| Reason::new(Code::MudRefused).with("error", error);
        let lowered = match key.access {
            Access::Observed => {
                // What the file denies passes as all that it does not mention; what the operator denies does not.
                let by_operator = |entry: &mud::Entry| entry.ace.acl == OVERRIDE_LIST;
                policy.entries.retain(|entry| entry.verdict == Verdict::Accept || by_operator(entry));
                lower(&policy, &subject, true).and_then(Lowered::observing)
            }
            Access::Restricted => lower(&policy, &subject, true).and_then(Lowered::restricted),
            _ => lower(&policy, &subject, true),
        };
        Ok((policy, lowered.map_err(refused)?))
    }

    fn standing(&self, release: &Digest) -> Standing {
        if self.revoked.contains(release) {
            Standing::Revoked { why: String::new() }
        } else {
            Standing::Current
        }
    }

    /// Whether the operator's word is to let a device do what it does, and to look.
    pub(super) fn is_observed(&self, ueid: &[u8], url: Option<&str>, now: i64) -> bool {
        let contents = self.overrides.values().map(|item| item.signed.content());
        contents
            .filter(|content| content.effect == Effect::Observe)
            .any(|content| content.applies(ueid, url, now))
    }

    /// Overrides that change flows. Approvals change none: they let the release's own be applied; and observing is a level.
    pub(super) fn in_force(&self, ueid: &[u8], url: Option<&str>, now: i64) -> BTreeSet<Digest> {
        let items = self.overrides.values().filter(|item| {
            let content = item.signed.content();
            let changes = !content.effect.is_approval() && content.effect != Effect::Observe;
            changes && content.applies(ueid, url, now)
        });
        items.map(|item| item.signed.object()).collect()
    }
}

/// Who holds a device: the server says only that somebody does.
const HOLDER: &str = "an operator";
