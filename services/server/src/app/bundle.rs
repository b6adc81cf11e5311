//! Decisions as bundles: whoever has the anchors makes them again, without believing this server.

use api::{Base64Url, DecisionBundle};
use crypto::{Digest, HashAlgorithm};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{DecisionId, ReleaseId, ResultRecord};
use trust::{
    Bundle, BundledEvidence, BundledRelease, Code, Decision, Hold, Policy, Restriction, Standing, Violation,
};

use crate::app::{App, Failure, decisions::Surroundings, reasons, rfc3339};

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
    /// Before there was a cap, none was spared.
    #[serde(default)]
    spared: bool,
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
pub(super) fn inputs(
    decision: &Decision,
    policy: &[u8],
    surroundings: &Surroundings,
    all_approved: bool,
) -> Value {
    let Surroundings { standings, overlays, violations, hold, spared } = surroundings;
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
        "spared": spared,
        "hold": hold.as_ref().map(|hold| {
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
        let mut releases = self.bundled_releases(&inputs.releases);
        let (mut denied, mut rules) = (Vec::new(), Vec::new());
        if let Some(result) = &result {
            self.add_compared(&mut releases, result);
            denied = self.denied_in(result).await?;
            rules = self.rules_of(result).await?;
        }
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
            result_policy: result.as_ref().and_then(|result| result.policy.clone()),
            rules,
            result: result.map(|result| result.cwt),
            releases,
            denied,
            overrides,
            violations: inputs.violations.into_iter().map(violation).collect(),
            hold: inputs.hold.map(|hold| Hold {
                restriction: Restriction::from_text(&hold.restriction),
                person: hold.person,
                why: hold.why,
                until: hold.until,
            }),
            spared: inputs.spared,
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

    /// Adds the releases that evidence was compared with in vain: a decision against a device is to be made again as well.
    fn add_compared(&self, releases: &mut Vec<BundledRelease>, result: &ResultRecord) {
        let Ok(evidence) = eat::Evidence::decode(&result.evidence) else { return };
        let claims = evidence.unverified();
        let book = self.book();
        let of_class = book.iter().filter_map(|entry| Some((entry, entry.verified.as_ref().ok()?)));
        for (entry, verified) in of_class.filter(|(_, one)| one.release.is_for(&claims.vendor, &claims.class))
        {
            let accepted_at = entry.record.accepted_at.seconds();
            let known = releases.iter().any(|release| release.envelope == verified.stripped);
            if !known && accepted_at <= result.issued {
                let (envelope, standing) = (verified.stripped.clone(), Standing::Current);
                releases.push(BundledRelease { envelope, accepted_at, standing });
            }
        }
    }

    /// The denied digests for which a result speaks against its device. Where it names none, none that it measured was
    /// denied when it was made.
    async fn denied_in(&self, result: &ResultRecord) -> Result<Vec<Digest>, Failure> {
        let code = Code::DigestDenied.as_str();
        if !reasons::from_json(&result.reasons).iter().any(|reason| reason.code == code) {
            return Ok(Vec::new());
        }
        let denied = self.store.denied().await?.into_iter().map(|denied| denied.digest);
        let measured = denied.filter(|digest| {
            !digest.is_empty() && result.evidence.windows(digest.len()).any(|part| part == digest)
        });
        Ok(measured.filter_map(|digest| Digest::new(HashAlgorithm::Sha256, &digest)).collect())
    }

    /// The rules that the policy of a result names.
    async fn rules_of(&self, result: &ResultRecord) -> Result<Vec<String>, Failure> {
        let policy = result.policy.as_ref().and_then(|policy| Policy::decode(policy).ok());
        let mut rules = Vec::new();
        for digest in policy.into_iter().flat_map(|policy| policy.rules) {
            rules.extend(self.store.rules_source(digest.as_bytes()).await?);
        }
        Ok(rules)
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
