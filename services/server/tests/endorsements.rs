//! Evidence of devices that are not enrolled: PSA tokens, against manifests that an endorser signed or an operator brought.

mod common;

use api::Session;
use common::{
    Maker, NOW, Site,
    foreign::{PSA, RIM, SUBMIT, attest, attest_eat, instance, instance_manifest, judged, manifest, token},
    hex, key,
};
use corim::{Flags, Measurement, MeasurementValues, SignerMeta, Tag};
use cose::{Purpose, Sign1Builder, TrustAnchor, TrustAnchors};
use crypto::{Digest, HashAlgorithm, SigningKey};
use eat::{SignedResult, Tier};
use serde_json::json;
use trust::key_anchors;
use x509::{AttributeType, CertificateBuilder, Name, Validity};

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
    // What the maker says of the device besides.
    let secure = Flags { known: [(Flags::IS_SECURE, true)].into(), ..Flags::default() };
    let secure = MeasurementValues { flags: Some(secure), ..MeasurementValues::default() };
    let manifest = instance_manifest(&device, vec![Measurement::new(secure)]);
    site.call("POST", SUBMIT, Some(&site.admin), RIM, Some(&manifest)).expect(200);

    let attest = |app: &[u8]| attest_eat(&site, &device, app);
    let good = attest(b"app 1");
    assert_eq!(judged(&site, &good, "EAT"), (Tier::Affirming, vec![]));
    let verifier = cose::Key::decode(site.server().result_key()).unwrap();
    let cwt = good.sextant_result.unwrap().0;
    let result = SignedResult::decode_cwt(&cwt).unwrap();
    let result = result.verify(&key_anchors(&[verifier], &[]), NOW, None).unwrap();
    let [(name, value), (key, _)] = result.appraisal("EAT").unwrap().verifier_claims.as_slice() else {
        panic!("{:?}", result.result().submods)
    };
    assert_eq!(key, &eat::ClaimKey::Text("sextant_key_binding".into()));
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
