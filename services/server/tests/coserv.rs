//! What endorsers say, for other verifiers that ask.

mod common;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{NOW, Site, key};
use corim::{
    ArtifactType, Class, ClassId, Comid, Corim, Coserv, CoservQuery, CryptoKey, Environment,
    EnvironmentSelector, Instance, KeyTriple, MeasuredElement, Measurement, MeasurementValues,
    PSA_SOFTWARE_COMPONENT, Profile, ResultType, RimSelector, SignerMeta, Stateful, Tag, TagId, TagIdentity,
    Triples, Validity, ValuesTriple,
};
use cose::{Purpose, Sign1, TrustAnchor, TrustAnchors};
use crypto::{Digest, HashAlgorithm};
use eat::Cmw;
use serde_json::json;
use x509::pem;

const PROFILE: &str = "tag:arm.com,2025:psa#1.0.0";
const PLAIN: &str = "application/coserv+cbor";
const SIGNED: &str = "application/coserv+cose";

fn class(byte: u8) -> Class {
    Class { id: Some(ClassId::Bytes(vec![byte; 32])), ..Class::default() }
}

fn instance() -> Instance {
    Instance::Ueid([&[1][..], &[0x33; 32]].concat())
}

fn manifest(id: &str, byte: u8, not_after: Option<i64>) -> Corim {
    let platform = Environment { class: Some(class(byte)), ..Environment::default() };
    let measurement = Measurement {
        key: Some(MeasuredElement::Name(PSA_SOFTWARE_COMPONENT.into())),
        ..Measurement::new(MeasurementValues {
            digests: vec![Digest::of(HashAlgorithm::Sha256, id.as_bytes()).into()],
            name: Some("BL".into()),
            cryptokeys: vec![CryptoKey::Bytes(vec![0x22; 32])],
            ..MeasurementValues::default()
        })
    };
    let device = KeyTriple {
        environment: Environment { instance: Some(instance()), ..platform.clone() },
        keys: vec![CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &key(31).public_key().to_spki_der()))],
        element: None,
        authorized_by: vec![],
    };
    let triples = Triples {
        reference: vec![ValuesTriple { environment: platform, measurements: vec![measurement] }],
        attest_key: vec![device],
        ..Triples::default()
    };
    let identity = TagIdentity { id: TagId::Text(format!("{id}-tag")), version: 0 };
    Corim {
        profile: Some(Profile::Uri(PROFILE.into())),
        validity: not_after.map(|not_after| Validity { not_before: None, not_after }),
        ..Corim::new(TagId::Text(id.into()), vec![Tag::Comid(Comid::new(identity, triples))])
    }
}

fn of_classes(artifacts: ArtifactType, form: ResultType, classes: &[u8]) -> Coserv {
    let all = classes.iter().map(|byte| Stateful { environment: class(*byte), measurements: Vec::new() });
    let selector = EnvironmentSelector::Classes(all.collect());
    asked(CoservQuery::Environments { artifacts, selector, form })
}

fn asked(query: CoservQuery) -> Coserv {
    Coserv { profile: Profile::Uri(PROFILE.into()), query, results: None }
}

fn path(query: &Coserv) -> String {
    format!("/coserv/v1/{}", BASE64_URL_SAFE_NO_PAD.encode(query.encode()))
}

/// A site with a manifest that an endorser signed, and one that an operator answers for.
fn site() -> (Site, Vec<u8>, Vec<u8>) {
    let anchor = TrustAnchor::new(key(40).public_key().clone(), Purpose::Corim, "endorser");
    let anchor = TrustAnchor { kid: b"endorser".to_vec(), ..anchor };
    let site = Site::with(|config| config.endorsers = TrustAnchors::new(vec![anchor]));
    let signed = manifest("signed", 0x11, Some(NOW + 600))
        .sign(&SignerMeta::new("Endorser"), &key(40), b"endorser")
        .unwrap();
    let plain = manifest("plain", 0x12, None).build().unwrap();
    for (media, bytes) in [("application/rim+cose", &signed), ("application/rim+cbor", &plain)] {
        site.call("POST", "/api/v1/endorsements", Some(&site.admin), media, Some(bytes)).expect(201);
    }
    (site, signed, plain)
}

#[test]
fn answers_tell_who_said_what_until_when() {
    let (site, ..) = site();
    let query = of_classes(ArtifactType::ReferenceValues, ResultType::Collected, &[0x11]);
    let reply = site.get(&path(&query)).expect(200);
    assert_eq!(reply.header("content-type"), format!("{PLAIN}; profile=\"{PROFILE}\""));
    // No longer than the manifest that it is from.
    assert_eq!(reply.header("cache-control"), "private, max-age=600");
    let answer = Coserv::decode(&reply.body).unwrap();
    assert_eq!((&answer.profile, &answer.query), (&query.profile, &query.query));
    let results = answer.results.unwrap();
    let values = results.reference.unwrap();
    assert_eq!((values.len(), results.expiry, results.sources.len()), (1, NOW + 600, 0));
    assert_eq!(values[0].triple.environment.class, Some(class(0x11)));
    assert!(
        CryptoKey::of_public_key(key(40).public_key()).iter().any(|one| values[0].authorities.contains(one))
    );

    // For what came unsigned the server answers itself.
    let query = of_classes(ArtifactType::TrustAnchors, ResultType::Collected, &[0x12]);
    let reply = site.get(&path(&query)).expect(200);
    assert_eq!(reply.header("cache-control"), "private, max-age=3600");
    let keys = Coserv::decode(&reply.body).unwrap().results.unwrap().attest_key.unwrap();
    assert_eq!((keys.len(), keys[0].triple.environment.instance.clone()), (1, Some(instance())));
    assert!(!keys[0].authorities.is_empty());

    let by_instance = asked(CoservQuery::Environments {
        artifacts: ArtifactType::TrustAnchors,
        selector: EnvironmentSelector::Instances(vec![Stateful {
            environment: instance(),
            measurements: vec![],
        }]),
        form: ResultType::Collected,
    });
    let reply = site.get(&path(&by_instance)).expect(200);
    assert_eq!(Coserv::decode(&reply.body).unwrap().results.unwrap().attest_key.unwrap().len(), 2);
    // Nothing is an answer too.
    let query = of_classes(ArtifactType::ReferenceValues, ResultType::Both, &[0x13]);
    let reply = site.get(&path(&query)).expect(200);
    assert_eq!(Coserv::decode(&reply.body).unwrap().results.unwrap().reference, Some(vec![]));
}

#[test]
fn sources_are_the_manifests_as_they_came_while_they_are_accepted() {
    let (site, signed, plain) = site();
    let messages = |reply: &common::Reply| -> Vec<Vec<u8>> {
        let results = Coserv::decode(&reply.body).unwrap().results.unwrap();
        let items = results.sources.iter().chain(&results.rims);
        let wrappers: Vec<Cmw> = items.map(|item| Cmw::decode_cbor(item).unwrap()).collect();
        wrappers
            .iter()
            .flat_map(|wrapper| wrapper.records())
            .map(|(_, record)| record.value.clone())
            .collect()
    };
    let both = of_classes(ArtifactType::ReferenceValues, ResultType::Both, &[0x11, 0x12]);
    let mut found = messages(&site.get(&path(&both)).expect(200));
    let mut expected = vec![signed.clone(), plain];
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    for rim in [
        RimSelector::Corim(TagId::Text("signed".into())),
        RimSelector::Comid(TagId::Text("signed-tag".into())),
    ] {
        let query = asked(CoservQuery::Rims(vec![rim]));
        assert_eq!(messages(&site.get(&path(&query)).expect(200)), std::slice::from_ref(&signed));
    }
    let id = common::hex(Digest::of(HashAlgorithm::Sha256, &signed).as_bytes());
    site.act(&format!("/api/v1/endorsements/{id}/revoke")).expect(204);
    let query = asked(CoservQuery::Rims(vec![RimSelector::Corim(TagId::Text("signed".into()))]));
    site.get(&path(&query)).expect(404);
}

#[test]
fn signed_answers_verify_with_the_key_of_the_discovery() {
    let (site, ..) = site();
    let document = site.get("/.well-known/coserv-configuration").expect(200);
    assert_eq!(document.header("content-type"), "application/coserv-discovery+json");
    let document = document.json();
    assert_eq!(document["api-endpoints"], json!({ "CoSERVRequestResponse": "/coserv/v1/{query}" }));
    assert_eq!(document["capabilities"][1]["media-type"], format!("{SIGNED}; profile=\"{PROFILE}\""));
    let cbor = site.call_with(
        "GET",
        "/.well-known/coserv-configuration",
        Some(&site.admin),
        "",
        None,
        &[("accept", "application/coserv-discovery+cbor")],
    );
    let cbor = cbor.expect(200);
    let mut reader = cbor::Reader::new(&cbor.body);
    let mut map = reader.map().unwrap();
    let mut public = None;
    while let Some(label) = map.next_int(&mut reader).unwrap() {
        if label == 4 {
            assert_eq!(reader.array().unwrap(), 1);
            public = Some(cose::Key::decode(reader.raw().unwrap()).unwrap());
        } else {
            reader.skip().unwrap();
        }
    }
    let public = public.unwrap();
    assert_eq!(document["result-verification-key"][0]["kty"], "EC");
    let result_key = cose::Key::decode(site.server().result_key()).unwrap();
    assert_ne!(public.public(), result_key.public(), "each purpose has a key of its own");

    let query = of_classes(ArtifactType::ReferenceValues, ResultType::Collected, &[0x11]);
    let reply =
        site.call_with("GET", &path(&query), Some(&site.admin), "", None, &[("accept", SIGNED)]).expect(200);
    assert!(reply.header("content-type").starts_with(SIGNED));
    let message = Sign1::decode(&reply.body).unwrap();
    message.verify(public.public(), None, &[]).unwrap();
    assert!(message.verify(key(9).public_key(), None, &[]).is_err());
    let answer = Coserv::decode(message.payload().unwrap()).unwrap();
    assert_eq!(answer.results.unwrap().reference.unwrap().len(), 1);
}

#[test]
fn queries_that_are_not_answered_say_why() {
    let (site, ..) = site();
    let query = of_classes(ArtifactType::ReferenceValues, ResultType::Collected, &[0x11]);
    site.call("GET", &path(&query), None, "", None).expect(401);
    let reader = site.token("read", "reader");
    site.call("GET", &path(&query), Some(&reader), "", None).expect(200);
    let other = site.call_with("GET", &path(&query), Some(&site.admin), "", None, &[("accept", "text/html")]);
    other.expect(406);

    let mut stateful = of_classes(ArtifactType::ReferenceValues, ResultType::Collected, &[0x11]);
    if let CoservQuery::Environments { selector: EnvironmentSelector::Classes(all), .. } = &mut stateful.query
    {
        let values = MeasurementValues { name: Some("BL".into()), ..MeasurementValues::default() };
        all[0].measurements.push(Measurement::new(values));
    }
    let many: Vec<u8> = (0..65).collect();
    let answered = Coserv { results: Some(Default::default()), ..query.clone() };
    let mut spread = query.encode();
    // The same map with a longer head.
    spread.splice(0..1, [0xb8, 2]);
    for (what, bytes) in [
        ("a state", stateful.encode()),
        ("too much", of_classes(ArtifactType::ReferenceValues, ResultType::Collected, &many).encode()),
        ("an answer", answered.encode()),
        ("another encoding", spread),
        ("no query", vec![0xa0]),
    ] {
        let reply = site.get(&format!("/coserv/v1/{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))).expect(400);
        assert_eq!(reply.header("content-type"), "application/concise-problem-details+cbor", "{what}");
        assert!(
            cbor::diagnostic(&reply.body).unwrap().starts_with("{-1: \"the request cannot be read\", -2: "),
            "{what}"
        );
    }
    site.get("/coserv/v1/%21").expect(400);
    site.get(&path(&of_classes(ArtifactType::ReferenceValues, ResultType::Collected, &many[..64])))
        .expect(200);
}
