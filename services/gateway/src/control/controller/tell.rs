//! What the server is told: what stands ready, what each device may reach and why, and what was used.

use std::net::IpAddr;

use api::{Applied, Profile, Refused, Staged, Used, Withheld};
use crypto::Digest;
use mud::AceId;
use trust::{Access, Code, Reason};

use super::{Controller, Inner, now_ms, reason};
use crate::control::hex::hex;
use crate::control::outbox::MAX_WAITING;
use crate::control::state::{PolicyKey, PolicySource, Target};
use crate::{Binding, DeviceId, Enforcer, PolicyId};

impl Controller {
    /// Tells which entries of releases' files flows began by.
    pub(super) fn tell_uses(&self, inner: &Inner) {
        let mut uses = self.enforcer.with(Enforcer::take_uses);
        let last_ms = now_ms();
        for (key, id) in &inner.staged {
            let Some(starts) = uses.remove(id) else { continue };
            let entries = inner.state.entries(key);
            for (start, flows) in starts {
                let Some(AceId { acl, ace }) = entries.get(start).cloned() else { continue };
                let Some(manifest_digest) = key.release().map(|release| hex(release.as_bytes())) else {
                    continue;
                };
                self.outbox.used(Used { manifest_digest, acl, ace, flows, last_ms });
            }
        }
    }

    /// Tells what a device may reach now, and why, unless that was told.
    pub(super) fn report(&self, inner: &mut Inner, device: &DeviceId) {
        if !inner.admitted.contains_key(device) {
            inner.told.remove(device);
            // Devices without attestation come and go; what is not here needs no decision.
            if inner.state.is_unattested(device).is_some() && inner.state.place(device).is_none() {
                inner.assessed.remove(device);
            }
            return;
        }
        // Those are told as a list of their own.
        if inner.state.is_unattested(device).is_some() {
            return;
        }
        let Some(policy) = self.enforcer.with(|enforcer| enforcer.policy_of(device)) else { return };
        let made = inner.assessed.get(device);
        let staged = inner.staged.iter().find(|(_, id)| **id == policy);
        let profile = match (policy, staged) {
            (PolicyId::UPDATE_ONLY, _) => Profile::UpdateOnly,
            (PolicyId::BLOCKED, _) => Profile::Blocked,
            (PolicyId::EJECTED, _) => Profile::Ejected,
            (_, Some((PolicyKey { access: Access::Restricted, .. }, _))) => Profile::Restricted,
            (_, Some((PolicyKey { access: Access::Observed, .. }, _))) => Profile::Observed,
            _ => Profile::Release,
        };
        let digest = staged.and_then(|(key, _)| key.release()).map(|release| hex(release.as_bytes()));
        let mut reasons = Vec::new();
        if let Some(made) = made {
            let withheld = made.reasons.iter().any(|reason| reason.code == Code::CutWithheld);
            if !profile.is_open() || withheld {
                reasons.clone_from(&made.reasons);
            }
            if let (Target::Release(key), true) = (&made.target, staged.is_none()) {
                reasons.push(inner.unfit.get(key).cloned().unwrap_or(Reason::new(Code::PolicyNotStaged)));
            }
        }
        let news = (profile, digest.clone(), reasons.iter().map(|reason| reason.code).collect());
        if inner.told.get(device) == Some(&news) {
            return;
        }
        tracing::info!(device.id = %device, profile = profile.as_str(), reasons = ?news.2, "applied");
        self.outbox.applied(Applied {
            ueid: device.to_string(),
            profile,
            manifest_digest: digest,
            reasons: reasons.iter().map(reason).collect(),
            at_ms: now_ms(),
        });
        inner.told.insert(device.clone(), news);
    }

    /// Tells what stands ready and what is not believed.
    pub(super) fn tell(&self, inner: &mut Inner, now: i64) {
        let mut staged: Vec<Staged> = Vec::new();
        for release in inner.staged.keys().filter_map(PolicyKey::release) {
            let manifest_digest = hex(release.as_bytes());
            if staged.last().is_none_or(|last| last.manifest_digest != manifest_digest) {
                let mud_digest = inner.state.mud_digest(release).map(|digest| hex(digest.as_bytes()));
                staged.push(Staged { manifest_digest, mud_digest });
            }
        }
        let release = |digest: &Digest| format!("release:{}", hex(digest.as_bytes()));
        let object = |key: &PolicyKey| match &key.source {
            PolicySource::Release(digest) => release(digest),
            PolicySource::File(file) => format!("file:{}", hex(file.digest.as_bytes())),
        };
        let unfit = inner.unfit.iter().map(|(key, why)| (object(key), reason(why)));
        let waiting = inner.state.awaiting_approval(now).map(|(digest, why)| (release(digest), reason(&why)));
        let refused = inner.state.refused().iter().map(|(object, why)| (object.clone(), reason(why)));
        let refused = refused.chain(unfit).chain(waiting).map(|(object, reason)| Refused { object, reason });
        let refused = refused.take(MAX_WAITING).collect();
        self.outbox.stand(staged, refused);
        let withheld = inner.state.answers().spared().iter().map(|(device, spared)| Withheld {
            ueid: device.to_string(),
            model: spared.model.clone(),
            most: u64::try_from(spared.most).unwrap_or(u64::MAX),
            raised_ms: spared.since.saturating_mul(1000),
        });
        self.outbox.withhold(withheld.take(MAX_WAITING).collect());
        // Most changes are about attested devices. What the kernel did not take is told again when it does.
        if !inner.retell {
            return;
        }
        inner.retell = inner.trouble;
        let assessed = |id: &DeviceId| {
            let made = inner.assessed.get(id)?;
            let policy = inner.policy(id);
            let has = policy.is_some() && self.enforcer.with(|enforcer| enforcer.policy_of(id)) == policy;
            Some((made.clone(), has))
        };
        let devices = inner.state.told_unattested(assessed, now);
        let (models, devices) = inner.told_unattested.news(inner.state.told_models(now), devices);
        self.outbox.unattested(models, devices);
    }
}

pub(super) fn reported(binding: &Binding) -> api::Binding {
    api::Binding {
        ueid: binding.device.to_string(),
        mac: binding.mac.to_string(),
        addresses: binding.addresses.iter().map(IpAddr::to_string).collect(),
    }
}
