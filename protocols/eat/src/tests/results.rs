use std::collections::BTreeMap;

use cbor::{Reason as Why, Writer};
use cose::{Distrust as CoseDistrust, Purpose, Sign1Builder, TrustAnchors};
use crypto::SignatureAlgorithm;

use super::{anchor, distrust, key, key_of, nonce};
use crate::{Error, *};

const NOW: i64 = 1_800_000_000;

fn result() -> AttestationResult {
    let vector = TrustVector::new()
        .with(Category::InstanceIdentity, 2)
        .with(Category::Executables, 3)
        .with(Category::Hardware, -5);
    let appraisal = Appraisal {
        policy_ids: vec!["policy:1#abc".into()],
        nonce: Some(nonce(9)),
        profile: Some(EVIDENCE_PROFILE.into()),
        release: Some(vec![6; 32]),
        reasons: vec![Reason::new("release-matched").with("release", "1.2.3"), Reason::new("plain")],
        ..Appraisal::new(vector)
    };
    let verifier = VerifierId { developer: "https://acme.example".into(), build: "1 \"beta\"".into() };
    AttestationResult {
        nonce: Some(nonce(8)),
        ueid: Ueid::new(&[1; 17]),
        confirmation: Some(key(5).public_key().clone()),
        status: Some(Tier::Affirming),
        submods: BTreeMap::from([("device".into(), appraisal)]),
        ..AttestationResult::new(verifier, NOW, NOW + 300)
    }
}

fn cwt(result: &AttestationResult) -> Vec<u8> {
    // Around the signer's own check, as a verifier gone astray would.
    Sign1Builder::new().kid(b"kid").sign(&key(1), &ear_cbor::encode(result))
}

fn jwt(result: &AttestationResult) -> Vec<u8> {
    jws::sign(&ear_json::encode(result).expect("has a form in JSON"), &key(1), b"kid").into_bytes()
}

fn verify(bytes: &[u8], now: i64, expected: Option<&Nonce>) -> Result<Tier, Error> {
    Ok(SignedResult::decode(bytes)?.verify(&anchor(&key(1), Purpose::Result), now, expected)?.tier())
}

#[test]
fn both_forms_say_the_same() {
    for algorithm in SignatureAlgorithm::STATELESS {
        let key = key_of(algorithm, 1);
        let anchors = anchor(&key, Purpose::Result);
        let cwt = result().sign_cwt(&key, b"kid").unwrap();
        let jwt = result().sign_jwt(&key, b"kid").unwrap();
        for bytes in [cwt.as_slice(), jwt.as_bytes()] {
            let verified =
                SignedResult::decode(bytes).unwrap().verify(&anchors, NOW, Some(&nonce(8))).unwrap();
            assert_eq!(verified.result(), &result());
            assert_eq!((verified.tier(), verified.expires_at()), (Tier::Affirming, Some(NOW + 300)));
            assert_eq!((verified.as_bytes(), verified.verifier().name.as_str()), (bytes, "test"));
            assert_eq!(verified.appraisal("device").unwrap().reasons.len(), 2);
        }
    }
}

#[test]
fn a_result_is_bound_to_its_device_and_key() {
    let bytes = cwt(&result());
    let verified = SignedResult::decode(&bytes).unwrap();
    let verified = verified.verify(&anchor(&key(1), Purpose::Result), NOW, None).unwrap();
    let (ueid, other) = (Ueid::new(&[1; 17]).unwrap(), Ueid::new(&[2; 17]).unwrap());
    assert!(verified.is_bound_to(&ueid, key(5).public_key()));
    assert!(!verified.is_bound_to(&other, key(5).public_key()));
    assert!(!verified.is_bound_to(&ueid, key(6).public_key()));
}

#[test]
fn bindings_to_keys_of_every_algorithm_go_both_ways() {
    for algorithm in SignatureAlgorithm::STATELESS {
        let bound =
            AttestationResult { confirmation: Some(key_of(algorithm, 5).public_key().clone()), ..result() };
        for bytes in [cwt(&bound), jwt(&bound)] {
            assert_eq!(SignedResult::decode(&bytes).unwrap().unverified(), &bound);
        }
    }
}

#[test]
fn a_relying_party_refuses_in_both_forms_alike() {
    let with_status = |status, vector| AttestationResult {
        status: None,
        submods: BTreeMap::from([("x".into(), Appraisal { status, ..Appraisal::new(vector) })]),
        ..result()
    };
    let contraindicated = TrustVector::new().with(Category::Executables, 96);
    let rows: [(AttestationResult, i64, Option<u8>, Error); 10] = [
        (result(), NOW + 300, None, Distrust::Expired.into()),
        (result(), NOW - MAX_CLOCK_SKEW - 1, None, Distrust::NotYetValid.into()),
        (result(), NOW, Some(7), Distrust::Nonce.into()),
        (AttestationResult { nonce: None, ..result() }, NOW, Some(8), Distrust::Nonce.into()),
        (AttestationResult { profile: "tag:acme".into(), ..result() }, NOW, None, Distrust::Profile.into()),
        (with_status(Tier::Affirming, contraindicated), NOW, None, Distrust::StatusBetterThanVector.into()),
        (with_status(Tier::Warning, contraindicated), NOW, None, Distrust::StatusBetterThanVector.into()),
        (with_status(Tier::None, contraindicated), NOW, None, Distrust::StatusBetterThanVector.into()),
        (
            with_status(Tier::Affirming, TrustVector::new()),
            NOW,
            None,
            Distrust::StatusBetterThanVector.into(),
        ),
        (
            AttestationResult {
                status: Some(Tier::Affirming),
                ..with_status(Tier::Contraindicated, contraindicated)
            },
            NOW,
            None,
            Distrust::StatusBetterThanVector.into(),
        ),
    ];
    for (row, (result, now, expected, error)) in rows.into_iter().enumerate() {
        for bytes in [cwt(&result), jwt(&result)] {
            assert_eq!(verify(&bytes, now, expected.map(nonce).as_ref()), Err(error), "row {row}");
        }
    }
    for bytes in [cwt(&result()), jwt(&result())] {
        assert_eq!(verify(&bytes, NOW + 299, Some(&nonce(8))), Ok(Tier::Affirming));
        assert_eq!(verify(&bytes, NOW - MAX_CLOCK_SKEW, None), Ok(Tier::Affirming));
    }
}

#[test]
fn nothing_but_zeros_and_no_vector_at_all_are_not_affirming() {
    let zeros = Appraisal::new(TrustVector::new());
    let without = Appraisal { status: Tier::Affirming, vector: None, ..zeros.clone() };
    for appraisal in [zeros, without] {
        let submods = BTreeMap::from([("x".into(), appraisal)]);
        let result = AttestationResult { status: None, submods, ..result() };
        for bytes in [cwt(&result), jwt(&result)] {
            assert_eq!(verify(&bytes, NOW, None), Ok(Tier::None));
        }
    }
}

#[test]
fn refuses_other_keys_other_purposes_and_altered_bytes() {
    let anchors_of = |seed, purpose| anchor(&key(seed), purpose);
    let check = |bytes: &[u8], anchors: &TrustAnchors| {
        SignedResult::decode(bytes).and_then(|signed| signed.verify(anchors, NOW, None).map(|_| ()))
    };
    for bytes in [cwt(&result()), jwt(&result())] {
        assert_eq!(check(&bytes, &anchors_of(1, Purpose::Result)), Ok(()));
        assert_eq!(check(&bytes, &anchors_of(2, Purpose::Result)), Err(distrust(CoseDistrust::BadSignature)));
        for purpose in Purpose::ALL.into_iter().filter(|purpose| *purpose != Purpose::Result) {
            assert_eq!(
                check(&bytes, &anchors_of(1, purpose)),
                Err(distrust(CoseDistrust::NoKey)),
                "{purpose}"
            );
        }
        let mut altered = bytes.clone();
        let last = altered.len() - 10;
        altered[last] = if altered[last] == b'A' { b'B' } else { b'A' };
        assert_eq!(
            check(&altered, &anchors_of(1, Purpose::Result)),
            Err(distrust(CoseDistrust::BadSignature))
        );
    }
}

#[test]
fn hash_based_keys_have_no_form_in_json() {
    let levels = [(crypto::LmsType::H5, crypto::LmotsType::W8)];
    let hash_based = crypto::HssSigningKey::from_seed(&levels, &[7; 32]).expect("a key");
    let result = AttestationResult { confirmation: Some(hash_based.public_key().clone()), ..result() };
    let refusal = Error::Unsignable("an HSS/LMS key has no form as JWK");
    assert_eq!(result.sign_jwt(&key(1), b"kid"), Err(refusal));
    assert!(result.sign_cwt(&key(1), b"kid").is_ok(), "COSE has one");
    let made_up = format!(
        r#"{{"kty":"AKP","alg":"HSS-LMS","pub":"{}"}}"#,
        base64url::encode(hash_based.public_key().as_bytes())
    );
    assert_eq!(jwk::decode(&json::Value::parse(made_up.as_bytes()).expect("JSON")), None);
}

#[test]
fn refuses_jws_headers_that_are_not_understood() {
    let text = |header: &str| {
        let part = |text: &str| base64url::encode(text.as_bytes());
        format!(
            "{}.{}.{}",
            part(header),
            part(&ear_json::encode(&result()).expect("has a form in JSON")),
            part("signature")
        )
        .into_bytes()
    };
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":7}"#,
        r#"{"alg":"ES256","crit":["x"],"x":1}"#,
    ] {
        assert_eq!(SignedResult::decode(&text(header)), Err(Feature::JwsHeader.into()), "{header}");
    }
    let twice = text(r#"{"alg":"ES256","alg":"none"}"#);
    assert_eq!(SignedResult::decode(&twice), Err(JsonError::at(15, "member occurs twice").into()));
    for malformed in ["eyJ9", "eyJ9.eyJ9", "eyJ9.eyJ9.e.e", "eyJ9.eyJ9=.AAAA"] {
        assert!(
            matches!(SignedResult::decode(malformed.as_bytes()), Err(Error::MalformedJson(_))),
            "{malformed}"
        );
    }
}

#[test]
fn refuses_cbor_results_that_break_one_rule() {
    let appraisal = |write: &dyn Fn(&mut Writer)| {
        Writer::encode(|w| {
            w.map(4).int(6).int(NOW).int(265).text(RESULT_PROFILE).int(266).map(1).text("x");
            write(w);
            w.int(1004).map(2).int(0).text("d").int(1).text("b");
        })
    };
    type Write<'a> = &'a dyn Fn(&mut Writer);
    let rows: [(Write<'_>, Why); 6] = [
        (&|w| _ = w.map(0), Why::MissingKey(1000)),
        (&|w| _ = w.map(1).int(1000).int(1), Why::Rule("status is not a trust tier")),
        (&|w| _ = w.map(2).int(1000).int(0).int(1001).map(0), Why::Rule("trust vector is empty")),
        (&|w| _ = w.map(2).int(1000).int(0).int(1001).map(1).int(8).int(2), Why::Unknown(8)),
        (&|w| _ = w.map(2).int(1000).int(0).int(1001).map(1).int(0).int(128), Why::OutOfRange),
        (
            &|w| _ = w.map(2).int(10).bytes(&[1; 7]).int(1000).int(0),
            Why::Rule("nonce is not of 8 to 64 bytes"),
        ),
    ];
    let decode =
        |payload: &[u8]| SignedResult::decode(&Sign1Builder::new().sign(&key(1), payload)).map(|_| ());
    assert_eq!(decode(&appraisal(&|w| _ = w.map(1).int(1000).int(0))), Ok(()));
    for (row, (write, reason)) in rows.into_iter().enumerate() {
        assert!(
            matches!(decode(&appraisal(write)), Err(Error::Malformed(error)) if error.reason == reason),
            "row {row}"
        );
    }
    let missing = |label| Err(Error::Malformed(cbor::Error::new(0, Why::MissingKey(label))));
    assert_eq!(decode(&[0xa0]), missing(265));
    let many = |count: usize| {
        let submods = (0..count).map(|n| (n.to_string(), Appraisal::new(TrustVector::new()))).collect();
        AttestationResult { submods, status: None, ..result() }
    };
    assert_eq!(decode(&ear_cbor::encode(&many(MAX_SUBMODS))), Ok(()));
    assert!(decode(&ear_cbor::encode(&many(MAX_SUBMODS + 1))).is_err());
    assert!(
        ear_json::decode(ear_json::encode(&many(MAX_SUBMODS + 1)).expect("has a form in JSON").as_bytes())
            .is_err()
    );
}

#[test]
fn refuses_json_results_that_break_one_rule() {
    let text = |from: &str, to: &str| {
        let good = r#"{"eat_profile":"p","iat":1,"ear_verifier_id":{"developer":"d","build":"b"},"submods":{"x":{"ear_status":"none","ear_trustworthiness_vector":{"hardware":0}}}}"#;
        assert!(good.contains(from));
        good.replacen(from, to, 1)
    };
    let member = |name, rule| Err(Error::MalformedJson(JsonError { place: JsonPlace::Member(name), rule }));
    let rows = [
        (text(r#""iat":1"#, r#""iat":1.0"#), member("iat", "expected an integer")),
        (text(r#""iat":1,"#, ""), member("iat", "member is missing")),
        (text(r#""p""#, "1"), member("eat_profile", "expected a text")),
        (text(r#""none""#, r#""great""#), member("ear_status", "status is not a trust tier")),
        (text(r#""none""#, "0"), member("ear_status", "status is not a trust tier")),
        (
            text(r#""ear_status""#, r#""ear.status":"none","ear_status""#),
            member("ear_status", "member occurs under two names"),
        ),
        (text(r#"{"hardware":0}"#, "{}"), member("ear_trustworthiness_vector", "trust vector is empty")),
        (text("hardware", "software"), member("ear_trustworthiness_vector", "category is not known")),
        (
            text(":0}", ":-129}"),
            member("ear_trustworthiness_vector", "claim is not an integer from -128 to 127"),
        ),
        (
            text(r#""submods":{"#, r#""submods":{},"other":{"#),
            member("submods", "expected 1 to 64 appraisals"),
        ),
        (
            text(r#""iat":1"#, r#""eat_nonce":"AAAAAAAAAA","iat":1"#),
            member("eat_nonce", "length is not allowed"),
        ),
        (
            text(r#""iat":1"#, r#""ueid":"====","iat":1"#),
            member("ueid", "expected base64url without padding"),
        ),
        (text(r#""iat":1"#, r#""cnf":{},"iat":1"#), member("cnf", "expected one confirmation method")),
        (
            text(r#""iat":1"#, r#""cnf":{"jwk":{}},"iat":1"#),
            member("jwk", "not a public key of a known curve"),
        ),
        (text(r#""iat":1"#, r#""cnf":{"kid":"x"},"iat":1"#), Err(Feature::Confirmation.into())),
        ("[]".into(), Err(JsonError::at(0, "expected an object").into())),
    ];
    for (text, error) in rows {
        assert_eq!(ear_json::decode(text.as_bytes()), error, "{text}");
    }
}

#[test]
fn a_verifier_cannot_sign_what_no_relying_party_would_take() {
    let key = key(1);
    let rows = [
        (AttestationResult { submods: BTreeMap::new(), ..result() }, "result has not 1 to 64 appraisals"),
        (AttestationResult { expires_at: None, ..result() }, "result has no lifetime"),
        (AttestationResult { expires_at: Some(NOW), ..result() }, "result has no lifetime"),
        (AttestationResult { profile: "x".into(), ..result() }, "profile is not known"),
        (
            AttestationResult {
                submods: BTreeMap::from([(
                    "x".into(),
                    Appraisal { status: Tier::Affirming, ..Appraisal::new(TrustVector::VALIDATION_FAILED) },
                )]),
                ..result()
            },
            "status is better than its trust vector",
        ),
    ];
    for (result, rule) in rows {
        assert_eq!(result.sign_cwt(&key, b"kid"), Err(Error::Unsignable(rule)));
        assert_eq!(result.sign_jwt(&key, b"kid"), Err(Error::Unsignable(rule)));
    }
}

/// A result with all that a verifier may add.
fn extended(profile: &str) -> AttestationResult {
    let mut result = AttestationResult { profile: profile.into(), ..result() };
    result.raw_evidence = Some(if profile == RESULT_PROFILE {
        RawEvidence::Record(CmwRecord::new("application/eat+cwt", [1, 2]).unwrap())
    } else {
        RawEvidence::Bytes(vec![1, 2])
    });
    result.topology = BTreeMap::from([("device".into(), vec!["part".into()])]);
    let appraisal = result.submods.get_mut("device").unwrap();
    let map = |name: &str| Writer::encode(|w| _ = w.map(1).text(name).text("v"));
    appraisal.attester_claims = vec![(ClaimKey::Text("a".into()), map("x"))];
    appraisal.verifier_claims = vec![(ClaimKey::Text("v".into()), map("y"))];
    appraisal.extensions = BTreeMap::from([
        (ResultExtension::TeepClaims, map("ueid")),
        (ResultExtension::AnnotatedEvidence, map("e")),
        (ResultExtension::PolicyClaims, map("p")),
        (ResultExtension::KeyAttestation, Writer::encode(|w| _ = w.map(1).text("akpub").text("AQID"))),
    ]);
    result
}

#[test]
fn every_profile_is_made_in_both_forms_with_its_own_names() {
    for profile in [RESULT_PROFILE, PREVIOUS_RESULT_PROFILE, OLD_RESULT_PROFILE] {
        let result = extended(profile);
        let cwt = result.sign_cwt(&key(1), b"kid").unwrap();
        let jwt = result.sign_jwt(&key(1), b"kid").unwrap();
        for bytes in [cwt.as_slice(), jwt.as_bytes()] {
            let signed = SignedResult::decode(bytes).unwrap();
            assert_eq!(signed.unverified(), &result, "{profile}");
            assert!(signed.verify(&anchor(&key(1), Purpose::Result), NOW, None).is_ok());
        }
        let text = ear_json::encode(&result).unwrap();
        let old = profile == OLD_RESULT_PROFILE;
        for (name, old_name) in [
            ("ear_status", "ear.status"),
            ("ear_trustworthiness_vector", "ear.trustworthiness-vector"),
            ("ear_raw_evidence", "ear.raw-evidence"),
            ("ear_verifier_id", "ear.verifier-id"),
            ("ear_veraison_key_attestation", "ear.veraison.key-attestation"),
        ] {
            assert_eq!((text.contains(name), text.contains(old_name)), (!old, old), "{profile} {name}");
        }
        assert_eq!(text.contains(r#""ear.appraisal-policy-id":"policy:1#abc""#), old);
        assert_eq!(text.contains(r#""ear_appraisal_policy_ids":["policy:1#abc"]"#), !old);
        assert_eq!(result.submods["device"].attested_key(), Some(vec![1, 2, 3]));
    }
    // In CBOR the key is bytes.
    let value = Writer::encode(|w| _ = w.map(2).int(1).int(1).text("akpub").bytes(&[7]));
    let mut appraisal = Appraisal::new(TrustVector::new());
    appraisal.extensions.insert(ResultExtension::KeyAttestation, value);
    assert_eq!(appraisal.attested_key(), Some(vec![7]));
}

#[test]
fn a_result_is_made_by_the_rules_of_its_profile() {
    let refused = |change: fn(&mut AttestationResult), profile: &str| {
        let mut result = extended(profile);
        change(&mut result);
        match result.sign_cwt(&key(1), b"kid") {
            Err(Error::Unsignable(rule)) => rule,
            other => panic!("{other:?}"),
        }
    };
    let raw = "raw evidence has another form in this profile";
    assert_eq!(refused(|r| r.raw_evidence = Some(RawEvidence::Bytes(vec![1])), RESULT_PROFILE), raw);
    let record = |r: &mut AttestationResult| {
        r.raw_evidence = Some(RawEvidence::Record(CmwRecord::new("application/eat+cwt", [1]).unwrap()));
    };
    assert_eq!(refused(record, PREVIOUS_RESULT_PROFILE), raw);
    assert_eq!(refused(record, OLD_RESULT_PROFILE), raw);
    let two = |r: &mut AttestationResult| r.submods.get_mut("device").unwrap().policy_ids.push("2".into());
    assert_eq!(refused(two, OLD_RESULT_PROFILE), "old profile names one policy only");
    let empty = |r: &mut AttestationResult| {
        let extensions = &mut r.submods.get_mut("device").unwrap().extensions;
        extensions.insert(ResultExtension::KeyAttestation, vec![0xa0]);
    };
    assert_eq!(refused(empty, RESULT_PROFILE), "key attestation has no key");
    let number = |r: &mut AttestationResult| {
        let extensions = &mut r.submods.get_mut("device").unwrap().extensions;
        extensions.insert(ResultExtension::PolicyClaims, vec![0x01]);
    };
    assert_eq!(refused(number, RESULT_PROFILE), "extension is not a map");
}

#[test]
fn refuses_what_others_add_where_it_breaks_a_rule() {
    let json = |top: &str, appraisal: &str| {
        let text = format!(
            r#"{{"eat_profile":"{RESULT_PROFILE}","iat":1,"ear_verifier_id":{{"developer":"d","build":"b"}}{top},"submods":{{"x":{{"ear_status":"none"{appraisal}}}}}}}"#
        );
        match ear_json::decode(text.as_bytes()) {
            Err(Error::MalformedJson(error)) => Some(error.rule),
            Ok(_) => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(json("", ""), None);
    let rows = [
        (r#","ear_raw_evidence":"=""#, "", "expected base64url without padding"),
        (r#","ear_raw_evidence":{"a":["a/b",""]}"#, "", "raw evidence is a collection"),
        (r#","ear_device_topology":{}"#, "", "expected lists of one part or more"),
        (r#","ear_device_topology":{"a":[]}"#, "", "expected lists of one part or more"),
        ("", r#","ear_attester_claims":{}"#, "map is empty"),
        ("", r#","ear_attester_claims":1"#, "expected an object"),
        ("", r#","ear_verifier_claims":{}"#, "map is empty"),
        ("", r#","ear_veraison_policy_claims":1"#, "extension is not a map"),
        ("", r#","ear.veraison.key-attestation":{}"#, "key attestation has no key"),
        ("", r#","ear_teep_claims":{"a":1},"ear.teep-claims":{"a":1}"#, "member occurs under two names"),
    ];
    for (top, appraisal, rule) in rows {
        assert_eq!(json(top, appraisal), Some(rule), "{top}{appraisal}");
    }
    let cbor = |label: i64, write: fn(&mut Writer), inside: bool| {
        let mut appraisal = cbor::MapBuilder::new();
        appraisal.int(labels::EAR_STATUS, |w| _ = w.uint(0));
        let mut map = cbor::MapBuilder::new();
        map.int(labels::PROFILE, |w| _ = w.text(RESULT_PROFILE)).int(labels::IAT, |w| _ = w.uint(1));
        map.int(labels::EAR_VERIFIER_ID, |w| _ = w.map(2).int(0).text("d").int(1).text("b"));
        if inside { &mut appraisal } else { &mut map }.int(label, write);
        map.int(labels::SUBMODS, |w| appraisal.write(w.map(1).text("x")));
        match ear_cbor::decode(&map.into_bytes()) {
            Err(Error::Malformed(error)) => error.reason,
            other => panic!("{other:?}"),
        }
    };
    let rule = Why::Rule;
    let collection = |w: &mut Writer| _ = w.map(1).int(1).array(2).uint(1).bytes(&[]);
    assert_eq!(cbor(labels::EAR_RAW_EVIDENCE, collection, false), rule("raw evidence is a collection"));
    assert_eq!(
        cbor(labels::EAR_TOPOLOGY, |w| _ = w.map(1).text("a").array(0), false),
        rule("array is empty")
    );
    assert_eq!(cbor(labels::EAR_ATTESTER_CLAIMS, |w| _ = w.map(0), true), rule("map is empty"));
    assert_eq!(cbor(labels::EAR_VERIFIER_CLAIMS, |w| _ = w.map(0), true), rule("map is empty"));
    assert_eq!(cbor(-70_001, |w| _ = w.uint(1), true), rule("extension is not a map"));
    assert_eq!(
        cbor(-70_002, |w| _ = w.map(1).text("akpub").uint(1), true),
        rule("key attestation has no key")
    );
}

#[test]
fn results_are_read_up_to_their_size_limit() {
    for bytes in [vec![b'e'; MAX_RESULT_LEN + 1], vec![0xd2; MAX_RESULT_LEN + 1]] {
        let error = cbor::Error::new(0, Why::TooLong { limit: MAX_RESULT_LEN });
        assert_eq!(SignedResult::decode(&bytes), Err(error.into()));
    }
    assert!(matches!(SignedResult::decode(&vec![b'e'; MAX_RESULT_LEN]), Err(Error::MalformedJson(_))));
}
