use alloc::{borrow::ToOwned, string::String, vec::Vec};

use cbor::MapBuilder;
use crypto::Digest;
use eat::Tier;

use crate::{Access, Approval, Code, Hold, Policy, Reason, Release, digest::encode_digest};

/// How far a device can be trusted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Posture {
    /// A fresh signed result affirms that it runs exactly one current release.
    Trusted,
    /// It runs a release that is known, and no longer to be run.
    Outdated,
    /// It never attested, or nobody signed expected values for what it runs.
    Unknown,
    /// Its newest result is past its end.
    Stale,
    /// A fresh result says that it is not what it should be.
    Untrusted,
}

impl Posture {
    /// Every posture.
    pub const ALL: [Self; 5] = [Self::Trusted, Self::Outdated, Self::Unknown, Self::Stale, Self::Untrusted];

    /// The word used everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Outdated => "outdated",
            Self::Unknown => "unknown",
            Self::Stale => "stale",
            Self::Untrusted => "untrusted",
        }
    }
}

/// What the newest signed result about a device says, already verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Digest of the signed result as received.
    pub object: Digest,
    /// Status over all of its trustworthiness vector.
    pub tier: Tier,
    /// Manifest digest of the one release that the evidence matched.
    pub release: Option<Digest>,
    /// Why it is not affirming.
    pub reasons: Vec<Reason>,
    /// When it was signed, in seconds since 1970.
    pub issued: i64,
    /// When it ends.
    pub expires: i64,
}

/// Where an accepted release stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be run.
    Current,
    /// A newer one is out since the given time.
    Superseded {
        /// Version of the newer one.
        by: String,
        /// When the newer one was accepted, in seconds since 1970.
        since: i64,
    },
    /// It must not be run.
    Revoked {
        /// Why.
        why: String,
    },
    /// It has a flaw that a newer one mends.
    Flawed {
        /// Name of the flaw, such as a CVE number.
        flaw: String,
    },
}

impl Standing {
    /// What speaks against a release that stands so, at a time in seconds since 1970.
    pub fn against(&self, policy: &Policy, now: i64) -> Option<Reason> {
        Some(match self {
            Self::Current => return None,
            Self::Superseded { since, .. } if now < since.saturating_add(policy.supersede_grace) => {
                return None;
            }
            Self::Superseded { by, since } => Reason::new(Code::Superseded)
                .with("new", by)
                .with("days", now.saturating_sub(*since) / 86_400),
            Self::Revoked { why } => Reason::new(Code::ReleaseRevoked).with("reason", why),
            Self::Flawed { flaw } => Reason::new(Code::KnownFlaw).with("cve", flaw),
        })
    }
}

/// An accepted release, as far as a decision needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseStanding {
    /// Manifest digest.
    pub release: Digest,
    /// Version for people.
    pub version: String,
    /// Where it stands.
    pub standing: Standing,
    /// Its MUD file, where that asks for so much that it is applied with an approval only.
    pub broad: Option<Broad>,
}

/// A MUD file that asks for much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broad {
    /// SHA-256 of the file.
    pub file: Digest,
    /// What is broad about it.
    pub why: Reason,
}

impl ReleaseStanding {
    /// A verified release that stands so, on a site that does or does not accept every broad file.
    pub fn of(release: &Release, standing: Standing, all_approved: bool) -> Self {
        let broad = release.network_needs().and_then(|needs| {
            Some(Broad { file: needs.digest, why: needs.broad.clone()? }).filter(|_| !all_approved)
        });
        let (digest, version) = (release.manifest_digest(), release.version().to_owned());
        Self { release: digest, version, standing, broad }
    }
}

/// Packets that an enforcement point dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When they were last seen, in seconds since 1970.
    pub at: i64,
    /// How many.
    pub count: u64,
    /// Where they wanted to go, for people.
    pub target: String,
}

/// An override that touches the device: its id and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlayInForce {
    /// Digest of the signed override as received.
    pub object: Digest,
    /// From when, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub expires: i64,
    /// What it approves, if it is an approval.
    pub approves: Option<Approval>,
    /// Whether it lets pass and tells what the release does not declare.
    pub observes: bool,
}

/// All that a decision depends on.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    /// UEID of the device.
    pub device: &'a [u8],
    /// The newest verified result, if it ever attested.
    pub outcome: Option<&'a Outcome>,
    /// The accepted releases of its class.
    pub releases: &'a [ReleaseStanding],
    /// Overrides whose scope holds the device.
    pub overlays: &'a [OverlayInForce],
    /// Packets dropped lately.
    pub violations: &'a [Violation],
    /// A person's restriction.
    pub hold: Option<&'a Hold>,
    /// Whether enough devices of its model were cut for violations within the hour, so that this one is not.
    pub spared: bool,
    /// The operator's policy.
    pub policy: &'a Policy,
    /// The time of the decision, in seconds since 1970.
    pub now: i64,
}

/// What the network lets a device do, why, and on which signed objects that rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// UEID of the device.
    pub device: Vec<u8>,
    /// How far it is trusted.
    pub posture: Posture,
    /// Whether it lately contacted what its release does not ask for.
    pub violating: bool,
    /// Whether a person restricts it.
    pub held: bool,
    /// Whether it would reach more without what it lately contacted.
    pub cut: bool,
    /// What it may reach.
    pub access: Access,
    /// The release whose policy applies when `access` is [`Access::Restricted`] or wider, else the one it was found to run.
    pub release: Option<Digest>,
    /// Everything that stands against it; it is released only when all are gone.
    pub reasons: Vec<Reason>,
    /// Digests of the signed objects this rests on: result, release, overrides in force.
    pub rests_on: Vec<Digest>,
    /// Digest of the policy applied.
    pub policy: Digest,
    /// When it was made.
    pub at: i64,
    /// When it must be made again although nothing new arrives.
    pub due: Option<i64>,
}

mod labels {
    pub(super) const DEVICE: i64 = 1;
    pub(super) const POSTURE: i64 = 2;
    pub(super) const FLAGS: i64 = 3;
    pub(super) const ACCESS: i64 = 4;
    pub(super) const RELEASE: i64 = 5;
    pub(super) const REASONS: i64 = 6;
    pub(super) const RESTS_ON: i64 = 7;
    pub(super) const POLICY: i64 = 8;
    pub(super) const AT: i64 = 9;
    pub(super) const DUE: i64 = 10;
}

impl Decision {
    /// The decision in its one encoding, for the audit chain: whoever decides again must get these bytes.
    pub fn encode(&self) -> Vec<u8> {
        use labels::*;
        let mut map = MapBuilder::new();
        map.int(DEVICE, |w| {
            w.bytes(&self.device);
        });
        map.int(POSTURE, |w| {
            w.text(self.posture.as_str());
        });
        map.int(FLAGS, |w| {
            w.array(2).bool(self.violating).bool(self.held);
        });
        map.int(ACCESS, |w| {
            w.uint(self.access.number());
        });
        map.int_if(RELEASE, self.release, |w, release| encode_digest(w, &release));
        map.int(REASONS, |w| {
            w.array(self.reasons.len());
            for reason in &self.reasons {
                w.array(2).text(reason.code.as_str()).array(reason.detail.len() * 2);
                for (name, value) in &reason.detail {
                    w.text(name).text(value);
                }
            }
        });
        map.int(RESTS_ON, |w| {
            w.array(self.rests_on.len());
            for object in &self.rests_on {
                encode_digest(w, object);
            }
        });
        map.int(POLICY, |w| encode_digest(w, &self.policy));
        map.int(AT, |w| {
            w.int(self.at);
        });
        map.int_if(DUE, self.due, |w, due| {
            w.int(due);
        });
        map.into_bytes()
    }
}

/// Decides what a device may reach. The one place where trust is given; it reads nothing but its inputs.
pub fn decide(inputs: &Inputs<'_>) -> Decision {
    let Inputs { policy, now, .. } = *inputs;
    let mut due = Due { now, next: None };
    let mut reasons = Vec::new();
    let mut rests_on: Vec<Digest> = inputs.outcome.iter().map(|outcome| outcome.object).collect();

    let mut release = None;
    let posture = match inputs.outcome {
        None => {
            reasons.push(Code::NeverAttested.into());
            Posture::Unknown
        }
        Some(outcome) => {
            release = outcome.release;
            rests_on.extend(outcome.release);
            judge(outcome, inputs.releases, policy, &mut due, &mut reasons)
        }
    };

    let violating = violating(inputs.violations, policy, &mut due, &mut reasons);
    let hold = inputs.hold.filter(|hold| hold.until.is_none_or(|until| due.is_ahead(until)));
    reasons.extend(hold.map(Hold::reason));
    let found = inputs.releases.iter().find(|known| Some(known.release) == release);
    let broad = found.and_then(|known| Some((known.release, known.broad.as_ref()?)));
    let (mut approved, mut observed) = (false, false);
    for overlay in inputs.overlays {
        observed |= overlay.observes && overlay.not_before <= now && now < overlay.expires;
        if let Some(approval) = &overlay.approves {
            // One that is about something else neither counts nor ends anything here.
            if !broad.is_some_and(|(release, broad)| approval.covers(&release, &broad.file)) {
                continue;
            }
            approved |= overlay.not_before <= now && now < overlay.expires;
        }
        if !due.is_ahead(overlay.not_before) && due.is_ahead(overlay.expires) {
            rests_on.push(overlay.object);
        }
    }

    let mut access = policy.access(posture);
    if release.is_none() {
        access = access.min(Access::UpdateOnly);
    }
    if let Some((_, broad)) = broad.filter(|_| !approved) {
        reasons.push(broad.why.clone());
        access = access.min(Access::UpdateOnly);
    }
    if let Some(hold) = hold {
        access = access.min(hold.restriction.access());
    }
    let mut cut = violating && policy.violating_access < access;
    if cut && inputs.spared {
        reasons.push(Code::CutWithheld.into());
        cut = false;
    }
    if cut {
        access = policy.violating_access;
    }
    if observed && access == Access::Release {
        access = Access::Observed;
    }
    Decision {
        device: inputs.device.to_vec(),
        posture,
        violating,
        held: hold.is_some(),
        cut,
        access,
        release,
        reasons,
        rests_on,
        policy: policy.digest(),
        at: now,
        due: due.next,
    }
}

/// The posture that one result gives at this time.
fn judge(
    outcome: &Outcome,
    releases: &[ReleaseStanding],
    policy: &Policy,
    due: &mut Due,
    reasons: &mut Vec<Reason>,
) -> Posture {
    reasons.extend(outcome.reasons.iter().cloned());
    // A result from the future is no fresher than one from the past: the clock that signed it is not ours.
    let end = outcome.expires.min(outcome.issued.saturating_add(policy.result_lifetime));
    let fresh = due.is_ahead(end);
    let mut posture =
        outcome.reasons.iter().map(|reason| posture_of(reason.code)).max().unwrap_or(Posture::Trusted);
    match (outcome.tier, outcome.release) {
        (Tier::Affirming, Some(release)) => {
            posture = posture.max(standing(release, releases, policy, due, reasons));
        }
        (tier, _) if posture == Posture::Trusted => {
            reasons.push(Code::NotAffirmed.into());
            posture = if tier == Tier::Contraindicated { Posture::Untrusted } else { Posture::Unknown };
        }
        _ => {}
    }
    if fresh {
        return posture;
    }
    let age = due.now.saturating_sub(outcome.issued);
    reasons.push(Reason::new(Code::EvidenceOverdue).with("age", age).with("limit", policy.result_lifetime));
    // What was found wrong does not become better by waiting.
    posture.max(Posture::Stale)
}

/// Whether the release that the device runs may be run.
fn standing(
    release: Digest,
    releases: &[ReleaseStanding],
    policy: &Policy,
    due: &mut Due,
    reasons: &mut Vec<Reason>,
) -> Posture {
    let Some(found) = releases.iter().find(|known| known.release == release) else {
        reasons.push(Code::NoReference.into());
        return Posture::Unknown;
    };
    if let Standing::Superseded { since, .. } = &found.standing {
        due.is_ahead(since.saturating_add(policy.supersede_grace));
    }
    let Some(reason) = found.standing.against(policy, due.now) else { return Posture::Trusted };
    reasons.push(reason.with("version", &found.version));
    Posture::Outdated
}

/// Whether a device goes where its release does not ask to. It does until a whole window has passed without: let go when the
/// first of several is old, it would be back with the next.
fn violating(violations: &[Violation], policy: &Policy, due: &mut Due, reasons: &mut Vec<Reason>) -> bool {
    let Some(latest) = violations.iter().max_by_key(|violation| violation.at) else { return false };
    let since = latest.at.saturating_sub(policy.violation_window);
    let lately = violations.iter().filter(|violation| violation.at > since || violation.at == latest.at);
    let count = lately.fold(0_u64, |count, violation| count.saturating_add(violation.count));
    if count < policy.violation_threshold || !due.is_ahead(latest.at.saturating_add(policy.violation_window))
    {
        return false;
    }
    reasons.push(Reason::new(Code::ForbiddenFlow).with("count", count).with("target", &latest.target));
    true
}

/// What a reason in a result makes of the device.
fn posture_of(code: Code) -> Posture {
    match code {
        Code::Superseded | Code::ReleaseRevoked | Code::KnownFlaw => Posture::Outdated,
        Code::NoReference | Code::ReferenceTampered | Code::NeverAttested => Posture::Unknown,
        Code::PolicyWarned | Code::PolicyFailed => Posture::Unknown,
        Code::EvidenceOverdue => Posture::Stale,
        _ => Posture::Untrusted,
    }
}

/// Collects when the decision must be made again.
struct Due {
    now: i64,
    next: Option<i64>,
}

impl Due {
    /// Whether a time is still to come; if so the decision is due again then.
    fn is_ahead(&mut self, time: i64) -> bool {
        if time <= self.now {
            return false;
        }
        self.next = Some(self.next.map_or(time, |next| next.min(time)));
        true
    }
}
