//! What evidence of enrolled devices is worth: its key, its signature, its match with a release, and the signed result.

use cose::Key;
use crypto::{Digest, HashAlgorithm, hmac, hmac_verify};
use eat::{AttestationResult, Evidence, Nonce, Tier, Ueid, VerifiedEvidence, VerifierId};
use store::{BeforeAttesting, Device, DeviceId, NewResult, ReleaseId, ResultRecord, Timestamp};
use trust::{
    Appraised, Code, Outcome, Policy, Reason, References, Subject, appraise, attestation_result,
    refuse_evidence,
};

use crate::app::{App, Failure, attestation::Open, criteria::Basis, reasons};

/// What was made of evidence.
pub(super) struct Judged {
    pub(super) appraised: Appraised,
    pub(super) device: Option<Device>,
    claimed: Option<DeviceId>,
    /// Whether the enrolled key signed it.
    pub(super) signed: bool,
    /// The policy that it was judged by.
    policy: Policy,
    /// What lets the evidence be judged again without the key.
    seal: Option<Digest>,
}

impl Judged {
    /// The outcome of a result that would say this in the place of an earlier one.
    pub(super) fn outcome(&self, before: &Outcome) -> Outcome {
        Outcome {
            tier: self.appraised.tier(),
            release: self.appraised.release,
            reasons: self.appraised.reasons.clone(),
            ..before.clone()
        }
    }
}

/// A result that is signed, and what it says.
pub(super) struct Made {
    pub(super) new: NewResult,
    pub(super) outcome: Outcome,
}

impl App {
    /// Judges evidence that answers a session, with what the store knows of it.
    pub(super) async fn judge(
        &self,
        bytes: &[u8],
        open: &Open,
        known: &BeforeAttesting,
        basis: &Basis,
    ) -> Result<Judged, Failure> {
        let refused = |reason: Reason, claimed| Judged {
            appraised: refuse_evidence(reason),
            device: None,
            claimed,
            signed: false,
            policy: self.config.policy.clone(),
            seal: None,
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
        if evidence.nonce().as_bytes() != open.nonce {
            return Ok(refused(Code::ReplayedNonce.into(), claimed));
        }
        match &known.device {
            Some(device) if device.retired_at.is_none() => {
                self.judge_of(bytes, &open.nonce, device, known.twin.as_deref(), basis).await
            }
            _ => Ok(refused(Reason::new(Code::UnknownDevice).with("ueid", &id), claimed)),
        }
    }

    /// Judges evidence with the key of the device it claims to come from.
    pub(super) async fn judge_of(
        &self,
        bytes: &[u8],
        nonce: &[u8],
        device: &Device,
        twin: Option<&str>,
        basis: &Basis,
    ) -> Result<Judged, Failure> {
        let claimed = Some(device.id.clone());
        let key = device_key(device)?;
        let nonce = read_nonce(nonce)?;
        let verified = Evidence::decode(bytes).and_then(|evidence| evidence.verify(key.public(), &nonce));
        let Ok(evidence) = verified else {
            return Ok(Judged {
                appraised: refuse_evidence(Code::BadEvidenceSignature.into()),
                device: Some(device.clone()),
                claimed,
                signed: false,
                policy: self.config.policy.clone(),
                seal: None,
            });
        };
        // The thumbprint is of the key that was just used. Where the column beside it is another one, who has this key is
        // asked again.
        let thumbprint = key.thumbprint(HashAlgorithm::Sha256);
        let mut twin = twin.map(str::to_owned);
        if device.thumbprint != thumbprint.as_bytes() {
            let twins = self.store.devices_with_key(thumbprint.as_bytes()).await?;
            twin = twins.into_iter().find(|twin| twin.id != device.id).map(|twin| twin.name);
        }
        let (appraised, policy) = self.appraise(&evidence, device, twin.as_deref(), basis).await?;
        let seal = Some(evidence.seal(&self.secret, &[&device.key]));
        Ok(Judged { appraised, device: Some(device.clone()), claimed, signed: true, policy, seal })
    }

    /// Judges stored evidence of a device again, and gives what its result said. Both are believed by the seal that covers
    /// the row, or else by their signatures.
    pub(super) async fn judge_again(
        &self,
        device: &Device,
        record: &ResultRecord,
        twin: Option<&str>,
        basis: &Basis,
    ) -> Result<(Judged, Outcome), Failure> {
        let Some(evidence) = self.reopen(device, record) else {
            let judged = self.judge_of(&record.evidence, &record.nonce, device, twin, basis).await?;
            return Ok((judged, self.read_outcome(record)));
        };
        let (appraised, policy) = self.appraise(&evidence, device, twin, basis).await?;
        let (claimed, seal) = (Some(device.id.clone()), Some(evidence.seal(&self.secret, &[&device.key])));
        let judged = Judged { appraised, device: Some(device.clone()), claimed, signed: true, policy, seal };
        Ok((judged, sealed_outcome(record)))
    }

    /// Holds verified evidence against releases, denied digests and rules.
    async fn appraise(
        &self,
        evidence: &VerifiedEvidence<'_>,
        device: &Device,
        twin: Option<&str>,
        basis: &Basis,
    ) -> Result<(Appraised, Policy), Failure> {
        let (vendor, class) = (&evidence.claims().vendor, &evidence.claims().class);
        let policy = basis.criteria.policy(&self.config.policy, vendor, class);
        if let Some(twin) = twin {
            let reason = Reason::new(Code::SameKeyTwice).with("a", &device.name).with("b", twin);
            return Ok((refuse_evidence(reason), policy));
        }
        let judge = |references: &References<'_>| appraise(evidence, references, &self.config.policy);
        let appraised = self.by_what_counts(basis, class, judge, |appraised| appraised.release).await?;
        Ok((self.apply_rules(appraised, evidence, &policy, basis), policy))
    }

    /// Judges by the releases that count. One whose rows in the store are not what its signed object says counts for
    /// nothing: where it is what was found, it is judged again without it.
    pub(super) async fn by_what_counts<T>(
        &self,
        basis: &Basis,
        class: &[u8],
        judge: impl Fn(&References<'_>) -> T,
        release: impl Fn(&T) -> Option<Digest>,
    ) -> Result<T, Failure> {
        let mut tampered = basis.book.tampered(class).cloned();
        let mut without = Vec::new();
        loop {
            let found = judge(&References {
                releases: basis.book.releases(),
                without: &without,
                denied: &basis.criteria.denied,
                tampered: tampered.as_ref(),
            });
            let digest = release(&found);
            let entry = digest.and_then(|release| basis.book.get(&ReleaseId::new(release)));
            // Only what is stored beside the release that would count needs to be looked at.
            let Some(entry) = entry else { return Ok(found) };
            if self.holds(entry).await? {
                return Ok(found);
            }
            without.extend(digest);
            tampered = Some(
                Reason::new(Code::ReferenceTampered)
                    .with("release", entry.record.id)
                    .with("version", &entry.record.version),
            );
        }
    }

    /// Puts what was made of evidence into a signed result.
    pub(super) fn make_result(
        &self,
        judged: &Judged,
        open: &Open,
        evidence: Vec<u8>,
        now: Timestamp,
        expires: i64,
    ) -> Result<Made, Failure> {
        let authentic = judged.signed && open.ours;
        let key = match &judged.device {
            Some(device) if authentic => Some(device_key(device)?.public().clone()),
            _ => None,
        };
        let claimed = judged.claimed.as_ref().and_then(|id| Ueid::new(id.as_bytes()));
        let nobody = Ueid::new(&[0; Ueid::MIN_LEN]).ok_or_else(|| Failure::Fault("no ueid".to_owned()))?;
        let nonce = Nonce::new(&open.nonce);
        let subject =
            Subject { ueid: claimed.unwrap_or(nobody), key, nonce: nonce.clone().filter(|_| judged.signed) };
        let appraised = &judged.appraised;
        let mut result = attestation_result(appraised, &subject, &judged.policy, verifier(), now.seconds());
        result.expires_at = Some(expires);
        if !authentic {
            // Only what the enrolled key answered to our own nonce says something of that device.
            result.ueid = None;
        }
        if !open.ours {
            result.nonce = nonce;
        }
        let tier = result.tier();
        let (cwt, jwt) = self.sign_forms(result, eat::RESULT_PROFILE)?;
        let outcome = Outcome {
            object: Digest::of(HashAlgorithm::Sha256, &cwt),
            tier,
            release: appraised.release,
            reasons: appraised.reasons.clone(),
            issued: now.seconds(),
            expires,
        };
        let reasons = reasons::to_json(&appraised.reasons);
        let release = appraised.release.map(ReleaseId::new);
        let seal = judged.seal.filter(|_| authentic).map(|seal| {
            let row = row_message(seal.as_bytes(), &cwt, now.seconds(), expires, release, &reasons);
            [seal.as_bytes(), hmac(HashAlgorithm::Sha256, &self.secret, &row).as_bytes()].concat()
        });
        let new = NewResult {
            session: Some(open.id),
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
            release,
            reasons,
            authentic,
            policy: judged.policy.encode(),
            seal,
        };
        Ok(Made { new, outcome })
    }

    /// Verifies stored evidence again by its seal, in which its device's key, the signed result and all that is stored of
    /// it are as they were.
    fn reopen<'r>(&self, device: &Device, record: &'r ResultRecord) -> Option<VerifiedEvidence<'r>> {
        let (evidence, row) = record.seal.as_ref()?.split_at_checked(HashAlgorithm::Sha256.len())?;
        let (released, reasons) = (record.release, &record.reasons);
        let message = row_message(evidence, &record.cwt, record.issued, record.expires, released, reasons);
        let nonce = Nonce::new(&record.nonce)?;
        let decoded = Evidence::decode(&record.evidence).ok()?;
        if decoded.ueid().as_bytes() != device.id.as_bytes()
            || !hmac_verify(HashAlgorithm::Sha256, &self.secret, &message, row)
        {
            return None;
        }
        decoded.reopen(evidence, &self.secret, &[&device.key], &nonce).ok()
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
}

/// What results say of who made them.
pub(super) fn verifier() -> VerifierId {
    VerifierId {
        developer: "https://github.com/sextant-iot/sextant".to_owned(),
        build: concat!("sextant ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

/// The enrolled key of a device.
fn device_key(device: &Device) -> Result<Key, Failure> {
    Key::decode(&device.key).map_err(|_| Failure::Fault("a stored key cannot be read".to_owned()))
}

/// What is sealed of a row: every part with its length, so that none can pass for another.
fn row_message(
    evidence: &[u8],
    cwt: &[u8],
    issued: i64,
    expires: i64,
    release: Option<ReleaseId>,
    reasons: &str,
) -> Vec<u8> {
    let mut message = cbor::Writer::new();
    message.array(7).text("urn:sextant:result-seal:1").bytes(evidence);
    message.bytes(Digest::of(HashAlgorithm::Sha256, cwt).as_bytes()).int(issued).int(expires);
    message.bytes(release.as_ref().map(ReleaseId::as_bytes).unwrap_or_default()).text(reasons);
    message.into_bytes()
}

/// What a row says whose seal holds.
fn sealed_outcome(record: &ResultRecord) -> Outcome {
    Outcome {
        object: Digest::of(HashAlgorithm::Sha256, &record.cwt),
        tier: Tier::from_name(&record.tier).unwrap_or(Tier::None),
        release: record.release.map(|release| release.digest()),
        reasons: reasons::to_trust(&record.reasons),
        issued: record.issued,
        expires: record.expires,
    }
}

fn read_nonce(nonce: &[u8]) -> Result<Nonce, Failure> {
    Nonce::new(nonce).ok_or_else(|| Failure::Fault("a nonce has no length".to_owned()))
}
