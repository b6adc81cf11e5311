//! Evidence, results, postures and decisions, with real releases and real keys.

mod common;

use common::{Device, Maker, NOW, Site, hex, manifest_digest};
use eat::{Nonce, SignedResult, Tier};
use serde_json::json;
use trust::{Bundle, BundleAnchors, key_anchors};

/// A site with one accepted release and one enrolled device.
fn site() -> (Site, Maker, Device, Vec<u8>) {
    let (site, maker, device) = (Site::new(), Maker::new(), Device::new(1));
    site.put_authorities(&maker);
    let envelope = maker.release("1.0.0", 1, b"app 1.0.0");
    site.publish(&envelope).expect(201);
    site.enrol(&[&device]).expect(201);
    (site, maker, device, envelope)
}

fn codes(device: &serde_json::Value) -> Vec<&str> {
    device["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

#[test]
fn matching_evidence_gives_a_signed_result_bound_to_device_and_key() {
    let (site, _, device, envelope) = site();
    assert_eq!(codes(&site.device(&device)), ["never-attested"]);
    let manifest = manifest_digest(&envelope);
    let session = site.attest(&device, b"app 1.0.0", Some(manifest));

    let verifier = cose::Key::decode(site.server().result_key()).unwrap();
    let anchors = key_anchors(&[verifier], &[]);
    let cwt = session.sextant_result.unwrap().0;
    let result = SignedResult::decode_cwt(&cwt).unwrap().verify(&anchors, NOW, None).unwrap();
    assert_eq!(result.tier(), Tier::Affirming);
    assert!(result.is_bound_to(&eat::Ueid::new(&device.id).unwrap(), device.key.public_key()));
    assert_eq!(result.appraisal("device").unwrap().release.as_deref(), Some(manifest.as_bytes()));
    let jwt = session.result.unwrap();
    let other = SignedResult::decode_jwt(jwt.as_bytes()).unwrap().verify(&anchors, NOW, None).unwrap();
    assert_eq!(other.result(), result.result());
    let next = session.next_attestation.unwrap();
    assert!((150..=210).contains(&next), "{next}");

    let shown = site.device(&device);
    assert_eq!((&shown["posture"], &shown["access"]), (&json!("trusted"), &json!("release")));
    assert_eq!(shown["release"], hex(manifest.as_bytes()));
    assert_eq!(shown["version"], "1.0.0");
    let titles: Vec<_> =
        shown["answers"].as_array().unwrap().iter().map(|answer| answer["question"].clone()).collect();
    assert_eq!(titles, [1, 2, 3, 4, 5, 6]);
    let answer = site.get(&format!("/api/v1/devices/{}?q=4", device.name)).expect(200).json();
    assert_eq!(answer["answer"], "Signed by Northlight");
}

#[test]
fn the_record_of_a_device_says_where_its_mud_file_points() {
    let (site, maker, device) = (Site::new(), Maker::new(), Device::new(1));
    site.put_authorities(&maker);
    site.publish(&maker.pointing_release("1.0.0", 1, b"app 1.0.0")).expect(201);
    site.enrol(&[&device]).expect(201);
    let origin = || site.get(&format!("/api/v1/devices/{}?q=4", device.name)).expect(200).json();
    // Of a device that runs nobody knows what, nobody knows that either.
    assert_eq!(origin()["facts"]["pointers"], json!(null));

    let (location, session) = site.session();
    let evidence = device.evidence(&session.nonce.0, b"app 1.0.0", None);
    site.submit(&location, &evidence).expect(200);
    let pointers = json!([
        { "what": "sbom", "at": "https://m.example/sbom?a=1&b=2", "version": "3.0" },
        { "what": "vulnerability-contact", "at": "mailto:psirt@m.example" },
        { "what": "verifier", "at": "https://verifier.example/" },
    ]);
    assert_eq!(origin()["facts"]["pointers"], pointers);
    let page = site.get(&format!("/devices/{}", device.name)).expect(200).text();
    let shown = "<dt>Its maker names</dt><dd>sbom <code>https://m.example/sbom?a=1&amp;b=2</code></dd>";
    assert!(page.contains(shown), "{page}");
}

#[test]
fn session_takes_evidence_once_and_evidence_fits_one_session() {
    let (site, _, device, _) = site();
    let (location, session) = site.session();
    let evidence = device.evidence(&session.nonce.0, b"app 1.0.0", None);
    site.submit(&location, &evidence).expect(200);
    site.submit(&location, &evidence).expect(409);
    let shown = site.call("GET", &location, None, "", None).expect(200).json();
    assert_eq!((&shown["status"], &shown["sextant.device-token"]), (&json!("complete"), &json!(null)));

    // The same evidence in another session answers an older question. It leaves the posture alone.
    let (location, _) = site.session();
    let replayed = site.submit(&location, &evidence).expect(200).json();
    assert_eq!(replayed["status"], "complete");
    assert_eq!(replayed["sextant.device-token"], json!(null));
    assert_eq!(reasons(&replayed), ["replayed-nonce"]);
    assert_eq!(site.device(&device)["posture"], "trusted");

    let (location, session) = site.session();
    site.clock.advance_seconds(150);
    let evidence = device.evidence(&session.nonce.0, b"app 1.0.0", None);
    site.submit(&location, &evidence).expect(404);
    let (location, _) = site.session();
    site.call("DELETE", &location, None, "", None).expect(204);
    site.submit(&location, &evidence).expect(409);
    site.submit("/challenge-response/v1/session/00000000-0000-8000-8000-000000000000", &evidence).expect(404);
    site.submit("/challenge-response/v1/session/x", &evidence).expect(400);
}

/// Reason codes of the result in a session, as the verifier signed them.
fn reasons(session: &serde_json::Value) -> Vec<String> {
    let cwt = api::Base64Url::decode(session["sextant.result"].as_str().unwrap()).unwrap();
    let result = SignedResult::decode_cwt(&cwt).unwrap();
    let appraisal = &result.unverified().submods["device"];
    assert_ne!(appraisal.status, Tier::Affirming);
    appraisal.reasons.iter().map(|reason| reason.code.clone()).collect()
}

#[test]
fn bad_evidence_is_answered_with_a_contraindicated_result() {
    let (site, _, device, _) = site();
    let stranger = Device::new(9);
    let forger = Device { key: common::key(77), ..Device::new(1) };
    let submit = |make: &dyn Fn(&[u8]) -> Vec<u8>| {
        let (location, session) = site.session();
        site.submit(&location, &make(&session.nonce.0)).expect(200).json()
    };
    for (evidence, code) in [
        (submit(&|_| b"\xff".to_vec()), "malformed-evidence"),
        (submit(&|nonce| stranger.evidence(nonce, b"app 1.0.0", None)), "unknown-device"),
        (submit(&|nonce| forger.evidence(nonce, b"app 1.0.0", None)), "bad-evidence-signature"),
    ] {
        assert_eq!(reasons(&evidence), [code]);
        assert_eq!(evidence["sextant.device-token"], json!(null), "{code}");
        // Nobody can present it for a device: it is bound to none.
        let cwt = api::Base64Url::decode(evidence["sextant.result"].as_str().unwrap()).unwrap();
        let result = SignedResult::decode_cwt(&cwt).unwrap();
        assert!(result.unverified().ueid.is_none() && result.unverified().confirmation.is_none());
    }
    assert_eq!(codes(&site.device(&device)), ["never-attested"]);
    let altered = submit(&|nonce| device.evidence(nonce, b"app x", None));
    assert_eq!(reasons(&altered), ["digest-mismatch"]);
    assert!(altered["sextant.device-token"].is_string());
    assert_eq!(site.device(&device)["posture"], "untrusted");
}

#[test]
fn nonce_of_another_party_gives_a_result_that_binds_nobody() {
    let (site, _, device, _) = site();
    let nonce = [7; 32];
    let path = format!("/challenge-response/v1/newSession?nonce={}", api::Base64Url::encode(&nonce));
    let reply = site.call("POST", &path, None, "", Some(b"")).expect(201);
    let evidence = device.evidence(&nonce, b"app 1.0.0", None);
    let session = site.submit(reply.header("location"), &evidence).expect(200).json();
    let cwt = api::Base64Url::decode(session["sextant.result"].as_str().unwrap()).unwrap();
    let result = SignedResult::decode_cwt(&cwt).unwrap();
    let content = result.unverified();
    assert_eq!(content.nonce, Nonce::new(&nonce));
    assert!(content.ueid.is_none() && content.confirmation.is_none());
    assert_eq!(session["sextant.device-token"], json!(null));
    assert_eq!(site.device(&device)["posture"], "unknown");
    for query in ["nonce=AA", "nonceSize=7", "nonceSize=65", "nonceSize=8&nonce=AAAAAAAAAAA"] {
        let path = format!("/challenge-response/v1/newSession?{query}");
        site.call("POST", &path, None, "", Some(b"")).expect(400);
    }
}

#[test]
fn device_that_attests_too_often_is_told_to_wait() {
    let (site, ..) = site();
    let device = Device::new(1);
    for _ in 0..10 {
        site.attest(&device, b"app 1.0.0", None);
    }
    let (location, session) = site.session();
    let evidence = device.evidence(&session.nonce.0, b"app 1.0.0", None);
    let reply = site.submit(&location, &evidence).expect(429);
    assert_eq!(reply.header("retry-after"), "1");
    site.clock.advance_seconds(1);
    site.submit(&location, &evidence).expect(200);
}

#[test]
fn two_devices_with_one_key_are_both_untrusted() {
    let (site, _, device, _) = site();
    site.attest(&device, b"app 1.0.0", None);
    assert_eq!(site.device(&device)["posture"], "trusted");
    let twin = Device { key: common::key(101), ..Device::new(2) };
    site.enrol(&[&twin]).expect(201);
    // The first one loses its trust at once, although its result would have lasted.
    assert_eq!(codes(&site.device(&device)), ["same-key-twice"]);
    site.attest(&twin, b"app 1.0.0", None);
    assert_eq!(codes(&site.device(&twin)), ["same-key-twice"]);
    let path = format!("/api/v1/devices/{}", twin.ueid());
    site.call("DELETE", &path, Some(&site.admin), "", None).expect(204);
    assert_eq!(site.device(&device)["posture"], "trusted");
    // A retired device is a stranger.
    let (location, session) = site.session();
    let reply =
        site.submit(&location, &twin.evidence(&session.nonce.0, b"app 1.0.0", None)).expect(200).json();
    assert_eq!(reasons(&reply), ["unknown-device"]);
}

#[test]
fn trust_ends_with_the_result() {
    let (site, _, device, _) = site();
    site.attest(&device, b"app 1.0.0", None);
    site.clock.advance_seconds(299);
    site.server().nudge();
    assert_eq!(site.device(&device)["posture"], "trusted");
    site.clock.advance_seconds(1);
    site.until("it is stale", || site.device(&device)["posture"] == "stale");
    assert_eq!(codes(&site.device(&device)), ["evidence-overdue"]);
    site.attest(&device, b"app 1.0.0", None);
    assert_eq!(site.device(&device)["posture"], "trusted");
}

#[test]
fn block_of_a_person_holds_until_its_end() {
    let (site, _, device, _) = site();
    site.attest(&device, b"app 1.0.0", None);
    let path = |verb: &str| format!("/api/v1/devices/{}/{verb}", device.ueid());
    site.post(&path("hold"), json!({ "reason": " " })).expect(400);
    site.post(&path("hold"), json!({ "reason": "x", "until": "2020-01-01T00:00:00Z" })).expect(400);
    site.post(&path("hold"), json!({ "reason": "lost" })).expect(204);
    let held = site.device(&device);
    assert_eq!((codes(&held), &held["access"]), (vec!["operator-block"], &json!("blocked")));
    site.act(&path("release")).expect(204);
    assert_eq!(site.device(&device)["access"], "release");
    // NOW + 60 s.
    site.post(&path("hold"), json!({ "reason": "lost", "until": "2027-01-15T08:01:00Z" })).expect(204);
    assert_eq!(site.device(&device)["access"], "blocked");
    site.clock.advance_seconds(60);
    site.until("the block ended", || site.device(&device)["access"] == "release");
}

#[test]
fn quarantine_of_a_person_leaves_the_way_to_the_cure_until_its_end() {
    let (site, _, device, _) = site();
    site.attest(&device, b"app 1.0.0", None);
    let path = |verb: &str| format!("/api/v1/devices/{}/{verb}", device.ueid());
    let release = || site.call("DELETE", &path("quarantine"), Some(&site.admin), "", None);
    let seen = || {
        let seen = site.device(&device);
        (codes(&seen).join(" "), seen["access"].as_str().unwrap().to_owned())
    };
    let detail = |reply: common::Reply| reply.json()["detail"].as_str().unwrap().to_owned();
    let listed = |word: &str| site.get(&format!("/api/v1/devices?q=held:{word}")).json()["items"].clone();
    site.post(&path("quarantine"), json!({ "reason": "" })).expect(400);
    assert!(detail(release().expect(409)).contains("there is no quarantine or restriction to end"));

    site.post(&path("quarantine"), json!({ "reason": "odd" })).expect(204);
    assert_eq!(seen(), ("operator-quarantine".into(), "update-only".into()));
    assert_eq!(site.device(&device)["posture"], "trusted");
    let hold = listed("update-only")[0]["hold"].clone();
    assert_eq!((&hold["restriction"], &hold["reason"]), (&json!("update-only"), &json!("odd")));
    assert_eq!(listed("blocked"), json!([]));
    // Good evidence ends nothing.
    site.attest(&device, b"app 1.0.0", None);
    assert_eq!(seen(), ("operator-quarantine".into(), "update-only".into()));

    // Each verb ends what is its own; a block replaces a quarantine, and no quarantine loosens a block.
    assert!(detail(site.act(&path("release")).expect(409)).contains("in quarantine"));
    site.post(&path("hold"), json!({ "reason": "lost" })).expect(204);
    assert_eq!(seen(), ("operator-block".into(), "blocked".into()));
    assert!(
        detail(site.post(&path("quarantine"), json!({ "reason": "odd" })).expect(409))
            .contains("release it first")
    );
    assert!(detail(release().expect(409)).contains("blocked"));

    // Levels on either side: only towards the stricter, and each ends with the verb of its kind.
    let level = |verb: &str, level: &str| site.post(&path(verb), json!({ "reason": "odd", "level": level }));
    assert!(detail(level("quarantine", "restricted").expect(409)).contains("stricter than a restriction"));
    level("quarantine", "ejected").expect(204);
    assert_eq!(seen(), ("operator-ejection".into(), "ejected".into()));
    assert!(detail(level("hold", "blocked").expect(409)).contains("ejected"));
    site.act(&path("release")).expect(204);
    level("quarantine", "restricted").expect(204);
    assert_eq!(seen(), ("operator-restriction".into(), "restricted".into()));
    assert_eq!(listed("restricted")[0]["hold"]["restriction"], json!("restricted"));
    release().expect(204);
    // A word that nobody knows closes.
    level("quarantine", "half").expect(204);
    assert_eq!(seen(), ("operator-block".into(), "blocked".into()));
    site.act(&path("release")).expect(204);
    assert_eq!(seen(), (String::new(), "release".into()));

    // NOW + 60 s.
    site.post(&path("quarantine"), json!({ "reason": "odd", "until": "2027-01-15T08:01:00Z" })).expect(204);
    let decision = site.device(&device)["decision"].as_i64().unwrap();
    let bundle = site.get(&format!("/api/v1/decisions/{decision}")).json();
    let bundle =
        trust::Bundle::decode(&api::Base64Url::decode(bundle["bundle"].as_str().unwrap()).unwrap()).unwrap();
    let hold = bundle.hold.unwrap();
    assert_eq!((hold.restriction, hold.why.as_str()), (trust::Restriction::UpdateOnly, "odd"));
    site.clock.advance_seconds(60);
    site.until("the quarantine ended", || site.device(&device)["access"] == "release");
    assert_eq!(site.device(&device)["hold"], json!(null));
    assert_eq!(listed("update-only"), json!([]));
    release().expect(409);
}

#[test]
fn revoked_and_superseded_releases_make_devices_outdated() {
    let (site, maker, device, envelope) = site();
    site.attest(&device, b"app 1.0.0", None);
    let digest = hex(manifest_digest(&envelope).as_bytes());
    site.publish(&maker.release("1.1.0", 2, b"app 1.1.0")).expect(201);
    assert_eq!(site.device(&device)["posture"], "trusted");
    site.post(&format!("/api/v1/releases/{digest}/revoke"), json!({ "reason": "" })).expect(400);
    site.post(&format!("/api/v1/releases/{digest}/revoke"), json!({ "reason": "flaw" })).expect(204);
    site.until("it is outdated", || site.device(&device)["posture"] == "outdated");
    assert_eq!(codes(&site.device(&device)), ["release-revoked"]);
    site.attest(&device, b"app 1.0.0", None);
    assert_eq!(site.device(&device)["posture"], "outdated");
    site.attest(&device, b"app 1.1.0", None);
    assert_eq!(site.device(&device)["posture"], "trusted");
}

#[test]
fn edited_expected_value_takes_the_release_out_and_alarms() {
    let (site, _, device, envelope) = site();
    site.attest(&device, b"app 1.0.0", None);
    let digest = hex(manifest_digest(&envelope).as_bytes());
    common::edit(&site, "UPDATE expected_values SET size = size + 1");
    site.until("the device is unknown", || site.device(&device)["posture"] == "unknown");
    assert_eq!(codes(&site.device(&device)), ["reference-tampered"]);
    site.attest(&device, b"app 1.0.0", None);
    assert_eq!(codes(&site.device(&device)), ["reference-tampered"]);
    let release = site.get(&format!("/api/v1/releases/{digest}")).expect(200).json();
    assert_eq!(release["unusable"]["code"], "reference-tampered");
    let audit = site.get("/api/v1/audit").text();
    assert_eq!(audit.matches("release.distrust").count(), 1);
    common::edit(&site, "UPDATE expected_values SET size = size - 1");
    site.until("the release holds", || {
        site.get(&format!("/api/v1/releases/{digest}")).json()["unusable"].is_null()
    });
    site.attest(&device, b"app 1.0.0", None);
    assert_eq!(site.device(&device)["posture"], "trusted");
    assert_eq!(site.get("/api/v1/audit/verify").json()["unbroken"], true);
}

#[test]
fn edited_envelope_is_found_at_the_next_start() {
    let (mut site, _, device, _) = site();
    site.attest(&device, b"app 1.0.0", None);
    site.stop();
    let file = std::fs::read(site.database()).unwrap();
    let signed = b"northlight.example";
    let at = file.windows(signed.len()).position(|window| window == signed).unwrap();
    let mut edited = file;
    edited[at] ^= 1;
    std::fs::write(site.database(), edited).unwrap();
    site.start();
    let releases = site.get("/api/v1/releases").expect(200).json();
    assert_eq!(releases[0]["unusable"]["code"], "reference-tampered");
    site.until("the device is unknown", || site.device(&device)["posture"] == "unknown");
}

#[test]
fn release_is_refused_with_the_reason_and_leaves_a_record() {
    let (site, maker) = (Site::new(), Maker::new());
    let envelope = maker.release("1.0.0", 1, b"app");
    let reply = site.publish(&envelope).expect(422);
    assert_eq!(reply.json()["code"], "unknown-signer");
    site.put_authorities(&maker);
    let mut broken = envelope.clone();
    let last = broken.len() - 1;
    broken.truncate(last);
    site.publish(&broken).expect(422);
    site.publish(&envelope).expect(201);
    site.publish(&envelope).expect(409);
    assert_eq!(site.get("/api/v1/audit").text().matches("release.refuse").count(), 2);
    // Whoever may sign is asked again when the list changes.
    let other = Maker { author: common::key(50), ..Maker::new() };
    site.put_authorities(&other);
    let releases = site.get("/api/v1/releases").json();
    assert_eq!(releases[0]["unusable"]["code"], "bad-manifest-signature");
}

#[test]
fn decision_is_made_again_from_its_bundle_bit_for_bit() {
    let (site, maker, device, _) = site();
    site.attest(&device, b"app 1.0.0", None);
    let id = site.device(&device)["decision"].as_i64().unwrap();
    let reply = site.get(&format!("/api/v1/decisions/{id}")).expect(200);
    let shown: api::DecisionBundle = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(shown.posture, "trusted");
    let verifier = cose::Key::decode(site.server().result_key()).unwrap();
    let anchors = BundleAnchors {
        authorities: maker.authorities(),
        mud_issuers: vec![],
        keys: key_anchors(&[verifier], &[]),
    };
    let bundle = Bundle::decode(&shown.bundle.0).unwrap();
    let decision = bundle.verify(&anchors, &mut trust::NoRules).unwrap();
    assert_eq!(decision.posture, trust::Posture::Trusted);
    let flipped = Bundle { now: bundle.now + 1, ..bundle };
    assert!(flipped.verify(&anchors, &mut trust::NoRules).is_err());
    site.get("/api/v1/decisions/999").expect(404);
}

#[test]
fn release_whose_signer_is_struck_off_takes_its_devices_with_it() {
    let (site, maker, device, _) = site();
    let before = site.attest(&device, b"app 1.0.0", None).sextant_result.unwrap();
    let other = Maker { author: common::key(50), ..Maker::new() };
    site.put_authorities(&other);
    site.until("the device is unknown", || site.device(&device)["posture"] == "unknown");
    // Gateways believe results only, so there must be a newer one that withdraws the old one.
    let newest = site.device(&device)["results"][0].clone();
    assert_eq!(newest["authentic"], true);
    assert_ne!(newest["result"], json!(before));
    site.put_authorities(&maker);
    site.until("the release holds", || site.get("/api/v1/releases").json()[0]["unusable"].is_null());
    site.attest(&device, b"app 1.0.0", None);
    assert_eq!(site.device(&device)["posture"], "trusted");
}
