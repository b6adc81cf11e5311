//! What of a release's network needs is used, over HTTP: gateways count, people read.

mod common;

use common::{Device, Maker, NOW, Site, hex, manifest_digest};
use serde_json::{Value, json};

fn report(site: &Site, gateway: &str, report: Value) -> common::Reply {
    let body = report.to_string();
    site.call("POST", "/api/v1/gateway/report", Some(gateway), "application/json", Some(body.as_bytes()))
}

#[test]
fn entries_are_shown_with_the_flows_that_began_by_them_and_what_was_dropped() {
    let (site, maker, device) = (Site::new(), Maker::new(), Device::new(1));
    site.put_authorities(&maker);
    let envelope = maker.release("1.0.0", 1, b"app 1");
    site.publish(&envelope).expect(201);
    let other = Device::new(2);
    site.enrol(&[&device, &other]).expect(201);
    let digest = manifest_digest(&envelope);
    site.attest(&device, b"app 1", Some(digest));
    let release = hex(digest.as_bytes());
    let path = format!("/api/v1/releases/{release}/flows");
    let shown = site.get(&path).expect(200).json();
    assert_eq!(shown["mud_url"], "https://mud.northlight.example/welcome-cam/v3.json");
    let flows = shown["flows"].as_array().unwrap();
    assert!(flows.iter().all(|flow| flow["used"] == 0 && flow.get("last_used").is_none()));
    let line = "from-device ipv4 tcp to name api.northlight.example port 443: accept";
    assert!(flows.iter().any(|flow| flow["ace"] == "api-fr" && flow["flow"] == line), "{shown:#}");
    assert!(flows.iter().any(|flow| flow["default"] == true && flow["acl"] == ""));

    // Two gateways count; what one counted adds up.
    let used = |flows: u64, at: i64| json!([{ "manifest_digest": release, "acl": "cam-v4-fr", "ace": "api-fr", "flows": flows, "last_ms": at * 1000 }]);
    let (first, second) = (site.token("gateway", "gw-1"), site.token("gateway", "gw-2"));
    report(&site, &first, json!({ "gateway": "gw-1", "used": used(2, NOW) })).expect(204);
    report(&site, &first, json!({ "gateway": "gw-1", "used": used(3, NOW + 60) })).expect(204);
    let dropped = |device: &Device, port: u16| {
        json!({
        "ueid": device.ueid(), "mac": "02:00:5e:00:00:01", "src": "192.0.2.1", "dst": "203.0.113.9", "protocol": "tcp",
        "sport": 50000, "dport": port, "direction": "from-device", "group": 10, "count": 4,
        "first_ms": NOW * 1000, "last_ms": NOW * 1000,
        })
    };
    // What the other one runs is not known.
    let violation = [dropped(&device, 23), dropped(&other, 24)];
    report(&site, &second, json!({ "gateway": "gw-2", "used": used(1, NOW + 30), "violations": violation }))
        .expect(204);
    let shown = site.get(&path).expect(200).json();
    let counted: Vec<&Value> =
        shown["flows"].as_array().unwrap().iter().filter(|flow| flow["used"] != 0).collect();
    assert!(counted.iter().all(|flow| flow["acl"] == "cam-v4-fr" && flow["ace"] == "api-fr"), "{counted:?}");
    let api = counted.first().unwrap();
    assert_eq!((&api["used"], api["last_used"].is_string()), (&json!(6), true));
    let dropped = &shown["dropped"];
    assert_eq!(
        (&dropped[0]["gateway"], &dropped[0]["dport"], &dropped[0]["count"]),
        (&json!("gw-2"), &json!(23), &json!(4))
    );

    assert_eq!((dropped.as_array().unwrap().len(), &dropped[0]["why"]["says"]), (1, &json!("no-entry")));

    // What is no report changes nothing, and who may not read does not.
    let nonsense = json!({ "gateway": "gw-1", "used": [{ "manifest_digest": "00", "acl": "", "ace": "", "flows": 1, "last_ms": 0 }] });
    report(&site, &first, nonsense).expect(400);
    site.call("GET", &path, None, "", None).expect(401);
    site.get(&format!("/api/v1/releases/{}/flows", "0".repeat(64))).expect(404);
    site.get("/api/v1/releases/nonsense/flows").expect(404);
    assert_eq!(site.get(&path).expect(200).json(), shown);
}

#[test]
fn what_a_device_did_is_shown_with_the_entry_that_let_it() {
    let (site, maker, device) = (Site::new(), Maker::new(), Device::new(1));
    site.put_authorities(&maker);
    let envelope = maker.release("1.0.0", 1, b"app 1");
    site.publish(&envelope).expect(201);
    site.enrol(&[&device]).expect(201);
    site.attest(&device, b"app 1", Some(manifest_digest(&envelope)));
    let path = format!("/api/v1/devices/{}/flows", device.name);
    assert_eq!(
        site.get(&path).expect(200).json(),
        json!({ "ueid": device.ueid(), "flows": [], "dropped": [] })
    );

    let flow = |name: Option<&str>, remote: &str, port: u16, flows: u64, at: i64| {
        json!({
        "ueid": device.ueid(), "direction": "from-device", "protocol": "tcp", "remote": remote, "name": name, "port": port,
        "flows": flows, "sent_packets": 2 * flows, "sent_octets": 100 * flows, "received_packets": flows,
        "received_octets": 50 * flows, "first_ms": at * 1000, "last_ms": at * 1000,
        })
    };
    let gateway = site.token("gateway", "gw-1");
    let api = Some("api.northlight.example");
    let told = [flow(api, "203.0.113.10", 443, 2, NOW), flow(None, "203.0.113.66", 6667, 1, NOW + 1)];
    report(&site, &gateway, json!({ "gateway": "gw-1", "flows": told })).expect(204);
    let other = site.token("gateway", "gw-2");
    report(
        &site,
        &other,
        json!({ "gateway": "gw-2", "flows": [flow(None, "203.0.113.10", 443, 3, NOW + 9)] }),
    )
    .expect(204);

    let shown = site.get(&path).expect(200).json();
    let [used, stray] = shown["flows"].as_array().unwrap().as_slice() else { panic!("{shown:#}") };
    // The newest first; counts add up over gateways, and a name once known stays.
    assert_eq!(
        (&used["flows"], &used["sent_octets"], &used["received_packets"]),
        (&json!(5), &json!(500), &json!(5))
    );
    assert_eq!((&used["name"], &used["first_ms"]), (&json!(api), &json!(NOW * 1000)));
    assert_eq!((&used["why"]["says"], &used["why"]["ace"]), (&json!("declared"), &json!("api-fr")));
    assert_eq!((&stray["port"], &stray["why"]["says"]), (&json!(6667), &json!("no-entry")));
    // By its UEID, and by that of one that is not enrolled.
    assert_eq!(site.get(&format!("/api/v1/devices/{}/flows", device.ueid())).expect(200).json(), shown);
    assert_eq!(site.get("/api/v1/devices/02000000000001/flows").expect(200).json()["flows"], json!([]));
    site.get("/api/v1/devices/nobody/flows").expect(404);
    site.call("GET", &path, None, "", None).expect(401);

    // What its maker may be told: counts by entry, and names with the public addresses they stood for. Nobody of the site.
    let release = hex(manifest_digest(&envelope).as_bytes());
    let used = json!([{ "manifest_digest": release, "acl": "cam-v4-fr", "ace": "api-fr", "flows": 5, "last_ms": NOW * 1000 }]);
    let dropped = json!([{ "ueid": device.ueid(), "mac": "02:00:5e:00:00:01", "src": "192.0.2.1", "dst": "203.0.113.9",
        "protocol": "tcp", "sport": 50000, "dport": 23, "direction": "from-device", "group": 10, "count": 4,
        "first_ms": NOW * 1000, "last_ms": NOW * 1000 }]);
    report(&site, &gateway, json!({ "gateway": "gw-1", "used": used, "violations": dropped })).expect(204);
    let told = site.get(&format!("/api/v1/releases/{release}/maker-report")).expect(200).json();
    let told = &told["ietf-mud-reporter:mud-reporter"];
    assert_eq!(told["mudurl"], "https://mud.northlight.example/welcome-cam/v3.json");
    let record = &told["mud-report"][0];
    let named = json!({ "hostname": "api.northlight.example", "ip-addresses": ["203.0.113.10"] });
    assert_eq!((&record["domains"][0], record["domains"][1].get("ip-addresses")), (&named, None));
    assert_eq!(record["match-counts"], json!([{ "ace-name": "cam-v4-fr/api-fr", "packet-count": "5" }]));
    let drop = json!([{ "reason": "nomatch", "direction": "from-device", "drop-count": "4" }]);
    assert_eq!(record["drop-counts"], drop);
    let text = told.to_string();
    assert!(!text.contains("192.0.2.1") && !text.contains(&device.ueid()) && !text.contains("02:00:5e"));
}

#[test]
fn gateways_tell_what_devices_ask_who_was_imitated_and_how_they_stand() {
    let (site, device, other) = (Site::new(), Device::new(1), Device::new(2));
    site.enrol(&[&device, &other]).expect(201);
    let gateway = site.token("gateway", "gw-1");
    let asked = |queries: u64, at: i64| {
        json!([{ "ueid": device.ueid(), "queries": queries, "nxdomain": 1, "outside": 2, "private": 0, "blocked": 0,
            "tunnel": 5, "domain": "evil.example", "last_ms": at * 1000 }])
    };
    // The address of one with the MAC of the other.
    let imitation = json!({
        "ueid": null, "mac": "02:00:5e:00:00:02", "src": "10.0.0.1", "dst": "203.0.113.9", "protocol": "tcp",
        "sport": 50000, "dport": 23, "direction": "from-device", "group": 12, "count": 4, "class": "spoofed-binding",
        "imitated": device.ueid(), "first_ms": NOW * 1000, "last_ms": NOW * 1000,
    });
    let bindings = json!([{ "ueid": other.ueid(), "mac": "02:00:5e:00:00:02", "addresses": ["10.0.0.2"] }]);
    let open = json!([{ "code": "ports-not-isolated", "good": false, "text": "p1 is open." }]);
    let told = json!({ "gateway": "gw-1", "dns": asked(3, NOW), "violations": [imitation], "bindings": bindings,
        "status": open });
    report(&site, &gateway, told).expect(204);
    // A gateway of an older version says less.
    let old = json!({ "ueid": other.ueid(), "mac": "02:00:5e:00:00:02", "src": "10.0.0.2", "dst": "192.0.2.53",
        "protocol": "udp", "sport": 50000, "dport": 53, "direction": "from-device", "group": 13, "count": 1,
        "first_ms": NOW * 1000, "last_ms": NOW * 1000 });
    report(&site, &gateway, json!({ "gateway": "gw-1", "dns": asked(4, NOW + 9), "violations": [old] }))
        .expect(204);

    let network = |device: &Device| {
        site.get(&format!("/api/v1/devices/{}", device.ueid())).expect(200).json()["network"].clone()
    };
    let (first, second) = (network(&device), network(&other));
    let dns = &first["dns"][0];
    assert_eq!((&dns[0], &dns[1]["queries"], &dns[1]["tunnel"]), (&json!("gw-1"), &json!(7), &json!(10)));
    assert_eq!(dns[1]["domain"], "evil.example");
    let classes = |network: &Value| -> Vec<String> {
        let violations = network["violations"].as_array().unwrap();
        let mut classes: Vec<_> =
            violations.iter().map(|one| one[1]["class"].as_str().unwrap().to_owned()).collect();
        classes.sort();
        classes
    };
    assert_eq!(classes(&first), ["spoofed-binding"]);
    assert_eq!(classes(&second), ["resolver", "spoofed-binding"]);
    assert_eq!(
        (&first["violations"][0][1]["imitated"], second["dns"].as_array().unwrap().len()),
        (&json!(device.ueid()), 0)
    );
    let page = site.get(&format!("/devices/{}", device.ueid())).expect(200).text();
    assert!(page.contains("It says nothing against it."), "the page says so");

    let gateways = site.get("/api/v1/gateways").expect(200).json();
    assert_eq!(gateways[0]["status"], open, "and what it did not say anew it did not change");
}

#[test]
fn a_flow_with_another_handshake_speaks_against_its_device_and_the_page_says_what_is_wrong() {
    let (site, maker, device) = (Site::new(), Maker::new(), Device::new(1));
    site.put_authorities(&maker);
    let envelope = maker.release("1.0.0", 1, b"app 1");
    site.publish(&envelope).expect(201);
    site.enrol(&[&device]).expect(201);
    let digest = manifest_digest(&envelope);
    site.attest(&device, b"app 1", Some(digest));
    let gateway = site.token("gateway", "gw");
    let told = |group: u16| {
        json!({ "gateway": "gw", "violations": [{ "ueid": device.ueid(), "mac": "02:00:5e:00:00:01",
            "src": "192.0.2.1", "dst": "203.0.113.9", "protocol": "tcp", "sport": 50000, "dport": 443,
            "direction": "from-device", "group": group, "count": 1, "first_ms": NOW * 1000, "last_ms": NOW * 1000,
            "name": "api.northlight.example", "tls": "cipher suite 0x0005 (tls-cipher-suite)" }] })
    };
    // Where a site only observes it is told, and speaks against nobody.
    report(&site, &gateway, told(14)).expect(204);
    assert_eq!(site.device(&device)["violating"], false);
    report(&site, &gateway, told(15)).expect(204);
    let shown = site.device(&device);
    assert_eq!((&shown["violating"], &shown["reasons"][0]["code"]), (&json!(true), &json!("forbidden-flow")));
    let target = shown["reasons"][0]["detail"]["target"].as_str().unwrap();
    assert_eq!(target, "api.northlight.example tcp 443: cipher suite 0x0005 (tls-cipher-suite)");
    let html = [("accept", "text/html")];
    let path = format!("/devices/{}", device.ueid());
    let page = site.call_with("GET", &path, Some(&site.admin), "", None, &html).expect(200).text();
    let says = "Its handshake with api.northlight.example is not one that its release describes: cipher suite 0x0005";
    assert!(page.contains(says), "{page}");
    let flows = site.get(&format!("/api/v1/releases/{}/flows", hex(digest.as_bytes()))).json();
    assert_eq!(flows["dropped"][0]["why"]["says"], "tls-profile");
}
