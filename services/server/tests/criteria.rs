//! What evidence is judged by besides releases, and what is judged again when it changes, without anybody attesting anew.

mod common;

use common::{Device, Maker, NOW, Site, edit, hex, manifest_digest};
use crypto::{Digest, HashAlgorithm};
use serde_json::{Value, json};
use trust::{Bundle, BundleAnchors, RulesEngine, key_anchors};

const APP: &[u8] = b"app 1.0.0";

fn site() -> (Site, Maker, Device, Device) {
    let site = Site::with(|config| config.rules_worker = vec![worker().into()]);
    let maker = Maker::new();
    site.put_authorities(&maker);
    site.publish(&maker.release("1.0.0", 1, APP)).expect(201);
    let (one, other) = (Device::new(1), Device::new(2));
    site.enrol(&[&one, &other]).expect(201);
    site.attest(&one, APP, None);
    site.attest(&other, b"something else", None);
    assert_eq!((posture(&site, &one), codes(&site, &other)), ("trusted".into(), "digest-mismatch".into()));
    (site, maker, one, other)
}

fn worker() -> &'static str {
    env!("CARGO_BIN_EXE_rules-worker-for-tests")
}

fn posture(site: &Site, device: &Device) -> String {
    site.device(device)["posture"].as_str().unwrap().to_owned()
}

fn codes(site: &Site, device: &Device) -> String {
    let shown = site.device(device);
    let codes = shown["reasons"].as_array().unwrap().iter();
    codes.map(|reason| reason["code"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

fn digest(content: &[u8]) -> String {
    hex(Digest::of(HashAlgorithm::Sha256, content).as_bytes())
}

/// Makes the present decision about a device again from its bundle.
fn prove(site: &Site, maker: &Maker, device: &Device, engine: &mut dyn RulesEngine) -> Result<(), String> {
    let id = site.device(device)["decision"].as_i64().unwrap();
    let reply = site.get(&format!("/api/v1/decisions/{id}")).expect(200);
    let shown: api::DecisionBundle = serde_json::from_slice(&reply.body).unwrap();
    let verifier = cose::Key::decode(site.server().result_key()).unwrap();
    let keys = key_anchors(&[verifier], &[]);
    let anchors = BundleAnchors { authorities: maker.authorities(), mud_issuers: vec![], keys };
    let bundle = Bundle::decode(&shown.bundle.0).unwrap();
    assert_eq!(Bundle::decode(&bundle.encode()), Ok(bundle.clone()));
    bundle.verify(&anchors, engine).map(|_| ()).map_err(|unproven| unproven.to_string())
}

fn prove_without_rules(site: &Site, maker: &Maker, device: &Device) {
    assert_eq!(prove(site, maker, device, &mut trust::NoRules), Ok(()));
}

#[test]
fn denied_digest_takes_trust_from_whoever_measured_it_and_gives_it_back() {
    let (mut site, maker, one, other) = site();
    let app = digest(APP);
    site.post("/api/v1/denied", json!({ "digest": app, "reason": " " })).expect(400);
    site.post("/api/v1/denied", json!({ "digest": &app[1..], "reason": "x" })).expect(400);
    let tried = site.post("/api/v1/trials", json!({ "deny": [app] })).expect(200).json();
    assert_eq!((&tried["judged"], &tried["changed"]), (&json!(2), &json!(1)));
    assert_eq!(tried["devices"][0]["posture"], json!(["trusted", "untrusted"]));
    assert_eq!(tried["devices"][0]["reasons"][0]["code"], "digest-denied");
    assert_eq!(posture(&site, &one), "trusted");

    site.post("/api/v1/denied", json!({ "digest": app, "reason": "backdoor" })).expect(201);
    site.post("/api/v1/denied", json!({ "digest": app, "reason": "again" })).expect(409);
    site.until("it is judged again", || codes(&site, &one) == "digest-denied");
    assert_eq!(codes(&site, &other), "digest-mismatch");
    prove_without_rules(&site, &maker, &one);
    prove_without_rules(&site, &maker, &other);
    // A device that attests anew fares no better, nor after a restart.
    site.attest(&one, APP, None);
    assert_eq!(codes(&site, &one), "digest-denied");
    site.stop();
    site.start();
    site.attest(&one, APP, None);
    assert_eq!(codes(&site, &one), "digest-denied");

    let lift = format!("/api/v1/denied/{app}");
    site.call("DELETE", &lift, Some(&site.admin), "", None).expect(204);
    site.call("DELETE", &lift, Some(&site.admin), "", None).expect(404);
    site.until("it is trusted again", || posture(&site, &one) == "trusted");
    prove_without_rules(&site, &maker, &one);
    let listed = site.get("/api/v1/denied").json();
    assert_eq!((&listed[0]["reason"], listed[0]["lifted_by"].is_string()), (&json!("backdoor"), true));
    let audit = site.get("/api/v1/audit").text();
    assert!(["digest.deny", "digest.lift", "evidence.reappraise"].iter().all(|word| audit.contains(word)));
}

#[test]
fn release_that_comes_later_is_found_without_new_evidence() {
    let (site, maker, one, other) = site();
    site.publish(&maker.release("1.0.1", 2, b"something else")).expect(201);
    site.until("the other is trusted", || posture(&site, &other) == "trusted");
    assert_eq!(site.device(&other)["version"], "1.0.1");
    prove_without_rules(&site, &maker, &other);
    let revoke = |release: &[u8]| {
        let release = hex(manifest_digest(release).as_bytes());
        let tried = site.post("/api/v1/trials", json!({ "revoke": [release] })).expect(200).json();
        site.post(&format!("/api/v1/releases/{release}/revoke"), json!({ "reason": "flaw" })).expect(204);
        tried
    };
    let tried = revoke(&maker.release("1.0.1", 2, b"something else"));
    assert_eq!((&tried["changed"], &tried["devices"][0]["name"]), (&json!(1), &json!(other.name)));
    site.until("the other is outdated", || posture(&site, &other) == "outdated");
    prove_without_rules(&site, &maker, &other);
    assert_eq!(posture(&site, &one), "trusted");
}

#[test]
fn edited_seal_is_no_seal_and_the_signature_decides() {
    let (site, maker, one, _) = site();
    edit(&site, "UPDATE results SET seal = zeroblob(64)");
    site.post("/api/v1/denied", json!({ "digest": digest(APP), "reason": "backdoor" })).expect(201);
    site.until("it is judged by its signature", || codes(&site, &one) == "digest-denied");
    prove_without_rules(&site, &maker, &one);
    // Whoever edits the evidence has no seal for it and no signature either.
    edit(&site, "UPDATE results SET evidence = CAST(evidence || x'00' AS BLOB)");
    let lift = format!("/api/v1/denied/{}", digest(APP));
    site.call("DELETE", &lift, Some(&site.admin), "", None).expect(204);
    site.until("it is refused", || codes(&site, &one) == "bad-evidence-signature");
}

/// What is signed anew ends when the first result ends by what was signed, not by what somebody wrote beside it.
#[test]
fn edited_end_or_verdict_of_a_result_is_not_believed() {
    let (site, maker, one, other) = site();
    edit(&site, "UPDATE results SET expires = expires + 1000000, issued = issued + 10");
    edit(
        &site,
        "UPDATE results SET tier = 'affirming', reasons = '[]', release = (SELECT digest FROM releases)",
    );
    site.post("/api/v1/denied", json!({ "digest": digest(APP), "reason": "backdoor" })).expect(201);
    site.until("it is judged again", || codes(&site, &one) == "digest-denied");
    assert_eq!(codes(&site, &other), "digest-mismatch");
    prove_without_rules(&site, &maker, &one);
    let id = site.device(&one)["decision"].as_i64().unwrap();
    let shown = site.get(&format!("/api/v1/decisions/{id}")).expect(200);
    let shown: api::DecisionBundle = serde_json::from_slice(&shown.body).unwrap();
    let cwt = Bundle::decode(&shown.bundle.0).unwrap().result.unwrap();
    let signed = eat::SignedResult::decode_cwt(&cwt).unwrap();
    assert_eq!(signed.unverified().expires_at, Some(NOW + 300));
    // Nor does it keep anybody trusted past that end.
    let lift = format!("/api/v1/denied/{}", digest(APP));
    site.call("DELETE", &lift, Some(&site.admin), "", None).expect(204);
    site.until("it is trusted again", || posture(&site, &one) == "trusted");
    edit(&site, "UPDATE results SET expires = expires + 1000000");
    site.clock.advance_seconds(301);
    site.publish(&maker.release("1.0.1", 2, b"app 1.0.1")).expect(201);
    site.until("it is stale", || posture(&site, &one) == "stale");
}

#[test]
fn rules_are_checked_tried_activated_replaced_and_proven() {
    let (site, maker, one, other) = site();
    let add = |name: &str, source: &str, class: Option<&str>| {
        let source = format!("package policy\nimport rego.v1\n{source}\n");
        site.post("/api/v1/rules", json!({ "name": name, "source": source, "class": class }))
    };
    add("boards", "executables :=", None).expect(400);
    add("boards", "executable := 96", None).expect(400);
    add("two words", "executables := 96", None).expect(400);
    add("boards", "executables := 96", Some("7")).expect(400);
    let old = "hardware := \"UNSAFE_HW\" if input.bootcount < 1000\nreasons contains \"board of 2019\" if input.bootcount < 1000";
    let source = format!("package policy\nimport rego.v1\n{old}\n");
    let tried = json!({ "rules": { "name": "boards", "source": source } });
    let tried = site.post("/api/v1/trials", tried).expect(200).json();
    assert_eq!(tried["changed"], 2);

    let added = add("boards", old, None).expect(201).json();
    assert_eq!((&added["version"], &added["active"]), (&json!(1), &json!(false)));
    assert_eq!(posture(&site, &one), "trusted");
    site.act("/api/v1/rules/boards/2/activate").expect(404);
    site.act("/api/v1/rules/boards/1/activate").expect(204);
    site.until("rules count", || codes(&site, &one) == "policy-warned");
    assert_eq!(site.device(&one)["reasons"][0]["detail"]["says"], "board of 2019");
    assert_eq!(posture(&site, &one), "unknown");
    assert_eq!(codes(&site, &other), "digest-mismatch policy-warned");
    // The result names the policy with the rules, and whoever has an engine gets the same.
    let mut sandbox = rules::Sandbox::new([worker().into()]);
    assert_eq!(prove(&site, &maker, &one, &mut sandbox), Ok(()));
    assert_eq!(prove(&site, &maker, &other, &mut sandbox), Ok(()));
    assert!(prove(&site, &maker, &one, &mut trust::NoRules).is_err());

    // Without them everything were as before.
    let tried = site.post("/api/v1/trials", json!({ "without": "boards" })).expect(200).json();
    assert_eq!((&tried["judged"], &tried["changed"]), (&json!(2), &json!(2)));
    assert_eq!(site.get("/api/v1/rules/boards").json()[0]["active"], true);

    // A second version takes the place of the first; rules for another class touch nobody.
    add("boards", "hardware := 2", None).expect(201);
    site.act("/api/v1/rules/boards/2/activate").expect(204);
    add("others", "executables := 96", Some("00000000-0000-4000-8000-000000000001")).expect(201);
    site.act("/api/v1/rules/others/1/activate").expect(204);
    site.until("rules add", || posture(&site, &one) == "trusted");
    let session = site.attest(&one, APP, None);
    let cwt = session.sextant_result.unwrap().0;
    let anchors = key_anchors(&[cose::Key::decode(site.server().result_key()).unwrap()], &[]);
    let result = eat::SignedResult::decode_cwt(&cwt).unwrap().verify(&anchors, NOW, None).unwrap();
    assert_eq!(result.appraisal("device").unwrap().vector.unwrap().get(eat::Category::Hardware), 2);
    assert_eq!(prove(&site, &maker, &one, &mut sandbox), Ok(()));

    // Rules that would raise what evidence does not bear out, and rules that break their engine, fail closed.
    for (version, source) in [
        (3, "executables := \"APPROVED_RT\""),
        (4, "f(n) := f(n) + 1\nexecutables := f(input.bootcount) if input.bootcount"),
    ] {
        add("boards", source, None).expect(201);
        site.act(&format!("/api/v1/rules/boards/{version}/activate")).expect(204);
        let broken = |device: &Device| codes(&site, device).ends_with("policy-failed");
        site.until("rules fail", || broken(&other) && (version == 3 || broken(&one)));
    }
    assert_eq!(posture(&site, &one), "unknown");
    site.call("DELETE", "/api/v1/rules/boards", Some(&site.admin), "", None).expect(204);
    site.call("DELETE", "/api/v1/rules/boards", Some(&site.admin), "", None).expect(404);
    site.until("rules are gone", || posture(&site, &one) == "trusted");
    let versions = site.get("/api/v1/rules/boards").expect(200).json();
    assert_eq!(versions.as_array().unwrap().len(), 4);
    site.get("/api/v1/rules/none").expect(404);
    let audit = site.get("/api/v1/audit").text();
    assert!(["rules.add", "rules.activate", "rules.suspend"].iter().all(|word| audit.contains(word)));
}

#[test]
fn edited_rules_judge_nobody_well() {
    let (mut site, _, one, _) = site();
    let source = "package policy\nexecutables := 96\n";
    site.post("/api/v1/rules", json!({ "name": "strict", "source": source })).expect(201);
    site.act("/api/v1/rules/strict/1/activate").expect(204);
    site.until("rules count", || codes(&site, &one) == "policy-refused");
    site.stop();
    edit(&site, "UPDATE rules SET source = 'package policy' || char(10) || 'executables := 2'");
    site.start();
    site.until("nothing is believed", || codes(&site, &one) == "policy-failed");
}

#[test]
fn readers_see_criteria_and_change_none() {
    let (site, ..) = site();
    let reader = site.token("read", "auditor");
    for path in ["/api/v1/denied", "/api/v1/rules"] {
        site.call("GET", path, Some(&reader), "", None).expect(200);
        site.call("GET", path, None, "", None).expect(401);
        site.call("POST", path, Some(&reader), "application/json", Some(b"{}")).expect(403);
        site.post(path, Value::Null).expect(400);
    }
    site.call("POST", "/api/v1/trials", Some(&reader), "application/json", Some(b"{}")).expect(403);
}
