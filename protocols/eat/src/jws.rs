//! JWS in compact serialization (RFC 7515, section 7.1), with asymmetric signatures only.

use alloc::{format, string::String, vec::Vec};

use cose::{Distrust, MAX_CANDIDATES, Purpose, TrustAnchor, TrustAnchors};
use crypto::{SignatureAlgorithm, SigningKey};

use crate::{Error, Feature, JsonError, base64url, json::Value};

/// Type of the results made here (RFC 9782).
const TYPE: &str = "eat+jwt";

/// A JWS whose signature nobody has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Jws<'t> {
    signed: &'t str,
    algorithm: SignatureAlgorithm,
    kid: Option<String>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    pub(crate) fn decode(text: &'t str) -> Result<Self, Error> {
        let malformed = JsonError::at(0, "expected three parts of base64url");
        let (signed, signature) = text.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(malformed)?;
        // The alphabet has no full stop, so a fourth part fails here too.
        let decode = |part| base64url::decode(part).ok_or(malformed);
        let header = Value::parse(&decode(header)?)?;
        if header.get("crit").is_some() {
            return Err(Feature::JwsHeader.into());
        }
        let algorithm = match header.get("alg").and_then(Value::as_text) {
            Some("ES256") => SignatureAlgorithm::Es256,
            Some("ES384") => SignatureAlgorithm::Es384,
            Some("EdDSA" | "Ed25519") => SignatureAlgorithm::Ed25519,
            _ => return Err(Feature::JwsHeader.into()),
        };
        let kid =
            header.get("kid").map(|kid| kid.as_text().ok_or(JsonError::member("kid", "expected a text")));
        Ok(Self {
            signed,
            algorithm,
            kid: kid.transpose()?.map(String::from),
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Verifies with the anchors of one purpose, by the same rules as a COSE_Sign1.
    pub(crate) fn verify_with<'a>(
        &self,
        anchors: &'a TrustAnchors,
        purpose: Purpose,
    ) -> Result<&'a TrustAnchor, Error> {
        // Here a key identifier is text: that of the bytes, or whatever text the anchor was configured with.
        let kid = self.kid.as_deref();
        let decoded = kid.and_then(base64url::decode);
        let fits = |anchor: &TrustAnchor| {
            kid.is_none_or(|kid| {
                anchor.kid.is_empty()
                    || anchor.kid == kid.as_bytes()
                    || decoded.as_ref().is_some_and(|decoded| *decoded == anchor.kid)
            })
        };
        let mut refusal = Distrust::NoKey;
        let candidates = anchors.find(purpose, None).filter(|anchor| fits(anchor));
        for (tried, anchor) in
            candidates.filter(|anchor| anchor.key.algorithm() == self.algorithm).enumerate()
        {
            if tried == MAX_CANDIDATES {
                refusal = Distrust::TooManyKeys;
                break;
            }
            if anchor.key.verify(self.signed.as_bytes(), &self.signature).is_ok() {
                return Ok(anchor);
            }
            refusal = Distrust::BadSignature;
        }
        Err(cose::Error::from(refusal).into())
    }
}

pub(crate) fn sign(payload: &str, key: &SigningKey, kid: &[u8]) -> String {
    let algorithm = match key.algorithm() {
        SignatureAlgorithm::Ed25519 => "EdDSA",
        algorithm => algorithm.name(),
    };
    let header = Value::Object(Vec::from([
        ("alg".into(), Value::text(algorithm)),
        ("typ".into(), Value::text(TYPE)),
        ("kid".into(), Value::Text(base64url::encode(kid))),
    ]));
    let mut header_text = String::new();
    header.write(&mut header_text);
    let signed =
        format!("{}.{}", base64url::encode(header_text.as_bytes()), base64url::encode(payload.as_bytes()));
    let signature = base64url::encode(&key.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}
