use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use coswid::Tag;
use crypto::Digest;
use eat::{Category, DebugStatus, EvidenceClaims, Tier, TrustVector, VerifiedEvidence};

use crate::{Code, Measured, Policy, Reason, Releases};

/// What verified evidence is worth: the content of an attestation result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appraised {
    /// The trustworthiness vector.
    pub vector: TrustVector,
    /// The one release that covers everything measured.
    pub release: Option<Digest>,
    /// Why the vector is not affirming; empty when it is.
    pub reasons: Vec<Reason>,
}

impl Appraised {
    /// The status that a result gives it. "No claim" weighs nothing in a vector; where it comes with a reason it must not
    /// leave the rest affirming.
    pub fn tier(&self) -> Tier {
        if self.reasons.is_empty() { self.vector.tier() } else { self.vector.tier().max(Tier::Warning) }
    }
}

/// What a verifier knows besides the evidence.
#[derive(Clone, Debug)]
pub struct References<'a> {
    /// Accepted releases.
    pub releases: &'a Releases,
    /// Manifest digests of those that do not count all the same.
    pub without: &'a [Digest],
    /// Digests that must not run anywhere, whatever release holds them.
    pub denied: &'a [Digest],
    /// Whether a stored expected value was found to differ from its signed object.
    pub tampered: Option<&'a Reason>,
}

/// Judges evidence whose signature and freshness hold.
pub fn appraise(evidence: &VerifiedEvidence<'_>, references: &References<'_>, policy: &Policy) -> Appraised {
    let claims = evidence.claims();
    let mut vector = TrustVector::new().with(Category::InstanceIdentity, 2);
    let mut reasons = Vec::new();

    if claims.dbgstat == DebugStatus::Enabled && !policy.allow_debug {
        reasons.push(Code::DebugOpen.into());
    }
    reasons.extend(unexpected_authorities(claims, policy));
    vector = vector.with(Category::Configuration, if reasons.is_empty() { 2 } else { 96 });

    let release = match measured(&claims.measurement) {
        Err(reason) => {
            vector = vector.with(Category::Executables, 1);
            reasons.push(reason);
            None
        }
        Ok(measured) => {
            let outcome = judge(
                &measured,
                (&claims.vendor, &claims.class),
                claims.manifest.map(|manifest| manifest.digest),
                references,
                policy,
            );
            let (value, release) = match outcome {
                Ok(release) => (2, Some(release)),
                Err(found) => {
                    let unknown = found
                        .iter()
                        .all(|reason| matches!(reason.code, Code::NoReference | Code::ReferenceTampered));
                    reasons.extend(found);
                    // No reference is no verdict; a contradiction to one is.
                    (if unknown { 1 } else { 96 }, None)
                }
            };
            vector = vector.with(Category::Executables, value);
            release
        }
    };
    Appraised { vector, release: release.filter(|_| reasons.is_empty()), reasons }
}

/// What stands against the authority list that a device obeys. Where the policy asks, a device that names none has none
/// that was asked for.
fn unexpected_authorities(claims: &EvidenceClaims, policy: &Policy) -> Option<Reason> {
    if policy.authorities.is_empty() {
        return None;
    }
    let reason = Reason::new(Code::UnexpectedAuthorities);
    match claims.status.as_ref().and_then(|status| status.authorities) {
        None => Some(reason),
        Some(attested) if policy.authorities.contains(&attested) => None,
        Some(attested) => Some(reason.with("attested", attested)),
    }
}

/// A verdict without evidence to believe: its signature, freshness or form failed.
pub fn refuse_evidence(reason: Reason) -> Appraised {
    let vector = match reason.code {
        Code::UnknownDevice => TrustVector::new().with(Category::InstanceIdentity, 97),
        Code::SameKeyTwice => TrustVector::new().with(Category::InstanceIdentity, 96),
        _ => TrustVector::VALIDATION_FAILED,
    };
    Appraised { vector, release: None, reasons: [reason].into() }
}

fn judge(
    measured: &[Measured],
    target: (&[u8; 16], &[u8; 16]),
    named: Option<Digest>,
    references: &References<'_>,
    policy: &Policy,
) -> Result<Digest, Vec<Reason>> {
    let denied = measured
        .iter()
        .find(|component| component.digest.is_some_and(|digest| references.denied.contains(&digest)));
    if let Some(component) = denied {
        return Err([Reason::new(Code::DigestDenied).with("component", &component.name)].into());
    }
    let extra = policy.allow_extra_components;
    let found = references.releases.find(target, measured, named, extra, references.without);
    let found = match (found, references.tampered) {
        // With a tampered reference out of the way nothing is left to compare with, and that is the reason to give.
        (Err(_), Some(tampered)) => return Err([tampered.clone()].into()),
        (found, _) => found?,
    };
    match named {
        Some(named) if named != found => {
            Err([Reason::new(Code::ManifestMismatch).with("named", named).with("measured", found)].into())
        }
        _ => Ok(found),
    }
}

/// The components in an evidence tag.
pub(crate) fn measured(tag: &[u8]) -> Result<Vec<Measured>, Reason> {
    let malformed = |error: String| Reason::new(Code::MalformedEvidence).with("error", error);
    let tag = Tag::decode(tag).map_err(|error| malformed(error.to_string()))?;
    if tag.evidence().is_none() {
        return Err(malformed("the measurement is not an evidence tag".to_string()));
    }
    let files = tag.measured_files().into_iter();
    Ok(files.map(|file| Measured { name: file.path(), digest: file.digest, size: file.size }).collect())
}
