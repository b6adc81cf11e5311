//! Challenges, evidence and results: the verifier of the remote attestation architecture (RFC 9334).

use std::{net::IpAddr, sync::LazyLock};

use api::{Base64Url, Session, SessionStatus};
use base64::{Engine, prelude::BASE64_STANDARD};
use cose::Key;
use crypto::HashAlgorithm;
use eat::{AttestationResult, Evidence, Nonce, Ueid, VerifierId};
use store::{Challenge, Device, DeviceId, NewDecision, NewResult, ReleaseId, SessionId, Timestamp};
use trust::{
    Appraised, Code, EVIDENCE_MEDIA_TYPES, Outcome, Reason, References, Subject, appraise,
    attestation_result, refuse_evidence,
};

use crate::{
    app::{App, Failure, reasons, rfc3339},
    keys,
};

/// Length of a nonce when the client does not say one.
pub(crate) const DEFAULT_NONCE: u8 = 32;

/// A session that waits for evidence.
pub(super) struct Open {
    pub(super) id: SessionId,
    pub(super) nonce: Vec<u8>,
    expires: Timestamp,
    /// Whether the nonce is ours. Only then does evidence that answers it prove to be fresh.
    pub(super) ours: bool,
}

/// What was made of evidence.
struct Judged {
    appraised: Appraised,
    device: Option<Device>,
    claimed: Option<DeviceId>,
    /// Whether the enrolled key signed it.
    signed: bool,
}

impl App {
    /// A session with a nonce of ours.
    pub(crate) fn new_session(&self, nonce_len: u8) -> (SessionId, Session) {
        let sealed = self.challenger.make(nonce_len, self.now());
        (sealed.id, waiting(&sealed.nonce, sealed.expires))
    }

    /// A session with the nonce of another party, who is to judge the freshness of the answer. Results of such a
    /// session name no device and no key, so no gateway takes them, and they move no posture.
    pub(crate) async fn new_foreign_session(&self, nonce: Vec<u8>) -> Result<(SessionId, Session), Failure> {
        let id = SessionId(keys::random());
        let lifetime = i64::try_from(self.config.session_lifetime.as_secs()).unwrap_or(i64::MAX);
        let expires = self.now().plus_seconds(lifetime);
        let session = waiting(&nonce, expires);
        self.store.add_challenge(Challenge { id, nonce, expires }).await?;
        Ok((id, session))
    }

    /// A session as it stands.
    pub(crate) async fn session(&self, id: SessionId) -> Result<Session, Failure> {
        let open = self.open(id).await?;
        if let Some(record) = self.store.result_of_session(id).await? {
            let media_type = record.media_type.as_deref().unwrap_or(api::EVIDENCE);
            return Ok(complete(&open, media_type, &record.evidence, &record.cwt, &record.jwt));
        }
        if self.store.session_used(id).await? {
            return Err(Failure::NotFound);
        }
        Ok(waiting(&open.nonce, open.expires))
    }

    /// Ends a session.
    pub(crate) async fn end_session(&self, id: SessionId) -> Result<(), Failure> {
        self.open(id).await?;
        match self.store.use_session(id, self.now()).await {
            // Ended twice is ended; one with a result keeps it until it ends by itself.
            Ok(()) | Err(store::Error::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Judges evidence. The result is on the disk before it is given.
    pub(crate) async fn attest(
        &self,
        id: SessionId,
        evidence: Vec<u8>,
        from: IpAddr,
    ) -> Result<Session, Failure> {
        // Cheap checks first: seal, state, form, rate; then the store; then signatures.
        let open = self.open_unused(id).await?;
        let now = self.now();
        // What a person does to the device meanwhile must not be lost in a decision made before.
        let claimed =
            Evidence::decode(&evidence).ok().and_then(|evidence| DeviceId::new(evidence.ueid().as_bytes()));
        let _alone = match &claimed {
            Some(device) => Some(self.alone_with(device).await),
            None => None,
        };
        let judged = self.judge(&evidence, &open, from, now).await?;
        let authentic = judged.signed && open.ours;
        let lifetime = self.config.policy.result_lifetime;
        let expires = now.plus_seconds(lifetime).seconds();
        let result = self.make_result(&judged, &open, authentic, now, expires)?;
        let (new, outcome) = self.sign(result, &judged, &open, evidence, authentic, now, expires)?;
        let decision = match (&judged.device, authentic) {
            (Some(device), true) => Some(self.decide_with(device, Some(&outcome), now).await?),
            _ => None,
        };
        let mut session = complete(&open, api::EVIDENCE, &new.evidence, &new.cwt, &new.jwt);
        self.store.record_result(new, decision).await?;
        self.nudge.notify_one();
        if let (Some(device), true) = (&judged.device, authentic) {
            session.device_token = Some(self.device_token(&device.id, now.plus_seconds(lifetime)));
            session.next_attestation = Some(jittered(lifetime.unsigned_abs()));
        }
        Ok(session)
    }

    /// Judges stored evidence of a device again, when what it was compared with changed. Gives whether that made a new
    /// result: it ends when the old one would have, for the evidence is no fresher.
    pub(crate) async fn reappraise(&self, device: &DeviceId) -> Result<bool, Failure> {
        let _alone = self.alone_with(device).await;
        let Some(device) = self.store.device(device).await? else { return Ok(false) };
        let device = &device;
        let now = self.now();
        let Some(record) = (match device.result {
            Some(id) => self.store.result(id).await?,
            None => None,
        }) else {
            return Ok(false);
        };
        if record.expires <= now.seconds() {
            return Ok(false);
        }
        let open = Open {
            id: record.session.unwrap_or(SessionId([0; 16])),
            nonce: record.nonce.clone(),
            expires: now,
            ours: true,
        };
        let judged = self.judge_of(&record.evidence, &open, device.clone()).await?;
        let before = self.read_outcome(&record);
        let same = judged.appraised.release == before.release
            && judged
                .appraised
                .reasons
                .iter()
                .map(|reason| reason.code)
                .eq(before.reasons.iter().map(|reason| reason.code));
        if same {
            return Ok(false);
        }
        let result = self.make_result(&judged, &open, true, now, record.expires)?;
        let (new, outcome) = self.sign(result, &judged, &open, record.evidence, true, now, record.expires)?;
        let decision: NewDecision = self.decide_with(device, Some(&outcome), now).await?;
        let new = NewResult { session: None, replaces: device.result, ..new };
        match self.store.record_result(new, Some(decision)).await {
            Ok(_) => Ok(true),
            // Newer evidence was judged meanwhile, by what holds now.
            Err(store::Error::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A session that takes evidence.
    pub(super) async fn open_unused(&self, id: SessionId) -> Result<Open, Failure> {
        let open = self.open(id).await?;
        if self.store.session_used(id).await? {
            return Err(Failure::Conflict("the session took its evidence already".to_owned()));
        }
        Ok(open)
    }

    async fn open(&self, id: SessionId) -> Result<Open, Failure> {
        let now = self.now();
        if let Some(sealed) = self.challenger.open(id, now) {
            return Ok(Open { id, nonce: sealed.nonce, expires: sealed.expires, ours: true });
        }
        match self.store.challenge(id).await? {
            Some(challenge) if now < challenge.expires => {
                Ok(Open { id, nonce: challenge.nonce, expires: challenge.expires, ours: false })
            }
            _ => Err(Failure::NotFound),
        }
    }

    async fn judge(
        &self,
        bytes: &[u8],
        open: &Open,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Judged, Failure> {
        let refused = |reason: Reason, claimed| Judged {
            appraised: refuse_evidence(reason),
            device: None,
            claimed,
            signed: false,
        };
        let evidence = match Evidence::decode(bytes) {
            Ok(evidence) => evidence,
            Err(error) => {
                return Ok(refused(Reason::new(Code::MalformedEvidence).with("error", error), None));
            }
        };
        let claimed = DeviceId::new(evidence.ueid().as_bytes());
        let Some(id) = claimed.clone() else {
            return Ok(refused(Reason::new(Code::MalformedEvidence), None));
        };
        self.limiter.take(from, &id, now).map_err(Failure::TooMany)?;
        if evidence.nonce().as_bytes() != open.nonce {
            return Ok(refused(Code::ReplayedNonce.into(), claimed));
        }
        match self.store.device(&id).await? {
            Some(device) if device.retired_at.is_none() => self.judge_of(bytes, open, device).await,
            _ => Ok(refused(Reason::new(Code::UnknownDevice).with("ueid", &id), claimed)),
        }
    }

    /// Judges evidence with the key of the device it claims to come from.
    async fn judge_of(&self, bytes: &[u8], open: &Open, device: Device) -> Result<Judged, Failure> {
        let claimed = Some(device.id.clone());
        let forged = |reason: Reason, device| Judged {
            appraised: refuse_evidence(reason),
            device: Some(device),
            claimed: claimed.clone(),
            signed: false,
        };
        let key =
            Key::decode(&device.key).map_err(|_| Failure::Fault("a stored key cannot be read".to_owned()))?;
        let nonce =
            Nonce::new(&open.nonce).ok_or_else(|| Failure::Fault("a nonce has no length".to_owned()))?;
        let verified = Evidence::decode(bytes).and_then(|evidence| evidence.verify(key.public(), &nonce));
        let Ok(evidence) = verified else {
            return Ok(forged(Code::BadEvidenceSignature.into(), device));
        };
        // The thumbprint is of the key that was just used, not of a column beside it.
        let thumbprint = key.thumbprint(HashAlgorithm::Sha256);
        let twins = self.store.devices_with_key(thumbprint.as_bytes()).await?;
        let appraised = match twins.iter().find(|twin| twin.id != device.id) {
            Some(twin) => {
                refuse_evidence(Reason::new(Code::SameKeyTwice).with("a", &device.name).with("b", &twin.name))
            }
            None => self.appraise(&evidence).await?,
        };
        Ok(Judged { appraised, device: Some(device), claimed, signed: true })
    }

    async fn appraise(&self, evidence: &eat::VerifiedEvidence<'_>) -> Result<Appraised, Failure> {
        let book = self.book();
        let (vendor, class) = (&evidence.claims().vendor, &evidence.claims().class);
        let mut usable = Vec::new();
        let mut tampered = None;
        for entry in book.iter() {
            match &entry.verified {
                Ok(verified) if verified.release.is_for(vendor, class) => {
                    if self.holds(entry).await? {
                        usable.push(&verified.release);
                    } else {
                        tampered = Some(
                            Reason::new(Code::ReferenceTampered)
                                .with("release", entry.record.id)
                                .with("version", &entry.record.version),
                        );
                        // The reconciler finds out the same, says so, and judges other devices again.
                        self.nudge.notify_one();
                    }
                }
                Ok(_) => {}
                Err(reason) if entry.record.class.as_deref() == Some(class.as_slice()) => {
                    tampered = Some(reason.clone()).filter(|reason| reason.code == Code::ReferenceTampered);
                }
                Err(_) => {}
            }
        }
        let references = References { releases: &usable, denied: &[], tampered: tampered.as_ref() };
        Ok(appraise(evidence, &references, &self.config.policy))
    }

    fn make_result(
        &self,
        judged: &Judged,
        open: &Open,
        authentic: bool,
        now: Timestamp,
        expires: i64,
    ) -> Result<AttestationResult, Failure> {
        let key = match &judged.device {
            Some(device) if authentic => {
                let key = Key::decode(&device.key);
                Some(
                    key.map_err(|_| Failure::Fault("a stored key cannot be read".to_owned()))?
                        .public()
                        .clone(),
                )
            }
            _ => None,
        };
        let claimed = judged.claimed.as_ref().and_then(|id| Ueid::new(id.as_bytes()));
        let nobody = Ueid::new(&[0; Ueid::MIN_LEN]).ok_or_else(|| Failure::Fault("no ueid".to_owned()))?;
        let nonce = Nonce::new(&open.nonce);
        let subject =
            Subject { ueid: claimed.unwrap_or(nobody), key, nonce: nonce.clone().filter(|_| judged.signed) };
        let mut result =
            attestation_result(&judged.appraised, &subject, &self.config.policy, verifier(), now.seconds());
        result.expires_at = Some(expires);
        if !authentic {
            // Only what the enrolled key answered to our own nonce says something of that device.
            result.ueid = None;
        }
        if !open.ours {
            result.nonce = nonce;
        }
        Ok(result)
    }

    /// A result as CWT, and as JWT of a profile.
    pub(super) fn sign_forms(
        &self,
        mut result: AttestationResult,
        json_profile: &str,
    ) -> Result<(Vec<u8>, String), Failure> {
        let unsigned = |error: eat::Error| Failure::Fault(format!("a result cannot be signed: {error}"));
        let (key, kid) = (&self.result_key.signing, self.result_key.kid.as_slice());
        let cwt = result.sign_cwt(key, kid).map_err(unsigned)?;
        json_profile.clone_into(&mut result.profile);
        let jwt = result.sign_jwt(key, kid).map_err(unsigned)?;
        Ok((cwt, jwt))
    }

    #[expect(clippy::too_many_arguments, reason = "one row of the store, of which each is a column")]
    fn sign(
        &self,
        result: AttestationResult,
        judged: &Judged,
        open: &Open,
        evidence: Vec<u8>,
        authentic: bool,
        now: Timestamp,
        expires: i64,
    ) -> Result<(NewResult, Outcome), Failure> {
        let tier = result.tier();
        let (cwt, jwt) = self.sign_forms(result, eat::RESULT_PROFILE)?;
        let appraised = &judged.appraised;
        let outcome = Outcome {
            object: crypto::Digest::of(HashAlgorithm::Sha256, &cwt),
            tier,
            release: appraised.release,
            reasons: appraised.reasons.clone(),
            issued: now.seconds(),
            expires,
        };
        let new = NewResult {
            session: Some(open.id),
            replaces: None,
            device: judged.claimed.clone(),
            received_at: now,
            nonce: open.nonce.clone(),
            evidence,
            media_type: None,
            cwt,
            jwt,
            issued: now.seconds(),
            expires,
            tier: tier.name().to_owned(),
            release: appraised.release.map(ReleaseId::new),
            reasons: reasons::to_json(&appraised.reasons),
            authentic,
        };
        Ok((new, outcome))
    }
}

fn waiting(nonce: &[u8], expires: Timestamp) -> Session {
    Session {
        status: SessionStatus::Waiting,
        nonce: Base64Url(nonce.to_vec()),
        expiry: rfc3339(expires),
        accept: accepted(),
        evidence: None,
        result: None,
        sextant_result: None,
        device_token: None,
        next_attestation: None,
    }
}

/// The media types of evidence that are read: that of enrolled devices, and those of others.
pub(crate) static ACCEPTED: LazyLock<Vec<&str>> =
    LazyLock::new(|| [api::EVIDENCE].into_iter().chain(EVIDENCE_MEDIA_TYPES).collect());

/// The same, as they are written in answers.
pub(crate) fn accepted() -> Vec<String> {
    ACCEPTED.iter().map(ToString::to_string).collect()
}

/// What results say of who made them.
pub(super) fn verifier() -> VerifierId {
    VerifierId {
        developer: "https://github.com/sextant-iot/sextant".to_owned(),
        build: concat!("sextant ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

pub(super) fn complete(open: &Open, media_type: &str, evidence: &[u8], cwt: &[u8], jwt: &str) -> Session {
    let evidence =
        api::Evidence { media_type: media_type.to_owned(), value: BASE64_STANDARD.encode(evidence) };
    Session {
        status: SessionStatus::Complete,
        evidence: Some(evidence),
        result: Some(jwt.to_owned()),
        sextant_result: Some(Base64Url(cwt.to_vec())),
        ..waiting(&open.nonce, open.expires)
    }
}

/// When to attest again: well before the result ends, and not all devices at once.
fn jittered(lifetime: u64) -> u64 {
    let [random] = keys::random::<1>();
    // Between 50 % and 70 % of the lifetime.
    let share = 500 + u64::from(random) * 200 / 255;
    (lifetime.saturating_mul(share) / 1000).max(1)
}
