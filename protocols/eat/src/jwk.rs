//! Public keys as JSON Web Key (RFC 7518, section 6.2; RFC 8037, section 2).
//!
//! JOSE has no form for HSS/LMS keys; they are written as an algorithm key pair (`AKP`) of their COSE name.

use alloc::{string::String, vec::Vec};

use crypto::{PublicKey, SignatureAlgorithm};

use crate::{base64url, json::Value};

const P256: &str = "P-256";
const P384: &str = "P-384";
const ED25519: &str = "Ed25519";
const ALGORITHM_KEY_PAIR: &str = "AKP";

pub(crate) fn encode(key: &PublicKey) -> Value {
    let coordinate = |bytes: &[u8]| Value::Text(base64url::encode(bytes));
    let (kty, crv) = match key.algorithm() {
        SignatureAlgorithm::Es256 => ("EC", P256),
        SignatureAlgorithm::Es384 => ("EC", P384),
        SignatureAlgorithm::Ed25519 => ("OKP", ED25519),
        SignatureAlgorithm::HssLms => {
            return Value::Object(Vec::from([
                ("kty".into(), Value::text(ALGORITHM_KEY_PAIR)),
                ("alg".into(), Value::text(key.algorithm().name())),
                ("pub".into(), coordinate(key.as_bytes())),
            ]));
        }
    };
    let mut members: Vec<(String, Value)> =
        Vec::from([("kty".into(), Value::text(kty)), ("crv".into(), Value::text(crv))]);
    match key.ec2_coordinates() {
        Some((x, y)) => members.extend([("x".into(), coordinate(x)), ("y".into(), coordinate(y))]),
        None => members.push(("x".into(), coordinate(&key.ed25519_bytes().unwrap_or_default()))),
    }
    Value::Object(members)
}

pub(crate) fn decode(value: &Value) -> Option<PublicKey> {
    let text = |name| value.get(name).and_then(Value::as_text);
    let coordinate = |name| text(name).and_then(base64url::decode);
    if text("kty")? == ALGORITHM_KEY_PAIR {
        let known = text("alg")? == SignatureAlgorithm::HssLms.name();
        return known.then(|| PublicKey::from_hss(&coordinate("pub")?).ok()).flatten();
    }
    let algorithm = match (text("kty")?, text("crv")?) {
        ("EC", P256) => SignatureAlgorithm::Es256,
        ("EC", P384) => SignatureAlgorithm::Es384,
        ("OKP", ED25519) => return PublicKey::from_ed25519(&coordinate("x")?).ok(),
        _ => return None,
    };
    PublicKey::from_ec2(algorithm, &coordinate("x")?, &coordinate("y")?).ok()
}
