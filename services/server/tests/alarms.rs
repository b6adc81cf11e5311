//! What gateways withhold, over HTTP: the decision follows it, and somebody acknowledges it.

mod common;

use common::{Device, Maker, NOW, Site, manifest_digest};
use serde_json::{Value, json};
use trust::{Access, Bundle, BundleAnchors, NoRules, Policy};

fn report(site: &Site, gateway: &str, report: &Value) {
    let body = report.to_string();
    let path = "/api/v1/gateway/report";
    site.call("POST", path, Some(gateway), "application/json", Some(body.as_bytes())).expect(204);
}

#[test]
fn a_cut_that_a_gateway_withholds_is_no_cut_here_and_an_alarm_until_somebody_saw_it() {
    let policy = Policy { violating_access: Access::UpdateOnly, ..Policy::default() };
    let site = Site::with(|config| config.policy = policy);
    let (maker, device, other) = (Maker::new(), Device::new(1), Device::new(2));
    site.put_authorities(&maker);
    let envelope = maker.release("1.0.0", 1, b"app 1");
    site.publish(&envelope).expect(201);
    site.enrol(&[&device, &other]).expect(201);
    for device in [&device, &other] {
        site.attest(device, b"app 1", Some(manifest_digest(&envelope)));
    }
    let seen = |device: &Device| {
        let shown = site.device(device);
        let codes: Vec<String> = shown["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["code"].as_str().unwrap().to_owned())
            .collect();
        (shown["access"].as_str().unwrap().to_owned(), codes.join(" "))
    };
    let strays = |device: &Device, port: u16| {
        json!({ "ueid": device.ueid(), "mac": "02:00:5e:00:00:01", "src": "192.0.2.1", "dst": "203.0.113.9",
            "protocol": "tcp", "sport": 50000, "dport": port, "direction": "from-device", "group": 10,
            "count": 4, "first_ms": NOW * 1000, "last_ms": NOW * 1000 })
    };
    let model = "https://mud.northlight.example/welcome-cam/v3.json";
    let withheld = json!([{ "ueid": other.ueid(), "model": model, "most": 1, "raised_ms": NOW * 1000 }]);
    let token = site.token("gateway", "gw");
    let mut said = json!({ "gateway": "gw", "violations": [strays(&device, 23), strays(&other, 24)],
        "withheld": withheld });
    report(&site, &token, &said);
    assert_eq!(seen(&device), ("update-only".into(), "forbidden-flow".into()));
    assert_eq!(seen(&other), ("release".into(), "forbidden-flow cut-withheld".into()));

    // Whoever has the anchors makes the same decision of the bundle, and another one without what the gateway said.
    let decision = site.device(&other)["decision"].as_i64().unwrap();
    let bundle = site.get(&format!("/api/v1/decisions/{decision}")).json();
    let bundle =
        Bundle::decode(&api::Base64Url::decode(bundle["bundle"].as_str().unwrap()).unwrap()).unwrap();
    let verifier = cose::Key::decode(site.server().result_key()).unwrap();
    assert!(bundle.spared);
    let anchors = BundleAnchors {
        authorities: maker.authorities(),
        mud_issuers: Vec::new(),
        keys: trust::key_anchors(&[verifier], &[]),
    };
    assert_eq!(bundle.verify(&anchors, &mut NoRules).unwrap().access, Access::Release);
    let cut = Bundle { spared: false, ..bundle };
    assert_eq!(cut.verify(&anchors, &mut NoRules).unwrap_err().part, "decision");

    // One alarm, however often it is told; read and acknowledged by those who may.
    said["violations"] = json!([]);
    report(&site, &token, &said);
    let alarms = |query: &str| site.get(&format!("/api/v1/alarms{query}")).expect(200).json();
    let listed = alarms("");
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let alarm = &listed[0];
    assert_eq!(
        (&alarm["ueid"], &alarm["model"], &alarm["most"], &alarm["gateway"], &alarm["ended_at"]),
        (&json!(other.ueid()), &json!(model), &json!(1), &json!("gw"), &Value::Null)
    );
    let html = [("accept", "text/html")];
    let page = site.call_with("GET", "/", Some(&site.admin), "", None, &html).expect(200).text();
    assert!(page.contains("stray and were not cut") && page.contains(model), "{page}");

    // It ends when the gateway says so, and is there until somebody acknowledges it.
    said["withheld"] = json!([]);
    report(&site, &token, &said);
    assert_eq!(seen(&other), ("update-only".into(), "forbidden-flow".into()));
    assert!(alarms("")[0]["ended_at"].is_string());
    let path = format!("/api/v1/alarms/{}/acknowledge", alarm["id"]);
    site.call("POST", &path, Some(&token), "", Some(b"")).expect(403);
    site.act(&path).expect(204);
    assert_eq!((alarms(""), alarms("?all=true")[0]["acknowledged_by"].is_string()), (json!([]), true));
    site.act(&path).expect(404);
    site.act("/api/v1/alarms/99/acknowledge").expect(404);
    let audit = site.get("/api/v1/audit").text();
    for action in ["alarm.raise", "alarm.acknowledge"] {
        assert_eq!(audit.matches(action).count(), 1, "{action}");
    }
}
