//! What the network lets a device do: made from verified objects whenever something they rest on changes.

use std::sync::Arc;

use crypto::Digest;
use eat::SignedResult;
use store::{Device, DeviceId, NewDecision, Redecision, ReleaseId, ResultRecord, Timestamp};
use trust::{Code, Decision, Inputs, Outcome, OverlayInForce, Reason, ReleaseStanding, Violation, decide};

use crate::app::{App, Failure, bundle, holds, reasons, releases::Book, violations::is_forbidden};

/// How often a decision is made again when something newer comes between.
const MAX_TRIES: usize = 8;
/// Dropped packets that a decision looks at.
const MAX_VIOLATIONS: u32 = 200;

/// What a decision depends on besides the result.
pub(crate) struct Surroundings {
    standings: Vec<ReleaseStanding>,
    overlays: Vec<OverlayInForce>,
    violations: Vec<Violation>,
    hold: Option<trust::Hold>,
}

impl App {
    /// Decides about a device from the outcome of its newest result.
    pub(crate) async fn decide_with(
        &self,
        device: &Device,
        outcome: Option<&Outcome>,
        now: Timestamp,
    ) -> Result<NewDecision, Failure> {
        let book = self.book();
        let around = self.surroundings(device, outcome, &book, now).await?;
        let decision = decide(&Inputs {
            device: device.id.as_bytes(),
            outcome,
            releases: &around.standings,
            overlays: &around.overlays,
            violations: &around.violations,
            hold: around.hold.as_ref(),
            policy: &self.config.policy,
            now: now.seconds(),
        });
        Ok(self.record(device, &decision, &around, now))
    }

    /// Decides again about devices. Only what differs from the present decision is stored; gives how many were.
    pub(crate) async fn redecide(&self, devices: &[Device]) -> Result<usize, Failure> {
        let now = self.now();
        let mut decisions = Vec::new();
        for device in devices {
            let outcome = self.outcome(device).await?;
            let decision = self.decide_with(device, outcome.as_ref(), now).await?;
            if differs(device, &decision) {
                decisions.push(Redecision { result: device.result, replaces: device.decision, decision });
            }
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

    async fn surroundings(
        &self,
        device: &Device,
        outcome: Option<&Outcome>,
        book: &Arc<Book>,
        now: Timestamp,
    ) -> Result<Surroundings, Failure> {
        let release = outcome.and_then(|outcome| outcome.release).map(ReleaseId::new);
        let all_approved = self.config.broad_mud_approved;
        let standings = release.map(|release| book.standings(&release, all_approved)).unwrap_or_default();
        let running = release.and_then(|release| Some(&book.get(&release)?.verified.as_ref().ok()?.release));
        let needs = running.and_then(trust::Release::network_needs);
        let since = now.plus_seconds(-self.config.policy.violation_window);
        let violations = self.store.violations(Some(&device.id), since, MAX_VIOLATIONS).await?;
        let violations = violations
            .into_iter()
            .filter(|(_, violation)| is_forbidden(violation, needs))
            .map(|(_, violation)| Violation {
                at: violation.last.seconds(),
                count: violation.count,
                target: format!(
                    "{} {} {}",
                    violation.name.as_deref().unwrap_or(&violation.dst),
                    violation.protocol,
                    violation.dport
                ),
            })
            .collect();
        let hold = device.hold.as_ref().map(holds::input);
        let overlays = self.overlays(device, running, now).await?;
        Ok(Surroundings { standings, overlays, violations, hold })
    }

    /// The decision with everything needed to make it again.
    fn record(
        &self,
        device: &Device,
        decision: &Decision,
        around: &Surroundings,
        now: Timestamp,
    ) -> NewDecision {
        let policy = self.config.policy.encode();
        let Surroundings { standings, overlays, violations, hold } = around;
        let all_approved = self.config.broad_mud_approved;
        let body =
            bundle::inputs(decision, &policy, standings, overlays, violations, hold.as_ref(), all_approved);
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
fn differs(device: &Device, decision: &NewDecision) -> bool {
    let codes = |text: &str| -> Vec<String> {
        reasons::from_json(text).into_iter().map(|reason| reason.code).collect()
    };
    device.decision.is_none()
        || device.posture != decision.posture
        || device.access != decision.access
        || device.violating != decision.violating
        || device.release != decision.release
        || device.due != decision.due
        || codes(&device.reasons) != codes(&decision.reasons)
}

/// The word of what a device may reach; the same as gateways use for profiles.
pub(crate) const fn access_word(access: trust::Access) -> &'static str {
    match access {
        trust::Access::Blocked => api::Profile::Blocked.as_str(),
        trust::Access::UpdateOnly => api::Profile::UpdateOnly.as_str(),
        trust::Access::Release => api::Profile::Release.as_str(),
    }
}
