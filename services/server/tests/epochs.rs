//! Evidence without a session: it answers the handle of an epoch, and each device is heard once with each.

mod common;

use api::{Epoch, Session};
use common::{Device, Maker, Site, key, manifest_digest};
use corim::{
    Comid, Corim, CryptoKey, Environment, Instance, KeyTriple, MeasuredElement, Measurement,
    MeasurementValues, Tag, TagId, TagIdentity, Triples, ValuesTriple,
};
use crypto::{Digest, HashAlgorithm, SigningKey};
use eat::{Nonce, SignedResult, Tier, Ueid};
use sextant_server::Clock;
use trust::key_anchors;
use x509::pem;

const EPOCH: &str = "/challenge-response/v1/epoch";
const EAT: &str = "application/eat+cwt";
/// Seconds of one epoch.
const PERIOD: i64 = 120;

fn epoch(site: &Site) -> Epoch {
    let reply = site.call("GET", EPOCH, None, "", None).expect(200);
    assert_eq!(reply.header("cache-control"), "no-store");
    serde_json::from_slice(&reply.body).unwrap()
}

/// Status and first reason of the one part.
fn judged(site: &Site, body: &[u8]) -> (Tier, Option<String>) {
    let session: Session = serde_json::from_slice(body).unwrap();
    let verifier = cose::Key::decode(site.server().result_key()).unwrap();
    let cwt = session.sextant_result.unwrap().0;
    let result = SignedResult::decode_cwt(&cwt).unwrap();
    let now = site.clock.now().seconds();
    let result = result.verify(&key_anchors(&[verifier], &[]), now, None).unwrap();
    let (_, appraisal) = result.result().submods.iter().next().unwrap();
    (appraisal.status, appraisal.reasons.first().map(|reason| reason.code.clone()))
}

#[test]
fn handle_is_the_same_in_its_epoch_and_another_in_the_next() {
    let mut site = Site::new();
    let first = epoch(&site);
    assert_eq!(first.handle.0.len(), 32);
    assert_eq!(
        (first.since.as_str(), first.until.as_str()),
        ("2027-01-15T08:00:00Z", "2027-01-15T08:02:00Z")
    );
    assert_eq!(first.fresh_until, "2027-01-15T08:04:00Z");
    assert!(first.accept.iter().any(|accepted| accepted == EAT));
    site.clock.advance_seconds(PERIOD - 1);
    assert_eq!(epoch(&site), first);
    site.stop();
    site.start();
    assert_eq!(epoch(&site), first, "it needs no memory");
    site.clock.advance_seconds(1);
    assert_ne!(epoch(&site).handle, first.handle);
    assert_ne!(epoch(&Site::new()).handle, first.handle, "each server has its own");
}

#[test]
fn enrolled_device_is_heard_once_with_the_present_handle_or_the_one_before() {
    let (site, maker) = (Site::new(), Maker::new());
    let (one, two) = (Device::new(1), Device::new(2));
    site.put_authorities(&maker);
    let envelope = maker.release("1.0.0", 1, b"app 1");
    site.publish(&envelope).expect(201);
    site.enrol(&[&one, &two]).expect(201);
    let manifest = Some(manifest_digest(&envelope));
    let send = |evidence: &[u8]| site.call("POST", EPOCH, None, api::EVIDENCE, Some(evidence));

    let first = epoch(&site).handle.0;
    // Whoever has not the key uses nothing up.
    let forger = Device { key: key(9), ..Device::new(1) };
    let forged = send(&forger.evidence(&first, b"app 1", manifest)).expect(200);
    assert_eq!(judged(&site, &forged.body).1.as_deref(), Some("bad-evidence-signature"));
    let evidence = one.evidence(&first, b"app 1", manifest);
    let good = send(&evidence).expect(200);
    assert_eq!(judged(&site, &good.body), (Tier::Affirming, None));
    assert_eq!(site.device(&one)["posture"], "trusted");
    send(&evidence).expect(409);
    send(&one.evidence(&first, b"evil", manifest)).expect(409);
    assert_eq!(site.device(&one)["posture"], "trusted");

    // The next epoch: its own handle, and the one before for whoever was not heard with it.
    site.clock.advance_seconds(PERIOD);
    let second = epoch(&site).handle.0;
    send(&evidence).expect(409);
    assert_eq!(
        judged(&site, &send(&two.evidence(&first, b"app 1", manifest)).expect(200).body).0,
        Tier::Affirming
    );
    assert_eq!(
        judged(&site, &send(&two.evidence(&second, b"app 1", manifest)).expect(200).body).0,
        Tier::Affirming
    );
    site.clock.advance_seconds(PERIOD);
    for device in [&one, &two] {
        let late = send(&device.evidence(&first, b"app 1", manifest)).expect(200);
        let replayed = (Tier::Contraindicated, Some("replayed-nonce".to_owned()));
        assert_eq!(judged(&site, &late.body), replayed);
    }
    assert_eq!(
        judged(&site, &send(&one.evidence(&second, b"app 1", manifest)).expect(200).body).0,
        Tier::Affirming
    );
    // A handle is no nonce of a session.
    let (location, _) = site.session();
    let present = epoch(&site).handle.0;
    let crossed = site.submit(&location, &one.evidence(&present, b"app 1", manifest)).expect(200);
    assert_eq!(judged(&site, &crossed.body).1.as_deref(), Some("replayed-nonce"));
}

/// The key of a device, and the one file that it is to measure.
fn manifest(ueid: &[u8], device: &SigningKey) -> Vec<u8> {
    let environment = Environment { instance: Some(Instance::Ueid(ueid.to_vec())), ..Environment::default() };
    let keys = KeyTriple {
        environment: environment.clone(),
        keys: vec![CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &device.public_key().to_spki_der()))],
        element: None,
        authorized_by: vec![],
    };
    let digest = Digest::of(HashAlgorithm::Sha256, b"app 1");
    let values = MeasurementValues { digests: vec![digest.into()], ..MeasurementValues::default() };
    let measurement =
        Measurement { key: Some(MeasuredElement::Name("app".into())), ..Measurement::new(values) };
    let triples = Triples {
        reference: vec![ValuesTriple { environment, measurements: vec![measurement] }],
        attest_key: vec![keys],
        ..Triples::default()
    };
    let identity = TagIdentity { id: TagId::Text("tag".into()), version: 0 };
    let id = TagId::Text(common::hex(ueid));
    Corim::new(id, vec![Tag::Comid(Comid::new(identity, triples))]).build().unwrap()
}

#[test]
fn device_that_is_not_enrolled_is_heard_once_as_well() {
    let site = Site::new();
    let devices =
        [([1; 17], key(31)), ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17], key(32))];
    for (ueid, key) in &devices {
        let submit = "/endorsement-provisioning/v1/submit";
        let manifest = manifest(ueid, key);
        site.call("POST", submit, Some(&site.admin), "application/rim+cbor", Some(&manifest)).expect(200);
    }
    let token = |(ueid, key): &([u8; 17], SigningKey), nonce: &[u8], app: &[u8]| {
        let claims = eat::Claims {
            nonces: vec![Nonce::new(nonce).unwrap()],
            ueid: Ueid::new(ueid),
            measurements: vec![eat::Content::bytes(258, common::measured(app))],
            ..eat::Claims::default()
        };
        claims.sign_cwt(key, b"").unwrap()
    };
    let send = |evidence: &[u8]| site.call("POST", EPOCH, None, EAT, Some(evidence));
    let first = epoch(&site).handle.0;
    let [one, two] = &devices;
    let forged = send(&token(&(one.0, key(9)), &first, b"app 1")).expect(200);
    assert_eq!(judged(&site, &forged.body).1.as_deref(), Some("bad-evidence-signature"));
    let evidence = token(one, &first, b"app 1");
    assert_eq!(judged(&site, &send(&evidence).expect(200).body), (Tier::Affirming, None));
    send(&evidence).expect(409);
    send(&token(one, &first, b"evil")).expect(409);
    site.clock.advance_seconds(PERIOD);
    send(&evidence).expect(409);
    let changed = send(&token(two, &first, b"evil")).expect(200);
    assert_eq!(judged(&site, &changed.body).1.as_deref(), Some("digest-mismatch"));
    site.clock.advance_seconds(PERIOD);
    let late = send(&evidence).expect(200);
    assert_eq!(judged(&site, &late.body).1.as_deref(), Some("replayed-nonce"));
    site.call("POST", EPOCH, None, "application/octet-stream", Some(&evidence)).expect(415);
}
