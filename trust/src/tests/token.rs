//! Entity attestation tokens with parts: each judged for itself, and the whole affirmed only where all are.

use alloc::{collections::BTreeMap, format, string::String, vec, vec::Vec};

use corim::{
    Comid, Corim, CryptoKey, Environment, Instance, KeyTriple, MeasuredElement, Measurement,
    MeasurementValues, Received, Tag, TagId, TagIdentity, Triples, ValuesTriple,
};
use coswid::{Entity, File, Hash, Role, TagBuilder, VersionScheme};
use crypto::{Digest, HashAlgorithm, PublicKey, SigningKey};
use eat::{
    Bundle, Claims, Cmw, CmwRecord, Content, DebugStatus, MeasuredComponent, MeasuredComponentFormats,
    MediaType, NestedToken, Nonce, Submodule, Tier, Ueid, UnprotectedClaims,
};
use x509::pem;

use super::{
    attester::beliefs,
    fixture::{NOW, key},
};
use crate::{Beliefs, Code, Endorsements, ForeignEvidence, corroborate, unwrap_evidence};

const CWT: &str = "application/eat+cwt";
const FORMATS: MeasuredComponentFormats = MeasuredComponentFormats { cbor: 65000, json: 65001 };

fn nonce() -> Nonce {
    Nonce::new(&[7; 32]).unwrap()
}

fn digest(content: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, content.as_bytes())
}

fn ueid(byte: u8) -> Vec<u8> {
    [&[1][..], &[byte; 16]].concat()
}

fn instance(byte: u8) -> Environment {
    Environment { instance: Some(Instance::Ueid(ueid(byte))), ..Environment::default() }
}

/// The environment of a part of a device that calls it by a name.
fn part(byte: u8, name: &str) -> Environment {
    let id = [&ueid(byte)[..], b"/", name.as_bytes()].concat();
    Environment { instance: Some(Instance::Bytes(id)), ..Environment::default() }
}

fn accept(bytes: &[u8]) -> corim::VerifiedCorim {
    match Received::decode(bytes).unwrap() {
        Received::Unsigned(manifest) => manifest.trusted_by_operator("operator", vec![], NOW).unwrap(),
        Received::Signed(_) => panic!("these are unsigned"),
    }
}

/// Adds a manifest of keys and reference values: an element and its content.
fn add(
    endorsements: &mut Endorsements,
    environment: &Environment,
    key: Option<&PublicKey>,
    expected: &[(&str, &str)],
) {
    let pem = |key: &PublicKey| CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &key.to_spki_der()));
    let keys = key.map(|key| KeyTriple {
        environment: environment.clone(),
        keys: vec![pem(key)],
        element: None,
        authorized_by: vec![],
    });
    let measurement = |(name, content): &(&str, &str)| Measurement {
        key: Some(MeasuredElement::Name((*name).into())),
        ..Measurement::new(MeasurementValues {
            digests: vec![digest(content).into()],
            ..MeasurementValues::default()
        })
    };
    let measurements: Vec<_> = expected.iter().map(measurement).collect();
    let reference =
        (!measurements.is_empty()).then(|| ValuesTriple { environment: environment.clone(), measurements });
    let triples = Triples {
        attest_key: keys.into_iter().collect(),
        reference: reference.into_iter().collect(),
        ..Triples::default()
    };
    let id = format!("{environment:?}");
    let identity = TagIdentity { id: TagId::Text("tag".into()), version: 0 };
    let corim = Corim::new(TagId::Text(id), vec![Tag::Comid(Comid::new(identity, triples))]);
    endorsements.add(accept(&corim.build().unwrap()));
}

/// A measurement of one file.
fn measured(content: &str) -> Vec<Content> {
    let tag = TagBuilder::evidence(coswid::TagId::Text("device".into()), "camera")
        .version("0", VersionScheme::Semver)
        .entity(Entity::new("device", [Role::TagCreator]))
        .file(File { hash: Some(Hash::from(digest(content))), ..File::new("app") })
        .build()
        .unwrap();
    vec![Content::bytes(258, tag.encode())]
}

/// Claims of a device that measured a file.
fn claims(byte: u8, content: &str) -> Claims {
    Claims {
        nonces: vec![nonce()],
        ueid: Ueid::new(&ueid(byte)),
        measurements: measured(content),
        ..Claims::default()
    }
}

/// Claims of a part that names no device of its own.
fn anonymous(content: &str) -> Claims {
    Claims { measurements: measured(content), ..Claims::default() }
}

fn within<const N: usize>(outer: Claims, parts: [(&str, Submodule); N]) -> Claims {
    let submods = parts.into_iter().map(|(name, part)| (name.into(), part)).collect();
    Claims { submods, ..outer }
}

fn nested(claims: &Claims, key: &SigningKey) -> Submodule {
    Submodule::Token(NestedToken::Cbor(claims.sign_cwt(key, b"").unwrap()))
}

type Found = Result<BTreeMap<String, Option<Code>>, Code>;

/// The first reason of every part; none where it is affirmed.
fn judge(media_type: &str, bytes: &[u8], beliefs: &Beliefs<'_>, nonce: &Nonce) -> Found {
    let media_type = MediaType::parse(media_type).unwrap();
    let (bytes, media_type) = unwrap_evidence(bytes, &media_type).map_err(|reason| reason.code)?;
    let evidence = ForeignEvidence::decode(&bytes, &media_type).map_err(|reason| reason.code)?;
    let attesters = evidence.verify(beliefs, nonce).map_err(|reason| reason.code)?;
    let parts = attesters.into_iter().map(|attester| {
        let appraised = corroborate(&attester, beliefs).appraised;
        assert!(!appraised.reasons.is_empty() || appraised.vector.tier() == Tier::Affirming, "{appraised:?}");
        (attester.name, appraised.reasons.first().map(|reason| reason.code))
    });
    Ok(parts.collect())
}

fn found(claims: &Claims, endorsements: &Endorsements) -> Found {
    judge(CWT, &claims.sign_cwt(&key(51), b"").unwrap(), &beliefs(endorsements), &nonce())
}

fn parts<const N: usize>(rows: [(&str, Option<Code>); N]) -> Found {
    Ok(rows.into_iter().map(|(name, code)| (name.into(), code)).collect())
}

/// A device with the key 51, its modem with 52, and what is expected of both and of the device's own sensor.
fn known() -> Endorsements {
    let mut endorsements = Endorsements::new();
    add(&mut endorsements, &instance(1), Some(key(51).public_key()), &[("app", "app 1")]);
    add(&mut endorsements, &instance(2), Some(key(52).public_key()), &[("app", "modem 1")]);
    add(&mut endorsements, &part(1, "sensor"), None, &[("app", "sensor 1")]);
    endorsements
}

#[test]
fn every_part_is_judged_for_itself() {
    let endorsements = known();
    let sensor = |content| Submodule::Claims(anonymous(content).into());
    let modem = |content| nested(&claims(2, content), &key(52));
    let whole = |app, sensed, modem_runs| {
        within(claims(1, app), [("sensor", sensor(sensed)), ("modem", modem(modem_runs))])
    };
    let rows = [
        (whole("app 1", "sensor 1", "modem 1"), [None, None, None]),
        (whole("evil", "sensor 1", "modem 1"), [Some(Code::DigestMismatch), None, None]),
        (whole("app 1", "sensor 1", "evil"), [None, Some(Code::DigestMismatch), None]),
        (whole("app 1", "evil", "modem 1"), [None, None, Some(Code::DigestMismatch)]),
        // What is expected of one part says nothing of another.
        (
            whole("sensor 1", "app 1", "modem 1"),
            [Some(Code::DigestMismatch), None, Some(Code::DigestMismatch)],
        ),
    ];
    for (claims, [app, modem, sensor]) in rows {
        let expected = parts([("EAT", app), ("EAT/modem", modem), ("EAT/sensor", sensor)]);
        assert_eq!(found(&claims, &endorsements), expected);
    }
    // Debug status is not inherited.
    let open = Claims { dbgstat: Some(DebugStatus::Enabled), ..anonymous("sensor 1") };
    let claims = within(
        Claims { dbgstat: Some(DebugStatus::Disabled), ..claims(1, "app 1") },
        [("sensor", Submodule::Claims(open.into()))],
    );
    let expected = parts([("EAT", None), ("EAT/sensor", Some(Code::DebugOpen))]);
    assert_eq!(found(&claims, &endorsements), expected);
}

#[test]
fn a_part_that_measures_nothing_is_affirmed_only_where_nobody_expects_it_to() {
    let endorsements = known();
    let silent = |claims: Claims| Claims { measurements: vec![], ..claims };
    let place = Submodule::Claims(Claims { uptime: Some(1), ..Claims::default() }.into());
    let with = |name, part| within(claims(1, "app 1"), [(name, part)]);
    let rows = [
        (with("place", place.clone()), parts([("EAT", None), ("EAT/place", None)])),
        (with("sensor", place), parts([("EAT", None), ("EAT/sensor", Some(Code::ComponentMissing))])),
        (
            with("modem", nested(&silent(claims(2, "")), &key(52))),
            parts([("EAT", None), ("EAT/modem", Some(Code::ComponentMissing))]),
        ),
        (silent(claims(1, "")), parts([("EAT", Some(Code::ComponentMissing))])),
        (
            with("other", Submodule::Claims(anonymous("app 1").into())),
            parts([("EAT", None), ("EAT/other", Some(Code::NoReference))]),
        ),
    ];
    for (claims, expected) in rows {
        assert_eq!(found(&claims, &endorsements), expected);
    }
}

#[test]
fn a_nested_token_is_verified_with_its_own_key_and_answers_the_nonce_itself() {
    let endorsements = known();
    let with = |part| within(claims(1, "app 1"), [("modem", part)]);
    // The device cannot speak for its modem, and nobody for a stranger.
    assert_eq!(
        found(&with(nested(&claims(2, "modem 1"), &key(51))), &endorsements),
        Err(Code::BadEvidenceSignature)
    );
    assert_eq!(
        found(&with(nested(&claims(3, "modem 1"), &key(53))), &endorsements),
        Err(Code::UnknownDevice)
    );
    let stale = Claims { nonces: vec![Nonce::new(&[8; 32]).unwrap()], ..claims(2, "modem 1") };
    let expected = parts([("EAT", None), ("EAT/modem", Some(Code::ReplayedNonce))]);
    assert_eq!(found(&with(nested(&stale, &key(52))), &endorsements), expected);
    // Two levels down, and two parts of one name.
    let deep = within(claims(2, "modem 1"), [("sensor", Submodule::Claims(anonymous("x").into()))]);
    let expected = parts([("EAT", None), ("EAT/modem", None), ("EAT/modem/sensor", Some(Code::NoReference))]);
    assert_eq!(found(&with(nested(&deep, &key(52))), &endorsements), expected);
    let same = [
        ("a/b", Submodule::Claims(Claims { uptime: Some(1), ..Claims::default() }.into())),
        (
            "a",
            Submodule::Claims(
                within(Claims::default(), [("b", Submodule::Claims(anonymous("x").into()))]).into(),
            ),
        ),
    ];
    assert_eq!(found(&within(claims(1, "app 1"), same), &endorsements), Err(Code::MalformedEvidence));
}

#[test]
fn claims_that_came_beside_a_token_are_those_whose_digest_is_in_it() {
    let endorsements = known();
    let sensor = anonymous("sensor 1");
    let digest = Digest::of(HashAlgorithm::Sha256, &sensor.encode());
    let main = within(claims(1, "app 1"), [("sensor", Submodule::Detached(digest))]);
    let token = main.sign_cwt(&key(51), b"").unwrap();
    let bundle = |sets: &[(&str, Claims)]| {
        let sets = sets.iter().map(|(name, claims)| ((*name).into(), claims.clone())).collect();
        Bundle::new(NestedToken::Cbor(token.clone()), &sets).encode()
    };
    let judge = |media_type: &str, bytes: &[u8]| judge(media_type, bytes, &beliefs(&endorsements), &nonce());
    let good = bundle(&[("sensor", sensor.clone())]);
    for media_type in ["application/eat-bun+cbor", CWT] {
        assert_eq!(judge(media_type, &good), parts([("EAT", None), ("EAT/sensor", None)]));
    }
    let changed = bundle(&[("sensor", anonymous("evil"))]);
    assert_eq!(judge(CWT, &changed), Err(Code::DetachedDigest));
    let uncovered = bundle(&[("sensor", sensor.clone()), ("other", sensor)]);
    assert_eq!(judge(CWT, &uncovered), Err(Code::DetachedDigest));
    let missing = parts([("EAT", None), ("EAT/sensor", Some(Code::SubmoduleMissing))]);
    assert_eq!(judge(CWT, &token), missing);
}

#[test]
fn unprotected_claims_count_in_a_signed_wrapper_and_nowhere_else() {
    let endorsements = known();
    let unprotected = UnprotectedClaims::from(claims(1, "app 1")).encode();
    let beliefs = beliefs(&endorsements);
    let judge = |media_type: &str, bytes: &[u8]| judge(media_type, bytes, &beliefs, &nonce());
    for media_type in [CWT, "application/eat-ucs+cbor", "application/uccs+cbor"] {
        assert_eq!(judge(media_type, &unprotected), Err(Code::UnprotectedEvidence), "{media_type}");
    }
    let record = |kind: &str, bytes: &[u8]| Cmw::Record(CmwRecord::new(kind, bytes).unwrap());
    let wrapped = record("application/eat-ucs+cbor", &unprotected);
    assert_eq!(judge("application/cmw+cbor", &wrapped.encode()), Err(Code::UnprotectedEvidence));
    let signed = |wrapper: &Cmw, seed| wrapper.sign(&key(seed), b"").unwrap();
    let signed_type = "application/cmw+cose";
    assert_eq!(judge(signed_type, &signed(&wrapped, 51)), parts([("EAT", None)]));
    assert_eq!(judge(signed_type, &signed(&wrapped, 52)), Err(Code::BadEvidenceSignature));
    let stale = Claims { nonces: vec![], ..claims(1, "app 1") };
    let stale = record("application/eat-ucs+cbor", &UnprotectedClaims::from(stale).encode());
    assert_eq!(judge(signed_type, &signed(&stale, 51)), Err(Code::ReplayedNonce));
    // A token has its own signature, and is not read as claims that have none.
    let token = record(CWT, &claims(1, "app 1").sign_cwt(&key(51), b"").unwrap());
    assert_eq!(judge(signed_type, &signed(&token, 51)), Err(Code::MalformedEvidence));
    let with_token = within(claims(1, "app 1"), [("modem", nested(&claims(2, "modem 1"), &key(52)))]);
    let with_token = record("application/uccs+cbor", &UnprotectedClaims::from(with_token).encode());
    assert_eq!(judge(signed_type, &signed(&with_token, 51)), Err(Code::MalformedEvidence));
}

#[test]
fn measured_components_are_elements_by_their_names() {
    let mut endorsements = known();
    add(&mut endorsements, &instance(4), Some(key(51).public_key()), &[("boot", "b1"), ("os", "o1")]);
    let component = |name: &str, content: &str| MeasuredComponent {
        name: name.into(),
        version: None,
        measurement: eat::Measurement::Digest(digest(content)),
        authorities: vec![],
        flags: None,
    };
    let beliefs = Beliefs { components: Some(FORMATS), ..beliefs(&endorsements) };
    let judge = |beliefs: &Beliefs<'_>, components: &[MeasuredComponent]| {
        let measurements = components.iter().map(|one| Content::bytes(FORMATS.cbor, one.encode())).collect();
        let claims = Claims { measurements, ..claims(4, "") };
        judge(CWT, &claims.sign_cwt(&key(51), b"").unwrap(), beliefs, &nonce())
    };
    let good = [component("boot", "b1"), component("os", "o1")];
    assert_eq!(judge(&beliefs, &good), parts([("EAT", None)]));
    assert_eq!(judge(&beliefs, &good[..1]), parts([("EAT", Some(Code::ComponentMissing))]));
    let changed = [component("boot", "b1"), component("os", "evil")];
    assert_eq!(judge(&beliefs, &changed), parts([("EAT", Some(Code::DigestMismatch))]));
    let flagged = [MeasuredComponent { flags: Some([1; 8]), ..component("boot", "b1") }];
    assert_eq!(judge(&beliefs, &flagged), Err(Code::MalformedEvidence));
    // Nobody said what has these numbers.
    assert_eq!(judge(&Beliefs { components: None, ..beliefs }, &good), Err(Code::MalformedEvidence));
}

/// Tokens that were made to be read or refused: what is valid is judged part by part, whatever is refused is refused whole.
#[test]
fn made_tokens_are_judged_as_their_index_says() {
    let Some(rats) = testkit::vectors("rats") else { return };
    let index = std::fs::read_to_string(rats.join("SOURCE.tsv")).unwrap();
    let signer = testkit::read_hex(&rats.join("psa-rfc9783/tfm-es-iak.key.sec1.der.hex"));
    let signer = SigningKey::from_sec1_der(&signer).unwrap().public_key().clone();
    let outer = [&[1][..], &[0x11; 16]].concat();
    let inner = [&[1][..], &[0x44; 16]].concat();
    let of =
        |ueid: &[u8]| Environment { instance: Some(Instance::Ueid(ueid.into())), ..Environment::default() };
    let mut endorsements = Endorsements::new();
    add(&mut endorsements, &of(&outer), Some(&signer), &[]);
    add(&mut endorsements, &of(&inner), Some(&signer), &[]);
    let beliefs = Beliefs { components: Some(FORMATS), ..beliefs(&endorsements) };
    let sent = Nonce::new(&core::array::from_fn::<u8, 32, _>(|at| at as u8)).unwrap();
    let (mut valid, mut refused) = (0, 0);
    for row in index.lines().filter(|row| row.starts_with("eat-made\t")) {
        let columns: Vec<&str> = row.split('\t').collect();
        let bytes = std::fs::read(rats.join("eat-made").join(columns[2])).unwrap();
        // Some were made for other sessions.
        let asked = match columns[1] {
            "ok-nonce-array2" | "nonpreferred-ints" | "indefinite-map" => {
                eat::Token::decode(&bytes).unwrap().unverified().nonces[0].clone()
            }
            _ => sent.clone(),
        };
        let found = judge(CWT, &bytes, &beliefs, &asked);
        if columns[3].starts_with("REJECT") {
            assert!(found.is_err(), "{row}: {found:?}");
            refused += 1;
            continue;
        }
        valid += 1;
        // These two say nothing of whose they are.
        if matches!(columns[1], "nonpreferred-ints" | "indefinite-map") {
            assert_eq!(found, Err(Code::UnknownDevice));
            continue;
        }
        let found = found.unwrap_or_else(|code| panic!("{row}: {code}"));
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        match columns[1] {
            // The inner token answers another nonce, so that nothing says that it is of now.
            "ok-submod-nested" => {
                assert_eq!(names, ["EAT", "EAT/os", "EAT/se"]);
                assert_eq!(found["EAT/se"], Some(Code::ReplayedNonce));
            }
            "ok-submod-detached" => assert_eq!(names, ["EAT", "EAT/tee"]),
            "ok-measurements-mc" => {
                assert_eq!(found, [("EAT".into(), Some(Code::NoReference))].into());
            }
            _ => assert_eq!(names, ["EAT"]),
        }
    }
    assert!(valid > 8 && refused > 12, "{valid} valid, {refused} refused");

    // The component of that token, expected by its name.
    let bytes = std::fs::read(rats.join("eat-made/ok-measurements-mc.cbor")).unwrap();
    let token = eat::Token::decode(&bytes).unwrap();
    let component = FORMATS.component(&token.unverified().measurements[0]).unwrap().unwrap();
    let eat::Measurement::Digest(digest) = component.measurement else { panic!("a digest") };
    let values = MeasurementValues { digests: vec![digest.into()], ..MeasurementValues::default() };
    let measurement =
        Measurement { key: Some(MeasuredElement::Name("bootloader".into())), ..Measurement::new(values) };
    let mut endorsements = super::attester::naming_public(
        &signer,
        of(&outer),
        &[ValuesTriple { environment: of(&outer), measurements: vec![measurement] }],
    );
    let expecting = Beliefs { endorsements: &endorsements, ..beliefs };
    assert_eq!(judge(CWT, &bytes, &expecting, &sent), parts([("EAT", None)]));
    let wrapped = std::fs::read(rats.join("cmw-made/tag-263.cbor")).unwrap();
    add(&mut endorsements, &of(&outer), Some(&signer), &[]);
    let expecting = Beliefs { endorsements: &endorsements, ..beliefs };
    let found = judge("application/cmw+cbor", &wrapped, &expecting, &sent).unwrap();
    assert!(found.contains_key("EAT"), "{found:?}");
}

/// Times in a token bind, give or take a minute; in a part as well.
#[test]
fn a_token_past_its_end_or_from_the_future_is_not_believed() {
    let endorsements = known();
    let timed = |issued, begins, ends| Claims {
        issued_at: issued,
        not_before: begins,
        expires_at: ends,
        ..claims(1, "app 1")
    };
    let rows = [
        (timed(Some(NOW), Some(NOW), Some(NOW + 1)), None),
        (timed(Some(NOW + 60), None, None), None),
        (timed(None, Some(NOW + 60), None), None),
        (timed(None, None, Some(NOW - 59)), None),
        (timed(Some(NOW + 61), None, None), Some(Code::EvidenceNotYetValid)),
        (timed(None, Some(NOW + 61), None), Some(Code::EvidenceNotYetValid)),
        (timed(None, None, Some(NOW - 60)), Some(Code::EvidenceExpired)),
    ];
    for (row, (claims, refused)) in rows.into_iter().enumerate() {
        let expected = refused.map_or_else(|| parts([("EAT", None)]), Err);
        assert_eq!(found(&claims, &endorsements), expected, "row {row}");
    }
    let old = Claims { expires_at: Some(NOW - 60), ..anonymous("sensor 1") };
    let whole = within(claims(1, "app 1"), [("sensor", Submodule::Claims(old.into()))]);
    assert_eq!(found(&whole, &endorsements), Err(Code::EvidenceExpired));
}
