//! JWS in compact serialization (RFC 7515, section 7.1).

use alloc::{format, string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cose::{Distrust, MAX_CANDIDATES, MAX_CERTIFICATES, Purpose, TrustAnchor, TrustAnchors};
use crypto::{HashAlgorithm, SignatureAlgorithm, SigningKey};

use crate::{Error, Feature, JsonError, TokenKey, base64url, json::Value, token::wrong_algorithm};

/// Type of the results made here (RFC 9782).
const TYPE: &str = "eat+jwt";

/// A JWS whose signature nobody has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Jws<'t> {
    signed: &'t str,
    algorithm: Algorithm,
    kid: Option<String>,
    cty: Option<String>,
    certificates: Vec<Vec<u8>>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What signs or authenticates (RFC 7518, section 3.1; RFC 8037, section 3.1; RFC 9864, section 2). `none` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Signature(SignatureAlgorithm),
    Hmac(HashAlgorithm),
}

impl Algorithm {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "ES256" | "ESP256" => Self::Signature(SignatureAlgorithm::Es256),
            "ES384" | "ESP384" => Self::Signature(SignatureAlgorithm::Es384),
            "EdDSA" | "Ed25519" => Self::Signature(SignatureAlgorithm::Ed25519),
            "HS256" => Self::Hmac(HashAlgorithm::from_hmac_cose_id(5)?),
            "HS384" => Self::Hmac(HashAlgorithm::from_hmac_cose_id(6)?),
            "HS512" => Self::Hmac(HashAlgorithm::from_hmac_cose_id(7)?),
            _ => return None,
        })
    }
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
        let algorithm = header.get("alg").and_then(Value::as_text).and_then(Algorithm::from_name);
        let algorithm = algorithm.ok_or(Feature::JwsHeader)?;
        let kid =
            header.get("kid").map(|kid| kid.as_text().ok_or(JsonError::member("kid", "expected a text")));
        Ok(Self {
            signed,
            algorithm,
            kid: kid.transpose()?.map(String::from),
            cty: header.get("cty").and_then(Value::as_text).map(String::from),
            certificates: header.get("x5c").map(certificates).transpose()?.unwrap_or_default(),
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Whether it has a MAC, which everybody can make who can verify it.
    pub(crate) fn is_mac(&self) -> bool {
        matches!(self.algorithm, Algorithm::Hmac(_))
    }

    pub(crate) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Content type of the payload.
    pub(crate) fn cty(&self) -> Option<&str> {
        self.cty.as_deref()
    }

    /// Certificates of the signer in DER, end entity first (RFC 7515, section 4.1.6); none when absent. All of a header in
    /// this serialization is signed.
    pub(crate) fn certificates(&self) -> Vec<&[u8]> {
        self.certificates.iter().map(Vec::as_slice).collect()
    }

    /// The number its algorithm has in COSE.
    pub(crate) fn alg(&self) -> i64 {
        match self.algorithm {
            Algorithm::Signature(algorithm) => algorithm.cose_id(),
            Algorithm::Hmac(algorithm) => algorithm.hmac_cose_id(),
        }
    }

    /// Verifies with one key. A key and an algorithm of different kinds never meet, so that nobody makes a MAC with a
    /// public key as secret.
    pub(crate) fn verify(&self, key: TokenKey<'_>) -> Result<(), Error> {
        let signed = self.signed.as_bytes();
        match (self.algorithm, key) {
            (Algorithm::Signature(algorithm), TokenKey::Signature(key)) if key.algorithm() == algorithm => {
                let verified = key.verify(signed, &self.signature);
                Ok(verified.map_err(|_| cose::Error::from(Distrust::BadSignature))?)
            }
            (Algorithm::Hmac(algorithm), TokenKey::Mac(key)) if key.algorithm() == algorithm => {
                Ok(key.verify(signed, &self.signature)?)
            }
            _ => Err(wrong_algorithm(self.alg())),
        }
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
        for (tried, anchor) in candidates
            .filter(|anchor| Algorithm::Signature(anchor.key.algorithm()) == self.algorithm)
            .enumerate()
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

/// The value of `x5c`: texts in base64 with padding, which here is not base64url.
fn certificates(value: &Value) -> Result<Vec<Vec<u8>>, JsonError> {
    let malformed = JsonError::member("x5c", "expected certificates in base64, one or more");
    let texts = value.as_array().filter(|texts| !texts.is_empty()).ok_or(malformed)?;
    if texts.len() > MAX_CERTIFICATES {
        return Err(JsonError::member("x5c", "more certificates than are read"));
    }
    let der = |text: &Value| STANDARD.decode(text.as_text()?).ok().filter(|der| !der.is_empty());
    texts.iter().map(|text| der(text).ok_or(malformed)).collect()
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
