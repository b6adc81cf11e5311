//! What all of them are given: the same tokens, keys and manifest.

use std::path::Path;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::{HashAlgorithm, PublicKey, SignatureAlgorithm, SigningKey};
use eat::{
    Appraisal, AttestationResult, Category, CcaToken, Nonce, OLD_RESULT_PROFILE, PsaToken, TrustVector,
    VerifierId,
};
use serde_json::{Value, json};

/// When the result is issued, and when it is read.
pub const NOW: i64 = 1_700_000_000;

/// The tag of a CWT, which a peer panics at; results are read without it as well.
const TAG_CWT_LEN: usize = 2;

pub struct Inputs {
    pub cca: Vec<u8>,
    pub cca_key: PublicKey,
    pub cca_nonce: Nonce,
    /// The same key for a peer, filed under the instance that the token is of.
    pub cca_anchors: String,
    pub psa: Vec<u8>,
    pub psa_key: PublicKey,
    pub psa_nonce: Nonce,
    pub verifier: SigningKey,
    /// How results name it.
    pub kid: Vec<u8>,
    pub verifier_jwk: Value,
    /// In the newest profile.
    pub result: AttestationResult,
    /// The same in the profile that deployed verifiers name.
    pub old_result: AttestationResult,
    pub cwt: Vec<u8>,
    pub jwt: String,
    pub old_jwt: String,
    pub corim: Vec<u8>,
}

impl Inputs {
    /// Nothing without the test vectors.
    pub fn load() -> Option<Self> {
        let (rats, corim) = (testkit::vectors("rats")?, testkit::vectors("corim")?);
        let read = |path: &str| std::fs::read(rats.join(path)).expect("a test vector");
        let cca = read("cca-rust/cca-token-01.cbor");
        let token = CcaToken::decode(&cca).expect("a good token");
        let platform = token.unverified_platform();
        let cca_jwk: Value = serde_json::from_slice(&read("cca-rust/cpak.json")).expect("a JWK");
        let cca_anchors = json!([{
            "instance-id": hex(platform.instance_id.as_bytes()),
            "implementation-id": hex(&platform.implementation_id),
            "pkey": cca_jwk,
        }]);
        let psa = read("veraison-e2e/psa-evidence.cbor");
        let psa_nonce = PsaToken::decode(&psa).expect("a good token").unverified().nonce.clone();
        let verifier =
            SigningKey::from_bytes(SignatureAlgorithm::Es256, &[20; 32]).expect("a scalar below the order");
        let kid = cose::thumbprint(verifier.public_key(), HashAlgorithm::Sha256).as_bytes().to_vec();
        let (x, y) = verifier.public_key().ec2_coordinates().expect("a key of P-256");
        let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let verifier_jwk = json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "x": part(x), "y": part(y)});

        let id = VerifierId { developer: "https://sextant.example".into(), build: "sextant 0.1.0".into() };
        let mut result = AttestationResult::new(id, NOW, 4_000_000_000);
        let vector = TrustVector::new()
            .with(Category::InstanceIdentity, 2)
            .with(Category::Configuration, 2)
            .with(Category::Executables, 3)
            .with(Category::Hardware, 2);
        result.submods.insert("PSA_IOT".into(), Appraisal::new(vector));
        let old_result = AttestationResult { profile: OLD_RESULT_PROFILE.into(), ..result.clone() };
        Some(Self {
            cca_key: key(&rats.join("cca-rust/cpak.json")),
            cca_nonce: token.unverified_realm().challenge.clone(),
            cca_anchors: cca_anchors.to_string(),
            cca,
            psa,
            psa_key: key(&rats.join("veraison-e2e/ec-p256.jwk")),
            psa_nonce,
            cwt: result.sign_cwt(&verifier, &kid).expect("a result").split_off(TAG_CWT_LEN),
            jwt: result.sign_jwt(&verifier, &kid).expect("a result"),
            old_jwt: old_result.sign_jwt(&verifier, &kid).expect("a result"),
            verifier,
            kid,
            verifier_jwk,
            result,
            old_result,
            corim: std::fs::read(corim.join("veraison-corim/unsigned-good-corim.cbor"))
                .expect("a test vector"),
        })
    }
}

fn key(path: &Path) -> PublicKey {
    let jwk: Value = serde_json::from_slice(&std::fs::read(path).expect("a test vector")).expect("a JWK");
    let part = |name: &str| {
        let text = jwk[name].as_str().expect("a coordinate");
        BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url")
    };
    let algorithm = match jwk["crv"].as_str() {
        Some("P-384") => SignatureAlgorithm::Es384,
        _ => SignatureAlgorithm::Es256,
    };
    PublicKey::from_ec2(algorithm, &part("x"), &part("y")).expect("a point of the curve")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
