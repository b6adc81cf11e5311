//! Advisories mark releases and thereby devices, and questions about components find devices.

mod common;

use common::{Device, Maker, Site, hex, manifest_digest};
use crypto::{Digest, HashAlgorithm};
use serde_json::{Value, json};

const JSON: &str = "application/json";
const ADVISORIES: &str = "/api/v1/advisories";
const OPENSSL: &str = "pkg:generic/openssl";

/// Two devices with OpenSSL 3.0.9, one with 3.0.14, one with 3.0.9 and zlib of unknown version, one that never attested.
struct Fleet {
    site: Site,
    devices: Vec<Device>,
    releases: Vec<String>,
}

const APPS: [&[u8]; 4] = [b"app one", b"app one", b"app two", b"app three"];

impl Fleet {
    fn new() -> Self {
        let (site, maker) = (Site::new(), Maker::new());
        site.put_authorities(&maker);
        let old = ("openssl", "3.0.9", "pkg:generic/openssl@3.0.9");
        let new = ("openssl", "3.0.14", "pkg:generic/openssl@3.0.14");
        let strange = ("openssl", "2024-final", "pkg:generic/openssl@2024-final");
        let releases = [
            maker.release_of("1.0.0", 1, b"app one", &[old]),
            maker.release_of("2.0.0", 2, b"app two", &[new]),
            maker.release_of("3.0.0", 3, b"app three", &[strange]),
        ];
        for release in &releases {
            site.publish(release).expect(201);
        }
        let devices: Vec<Device> = (1..=5).map(Device::new).collect();
        site.enrol(&devices.iter().collect::<Vec<_>>()).expect(201);
        let fleet = Self {
            site,
            devices,
            releases: releases.iter().map(|one| hex(manifest_digest(one).as_bytes())).collect(),
        };
        fleet.attest();
        fleet
    }

    fn attest(&self) {
        for (device, app) in self.devices.iter().zip(APPS) {
            self.site.attest(device, app, None);
        }
    }

    fn add(&self, advisory: &str) -> Value {
        let reply =
            self.site.call("POST", ADVISORIES, Some(&self.site.admin), JSON, Some(advisory.as_bytes()));
        reply.expect(201).json()
    }

    fn posture(&self, device: usize) -> (String, Vec<(String, Value)>) {
        let shown = self.site.device(&self.devices[device]);
        let reasons = shown["reasons"].as_array().unwrap().iter();
        let reasons = reasons
            .map(|reason| (reason["code"].as_str().unwrap().to_owned(), reason["detail"]["cve"].clone()));
        (shown["posture"].as_str().unwrap().to_owned(), reasons.collect())
    }

    fn query(&self, query: &str) -> Value {
        let path = format!(
            "/api/v1/components?query={}",
            query.replace(' ', "%20").replace('<', "%3C").replace('>', "%3E").replace('=', "%3D")
        );
        self.site.get(&path).expect(200).json()
    }
}

fn osv(id: &str, fixed: &str) -> String {
    json!({ "schema_version": "1.6.0", "id": id, "modified": "2026-01-01T00:00:00Z", "summary": "reads past the end",
        "affected": [{ "package": { "ecosystem": "Other", "name": "openssl", "purl": OPENSSL },
            "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "3.0.0" }, { "fixed": fixed }] }] }] })
    .to_string()
}

fn names(matches: &Value) -> Vec<&str> {
    matches.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn query_finds_exactly_the_devices_that_attest_the_component() {
    let fleet = Fleet::new();
    let found = fleet.query("openssl < 3.0.14");
    assert_eq!(names(&found["devices"]), ["cam-1", "cam-2"]);
    let first = &found["devices"][0];
    assert_eq!(
        (&first["component_version"], &first["version"], &first["release"]),
        (&json!("3.0.9"), &json!("1.0.0"), &json!(fleet.releases[0]))
    );
    // What cannot be ordered is listed apart, and who never attested is counted.
    assert_eq!(names(&found["cannot_tell"]), ["cam-4"]);
    assert_eq!((&found["cannot_tell"][0]["why"], &found["without_sbom"]), (&json!("no-order"), &json!(1)));
    assert_eq!(names(&fleet.query("openssl")["devices"]), ["cam-1", "cam-2", "cam-3", "cam-4"]);
    assert_eq!(names(&fleet.query("OpenSSL >= 3.0.14")["devices"]), ["cam-3"]);
    assert_eq!(names(&fleet.query("openssl = 2024-final")["devices"]), ["cam-4"]);
    assert_eq!(names(&fleet.query("pkg:generic/openssl <3.0.10")["devices"]), ["cam-1", "cam-2"]);
    let nothing = fleet.query("left-pad");
    assert_eq!((names(&nothing["devices"]).len(), names(&nothing["cannot_tell"]).len()), (0, 0));

    fleet.site.get("/api/v1/components?query=openssl%20%3C").expect(400);
    fleet.site.get("/api/v1/components").expect(400);
    fleet.site.call("GET", "/api/v1/components?query=openssl", None, "", None).expect(401);
}

#[test]
fn advisory_moves_devices_to_outdated_and_withdrawing_it_restores_them() {
    let mut fleet = Fleet::new();
    // Newer releases are out, within their grace.
    let trusted = ("trusted".to_owned(), vec![]);
    assert_eq!((0..4).map(|device| fleet.posture(device)).collect::<Vec<_>>(), vec![trusted.clone(); 4]);
    let text = osv("CVE-2026-1", "3.0.14");
    let added = fleet.add(&text);
    let id = hex(Digest::of(HashAlgorithm::Sha256, text.as_bytes()).as_bytes());
    assert_eq!(
        (&added["digest"], &added["id"], &added["holds"]),
        (&json!(id), &json!("CVE-2026-1"), &json!(true))
    );
    assert_eq!((&added["format"], &added["added_by"]), (&json!("osv"), &json!("first administrator")));
    let affected = added["affected"].as_array().unwrap();
    assert_eq!(affected.len(), 1);
    assert_eq!(
        (&affected[0]["release"], &affected[0]["component"]),
        (&json!(fleet.releases[0]), &json!("openssl"))
    );
    // "Cannot tell" is for people, and marks nothing.
    assert_eq!(added["cannot_tell"][0]["release"], fleet.releases[2]);
    assert_eq!(added["cannot_tell"][0]["why"], "no-order");

    let flawed = |cve: &str| ("outdated".to_owned(), vec![("known-flaw".to_owned(), json!(cve))]);
    fleet.site.until("devices are outdated", || fleet.posture(0) == flawed("CVE-2026-1"));
    fleet.site.until("both of them", || fleet.posture(1) == flawed("CVE-2026-1"));
    assert_eq!((fleet.posture(2), fleet.posture(3)), (trusted.clone(), trusted.clone()));
    assert_eq!(fleet.query("openssl < 3.0.14")["devices"][0]["posture"], "outdated");
    let release = fleet.site.get(&format!("/api/v1/releases/{}", fleet.releases[0])).expect(200).json();
    assert_eq!(release["flaws"][0]["flaw"], "CVE-2026-1");

    // A second flaw is named beside the first.
    fleet.add(&osv("CVE-2026-2", "3.0.10"));
    fleet.site.until("both flaws are named", || fleet.posture(0) == flawed("CVE-2026-1, CVE-2026-2"));

    // What was decided is decided the same by whoever checks it, offline.
    let decision = fleet.site.device(&fleet.devices[0])["decision"].as_i64().unwrap();
    let shown: api::DecisionBundle =
        serde_json::from_value(fleet.site.get(&format!("/api/v1/decisions/{decision}")).expect(200).json())
            .unwrap();
    let bundle = trust::Bundle::decode(&shown.bundle.0).unwrap();
    let verifier = cose::Key::decode(fleet.site.server().result_key()).unwrap();
    let anchors = trust::BundleAnchors {
        authorities: Maker::new().authorities(),
        mud_issuers: vec![],
        keys: trust::key_anchors(&[verifier], &[]),
    };
    let decided = bundle.verify(&anchors, &mut trust::NoRules).unwrap();
    assert_eq!(decided.posture, trust::Posture::Outdated);
    assert!(decided.reasons.iter().any(|reason| reason.code == trust::Code::KnownFlaw));

    // It survives the server, and new evidence does not change it.
    fleet.site.stop();
    fleet.site.start();
    fleet.attest();
    assert_eq!(fleet.posture(0), flawed("CVE-2026-1, CVE-2026-2"));

    for advisory in fleet.site.get(ADVISORIES).expect(200).json().as_array().unwrap() {
        let path = format!("{ADVISORIES}/{}/withdraw", advisory["digest"].as_str().unwrap());
        fleet.site.act(&path).expect(204);
        fleet.site.act(&path).expect(409);
    }
    fleet
        .site
        .until("devices are trusted again", || fleet.posture(0) == trusted && fleet.posture(1) == trusted);
    let shown = fleet.site.get(&format!("{ADVISORIES}/{id}")).expect(200).json();
    assert_eq!(
        (&shown["holds"], &shown["withdrawn_by"], &shown["affected"]),
        (&json!(false), &json!("first administrator"), &json!([]))
    );
    fleet.site.stop();
    fleet.site.start();
    fleet.attest();
    assert_eq!(fleet.posture(0), trusted);
}

#[test]
fn device_page_names_the_flaws_of_its_release_and_what_nobody_can_tell_apart() {
    let fleet = Fleet::new();
    let page = |device: usize| {
        let path = format!("/devices/{}", fleet.devices[device].ueid());
        let page = fleet.site.get(&path).expect(200).text();
        let card = page.split_once("<section class=\"card q\" id=\"q4\"").expect("the fourth card").1;
        card.split("</section>").next().unwrap_or_default().to_owned()
    };
    for device in 0..4 {
        assert!(!page(device).contains("Known flaws") && !page(device).contains("Cannot tell"), "{device}");
    }
    fleet.add(&osv("CVE-2026-1", "3.0.14"));
    let flawed = page(0);
    assert!(flawed.contains("<dt>Known flaws</dt><dd>CVE-2026-1 in openssl 3.0.9</dd>"), "{flawed}");
    assert!(!flawed.contains("Cannot tell"));
    assert!(!page(2).contains("CVE-2026-1"));
    let doubted = page(3);
    assert!(
        doubted.contains("<dt>Cannot tell</dt><dd>CVE-2026-1 in openssl 2024-final (no-order)</dd>"),
        "{doubted}"
    );
    assert!(!doubted.contains("Known flaws"));
    for number in 2..=6 {
        fleet.add(&osv(&format!("CVE-2026-{number}"), "3.0.14"));
    }
    assert!(page(0).contains(" and 2 more</dd>"), "{}", page(0));
    // A device that attested no release has no flaws that anybody knows of.
    assert!(!page(4).contains("CVE-2026"));
    let path = format!("/api/v1/devices/{}?q=4", fleet.devices[0].ueid());
    let answer = fleet.site.get(&path).expect(200).json();
    assert_eq!(answer["facts"]["flaws"].as_array().map(Vec::len), Some(6));
    assert_eq!(answer["facts"]["flaws"][0]["component_version"], "3.0.9");
    assert_eq!(answer["facts"]["cannot_tell"], json!([]));
}

#[test]
fn statement_that_it_is_not_affected_outranks_the_advisory() {
    let fleet = Fleet::new();
    fleet.add(&osv("CVE-2026-1", "3.0.14"));
    fleet.site.until("the device is outdated", || fleet.posture(0).0 == "outdated");
    let vex = json!({ "@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:vex:1", "author": "maker",
        "timestamp": "2026-01-02T00:00:00Z", "version": 1,
        "statements": [{ "vulnerability": { "name": "CVE-2026-1" }, "status": "not_affected",
            "products": [{ "@id": "northlight.example/welcome-cam/1.0.0",
                "subcomponents": [{ "@id": "pkg:generic/openssl@3.0.9" }] }] }] });
    fleet.add(&vex.to_string());
    fleet.site.until("the device is trusted", || fleet.posture(0).0 == "trusted");
}

#[test]
fn advisories_are_for_administrators_audited_and_kept_as_received() {
    let fleet = Fleet::new();
    let site = &fleet.site;
    let text = osv("CVE-2026-1", "3.0.14");
    let body = Some(text.as_bytes());
    site.call("POST", ADVISORIES, None, JSON, body).expect(401);
    let reader = site.token("read", "reader");
    site.call("POST", ADVISORIES, Some(&reader), JSON, body).expect(403);
    site.call("POST", ADVISORIES, Some(&site.admin), "text/plain", body).expect(415);
    let refused =
        site.call("POST", ADVISORIES, Some(&site.admin), JSON, Some(b"{ \"document\": {} }")).expect(400);
    assert_eq!(refused.json()["reason"]["detail"]["error"], "/document: expected csaf_version 2.0");
    fleet.add(&text);
    site.call("POST", ADVISORIES, Some(&site.admin), JSON, body).expect(409);
    let listed = site.call("GET", ADVISORIES, Some(&reader), "", None).expect(200).json();
    let path = format!("{ADVISORIES}/{}", listed[0]["digest"].as_str().unwrap());
    assert_eq!(site.get(&format!("{path}/object")).expect(200).body, text.as_bytes());
    site.call("POST", &format!("{path}/withdraw"), Some(&reader), "", Some(b"")).expect(403);
    site.act(&format!("{path}/withdraw")).expect(204);
    site.get(&format!("{ADVISORIES}/00")).expect(404);
    let audit = site.get("/api/v1/audit").expect(200).text();
    for action in ["advisory.refuse", "advisory.add", "advisory.withdraw"] {
        assert!(audit.contains(action), "{action}");
    }
}
