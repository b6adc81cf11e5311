use alloc::{string::String, vec::Vec};

use cbor::{Reason, Writer};
use cose::{Purpose, Sign1, Sign1Builder, TrustAnchor, TrustAnchors};
use crypto::{PublicKey, SigningKey};

use crate::{
    Appraisal, AttestationResult, Distrust, Error, Feature, JsonError, MAX_RESULT_LEN, Nonce, Tier, Ueid,
    ear::ACCEPTED_PROFILES,
    ear_cbor, ear_json,
    jws::{self, Jws},
    token::{TAG_CWT, open},
};

/// How far in the future a result may have been made, in seconds: clocks differ.
pub const MAX_CLOCK_SKEW: i64 = 60;

/// A signed attestation result, well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedResult<'b> {
    bytes: &'b [u8],
    form: Form<'b>,
    result: AttestationResult,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form<'b> {
    Cwt(Sign1<'b>),
    Jwt(Jws<'b>),
}

/// An attestation result by a verifier we trust, within its lifetime when it was verified, whose statuses say no more
/// than its vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedResult<'b> {
    bytes: &'b [u8],
    result: AttestationResult,
    verifier: TrustAnchor,
}

impl<'b> SignedResult<'b> {
    /// Decodes either form, told apart by the first byte.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        match bytes.first() {
            // `ey` begins every base64url of `{"`.
            Some(b'e') => Self::decode_jwt(bytes),
            _ => Self::decode_cwt(bytes),
        }
    }

    /// Decodes a CWT: `61(18([…]))` or `18([…])`.
    pub fn decode_cwt(bytes: &'b [u8]) -> Result<Self, Error> {
        let message = open(bytes, MAX_RESULT_LEN)?;
        let result = ear_cbor::decode(message.payload().ok_or(cose::Error::PayloadMissing)?)?;
        Ok(Self { bytes, form: Form::Cwt(message), result })
    }

    /// Decodes a JWT in compact serialization.
    pub fn decode_jwt(bytes: &'b [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_RESULT_LEN {
            return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_RESULT_LEN }).into());
        }
        let text = core::str::from_utf8(bytes);
        let text = text.map_err(|e| JsonError::at(e.valid_up_to(), "text is not UTF-8"))?;
        let message = Jws::decode(text.trim_end())?;
        if message.is_mac() {
            return Err(Feature::JwsHeader.into());
        }
        let result = ear_json::decode(message.payload())?;
        Ok(Self { bytes, form: Form::Jwt(message), result })
    }

    /// The result, which nobody vouches for yet: to show what was received.
    pub fn unverified(&self) -> &AttestationResult {
        &self.result
    }

    /// Verifies as a relying party does: signature by a trusted verifier, known profile, lifetime, the nonce if one
    /// was sent, and every status against its vector. `now` is in seconds since 1970.
    pub fn verify(
        self,
        anchors: &TrustAnchors,
        now: i64,
        expected: Option<&Nonce>,
    ) -> Result<VerifiedResult<'b>, Error> {
        let verifier = match &self.form {
            Form::Cwt(message) => message.verify_with(anchors, Purpose::Result, None, &[])?,
            Form::Jwt(message) => message.verify_with(anchors, Purpose::Result)?,
        };
        let result = self.result;
        if !ACCEPTED_PROFILES.contains(&result.profile.as_str()) {
            return Err(Distrust::Profile.into());
        }
        if result.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Distrust::Expired.into());
        }
        if result.issued_at > now.saturating_add(MAX_CLOCK_SKEW) {
            return Err(Distrust::NotYetValid.into());
        }
        if expected.is_some() && result.nonce.as_ref() != expected {
            return Err(Distrust::Nonce.into());
        }
        if !result.is_consistent() {
            return Err(Distrust::StatusBetterThanVector.into());
        }
        Ok(VerifiedResult { bytes: self.bytes, result, verifier: verifier.clone() })
    }
}

impl<'b> VerifiedResult<'b> {
    /// The result.
    pub fn result(&self) -> &AttestationResult {
        &self.result
    }

    /// The result, without what it came in.
    pub fn into_result(self) -> AttestationResult {
        self.result
    }

    /// The signed result as it was received, for the record and for passing on.
    pub fn as_bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// The verifier that signed it.
    pub fn verifier(&self) -> &TrustAnchor {
        &self.verifier
    }

    /// One appraisal.
    pub fn appraisal(&self, submod: &str) -> Option<&Appraisal> {
        self.result.submods.get(submod)
    }

    /// The tier of the whole; affirming only if every appraisal is and rests on a vector.
    pub fn tier(&self) -> Tier {
        self.result.tier()
    }

    /// When it expires. A result without expiry never becomes stale by itself: its reader must limit its age.
    pub fn expires_at(&self) -> Option<i64> {
        self.result.expires_at
    }

    /// Whether it is about this device and bound to this key, so that no twin can present it. A result that names no
    /// device or no key is bound to none.
    pub fn is_bound_to(&self, ueid: &Ueid, key: &PublicKey) -> bool {
        self.result.ueid.as_ref() == Some(ueid) && self.result.confirmation.as_ref() == Some(key)
    }
}

impl AttestationResult {
    /// Signs the CBOR form.
    pub fn sign_cwt(&self, key: &SigningKey, kid: &[u8]) -> Result<Vec<u8>, Error> {
        self.check().map_err(Error::Unsignable)?;
        let message = Sign1Builder::new().kid(kid).sign(key, &ear_cbor::encode(self));
        Ok(Writer::encode(|w| {
            w.tag(TAG_CWT).raw(&message);
        }))
    }

    /// Signs the JSON form.
    pub fn sign_jwt(&self, key: &SigningKey, kid: &[u8]) -> Result<String, Error> {
        self.check().map_err(Error::Unsignable)?;
        Ok(jws::sign(&ear_json::encode(self)?, key, kid))
    }
}
