use std::{collections::BTreeMap, fs, path::Path};

use cbor::{Reader, Reason};
use cose::{Distrust as CoseDistrust, MacKey, Purpose, TrustAnchor, TrustAnchors};
use crypto::{HashAlgorithm, SigningKey};

use super::distrust;
use crate::{Error, *};

/// What the tokens of `eat-made` carry as nonce.
fn session_nonce() -> Nonce {
    Nonce::new(&core::array::from_fn::<u8, 32, _>(|at| at as u8)).unwrap()
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn signer(dir: &Path) -> SigningKey {
    SigningKey::from_sec1_der(&testkit::read_hex(&dir.join("psa-rfc9783/tfm-es-iak.key.sec1.der.hex")))
        .unwrap()
}

fn anchors(dir: &Path) -> TrustAnchors {
    let anchor = TrustAnchor::new(signer(dir).public_key().clone(), Purpose::Result, "made");
    TrustAnchors::new(vec![anchor])
}

#[test]
fn made_tokens_verify_or_are_refused_for_their_fault() {
    let Some(dir) = testkit::vectors("rats") else { return };
    let key = signer(&dir);
    let verify = |name: &str| -> Result<Claims, Error> {
        let bytes = read(&dir.join("eat-made").join(name));
        Ok(Token::decode(&bytes)?.verify(key.public_key(), &session_nonce())?.into_claims())
    };
    for name in
        ["ok-sign1", "ok-cwt61", "ok-oemid-ieee", "ok-oemid-rand16", "ok-unknown-claim", "ok-measurements-mc"]
    {
        let claims = verify(&format!("{name}.cbor")).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!(decode(&claims.encode()).unwrap(), claims, "{name}");
    }
    // They carry another nonce, and are well-formed.
    for name in ["ok-nonce-array2", "nonpreferred-ints", "indefinite-map"] {
        assert_eq!(verify(&format!("{name}.cbor")), Err(Distrust::Nonce.into()), "{name}");
    }
    let rule = |rule| Reason::Rule(rule);
    let malformed = [
        ("bad-nonce-short7", rule("nonce is not of 8 to 64 bytes")),
        ("bad-nonce-array1", rule("array of nonces has fewer than two")),
        ("bad-ueid-34", rule("ueid is not of 7 to 33 bytes")),
        ("bad-iat-float", Reason::WrongType { expected: cbor::Type::Integer, found: cbor::Type::Float }),
        ("bad-hwmodel-no-oemid", rule("hwmodel without oemid")),
        ("bad-oemboot-no-oemid", rule("oemboot without oemid")),
        ("bad-dbgstat-5", Reason::OutOfRange),
        ("bad-swversion-no-swname", rule("swversion without swname")),
        ("bad-duplicate-nonce", Reason::DuplicateKey),
        ("bad-trailing-payload", Reason::TrailingBytes),
    ];
    for (name, reason) in malformed {
        match verify(&format!("{name}.cbor")) {
            Err(Error::Malformed(error)) => assert_eq!(error.reason, reason, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let refused = [
        ("bad-sig-bitflip", distrust(CoseDistrust::BadSignature)),
        ("bad-sig-der", distrust(CoseDistrust::BadSignature)),
        ("bad-aad", distrust(CoseDistrust::BadSignature)),
        ("bad-alg-unprotected", distrust(CoseDistrust::AlgorithmNotProtected)),
        ("bad-alg-es384-header", distrust(CoseDistrust::WrongAlgorithm(-35))),
        ("bad-nonce-missing", Distrust::Nonce.into()),
        ("ok-submod-detached", Feature::DetachedBundle.into()),
        ("bad-bundle-extra-set", Feature::DetachedBundle.into()),
    ];
    for (name, error) in refused {
        assert_eq!(verify(&format!("{name}.cbor")), Err(error), "{name}");
    }
}

#[test]
fn the_constrained_profile_takes_one_encoding_and_one_nonce() {
    let Some(dir) = testkit::vectors("rats") else { return };
    let constrained = |name: &str| {
        let bytes = read(&dir.join("eat-made").join(name));
        Token::decode_constrained(&bytes).map(|token| token.form())
    };
    assert_eq!(constrained("ok-cwt61.cbor"), Ok(TokenForm::Sign1));
    let refused = [
        ("nonpreferred-ints.cbor", Reason::NotShortest),
        ("indefinite-map.cbor", Reason::IndefiniteLength),
        ("ok-nonce-array2.cbor", Reason::Rule("token has not one nonce")),
        ("bad-nonce-missing.cbor", Reason::Rule("token has not one nonce")),
    ];
    for (name, reason) in refused {
        match constrained(name) {
            Err(Error::Malformed(error)) => assert_eq!(error.reason, reason, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(constrained("ok-submod-detached.cbor"), Err(Feature::DetachedBundle.into()));
}

fn decode(bytes: &[u8]) -> Result<Claims, Error> {
    let normal = cbor::normalize(bytes, MAX_TOKEN_LEN)?;
    Claims::decode(&mut Reader::new(&normal))
}

#[test]
fn claims_sets_of_rfc_9711_decode_and_encode_to_the_same_items() {
    let Some(dir) = testkit::vectors("rats") else { return };
    let dir = dir.join("eat-rfc9711");
    for name in ["simple", "valid_hw_block", "valid_hw_block2"] {
        let bytes = read(&dir.join(format!("{name}.cbor")));
        let claims = decode(&bytes).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!(claims.encode(), cbor::normalize(&bytes, MAX_TOKEN_LEN).unwrap(), "{name}");
    }
    assert_eq!(Token::decode(&read(&dir.join("valid_deb.cbor"))), Err(Feature::DetachedBundle.into()));
    let bytes = read(&dir.join("valid_cwt.cbor"));
    let token = Token::decode(&bytes).unwrap();
    assert_eq!(token.unverified().oemid, Some(OemId::Pen(64242)));
    assert_eq!(token.unverified().hwversion.as_ref().unwrap().text, "3.1");
    // A claims-set alone is no token.
    let bare = read(&dir.join("../eat-ctoken/token.cbor"));
    assert_eq!(Token::decode(&bare), Err(cbor::Error::rule(0, "token is not tagged").into()));
    // The appendix of the RFC breaks its own rule that oemboot refers to oemid.
    for name in ["minimal", "valid_tee", "valid_key_store"] {
        match decode(&read(&dir.join(format!("{name}.cbor")))) {
            Err(Error::Malformed(error)) => {
                assert_eq!(error.reason, Reason::Rule("oemboot without oemid"), "{name}")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn psa_tokens_decode_and_verify_as_general_tokens() {
    let Some(dir) = testkit::vectors("rats") else { return };
    let bytes = read(&dir.join("psa-rfc9783/psa-sign1.cbor"));
    let token = Token::decode(&bytes).unwrap();
    let nonce = token.unverified().nonces[0].clone();
    let claims = token.verify(signer(&dir).public_key(), &nonce).unwrap();
    assert!(claims.claims().other(2399).is_some(), "the software components are kept");
    let mac = read(&dir.join("psa-rfc9783/psa-mac0.cbor"));
    let key = MacKey::new(HashAlgorithm::Sha256, &read(&dir.join("psa-rfc9783/tfm-hs-iak.bin"))).unwrap();
    let token = Token::decode(&mac).unwrap();
    assert_eq!(token.form(), TokenForm::Mac0);
    assert!(token.clone().verify(&key, &nonce).is_ok());
    assert_eq!(
        token.verify(signer(&dir).public_key(), &nonce),
        Err(distrust(CoseDistrust::WrongAlgorithm(5)))
    );
}

#[test]
fn tokens_of_other_profiles_decode_with_their_claims_kept() {
    let Some(dir) = testkit::vectors("rats") else { return };
    let rows = [
        ("psa-tfm/psa-iot-1_sign1.bin", 0, 10),
        ("veraison-scheme-psa-iot/psa-token.cbor", 0, 8),
        ("veraison-scheme-psa-iot/psaintegtoken.cbor", 1, 6),
        ("veraison-e2e/psa-evidence.cbor", 1, 6),
    ];
    for (name, nonces, others) in rows {
        let bytes = read(&dir.join(name));
        let token = Token::decode(&bytes).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let claims = token.unverified();
        assert_eq!((claims.nonces.len(), claims.others.len()), (nonces, others), "{name}");
    }
    let key = json::Value::parse(&read(&dir.join("veraison-e2e/ec-p256.jwk"))).unwrap();
    let key = jwk::decode(&key).unwrap();
    let bytes = read(&dir.join("veraison-e2e/psa-evidence.cbor"));
    let token = Token::decode(&bytes).unwrap();
    let nonce = token.unverified().nonces[0].clone();
    assert!(token.verify(&key, &nonce).is_ok());
}

#[test]
fn measured_components_of_the_draft_decode() {
    let Some(dir) = testkit::vectors("rats") else { return };
    let component = |name: &str| {
        MeasuredComponent::decode(&read(&dir.join("measured-component").join(name)))
            .unwrap_or_else(|e| panic!("{e:?}"))
    };
    let one = component("ex1.cbor");
    assert_eq!(
        (one.name.as_str(), one.version.as_ref().unwrap().text.as_str()),
        ("boot loader X", "1.2.3rc2")
    );
    assert_eq!((one.authorities.len(), one.flags), (2, Some([0, 0, 0, 0, 0, 0, 1, 1])));
    let two = component("ex2.cbor");
    assert!(matches!(two.measurement, Measurement::Digest(digest) if digest.as_bytes().len() == 48));
    for component in [one, two] {
        assert_eq!(MeasuredComponent::decode(&component.encode()).unwrap(), component);
    }
}

#[test]
fn results_of_the_draft_decode_the_same_in_both_forms() {
    let Some(dir) = testkit::vectors("rats") else { return };
    let dir = dir.join("ear-draft");
    let cbor =
        |name: &str| ear_cbor::decode(&read(&dir.join(name))).unwrap_or_else(|e| panic!("{name}: {e:?}"));
    let json =
        |name: &str| ear_json::decode(&read(&dir.join(name))).unwrap_or_else(|e| panic!("{name}: {e:?}"));
    let (one, other) = (cbor("ear-cbor-1.cbor"), json("ear-json-1.json"));
    assert_eq!(one.submods, other.submods);
    assert_eq!((one.issued_at, &one.verifier_id), (other.issued_at, &other.verifier_id));
    // The other pair of the draft are not twins: their statuses and vectors differ.
    for result in [one, cbor("ext-teep-cbor-1.cbor"), json("ext-teep-json-1.json")] {
        assert_eq!(ear_cbor::decode(&ear_cbor::encode(&result)).unwrap(), result);
    }
    assert_eq!(cbor("ear-cbor-1.cbor").tier(), Tier::Contraindicated);
    // It states none above a vector that affirms.
    assert_eq!(cbor("ext-teep-cbor-1.cbor").tier(), Tier::None);
    assert_eq!(json("ext-veraison-json-1.json").tier(), Tier::Contraindicated);
    assert_eq!(json("ext-veraison-json-2.json").tier(), Tier::Affirming);
}

#[test]
fn results_under_old_names_decode() {
    let Some(dir) = testkit::vectors("rats") else { return };
    let rows = [
        ("ear-arc/ear-claims.json", Tier::None),
        ("ear-arc/ear-claims-extension-ok.json", Tier::None),
        ("ear-arc/ear-claims-tv-ok.json", Tier::Affirming),
        ("ear-rust/claims.json", Tier::Affirming),
    ];
    for (name, tier) in rows {
        let result = ear_json::decode(&read(&dir.join(name))).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!(result.tier(), tier, "{name}");
        assert_eq!(result.submods["test"].policy_ids.len(), 1, "{name}");
    }
}

#[test]
fn appraisals_of_a_deployed_verifier_decode() {
    let Some(dir) = testkit::vectors("rats") else { return };
    let rows = [
        ("psa.good.json", Tier::Affirming),
        ("psa.badcrypto.json", Tier::Contraindicated),
        ("psa.badinstance.json", Tier::Contraindicated),
        ("psa.freshness-fail.json", Tier::Contraindicated),
        ("enacttrust.badnode.json", Tier::Contraindicated),
    ];
    for (name, tier) in rows {
        // The files hold the submods alone.
        let submods = String::from_utf8(read(&dir.join("veraison-integration-results").join(name))).unwrap();
        let head = r#"{"eat_profile":"tag:github.com,2023:veraison/ear","iat":1"#;
        let verifier = r#""ear.verifier-id":{"developer":"d","build":"b"}"#;
        let text = format!(r#"{head},{verifier},"submods":{submods}}}"#);
        let result = ear_json::decode(text.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!(result.tier(), tier, "{name}");
        assert!(result.is_consistent(), "{name}");
    }
}

#[test]
fn made_results_verify_or_are_refused_for_their_fault() {
    let Some(dir) = testkit::vectors("rats") else { return };
    let now = 1_780_000_100;
    let verify = |name: &str| -> Result<Tier, Error> {
        let bytes = read(&dir.join("ear-made").join(name));
        Ok(SignedResult::decode(&bytes)?.verify(&anchors(&dir), now, None)?.tier())
    };
    let rows: BTreeMap<_, _> = [
        ("cwt-affirming.cbor", Ok(Tier::Affirming)),
        ("cwt-warning.cbor", Ok(Tier::Warning)),
        ("cwt-none.cbor", Ok(Tier::None)),
        ("cwt-bad-optimistic.cbor", Err(Distrust::StatusBetterThanVector.into())),
        ("jwt-affirming.jwt", Ok(Tier::Affirming)),
        ("jwt-contraindicated.jwt", Ok(Tier::Contraindicated)),
        ("jwt-old-contraindicated.jwt", Ok(Tier::Contraindicated)),
    ]
    .into();
    for (name, expected) in rows {
        assert_eq!(verify(name), expected, "{name}");
    }
    match verify("cwt-bad-range.cbor") {
        Err(Error::Malformed(error)) => assert_eq!(error.reason, Reason::OutOfRange),
        other => panic!("{other:?}"),
    }
}
