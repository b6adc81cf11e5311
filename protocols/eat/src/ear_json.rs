//! Attestation results in JSON.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    Appraisal, AttestationResult, Category, Error, JsonError, MAX_SUBMODS, Nonce, Reason, Tier, TrustVector,
    Ueid, VerifierId,
    json::Value,
    jwk,
    members::{base64, bytes, int, length, missing, object, text, texts},
};

/// A member, and the name deployed verifiers still give it.
struct Member {
    name: &'static str,
    old_name: &'static str,
}

const STATUS: Member = Member { name: "ear_status", old_name: "ear.status" };
const VECTOR: Member = Member { name: "ear_trustworthiness_vector", old_name: "ear.trustworthiness-vector" };
const POLICY_IDS: Member = Member { name: "ear_appraisal_policy_ids", old_name: "ear.appraisal-policy-id" };
const VERIFIER_ID: Member = Member { name: "ear_verifier_id", old_name: "ear.verifier-id" };

const PROFILE: &str = "eat_profile";
const IAT: &str = "iat";
const EXP: &str = "exp";
const NONCE: &str = "eat_nonce";
const UEID: &str = "ueid";
const CNF: &str = "cnf";
const SUBMODS: &str = "submods";
const DEVELOPER: &str = "developer";
const BUILD: &str = "build";
const VERIFIER_CLAIMS: &str = "ear_verifier_claims";
const RELEASE: &str = "sextant.release";
const REASONS: &str = "sextant.reasons";

pub(crate) fn decode(payload: &[u8]) -> Result<AttestationResult, Error> {
    let value = Value::parse(payload)?;
    if value.as_object().is_none() {
        return Err(JsonError::at(0, "expected an object").into());
    }
    let submods = value.get(SUBMODS).and_then(Value::as_object);
    let submods = submods.ok_or(JsonError::member(SUBMODS, "expected an object"))?;
    if !(1..=MAX_SUBMODS).contains(&submods.len()) {
        return Err(JsonError::member(SUBMODS, "expected 1 to 64 appraisals").into());
    }
    let appraisals = submods.iter().map(|(name, value)| Ok((name.clone(), read_appraisal(value)?)));
    Ok(AttestationResult {
        profile: text(&value, PROFILE)?.ok_or(missing(PROFILE))?,
        issued_at: int(&value, IAT)?.ok_or(missing(IAT))?,
        expires_at: int(&value, EXP)?,
        verifier_id: read_verifier_id(VERIFIER_ID.of(&value)?.ok_or(missing(VERIFIER_ID.name))?)?,
        nonce: read_nonce(&value)?,
        ueid: bytes(&value, UEID)?.map(|ueid| Ueid::new(&ueid).ok_or(length(UEID))).transpose()?,
        confirmation: value.get(CNF).map(jwk::read_confirmation).transpose()?,
        status: read_tier(&value)?,
        submods: appraisals.collect::<Result<_, Error>>()?,
    })
}

/// The claims as JSON. A confirmation key without a form in JOSE is refused: the result has a CBOR form as well.
pub(crate) fn encode(result: &AttestationResult) -> Result<String, Error> {
    let no_form = Error::Unsignable("an HSS/LMS key has no form as JWK");
    let confirmation = result.confirmation.as_ref().map(|key| jwk::encode(key).ok_or(no_form)).transpose()?;
    let mut members = Vec::from([
        (PROFILE.into(), Value::text(&*result.profile)),
        (IAT.into(), Value::int(result.issued_at)),
    ]);
    let mut push = |name: &str, value: Option<Value>| members.extend(value.map(|value| (name.into(), value)));
    push(EXP, result.expires_at.map(Value::int));
    push(
        VERIFIER_ID.name,
        Some(object([
            (DEVELOPER, Value::text(&*result.verifier_id.developer)),
            (BUILD, Value::text(&*result.verifier_id.build)),
        ])),
    );
    push(NONCE, result.nonce.as_ref().map(|nonce| base64(nonce.as_bytes())));
    push(UEID, result.ueid.as_ref().map(|ueid| base64(ueid.as_bytes())));
    push(CNF, confirmation.map(|key| object([(jwk::METHOD, key)])));
    push(STATUS.name, result.status.map(|status| Value::text(status.name())));
    let submods = result.submods.iter().map(|(name, appraisal)| (name.clone(), write_appraisal(appraisal)));
    push(SUBMODS, Some(Value::Object(submods.collect())));
    let mut out = String::new();
    Value::Object(members).write(&mut out);
    Ok(out)
}

fn read_appraisal(value: &Value) -> Result<Appraisal, Error> {
    let (mut release, mut reasons) = (None, Vec::new());
    if let Some(claims) = value.get(VERIFIER_CLAIMS) {
        release = bytes(claims, RELEASE)?;
        reasons = claims.get(REASONS).map(read_reasons).transpose()?.unwrap_or_default();
    }
    let policy_ids = match POLICY_IDS.of(value)? {
        None => Vec::new(),
        Some(Value::Text(id)) => Vec::from([id.clone()]),
        Some(ids) => texts(ids).ok_or(JsonError::member(POLICY_IDS.name, "expected texts"))?,
    };
    Ok(Appraisal {
        status: read_tier(value)?.ok_or(missing(STATUS.name))?,
        vector: VECTOR.of(value)?.map(read_vector).transpose()?,
        policy_ids,
        nonce: read_nonce(value)?,
        profile: text(value, PROFILE)?,
        release,
        reasons,
    })
}

fn write_appraisal(appraisal: &Appraisal) -> Value {
    let mut members = Vec::from([(String::from(STATUS.name), Value::text(appraisal.status.name()))]);
    let mut push = |name: &str, value: Option<Value>| members.extend(value.map(|value| (name.into(), value)));
    push(
        VECTOR.name,
        appraisal.vector.map(|vector| {
            Value::Object(
                vector.iter().map(|(c, value)| (c.name().into(), Value::int(value.into()))).collect(),
            )
        }),
    );
    let list = |items: Vec<Value>| (!items.is_empty()).then_some(Value::Array(items));
    push(POLICY_IDS.name, list(appraisal.policy_ids.iter().map(|id| Value::text(&**id)).collect()));
    push(NONCE, appraisal.nonce.as_ref().map(|nonce| base64(nonce.as_bytes())));
    push(PROFILE, appraisal.profile.as_ref().map(|profile| Value::text(&**profile)));
    let release = appraisal.release.as_ref().map(|digest| (String::from(RELEASE), base64(digest)));
    let reasons = list(appraisal.reasons.iter().map(write_reason).collect());
    let claims: Vec<_> =
        release.into_iter().chain(reasons.map(|reasons| (String::from(REASONS), reasons))).collect();
    push(VERIFIER_CLAIMS, (!claims.is_empty()).then_some(Value::Object(claims)));
    Value::Object(members)
}

fn read_reasons(value: &Value) -> Result<Vec<Reason>, Error> {
    let fail = JsonError::member(REASONS, "expected pairs of a code and its details");
    let read = |reason: &Value| {
        let [code, details] = reason.as_array()? else { return None };
        let details =
            details.as_object()?.iter().map(|(name, value)| Some((name.clone(), value.as_text()?.into())));
        Some(Reason { code: code.as_text()?.into(), details: details.collect::<Option<BTreeMap<_, _>>>()? })
    };
    Ok(value.as_array().ok_or(fail)?.iter().map(read).collect::<Option<_>>().ok_or(fail)?)
}

fn write_reason(reason: &Reason) -> Value {
    let details = reason.details.iter().map(|(name, value)| (name.clone(), Value::text(&**value)));
    Value::Array(Vec::from([Value::text(&*reason.code), Value::Object(details.collect())]))
}

fn read_verifier_id(value: &Value) -> Result<VerifierId, Error> {
    let developer = text(value, DEVELOPER)?.ok_or(missing(DEVELOPER))?;
    Ok(VerifierId { developer, build: text(value, BUILD)?.ok_or(missing(BUILD))? })
}

fn read_tier(value: &Value) -> Result<Option<Tier>, Error> {
    let Some(status) = STATUS.of(value)? else { return Ok(None) };
    let tier = status.as_text().and_then(Tier::from_name);
    Ok(Some(tier.ok_or(JsonError::member(STATUS.name, "status is not a trust tier"))?))
}

fn read_vector(value: &Value) -> Result<TrustVector, Error> {
    let fail = |rule| JsonError::member(VECTOR.name, rule);
    let claims = value.as_object().ok_or(fail("expected an object"))?;
    if claims.is_empty() {
        return Err(fail("trust vector is empty").into());
    }
    let mut vector = TrustVector::new();
    for (name, value) in claims {
        let category = Category::ALL.into_iter().find(|category| category.name() == name);
        let value = value.as_int().and_then(|value| i8::try_from(value).ok());
        let value = value.ok_or(fail("claim is not an integer from -128 to 127"))?;
        vector.set(category.ok_or(fail("category is not known"))?, value);
    }
    Ok(vector)
}

fn read_nonce(value: &Value) -> Result<Option<Nonce>, Error> {
    Ok(bytes(value, NONCE)?.map(|nonce| Nonce::new(&nonce).ok_or(length(NONCE))).transpose()?)
}

impl Member {
    /// The member under either of its names, and not under both.
    fn of<'v>(&self, value: &'v Value) -> Result<Option<&'v Value>, Error> {
        match (value.get(self.name), value.get(self.old_name)) {
            (Some(_), Some(_)) => Err(JsonError::member(self.name, "member occurs under two names").into()),
            (new, old) => Ok(new.or(old)),
        }
    }
}
