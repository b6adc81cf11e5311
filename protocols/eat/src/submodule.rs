//! Submodules (RFC 9711, section 4.2.18) and what they may be.

use alloc::{boxed::Box, string::String, vec::Vec};

use cbor::{Reader, Type, Writer};
use crypto::{Digest, HashAlgorithm};

use crate::{Claims, Error, JsonError, base64url, claims_json, json::Value, members};

/// Types of a JSON selector (RFC 9711, section 7.2.4).
const JWT: &str = "JWT";
const CBOR: &str = "CBOR";
const BUNDLE: &str = "BUNDLE";
const DIGEST: &str = "DIGEST";

/// Where errors of a selector stand.
const SUBMODS: &str = "submods";

/// A submodule. Nothing is inherited, in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submodule {
    /// Claims that the signer of the surrounding token vouches for.
    Claims(Box<Claims>),
    /// A token by another signer. Whoever verifies the surrounding token has not verified this one.
    Token(NestedToken),
    /// The digest of a claims-set that is carried elsewhere, in a detached bundle.
    Detached(Digest),
}

/// A token within a token, as received and not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NestedToken {
    /// A tagged token in CBOR: a CWT, or a detached bundle.
    Cbor(Vec<u8>),
    /// A JWT in compact serialization.
    Jwt(String),
    /// A detached bundle in JSON.
    JsonBundle(String),
}

impl Submodule {
    /// The claims that the same signer vouches for.
    pub fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Claims(claims) => Some(claims),
            _ => None,
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(match reader.peek()? {
            Type::Bytes | Type::Text => Self::Token(NestedToken::decode(reader)?),
            Type::Array => Self::Detached(decode_digest(reader)?),
            _ => Self::Claims(Box::new(Claims::read(reader)?)),
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Claims(claims) => claims.write(writer),
            Self::Token(token) => token.encode(writer),
            Self::Detached(digest) => {
                writer.array(2).int(digest.algorithm().cose_id()).bytes(digest.as_bytes());
            }
        }
    }

    pub(crate) fn from_json(value: &Value) -> Result<Self, Error> {
        if value.as_object().is_some() {
            return Ok(Self::Claims(Box::new(claims_json::read(value)?)));
        }
        match selector(value)? {
            (DIGEST, digest) => {
                let fail = JsonError::member(SUBMODS, "digest is not an algorithm and its digest");
                let [algorithm, bytes] = digest.as_array().ok_or(fail)? else { return Err(fail.into()) };
                let algorithm = match algorithm {
                    Value::Text(name) => hash_algorithm(name),
                    number => number.as_int().and_then(HashAlgorithm::from_cose_id),
                };
                let algorithm =
                    algorithm.ok_or(JsonError::member(SUBMODS, "hash algorithm is not supported"))?;
                let digest = Digest::new(algorithm, &members::bytes_of(bytes, SUBMODS)?);
                Ok(Self::Detached(digest.ok_or(fail)?))
            }
            _ => Ok(Self::Token(NestedToken::from_json(value)?)),
        }
    }

    pub(crate) fn to_json(&self) -> Result<Value, Error> {
        Ok(match self {
            Self::Claims(claims) => claims_json::write(claims)?,
            Self::Token(token) => token.to_json(),
            Self::Detached(digest) => {
                let algorithm = Value::text(digest.algorithm().name().to_ascii_uppercase());
                let digest = Value::Array(Vec::from([algorithm, members::base64(digest.as_bytes())]));
                Value::Array(Vec::from([Value::text(DIGEST), digest]))
            }
        })
    }
}

impl NestedToken {
    /// In CBOR: bytes of a tagged token, or a JSON selector as text (RFC 9711, section 7.2.3).
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        if reader.peek()? != Type::Text {
            return Ok(Self::Cbor(reader.bytes()?.into()));
        }
        let at = reader.position();
        let text = reader.text()?;
        let selector = Value::parse(text.as_bytes())?;
        match Self::from_json(&selector)? {
            Self::Cbor(_) => Err(cbor::Error::rule(at, "selector of a token in CBOR within CBOR").into()),
            token => Ok(token),
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Cbor(bytes) => writer.bytes(bytes),
            other => writer.text(&other.to_json().to_text()),
        };
    }

    /// A JSON selector. That of a digest is none of a token.
    pub(crate) fn from_json(value: &Value) -> Result<Self, Error> {
        let expected = |rule| Error::from(JsonError::member(SUBMODS, rule));
        match selector(value)? {
            (JWT, Value::Text(text)) => Ok(Self::Jwt(text.clone())),
            (JWT, _) => Err(expected("JWT is not a text")),
            (CBOR, text) => Ok(Self::Cbor(members::bytes_of(text, SUBMODS)?)),
            (BUNDLE, bundle @ Value::Array(_)) => Ok(Self::JsonBundle(bundle.to_text())),
            (BUNDLE, _) => Err(expected("bundle is not an array")),
            _ => Err(expected("selector names no token")),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let (name, value) = match self {
            Self::Cbor(bytes) => (CBOR, Value::Text(base64url::encode(bytes))),
            Self::Jwt(text) => (JWT, Value::text(text.as_str())),
            // What is in it was parsed before; where a caller made one up, its reader refuses the text.
            Self::JsonBundle(text) => {
                (BUNDLE, Value::parse(text.as_bytes()).unwrap_or_else(|_| Value::text(text.as_str())))
            }
        };
        Value::Array(Vec::from([Value::text(name), value]))
    }
}

/// A COSE number or name of a hash algorithm, and its digest (RFC 9711, section 4.2.18.2).
fn decode_digest(reader: &mut Reader<'_>) -> Result<Digest, Error> {
    let at = reader.position();
    reader.array_of(2)?;
    let algorithm = match reader.peek()? {
        Type::Text => hash_algorithm(reader.text()?),
        _ => HashAlgorithm::from_cose_id(reader.int()?),
    };
    let algorithm = algorithm.ok_or(cbor::Error::rule(at, "hash algorithm is not supported"))?;
    let digest = Digest::new(algorithm, reader.bytes()?);
    Ok(digest.ok_or(cbor::Error::rule(at, "digest has another length than its algorithm"))?)
}

/// Names in the COSE registry have the spelling `SHA-256`.
pub(crate) fn hash_algorithm(name: &str) -> Option<HashAlgorithm> {
    HashAlgorithm::from_name(&name.to_ascii_lowercase())
}

fn selector(value: &Value) -> Result<(&str, &Value), Error> {
    match value.as_array() {
        Some([Value::Text(name), value]) => Ok((name, value)),
        _ => Err(JsonError::member(SUBMODS, "expected an object or a selector").into()),
    }
}
