use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{HashAlgorithm, PublicKey, SignatureAlgorithm};

use crate::{
    keys::KeyFile,
    node::{Map, Node},
};

/// A key, without its private part.
pub(crate) fn tree(key: &KeyFile) -> Map {
    Map::new()
        .with("kind", if key.secret.is_some() { "private key" } else { "public key" })
        .with("form", key.form)
        .with("algorithm", Node::shown(key.public.algorithm()))
        .with("kid", Node::hex(&key.kid()))
        .with("thumbprint", Node::shown(key.thumbprint(HashAlgorithm::Sha256)))
        .with("jwk", jwk(&key.public))
}

/// A public key as JWK (RFC 7517).
pub(crate) fn jwk(key: &PublicKey) -> Map {
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (kty, crv) = match key.algorithm() {
        SignatureAlgorithm::Es256 => ("EC", "P-256"),
        SignatureAlgorithm::Es384 => ("EC", "P-384"),
        SignatureAlgorithm::Ed25519 => ("OKP", "Ed25519"),
        SignatureAlgorithm::HssLms => {
            let map = Map::new().with("kty", "AKP").with("alg", key.algorithm().name());
            return map.with("pub", encoded(key.as_bytes()));
        }
    };
    let map = Map::new().with("kty", kty).with("crv", crv);
    match key.ec2_coordinates() {
        Some((x, y)) => map.with("x", encoded(x)).with("y", encoded(y)),
        None => map.with("x", encoded(key.as_bytes())),
    }
}
