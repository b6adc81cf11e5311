use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{HashAlgorithm, PublicKey, SignatureAlgorithm};

use crate::{
    keys::KeyFile,
    node::{Map, Node},
};

/// A key, without its private part.
pub(crate) fn tree(key: &KeyFile) -> Map {
    Map::new()
        .with("kind", if key.secret.is_some() || key.state.is_some() { "private key" } else { "public key" })
        .with("form", key.form)
        .with("algorithm", Node::shown(key.public.algorithm()))
        .with("kid", Node::hex(&key.kid()))
        .with("thumbprint", Node::shown(key.thumbprint(HashAlgorithm::Sha256)))
        .maybe("levels", key.state.as_ref().map(|state| state.levels.as_str()))
        .maybe("signatures_made", key.state.as_ref().map(|state| state.used))
        .maybe("signatures_left", key.state.as_ref().map(|state| state.remaining))
        .maybe("jwk", jwk(&key.public))
}

/// A public key as JWK (RFC 7517); JOSE registers no form for HSS-LMS keys.
pub(crate) fn jwk(key: &PublicKey) -> Option<Map> {
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (kty, crv) = match key.algorithm() {
        SignatureAlgorithm::Es256 => ("EC", "P-256"),
        SignatureAlgorithm::Es384 => ("EC", "P-384"),
        SignatureAlgorithm::Ed25519 => ("OKP", "Ed25519"),
        SignatureAlgorithm::HssLms => return None,
    };
    let map = Map::new().with("kty", kty).with("crv", crv);
    Some(match key.ec2_coordinates() {
        Some((x, y)) => map.with("x", encoded(x)).with("y", encoded(y)),
        None => map.with("x", encoded(key.as_bytes())),
    })
}
