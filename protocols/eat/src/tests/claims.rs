use std::collections::BTreeMap;

use cbor::{MapBuilder, Reader, Reason, Writer};
use cose::Sign1Builder;

use super::{key, nonce};
use crate::*;

fn decode(bytes: &[u8]) -> Result<Claims, Error> {
    Claims::decode(&mut Reader::new(bytes))
}

fn reason(bytes: &[u8]) -> Reason {
    match decode(bytes) {
        Err(Error::Malformed(error)) => error.reason,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

/// A claims-set of one claim.
fn one(label: i64, value: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut map = MapBuilder::new();
    map.int(label, value);
    map.into_bytes()
}

#[test]
fn every_claim_survives_a_round_trip_in_both_forms() {
    let claims = full();
    assert_eq!(decode(&claims.encode()).unwrap(), claims);
    assert_eq!(claims.other(-70000), Some([0x01].as_slice()));
    // In JSON claims have names only, and results the names of what was measured.
    assert_eq!(claims.encode_json(), Err(Error::Unsignable("a claim has no form in JSON")));
    let mut claims = claims;
    claims.others.remove(0);
    claims.measres[0].results.pop();
    let text = claims.encode_json().unwrap();
    assert_eq!(Claims::decode_json(text.as_bytes()).unwrap(), claims);
}

/// A claims-set with every claim.
pub(super) fn full() -> Claims {
    let version = |text: &str, scheme| Some(VersionText { text: text.into(), scheme });
    Claims {
        issuer: Some("i".into()),
        subject: Some("s".into()),
        audience: vec!["a".into(), "b".into()],
        expires_at: Some(20),
        not_before: Some(-5),
        issued_at: Some(10),
        token_id: Some(vec![7]),
        confirmation: Some(key(3).public_key().clone()),
        nonces: vec![nonce(1), nonce(2)],
        ueid: Ueid::new(&[1; 17]),
        sueids: BTreeMap::from([("owner".into(), Ueid::new(&[2; 33]).unwrap())]),
        oemid: Some(OemId::Pen(64242)),
        hwmodel: Some(vec![1; 32]),
        hwversion: version("3.1", Some(VersionScheme::Int(1))),
        uptime: Some(100),
        oemboot: Some(true),
        dbgstat: Some(DebugStatus::DisabledPermanently),
        location: Some(Location {
            latitude: Number::float(52.25),
            longitude: Number::Int(-1),
            altitude: Some(Number::float(-0.5)),
            accuracy: Some(Number::Int(1)),
            altitude_accuracy: Some(Number::Int(2)),
            heading: Some(Number::float(90.125)),
            speed: Some(Number::Int(0)),
            timestamp: Some(7),
            age: Some(8),
        }),
        profile: Some(Profile::Oid(vec![0x2a, 0x03])),
        submods: BTreeMap::from([(
            "sub".into(),
            Submodule::Claims(Box::new(Claims {
                oemid: Some(OemId::Ieee([1; 3])),
                oemboot: Some(false),
                ..Claims::default()
            })),
        )]),
        bootcount: Some(4),
        bootseed: Some(vec![5; 8]),
        dloas: vec![
            Dloa { registrar: "https://r.example".into(), platform: "p".into(), application: None },
            Dloa {
                registrar: "https://r.example".into(),
                platform: "p".into(),
                application: Some("a".into()),
            },
        ],
        swname: Some("n".into()),
        swversion: version("v", Some(VersionScheme::Text("calver".into()))),
        manifests: vec![Content::bytes(258, [0xa0])],
        measurements: vec![Content { format: 50, body: ContentBody::Text("{}".into()) }],
        measres: vec![MeasurementResults {
            system: "x".into(),
            results: vec![
                IndividualResult { id: ResultId::Text("a".into()), result: MeasurementResult::Success },
                IndividualResult { id: ResultId::Bytes(vec![1]), result: MeasurementResult::Absent },
            ],
        }],
        intuse: Some(5),
        others: vec![(ClaimKey::Int(-70000), vec![0x01]), (ClaimKey::Text("x".into()), vec![0x81, 0x02])],
    }
}

#[test]
fn lengths_hold_at_the_limit_and_one_past_it() {
    let bytes = |label, len: usize| one(label, |w| _ = w.bytes(&vec![1; len]));
    let rows = [
        (labels::NONCE, 8, 64, Reason::Rule("nonce is not of 8 to 64 bytes")),
        (labels::UEID, 7, 33, Reason::Rule("ueid is not of 7 to 33 bytes")),
    ];
    for (label, least, most, refusal) in rows {
        assert!(decode(&bytes(label, least)).is_ok());
        assert!(decode(&bytes(label, most)).is_ok());
        assert_eq!(reason(&bytes(label, least - 1)), refusal);
        assert_eq!(reason(&bytes(label, most + 1)), refusal);
    }
    let model = |len: usize| {
        let mut map = MapBuilder::new();
        map.int(labels::OEMID, |w| _ = w.uint(1)).int(labels::HWMODEL, |w| _ = w.bytes(&vec![1; len]));
        map.into_bytes()
    };
    assert!(decode(&model(1)).is_ok() && decode(&model(32)).is_ok());
    for len in [0, 33] {
        assert_eq!(reason(&model(len)), Reason::Rule("hwmodel is not of 1 to 32 bytes"));
    }
    let text = |len: usize| one(labels::SWNAME, |w| _ = w.text(&"x".repeat(len)));
    assert!(decode(&text(values::MAX_TEXT_LEN)).is_ok());
    assert_eq!(reason(&text(values::MAX_TEXT_LEN + 1)), Reason::TooLong { limit: values::MAX_TEXT_LEN });
    let claims = |count: usize| {
        let mut map = MapBuilder::new();
        (0..count as i64).for_each(|n| _ = map.int(-70000 - n, |w| _ = w.int(0)));
        map.into_bytes()
    };
    assert_eq!(decode(&claims(values::MAX_ENTRIES)).unwrap().others.len(), values::MAX_ENTRIES);
    assert_eq!(reason(&claims(values::MAX_ENTRIES + 1)), Reason::TooLong { limit: values::MAX_ENTRIES });
    let list = |count: usize| {
        one(labels::MANIFESTS, |w| {
            w.array(count);
            (0..count).for_each(|_| _ = w.array(2).int(1).bytes(&[]));
        })
    };
    assert!(decode(&list(values::MAX_ENTRIES)).is_ok());
    assert_eq!(reason(&list(values::MAX_ENTRIES + 1)), Reason::TooLong { limit: values::MAX_ENTRIES });
}

#[test]
fn refuses_claims_that_break_one_rule() {
    use cbor::Type;
    type Value = fn(&mut Writer);
    let rows: [(i64, Value, Reason); 24] = [
        (
            labels::IAT,
            |w| _ = w.float(1.5),
            Reason::WrongType { expected: Type::Integer, found: Type::Float },
        ),
        (labels::EXP, |w| _ = w.float(f64::INFINITY), Reason::OutOfRange),
        (labels::EXP, |w| _ = w.float(1e300), Reason::OutOfRange),
        (
            labels::NONCE,
            |w| _ = w.array(1).bytes(&[1; 8]),
            Reason::Rule("array of nonces has fewer than two"),
        ),
        (labels::NONCE, |w| _ = w.array(0), Reason::Rule("array is empty")),
        (labels::SUEIDS, |w| _ = w.map(0), Reason::Rule("map is empty")),
        (labels::SUEIDS, |w| _ = w.map(1).int(1).bytes(&[1; 7]), Reason::Rule("map key is not a text")),
        (labels::OEMID, |w| _ = w.bytes(&[1; 4]), Reason::Rule("oemid is not of 3 or 16 bytes")),
        (
            labels::OEMID,
            |w| _ = w.int(-1),
            Reason::WrongType { expected: Type::Unsigned, found: Type::Negative },
        ),
        (labels::HWMODEL, |w| _ = w.bytes(&[1; 4]), Reason::Rule("hwmodel without oemid")),
        (labels::HWVERSION, |w| _ = w.array(1).text("1"), Reason::Rule("hwversion without hwmodel")),
        (
            labels::HWVERSION,
            |w| _ = w.array(0),
            Reason::Rule("version is not an array of a text and a scheme"),
        ),
        (labels::OEMBOOT, |w| _ = w.bool(true), Reason::Rule("oemboot without oemid")),
        (labels::DBGSTAT, |w| _ = w.int(5), Reason::OutOfRange),
        (labels::SWVERSION, |w| _ = w.array(1).text("1"), Reason::Rule("swversion without swname")),
        (labels::MANIFESTS, |w| _ = w.array(1).array(2).int(65536).bytes(&[]), Reason::OutOfRange),
        (labels::AUD, |w| _ = w.array(0), Reason::Rule("array is empty")),
        (labels::DBGSTAT, |w| _ = w.int(3), Reason::Rule("dbgstat names the OEM without oemid")),
        (labels::LOCATION, |w| _ = w.map(1).int(1).int(0), Reason::MissingKey(2)),
        (labels::LOCATION, |w| _ = w.map(1).int(10).int(0), Reason::Unknown(10)),
        (labels::DLOAS, |w| _ = w.array(0), Reason::Rule("array is empty")),
        (
            labels::DLOAS,
            |w| _ = w.array(1).array(1).text("r"),
            Reason::Rule("dloa is not an array of a registrar and labels"),
        ),
        (labels::INTUSE, |w| _ = w.int(0), Reason::Rule("intuse is reserved")),
        (
            labels::MEASRES,
            |w| _ = w.array(1).array(2).text("s").array(1).array(2).text("r").int(5),
            Reason::OutOfRange,
        ),
    ];
    for (label, value, refusal) in rows {
        assert_eq!(reason(&one(label, value)), refusal, "claim {label}");
    }
}

#[test]
fn refuses_labelled_claims_under_their_names_and_takes_unknown_names() {
    for name in labels::NAMES {
        let mut map = MapBuilder::new();
        map.text(name, |w| _ = w.int(1));
        assert_eq!(
            reason(&map.into_bytes()),
            Reason::Rule("claim has a label and stands under its name"),
            "{name}"
        );
    }
    let mut map = MapBuilder::new();
    map.text("acme", |w| _ = w.int(1));
    assert_eq!(decode(&map.into_bytes()).unwrap().others.len(), 1);
    assert_eq!(reason(&[0xa1, 0xf4, 0x01]), Reason::Rule("claim key is neither integer nor text"));
}

#[test]
fn refuses_duplicates_disorder_and_trailing_bytes() {
    assert_eq!(reason(&[0xa2, 0x06, 0x01, 0x06, 0x01]), Reason::DuplicateKey);
    assert_eq!(reason(&[0xa2, 0x06, 0x01, 0x05, 0x01]), Reason::KeyOrder);
    assert_eq!(reason(&[0xa1, 0x06, 0x01, 0x00]), Reason::TrailingBytes);
}

#[test]
fn times_of_fractions_shorten_the_life_of_a_token() {
    let claims = |label, value| decode(&one(label, |w| _ = w.float(value))).unwrap();
    assert_eq!(claims(labels::EXP, 10.5).expires_at, Some(10));
    assert_eq!(claims(labels::EXP, -10.5).expires_at, Some(-11));
    assert_eq!(claims(labels::NBF, 10.5).not_before, Some(11));
    assert_eq!(claims(labels::NBF, -10.5).not_before, Some(-10));
    assert_eq!(claims(labels::NBF, 10.0).not_before, Some(10));
}

#[test]
fn the_kind_of_a_submodule_is_told_by_its_type() {
    let submodule = |write: fn(&mut Writer)| {
        let claims = decode(&one(labels::SUBMODS, |w| {
            w.map(1).text("s");
            write(w);
        }))?;
        assert_eq!(decode(&claims.encode()), Ok(claims.clone()));
        Ok::<_, Error>(claims.submods["s"].clone())
    };
    let token = |token| Ok(Submodule::Token(token));
    assert_eq!(submodule(|w| _ = w.bytes(&[0xd2])), token(NestedToken::Cbor(vec![0xd2])));
    assert_eq!(submodule(|w| _ = w.text("[\"JWT\", \"x\"]")), token(NestedToken::Jwt("x".into())));
    assert_eq!(submodule(|w| _ = w.text("[\"BUNDLE\",[1]]")), token(NestedToken::JsonBundle("[1]".into())));
    let digest = crypto::Digest::new(crypto::HashAlgorithm::Sha256, &[1; 32]).unwrap();
    for write in [(|w| _ = w.array(2).int(-16).bytes(&[1; 32])) as fn(&mut Writer), |w| {
        _ = w.array(2).text("SHA-256").bytes(&[1; 32])
    }] {
        assert_eq!(submodule(write), Ok(Submodule::Detached(digest)));
    }
    assert_eq!(submodule(|w| _ = w.map(0)), Ok(Submodule::Claims(Box::default())));
    let json = |rule| Err(JsonError::member("submods", rule).into());
    let rule = |at, rule| Err(cbor::Error::rule(at, rule).into());
    assert_eq!(submodule(|w| _ = w.text("[\"DIGEST\",[\"SHA-256\",\"\"]]")), json("selector names no token"));
    assert_eq!(submodule(|w| _ = w.text("[\"JWT\",1]")), json("JWT is not a text"));
    assert_eq!(submodule(|w| _ = w.text("{}")), json("expected an object or a selector"));
    assert_eq!(submodule(|w| _ = w.text("[\"BUNDLE\",{}]")), json("bundle is not an array"));
    assert_eq!(
        submodule(|w| _ = w.text("[\"CBOR\",\"0g\"]")),
        rule(7, "selector of a token in CBOR within CBOR")
    );
    assert_eq!(
        submodule(|w| _ = w.array(2).int(-14).bytes(&[1; 20])),
        rule(7, "hash algorithm is not supported")
    );
    assert_eq!(
        submodule(|w| _ = w.array(2).int(-16).bytes(&[1; 31])),
        rule(7, "digest has another length than its algorithm")
    );
}

#[test]
fn refuses_claims_in_json_that_break_one_rule() {
    let rows = [
        (r#"{"eat_nonce":"AAAAAAAAAA"}"#, "length is not allowed"),
        (r#"{"eat_nonce":["AAAAAAAAAAA"]}"#, "array of nonces has fewer than two"),
        (r#"{"eat_nonce":"AAAAAAAAAAA="}"#, "expected base64url without padding"),
        (r#"{"ueid":"AQ"}"#, "length is not allowed"),
        (r#"{"sueids":{}}"#, "map is empty"),
        (r#"{"iat":1.5}"#, "expected an integer"),
        (r#"{"exp":null}"#, "expected a time"),
        (r#"{"oemid":-1}"#, "not a number of an OEM"),
        (r#"{"oemid":"AAAAAA"}"#, "length is not allowed"),
        (r#"{"hwmodel":"AA"}"#, "hwmodel without oemid"),
        (r#"{"oemboot":true}"#, "oemboot without oemid"),
        (r#"{"oemboot":1}"#, "expected true or false"),
        (r#"{"dbgstat":"off"}"#, "debug status is not known"),
        (r#"{"dbgstat":"disabled-permanently"}"#, "dbgstat names the OEM without oemid"),
        (r#"{"swversion":["1"]}"#, "swversion without swname"),
        (r#"{"swname":"n","swversion":"1"}"#, "version is not an array of a text and a scheme"),
        (r#"{"uptime":-1}"#, "expected a number of zero or more"),
        (r#"{"location":{"latitude":1}}"#, "member is missing"),
        (r#"{"location":{"latitude":1,"longitude":"x"}}"#, "expected a number"),
        (r#"{"manifests":[]}"#, "expected an array of one item or more"),
        (r#"{"manifests":[[258,"="]]}"#, "body is not base64url"),
        (r#"{"manifests":[[65536,""]]}"#, "expected pairs of a content format and a text"),
        (r#"{"measres":[["s",[["r","good"]]]]}"#, "expected pairs of a system and its results"),
        (r#"{"intuse":"fun"}"#, "intended use is not known"),
        (r#"{"intuse":0}"#, "intuse is reserved"),
        (r#"{"submods":{"s":1}}"#, "expected an object or a selector"),
        (r#"{"submods":{"s":["DIGEST",["SHA-1",""]]}}"#, "hash algorithm is not supported"),
        (r#"{"submods":{"s":["DIGEST",["SHA-256","AA"]]}}"#, "digest is not an algorithm and its digest"),
        (r#"{"cnf":{}}"#, "expected one confirmation method"),
        (r#"{"ueid":"AQEBAQEBAQ","ueid":"AQEBAQEBAQ"}"#, "member occurs twice"),
        ("[]", "expected an object"),
    ];
    for (text, rule) in rows {
        match Claims::decode_json(text.as_bytes()) {
            Err(Error::MalformedJson(error)) => assert_eq!(error.rule, rule, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_token_lives_between_its_times_give_or_take_the_skew() {
    let claims = Claims { not_before: Some(100), expires_at: Some(200), ..Claims::default() };
    let rows = [
        (89, Err(Distrust::NotYetValid)),
        (90, Ok(())),
        (150, Ok(())),
        (209, Ok(())),
        (210, Err(Distrust::Expired)),
    ];
    for (now, expected) in rows {
        assert_eq!(claims.check_time(now, 10), expected, "{now}");
    }
    let claims = Claims { issued_at: Some(100), ..Claims::default() };
    assert_eq!(claims.check_time(99, 0), Err(Distrust::NotYetValid));
}

#[test]
fn confirmation_is_one_public_key() {
    let cnf = |write: fn(&mut Writer)| decode(&one(labels::CNF, write));
    assert_eq!(cnf(|w| _ = w.map(1).int(3).bytes(b"kid")), Err(Feature::Confirmation.into()));
    assert_eq!(cnf(|w| _ = w.map(0)), Err(Feature::Confirmation.into()));
    let two = one(labels::CNF, |w| {
        w.map(2).int(1).raw(&cose::Key::from_public(key(1).public_key()).encode()).int(2).int(0);
    });
    assert_eq!(reason(&two), Reason::Rule("more than one confirmation method"));
}

#[test]
fn tokens_of_other_kinds_are_named_not_misread() {
    let key = key(1);
    let sign1 = Sign1Builder::new().sign(&key, &one(labels::NONCE, |w| _ = w.bytes(&[1; 32])));
    let tagged = |tag, item: &[u8]| Writer::encode(|w| _ = w.tag(tag).raw(item));
    let accepted = [sign1.clone(), tagged(61, &sign1)];
    for bytes in &accepted {
        let claims = Token::decode(bytes).unwrap().verify(key.public_key(), &nonce(1)).unwrap();
        assert_eq!(claims.claims().nonces, [nonce(1)]);
        assert_eq!(
            Token::decode(bytes).unwrap().verify(key.public_key(), &nonce(2)),
            Err(Distrust::Nonce.into())
        );
    }
    let malformed = |at, rule| Error::Malformed(cbor::Error::rule(at, rule));
    let rows = [
        (tagged(601, &[0xa0]), Feature::UnprotectedClaimsSet.into()),
        (tagged(602, &[0x80]), Feature::DetachedBundle.into()),
        (tagged(61, &tagged(98, &[0x80])), Feature::Protection.into()),
        (tagged(61, &tagged(601, &[0xa0])), malformed(2, "expected a CWT")),
        (tagged(61, &sign1[1..]), malformed(2, "token is not tagged")),
        (sign1[1..].to_vec(), malformed(0, "token is not tagged")),
    ];
    for (bytes, error) in rows {
        assert_eq!(Token::decode(&bytes), Err(error));
    }
    assert_eq!(
        Token::decode(&vec![0; MAX_TOKEN_LEN + 1]),
        Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_TOKEN_LEN }).into())
    );
}
