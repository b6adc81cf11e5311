use cose::{ContentType, Headers, Sign, Sign1};

use crate::node::{Map, Node};

/// A COSE_Sign1 of which nothing more is known.
pub(crate) fn sign1(message: &Sign1<'_>) -> Map {
    headers(
        Map::new().with("kind", "COSE_Sign1").with("algorithm", algorithm(message.alg())),
        message.headers(),
    )
    .maybe("payload", message.payload().map(payload))
    .with("signature_bytes", message.signature().len())
}

/// A COSE_Sign of which nothing more is known.
pub(crate) fn sign(message: &Sign<'_>) -> Map {
    let signature = |signature: &cose::Signature<'_>| {
        Map::new().with("algorithm", algorithm(signature.alg())).maybe("kid", signature.kid().map(Node::hex))
    };
    headers(Map::new().with("kind", "COSE_Sign"), message.headers())
        .with("signatures", message.signatures().iter().map(signature).collect::<Vec<_>>())
        .maybe("payload", message.payload().map(payload))
}

/// Name of a signature algorithm where it has one here.
pub(crate) fn algorithm(id: i64) -> Node {
    match crypto::SignatureAlgorithm::from_cose_id(id) {
        Some(algorithm) => Node::Text(format!("{algorithm} ({id})")),
        None => Node::from(id),
    }
}

fn headers(map: Map, headers: &Headers<'_>) -> Map {
    map.maybe("kid", headers.kid().map(Node::hex)).maybe(
        "content_type",
        headers.content_type().map(|content| match content {
            ContentType::Format(format) => Node::from(format),
            ContentType::MediaType(media_type) => Node::from(media_type),
        }),
    )
}

/// A payload in diagnostic notation when it is CBOR, else as text or digits.
pub(crate) fn payload(bytes: &[u8]) -> Node {
    let normal = cbor::normalize(bytes, bytes.len().max(1) * 2);
    match normal.and_then(|item| cbor::diagnostic(&item)) {
        Ok(text) => Node::Text(text),
        Err(_) => match std::str::from_utf8(bytes) {
            Ok(text) => Node::from(text),
            Err(_) => Node::hex(bytes),
        },
    }
}
