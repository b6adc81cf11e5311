//! Devices without attestation and their MUD files: gateways tell, people read and ask for checks.

mod common;

use common::{NOW, Site};
use serde_json::{Value, json};

const URL: &str = "https://things.example/plug/v1.json";

fn report(site: &Site, gateway: &str, report: Value) -> common::Reply {
    let body = report.to_string();
    site.call("POST", "/api/v1/gateway/report", Some(gateway), "application/json", Some(body.as_bytes()))
}

fn model(state: &str, gained: &[&str]) -> Value {
    json!({
        "url": URL, "source": "announced", "state": state, "next_check_ms": (NOW + 3600) * 1000, "devices": 1,
        "in_force": { "digest": "aa".repeat(32), "signer": "CN=Maker", "last_update": NOW, "breadth": 20,
            "flows": ["from-device ipv4 tcp to prefix 203.0.113.10/32 port 443: accept"],
            "transparency": [{ "what": "sbom", "at": "https://things.example/sbom" }] },
        "offered": { "digest": "bb".repeat(32), "reasons": [{ "code": "mud-wider", "detail": {} }], "gained": gained,
            "lost": [] },
    })
}

fn device() -> Value {
    json!({
        "ueid": "02020000000001", "mac": "02:00:00:00:00:01", "addresses": ["10.77.0.11"], "url": URL, "by": "dhcpv4",
        "strength": "weak", "access": "file", "digest": "aa".repeat(32),
        "reasons": [{ "code": "mud-url-authority", "detail": {} }],
    })
}

#[test]
fn what_gateways_tell_is_shown_audited_and_checked_on_demand() {
    let site = Site::new();
    let gateway = site.token("gateway", "gw-1");
    let told =
        json!({ "gateway": "gw-1", "models": [model("waiting", &["<b>all</b>"])], "unattested": [device()] });
    report(&site, &gateway, told.clone()).expect(204);
    // The same again is no news for the audit chain.
    let audited = |action: &str| {
        let lines = site.get("/api/v1/audit").expect(200).text();
        let record = |line: &str| -> Value {
            let line: Value = serde_json::from_str(line).unwrap();
            serde_json::from_str(line["record"].as_str().unwrap()).unwrap()
        };
        lines.lines().map(record).filter(|line| line["action"] == action).collect::<Vec<_>>()
    };
    report(&site, &gateway, told).expect(204);
    assert_eq!((audited("network.model").len(), audited("network.device").len()), (1, 1));
    assert_eq!(audited("network.model")[0]["detail"]["reasons"], json!(["mud-wider"]));

    let models = site.get("/api/v1/network/models").expect(200).json();
    assert_eq!(
        (&models[0]["gateway"], &models[0]["url"], &models[0]["state"]),
        (&json!("gw-1"), &json!(URL), &json!("waiting"))
    );
    let devices = site.get("/api/v1/network/devices").expect(200).json();
    assert_eq!((&devices[0]["mac"], &devices[0]["access"]), (&json!("02:00:00:00:00:01"), &json!("file")));
    let page = site.get("/network").expect(200).text();
    assert!(page.contains(URL) && page.contains("It permits more than the file in force."), "{page}");
    assert!(page.contains("&lt;b&gt;all&lt;/b&gt;") && !page.contains("<b>all"), "{page}");
    assert!(page.contains("The device announces a URL of another house."), "{page}");

    // A check reaches gateways with their state; of what no gateway knows there is none.
    let revision = |state: &Value| state["revision"].as_u64().unwrap();
    let state =
        |site: &Site| site.call("GET", "/api/v1/gateway/state", Some(&gateway), "", None).expect(200).json();
    let before = state(&site);
    assert_eq!(before["checks"], json!([]));
    site.post("/api/v1/network/check", json!({ "url": URL })).expect(202);
    let after = state(&site);
    assert!(revision(&after) > revision(&before));
    assert_eq!(after["checks"][0]["url"], URL);
    assert_eq!(audited("network.check").len(), 1);
    site.post("/api/v1/network/check", json!({ "url": "https://other.example/" })).expect(404);
    site.post("/api/v1/network/check", json!({ "url": "http://things.example/" })).expect(400);

    // What went is gone; who may not read does not.
    report(&site, &gateway, json!({ "gateway": "gw-1", "models": [], "unattested": [] })).expect(204);
    assert_eq!(site.get("/api/v1/network/models").expect(200).json(), json!([]));
    assert_eq!(audited("network.model").len(), 2);
    for path in ["/api/v1/network/models", "/api/v1/network/devices"] {
        site.call("GET", path, None, "", None).expect(401);
        site.call("GET", path, Some(&gateway), "", None).expect(403);
    }
    let wrong = json!({ "gateway": "gw-1", "models": [{ "url": URL }] });
    report(&site, &gateway, wrong).expect(400);
}
