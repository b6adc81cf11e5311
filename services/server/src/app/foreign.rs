//! Evidence of devices that are not enrolled here: of the formats in the field, appraised against accepted manifests.
//! It answers relying parties, and moves no posture.

use std::net::IpAddr;

use api::Session;
use crypto::{Digest, HashAlgorithm, hmac, hmac_verify};
use eat::{AttestationResult, MediaType, Nonce, Ueid};
use store::{DeviceId, ForeignResult, NewResult, ResultRecord, SessionId, Timestamp};
use trust::{
    Attester, Beliefs, Code, Comparison, Corroborated, ForeignEvidence, OwnRelease, Part, Policy, Reason,
    SUBMOD, Subject, apply_rules_to_attester, attestation_result_of, compare_attester, corroborate,
    unwrap_evidence,
};

use crate::app::{
    App, Failure,
    appraisal::verifier,
    attestation::{Open, complete},
    epoch::heard,
    foreign_again::ForeignRevision,
    reasons,
};

/// What was made of evidence: of each part that attests, or of all of it where it is refused as a whole.
pub(super) struct Judged {
    parts: Vec<JudgedPart>,
    device: Option<DeviceId>,
    /// Which session it answers, and who it is: of evidence that is believed.
    identity: Option<(usize, Digest)>,
    /// What evidence was judged by then.
    revision: ForeignRevision,
}

/// What was made of one part that attests.
struct JudgedPart {
    name: String,
    profile: Option<String>,
    policy: Policy,
    corroborated: Corroborated,
    /// Its components beside what is expected of them, where that was asked for.
    comparison: Option<Comparison>,
}

/// Whether components are set beside what is expected of them: for people, and not where evidence comes by the thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Shown,
    Left,
}

impl Judged {
    /// The components of each part beside what is expected of them.
    pub(super) fn into_comparisons(self) -> impl Iterator<Item = (String, Option<Comparison>)> {
        self.parts.into_iter().map(|part| (part.name, part.comparison))
    }
}

/// Evidence, and the challenge that it answered.
pub(super) struct Answered<'a> {
    pub(super) open: &'a Open,
    pub(super) evidence: Vec<u8>,
    pub(super) media_type: String,
}

impl App {
    /// Judges evidence by its media type. The result is on the disk before it is given.
    pub(crate) async fn attest_foreign(
        &self,
        id: SessionId,
        evidence: Vec<u8>,
        media_type: &str,
        from: IpAddr,
    ) -> Result<Session, Failure> {
        let open = self.open_unused(id).await?;
        let judged = self
            .judge_foreign(&evidence, media_type, core::slice::from_ref(&open), Some(from), Beside::Left)
            .await?;
        self.answer_foreign(open, judged, evidence, media_type).await
    }

    /// Judges evidence that answers the handle of an epoch.
    pub(crate) async fn attest_foreign_in_epoch(
        &self,
        evidence: Vec<u8>,
        media_type: &str,
        from: IpAddr,
    ) -> Result<Session, Failure> {
        let epochs = self.open_epochs();
        let judged = self.judge_foreign(&evidence, media_type, &epochs, Some(from), Beside::Left).await?;
        let [present, before] = epochs;
        let open = match &judged.identity {
            Some((1, _)) => before,
            _ => present,
        };
        let id = match &judged.identity {
            Some((_, device)) => self.use_of(&open.nonce, device.as_bytes()),
            None => open.id,
        };
        if self.store.session_used(id).await? {
            return Err(heard());
        }
        self.answer_foreign(Open { id, ..open }, judged, evidence, media_type).await
    }

    async fn answer_foreign(
        &self,
        open: Open,
        judged: Judged,
        evidence: Vec<u8>,
        media_type: &str,
    ) -> Result<Session, Failure> {
        let now = self.now();
        let revision = judged.revision;
        let result = self.foreign_result(&judged, &open, now)?;
        let expires = result.expires_at.unwrap_or(now.seconds());
        let answered = Answered { open: &open, evidence, media_type: media_type.to_owned() };
        let new = self.sign_foreign(&judged, result, answered, expires, now)?;
        let new = NewResult { session: Some(open.id), ..new };
        let session = complete(&open, media_type, &new.evidence, &new.cwt, &new.jwt);
        self.store.record_result(new, None).await?;
        if self.foreign_revision() != revision {
            // It was judged by what holds no longer, after all others were judged again.
            self.judge_foreign_later();
        }
        Ok(session)
    }

    /// Puts what was made of evidence into a result that is not signed yet.
    pub(super) fn foreign_result(
        &self,
        judged: &Judged,
        open: &Open,
        now: Timestamp,
    ) -> Result<AttestationResult, Failure> {
        let nonce = read_nonce(open)?;
        let nobody = Ueid::new(&[0; Ueid::MIN_LEN]).ok_or_else(|| Failure::Fault("no ueid".to_owned()))?;
        let subject =
            Subject { ueid: nobody, key: None, nonce: judged.identity.as_ref().map(|_| nonce.clone()) };
        let parts: Vec<Part<'_>> = judged
            .parts
            .iter()
            .map(|part| Part {
                name: &part.name,
                profile: part.profile.as_deref(),
                appraised: &part.corroborated.appraised,
                policy: &part.policy,
                endorsed: &part.corroborated.endorsed,
                binding: part.corroborated.binding,
            })
            .collect();
        let lifetime = self.config.policy.result_lifetime;
        let mut result = attestation_result_of(&parts, &subject, lifetime, verifier(), now.seconds());
        // No gateway is to take this for a device of its own.
        result.ueid = None;
        if !open.ours {
            result.nonce = Some(nonce);
        }
        Ok(result)
    }

    /// Signs a result, to be stored with the evidence that it is about, and seals both.
    pub(super) fn sign_foreign(
        &self,
        judged: &Judged,
        mut result: AttestationResult,
        answered: Answered<'_>,
        expires: i64,
        now: Timestamp,
    ) -> Result<NewResult, Failure> {
        let Answered { open, evidence, media_type } = answered;
        result.expires_at = Some(expires);
        let tier = result.tier();
        let (cwt, jwt) = self.sign_forms(result, &self.config.result_profile)?;
        let parts = judged.parts.iter();
        let found: Vec<Reason> =
            parts.clone().flat_map(|part| part.corroborated.appraised.reasons.clone()).collect();
        // Each part of the result names its own; this is that of the first.
        let policy = parts.map(|part| &part.policy).next().unwrap_or(&self.config.policy);
        let message = sealed(open.id, &open.nonce, &evidence, &media_type, &cwt, expires);
        Ok(NewResult {
            session: None,
            device: judged.device.clone(),
            received_at: now,
            nonce: open.nonce.clone(),
            evidence,
            media_type: Some(media_type),
            cwt,
            jwt,
            issued: now.seconds(),
            expires,
            tier: tier.name().to_owned(),
            release: None,
            reasons: reasons::to_json(&found),
            authentic: false,
            policy: policy.encode(),
            seal: Some(hmac(HashAlgorithm::Sha256, &self.secret, &message).as_bytes().to_vec()),
        })
    }

    /// Whether a result, its end, and the evidence and challenge that it rests on are stored as they were. What somebody
    /// put there is not to be signed.
    pub(super) fn is_as_sealed(&self, stored: &ForeignResult) -> bool {
        let ResultRecord { nonce, evidence, media_type, cwt, expires, seal, .. } = &stored.record;
        let Some((media_type, seal)) = media_type.as_ref().zip(seal.as_ref()) else { return false };
        let message = sealed(stored.session, nonce, evidence, media_type, cwt, *expires);
        hmac_verify(HashAlgorithm::Sha256, &self.secret, &message, seal)
    }

    /// Judges evidence that answers one of some challenges. Where it is counted from whom it came, too much is refused.
    pub(super) async fn judge_foreign(
        &self,
        evidence: &[u8],
        media_type: &str,
        sessions: &[Open],
        from: Option<IpAddr>,
        beside: Beside,
    ) -> Result<Judged, Failure> {
        // Counted before anything is read: what changes meanwhile is judged again.
        let revision = self.foreign_revision();
        let refused = |reason: Reason, device| Judged {
            parts: vec![JudgedPart {
                name: SUBMOD.to_owned(),
                profile: None,
                policy: self.config.policy.clone(),
                corroborated: Corroborated::refused(reason),
                comparison: None,
            }],
            device,
            identity: None,
            revision,
        };
        let given = media_type;
        let media_type =
            MediaType::parse(media_type).map_err(|error| Failure::Malformed(error.to_string()))?;
        let unwrapped = unwrap_evidence(evidence, &media_type);
        let read = unwrapped.as_ref().map_err(Clone::clone);
        let read = read.and_then(|(bytes, inner)| ForeignEvidence::decode(bytes, inner));
        let device = read.as_ref().ok().and_then(ForeignEvidence::instance);
        let device = device.and_then(|instance| DeviceId::new(&instance));
        // What names no device shares one bucket for its address.
        let bucket = device.clone().or_else(|| DeviceId::new(&[0; Ueid::MIN_LEN]));
        if let (Some(bucket), Some(from)) = (&bucket, from) {
            self.limiter.take((from, bucket.clone()), self.now()).map_err(Failure::TooMany)?;
        }
        let (endorsements, vouched, basis) = (self.endorsements(), self.vouched(), self.basis());
        let now = self.now().seconds();
        let policy = &self.config.policy;
        let beliefs = Beliefs {
            endorsements: &endorsements,
            releases: &[],
            authorities: &self.config.attester_authorities,
            keys: &[],
            vouchers: Some(&vouched.devices),
            denied: &basis.criteria.denied,
            components: self.config.measured_components,
            policy,
            now,
        };
        let read = match read {
            Ok(read) => read,
            Err(reason) => return Ok(refused(reason, device)),
        };
        let nonces = sessions.iter().map(read_nonce).collect::<Result<Vec<_>, _>>()?;
        let mut found = Err(Code::ReplayedNonce.into());
        for (session, nonce) in nonces.iter().enumerate() {
            found = read.verify(&beliefs, nonce).map(|attesters| (session, attesters));
            if !matches!(&found, Err(reason) if reason.code == Code::ReplayedNonce) {
                break;
            }
        }
        let (session, attesters) = match found {
            Ok(found) => found,
            Err(reason) => return Ok(refused(reason, device)),
        };
        let identity = attesters.first().map(|attester| (session, attester.identity()));
        let mut own = Vec::new();
        for entry in basis.book.iter() {
            let Ok(verified) = &entry.verified else { continue };
            let is_asked = |attester: &Attester| attester.is_of_class(verified.release.class());
            // What the store says must be what the signed object says.
            if attesters.iter().any(is_asked) && self.holds(entry).await? {
                own.push((verified.clone(), basis.book.standing(entry).against(policy, now)));
            }
        }
        let releases: Vec<OwnRelease<'_>> = own
            .iter()
            .map(|(verified, against)| OwnRelease { release: &verified.release, against: against.as_ref() })
            .collect();
        let beliefs = Beliefs { releases: &releases, ..beliefs };
        let parts = attesters.into_iter().map(|attester| {
            let mut corroborated = corroborate(&attester, &beliefs);
            let comparison = (beside == Beside::Shown && attester.refused.is_none())
                .then(|| compare_attester(&attester, &beliefs, corroborated.appraised.release.as_ref()));
            let class = attester.class();
            let policy = basis.criteria.policy_for_class(policy, class.as_ref());
            if !policy.rules.is_empty() {
                corroborated.appraised = self.with_sandbox(|sandbox| {
                    let source = |digest: &Digest| basis.criteria.source(digest);
                    let appraised = corroborated.appraised.clone();
                    apply_rules_to_attester(appraised, &attester, given, &policy, &source, sandbox)
                });
            }
            JudgedPart { name: attester.name, profile: attester.profile, policy, corroborated, comparison }
        });
        Ok(Judged { parts: parts.collect(), device, identity, revision })
    }
}

fn read_nonce(open: &Open) -> Result<Nonce, Failure> {
    Nonce::new(&open.nonce).ok_or_else(|| Failure::Fault("a nonce has no length".to_owned()))
}

/// What the seal of a stored result is over.
fn sealed(
    session: SessionId,
    nonce: &[u8],
    evidence: &[u8],
    media_type: &str,
    cwt: &[u8],
    expires: i64,
) -> Vec<u8> {
    let mut message = [b"sextant foreign result\0".as_slice(), &session.0, &expires.to_be_bytes()].concat();
    for part in [nonce, evidence, media_type.as_bytes(), cwt] {
        message.extend_from_slice(Digest::of(HashAlgorithm::Sha256, part).as_bytes());
    }
    message
}
