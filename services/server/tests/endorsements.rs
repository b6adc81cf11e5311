//! Evidence of devices that are not enrolled: PSA tokens, against manifests that an endorser signed or an operator brought.

mod common;

use api::Session;
use common::{Maker, NOW, Site, hex, key};
use corim::{
    Class, ClassId, Comid, Corim, CryptoKey, Environment, Flags, Instance, KeyTriple, MeasuredElement,
    Measurement, MeasurementValues, PSA_SOFTWARE_COMPONENT, Profile, SignerMeta, Tag, TagId, TagIdentity,
    Triples, ValuesTriple,
};
use cose::{Purpose, Sign1Builder, TrustAnchor, TrustAnchors};
use crypto::{Digest, HashAlgorithm, SigningKey};
use eat::{Lifecycle, Nonce, PsaClaims, PsaProfile, SignedResult, SoftwareComponent, Tier, Ueid};
use serde_json::json;
use trust::key_anchors;
use x509::{AttributeType, CertificateBuilder, Name, Validity, pem};

const PSA: &str = "application/psa-attestation-token";
const RIM: &str = "application/rim+cbor";
const SUBMIT: &str = "/endorsement-provisioning/v1/submit";
const IMPLEMENTATION: [u8; 32] = [0x11; 32];
const SIGNER: [u8; 32] = [0x22; 32];

fn instance() -> Vec<u8> {
    [&[1][..], &[0x33; 32]].concat()
}

fn digest(content: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, content.as_bytes())
}

/// The key of the one device, and one release of one component.
fn manifest(id: &str, device: &SigningKey, content: &str) -> Corim {
    let class = Class { id: Some(ClassId::Bytes(IMPLEMENTATION.to_vec())), ..Class::default() };
    let platform = Environment { class: Some(class), ..Environment::default() };
    let keys = KeyTriple {
        environment: Environment { instance: Some(Instance::Ueid(instance())), ..platform.clone() },
        keys: vec![CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &device.public_key().to_spki_der()))],
        element: None,
        authorized_by: vec![],
    };
    let measurement = Measurement {
        key: Some(MeasuredElement::Name(PSA_SOFTWARE_COMPONENT.into())),
        ..Measurement::new(MeasurementValues {
            digests: vec![digest(content).into()],
            name: Some("BL".into()),
            cryptokeys: vec![CryptoKey::Bytes(SIGNER.to_vec())],
            ..MeasurementValues::default()
        })
    };
    let triples = Triples {
        reference: vec![ValuesTriple { environment: platform, measurements: vec![measurement] }],
        attest_key: vec![keys],
        ..Triples::default()
    };
    let identity = TagIdentity { id: TagId::Text(format!("{id}-tag")), version: 0 };
    Corim {
        profile: Some(Profile::Uri("tag:arm.com,2025:psa#1.0.0".into())),
        ..Corim::new(TagId::Text(id.into()), vec![Tag::Comid(Comid::new(identity, triples))])
    }
}

fn token(device: &SigningKey, nonce: &[u8], content: &str) -> Vec<u8> {
    let component = SoftwareComponent {
        measurement_type: Some("BL".into()),
        measurement: digest(content).as_bytes().to_vec(),
        version: None,
        signer_id: SIGNER.to_vec(),
        description: None,
    };
    let claims = PsaClaims {
        profile: PsaProfile::Rfc9783,
        nonce: Nonce::new(nonce).unwrap(),
        instance_id: Ueid::new(&instance()).unwrap(),
        boot_seed: None,
        client_id: 1,
        lifecycle: Lifecycle::new(0x3000).unwrap(),
        implementation_id: IMPLEMENTATION,
        certification_reference: None,
        components: vec![component],
        verification_service: None,
    };
    Sign1Builder::new().sign(device, &claims.encode())
}

/// Asks for a session and answers it; gives the session after it.
fn attest(site: &Site, device: &SigningKey, content: &str) -> Session {
    let (location, session) = site.session();
    let token = token(device, &session.nonce.0, content);
    let reply = site.call("POST", &location, None, PSA, Some(&token)).expect(200);
    let session: Session = serde_json::from_slice(&reply.body).unwrap();
    let kept: Session =
        serde_json::from_slice(&site.call("GET", &location, None, "", None).expect(200).body).unwrap();
    assert_eq!((kept.result, kept.evidence), (session.result.clone(), session.evidence.clone()));
    session
}

/// Status and reasons of the one part of a result.
fn judged(site: &Site, session: &Session, part: &str) -> (Tier, Vec<String>) {
    let verifier = cose::Key::decode(site.server().result_key()).unwrap();
    let anchors = key_anchors(&[verifier], &[]);
    let jwt = session.result.clone().unwrap();
    let from_jwt = SignedResult::decode_jwt(jwt.as_bytes()).unwrap().verify(&anchors, NOW, None).unwrap();
    let cwt = session.sextant_result.clone().unwrap().0;
    let result = SignedResult::decode_cwt(&cwt).unwrap().verify(&anchors, NOW, None).unwrap();
    assert_eq!(from_jwt.result().submods, result.result().submods);
    assert_eq!((&result.result().ueid, &result.result().confirmation), (&None, &None));
    let appraisal = result.appraisal(part).unwrap_or_else(|| panic!("{:?}", result.result().submods));
    (appraisal.status, appraisal.reasons.iter().map(|reason| reason.code.clone()).collect())
}

#[test]
fn psa_device_is_appraised_against_a_manifest_until_that_is_revoked() {
    let (mut site, device) = (Site::new(), key(31));
    let bytes = manifest("maker", &device, "b1").build().unwrap();
    let unknown = judged(&site, &attest(&site, &device, "b1"), "device");
    assert_eq!(unknown, (Tier::Contraindicated, vec!["unknown-device".to_owned()]));

    site.call("POST", SUBMIT, None, RIM, Some(&bytes)).expect(401);
    let reader = site.token("read", "reader");
    site.call("POST", SUBMIT, Some(&reader), RIM, Some(&bytes)).expect(403);
    site.call("POST", SUBMIT, Some(&site.admin), "application/json", Some(&bytes)).expect(415);
    let session = site.call("POST", SUBMIT, Some(&site.admin), RIM, Some(&bytes)).expect(200);
    assert_eq!(session.header("content-type"), api::PROVISIONING_SESSION);
    assert_eq!(session.json()["status"], "success");
    // Whoever did not hear the answer asks again.
    assert_eq!(site.call("POST", SUBMIT, Some(&site.admin), RIM, Some(&bytes)).json()["status"], "success");

    let affirmed = (Tier::Affirming, vec![]);
    assert_eq!(judged(&site, &attest(&site, &device, "b1"), "PSA_IOT"), affirmed);
    let changed = judged(&site, &attest(&site, &device, "evil"), "PSA_IOT");
    assert_eq!(changed, (Tier::Contraindicated, vec!["digest-mismatch".to_owned()]));
    let forged = judged(&site, &attest(&site, &key(32), "b1"), "device");
    assert_eq!(forged, (Tier::Contraindicated, vec!["bad-evidence-signature".to_owned()]));

    // It survives the server.
    site.stop();
    site.start();
    assert_eq!(judged(&site, &attest(&site, &device, "b1"), "PSA_IOT"), affirmed);

    let listed = site.get("/api/v1/endorsements").expect(200).json();
    let id = hex(Digest::of(HashAlgorithm::Sha256, &bytes).as_bytes());
    assert_eq!(
        (&listed[0]["digest"], &listed[0]["id"], &listed[0]["holds"]),
        (&json!(id), &json!("maker"), &json!(true))
    );
    assert_eq!((&listed[0]["reference_values"], &listed[0]["attestation_keys"]), (&json!(1), &json!(1)));
    assert_eq!(site.get(&format!("/api/v1/endorsements/{id}/object")).expect(200).body, bytes);

    site.act(&format!("/api/v1/endorsements/{id}/revoke")).expect(204);
    site.act(&format!("/api/v1/endorsements/{id}/revoke")).expect(409);
    assert_eq!(judged(&site, &attest(&site, &device, "b1"), "device").1, ["unknown-device"]);
    let shown = site.get(&format!("/api/v1/endorsements/{id}")).expect(200).json();
    assert_eq!(shown["holds"], false);
    site.stop();
    site.start();
    assert_eq!(judged(&site, &attest(&site, &device, "b1"), "device").1, ["unknown-device"]);
}

#[test]
fn certificate_of_an_authority_of_the_operator_binds_the_key_to_the_device_it_names() {
    let (device, other) = (key(31), key(32));
    let validity = Validity { not_before: NOW - 1000, not_after: NOW + 1000 };
    let name = |attributes: &[(AttributeType, &str)]| Name::new(attributes).unwrap();
    let root = CertificateBuilder::new(
        name(&[(AttributeType::CommonName, "Silicon")]),
        key(34).public_key(),
        &[1],
        validity,
    );
    let root = root.authority(None).self_signed(&key(34)).unwrap();
    let site = Site::with(|config| config.attester_authorities = vec![root.clone()]);
    // Only values, and no key.
    let mut values = manifest("maker", &device, "b1");
    let Tag::Comid(comid) = &mut values.tags[0] else { panic!("a CoMID") };
    comid.triples.attest_key.clear();
    let values = values.build().unwrap();
    site.call("POST", SUBMIT, Some(&site.admin), RIM, Some(&values)).expect(200);
    let attest = |signer: &SigningKey, serial: &str| {
        let subject = name(&[(AttributeType::CommonName, "Device"), (AttributeType::SerialNumber, serial)]);
        let leaf = CertificateBuilder::new(subject, signer.public_key(), &[2], validity);
        let leaf = leaf.issued_by(&root, &key(34)).unwrap();
        let chain = cbor::Writer::encode(|w| _ = w.bytes(leaf.as_der()));
        let (location, session) = site.session();
        let bare = token(&device, &session.nonce.0, "b1");
        let claims = cose::Sign1::decode(&bare).unwrap().payload().unwrap().to_vec();
        let token = Sign1Builder::new().unprotected(33, &chain).sign(&device, &claims);
        let reply = site.call("POST", &location, None, PSA, Some(&token)).expect(200);
        serde_json::from_slice::<Session>(&reply.body).unwrap()
    };
    // The identifier of a PSA device is 33 bytes long, of which the first is always the same.
    let own = hex(&instance()[1..]);
    assert_eq!(judged(&site, &attest(&device, &own), "PSA_IOT"), (Tier::Affirming, vec![]));
    assert_eq!(judged(&site, &attest(&device, "01"), "device").1, ["attester-certificate"]);
    assert_eq!(judged(&site, &attest(&other, &own), "device").1, ["bad-evidence-signature"]);
}

#[test]
fn release_of_the_operators_own_is_what_a_token_of_its_class_should_measure() {
    let (site, maker, device) = (Site::new(), Maker::new(), key(31));
    site.put_authorities(&maker);
    let envelope = maker.release("1.0.0", 1, b"app 1");
    site.publish(&envelope).expect(201);
    let instance = Environment { instance: Some(Instance::Ueid(instance())), ..Environment::default() };
    let key_triple = KeyTriple {
        environment: instance.clone(),
        keys: vec![CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &device.public_key().to_spki_der()))],
        element: None,
        authorized_by: vec![],
    };
    // What the maker says of the device besides.
    let secure = Flags { known: [(Flags::IS_SECURE, true)].into(), ..Flags::default() };
    let secure = MeasurementValues { flags: Some(secure), ..MeasurementValues::default() };
    let triples = Triples {
        attest_key: vec![key_triple],
        endorsed: vec![ValuesTriple { environment: instance, measurements: vec![Measurement::new(secure)] }],
        ..Triples::default()
    };
    let identity = TagIdentity { id: TagId::Text("tag".into()), version: 0 };
    let manifest = Corim::new(TagId::Text("keys".into()), vec![Tag::Comid(Comid::new(identity, triples))]);
    site.call("POST", SUBMIT, Some(&site.admin), RIM, Some(&manifest.build().unwrap())).expect(200);

    let attest = |app: &[u8]| {
        let vendor = suit::Uuid::vendor("northlight.example");
        let (location, session) = site.session();
        let claims = eat::Claims {
            nonces: vec![Nonce::new(&session.nonce.0).unwrap()],
            ueid: Ueid::new(&self::instance()),
            oemid: Some(eat::OemId::Random(*vendor.as_bytes())),
            hwmodel: Some(suit::Uuid::class(&vendor, b"welcome-cam").as_bytes().to_vec()),
            measurements: vec![eat::Content::bytes(258, common::measured(app))],
            ..eat::Claims::default()
        };
        let token = claims.sign_cwt(&device, b"").unwrap();
        let reply = site.call("POST", &location, None, "application/eat+cwt", Some(&token)).expect(200);
        serde_json::from_slice::<Session>(&reply.body).unwrap()
    };
    let good = attest(b"app 1");
    assert_eq!(judged(&site, &good, "EAT"), (Tier::Affirming, vec![]));
    let verifier = cose::Key::decode(site.server().result_key()).unwrap();
    let cwt = good.sextant_result.unwrap().0;
    let result = SignedResult::decode_cwt(&cwt).unwrap();
    let result = result.verify(&key_anchors(&[verifier], &[]), NOW, None).unwrap();
    let (name, value) = &result.appraisal("EAT").unwrap().verifier_claims[0];
    assert_eq!(name, &eat::ClaimKey::Text("sextant_endorsed".into()));
    assert_eq!(cbor::diagnostic(value).unwrap(), r#"[{"secure": true}]"#);
    let changed = judged(&site, &attest(b"evil"), "EAT");
    assert_eq!(changed, (Tier::Contraindicated, vec!["digest-mismatch".to_owned()]));

    let release = hex(common::manifest_digest(&envelope).as_bytes());
    site.post(&format!("/api/v1/releases/{release}/revoke"), json!({ "reason": "bad" })).expect(204);
    let found = judged(&site, &attest(b"app 1"), "EAT");
    assert_eq!(found, (Tier::Warning, vec!["release-revoked".to_owned()]));
}

#[test]
fn session_takes_the_evidence_of_others_once() {
    let (site, device) = (Site::new(), key(31));
    let bytes = manifest("maker", &device, "b1").build().unwrap();
    site.call("POST", SUBMIT, Some(&site.admin), RIM, Some(&bytes)).expect(200);
    let (location, session) = site.session();
    let answer = token(&device, &session.nonce.0, "b1");
    site.call("POST", &location, None, PSA, Some(&answer)).expect(200);
    site.call("POST", &location, None, PSA, Some(&answer)).expect(409);
    let (location, _) = site.session();
    let replayed = site.call("POST", &location, None, PSA, Some(&answer)).expect(200);
    let replayed: Session = serde_json::from_slice(&replayed.body).unwrap();
    assert_eq!(judged(&site, &replayed, "device").1, ["replayed-nonce"]);
    let (location, _) = site.session();
    let refused = site.call("POST", &location, None, "application/octet-stream", Some(&answer)).expect(415);
    assert!(refused.header("accept").contains(PSA), "{}", refused.header("accept"));
}

#[test]
fn signed_manifest_counts_only_from_an_endorser() {
    let (endorser, device) = (key(33), key(31));
    let anchor = TrustAnchor::new(endorser.public_key().clone(), Purpose::Corim, "Silicon");
    let site = Site::with(|config| config.endorsers = TrustAnchors::new(vec![anchor]));
    let sign = |id: &str, key: &SigningKey| {
        let kid = TrustAnchor::new(key.public_key().clone(), Purpose::Corim, "").kid;
        manifest(id, &device, "b1").sign(&SignerMeta::new("Silicon"), key, &kid).unwrap()
    };
    let media = "application/rim+cose";
    let refused =
        site.call("POST", SUBMIT, Some(&site.admin), media, Some(&sign("bad", &device))).expect(200);
    let refused = refused.json();
    assert_eq!(refused["status"], "failed");
    assert!(refused["failure-reason"].as_str().unwrap().starts_with("unknown-signer"), "{refused}");
    let managed =
        site.call("POST", "/api/v1/endorsements", Some(&site.admin), media, Some(&sign("bad", &device)));
    assert_eq!(managed.expect(422).json()["reason"]["code"], "unknown-signer");

    let taken =
        site.call("POST", "/api/v1/endorsements", Some(&site.admin), media, Some(&sign("good", &endorser)));
    assert_eq!(taken.expect(201).json()["authority"], "Silicon");
    assert_eq!(judged(&site, &attest(&site, &device, "b1"), "PSA_IOT"), (Tier::Affirming, vec![]));
}
