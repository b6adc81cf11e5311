use cbor::{MapBuilder, Reason, Type, Writer};
use cose::{Distrust as CoseDistrust, Mac0Builder, MacKey, Sign1Builder};
use crypto::{Digest, HashAlgorithm};

use super::{distrust, key, nonce};
use crate::*;

fn instance() -> Ueid {
    Ueid::new(&[[0x01].as_slice(), &[2; 32]].concat()).unwrap()
}

fn component() -> SoftwareComponent {
    SoftwareComponent {
        measurement_type: Some("PRoT".into()),
        measurement: vec![3; 32],
        version: Some("1.2".into()),
        signer_id: vec![4; 32],
        description: Some("sha-256".into()),
    }
}

fn claims(profile: PsaProfile) -> PsaClaims {
    PsaClaims {
        profile,
        nonce: nonce(1),
        instance_id: instance(),
        boot_seed: Some(vec![5; 32]),
        client_id: -1,
        lifecycle: Lifecycle::new(0x3001).unwrap(),
        implementation_id: [6; 32],
        certification_reference: Some("1234567890123-12345".into()),
        components: vec![component()],
        verification_service: Some("https://verifier.example".into()),
    }
}

#[test]
fn claims_survive_a_round_trip_in_every_profile() {
    for profile in PsaProfile::ALL {
        let claims = claims(profile);
        assert_eq!(PsaClaims::decode(&claims.encode()), Ok(claims.clone()), "{profile:?}");
        let none = PsaClaims { components: Vec::new(), ..claims };
        let decoded = PsaClaims::decode(&none.encode());
        if profile == PsaProfile::Iot1 {
            assert_eq!(decoded, Ok(none));
        } else {
            assert_eq!(decoded, Err(cbor::Error::new(0, Reason::MissingKey(2399)).into()));
        }
    }
}

/// The claims of RFC 9783 with one value replaced, or left out.
fn altered(label: i64, value: Option<fn(&mut Writer)>) -> Result<PsaClaims, Error> {
    let encoded = claims(PsaProfile::Rfc9783).encode();
    let mut reader = cbor::Reader::new(&encoded);
    let mut map = reader.map().unwrap();
    let mut out = MapBuilder::new();
    while let Some(key) = map.next_int(&mut reader).unwrap() {
        let raw = reader.raw().unwrap();
        if key != label {
            out.int(key, |w| _ = w.raw(raw));
        }
    }
    if let Some(value) = value {
        out.int(label, value);
    }
    PsaClaims::decode(&out.into_bytes())
}

fn reason(result: Result<PsaClaims, Error>) -> Reason {
    match result {
        Err(Error::Malformed(error)) => error.reason,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[test]
fn refuses_claims_that_break_one_rule() {
    use labels::*;
    type Value = fn(&mut Writer);
    for label in [PROFILE, NONCE, UEID, PSA_CLIENT_ID, PSA_LIFECYCLE, PSA_IMPLEMENTATION_ID, PSA_COMPONENTS] {
        assert_eq!(altered(label, None), Err(cbor::Error::new(0, Reason::MissingKey(label)).into()));
    }
    for label in [BOOTSEED, PSA_CERTIFICATION, PSA_SERVICE] {
        assert!(altered(label, None).is_ok(), "{label} is optional");
    }
    assert!(altered(-1, Some(|w| _ = w.uint(1))).is_ok(), "unknown claims are ignored");
    let hash = Reason::Rule("bytes are not 32, 48 or 64");
    let instance = Reason::Rule("instance id is not 0x01 and 32 bytes");
    let seed = Reason::Rule("boot seed is not of 8 to 32 bytes");
    let reference = Reason::Rule("not the reference of a certification");
    let rows: [(i64, Value, Reason); 30] = [
        (
            NONCE,
            |w| _ = w.array(2).bytes(&[1; 32]).bytes(&[2; 32]),
            Reason::Rule("token has more than one nonce"),
        ),
        (NONCE, |w| _ = w.bytes(&[1; 31]), hash),
        (NONCE, |w| _ = w.bytes(&[1; 33]), hash),
        (NONCE, |w| _ = w.bytes(&[1; 65]), hash),
        (UEID, |w| _ = w.bytes(&[1; 32]), instance),
        (UEID, |w| _ = w.bytes(&[1; 34]), instance),
        (UEID, |w| _ = w.bytes(&[2; 33]), instance),
        (BOOTSEED, |w| _ = w.bytes(&[1; 7]), seed),
        (BOOTSEED, |w| _ = w.bytes(&[1; 33]), seed),
        (PSA_CLIENT_ID, |w| _ = w.int(0), Reason::OutOfRange),
        (PSA_CLIENT_ID, |w| _ = w.int(1 << 31), Reason::OutOfRange),
        (PSA_CLIENT_ID, |w| _ = w.int(-(1 << 31) - 1), Reason::OutOfRange),
        (PSA_LIFECYCLE, |w| _ = w.int(0x0100), Reason::OutOfRange),
        (PSA_LIFECYCLE, |w| _ = w.int(0x7000), Reason::OutOfRange),
        (PSA_LIFECYCLE, |w| _ = w.int(0x1_0000), Reason::OutOfRange),
        (
            PSA_IMPLEMENTATION_ID,
            |w| _ = w.bytes(&[1; 31]),
            Reason::Rule("byte string has another length than the format fixes"),
        ),
        (PSA_CERTIFICATION, |w| _ = w.text("1234567890123"), reference),
        (PSA_CERTIFICATION, |w| _ = w.text("123456789012-12345"), reference),
        (PSA_CERTIFICATION, |w| _ = w.text("1234567890123-1234x"), reference),
        (PSA_CERTIFICATION, |w| _ = w.text("1234567890123-12345-"), reference),
        (PSA_COMPONENTS, |w| _ = w.array(0), Reason::Rule("array is empty")),
        (PSA_COMPONENTS, |w| _ = w.array(1).map(0), Reason::MissingKey(2)),
        (PSA_COMPONENTS, |w| _ = w.array(1).map(1).int(2).bytes(&[1; 32]), Reason::MissingKey(5)),
        (PSA_COMPONENTS, |w| _ = w.array(1).map(1).int(2).bytes(&[1; 20]), hash),
        (PSA_COMPONENTS, |w| _ = w.array(1).map(2).int(2).bytes(&[1; 32]).int(5).bytes(&[1; 31]), hash),
        (
            PSA_COMPONENTS,
            |w| _ = w.array(1).map(1).text("2").bytes(&[1; 32]),
            Reason::Rule("map key is not an integer"),
        ),
        (PSA_SERVICE, |w| _ = w.text(""), Reason::Rule("text is empty")),
        (PSA_SERVICE, |w| _ = w.int(1), Reason::WrongType { expected: Type::Text, found: Type::Unsigned }),
        (IOT_PROFILE, |w| _ = w.text("PSA_IOT_PROFILE_1"), Reason::Rule("token names two profiles")),
        (PROFILE, |w| _ = w.bytes(&[0x2a]), Reason::WrongType { expected: Type::Text, found: Type::Bytes }),
    ];
    for (label, value, expected) in rows {
        assert_eq!(reason(altered(label, Some(value))), expected, "{label}");
    }
    for name in ["tag:psacertified.org,2023:psa#other", "PSA_IOT_PROFILE_1"] {
        let mut map = MapBuilder::new();
        map.int(PROFILE, |w| _ = w.text(name));
        assert_eq!(PsaClaims::decode(&map.into_bytes()), Err(Distrust::Profile.into()));
    }
    let mut map = MapBuilder::new();
    map.int(PROFILE, |w| _ = w.text(PsaProfile::Rfc9783.name())).text("psa-client-id", |w| _ = w.int(1));
    let refusal = reason(PsaClaims::decode(&map.into_bytes()));
    assert_eq!(refusal, Reason::Rule("claim has a label and stands under its name"));
}

#[test]
fn the_first_profile_is_known_by_its_labels_alone() {
    let encoded = claims(PsaProfile::Iot1).encode();
    let mut reader = cbor::Reader::new(&encoded);
    let mut map = reader.map().unwrap();
    let mut out = MapBuilder::new();
    while let Some(label) = map.next_int(&mut reader).unwrap() {
        let raw = reader.raw().unwrap();
        if label != labels::IOT_PROFILE {
            out.int(label, |w| _ = w.raw(raw));
        }
    }
    assert_eq!(PsaClaims::decode(&out.into_bytes()), Ok(claims(PsaProfile::Iot1)));
}

#[test]
fn only_two_states_are_worth_anything() {
    let rows = [
        (0x0000, LifecycleState::Unknown, false),
        (0x10ff, LifecycleState::AssemblyAndTest, false),
        (0x2000, LifecycleState::RotProvisioning, false),
        (0x3000, LifecycleState::Secured, true),
        (0x30ff, LifecycleState::Secured, true),
        (0x4000, LifecycleState::NonRotDebug, true),
        (0x5000, LifecycleState::RecoverableRotDebug, false),
        (0x60ff, LifecycleState::Decommissioned, false),
    ];
    for (value, state, trustworthy) in rows {
        let lifecycle = Lifecycle::new(value).unwrap();
        assert_eq!((lifecycle.state(), lifecycle.value()), (state, value));
        assert_eq!(lifecycle.state().is_trustworthy(), trustworthy, "{value:x}");
    }
    for value in [0x0100, 0x1100, 0x3f00, 0x6100, 0x7000, 0xffff] {
        assert_eq!(Lifecycle::new(value), None, "{value:x}");
    }
}

#[test]
fn tokens_verify_in_both_forms_and_give_a_view() {
    let claims = claims(PsaProfile::Rfc9783);
    let shared = MacKey::new(HashAlgorithm::Sha256, &[9; 32]).unwrap();
    let sign1 = Sign1Builder::new().kid(b"kid").sign(&key(1), &claims.encode());
    let mac0 = Mac0Builder::new().authenticate(&shared, &claims.encode());
    let signed = PsaToken::decode(&sign1).unwrap();
    assert_eq!(
        (signed.form(), signed.kid(), signed.certificates().len()),
        (TokenForm::Sign1, Some(b"kid".as_slice()), 0)
    );
    let authenticated = PsaToken::decode(&mac0).unwrap();
    assert_eq!(authenticated.form(), TokenForm::Mac0);
    assert!(authenticated.clone().verify(&shared, &nonce(1)).is_ok());
    assert_eq!(
        authenticated.verify(key(1).public_key(), &nonce(1)),
        Err(distrust(CoseDistrust::WrongAlgorithm(5)))
    );
    assert_eq!(signed.clone().verify(&shared, &nonce(1)), Err(distrust(CoseDistrust::WrongAlgorithm(-7))));
    assert_eq!(
        signed.clone().verify(key(2).public_key(), &nonce(1)),
        Err(distrust(CoseDistrust::BadSignature))
    );
    assert_eq!(signed.clone().verify(key(1).public_key(), &nonce(2)), Err(Distrust::Nonce.into()));
    let verified = signed.verify(key(1).public_key(), &nonce(1)).unwrap();
    let view = EvidenceView::from(&verified);
    assert_eq!(view.instance.as_deref(), Some(instance().as_bytes()));
    assert_eq!(view.implementation.as_deref(), Some([6; 32].as_slice()));
    assert_eq!(view.lifecycle.unwrap().state(), LifecycleState::Secured);
    let [item] = view.items.as_slice() else { panic!("one component") };
    assert_eq!(item.signers, [vec![4; 32]]);
    assert_eq!(item.digests, [Digest::new(HashAlgorithm::Sha256, &[3; 32]).unwrap()]);
    assert_eq!(
        (item.name.as_deref(), item.version.as_deref(), &item.raw),
        (Some("PRoT"), Some("1.2"), &None)
    );
}

#[test]
fn envelopes_take_long_heads_and_no_open_lengths() {
    let claims = claims(PsaProfile::Rfc9783);
    let sign1 = Sign1Builder::new().sign(&key(1), &claims.encode());
    // The array of four with its count in two bytes.
    let long = [&[0xd2, 0x98, 0x04], &sign1[2..]].concat();
    assert!(PsaToken::decode(&long).unwrap().verify(key(1).public_key(), &nonce(1)).is_ok());
    let open = [&[0xd2, 0x9f], &sign1[2..], &[0xff]].concat();
    assert_eq!(PsaToken::decode(&open), Err(cbor::Error::new(1, Reason::IndefiniteLength).into()));
    // A claims-set with its count in two bytes, the first pair last, and one of open length.
    let encoded = claims.encode();
    let wide = [&[0xb8, encoded[0] & 0x1f], &encoded[1..]].concat();
    assert_eq!(PsaClaims::decode(&wide), Ok(claims));
    let open = [&[0xbf], &encoded[1..], &[0xff]].concat();
    assert_eq!(PsaClaims::decode(&open), Err(cbor::Error::new(0, Reason::IndefiniteLength).into()));
    let expected = cbor::Error::rule(0, "expected a COSE_Sign1 or COSE_Mac0");
    let cwt = [&[0xd8, 0x3d], sign1.as_slice()].concat();
    assert_eq!(PsaToken::decode(&cwt), Err(expected.into()));
    assert_eq!(PsaToken::decode(&[0xd8, 0x62, 0x80]), Err(Feature::Protection.into()));
}

#[test]
fn a_measurement_is_a_digest_by_its_name_or_its_length() {
    let digest = |description: Option<&str>, len, default| {
        let description = description.map(Into::into);
        let component = SoftwareComponent { description, measurement: vec![1; len], ..component() };
        component.digest(default).map(|digest| digest.algorithm())
    };
    assert_eq!(digest(Some("SHA256"), 32, None), Some(HashAlgorithm::Sha256));
    assert_eq!(digest(Some("sha-512"), 64, None), Some(HashAlgorithm::Sha512));
    assert_eq!(digest(Some("sha-512"), 32, None), None);
    assert_eq!(digest(Some("TF-M_SHA256MemPreXIP"), 32, None), None);
    assert_eq!(digest(None, 48, None), Some(HashAlgorithm::Sha384));
    assert_eq!(digest(None, 32, Some(HashAlgorithm::Sha256)), Some(HashAlgorithm::Sha256));
    assert_eq!(digest(None, 64, Some(HashAlgorithm::Sha256)), None);
}
