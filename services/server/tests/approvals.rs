//! The network operator's approval of a release that asks the network for much (threat N4).

mod common;

use common::{Device, Maker, NOW, Reply, Site, hex, key, manifest_digest};
use cose::{Purpose, TrustAnchor, TrustAnchors};
use crypto::{Digest, HashAlgorithm, SigningKey};
use serde_json::{Value, json};
use trust::{Approval, Effect, Override, Scope};

const OPERATOR: u8 = 60;

/// A site that knows the network operator's key, and another key for another purpose.
fn site() -> (Site, Maker, Device) {
    let site = Site::with(|config| {
        let anchor = |seed, purpose| TrustAnchor::new(key(seed).public_key().clone(), purpose, "operator");
        config.override_anchors =
            TrustAnchors::new(vec![anchor(OPERATOR, Purpose::Override), anchor(61, Purpose::Author)]);
    });
    let (maker, device) = (Maker::new(), Device::new(1));
    site.put_authorities(&maker);
    site.enrol(&[&device]).expect(201);
    (site, maker, device)
}

fn approval(number: u8, release: Digest, from: i64, seconds: i64) -> Override {
    Override {
        id: [number; 16],
        scope: Scope::Site,
        effect: Effect::Approve(Approval { release, file: None }),
        author: "Nadia".into(),
        reason: "read it".into(),
        not_before: NOW + from,
        expires: NOW + from + seconds,
    }
}

fn give(site: &Site, content: &Override, key: &SigningKey) -> Reply {
    bring(site, &content.sign(key))
}

fn bring(site: &Site, object: &[u8]) -> Reply {
    site.call("POST", "/api/v1/overrides", Some(&site.admin), api::COSE, Some(object))
}

fn seen(site: &Site, device: &Device) -> (Value, Value, Vec<String>) {
    let seen = site.device(device);
    let reasons = seen["reasons"].as_array().unwrap();
    let codes = reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect();
    (seen["posture"].clone(), seen["access"].clone(), codes)
}

#[test]
fn a_broad_release_is_accepted_with_the_operators_approval_only() {
    let (site, maker, _) = site();
    let envelope = maker.broad_release("1.0.0", 1, b"app 1.0.0");
    let digest = manifest_digest(&envelope);
    let refused = || {
        let problem = site.publish(&envelope).expect(422).json();
        assert_eq!(problem["code"], "mud-needs-approval");
        problem
    };
    let problem = refused();
    assert_eq!(problem["reason"]["detail"]["release"], hex(digest.as_bytes()));
    let command = format!("sextant policy approve {} --key", hex(digest.as_bytes()));
    assert!(problem["help"].as_str().unwrap().contains(&command), "{problem}");

    // Nobody else's word counts, nor one about another release or file, nor one for another time.
    for stranger in [62, 61, 1] {
        let reply = give(&site, &approval(1, digest, 0, 60), &key(stranger)).expect(422);
        assert_eq!(reply.json()["code"], "override-refused");
        refused();
    }
    let other = Digest::of(HashAlgorithm::Sha256, b"other");
    let other_file = Effect::Approve(Approval { release: digest, file: Some(other) });
    for content in [
        approval(2, other, 0, 60),
        approval(3, digest, 30, 60),
        Override { effect: other_file, ..approval(4, digest, 0, 60) },
    ] {
        give(&site, &content, &key(OPERATOR)).expect(201);
        refused();
    }
    give(&site, &approval(5, digest, -60, 60), &key(OPERATOR)).expect(422);
    refused();

    let signed = approval(1, digest, 0, 60).sign(&key(OPERATOR));
    bring(&site, &signed).expect(201);
    site.publish(&envelope).expect(201);
    let listed = site.get("/api/v1/overrides").json();
    let scope = format!("release:{}", hex(digest.as_bytes()));
    assert!(listed.as_array().unwrap().iter().any(|one| one["scope"] == json!(scope)), "{listed}");
    let gateway = site.token("gateway", "gw-1");
    let state = site.call("GET", "/api/v1/gateway/state", Some(&gateway), "", None).expect(200).json();
    assert!(state["overrides"].as_array().unwrap().contains(&json!(api::Base64Url::encode(&signed))));
}

#[test]
fn an_approval_ends_by_the_clock_or_by_the_operators_later_word() {
    let (site, maker, device) = site();
    let envelope = maker.broad_release("1.0.0", 1, b"app 1.0.0");
    let digest = manifest_digest(&envelope);
    give(&site, &approval(1, digest, 0, 100), &key(OPERATOR)).expect(201);
    site.publish(&envelope).expect(201);
    site.attest(&device, b"app 1.0.0", None);
    assert_eq!(seen(&site, &device), (json!("trusted"), json!("release"), vec![]));
    let release = format!("/api/v1/releases/{}", hex(digest.as_bytes()));
    assert_eq!(site.get(&release).json()["awaits_approval"], json!(null));

    // By the clock: the software is as good as before, its flows are not open, and the page says why.
    site.clock.advance_seconds(100);
    let narrowed = || (json!("trusted"), json!("update-only"), vec!["mud-needs-approval".to_owned()]);
    site.until("the approval ended", || seen(&site, &device) == narrowed());
    assert_eq!(site.get(&release).json()["awaits_approval"]["code"], "mud-needs-approval");

    // A new one counts at once, and again after good evidence; its bundle is enough to decide the same elsewhere.
    let signed = approval(2, digest, 100, 1000).sign(&key(OPERATOR));
    bring(&site, &signed).expect(201);
    assert_eq!(seen(&site, &device), (json!("trusted"), json!("release"), vec![]));
    site.attest(&device, b"app 1.0.0", None);
    let decision = site.device(&device)["decision"].as_i64().unwrap();
    let bundle = site.get(&format!("/api/v1/decisions/{decision}")).json();
    let bundle = api::Base64Url::decode(bundle["bundle"].as_str().unwrap()).unwrap();
    let bundle = trust::Bundle::decode(&bundle).unwrap();
    assert_eq!(bundle.overrides, [signed]);

    // What the operator replaced stays replaced, also when the later word has ended.
    site.clock.advance_seconds(10);
    give(&site, &approval(2, digest, 105, 6), &key(OPERATOR)).expect(201);
    site.clock.advance_seconds(1);
    site.until("the operator took it back", || seen(&site, &device) == narrowed());
    site.attest(&device, b"app 1.0.0", None);
    assert_eq!(seen(&site, &device), narrowed());
}

#[test]
fn a_site_may_accept_every_broad_file() {
    let site = Site::with(|config| config.broad_mud_approved = true);
    let (maker, device) = (Maker::new(), Device::new(1));
    site.put_authorities(&maker);
    site.enrol(&[&device]).expect(201);
    site.publish(&maker.broad_release("1.0.0", 1, b"app 1.0.0")).expect(201);
    site.attest(&device, b"app 1.0.0", None);
    assert_eq!(seen(&site, &device), (json!("trusted"), json!("release"), vec![]));
}

#[test]
fn devices_are_observed_while_the_operator_says_so() {
    let (site, maker, device) = site();
    let envelope = maker.release("1.0.0", 1, b"app 1.0.0");
    site.publish(&envelope).expect(201);
    let observe = |id, from, seconds| Override {
        id: [id; 16],
        scope: Scope::Model("https://mud.northlight.example/welcome-cam/v3.json".into()),
        effect: Effect::Observe,
        author: "Nadia".into(),
        reason: "what does it want".into(),
        not_before: NOW + from,
        expires: NOW + from + seconds,
    };
    let at = |access: &str| (json!("trusted"), json!(access), Vec::<String>::new());
    site.attest(&device, b"app 1.0.0", Some(manifest_digest(&envelope)));
    assert_eq!(seen(&site, &device), at("release"));
    give(&site, &observe(1, 0, 60), &key(61)).expect(422);
    assert_eq!(seen(&site, &device), at("release"));

    give(&site, &observe(1, 0, 60), &key(OPERATOR)).expect(201);
    assert_eq!(seen(&site, &device), at("observed"));
    site.clock.advance_seconds(60);
    site.until("the observation ended", || seen(&site, &device) == at("release"));

    // What takes its place ends it.
    give(&site, &observe(2, 60, 100), &key(OPERATOR)).expect(201);
    assert_eq!(seen(&site, &device), at("observed"));
    site.clock.advance_seconds(2);
    give(&site, &observe(2, 61, 2), &key(OPERATOR)).expect(201);
    site.clock.advance_seconds(1);
    site.until("the later word ended it", || seen(&site, &device) == at("release"));
}
