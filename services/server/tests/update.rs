//! Campaigns over the update API, gateways, and pages.

mod common;

use std::{
    io::{BufRead, BufReader},
    time::{Duration, Instant},
};

use common::{Device, Maker, Site, fleet::Fleet, hex, manifest_digest};
use serde_json::{Value, json};

#[test]
fn canary_is_offered_the_release_and_may_fetch_it_in_pieces() {
    let fleet = Fleet::new(2);
    let tokens = [fleet.token(0, b"app 1.0.0"), fleet.token(1, b"app 1.0.0")];
    let campaign = fleet.campaign(1);
    assert_eq!(fleet.offered(0, &tokens[0]), None);
    fleet.site.act(&format!("{campaign}/start")).expect(204);
    fleet.site.act(&format!("{campaign}/start")).expect(409);
    assert_eq!(fleet.offered(1, &tokens[1]), None);
    let action = fleet.offered(0, &tokens[0]).unwrap();
    let deployment = fleet.site.call("GET", &action, Some(&tokens[0]), "", None).expect(200).json();
    let artifact = &deployment["deployment"]["chunks"][0]["artifacts"][0];
    assert_eq!((&artifact["filename"], &artifact["size"]), (&json!("release.suit"), &json!(fleet.new.len())));
    let sha256 = crypto::Digest::of(crypto::HashAlgorithm::Sha256, &fleet.new);
    assert_eq!(artifact["hashes"]["sha256"], hex(sha256.as_bytes()));

    let href = artifact["_links"]["download"]["href"].as_str().unwrap();
    let path = &href[href.find("/default").unwrap()..];
    let whole = fleet.site.call("GET", path, Some(&tokens[0]), "", None).expect(200);
    assert_eq!(whole.body, fleet.new);
    let range = [("range", "bytes=100-299")];
    let piece = fleet.site.call_with("GET", path, Some(&tokens[0]), "", None, &range).expect(206);
    assert_eq!(piece.body, fleet.new[100..300]);
    assert_eq!(piece.header("content-range"), format!("bytes 100-299/{}", fleet.new.len()));
    let beyond = format!("bytes={}-", fleet.new.len());
    fleet.site.call_with("GET", path, Some(&tokens[0]), "", None, &[("range", beyond.as_str())]).expect(416);

    // Another device's token opens nothing here, and neither does a release that is not offered.
    fleet.site.call("GET", path, Some(&tokens[1]), "", None).expect(404);
    let other = path.replace(&fleet.digest(), &hex(manifest_digest(&fleet.old).as_bytes()));
    fleet.site.call("GET", &other, Some(&tokens[0]), "", None).expect(404);
}

#[test]
fn rest_goes_on_only_after_every_canary_attested_not_reported() {
    let fleet = Fleet::new(2);
    let tokens = [fleet.token(0, b"app 1.0.0"), fleet.token(1, b"app 1.0.0")];
    let campaign = fleet.campaign(1);
    fleet.site.act(&format!("{campaign}/start")).expect(204);
    let action = fleet.offered(0, &tokens[0]).unwrap();
    fleet.feedback(&action, &tokens[0], "proceeding", "none", json!([]));
    fleet.feedback(&action, &tokens[0], "closed", "success", json!([]));
    let shown = fleet.site.get(&campaign).json();
    assert_eq!((&shown["devices"][0]["state"], &shown["attested"]), (&json!("reported"), &json!(0)));
    assert_eq!(fleet.offered(1, &tokens[1]), None);
    fleet.token(0, b"app 1.1.0");
    fleet.site.until("the rest is offered it", || fleet.offered(1, &tokens[1]).is_some());
    fleet.token(1, b"app 1.1.0");
    fleet.site.until("the campaign is done", || fleet.state(&campaign) == "done");
    assert_eq!(fleet.site.get(&campaign).json()["attested"], 2);
}

#[test]
fn canary_that_refuses_halts_the_campaign_until_a_person_resumes_it() {
    let fleet = Fleet::new(2);
    let token = fleet.token(0, b"app 1.0.0");
    let campaign = fleet.campaign(1);
    fleet.site.act(&format!("{campaign}/start")).expect(204);
    let action = fleet.offered(0, &token).unwrap();
    fleet.feedback(&action, &token, "rejected", "failure", json!(["sequence-too-low"]));
    fleet.site.until("it halted", || fleet.state(&campaign) == "halted");
    let shown = fleet.site.get(&campaign).json();
    assert_eq!(shown["reason"]["code"], "sequence-too-low");
    assert_eq!(fleet.offered(0, &token), None);
    fleet.site.act(&format!("{campaign}/resume")).expect(204);
    assert!(fleet.offered(0, &token).is_some());
    fleet.site.act(&format!("{campaign}/pause")).expect(204);
    assert_eq!(fleet.offered(0, &token), None);
    fleet.site.act(&format!("{campaign}/abort")).expect(204);
    fleet.site.act(&format!("{campaign}/resume")).expect(409);
}

#[test]
fn device_that_falls_away_from_its_release_is_offered_it_again() {
    let fleet = Fleet::new(2);
    let tokens = [fleet.token(0, b"app 1.0.0"), fleet.token(1, b"app 1.0.0")];
    let campaign = fleet.campaign(1);
    fleet.site.act(&format!("{campaign}/start")).expect(204);
    for (device, token) in tokens.iter().enumerate() {
        fleet.site.until("it is offered", || fleet.offered(device, token).is_some());
        fleet.token(device, b"app 1.1.0");
    }
    fleet.site.until("the campaign is done", || fleet.state(&campaign) == "done");
    assert_eq!(fleet.offered(1, &tokens[1]), None);

    let token = fleet.token(1, b"app 1.1.0, changed");
    fleet.site.until("it is offered again", || fleet.offered(1, &token).is_some());
    assert_eq!(fleet.offered(0, &tokens[0]), None, "the other one is well");
    assert_eq!(fleet.state(&campaign), "running");
    fleet.token(1, b"app 1.1.0");
    fleet.site.until("the campaign is done again", || fleet.state(&campaign) == "done");
}

#[test]
fn canary_that_falls_silent_fails_by_time() {
    let fleet = Fleet::with(1, |config| config.trial_limit = Duration::from_secs(60));
    let token = fleet.token(0, b"app 1.0.0");
    let campaign = fleet.campaign(1);
    fleet.site.act(&format!("{campaign}/start")).expect(204);
    let action = fleet.offered(0, &token).unwrap();
    fleet.feedback(&action, &token, "closed", "success", json!([]));
    fleet.site.clock.advance_seconds(60);
    fleet.site.until("it halted", || fleet.state(&campaign) == "halted");
    assert_eq!(fleet.site.get(&campaign).json()["reason"]["code"], "trial-timeout");
}

#[test]
fn nothing_is_offered_before_the_policy_is_staged() {
    let fleet = Fleet::new(1);
    let gateway = fleet.site.token("gateway", "gw-1");
    let token = fleet.token(0, b"app 1.0.0");
    fleet.report(&gateway, json!({ "gateway": "gw-1" }));
    let campaign = fleet.campaign(1);
    fleet.site.act(&format!("{campaign}/start")).expect(204);
    assert_eq!(fleet.offered(0, &token), None);
    let waits = &fleet.site.get(&campaign).json()["waits_for"];
    assert_eq!((&waits["code"], &waits["detail"]["gateways"]), (&json!("policy-not-staged"), &json!("gw-1")));
    fleet.report(&gateway, json!({ "gateway": "gw-1", "staged": [{ "manifest_digest": fleet.digest() }] }));
    assert!(fleet.offered(0, &token).is_some());
    let gateways = fleet.site.get("/api/v1/gateways").json();
    assert_eq!(gateways[0]["staged"], json!([fleet.digest()]));
}

#[test]
fn gateway_gets_signed_objects_and_is_woken_by_a_new_result() {
    let fleet = Fleet::new(1);
    let gateway = fleet.site.token("gateway", "gw-1");
    let state = |path: &str| fleet.site.call("GET", path, Some(&gateway), "", None).expect(200).json();
    let first = state("/api/v1/gateway/state");
    assert_eq!(first["releases"].as_array().unwrap().len(), 2);
    assert_eq!(first["devices"][0]["result"], Value::Null);
    for release in first["releases"].as_array().unwrap() {
        let envelope = api::Base64Url::decode(release["envelope"].as_str().unwrap()).unwrap();
        let decoded = suit::Envelope::decode(&envelope).unwrap();
        assert!(decoded.integrated("#app").is_none() && decoded.integrated("#mud.json").is_some());
    }
    let since = first["revision"].as_u64().unwrap();
    let quiet = state(&format!("/api/v1/gateway/state?since={since}&wait=0"));
    assert_eq!(quiet["revision"], since);

    let path = format!("/api/v1/gateway/state?since={since}&wait=25");
    std::thread::scope(|scope| {
        let began = Instant::now();
        let waiting = scope.spawn(|| state(&path));
        fleet.site.attest(&fleet.devices[0], b"app 1.0.0", None);
        let woken = waiting.join().unwrap();
        assert!(began.elapsed() < Duration::from_secs(20), "it was not woken but ran out of time");
        assert!(woken["devices"][0]["result"].is_string());
        assert!(woken["revision"].as_u64().unwrap() > since);
    });
}

#[test]
fn dropped_packets_mark_a_device_as_violating() {
    let fleet = Fleet::new(1);
    let gateway = fleet.site.token("gateway", "gw-1");
    fleet.token(0, b"app 1.0.0");
    let (ueid, at) = (fleet.devices[0].ueid(), common::NOW * 1000);
    // Neither a flow that the release declares, dropped for whatever reason, nor what others send is its fault.
    let drop = |direction: &str, port: u16| {
        json!({ "ueid": ueid, "mac": "02:00:00:00:00:01", "src": "10.0.0.2", "dst": "203.0.113.8", "protocol": "tcp",
            "sport": 40000, "dport": port, "direction": direction, "group": 10, "count": 3, "first_ms": at - 9,
            "last_ms": at - 9, "name": "api.northlight.example" })
    };
    let innocent =
        json!({ "gateway": "gw-1", "violations": [drop("from-device", 443), drop("to-device", 22)] });
    fleet.report(&gateway, innocent);
    assert_eq!(fleet.site.device(&fleet.devices[0])["violating"], false);
    fleet.report(
        &gateway,
        json!({ "gateway": "gw-1",
            "applied": [{ "ueid": ueid, "profile": "release", "manifest_digest": fleet.digest(), "at_ms": at }],
            "bindings": [{ "ueid": ueid, "mac": "02:00:00:00:00:01", "addresses": ["10.0.0.2"] }],
            "violations": [{ "ueid": ueid, "mac": "02:00:00:00:00:01", "src": "10.0.0.2", "dst": "203.0.113.9",
                "protocol": "tcp", "sport": 40000, "dport": 6667, "direction": "from-device", "group": 10,
                "count": 3, "first_ms": at, "last_ms": at }] }),
    );
    let shown = fleet.site.device(&fleet.devices[0]);
    assert_eq!((&shown["violating"], &shown["posture"]), (&json!(true), &json!("trusted")));
    assert_eq!(shown["reasons"][0]["code"], "forbidden-flow");
    assert_eq!(shown["network"]["violations"][0][1]["dport"], 6667);
    assert_eq!(shown["network"]["bindings"][0][0], "gw-1");
    fleet.site.clock.advance_seconds(299);
    fleet.token(0, b"app 1.0.0");
    fleet.site.clock.advance_seconds(299);
    fleet.token(0, b"app 1.0.0");
    fleet.site.clock.advance_seconds(2);
    fleet.site.until("it is forgiven", || fleet.site.device(&fleet.devices[0])["violating"] == false);
    let bad = json!({ "gateway": "gw-1", "applied": [{ "ueid": "zz", "profile": "release", "manifest_digest": null, "at_ms": 0 }] });
    fleet
        .site
        .call(
            "POST",
            "/api/v1/gateway/report",
            Some(&gateway),
            "application/json",
            Some(bad.to_string().as_bytes()),
        )
        .expect(400);
}

#[test]
fn override_is_relayed_and_a_malformed_one_refused() {
    let fleet = Fleet::new(1);
    let overlay = trust::Override {
        id: [1; 16],
        scope: trust::Scope::Site,
        effect: trust::Effect::Ignore { acl: "a".into(), ace: "b".into() },
        author: "Nadia".into(),
        reason: "camera talks too much".into(),
        not_before: common::NOW,
        expires: common::NOW + 3600,
    };
    let signed = overlay.sign(&common::key(60));
    let post = |body: &[u8]| {
        fleet.site.call("POST", "/api/v1/overrides", Some(&fleet.site.admin), "application/cose", Some(body))
    };
    post(&signed).expect(201);
    post(&signed).expect(409);
    assert_eq!(post(b"\xff").expect(422).json()["code"], "override-refused");
    let gateway = fleet.site.token("gateway", "gw-1");
    let overrides = || {
        let state =
            fleet.site.call("GET", "/api/v1/gateway/state", Some(&gateway), "", None).expect(200).json();
        state["overrides"].clone()
    };
    assert_eq!(overrides(), json!([api::Base64Url::encode(&signed)]));
    assert_eq!(fleet.site.get("/api/v1/overrides").json()[0]["reason"], "camera talks too much");
    fleet.site.clock.advance_seconds(3600);
    assert_eq!(fleet.site.get("/api/v1/overrides").json(), json!([]));
}

#[test]
fn person_signs_in_by_the_link_once_and_sees_every_page_live() {
    let fleet = Fleet::new(1);
    let site = &fleet.site;
    let link = site.server().admin_link().unwrap();
    let path = link[link.find("/welcome").unwrap()..].to_owned();
    let code = path.split_once("code=").unwrap().1.to_owned();
    let page = site.call("GET", &path, None, "", None).expect(200).text();
    assert!(page.contains(&code));
    let form = "application/x-www-form-urlencoded";
    let body = format!("code={code}&name=Olga");
    let reply = site.call("POST", "/welcome", None, form, Some(body.as_bytes())).expect(303);
    let cookie = reply.header("set-cookie").to_owned();
    for part in ["Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    site.call("POST", "/welcome", None, form, Some(body.as_bytes())).expect(401);
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let as_olga = [("cookie", cookie.as_str())];
    let get = |path: &str| site.call_with("GET", path, None, "", None, &as_olga);
    let device = format!("/devices/{}", fleet.devices[0].ueid());
    for posture in ["unknown", "trusted"] {
        for path in ["/", "/devices", &device, "/devices?q=colour:red", &format!("{device}/hold")] {
            let page = get(path).expect(200).text();
            assert!(page.contains("<h1") && !page.contains(" style="), "{path}");
        }
        assert!(get(&device).text().contains(posture));
        fleet.token(0, b"app 1.0.0");
    }
    let page = get(&device).text();
    for shown in ["eat_nonce", "measurements", "fs-name", "six", "Signed by"] {
        assert!(page.contains(shown), "{shown}");
    }
    get("/devices/nobody").expect(404);

    // A cookie alone changes nothing: the form's token must be there, and the API wants a bearer token.
    let hold = format!("{device}/hold");
    let post =
        |path: &str, body: &str| site.call_with("POST", path, None, form, Some(body.as_bytes()), &as_olga);
    post(&hold, "reason=lost").expect(403);
    post("/api/v1/tokens", "").expect(401);
    let page = get(&hold).text();
    let token = page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let quarantine = format!("{device}/quarantine");
    assert!(get(&quarantine).text().contains("Quarantine cam-1?"));
    post(&quarantine, &format!("reason=odd&token={token}")).expect(303);
    let page = get(&device).text();
    for shown in
        ["Olga put it into quarantine: “odd”", "Put into quarantine: odd", "until the quarantine ends"]
    {
        assert!(page.contains(shown), "{shown}");
    }
    post(&format!("{device}/end-quarantine"), &format!("token={token}")).expect(303);
    assert!(get(&device).text().contains("Quarantine ended"));
    post(&hold, &format!("reason=lost&token={token}")).expect(303);
    assert!(get(&device).text().contains("Nothing of it passes until the block ends."));
    assert_eq!(site.device(&fleet.devices[0])["hold"]["person"], "Olga");

    let mut request = ureq::http::Request::builder().uri(site.url("/events?on=overview"));
    request = request.header("cookie", &cookie);
    let response = site.agent().run(request.body(()).unwrap()).unwrap();
    let mut lines = BufReader::new(response.into_body().into_reader()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "event: swap"));
    assert!(lines.next().unwrap().starts_with("data: <"));
    post("/logout", &format!("token={token}")).expect(303);
    get("/").expect(401);
}

#[test]
fn person_signs_in_with_a_token_for_people_only() {
    let site = Site::new();
    let form = "application/x-www-form-urlencoded";
    let sign_in = |token: &str| {
        let body = format!("access={token}&next=%2Fdevices");
        site.call("POST", "/login", None, form, Some(body.as_bytes()))
    };
    sign_in("wrong").expect(401);
    sign_in(&site.token("gateway", "gw")).expect(401);
    let reply = sign_in(&site.admin).expect(303);
    assert_eq!(reply.header("location"), "/devices");
    let body = format!("access={}&next=%2F%2Fevil.example", site.admin);
    assert_eq!(
        site.call("POST", "/login", None, form, Some(body.as_bytes())).expect(303).header("location"),
        "/"
    );
}

#[test]
fn a_change_of_the_authorities_is_relayed_to_the_devices_it_follows_and_only_roots_make_one() {
    use suit::{Authority, AuthorityList, Role, UpdateProposal, UpdateScope};
    let (site, maker) = (Site::new(), Maker::new());
    let root = common::key(50);
    let list = |author: &crypto::SigningKey, kid: &[u8]| {
        let author = Authority::new(author.public_key().clone(), kid, "Northlight", Role::Author);
        let root = Authority::new(root.public_key().clone(), b"root", "root", Role::Root);
        AuthorityList::with_default_policy(vec![author, root]).unwrap()
    };
    let digest = |list: &AuthorityList| hex(list.digest(crypto::HashAlgorithm::Sha256).as_bytes());
    let first = list(&maker.author, b"author");
    site.call("PUT", "/api/v1/authorities", Some(&site.admin), api::AUTHORITIES, Some(&first.to_bytes()))
        .expect(204);
    site.publish(&maker.release("1.0.0", 1, b"app 1.0.0")).expect(201);
    let devices = [Device::new(1), Device::new(2)];
    site.enrol(&devices.iter().collect::<Vec<_>>()).expect(201);
    let tokens = [0, 1].map(|n: usize| site.attest(&devices[n], b"app 1.0.0", None).device_token.unwrap());
    let offered = |n: usize, list: &AuthorityList| {
        let path = format!("/default/controller/v1/{}?authorities={}", devices[n].ueid(), digest(list));
        let poll = site.call("GET", &path, Some(&tokens[n]), "", None).expect(200).json();
        let href = poll["_links"]["authorityUpdate"]["href"].as_str()?.to_owned();
        Some(href[href.find("/default").unwrap()..].to_owned())
    };
    let put = |update: &[u8]| {
        site.call("POST", "/api/v1/authorities/updates", Some(&site.admin), api::COSE, Some(update))
    };
    assert_eq!(offered(0, &first), None);

    let second = list(&common::key(60), b"new author");
    let change = UpdateProposal::new(&first, second, UpdateScope::default()).unwrap();
    let refused = put(&change.sign(&maker.author, b"author")).expect(422).json();
    assert_eq!(refused["code"], "authority-not-root");
    put(b"rubbish").expect(422);
    assert_eq!(offered(0, &first), None);

    // For one device: the server's own list stays.
    let scope = UpdateScope { devices: vec![devices[1].id.to_vec()], ..UpdateScope::default() };
    let for_one = UpdateProposal::new(&first, change.list().clone(), scope).unwrap();
    put(&for_one.sign(&root, b"root")).expect(201);
    assert_eq!((offered(0, &first), offered(1, &first).is_some()), (None, true));
    site.publish(&maker.release("1.1.0", 2, b"app 1.1.0")).expect(201);

    let signed = change.sign(&root, b"root");
    let accepted = put(&signed).expect(201).json();
    assert_eq!((&accepted["version"], &accepted["list"]), (&json!(2), &json!(digest(change.list()))));
    put(&signed).expect(409);
    let href = offered(0, &first).unwrap();
    assert_eq!(site.call("GET", &href, Some(&tokens[0]), "", None).expect(200).body, signed);
    site.call("GET", &href, Some(&tokens[1]), "", None).expect(404);
    assert_eq!(offered(0, change.list()), None, "nothing follows yet");
    // The server follows: the author before is not accepted any more.
    let refused = site.publish(&maker.release("1.2.0", 3, b"app 1.2.0")).expect(422).json();
    assert_eq!(refused["code"], "unknown-signer");
    let told = site.get("/api/v1/audit").text();
    assert!(told.contains("authorities.update") && told.contains("authorities.refuse"));
    site.call(
        "GET",
        &format!("/default/controller/v1/{}?authorities=00", devices[0].ueid()),
        Some(&tokens[0]),
        "",
        None,
    )
    .expect(400);
}

#[test]
fn whoever_asks_with_a_nonce_gets_an_answer_signed_for_it_and_for_nobody_else() {
    let fleet = Fleet::new(1);
    let token = fleet.token(0, b"app 1.0.0");
    let public = |name: &str| {
        let keys = fleet.site.database().with_file_name("keys");
        cose::Key::decode(&std::fs::read(keys.join(name)).unwrap()).unwrap().public().clone()
    };
    let key = public("update-server.key");
    assert_ne!(key, public("verifier.key"), "a key has one purpose");
    let device = &fleet.devices[0];
    let poll = |query: &str| {
        let path = format!("/default/controller/v1/{}{query}", device.ueid());
        fleet.site.call("GET", &path, Some(&token), "", None)
    };
    let nonce = [5; suit::limits::UPDATE_NONCE_LEN];
    let asked = format!("?nonce={}", api::Base64Url::encode(&nonce));
    let answer = || {
        let poll: api::Poll = serde_json::from_value(poll(&asked).expect(200).json()).unwrap();
        let signed = poll.update_answer.expect("it was asked for").0;
        let answer = suit::SignedUpdateAnswer::decode(&signed).unwrap();
        (answer.verify(&key, device.id.as_ref(), &nonce).unwrap(), poll.links.deployment_base.is_some())
    };
    let (nothing, linked) = answer();
    assert_eq!((nothing.offer, nothing.obeys, nothing.authority_update, linked), (None, None, None, false));
    assert!(nothing.issued_at > 0);
    let campaign = fleet.campaign(1);
    fleet.site.act(&format!("{campaign}/start")).expect(204);
    let (offered, linked) = answer();
    assert_eq!((offered.offer, linked), (Some(manifest_digest(&fleet.new)), true));

    // Other clients of this API ask without, and are answered without.
    assert!(poll("").expect(200).json().get("updateAnswer").is_none());
    for nonce in ["?nonce=AAAA", "?nonce=!"] {
        poll(nonce).expect(400);
    }
}
