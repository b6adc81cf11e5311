//! Sessions: challenges, evidence that answers them, and the results they end in (RFC 9334).

use std::{net::IpAddr, sync::LazyLock};

use api::{Base64Url, Session, SessionStatus};
use base64::{Engine, prelude::BASE64_STANDARD};
use eat::Evidence;
use store::{Challenge, DeviceId, SessionId, Timestamp};
use trust::EVIDENCE_MEDIA_TYPES;

use crate::{
    app::{App, Failure, appraisal::Made, epoch::heard, rfc3339},
    keys,
};

/// Length of a nonce when the client does not say one.
pub(crate) const DEFAULT_NONCE: u8 = 32;

/// A session that waits for evidence.
pub(super) struct Open {
    pub(super) id: SessionId,
    pub(super) nonce: Vec<u8>,
    pub(super) expires: Timestamp,
    /// Whether the nonce is ours. Only then does evidence that answers it prove to be fresh.
    pub(super) ours: bool,
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
        let open = self.open(id).await?;
        self.attest_open(open, None, evidence, from).await
    }

    /// Judges evidence for a session that takes it. Where the device signed it and `signed` is given, that is used up.
    pub(super) async fn attest_open(
        &self,
        open: Open,
        signed: Option<SessionId>,
        evidence: Vec<u8>,
        from: IpAddr,
    ) -> Result<Session, Failure> {
        // Cheap checks first: form and rate; then the store; then signatures.
        let now = self.now();
        let claimed =
            Evidence::decode(&evidence).ok().and_then(|evidence| DeviceId::new(evidence.ueid().as_bytes()));
        if let Some(device) = &claimed {
            self.limiter.take((from, device.clone()), now).map_err(Failure::TooMany)?;
        }
        // What a person does to the device meanwhile must not be lost in a decision made before.
        let _alone = match &claimed {
            Some(device) => Some(self.alone_with(device).await),
            None => None,
        };
        let since = now.plus_seconds(-self.config.policy.violation_window);
        let session = signed.unwrap_or(open.id);
        let known = self.store.before_attesting(session, claimed.as_ref(), since).await?;
        if known.session_used {
            return Err(if signed.is_some() { heard() } else { used() });
        }
        let basis = self.basis();
        let judged = self.judge(&evidence, &open, &known, &basis).await?;
        let open = Open { id: signed.filter(|_| judged.signed).unwrap_or(open.id), ..open };
        let authentic = judged.signed && open.ours;
        let lifetime = self.config.policy.result_lifetime;
        let expires = now.plus_seconds(lifetime).seconds();
        let Made { new, outcome } = self.make_result(&judged, &open, evidence, now, expires)?;
        let decision = match (&judged.device, authentic) {
            (Some(device), true) => {
                let violator = Some(&device.id).filter(|_| known.violated);
                Some(self.decide_with(device, Some(&outcome), violator, now).await?)
            }
            _ => None,
        };
        let mut session = complete(&open, api::EVIDENCE, &new.evidence, &new.cwt, &new.jwt);
        self.store.record_result(new, decision).await?;
        self.nudge.notify_one();
        if let (Some(device), true) = (&judged.device, authentic)
            && self.basis().revision != basis.revision
        {
            // It was judged by what holds no longer, after everybody else was judged again.
            self.judge_later(&device.id);
        }
        if let (Some(device), true) = (&judged.device, authentic) {
            session.device_token = Some(self.device_token(&device.id, now.plus_seconds(lifetime)));
            session.next_attestation = Some(jittered(lifetime.unsigned_abs()));
        }
        Ok(session)
    }

    /// A session that takes evidence.
    pub(super) async fn open_unused(&self, id: SessionId) -> Result<Open, Failure> {
        let open = self.open(id).await?;
        if self.store.session_used(id).await? {
            return Err(used());
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
}

fn used() -> Failure {
    Failure::Conflict("the session took its evidence already".to_owned())
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
