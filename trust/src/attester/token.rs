//! Entity attestation tokens (RFC 9711).

use alloc::vec::Vec;

use corim::{Class, ClassId, Element, Environment, Instance, MeasurementValues};
use coswid::Tag;
use eat::{Claims, MAX_TOKEN_LEN, Nonce, Token};

use super::{Attester, elements::element, keys, malformed};
use crate::{Beliefs, Reason};

/// Content-Format of CoSWID (RFC 9393, section 8.2).
const COSWID_FORMAT: u16 = 258;

pub(super) fn verify(
    token: &Token<'_>,
    beliefs: &Beliefs<'_>,
    nonce: &Nonce,
) -> Result<Vec<Attester>, Reason> {
    let environment = environment(token.unverified());
    let keys = keys::of(beliefs, &environment, token.certificates())?;
    let (token, by) = keys::first(&keys, |key| token.clone().verify(&key.key, nonce))?;
    let claims = token.claims();
    if !claims.submods.is_empty() {
        // They have claims of their own, and to pass over them would be to judge a part.
        return Err(malformed("submodules are not appraised"));
    }
    let profile = match &claims.profile {
        Some(eat::Profile::Uri(uri)) => Some(uri.clone()),
        _ => None,
    };
    Ok(Vec::from([Attester {
        profile,
        debug: claims.dbgstat,
        ..Attester::new("EAT", environment, measured(claims)?, by)
    }]))
}

/// The environment of a token: its UEID, and its model as class.
fn environment(claims: &Claims) -> Environment {
    let class = claims
        .hwmodel
        .as_ref()
        .map(|model| Class { id: Some(ClassId::Bytes(model.clone())), ..Class::default() });
    let instance = claims.ueid.as_ref().map(|ueid| Instance::Ueid(ueid.as_bytes().to_vec()));
    Environment { class, instance, group: None }
}

/// What the CoSWID evidence tags in a token measure, each file by its path. Measurements in other formats are refused:
/// passing over one would be to judge a part.
fn measured(claims: &Claims) -> Result<Vec<Element>, Reason> {
    let mut elements = Vec::new();
    for content in &claims.measurements {
        let eat::ContentBody::Bytes(bytes) = &content.body else {
            return Err(malformed("a measurement is text"));
        };
        if content.format != COSWID_FORMAT || bytes.len() > MAX_TOKEN_LEN {
            return Err(malformed("a measurement is of a format that is not read")
                .with("content-format", content.format));
        }
        let tag = Tag::decode(bytes).map_err(malformed)?;
        for file in tag.measured_files() {
            let digest = file.digest.ok_or_else(|| malformed("a measured file has no digest that counts"))?;
            let values =
                MeasurementValues { digests: [digest.into()].into(), ..MeasurementValues::default() };
            elements.push(element(&file.path(), values));
        }
    }
    Ok(elements)
}
