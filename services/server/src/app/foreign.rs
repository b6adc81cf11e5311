//! Evidence of devices that are not enrolled here: of the formats in the field, appraised against accepted manifests.
//! It answers relying parties, and moves no posture.

use std::net::IpAddr;

use api::Session;
use crypto::Digest;
use eat::{MediaType, Nonce, Ueid};
use store::{DeviceId, NewResult, SessionId};
use trust::{
    Attester, Beliefs, Code, Corroborated, ForeignEvidence, OwnRelease, Part, Reason, SUBMOD, Subject,
    attestation_result_of, corroborate, refuse_evidence, unwrap_evidence,
};

use crate::app::{
    App, Failure,
    appraisal::verifier,
    attestation::{Open, complete},
    epoch::heard,
    reasons,
};

/// What was made of evidence: of each part that attests, or of all of it where it is refused as a whole.
struct Judged {
    parts: Vec<(String, Option<String>, Corroborated)>,
    device: Option<DeviceId>,
    /// Which session it answers, and who it is: of evidence that is believed.
    identity: Option<(usize, Digest)>,
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
        let judged = self.judge_foreign(&evidence, media_type, core::slice::from_ref(&open), from).await?;
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
        let judged = self.judge_foreign(&evidence, media_type, &epochs, from).await?;
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
        let nonce = read_nonce(&open)?;

        let nobody = Ueid::new(&[0; Ueid::MIN_LEN]).ok_or_else(|| Failure::Fault("no ueid".to_owned()))?;
        let subject =
            Subject { ueid: nobody, key: None, nonce: judged.identity.as_ref().map(|_| nonce.clone()) };
        let parts: Vec<Part<'_>> = judged
            .parts
            .iter()
            .map(|(name, profile, corroborated)| Part {
                name,
                profile: profile.as_deref(),
                appraised: &corroborated.appraised,
                endorsed: &corroborated.endorsed,
            })
            .collect();
        let policy = &self.config.policy;
        let mut result = attestation_result_of(&parts, &subject, policy, verifier(), now.seconds());
        // No gateway is to take this for a device of its own.
        result.ueid = None;
        if !open.ours {
            result.nonce = Some(nonce);
        }
        let (tier, expires) = (result.tier(), result.expires_at);
        let (cwt, jwt) = self.sign_forms(result, &self.config.result_profile)?;
        let found: Vec<Reason> =
            judged.parts.iter().flat_map(|(.., found)| found.appraised.reasons.clone()).collect();
        let session = complete(&open, media_type, &evidence, &cwt, &jwt);
        self.store
            .record_result(
                NewResult {
                    session: Some(open.id),
                    device: judged.device,
                    received_at: now,
                    nonce: open.nonce,
                    evidence,
                    media_type: Some(media_type.to_owned()),
                    cwt,
                    jwt,
                    issued: now.seconds(),
                    expires: expires.unwrap_or(now.seconds()),
                    tier: tier.name().to_owned(),
                    release: None,
                    reasons: reasons::to_json(&found),
                    authentic: false,
                    policy: policy.encode(),
                    seal: None,
                },
                None,
            )
            .await?;
        Ok(session)
    }

    async fn judge_foreign(
        &self,
        evidence: &[u8],
        media_type: &str,
        sessions: &[Open],
        from: IpAddr,
    ) -> Result<Judged, Failure> {
        let refused = |reason: Reason, device| Judged {
            parts: vec![(
                SUBMOD.to_owned(),
                None,
                Corroborated { appraised: refuse_evidence(reason), endorsed: Vec::new() },
            )],
            device,
            identity: None,
        };
        let media_type =
            MediaType::parse(media_type).map_err(|error| Failure::Malformed(error.to_string()))?;
        let unwrapped = unwrap_evidence(evidence, &media_type);
        let read = unwrapped.as_ref().map_err(Clone::clone);
        let read = read.and_then(|(bytes, inner)| ForeignEvidence::decode(bytes, inner));
        let device = read.as_ref().ok().and_then(ForeignEvidence::instance);
        let device = device.and_then(|instance| DeviceId::new(&instance));
        // What names no device shares one bucket for its address.
        let bucket = device.clone().or_else(|| DeviceId::new(&[0; Ueid::MIN_LEN]));
        if let Some(bucket) = &bucket {
            self.limiter.take(from, bucket, self.now()).map_err(Failure::TooMany)?;
        }
        let (endorsements, basis) = (self.endorsements(), self.basis());
        let now = self.now().seconds();
        let policy = &self.config.policy;
        let beliefs = Beliefs {
            endorsements: &endorsements,
            releases: &[],
            authorities: &self.config.attester_authorities,
            keys: &[],
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
            let corroborated = corroborate(&attester, &beliefs);
            (attester.name, attester.profile, corroborated)
        });
        Ok(Judged { parts: parts.collect(), device, identity })
    }
}

fn read_nonce(open: &Open) -> Result<Nonce, Failure> {
    Nonce::new(&open.nonce).ok_or_else(|| Failure::Fault("a nonce has no length".to_owned()))
}
