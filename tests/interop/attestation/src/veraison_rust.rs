//! Peers in Rust: `ccatoken` and `ear` of Veraison, and `corim-rs`.
//!
//! `ear` signs and verifies JWT with aws-lc, as this product does, and COSE with OpenSSL; `ccatoken` verifies with
//! OpenSSL.

use std::hint::black_box;

use ccatoken::{store::MemoTrustAnchorStore, token::Evidence};
use corim_rs::Corim;
use ear::{Algorithm, Ear};
use jsonwebtoken::{Algorithm as JwtAlgorithm, DecodingKey};
use openssl::{
    hash::MessageDigest,
    pkey::PKey,
    sign::{Signer, Verifier},
};

use crate::{Subject, inputs::Inputs};

/// AR4SI: the instance is known and its evidence is signed by it.
const TRUSTWORTHY_INSTANCE: i8 = 2;

pub fn subjects(inputs: &Inputs) -> Vec<Subject<'_>> {
    let mut anchors = MemoTrustAnchorStore::new();
    anchors.load_json(&inputs.cca_anchors).expect("an anchor");
    let jwk = inputs.verifier_jwk.to_string();
    let jwt_key = serde_json::from_str(&jwk).expect("a JWK");
    let jwt_key = DecodingKey::from_jwk(&jwt_key).expect("a key of P-256");
    let from_jwt =
        move |token: &str| Ear::from_jwt(token, JwtAlgorithm::ES256, &jwt_key).expect("a good result");
    let private = inputs.verifier.to_pkcs8_der().to_vec();
    // OpenSSL reads the key of COSE as SEC 1 in DER, or PKCS #8 in PEM.
    let openssl_key = PKey::private_key_from_der(&private).expect("a key");
    let sec1 = openssl_key.ec_key().and_then(|key| key.private_key_to_der()).expect("a key of P-256");
    let (to_jwt, to_cwt) = (from_jwt(&inputs.jwt), from_jwt(&inputs.jwt));
    let signature = inputs.verifier.sign_der(&inputs.cwt);
    let verifying_key =
        PKey::public_key_from_der(&inputs.verifier.public_key().to_spki_der()).expect("a key");
    vec![
        Subject::new("cca, ccatoken", move || {
            let mut evidence = Evidence::decode(black_box(&inputs.cca)).expect("a good token");
            evidence.verify(&anchors).expect("a verdict");
            // It gives its verdict in the vectors.
            let (platform, realm) = evidence.get_trust_vectors();
            assert_eq!(platform.instance_identity.get(), TRUSTWORTHY_INSTANCE);
            assert_eq!(realm.instance_identity.get(), TRUSTWORTHY_INSTANCE);
        }),
        Subject::new("verify cwt, ear", move || {
            let result = Ear::from_cose_jwk(black_box(&inputs.cwt), Algorithm::ES256, jwk.as_bytes());
            black_box(result.expect("a good result"));
        }),
        Subject::new("verify jwt, ear", move || {
            black_box(from_jwt(black_box(&inputs.jwt)));
        }),
        Subject::new("sign cwt, ear", move || {
            black_box(black_box(&to_cwt).sign_cose_der(Algorithm::ES256, &sec1).expect("a result"));
        }),
        Subject::new("sign jwt, ear", move || {
            black_box(black_box(&to_jwt).sign_jwk_der(Algorithm::ES256, &private).expect("a result"));
        }),
        Subject::new("corim, corim-rs", || {
            black_box(Corim::from_cbor(black_box(inputs.corim.as_slice())).expect("a good manifest"));
        }),
        Subject::new("verification, OpenSSL", move || {
            let mut verifier = Verifier::new(MessageDigest::sha256(), &verifying_key).expect("a verifier");
            let good = verifier.verify_oneshot(&signature, black_box(&inputs.cwt));
            assert!(good.expect("a verdict"));
        }),
        Subject::new("signature, OpenSSL", move || {
            let mut signer = Signer::new(MessageDigest::sha256(), &openssl_key).expect("a signer");
            black_box(signer.sign_oneshot_to_vec(black_box(&inputs.cwt)).expect("a signature"));
        }),
    ]
}
