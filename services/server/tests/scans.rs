//! Statements on scans, which a policy may ask for before a release is deployed.

mod common;

use common::{NOW, fleet::Fleet, key, manifest_digest};
use serde_json::json;

#[test]
fn release_is_deployed_only_while_the_scans_hold_that_the_policy_asks_for() {
    let lab = key(61);
    let thumbprint = cose::thumbprint(lab.public_key(), crypto::HashAlgorithm::Sha256);
    let fleet = Fleet::with(1, |config| {
        let anchor = cose::TrustAnchor::new(key(61).public_key().clone(), cose::Purpose::Scan, "lab");
        let author = cose::TrustAnchor::new(key(1).public_key().clone(), cose::Purpose::Author, "author");
        config.scanners = cose::TrustAnchors::new(vec![anchor, author]);
        config.policy.scans = vec![trust::RequiredScan { key: thumbprint, tool: Some("clamscan".into()) }];
    });
    let site = &fleet.site;
    let scan = |seconds: i64, findings: u64| trust::Scan {
        release: manifest_digest(&fleet.new),
        tool: "clamscan".into(),
        tool_version: "1.4.1".into(),
        database: "27500".into(),
        database_time: None,
        scanned_at: NOW + seconds,
        findings,
        expires: NOW + seconds + 3600,
    };
    let add = |bytes: &[u8]| site.call("POST", "/api/v1/scans", Some(&site.admin), api::COSE, Some(bytes));
    let refused = |code: &str| {
        let new = json!({ "release": fleet.digest(), "model": "welcome-cam", "canary": 1 });
        let reply = site.post("/api/v1/campaigns", new).expect(422).json();
        assert_eq!((&reply["code"], &reply["reason"]["detail"]["tool"]), (&json!(code), &json!("clamscan")));
        let release = site.get(&format!("/api/v1/releases/{}", fleet.digest())).json();
        assert_eq!(release["awaits_scan"]["code"], code);
    };
    let token = fleet.token(0, b"app 1.0.0");
    refused("scan-missing");

    // Whoever signs releases says nothing about scans of them, and neither does a stranger.
    for (seed, what) in [(1, "author"), (62, "stranger")] {
        let reply = add(&scan(0, 0).sign(&key(seed))).expect(422).json();
        assert_eq!(reply["code"], "scan-refused", "{what}");
    }
    add(b"nonsense").expect(422);
    let reader = site.token("read", "reader");
    let clean = scan(0, 0).sign(&lab);
    site.call("POST", "/api/v1/scans", Some(&reader), api::COSE, Some(&clean)).expect(403);
    site.call("POST", "/api/v1/scans", Some(&site.admin), "application/json", Some(&clean)).expect(415);
    // One by another tool is not the one that is asked for.
    add(&trust::Scan { tool: "other".into(), ..scan(0, 0) }.sign(&lab)).expect(201);
    refused("scan-missing");

    let added = add(&clean).expect(201).json();
    add(&clean).expect(409);
    assert_eq!(
        (&added["tool"], &added["findings"], &added["signer"]),
        (&json!("clamscan"), &json!(0), &json!("lab"))
    );
    let path = format!("/api/v1/scans/{}", added["digest"].as_str().unwrap());
    assert_eq!(site.get(&format!("{path}/object")).expect(200).body, clean);
    assert_eq!(site.get("/api/v1/scans").expect(200).json().as_array().unwrap().len(), 2);
    let campaign = fleet.campaign(1);
    site.act(&format!("{campaign}/start")).expect(204);
    assert!(fleet.offered(0, &token).is_some());

    // A newer scan that found something ends the offer and halts the campaign.
    site.clock.advance_seconds(60);
    add(&scan(60, 2).sign(&lab)).expect(201);
    site.until("the campaign halts", || fleet.state(&campaign) == "halted");
    assert_eq!(site.get(&campaign).json()["reason"]["code"], "scan-found");
    assert_eq!(fleet.offered(0, &token), None);
    let resumed = site.act(&format!("{campaign}/resume")).expect(422).json();
    assert_eq!(resumed["code"], "scan-found");

    // It was a false alarm; and the end of the statement is the end of the offer.
    site.clock.advance_seconds(10);
    add(&scan(70, 0).sign(&lab)).expect(201);
    site.act(&format!("{campaign}/resume")).expect(204);
    assert!(fleet.offered(0, &token).is_some());
    site.clock.advance_seconds(3600);
    site.until("the campaign halts again", || fleet.state(&campaign) == "halted");
    assert_eq!(site.get(&campaign).json()["reason"]["code"], "scan-missing");

    // One that somebody altered beyond reading hides no other.
    let listed = || site.get("/api/v1/scans").expect(200).json().as_array().unwrap().len();
    assert_eq!(listed(), 4);
    common::edit(site, "UPDATE scans SET bytes = x'00' WHERE rowid = 1");
    assert_eq!(listed(), 3);
}
