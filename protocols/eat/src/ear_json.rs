//! Attestation results in JSON.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    Appraisal, AttestationResult, Category, ClaimKey, Cmw, Error, JsonError, MAX_SUBMODS, Nonce, RawEvidence,
    Reason, ResultExtension, Tier, TrustVector, Ueid, VerifierId,
    ear::OLD_PROFILE,
    json::Value,
    jwk,
    members::{base64, bytes, int, length, missing, object, text, texts},
    transcode,
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
const RAW_EVIDENCE: Member = Member { name: "ear_raw_evidence", old_name: "ear.raw-evidence" };

const PROFILE: &str = "eat_profile";
const IAT: &str = "iat";
const EXP: &str = "exp";
const NONCE: &str = "eat_nonce";
const UEID: &str = "ueid";
const CNF: &str = "cnf";
const SUBMODS: &str = "submods";
const DEVELOPER: &str = "developer";
const BUILD: &str = "build";
const ATTESTER_CLAIMS: &str = "ear_attester_claims";
const TOPOLOGY: &str = "ear_device_topology";
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
        raw_evidence: RAW_EVIDENCE.of(&value)?.map(read_raw_evidence).transpose()?,
        topology: value.get(TOPOLOGY).map(read_topology).transpose()?.unwrap_or_default(),
        submods: appraisals.collect::<Result<_, Error>>()?,
    })
}

/// The claims as JSON. A confirmation key without a form in JOSE is refused: the result has a CBOR form as well.
pub(crate) fn encode(result: &AttestationResult) -> Result<String, Error> {
    let no_form = Error::Unsignable("an HSS/LMS key has no form as JWK");
    let confirmation = result.confirmation.as_ref().map(|key| jwk::encode(key).ok_or(no_form)).transpose()?;
    let style = Style::of(result);
    let mut members = Vec::from([
        (PROFILE.into(), Value::text(&*result.profile)),
        (IAT.into(), Value::int(result.issued_at)),
    ]);
    let mut push = |name: &str, value: Option<Value>| members.extend(value.map(|value| (name.into(), value)));
    push(EXP, result.expires_at.map(Value::int));
    push(
        style.name(&VERIFIER_ID),
        Some(object([
            (DEVELOPER, Value::text(&*result.verifier_id.developer)),
            (BUILD, Value::text(&*result.verifier_id.build)),
        ])),
    );
    push(NONCE, result.nonce.as_ref().map(|nonce| base64(nonce.as_bytes())));
    push(UEID, result.ueid.as_ref().map(|ueid| base64(ueid.as_bytes())));
    push(CNF, confirmation.map(|key| object([(jwk::METHOD, key)])));
    push(style.name(&STATUS), result.status.map(|status| Value::text(status.name())));
    push(style.name(&RAW_EVIDENCE), result.raw_evidence.as_ref().map(write_raw_evidence).transpose()?);
    let parts = |parts: &Vec<String>| Value::Array(parts.iter().map(|part| Value::text(&**part)).collect());
    let topology = result.topology.iter().map(|(name, below)| (name.clone(), parts(below)));
    push(TOPOLOGY, (!result.topology.is_empty()).then(|| Value::Object(topology.collect())));
    let submods =
        result.submods.iter().map(|(name, appraisal)| Ok((name.clone(), write_appraisal(appraisal, style)?)));
    push(SUBMODS, Some(Value::Object(submods.collect::<Result<_, Error>>()?)));
    let mut out = String::new();
    Value::Object(members).write(&mut out);
    Ok(out)
}

fn read_appraisal(value: &Value) -> Result<Appraisal, Error> {
    let (mut release, mut reasons) = (None, Vec::new());
    let mut verifier_claims = Vec::new();
    if let Some(claims) = value.get(VERIFIER_CLAIMS) {
        release = bytes(claims, RELEASE)?;
        reasons = claims.get(REASONS).map(read_reasons).transpose()?.unwrap_or_default();
        verifier_claims = read_claims(claims, VERIFIER_CLAIMS)?;
    }
    let mut extensions = BTreeMap::new();
    for extension in ResultExtension::ALL {
        let member = Member { name: extension.name(), old_name: extension.old_name() };
        if let Some(value) = member.of(value)? {
            let encoded = cbor::Writer::encode(|w| transcode::to_cbor(value, w));
            extension.check(&encoded).map_err(|rule| JsonError::member(extension.name(), rule))?;
            extensions.insert(extension, encoded);
        }
    }
    let attester_claims = value.get(ATTESTER_CLAIMS).map(|claims| read_claims(claims, ATTESTER_CLAIMS));
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
        attester_claims: attester_claims.transpose()?.unwrap_or_default(),
        verifier_claims,
        extensions,
        release,
        reasons,
    })
}

fn write_appraisal(appraisal: &Appraisal, style: Style) -> Result<Value, Error> {
    let status = String::from(style.name(&STATUS));
    let mut members = Vec::from([(status, Value::text(appraisal.status.name()))]);
    let mut push = |name: &str, value: Option<Value>| members.extend(value.map(|value| (name.into(), value)));
    push(
        style.name(&VECTOR),
        appraisal.vector.map(|vector| {
            Value::Object(
                vector.iter().map(|(c, value)| (c.name().into(), Value::int(value.into()))).collect(),
            )
        }),
    );
    let list = |items: Vec<Value>| (!items.is_empty()).then_some(Value::Array(items));
    let policy_ids = list(appraisal.policy_ids.iter().map(|id| Value::text(&**id)).collect());
    push(
        style.name(&POLICY_IDS),
        match (style, appraisal.policy_ids.as_slice()) {
            (Style::Old, [one]) => Some(Value::text(&**one)),
            _ => policy_ids,
        },
    );
    push(NONCE, appraisal.nonce.as_ref().map(|nonce| base64(nonce.as_bytes())));
    push(PROFILE, appraisal.profile.as_ref().map(|profile| Value::text(&**profile)));
    let release = appraisal.release.as_ref().map(|digest| (String::from(RELEASE), base64(digest)));
    let reasons = list(appraisal.reasons.iter().map(write_reason).collect());
    let mut claims: Vec<_> =
        release.into_iter().chain(reasons.map(|reasons| (String::from(REASONS), reasons))).collect();
    claims.extend(write_claims(&appraisal.verifier_claims)?);
    push(VERIFIER_CLAIMS, (!claims.is_empty()).then_some(Value::Object(claims)));
    let claims = write_claims(&appraisal.attester_claims)?;
    push(ATTESTER_CLAIMS, (!claims.is_empty()).then_some(Value::Object(claims)));
    for (extension, value) in &appraisal.extensions {
        let member = Member { name: extension.name(), old_name: extension.old_name() };
        push(style.name(&member), Some(transcode::bytes_to_json(value)?));
    }
    Ok(Value::Object(members))
}

/// A map of claims that are kept, with at least one; those of this product are read elsewhere.
fn read_claims(value: &Value, name: &'static str) -> Result<Vec<(ClaimKey, Vec<u8>)>, Error> {
    match value.as_object() {
        None => Err(JsonError::member(name, "expected an object").into()),
        Some([]) => Err(JsonError::member(name, "map is empty").into()),
        Some(members) => {
            let others = members.iter().filter(|(name, _)| name != RELEASE && name != REASONS);
            let claim = |(name, value): &(String, Value)| {
                (ClaimKey::Text(name.clone()), cbor::Writer::encode(|w| transcode::to_cbor(value, w)))
            };
            Ok(others.map(claim).collect())
        }
    }
}

fn write_claims(claims: &[(ClaimKey, Vec<u8>)]) -> Result<Vec<(String, Value)>, Error> {
    let claim = |(key, value): &(ClaimKey, Vec<u8>)| match key {
        ClaimKey::Text(name) => Ok((name.clone(), transcode::bytes_to_json(value)?)),
        ClaimKey::Int(_) => Err(Error::Unsignable("a claim has no form in JSON")),
    };
    claims.iter().map(claim).collect()
}

fn read_raw_evidence(value: &Value) -> Result<RawEvidence, Error> {
    if value.as_text().is_some() {
        return Ok(RawEvidence::Bytes(crate::members::bytes_of(value, RAW_EVIDENCE.name)?));
    }
    match Cmw::decode_json(value.to_text().as_bytes())? {
        Cmw::Record(record) => Ok(RawEvidence::Record(record)),
        Cmw::Collection(_) => {
            Err(JsonError::member(RAW_EVIDENCE.name, "raw evidence is a collection").into())
        }
    }
}

fn write_raw_evidence(evidence: &RawEvidence) -> Result<Value, Error> {
    match evidence {
        RawEvidence::Bytes(bytes) => Ok(base64(bytes)),
        RawEvidence::Record(record) => {
            let text = Cmw::Record(record.clone()).encode_json()?;
            Ok(Value::parse(text.as_bytes())?)
        }
    }
}

fn read_topology(value: &Value) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let fail = JsonError::member(TOPOLOGY, "expected lists of one part or more");
    let members = value.as_object().filter(|members| !members.is_empty()).ok_or(fail)?;
    let list = |(name, parts): &(String, Value)| {
        let parts = texts(parts).filter(|parts| !parts.is_empty());
        Ok((name.clone(), parts.ok_or(fail)?))
    };
    members.iter().map(list).collect()
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

/// Which of the two names of a member is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Draft,
    Old,
}

impl Style {
    fn of(result: &AttestationResult) -> Self {
        if result.profile == OLD_PROFILE { Self::Old } else { Self::Draft }
    }

    fn name(self, member: &Member) -> &'static str {
        match self {
            Self::Draft => member.name,
            Self::Old => member.old_name,
        }
    }
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
