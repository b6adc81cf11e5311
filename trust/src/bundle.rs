use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use cbor::{Error as CborError, MapBuilder, Reader, Reason as Malformed, Writer};
use cose::{Purpose, TrustAnchor, TrustAnchors};
use crypto::Digest;
use eat::{Evidence, Nonce, SignedResult};
use suit::AuthorityList;
use x509::Certificate;

use crate::{
    Code, Decision, Hold, Inputs, Outcome, Policy, Reason, References, Release, ReleaseAnchors,
    ReleaseStanding, Releases, RulesEngine, SignedOverride, Standing, Violation, apply_rules, appraise,
    decide,
    digest::{digest, encode_digest},
    digest_of_rules,
    result::SUBMOD,
};

/// The largest bundle, in bytes.
pub const MAX_BUNDLE: usize = 64 << 20;

/// A release in a bundle: its envelope, when it was accepted, and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundledRelease {
    /// The envelope; images may be left out.
    pub envelope: Vec<u8>,
    /// When it was accepted, in seconds since 1970.
    pub accepted_at: i64,
    /// Where it stood at the decision.
    pub standing: Standing,
}

/// What a result was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundledEvidence {
    /// The evidence as received.
    pub evidence: Vec<u8>,
    /// The nonce it had to answer.
    pub nonce: Vec<u8>,
    /// The device's key (COSE_Key).
    pub key: Vec<u8>,
}

/// All that one decision rests on: enough to make it again, anywhere, without believing whoever made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// UEID of the device.
    pub device: Vec<u8>,
    /// The decision in its one encoding.
    pub decision: Vec<u8>,
    /// The policy in its one encoding.
    pub policy: Vec<u8>,
    /// The time of the decision, in seconds since 1970.
    pub now: i64,
    /// The signed result (CWT).
    pub result: Option<Vec<u8>>,
    /// The policy that the result was made under, in its one encoding; none where it is that of the decision.
    pub result_policy: Option<Vec<u8>>,
    /// The rules that it names, each as it was written.
    pub rules: Vec<String>,
    /// The evidence behind the result, when its signature was verified.
    pub evidence: Option<BundledEvidence>,
    /// The releases of the device's class.
    pub releases: Vec<BundledRelease>,
    /// Digests that must not run.
    pub denied: Vec<Digest>,
    /// Signed overrides whose scope holds the device.
    pub overrides: Vec<Vec<u8>>,
    /// Packets dropped lately.
    pub violations: Vec<Violation>,
    /// A person's restriction.
    pub hold: Option<Hold>,
    /// Whether a cut for violations was withheld: what a gateway said, and nobody signed.
    pub spared: bool,
    /// Whether the site accepts every broad MUD file.
    pub all_approved: bool,
}

/// The anchors of whoever checks a bundle.
#[derive(Clone, Debug)]
pub struct BundleAnchors {
    /// Who may sign releases.
    pub authorities: AuthorityList,
    /// Issuers of MUD signers.
    pub mud_issuers: Vec<Certificate>,
    /// Keys of verifiers and of the network operator.
    pub keys: TrustAnchors,
}

/// Why a bundle does not bear out its decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    /// Which part does not hold.
    pub part: &'static str,
    /// What is wrong with it.
    pub error: String,
}

impl Bundle {
    /// Makes the decision again from the signed objects and compares it bit for bit. Rules of the policy are applied by
    /// an engine of the caller's.
    pub fn verify(
        &self,
        anchors: &BundleAnchors,
        engine: &mut dyn RulesEngine,
    ) -> Result<Decision, Unproven> {
        let policy = Policy::decode(&self.policy).map_err(|error| unproven("policy", error))?;
        let mut releases = Vec::new();
        for bundled in &self.releases {
            let anchors = ReleaseAnchors {
                authorities: anchors.authorities.clone(),
                mud_issuers: anchors.mud_issuers.clone(),
            };
            let release = Release::accept(&bundled.envelope, &anchors, bundled.accepted_at);
            let release = release.map_err(|reason| unproven("release", reason))?;
            releases.push((Arc::new(release), bundled));
        }
        let outcome = match &self.result {
            Some(bytes) => Some(self.outcome(bytes, &releases, &policy, &anchors.keys, engine)?),
            None => None,
        };
        let standings: Vec<ReleaseStanding> = releases
            .iter()
            .map(|(release, bundled)| {
                ReleaseStanding::of(release, bundled.standing.clone(), self.all_approved)
            })
            .collect();
        let mut overlays = Vec::new();
        for bytes in &self.overrides {
            let signed = SignedOverride::verify(bytes, &anchors.keys)
                .map_err(|reason| unproven("override", reason))?;
            overlays.push(signed.overlay());
        }
        let decision = decide(&Inputs {
            device: &self.device,
            outcome: outcome.as_ref(),
            releases: &standings,
            overlays: &overlays,
            violations: &self.violations,
            hold: self.hold.as_ref(),
            spared: self.spared,
            policy: &policy,
            now: self.now,
        });
        if decision.encode() != self.decision {
            return Err(unproven("decision", "the same inputs give another decision"));
        }
        Ok(decision)
    }

    /// Verifies the result, and that the evidence gives just this result.
    fn outcome(
        &self,
        bytes: &[u8],
        releases: &[(Arc<Release>, &BundledRelease)],
        policy: &Policy,
        anchors: &TrustAnchors,
        engine: &mut dyn RulesEngine,
    ) -> Result<Outcome, Unproven> {
        let signed = SignedResult::decode_cwt(bytes).map_err(|error| unproven("result", error))?;
        // It was valid when it was signed; whether it still is at the time of the decision is part of the decision.
        let issued = signed.unverified().issued_at;
        let verified = signed.verify(anchors, issued, None).map_err(|error| unproven("result", error))?;
        if verified.result().ueid.as_ref().map(eat::Ueid::as_bytes) != Some(&self.device) {
            return Err(unproven("result", "it is about another device"));
        }
        let outcome = Outcome::of(&verified);
        let Some(evidence) = &self.evidence else {
            return match outcome.release {
                Some(_) => Err(unproven("evidence", "missing, and the result affirms a release")),
                None => Ok(outcome),
            };
        };
        let key = cose::Key::decode(&evidence.key).map_err(|error| unproven("device key", error))?;
        let nonce = Nonce::new(&evidence.nonce).ok_or_else(|| unproven("evidence", "the nonce is none"))?;
        let decoded = Evidence::decode(&evidence.evidence).map_err(|error| unproven("evidence", error))?;
        if decoded.ueid().as_bytes() != self.device
            || verified.result().confirmation.as_ref() != Some(key.public())
        {
            return Err(unproven("evidence", "it is about another device or key than the result"));
        }
        let checked = decoded.verify(key.public(), &nonce).map_err(|error| unproven("evidence", error))?;
        let known = releases.iter().filter(|(_, bundled)| bundled.accepted_at <= issued);
        let known = Releases::of(known.map(|(release, _)| release.clone()));
        let references = References { releases: &known, without: &[], denied: &self.denied, tampered: None };
        let earlier = self.result_policy.as_ref().map(|policy| Policy::decode(policy)).transpose();
        let earlier = earlier.map_err(|error| unproven("policy of the result", error))?;
        let policy = earlier.as_ref().unwrap_or(policy);
        let rules: Vec<(Digest, &str)> =
            self.rules.iter().map(|rules| (digest_of_rules(rules), rules.as_str())).collect();
        let source =
            |wanted: &Digest| rules.iter().find(|(digest, _)| digest == wanted).map(|(_, source)| *source);
        let appraised = appraise(&checked, &references, policy);
        let appraised = apply_rules(appraised, &checked, &known, policy, &source, engine);
        let vector = verified.appraisal(SUBMOD).and_then(|appraisal| appraisal.vector);
        let codes = |reasons: &[Reason]| reasons.iter().map(|reason| reason.code).collect::<Vec<_>>();
        let same = vector == Some(appraised.vector)
            && outcome.release == appraised.release
            && codes(&outcome.reasons) == codes(&appraised.reasons);
        // Of these only the server knows, and each claims less: a result that says so is none to rely on.
        let alone = [Code::ReferenceTampered, Code::SameKeyTwice, Code::PolicyFailed];
        let claims_less =
            outcome.release.is_none() && outcome.reasons.iter().any(|reason| alone.contains(&reason.code));
        if !same && !claims_less {
            return Err(unproven("result", "the evidence does not give this result"));
        }
        Ok(outcome)
    }
}

fn unproven(part: &'static str, error: impl ToString) -> Unproven {
    Unproven { part, error: error.to_string() }
}

impl core::fmt::Display for Unproven {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.part, self.error)
    }
}

impl core::error::Error for Unproven {}

/// Anchors for the keys of a verifier and a network operator.
pub fn key_anchors(verifier: &[cose::Key], network_operator: &[cose::Key]) -> TrustAnchors {
    let of = |keys: &[cose::Key], purpose: Purpose| -> Vec<TrustAnchor> {
        let anchors =
            keys.iter().map(|key| TrustAnchor::new(key.public().clone(), purpose, format!("{purpose}")));
        anchors.collect()
    };
    of(verifier, Purpose::Result).into_iter().chain(of(network_operator, Purpose::Override)).collect()
}

mod labels {
    pub(super) const DEVICE: i64 = 1;
    pub(super) const DECISION: i64 = 2;
    pub(super) const POLICY: i64 = 3;
    pub(super) const NOW: i64 = 4;
    pub(super) const RESULT: i64 = 5;
    pub(super) const EVIDENCE: i64 = 6;
    pub(super) const RELEASES: i64 = 7;
    pub(super) const DENIED: i64 = 8;
    pub(super) const OVERRIDES: i64 = 9;
    pub(super) const VIOLATIONS: i64 = 10;
    pub(super) const HOLD: i64 = 11;
    pub(super) const ALL_APPROVED: i64 = 12;
    pub(super) const RESULT_POLICY: i64 = 13;
    pub(super) const RULES: i64 = 14;
    pub(super) const SPARED: i64 = 15;

    pub(super) const CURRENT: u64 = 0;
    pub(super) const SUPERSEDED: u64 = 1;
    pub(super) const REVOKED: u64 = 2;
    pub(super) const FLAWED: u64 = 3;
}

impl Bundle {
    /// The bundle in its one encoding.
    pub fn encode(&self) -> Vec<u8> {
        use labels::*;
        let mut map = MapBuilder::new();
        for (label, bytes) in [(DEVICE, &self.device), (DECISION, &self.decision), (POLICY, &self.policy)] {
            map.int(label, |w| {
                w.bytes(bytes);
            });
        }
        map.int(NOW, |w| {
            w.int(self.now);
        });
        map.int_if(RESULT, self.result.as_ref(), |w, result| {
            w.bytes(result);
        });
        map.int_if(EVIDENCE, self.evidence.as_ref(), |w, evidence| {
            w.array(3).bytes(&evidence.evidence).bytes(&evidence.nonce).bytes(&evidence.key);
        });
        map.int(RELEASES, |w| {
            w.array(self.releases.len());
            for release in &self.releases {
                w.array(3).bytes(&release.envelope).int(release.accepted_at);
                encode_standing(w, &release.standing);
            }
        });
        map.int(DENIED, |w| {
            w.array(self.denied.len());
            for digest in &self.denied {
                encode_digest(w, digest);
            }
        });
        map.int(OVERRIDES, |w| {
            w.array(self.overrides.len());
            for object in &self.overrides {
                w.bytes(object);
            }
        });
        map.int(VIOLATIONS, |w| {
            w.array(self.violations.len());
            for violation in &self.violations {
                w.array(3).int(violation.at).uint(violation.count).text(&violation.target);
            }
        });
        map.int_if(HOLD, self.hold.as_ref(), |w, hold| hold.encode(w));
        map.int(ALL_APPROVED, |w| {
            w.bool(self.all_approved);
        });
        map.int_if(RESULT_POLICY, self.result_policy.as_ref(), |w, policy| {
            w.bytes(policy);
        });
        map.int_if(RULES, Some(&self.rules).filter(|rules| !rules.is_empty()), |w, rules| {
            w.array(rules.len());
            rules.iter().for_each(|rules| {
                w.text(rules);
            });
        });
        // Written where it is so, so that bundles of before stay as they are.
        map.int_if(SPARED, Some(self.spared).filter(|spared| *spared), |w, spared| {
            w.bool(spared);
        });
        map.into_bytes()
    }

    /// Reads a bundle.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        use labels::*;
        if bytes.len() > MAX_BUNDLE {
            return Err(CborError::new(0, Malformed::TooLong { limit: MAX_BUNDLE }));
        }
        let mut bundle = Self::default();
        let mut reader = Reader::new(bytes);
        let r = &mut reader;
        let mut map = r.map()?;
        while let Some(label) = map.next_int(r)? {
            let at = r.position();
            match label {
                DEVICE => bundle.device = r.bytes()?.to_vec(),
                DECISION => bundle.decision = r.bytes()?.to_vec(),
                POLICY => bundle.policy = r.bytes()?.to_vec(),
                NOW => bundle.now = r.int()?,
                RESULT => bundle.result = Some(r.bytes()?.to_vec()),
                EVIDENCE => {
                    r.array_of(3)?;
                    let (evidence, nonce, key) =
                        (r.bytes()?.to_vec(), r.bytes()?.to_vec(), r.bytes()?.to_vec());
                    bundle.evidence = Some(BundledEvidence { evidence, nonce, key });
                }
                RELEASES => {
                    for _ in 0..r.array()? {
                        r.array_of(3)?;
                        let (envelope, accepted_at) = (r.bytes()?.to_vec(), r.int()?);
                        bundle.releases.push(BundledRelease {
                            envelope,
                            accepted_at,
                            standing: decode_standing(r)?,
                        });
                    }
                }
                DENIED => {
                    for _ in 0..r.array()? {
                        bundle.denied.push(digest(r)?);
                    }
                }
                OVERRIDES => {
                    for _ in 0..r.array()? {
                        bundle.overrides.push(r.bytes()?.to_vec());
                    }
                }
                VIOLATIONS => {
                    for _ in 0..r.array()? {
                        r.array_of(3)?;
                        let (at, count, target) = (r.int()?, r.uint()?, r.text()?.to_owned());
                        bundle.violations.push(Violation { at, count, target });
                    }
                }
                HOLD => bundle.hold = Some(Hold::decode(r)?),
                ALL_APPROVED => bundle.all_approved = r.bool()?,
                SPARED => bundle.spared = r.bool()?,
                RESULT_POLICY => bundle.result_policy = Some(r.bytes()?.to_vec()),
                RULES => {
                    for _ in 0..r.array()? {
                        bundle.rules.push(r.text()?.to_owned());
                    }
                }
                unknown => return Err(CborError::new(at, Malformed::Unknown(unknown))),
            }
        }
        r.end()?;
        Ok(bundle)
    }
}

fn encode_standing(writer: &mut Writer, standing: &Standing) {
    use labels::*;
    match standing {
        Standing::Current => writer.array(1).uint(CURRENT),
        Standing::Superseded { by, since } => writer.array(3).uint(SUPERSEDED).text(by).int(*since),
        Standing::Revoked { why } => writer.array(2).uint(REVOKED).text(why),
        Standing::Flawed { flaw } => writer.array(2).uint(FLAWED).text(flaw),
    };
}

fn decode_standing(reader: &mut Reader<'_>) -> Result<Standing, CborError> {
    use labels::*;
    let at = reader.position();
    let count = reader.array()?;
    match (reader.uint()?, count) {
        (CURRENT, 1) => Ok(Standing::Current),
        (SUPERSEDED, 3) => Ok(Standing::Superseded { by: reader.text()?.to_owned(), since: reader.int()? }),
        (REVOKED, 2) => Ok(Standing::Revoked { why: reader.text()?.to_owned() }),
        (FLAWED, 2) => Ok(Standing::Flawed { flaw: reader.text()?.to_owned() }),
        _ => Err(CborError::rule(at, "standing is not known")),
    }
}
