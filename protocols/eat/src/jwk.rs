//! Public keys as JSON Web Key (RFC 7518, section 6.2; RFC 8037, section 2).
//!
//! JOSE registers no form for HSS/LMS keys, so they have none here: making one up would be read by nobody.

use alloc::{string::String, vec::Vec};

use crypto::{PublicKey, SignatureAlgorithm};

use crate::{Error, Feature, JsonError, base64url, json::Value};

/// The confirmation method for a key (RFC 7800, section 3.2).
pub(crate) const METHOD: &str = "jwk";

const P256: &str = "P-256";
const P384: &str = "P-384";
const ED25519: &str = "Ed25519";

/// The key as JWK; nothing for an HSS/LMS key.
pub(crate) fn encode(key: &PublicKey) -> Option<Value> {
    let coordinate = |bytes: &[u8]| Value::Text(base64url::encode(bytes));
    let (kty, crv) = match key.algorithm() {
        SignatureAlgorithm::Es256 => ("EC", P256),
        SignatureAlgorithm::Es384 => ("EC", P384),
        SignatureAlgorithm::Ed25519 => ("OKP", ED25519),
        SignatureAlgorithm::HssLms => return None,
    };
    let mut members: Vec<(String, Value)> =
        Vec::from([("kty".into(), Value::text(kty)), ("crv".into(), Value::text(crv))]);
    match key.ec2_coordinates() {
        Some((x, y)) => members.extend([("x".into(), coordinate(x)), ("y".into(), coordinate(y))]),
        None => members.push(("x".into(), coordinate(&key.ed25519_bytes().unwrap_or_default()))),
    }
    Some(Value::Object(members))
}

pub(crate) fn decode(value: &Value) -> Option<PublicKey> {
    let text = |name| value.get(name).and_then(Value::as_text);
    let coordinate = |name| text(name).and_then(base64url::decode);
    let algorithm = match (text("kty")?, text("crv")?) {
        ("EC", P256) => SignatureAlgorithm::Es256,
        ("EC", P384) => SignatureAlgorithm::Es384,
        ("OKP", ED25519) => return PublicKey::from_ed25519(&coordinate("x")?).ok(),
        _ => return None,
    };
    PublicKey::from_ec2(algorithm, &coordinate("x")?, &coordinate("y")?).ok()
}

/// A key as confirmation method `jwk` (RFC 7800, section 3.2).
pub(crate) fn read_confirmation(value: &Value) -> Result<PublicKey, Error> {
    match value.as_object() {
        Some([(method, key)]) if method == METHOD => {
            Ok(decode(key).ok_or(JsonError::member(METHOD, "not a public key of a known curve"))?)
        }
        Some([_]) => Err(Feature::Confirmation.into()),
        _ => Err(JsonError::member("cnf", "expected one confirmation method").into()),
    }
}
