//! Decisions as bundles: whoever has the anchors makes them again, without believing this server.

use api::{Base64Url, DecisionBundle};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{DecisionId, ReleaseId};
use trust::{
    Bundle, BundledEvidence, BundledRelease, Decision, Hold, OverlayInForce, ReleaseStanding, Restriction,
    Standing, Violation,
};

use crate::app::{App, Failure, reasons, rfc3339};

/// What a decision depended on, as the store keeps it beside the decision. Signed objects stand in it by digest.
#[derive(Deserialize)]
struct Inputs {
    decision: Base64Url,
    now: i64,
    rests_on: Vec<String>,
    policy: Base64Url,
    releases: Vec<StoredRelease>,
    overlays: Vec<StoredOverlay>,
    violations: Vec<StoredViolation>,
    hold: Option<StoredHold>,
    /// Before it was written down, decisions took every accepted file as approved.
    #[serde(default = "yes")]
    all_approved: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct StoredRelease {
    release: String,
    standing: StoredStanding,
}

#[derive(Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum StoredStanding {
    Current,
    Superseded { by: String, since: i64 },
    Revoked { why: String },
    Flawed { flaw: String },
}

#[derive(Deserialize)]
struct StoredOverlay {
    object: String,
}

#[derive(Deserialize)]
struct StoredViolation {
    at: i64,
    count: u64,
    target: String,
}

#[derive(Deserialize)]
struct StoredHold {
    /// Without it, from the time when every hold was one: a block.
    #[serde(default)]
    restriction: String,
    person: String,
    why: String,
    until: Option<i64>,
}

/// The inputs of a decision for the store.
pub(crate) fn inputs(
    decision: &Decision,
    policy: &[u8],
    standings: &[ReleaseStanding],
    overlays: &[OverlayInForce],
    violations: &[Violation],
    hold: Option<&Hold>,
    all_approved: bool,
) -> Value {
    let standing = |standing: &Standing| match standing {
        Standing::Current => json!({ "state": "current" }),
        Standing::Superseded { by, since } => json!({ "state": "superseded", "by": by, "since": since }),
        Standing::Revoked { why } => json!({ "state": "revoked", "why": why }),
        Standing::Flawed { flaw } => json!({ "state": "flawed", "flaw": flaw }),
    };
    let releases: Vec<Value> = standings
        .iter()
        .map(|known| json!({ "release": known.release.to_string(), "standing": standing(&known.standing) }))
        .collect();
    let overlays: Vec<Value> =
        overlays.iter().map(|overlay| json!({ "object": overlay.object.to_string() })).collect();
    let violations: Vec<Value> = violations
        .iter()
        .map(|seen| json!({ "at": seen.at, "count": seen.count, "target": seen.target }))
        .collect();
    json!({
        "decision": Base64Url::encode(&decision.encode()),
        "now": decision.at,
        "rests_on": decision.rests_on.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "policy": Base64Url::encode(policy),
        "releases": releases,
        "overlays": overlays,
        "violations": violations,
        "all_approved": all_approved,
        "hold": hold.map(|hold| {
            json!({ "restriction": hold.restriction.as_str(), "person": hold.person, "why": hold.why,
                "until": hold.until })
        }),
    })
}

impl App {
    /// A decision with everything it rests on, as received.
    pub(crate) async fn decision_bundle(&self, id: DecisionId) -> Result<DecisionBundle, Failure> {
        let record = self.store.decision(id).await?.ok_or(Failure::NotFound)?;
        let device = self.store.device(&record.device).await?.ok_or(Failure::NotFound)?;
        let result = match record.result {
            Some(result) => self.store.result(result).await?,
            None => None,
        };
        let inputs: Inputs = serde_json::from_str(&record.body)
            .map_err(|error| Failure::Fault(format!("a stored decision cannot be read: {error}")))?;
        let releases = self.bundled_releases(&inputs.releases);
        let overlays: Vec<String> = inputs.overlays.into_iter().map(|overlay| overlay.object).collect();
        let mut overrides = Vec::new();
        for stored in self.store.overrides(record.at).await? {
            let digest = crypto::Digest::of(crypto::HashAlgorithm::Sha256, &stored.bytes).to_string();
            if overlays.contains(&digest) {
                overrides.push(stored.bytes);
            }
        }
        let violation =
            |seen: StoredViolation| Violation { at: seen.at, count: seen.count, target: seen.target };
        let bundle = Bundle {
            device: device.id.as_bytes().to_vec(),
            decision: inputs.decision.0,
            policy: inputs.policy.0,
            now: inputs.now,
            evidence: result.as_ref().map(|result| BundledEvidence {
                evidence: result.evidence.clone(),
                nonce: result.nonce.clone(),
                key: device.key.clone(),
            }),
            result: result.map(|result| result.cwt),
            releases,
            denied: Vec::new(),
            overrides,
            violations: inputs.violations.into_iter().map(violation).collect(),
            hold: inputs.hold.map(|hold| Hold {
                restriction: Restriction::from_text(&hold.restriction),
                person: hold.person,
                why: hold.why,
                until: hold.until,
            }),
            all_approved: inputs.all_approved,
        };
        Ok(DecisionBundle {
            decision: id.0,
            device: device.id.to_string(),
            at: rfc3339(record.at),
            posture: record.posture,
            access: record.access,
            reasons: reasons::from_json(&record.reasons),
            rests_on: inputs.rests_on,
            bundle: Base64Url(bundle.encode()),
        })
    }

    fn bundled_releases(&self, stored: &[StoredRelease]) -> Vec<BundledRelease> {
        let book = self.book();
        let find = |stored: &StoredRelease| {
            let id = ReleaseId::new(stored.release.parse().ok()?);
            let entry = book.get(&id)?;
            let standing = match &stored.standing {
                StoredStanding::Current => Standing::Current,
                StoredStanding::Superseded { by, since } => {
                    Standing::Superseded { by: by.clone(), since: *since }
                }
                StoredStanding::Revoked { why } => Standing::Revoked { why: why.clone() },
                StoredStanding::Flawed { flaw } => Standing::Flawed { flaw: flaw.clone() },
            };
            Some(BundledRelease {
                envelope: entry.verified.as_ref().ok()?.stripped.clone(),
                accepted_at: entry.record.accepted_at.seconds(),
                standing,
            })
        };
        stored.iter().filter_map(find).collect()
    }
}
