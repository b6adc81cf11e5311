//! What manifests expect by CoSWID tags and say besides, and releases of the operator's own as expected values.

use alloc::{collections::BTreeMap, format, vec, vec::Vec};

use corim::{
    Class, ClassId, Comid, ConditionalTriple, Corim, CoswidTriple, CryptoKey, Environment, Flags, Instance,
    KeyTriple, MeasuredElement, Measurement, MeasurementValues, Received, SeriesItem, SeriesTriple, Svn, Tag,
    TagId, TagIdentity, Triples, Validity, ValuesTriple,
};
use coswid::{Entity, File, Hash, Role, TagBuilder, VersionScheme};
use crypto::{Digest, HashAlgorithm};
use eat::{Category, Claims, MediaType, Nonce, OemId, Tier, Ueid};
use x509::pem;

use super::{
    attester::beliefs,
    fixture::{Maker, NOW, key},
};
use crate::{
    Beliefs, Code, Corroborated, Endorsements, ForeignEvidence, MAX_ENDORSING, OwnRelease, Part, Policy,
    Reason, Subject, attestation_result_of, corroborate,
};

fn ueid() -> Vec<u8> {
    [&[1][..], &[0x11; 16]].concat()
}

fn environment() -> Environment {
    Environment { instance: Some(Instance::Ueid(ueid())), ..Environment::default() }
}

fn digest(content: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, content.as_bytes())
}

fn nonce() -> Nonce {
    Nonce::new(&[7; 32]).unwrap()
}

fn measurement(name: &str, values: MeasurementValues) -> Measurement {
    Measurement { key: Some(MeasuredElement::Name(name.into())), ..Measurement::new(values) }
}

fn holds(name: &str, content: &str) -> Measurement {
    let digests = vec![digest(content).into()];
    measurement(name, MeasurementValues { digests, ..MeasurementValues::default() })
}

fn flag(number: u8, value: bool) -> Measurement {
    let flags = Flags { known: BTreeMap::from([(number, value)]), ..Flags::default() };
    measurement("app", MeasurementValues { flags: Some(flags), ..MeasurementValues::default() })
}

fn values(measurements: Vec<Measurement>) -> ValuesTriple {
    ValuesTriple { environment: environment(), measurements }
}

/// Adds a manifest that is valid until a time.
fn add_until(endorsements: &mut Endorsements, id: &str, triples: Triples, tags: Vec<Vec<u8>>, until: i64) {
    let identity = TagIdentity { id: TagId::Text("tag".into()), version: 0 };
    let tags = tags.into_iter().map(Tag::Coswid);
    let tags = [Tag::Comid(Comid::new(identity, triples))].into_iter().chain(tags).collect();
    let validity = Some(Validity { not_before: None, not_after: until });
    let bytes = Corim { validity, ..Corim::new(TagId::Text(id.into()), tags) }.build().unwrap();
    let Received::Unsigned(manifest) = Received::decode(&bytes).unwrap() else { panic!("it is unsigned") };
    endorsements.add(manifest.trusted_by_operator("operator", vec![], NOW).unwrap());
}

fn add(endorsements: &mut Endorsements, id: &str, triples: Triples, tags: Vec<Vec<u8>>) {
    add_until(endorsements, id, triples, tags, NOW + 100);
}

/// The key of the one device.
fn known() -> Endorsements {
    let triple = KeyTriple {
        environment: environment(),
        keys: vec![CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &key(71).public_key().to_spki_der()))],
        element: None,
        authorized_by: vec![],
    };
    let mut endorsements = Endorsements::new();
    add(&mut endorsements, "keys", Triples { attest_key: vec![triple], ..Triples::default() }, vec![]);
    endorsements
}

fn tag(id: &str, evidence: bool, files: &[(&str, &str)]) -> Vec<u8> {
    let id = coswid::TagId::Text(id.into());
    let builder =
        if evidence { TagBuilder::evidence(id, "camera") } else { TagBuilder::payload(id, "camera") };
    let builder =
        builder.version("1", VersionScheme::Semver).entity(Entity::new("maker", [Role::TagCreator]));
    let file = |(name, content): &(&str, &str)| File {
        hash: Some(Hash::from(digest(content))),
        key: (!evidence).then_some(true),
        ..File::new(*name)
    };
    files.iter().map(file).fold(builder, |builder, file| builder.file(file)).build().unwrap().encode()
}

fn corroborated(model: Option<&[u8]>, files: &[(&str, &str)], beliefs: &Beliefs<'_>) -> Corroborated {
    let claims = Claims {
        nonces: vec![nonce()],
        ueid: Ueid::new(&ueid()),
        oemid: Some(OemId::Pen(1)),
        hwmodel: model.map(Into::into),
        measurements: vec![eat::Content::bytes(258, tag("device", true, files))],
        ..Claims::default()
    };
    let token = claims.sign_cwt(&key(71), b"").unwrap();
    let media_type = MediaType::parse("application/eat+cwt").unwrap();
    let evidence = ForeignEvidence::decode(&token, &media_type).unwrap();
    let attesters = evidence.verify(beliefs, &nonce()).unwrap();
    corroborate(&attesters[0], beliefs)
}

/// Paths of files, and what they contain.
type Files = &'static [(&'static str, &'static str)];

fn codes(found: &Corroborated) -> Vec<Code> {
    found.appraised.reasons.iter().map(|reason| reason.code).collect()
}

#[test]
fn tags_that_a_manifest_refers_to_are_expected_values_of_its_release() {
    let refers = |reference: Vec<ValuesTriple>, tag: &str| Triples {
        reference,
        coswid: vec![CoswidTriple { environment: environment(), tags: vec![TagId::Text(tag.into())] }],
        ..Triples::default()
    };
    let sbom = tag("sbom", false, &[("app", "a1"), ("lib", "l1")]);
    let mut endorsements = known();
    add(
        &mut endorsements,
        "values",
        refers(vec![values(vec![holds("boot", "b1")])], "sbom"),
        vec![sbom.clone()],
    );
    let judge = |endorsements: &Endorsements, files: &[(&str, &str)]| {
        codes(&corroborated(None, files, &beliefs(endorsements)))
    };
    let all = [("boot", "b1"), ("app", "a1"), ("lib", "l1")];
    assert_eq!(judge(&endorsements, &all), []);
    assert_eq!(judge(&endorsements, &all[..2]), [Code::ComponentMissing]);
    assert_eq!(
        judge(&endorsements, &[("boot", "b1"), ("app", "evil"), ("lib", "l1")]),
        [Code::DigestMismatch]
    );

    // A tag that is not there or cannot be read leaves no release, not a smaller one.
    let unknown_hash = TagBuilder::payload(coswid::TagId::Text("sbom".into()), "camera")
        .version("1", VersionScheme::Semver)
        .entity(Entity::new("maker", [Role::TagCreator]))
        .file(File { key: Some(true), ..File::new("app") });
    let unknown_hash = unknown_hash.build().unwrap().encode();
    let evidence = tag("sbom", true, &[("app", "a1")]);
    for tags in [
        vec![],
        vec![tag("other", false, &[("app", "a1")])],
        vec![vec![0xff]],
        vec![unknown_hash],
        vec![evidence],
    ] {
        let mut endorsements = known();
        add(&mut endorsements, "values", refers(vec![values(vec![holds("boot", "b1")])], "sbom"), tags);
        assert_eq!(judge(&endorsements, &[("boot", "b1")]), [Code::NoReference]);
    }
}

#[test]
fn endorsements_that_hold_add_claims_before_the_verdict() {
    let reference = Triples { reference: vec![values(vec![holds("app", "a1")])], ..Triples::default() };
    let svn = |number| MeasurementValues { svn: Some(Svn::Bare(number)), ..MeasurementValues::default() };
    let when = |content: &str, then: Measurement| Triples {
        conditional: vec![ConditionalTriple {
            conditions: vec![values(vec![holds("app", content)])],
            endorsements: vec![values(vec![then])],
        }],
        ..Triples::default()
    };
    let endorsed = |then: Measurement| Triples { endorsed: vec![values(vec![then])], ..Triples::default() };
    let series = Triples {
        conditional_series: vec![SeriesTriple {
            environment: environment(),
            measurements: vec![],
            authorized_by: vec![],
            series: vec![
                SeriesItem {
                    condition: vec![holds("app", "a2")],
                    addition: vec![flag(Flags::IS_DEBUG, true)],
                },
                SeriesItem {
                    condition: vec![holds("app", "a1")],
                    addition: vec![measurement("app", svn(7))],
                },
            ],
        }],
        ..Triples::default()
    };
    let rows: [(&str, Triples, Vec<Code>, usize, i8); 10] = [
        ("nothing", when("a2", measurement("app", svn(3))), vec![], 0, 0),
        ("a number", when("a1", measurement("app", svn(3))), vec![], 1, 0),
        ("secure", endorsed(flag(Flags::IS_SECURE, true)), vec![], 1, 2),
        ("debug", when("a1", flag(Flags::IS_DEBUG, true)), vec![Code::DebugOpen], 1, 96),
        ("not of this state", when("a2", flag(Flags::IS_DEBUG, true)), vec![], 0, 0),
        ("insecure", endorsed(flag(Flags::IS_SECURE, false)), vec![Code::EndorsedUnfit], 1, 96),
        ("unconfigured", endorsed(flag(Flags::IS_CONFIGURED, false)), vec![Code::EndorsedUnfit], 1, 96),
        ("recovery", when("a1", flag(Flags::IS_RECOVERY, true)), vec![Code::EndorsedUnfit], 1, 96),
        ("no recovery", endorsed(flag(Flags::IS_RECOVERY, false)), vec![], 1, 0),
        ("the first of a series that holds", series, vec![], 1, 0),
    ];
    for (row, triples, expected, claims, configuration) in rows {
        let mut endorsements = known();
        add(&mut endorsements, "values", reference.clone(), vec![]);
        add(&mut endorsements, "more", triples, vec![]);
        let found = corroborated(None, &[("app", "a1")], &beliefs(&endorsements));
        assert_eq!((codes(&found), found.endorsed.len()), (expected, claims), "{row}");
        let vector = &found.appraised.vector;
        let value = vector.iter().find(|(category, _)| *category == Category::Configuration);
        assert_eq!(value.map_or(0, |(_, value)| value), configuration, "{row}");
        assert_eq!(found.appraised.release.is_some(), found.appraised.reasons.is_empty(), "{row}");
    }
    let open = Policy { allow_debug: true, ..Policy::default() };
    let mut endorsements = known();
    add(&mut endorsements, "values", reference, vec![]);
    add_until(&mut endorsements, "past", endorsed(flag(Flags::IS_SECURE, false)), vec![], NOW);
    add(&mut endorsements, "debug", endorsed(flag(Flags::IS_DEBUG, true)), vec![]);
    let later = Beliefs { policy: &open, now: NOW + 1, ..beliefs(&endorsements) };
    assert_eq!(codes(&corroborated(None, &[("app", "a1")], &later)), []);
    for number in 0..MAX_ENDORSING {
        let value = measurement("app", svn(number as u64));
        add(&mut endorsements, &format!("more {number}"), endorsed(value), vec![]);
        let later = Beliefs { policy: &open, now: NOW + 1, ..beliefs(&endorsements) };
        let found = corroborated(None, &[("app", "a1")], &later);
        // One of them says that it is in debug.
        let full = number + 2 > MAX_ENDORSING;
        assert_eq!(codes(&found), if full { vec![Code::TooManyReferences] } else { vec![] }, "{number}");
    }
}

#[test]
fn a_result_repeats_what_endorsers_say() {
    let mut endorsements = known();
    let claims = MeasurementValues {
        name: Some("camera".into()),
        svn: Some(Svn::Bare(3)),
        flags: Some(Flags { known: BTreeMap::from([(Flags::IS_SECURE, true)]), ..Flags::default() }),
        ..MeasurementValues::default()
    };
    let triples = Triples {
        reference: vec![values(vec![holds("app", "a1")])],
        endorsed: vec![values(vec![measurement("app", claims)])],
        ..Triples::default()
    };
    add(&mut endorsements, "values", triples, vec![]);
    let found = corroborated(None, &[("app", "a1")], &beliefs(&endorsements));
    let (appraised, endorsed) = (&found.appraised, found.endorsed.as_slice());
    let policy = &Policy::default();
    let part = Part { name: "EAT", profile: None, appraised, policy, endorsed, binding: found.binding };
    let subject = Subject { ueid: Ueid::new(&ueid()).unwrap(), key: None, nonce: Some(nonce()) };
    let verifier = eat::VerifierId { developer: "d".into(), build: "b".into() };
    let result = attestation_result_of(&[part], &subject, policy.result_lifetime, verifier, NOW);
    assert_eq!(result.tier(), Tier::Affirming);
    let anchor = cose::TrustAnchor::new(key(72).public_key().clone(), cose::Purpose::Result, "");
    let jwt = result.sign_jwt(&key(72), &anchor.kid).unwrap();
    let read = eat::SignedResult::decode_jwt(jwt.as_bytes()).unwrap();
    let anchors = cose::TrustAnchors::new(vec![anchor]);
    let read = read.verify(&anchors, NOW, None).unwrap();
    let claims = &read.result().submods["EAT"].verifier_claims;
    assert_eq!(claims, &result.submods["EAT"].verifier_claims);
    let (name, value) = &claims[0];
    assert_eq!(name, &eat::ClaimKey::Text("sextant_endorsed".into()));
    let expected = r#"[{"svn": 3, "name": "camera", "secure": true, "element": "app"}]"#;
    assert_eq!(cbor::diagnostic(value).unwrap(), expected);
}

#[test]
fn releases_of_the_operators_own_are_expected_values_of_tokens_of_their_class() {
    let maker = Maker::new();
    let (first, second) = (maker.release("1.0.0", 1, b"app 1"), maker.release("1.1.0", 2, b"app 2"));
    let class = *first.class().unwrap();
    let revoked = Reason::new(Code::ReleaseRevoked);
    let endorsements = known();
    let own = [
        OwnRelease { release: &first, against: Some(&revoked) },
        OwnRelease { release: &second, against: None },
    ];
    let believed = Beliefs { releases: &own, ..beliefs(&endorsements) };
    let judge = |model: &[u8], files: &[(&str, &str)]| corroborated(Some(model), files, &believed);
    let good = judge(&class, &[("boot", "loader"), ("app", "app 2")]);
    assert_eq!((codes(&good), good.appraised.release), (vec![], Some(second.manifest_digest())));
    assert_eq!(good.appraised.vector.tier(), Tier::Affirming);

    let old = judge(&class, &[("boot", "loader"), ("app", "app 1")]);
    assert_eq!((codes(&old), old.appraised.release), (vec![Code::ReleaseRevoked], None));
    assert_eq!(old.appraised.vector.tier(), Tier::Warning);
    let rows: [(&[u8], Files, Code); 4] = [
        (&class, &[("boot", "loader"), ("app", "evil")], Code::DigestMismatch),
        (&class, &[("app", "app 2")], Code::ComponentMissing),
        (&class, &[("boot", "loader"), ("app", "app 2"), ("x", "x")], Code::ComponentUnknown),
        (&[1; 16], &[("boot", "loader"), ("app", "app 2")], Code::NoReference),
    ];
    for (model, files, expected) in rows {
        let found = judge(model, files);
        assert_eq!((codes(&found), found.appraised.release), (vec![expected], None));
    }
    let denied = [digest("app 2")];
    let found = corroborated(
        Some(&class),
        &[("boot", "loader"), ("app", "app 2")],
        &Beliefs { denied: &denied, ..believed },
    );
    assert_eq!(codes(&found), [Code::DigestDenied]);
    // A manifest that expects something else of the class does not speak against the operator's own release.
    let mut endorsements = endorsements;
    let of_class = Class { id: Some(ClassId::Bytes(class.into())), ..Class::default() };
    let of_class = Environment { class: Some(of_class), ..Environment::default() };
    let reference = ValuesTriple { environment: of_class, measurements: vec![holds("app", "other")] };
    add(&mut endorsements, "values", Triples { reference: vec![reference], ..Triples::default() }, vec![]);
    let believed = Beliefs { releases: &own, ..beliefs(&endorsements) };
    let files = [("boot", "loader"), ("app", "app 2")];
    assert_eq!(codes(&corroborated(Some(&class), &files, &believed)), []);
    assert_eq!(
        codes(&corroborated(Some(&class), &files, &Beliefs { releases: &[], ..believed })),
        [Code::ComponentUnknown]
    );
}

#[test]
fn the_next_end_is_that_of_the_manifests_that_still_count() {
    let key = || Triples {
        attest_key: vec![KeyTriple {
            environment: environment(),
            keys: vec![CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &key(71).public_key().to_spki_der()))],
            element: None,
            authorized_by: vec![],
        }],
        ..Triples::default()
    };
    let mut endorsements = Endorsements::new();
    assert_eq!(endorsements.next_end(NOW), None);
    for (id, until) in [("one", NOW + 5), ("two", NOW + 5), ("three", NOW + 9)] {
        add_until(&mut endorsements, id, key(), vec![], until);
        // The same one twice is one.
        add_until(&mut endorsements, id, key(), vec![], until);
    }
    let ends = |endorsements: &Endorsements| {
        [0, 5, 6, 9, 10].map(|after| endorsements.next_end(NOW + after).map(|end| end - NOW))
    };
    assert_eq!(ends(&endorsements), [Some(5), Some(5), Some(9), Some(9), None]);
    // In its last second a manifest counts, and then not any more.
    let counting = |after| endorsements.keys(&environment(), NOW + after).len();
    assert_eq!([0, 5, 6, 9, 10].map(counting), [3, 3, 1, 1, 0]);
    let of = |endorsements: &Endorsements, id: &str| {
        let mut all = endorsements.manifests();
        *all.find(|(_, manifest)| manifest.corim().id == TagId::Text(id.into())).unwrap().0
    };
    for (id, expected) in [
        ("one", [Some(5), Some(5), Some(9), Some(9), None]),
        ("two", [Some(9), Some(9), Some(9), Some(9), None]),
        ("three", [None; 5]),
    ] {
        let digest = of(&endorsements, id);
        assert!(endorsements.remove(&digest));
        assert_eq!(ends(&endorsements), expected, "{id}");
    }
}
