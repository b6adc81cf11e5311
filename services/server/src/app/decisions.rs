//! What the network lets a device do: made from verified objects whenever something they rest on changes.

use std::collections::{BTreeMap, BTreeSet};

use crypto::Digest;
use eat::SignedResult;
use store::{Device, DeviceId, NewDecision, NewResult, Redecision, ReleaseId, ResultRecord, Timestamp};
use trust::{
    Code, Decision, Inputs, Outcome, OverlayInForce, Reason, ReleaseStanding, SignedOverride, Violation,
    decide,
};

use crate::app::{
    App, Failure, bundle, holds, overrides::overlays, reasons, releases::Book, violations::is_forbidden,
};

/// How often a decision is made again when something newer comes between.
const MAX_TRIES: usize = 8;
/// Dropped packets that a decision looks at.
const MAX_VIOLATIONS: u32 = 200;

/// What decisions depend on besides devices, results and releases.
pub(crate) struct Around {
    words: Vec<SignedOverride>,
    violations: BTreeMap<DeviceId, Vec<store::Violation>>,
    /// Devices that a gateway does not cut for violations.
    spared: BTreeSet<DeviceId>,
}

/// A decision and what it depended on besides the result.
pub(crate) struct Decided {
    decision: Decision,
    surroundings: Surroundings,
}

impl Decided {
    /// What it would change for a device, if anything.
    pub(crate) fn change(&self, device: &Device) -> Option<api::TrialDevice> {
        let Decision { posture, access, reasons, .. } = &self.decision;
        differs(device, &self.decision).then(|| api::TrialDevice {
            ueid: device.id.to_string(),
            name: device.name.clone(),
            posture: (device.posture.clone(), posture.as_str().to_owned()),
            access: (device.access.clone(), access_word(*access).to_owned()),
            reasons: reasons.iter().map(crate::app::reasons::to_api).collect(),
        })
    }
}

/// What a decision depended on besides the device and its result.
pub(super) struct Surroundings {
    pub(super) standings: Vec<ReleaseStanding>,
    pub(super) overlays: Vec<OverlayInForce>,
    pub(super) violations: Vec<Violation>,
    pub(super) hold: Option<trust::Hold>,
    /// Whether a gateway withheld a cut.
    pub(super) spared: bool,
}

impl App {
    /// Decides about a device from the outcome of its newest result. `violator` is the device where packets of it were
    /// dropped lately.
    pub(crate) async fn decide_with(
        &self,
        device: &Device,
        outcome: Option<&Outcome>,
        violator: Option<&DeviceId>,
        now: Timestamp,
    ) -> Result<NewDecision, Failure> {
        let around = match violator {
            Some(_) => self.around(violator, now).await?,
            None => Around {
                words: self.operators_words(now).await?,
                violations: BTreeMap::new(),
                spared: BTreeSet::new(),
            },
        };
        Ok(self.record(device, &self.decide_in(device, outcome, &self.book(), &around, now), now))
    }

    /// What decisions about one device or about all depend on.
    pub(crate) async fn around(&self, device: Option<&DeviceId>, now: Timestamp) -> Result<Around, Failure> {
        // The latest counts for a window, and with it what came within a window before it.
        let since = now.plus_seconds(self.config.policy.violation_window.saturating_mul(-2));
        let most = if device.is_some() { MAX_VIOLATIONS } else { u32::MAX };
        let mut violations: BTreeMap<DeviceId, Vec<store::Violation>> = BTreeMap::new();
        for (_, violation) in self.store.violations(device, since, most).await? {
            if let Some(device) = violation.device.clone() {
                let of_device = violations.entry(device).or_default();
                // The newest come first.
                if of_device.len() < MAX_VIOLATIONS as usize {
                    of_device.push(violation);
                }
            }
        }
        let spared = self.store.spared(device).await?.into_iter().collect();
        Ok(Around { words: self.operators_words(now).await?, violations, spared })
    }

    /// Decides about a device.
    pub(crate) fn decide_in(
        &self,
        device: &Device,
        outcome: Option<&Outcome>,
        book: &Book,
        around: &Around,
        now: Timestamp,
    ) -> Decided {
        let surroundings = self.surroundings(device, outcome, book, around);
        let decision = decide(&Inputs {
            device: device.id.as_bytes(),
            outcome,
            releases: &surroundings.standings,
            overlays: &surroundings.overlays,
            violations: &surroundings.violations,
            hold: surroundings.hold.as_ref(),
            spared: surroundings.spared,
            policy: &self.config.policy,
            now: now.seconds(),
        });
        Decided { decision, surroundings }
    }

    /// A decision that is to replace the present one, where it says something else or rests on a new result.
    pub(crate) fn redecision(
        &self,
        device: &Device,
        decided: &Decided,
        renewed: Option<NewResult>,
        now: Timestamp,
    ) -> Option<Redecision> {
        if renewed.is_none() && !differs(device, &decided.decision) {
            return None;
        }
        let decision = self.record(device, decided, now);
        Some(Redecision { result: device.result, replaces: device.decision, renewed, decision })
    }

    /// Decides again about devices. Only what differs from the present decision is stored; gives how many were.
    pub(crate) async fn redecide(&self, devices: &[Device]) -> Result<usize, Failure> {
        let now = self.now();
        let (book, mut decisions) = (self.book(), Vec::new());
        for device in devices {
            let outcome = self.outcome(device).await?;
            let around = self.around(Some(&device.id), now).await?;
            let decided = self.decide_in(device, outcome.as_ref(), &book, &around, now);
            decisions.extend(self.redecision(device, &decided, None, now));
        }
        if decisions.is_empty() { Ok(0) } else { Ok(self.store.decide(decisions).await?) }
    }

    /// Decides again about one device, until the decision rests on what is stored now.
    pub(crate) async fn redecide_one(&self, id: &DeviceId) -> Result<(), Failure> {
        for _ in 0..MAX_TRIES {
            let Some(device) = self.store.device(id).await? else { return Ok(()) };
            let decided = self.redecide(std::slice::from_ref(&device)).await?;
            let after = self.store.device(id).await?;
            if decided > 0
                || after
                    .is_none_or(|after| (after.result, after.decision) == (device.result, device.decision))
            {
                return Ok(());
            }
        }
        Err(Failure::Unavailable)
    }

    /// What the newest result about a device says, read from the signed object and verified again.
    pub(crate) async fn outcome(&self, device: &Device) -> Result<Option<Outcome>, Failure> {
        let Some(id) = device.result else { return Ok(None) };
        let Some(record) = self.store.result(id).await? else { return Ok(None) };
        Ok(Some(self.read_outcome(&record)))
    }

    /// A stored result that does not verify says nothing but that.
    pub(crate) fn read_outcome(&self, record: &ResultRecord) -> Outcome {
        let object = Digest::of(crypto::HashAlgorithm::Sha256, &record.cwt);
        let broken = |error: &dyn std::fmt::Display| Outcome {
            object,
            tier: eat::Tier::None,
            release: None,
            reasons: vec![Reason::new(Code::ResultSigner).with("error", error)],
            issued: record.issued,
            expires: record.expires,
        };
        // Whether it is past its end is for the decision to say: here it is read as when it was signed.
        let signed = match SignedResult::decode_cwt(&record.cwt) {
            Ok(signed) => signed,
            Err(error) => return broken(&error),
        };
        let verified = match signed.verify(&self.result_key.anchors, record.issued, None) {
            Ok(verified) => verified,
            Err(error) => return broken(&error),
        };
        Outcome::of(&verified)
    }

    fn surroundings(
        &self,
        device: &Device,
        outcome: Option<&Outcome>,
        book: &Book,
        around: &Around,
    ) -> Surroundings {
        let release = outcome.and_then(|outcome| outcome.release).map(ReleaseId::new);
        let all_approved = self.config.broad_mud_approved;
        let standings = release.map(|release| book.standings(&release, all_approved)).unwrap_or_default();
        let running = release.and_then(|release| book.get(&release)?.release());
        let needs = running.and_then(trust::Release::network_needs);
        let seen = around.violations.get(&device.id).into_iter().flatten();
        let violation = |seen: &store::Violation| Violation {
            at: seen.last.seconds(),
            count: seen.count,
            target: {
                let far = seen.name.as_deref().unwrap_or(&seen.dst);
                let handshake = seen.tls.as_ref().map(|tls| format!(": {tls}")).unwrap_or_default();
                format!("{far} {} {}{handshake}", seen.protocol, seen.dport)
            },
        };
        let violations = seen.filter(|seen| is_forbidden(seen, needs)).map(violation).collect();
        let hold = device.hold.as_ref().map(holds::input);
        let overlays = overlays(&around.words, device, running);
        Surroundings { standings, overlays, violations, hold, spared: around.spared.contains(&device.id) }
    }

    /// The decision with everything needed to make it again.
    fn record(&self, device: &Device, decided: &Decided, now: Timestamp) -> NewDecision {
        let policy = self.config.policy.encode();
        let Decided { decision, surroundings } = decided;
        let body = bundle::inputs(decision, &policy, surroundings, self.config.broad_mud_approved);
        NewDecision {
            device: device.id.clone(),
            at: now,
            posture: decision.posture.as_str().to_owned(),
            access: access_word(decision.access).to_owned(),
            violating: decision.violating,
            reasons: reasons::to_json(&decision.reasons),
            release: decision.release.map(ReleaseId::new),
            due: decision.due.map(Timestamp::from_seconds),
            body: body.to_string(),
        }
    }
}

/// Whether a decision says something else than the device's present one. Ages in details do not count.
fn differs(device: &Device, decision: &Decision) -> bool {
    // Which flaws a release has is more than a detail: people look for them by name.
    let codes = || {
        let present = reasons::from_json(&device.reasons);
        let now = decision.reasons.iter().map(reasons::to_api);
        let said = |reason: &api::Reason| (reason.code.clone(), reason.detail.get("cve").cloned());
        present.iter().map(said).eq(now.map(|reason| said(&reason)))
    };
    device.decision.is_none()
        || device.posture != decision.posture.as_str()
        || device.access != access_word(decision.access)
        || device.violating != decision.violating
        || device.release != decision.release.map(ReleaseId::new)
        || device.due != decision.due.map(Timestamp::from_seconds)
        || !codes()
}

/// The word of what a device may reach; the same as gateways use for profiles.
pub(crate) const fn access_word(access: trust::Access) -> &'static str {
    access.as_str()
}
