//! One claim a test: header rules, algorithms, purposes, several signers, MACs, encryption and keys.

mod encryption;
mod headers;
mod keys;
mod trust;

use cbor::{Reason, Type, Writer};
use crypto::{HashAlgorithm, SignatureAlgorithm, SigningKey};
use testkit::hex;

use crate::*;

const PAYLOAD: &[u8] = b"payload";

/// The key whose bytes all are `number`.
fn key(algorithm: SignatureAlgorithm, number: u8) -> SigningKey {
    SigningKey::from_bytes(algorithm, &vec![number; algorithm.secret_len()]).expect("a key")
}

fn anchor(key: &SigningKey, purpose: Purpose, kid: &[u8]) -> TrustAnchor {
    TrustAnchor { key: key.public_key().clone(), kid: kid.to_vec(), purpose, name: "test".into() }
}

/// A COSE_Sign1 with these buckets as they are, signed over them by rule.
fn signed_with_buckets(key: &SigningKey, protected: &[u8], unprotected: &[u8]) -> Vec<u8> {
    let signed = structure::to_be_authenticated(structure::SIGNATURE1, protected, None, &[], PAYLOAD);
    Writer::encode(|w| {
        w.tag(labels::TAG_SIGN1)
            .array(4)
            .bytes(protected)
            .raw(unprotected)
            .bytes(PAYLOAD)
            .bytes(&key.sign(&signed));
    })
}

fn malformed(at: usize, reason: Reason) -> Error {
    Error::Malformed(cbor::Error::new(at, reason))
}

fn broken(at: usize, rule: &'static str) -> Error {
    Error::Malformed(cbor::Error::rule(at, rule))
}

fn wrong_type(at: usize, expected: Type, found: Type) -> Error {
    malformed(at, Reason::WrongType { expected, found })
}
