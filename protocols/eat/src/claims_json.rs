//! Claims-sets in JSON (RFC 9711, section 7.2): names for labels, base64url for bytes.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    ClaimKey, Claims, Content, ContentBody, DebugStatus, Dloa, Error, IndividualResult, JsonError, Location,
    MeasurementResult, MeasurementResults, Nonce, OemId, Profile, ResultId, Submodule, Ueid, VersionScheme,
    VersionText, base64url,
    claims::{Rounding, whole_seconds},
    json::Value,
    jwk, labels,
    location::Number,
    media_type,
    members::{self, base64, bytes_of, length},
    oid, transcode,
    values::MAX_ENTRIES,
};

/// Names of the uses that have a number (RFC 9711, section 4.3.3), from 1 on.
const USES: [&str; 5] = ["generic", "registration", "provisioning", "csr", "pop"];

impl Claims {
    /// The JSON form. Claims without one are refused: a JSON text holds no number that is none, and no map with keys
    /// other than texts.
    pub fn encode_json(&self) -> Result<String, Error> {
        Ok(write(self)?.to_text())
    }

    pub(crate) fn decode_json(bytes: &[u8]) -> Result<Self, Error> {
        read(&Value::parse(bytes)?)
    }
}

pub(crate) fn read(value: &Value) -> Result<Claims, Error> {
    let object = value.as_object().ok_or(JsonError::at(0, "expected an object"))?;
    let mut others = Vec::new();
    for (name, value) in object {
        // `cti` is a claim of CBOR tokens only.
        if !labels::NAMES.contains(&name.as_str()) || name == "cti" {
            let value = cbor::Writer::encode(|w| transcode::to_cbor(value, w));
            others.push((ClaimKey::Text(name.clone()), value));
        }
    }
    let claims = Claims {
        issuer: members::text(value, "iss")?,
        subject: members::text(value, "sub")?,
        audience: read_audience(value)?,
        expires_at: time(value, "exp", Rounding::Down)?,
        not_before: time(value, "nbf", Rounding::Up)?,
        issued_at: members::int(value, "iat")?,
        token_id: members::text(value, "jti")?.map(String::into_bytes),
        confirmation: value.get("cnf").map(jwk::read_confirmation).transpose()?,
        nonces: read_nonces(value)?,
        ueid: members::bytes(value, "ueid")?.map(|id| Ueid::new(&id).ok_or(length("ueid"))).transpose()?,
        sueids: read_map(value, "sueids", |id| {
            Ok(Ueid::new(&bytes_of(id, "sueids")?).ok_or(length("sueids"))?)
        })?,
        oemid: value.get("oemid").map(read_oemid).transpose()?,
        hwmodel: match members::bytes(value, "hwmodel")? {
            Some(model) if !(1..=32).contains(&model.len()) => return Err(length("hwmodel").into()),
            model => model,
        },
        hwversion: value.get("hwversion").map(|v| read_version(v, "hwversion")).transpose()?,
        uptime: members::uint(value, "uptime")?,
        oemboot: members::bool(value, "oemboot")?,
        dbgstat: match members::text(value, "dbgstat")? {
            None => None,
            Some(name) => {
                let status = DebugStatus::ALL.into_iter().find(|status| status.name() == name);
                Some(status.ok_or(JsonError::member("dbgstat", "debug status is not known"))?)
            }
        },
        location: value.get("location").map(Location::from_json).transpose()?,
        profile: members::text(value, "eat_profile")?.map(|text| match oid::from_dotted(&text) {
            Some(oid) => Profile::Oid(oid),
            None => Profile::Uri(text),
        }),
        submods: read_map(value, "submods", Submodule::from_json)?,
        bootcount: members::uint(value, "bootcount")?,
        bootseed: members::bytes(value, "bootseed")?,
        dloas: read_list(value, "dloas", read_dloa)?,
        swname: members::text(value, "swname")?,
        swversion: value.get("swversion").map(|v| read_version(v, "swversion")).transpose()?,
        manifests: read_list(value, "manifests", |item| read_content(item, "manifests"))?,
        measurements: read_list(value, "measurements", |item| read_content(item, "measurements"))?,
        measres: read_list(value, "measres", read_results)?,
        intuse: value.get("intuse").map(read_use).transpose()?,
        others,
    };
    claims.check().map_err(|rule| JsonError::at(0, rule))?;
    Ok(claims)
}

pub(crate) fn write(claims: &Claims) -> Result<Value, Error> {
    let no_form = Error::Unsignable("a claim has no form in JSON");
    let mut out: Vec<(String, Value)> = Vec::new();
    let mut push = |name: &str, value: Option<Value>| out.extend(value.map(|value| (name.into(), value)));
    let text = |text: &String| Value::text(text.as_str());
    push("iss", claims.issuer.as_ref().map(text));
    push("sub", claims.subject.as_ref().map(text));
    push("aud", one_or_more(claims.audience.iter().map(text).collect()));
    push("exp", claims.expires_at.map(Value::int));
    push("nbf", claims.not_before.map(Value::int));
    push("iat", claims.issued_at.map(Value::int));
    // In JSON a token identifier is a text; where its bytes are none, base64url of them.
    push(
        "jti",
        claims.token_id.as_ref().map(|id| match core::str::from_utf8(id) {
            Ok(text) => Value::text(text),
            Err(_) => base64(id),
        }),
    );
    let key = claims.confirmation.as_ref().map(|key| jwk::encode(key).ok_or(no_form)).transpose()?;
    push("cnf", key.map(|key| members::object([(jwk::METHOD, key)])));
    push("eat_nonce", one_or_more(claims.nonces.iter().map(|nonce| base64(nonce.as_bytes())).collect()));
    push("ueid", claims.ueid.as_ref().map(|ueid| base64(ueid.as_bytes())));
    push("sueids", write_map(&claims.sueids, |ueid| Ok(base64(ueid.as_bytes())))?);
    push(
        "oemid",
        claims.oemid.as_ref().map(|id| match id {
            OemId::Pen(pen) => Value::uint(*pen),
            OemId::Ieee(bytes) => base64(bytes),
            OemId::Random(bytes) => base64(bytes),
        }),
    );
    push("hwmodel", claims.hwmodel.as_deref().map(base64));
    push("hwversion", claims.hwversion.as_ref().map(write_version));
    push("uptime", claims.uptime.map(Value::uint));
    push("oemboot", claims.oemboot.map(Value::Bool));
    push("dbgstat", claims.dbgstat.map(|status| Value::text(status.name())));
    push("location", claims.location.map(|location| location.to_json().ok_or(no_form)).transpose()?);
    let profile = claims.profile.as_ref().map(|profile| match profile {
        Profile::Uri(uri) => Some(Value::text(uri.as_str())),
        Profile::Oid(oid) => oid::to_dotted(oid).map(Value::Text),
    });
    push("eat_profile", profile.map(|profile| profile.ok_or(no_form)).transpose()?);
    push("submods", write_map(&claims.submods, Submodule::to_json)?);
    push("bootcount", claims.bootcount.map(Value::uint));
    push("bootseed", claims.bootseed.as_deref().map(base64));
    push("dloas", list(claims.dloas.iter().map(write_dloa).collect()));
    push("swname", claims.swname.as_ref().map(text));
    push("swversion", claims.swversion.as_ref().map(write_version));
    push("manifests", list(claims.manifests.iter().map(write_content).collect()));
    push("measurements", list(claims.measurements.iter().map(write_content).collect()));
    push("measres", list(claims.measres.iter().map(write_results).collect()));
    push(
        "intuse",
        claims.intuse.map(|number| match usize::from(number).checked_sub(1).and_then(|n| USES.get(n)) {
            Some(name) => Value::text(*name),
            None => Value::uint(number.into()),
        }),
    );
    for (key, value) in &claims.others {
        let ClaimKey::Text(name) = key else { return Err(no_form) };
        out.push((name.clone(), transcode::bytes_to_json(value)?));
    }
    Ok(Value::Object(out))
}

fn read_audience(value: &Value) -> Result<Vec<String>, Error> {
    match value.get("aud") {
        Some(list @ Value::Array(_)) => {
            Ok(members::texts(list).ok_or(JsonError::member("aud", "expected texts"))?)
        }
        _ => Ok(members::text(value, "aud")?.into_iter().collect()),
    }
}

fn time(value: &Value, name: &'static str, rounding: Rounding) -> Result<Option<i64>, JsonError> {
    let Some(member) = value.get(name) else { return Ok(None) };
    let time = match Number::from_json(member) {
        Some(Number::Int(time)) => Some(time),
        Some(number) => whole_seconds(number.as_f64(), rounding),
        None => None,
    };
    Ok(Some(time.ok_or(JsonError::member(name, "expected a time"))?))
}

fn read_nonces(value: &Value) -> Result<Vec<Nonce>, Error> {
    const NAME: &str = "eat_nonce";
    let nonce = |value: &Value| -> Result<Nonce, JsonError> {
        Nonce::new(&bytes_of(value, NAME)?).ok_or(length(NAME))
    };
    match value.get(NAME) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) if !(2..=MAX_ENTRIES).contains(&items.len()) => {
            Err(JsonError::member(NAME, "array of nonces has fewer than two").into())
        }
        Some(Value::Array(items)) => Ok(items.iter().map(nonce).collect::<Result<_, _>>()?),
        Some(one) => Ok(Vec::from([nonce(one)?])),
    }
}

fn read_oemid(value: &Value) -> Result<OemId, JsonError> {
    if let Value::Number(number) = value {
        return number
            .parse()
            .map(OemId::Pen)
            .map_err(|_| JsonError::member("oemid", "not a number of an OEM"));
    }
    let bytes = bytes_of(value, "oemid")?;
    let ieee = bytes.as_slice().try_into().ok().map(OemId::Ieee);
    ieee.or_else(|| bytes.as_slice().try_into().ok().map(OemId::Random)).ok_or(length("oemid"))
}

/// An array of a text and a scheme. A single text is the form of drafts, and refused.
pub(crate) fn read_version(value: &Value, name: &'static str) -> Result<VersionText, JsonError> {
    let fail = JsonError::member(name, "version is not an array of a text and a scheme");
    let (text, scheme) = match value.as_array() {
        Some([text]) => (text, None),
        Some([text, scheme]) => (text, Some(scheme)),
        _ => return Err(fail),
    };
    let scheme = scheme.map(|scheme| match scheme {
        Value::Text(name) => Some(VersionScheme::Text(name.clone())),
        number => number.as_int().map(VersionScheme::Int),
    });
    let scheme = scheme.map(|scheme| scheme.ok_or(fail)).transpose()?;
    Ok(VersionText { text: text.as_text().ok_or(fail)?.into(), scheme })
}

pub(crate) fn write_version(version: &VersionText) -> Value {
    let mut items = Vec::from([Value::text(version.text.as_str())]);
    items.extend(version.scheme.as_ref().map(|scheme| match scheme {
        VersionScheme::Int(number) => Value::int(*number),
        VersionScheme::Text(name) => Value::text(name.as_str()),
    }));
    Value::Array(items)
}

fn read_dloa(value: &Value) -> Result<Dloa, Error> {
    let texts = members::texts(value);
    match texts.as_deref() {
        Some([registrar, platform, rest @ ..]) if rest.len() <= 1 => Ok(Dloa {
            registrar: registrar.clone(),
            platform: platform.clone(),
            application: rest.first().cloned(),
        }),
        _ => Err(JsonError::member("dloas", "dloa is not an array of a registrar and labels").into()),
    }
}

fn write_dloa(dloa: &Dloa) -> Value {
    let texts = [Some(&dloa.registrar), Some(&dloa.platform), dloa.application.as_ref()];
    Value::Array(texts.into_iter().flatten().map(|text| Value::text(text.as_str())).collect())
}

/// A body in JSON is text. It is base64url of bytes where its format is known to be no JSON; of other formats it is
/// kept as it stands.
fn read_content(value: &Value, name: &'static str) -> Result<Content, Error> {
    let fail = JsonError::member(name, "expected pairs of a content format and a text");
    let Some([format, Value::Text(body)]) = value.as_array() else { return Err(fail.into()) };
    let format = format.as_int().and_then(|format| u16::try_from(format).ok()).ok_or(fail)?;
    let body = if media_type::is_binary(format) {
        ContentBody::Bytes(base64url::decode(body).ok_or(JsonError::member(name, "body is not base64url"))?)
    } else {
        ContentBody::Text(body.clone())
    };
    Ok(Content { format, body })
}

fn write_content(content: &Content) -> Value {
    let body = match &content.body {
        ContentBody::Bytes(bytes) => base64(bytes),
        ContentBody::Text(text) => Value::text(text.as_str()),
    };
    Value::Array(Vec::from([Value::uint(content.format.into()), body]))
}

fn read_results(value: &Value) -> Result<MeasurementResults, Error> {
    let fail = JsonError::member("measres", "expected pairs of a system and its results");
    let Some([Value::Text(system), Value::Array(items)]) = value.as_array() else { return Err(fail.into()) };
    if items.is_empty() || items.len() > MAX_ENTRIES {
        return Err(fail.into());
    }
    let one = |item: &Value| {
        let [Value::Text(id), Value::Text(name)] = item.as_array()? else { return None };
        let result = MeasurementResult::ALL.into_iter().find(|result| result.name() == name)?;
        Some(IndividualResult { id: ResultId::Text(id.clone()), result })
    };
    let results = items.iter().map(one).collect::<Option<_>>().ok_or(fail)?;
    Ok(MeasurementResults { system: system.clone(), results })
}

fn write_results(results: &MeasurementResults) -> Value {
    let one = |result: &IndividualResult| {
        let id = match &result.id {
            ResultId::Text(id) => Value::text(id.as_str()),
            ResultId::Bytes(id) => base64(id),
        };
        Value::Array(Vec::from([id, Value::text(result.result.name())]))
    };
    let items = results.results.iter().map(one).collect();
    Value::Array(Vec::from([Value::text(results.system.as_str()), Value::Array(items)]))
}

fn read_use(value: &Value) -> Result<u8, JsonError> {
    let number = match value {
        Value::Text(name) => USES.iter().position(|use_name| use_name == name).map(|at| at + 1),
        number => number.as_int().and_then(|number| usize::try_from(number).ok()),
    };
    let number = number.and_then(|number| u8::try_from(number).ok());
    number.ok_or(JsonError::member("intuse", "intended use is not known"))
}

fn read_map<T>(
    value: &Value,
    name: &'static str,
    read: impl Fn(&Value) -> Result<T, Error>,
) -> Result<BTreeMap<String, T>, Error> {
    let Some(map) = value.get(name) else { return Ok(BTreeMap::new()) };
    match map.as_object() {
        Some([]) => Err(JsonError::member(name, "map is empty").into()),
        Some(members) => members.iter().map(|(name, value)| Ok((name.clone(), read(value)?))).collect(),
        None => Err(JsonError::member(name, "expected an object").into()),
    }
}

fn write_map<T>(
    map: &BTreeMap<String, T>,
    write: impl Fn(&T) -> Result<Value, Error>,
) -> Result<Option<Value>, Error> {
    if map.is_empty() {
        return Ok(None);
    }
    let members = map.iter().map(|(name, value)| Ok((name.clone(), write(value)?)));
    Ok(Some(Value::Object(members.collect::<Result<_, Error>>()?)))
}

fn read_list<T>(
    value: &Value,
    name: &'static str,
    read: impl Fn(&Value) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let Some(list) = value.get(name) else { return Ok(Vec::new()) };
    match list.as_array() {
        Some(items) if (1..=MAX_ENTRIES).contains(&items.len()) => items.iter().map(read).collect(),
        _ => Err(JsonError::member(name, "expected an array of one item or more").into()),
    }
}

fn list(items: Vec<Value>) -> Option<Value> {
    (!items.is_empty()).then_some(Value::Array(items))
}

/// One item stands alone, several in an array.
fn one_or_more(mut items: Vec<Value>) -> Option<Value> {
    if items.len() == 1 { items.pop() } else { list(items) }
}
