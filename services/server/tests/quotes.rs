//! Quotes of a TPM 2.0 in software, made in answer to the server's nonce and judged against its PCRs.

mod common;

use api::Session;
use common::{NOW, Site};
use corim::{
    Comid, Corim, CryptoKey, Environment, Instance, KeyTriple, MeasuredElement, Measurement,
    MeasurementValues, Tag, TagId, TagIdentity, Triples, ValuesTriple,
};
use crypto::{Digest, HashAlgorithm};
use eat::{Cmw, CmwCollection, CmwKey, CmwRecord, SignedResult, Tier};
use testkit::Tpm;
use trust::key_anchors;

const CMW: &str = "application/cmw+cbor";
const ENACT_TRUST: &str = "application/vnd.enacttrust.tpm-evidence";
const NODE: [u8; 16] = *b"\x7d\xf7\x71\x4e\xaa\x04\x46\x38\xbc\xbf\x43\x4b\x1d\xd7\x20\xf1";
const PCRS: &str = "sha256:0,4,7";

/// The key of an instance, and what that is expected to measure.
fn manifest(id: &str, instance: Instance, pem: Vec<u8>, measurements: Vec<Measurement>) -> Vec<u8> {
    let environment = Environment { instance: Some(instance), ..Environment::default() };
    let keys = KeyTriple {
        environment: environment.clone(),
        keys: vec![CryptoKey::PkixKey(String::from_utf8(pem).unwrap())],
        element: None,
        authorized_by: vec![],
    };
    let triples = Triples {
        reference: vec![ValuesTriple { environment, measurements }],
        attest_key: vec![keys],
        ..Triples::default()
    };
    let identity = TagIdentity { id: TagId::Text(format!("{id}-tag")), version: 0 };
    Corim::new(TagId::Text(id.into()), vec![Tag::Comid(Comid::new(identity, triples))]).build().unwrap()
}

fn digest_of(value: &[u8]) -> MeasurementValues {
    let digest = Digest::new(HashAlgorithm::Sha256, value).unwrap();
    MeasurementValues { digests: vec![digest.into()], ..MeasurementValues::default() }
}

/// Each PCR that the TPM has now as an element under its number.
fn measurements(tpm: &Tpm) -> Vec<Measurement> {
    let values = tpm.values(PCRS);
    let measurement = |(pcr, value): (u64, &[u8])| Measurement {
        key: Some(MeasuredElement::Number(pcr)),
        ..Measurement::new(digest_of(value))
    };
    [0, 4, 7].into_iter().zip(values.chunks(32)).map(measurement).collect()
}

fn collection(tpm: &Tpm) -> Vec<u8> {
    let entry = |name: &str, file: &str| {
        let record = CmwRecord::new("application/vnd.example.tpm-part", tpm.read(file)).unwrap();
        (CmwKey::Text(name.into()), Cmw::from(record))
    };
    let entries = [entry("attest", "quote"), entry("sig", "quote.sig"), entry("pcrs", "quote.pcrs")];
    Cmw::from(CmwCollection { kind: None, entries: entries.into() }).encode()
}

fn enact_trust(tpm: &Tpm) -> Vec<u8> {
    let attest = tpm.read("quote");
    let len = u16::try_from(attest.len()).unwrap().to_be_bytes();
    [&NODE[..], &len, &attest, &tpm.read("quote.sig")].concat()
}

/// Answers a session with evidence; gives status and reasons of the one part of the result.
fn answer(site: &Site, location: &str, media_type: &str, evidence: &[u8]) -> (String, Tier, Vec<String>) {
    let reply = site.call("POST", location, None, media_type, Some(evidence)).expect(200);
    let session: Session = serde_json::from_slice(&reply.body).unwrap();
    let verifier = cose::Key::decode(site.server().result_key()).unwrap();
    let cwt = session.sextant_result.unwrap().0;
    let anchors = key_anchors(&[verifier], &[]);
    let result = SignedResult::decode_cwt(&cwt).unwrap().verify(&anchors, NOW, None).unwrap();
    assert_eq!(result.result().submods.len(), 1);
    let (name, appraisal) = result.result().submods.iter().next().unwrap();
    (name.clone(), appraisal.status, appraisal.reasons.iter().map(|reason| reason.code.clone()).collect())
}

fn refused(name: &str, code: &str) -> (String, Tier, Vec<String>) {
    (name.into(), Tier::Contraindicated, vec![code.into()])
}

fn submit(site: &Site, manifest: &[u8]) {
    let (path, media_type) = ("/endorsement-provisioning/v1/submit", "application/rim+cbor");
    let submitted = site.call("POST", path, Some(&site.admin), media_type, Some(manifest));
    assert_eq!(submitted.expect(200).json()["status"], "success");
}

#[test]
fn a_tpm_is_affirmed_until_a_pcr_changes() {
    let Some(tpm) = Tpm::start() else { return };
    let site = Site::new();
    let submit = |manifest: &[u8]| submit(&site, manifest);
    tpm.attestation_key("other", "ecc", "ecdsa");
    tpm.attestation_key("ak", "ecc", "ecdsa");
    tpm.extend(7, &"11".repeat(32));
    let instance = Instance::Bytes(tpm.read("ak.qname"));
    submit(&manifest("collection", instance, tpm.read("ak.pem"), measurements(&tpm)));
    let over = Digest::of(HashAlgorithm::Sha256, &tpm.values(PCRS));
    let one = vec![Measurement::new(digest_of(over.as_bytes()))];
    submit(&manifest("node", Instance::Uuid(NODE), tpm.read("ak.pem"), one));

    let quote = |key: &str, pcrs: &str| {
        let (location, session) = site.session();
        assert!(session.accept.iter().any(|accepted| accepted == ENACT_TRUST));
        tpm.quote(key, &session.nonce.0, pcrs, "ecdsa");
        location
    };
    let location = quote("ak", PCRS);
    let first = collection(&tpm);
    assert_eq!(answer(&site, &location, CMW, &first), ("TPM".into(), Tier::Affirming, vec![]));
    site.call("POST", &location, None, CMW, Some(&first)).expect(409);
    let location = quote("ak", PCRS);
    let token = enact_trust(&tpm);
    let affirmed = ("TPM_ENACTTRUST".into(), Tier::Affirming, vec![]);
    assert_eq!(answer(&site, &location, ENACT_TRUST, &token), affirmed);

    // Yesterday's quotes answer yesterday's nonce.
    let (location, _) = site.session();
    assert_eq!(answer(&site, &location, CMW, &first), refused("device", "replayed-nonce"));
    let (location, _) = site.session();
    assert_eq!(answer(&site, &location, ENACT_TRUST, &token), refused("device", "replayed-nonce"));
    // Another key of the same TPM: by its own name, and in the name of the node.
    let location = quote("other", PCRS);
    assert_eq!(answer(&site, &location, CMW, &collection(&tpm)), refused("device", "unknown-device"));
    let location = quote("other", PCRS);
    let forged = answer(&site, &location, ENACT_TRUST, &enact_trust(&tpm));
    assert_eq!(forged, refused("device", "bad-evidence-signature"));
    // Fewer PCRs, and another bank, are signed as well as those that matter.
    for pcrs in ["sha256:0,4", "sha384:0,4,7", "sha256:0,4,7,8"] {
        let location = quote("ak", pcrs);
        assert_eq!(
            answer(&site, &location, CMW, &collection(&tpm)),
            refused("TPM", "pcr-selection"),
            "{pcrs}"
        );
    }
    let location = quote("ak", "sha256:0,4");
    let smaller = answer(&site, &location, ENACT_TRUST, &enact_trust(&tpm));
    assert_eq!(smaller, refused("TPM_ENACTTRUST", "digest-mismatch"));

    tpm.extend(7, &"22".repeat(32));
    let location = quote("ak", PCRS);
    assert_eq!(answer(&site, &location, CMW, &collection(&tpm)), refused("TPM", "digest-mismatch"));
    let location = quote("ak", PCRS);
    let changed = answer(&site, &location, ENACT_TRUST, &enact_trust(&tpm));
    assert_eq!(changed, refused("TPM_ENACTTRUST", "digest-mismatch"));
}

#[test]
fn a_tpm_with_an_rsa_key_that_a_manifest_names_is_affirmed_and_another_key_is_not() {
    let Some(tpm) = Tpm::start() else { return };
    let site = Site::new();
    for scheme in ["rsassa", "rsapss"] {
        tpm.attestation_key("other", "rsa", scheme);
        tpm.attestation_key("ak", "rsa", scheme);
        let instance = || Instance::Bytes(tpm.read("ak.qname"));
        submit(&site, &manifest(scheme, instance(), tpm.read("ak.pem"), measurements(&tpm)));
        let quote = |key: &str| {
            let (location, session) = site.session();
            tpm.quote(key, &session.nonce.0, PCRS, scheme);
            location
        };
        let location = quote("ak");
        assert_eq!(
            answer(&site, &location, CMW, &collection(&tpm)),
            ("TPM".into(), Tier::Affirming, vec![]),
            "{scheme}"
        );
        // A node that says to be another, of which the manifest names the key that did not sign.
        submit(&site, &manifest("node", Instance::Uuid(NODE), tpm.read("other.pem"), measurements(&tpm)));
        let location = quote("ak");
        let forged = answer(&site, &location, ENACT_TRUST, &enact_trust(&tpm));
        assert_eq!(forged, refused("device", "bad-evidence-signature"), "{scheme}");
        let location = quote("other");
        assert_eq!(answer(&site, &location, CMW, &collection(&tpm)), refused("device", "unknown-device"));
        tpm.extend(0, &"11".repeat(32));
        let location = quote("ak");
        assert_eq!(answer(&site, &location, CMW, &collection(&tpm)), refused("TPM", "digest-mismatch"));
    }
}
