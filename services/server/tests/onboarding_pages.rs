//! What people see of onboarding: who waits and why, what devices are given, and how one that is enrolled came.

mod common;

use std::rc::Rc;

use common::{
    Maker, Reply, Site,
    onboarding::{Made, Manners, Told},
};
use serde_json::{Value, json};
use sextant_server::Role;

/// A server that plays every role, with a device that it made and waits for.
fn site() -> (Site, Made) {
    let site = Site::with(|config| config.roles = Role::ALL.to_vec());
    let made = waiting(&site, 130);
    registered(&site, &made);
    (site, made)
}

fn waiting(site: &Site, number: u8) -> Made {
    let made = Made::at(site, number).unwrap();
    let owner = site.get("/api/v1/onboarding/keys").expect(200).json()["owner"][0].clone();
    let path = format!("/api/v1/onboarding/made/{}/sell", made.guid());
    let key = owner.as_str().unwrap().as_bytes();
    let voucher =
        site.call("POST", &path, Some(&site.admin), "application/x-pem-file", Some(key)).expect(200);
    let path = "/api/v1/onboarding/vouchers?group=hall";
    site.call("POST", path, Some(&site.admin), api::VOUCHER, Some(&voucher.body)).expect(200);
    made
}

/// Waits until a rendezvous server knows where the owner of a device is.
fn registered(site: &Site, device: &Made) {
    site.until("the device is registered", || {
        let path = format!("/api/v1/onboarding/devices/{}", device.guid());
        site.get(&path).expect(200).json()["registration"]["until"].is_string()
    });
}

fn set_template(site: &Site, template: &Value) {
    let body = template.to_string();
    let path = "/api/v1/onboarding/templates/hall";
    site.call("PUT", path, Some(&site.admin), "application/json", Some(body.as_bytes())).expect(204);
}

/// Signs in as an administrator, with a browser: the cookie is what it sends from then on.
fn sign_in(site: &Site, token: &str) -> String {
    let form = format!("access={token}&next=/onboarding");
    let media = "application/x-www-form-urlencoded";
    let reply = site.call("POST", "/login", None, media, Some(form.as_bytes())).expect(303);
    reply.header("set-cookie").split(';').next().unwrap().to_owned()
}

fn browse(site: &Site, cookie: &str, path: &str) -> Reply {
    site.call_with("GET", path, None, "", None, &[("cookie", cookie)])
}

fn submit(site: &Site, cookie: &str, path: &str, form: &str) -> Reply {
    let media = "application/x-www-form-urlencoded";
    site.call_with("POST", path, None, media, Some(form.as_bytes()), &[("cookie", cookie)])
}

/// The token of the forms of a page.
fn form_token(page: &str) -> String {
    let rest = page.split_once("name=\"token\" value=\"").expect("a form").1;
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn pages_say_who_waits_and_why_and_a_person_tries_again() {
    let (site, mut device) = site();
    let guid = device.guid();
    let network = json!({ "networks": [{ "ssid": "plant", "password": "hunter2-hunter2" }] });
    set_template(&site, &network);
    let list = site.get("/onboarding").expect(200).text();
    for words in [guid.as_str(), "welcome-cam", "hall", "plant", "A release that is published here"] {
        assert!(list.contains(words), "no `{words}` in {list}");
    }
    assert!(!list.contains("hunter2"), "{list}");
    assert!(list.contains("aria-current=\"page\">Waiting <span class=\"dimmer num\">1"), "{list}");

    // It attests to what nobody published.
    let candidate = device.candidate().unwrap();
    let told = Rc::new(Told::default());
    device.onboard(&candidate, Manners::default(), &told).unwrap_err();
    let failure = site.get(&format!("/api/v1/onboarding/devices/{guid}")).expect(200).json();
    let code = failure["failure"]["code"].as_str().unwrap().to_owned();
    let failed = site.get("/onboarding?list=failed").expect(200).text();
    assert!(failed.contains(&guid) && failed.contains("Its session failed: "), "{failed}");
    let page = format!("/onboarding/{guid}");
    let shown = site.get(&page).expect(200).text();
    assert!(shown.contains("Its session failed: ") && shown.contains(&code), "{shown}");
    assert!(
        shown.contains("Its voucher came") && shown.contains("registered with a rendezvous server"),
        "{shown}"
    );

    // The button is a form of the page's, for those who may.
    let cookie = sign_in(&site, &site.admin);
    let shown = browse(&site, &cookie, &page).expect(200).text();
    let retry = format!("{page}/retry");
    assert!(shown.contains(&format!("action=\"{retry}\"")), "{shown}");
    submit(&site, &cookie, &retry, "token=forged").expect(403);
    submit(&site, &cookie, &retry, "").expect(403);
    let reply = submit(&site, &cookie, &retry, &format!("token={}", form_token(&shown))).expect(303);
    assert_eq!(reply.header("location"), page);
    let again = site.get(&page).expect(200).text();
    assert!(again.contains("Tried again by") && !again.contains("class=\"note calm\""), "{again}");
    assert!(!site.get("/onboarding?list=failed").expect(200).text().contains(&guid));
    let reader = sign_in(&site, &site.token("read", "auditor"));
    let shown = browse(&site, &reader, &page).expect(200).text();
    assert!(!shown.contains("/retry"), "{shown}");
    submit(&site, &reader, &retry, &format!("token={}", form_token(&shown))).expect(403);

    site.get("/onboarding/00").expect(404);
    site.get("/onboarding/00000000000000000000000000000000").expect(404);
    site.get("/onboarding?list=nowhere").expect(404);
    site.get("/onboarding?after=nowhere").expect(400);
    site.call("GET", "/onboarding", None, "", None).expect(401);
}

#[test]
fn lists_go_on_behind_what_was_shown() {
    let (site, _) = site();
    // One more than a page, of one moment and of several.
    for number in 131..=181 {
        registered(&site, &waiting(&site, number));
    }
    let mut path = "/onboarding".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = site.get(&path).expect(200).text();
        let rows = page.split("<td><a href=\"/onboarding/").skip(1);
        seen.extend(rows.map(|row| row.split('"').next().unwrap().to_owned()));
        let Some(next) = page.split_once("rel=\"next\"") else { break };
        path = next.0.rsplit_once("href=\"").unwrap().1.split('"').next().unwrap().replace("&amp;", "&");
    }
    assert_eq!(seen.len(), 52);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 52);
}

#[test]
fn an_enrolled_device_says_how_it_came_on_its_page_and_in_the_api() {
    let (site, mut device) = site();
    let maker = Maker::new();
    site.put_authorities(&maker);
    site.publish(&maker.release("1.0.0", 1, b"app 1")).expect(201);
    let gateway = "http://gateway.example:8444";
    set_template(
        &site,
        &json!({ "gateway": gateway, "networks": [{ "ssid": "plant" }, { "ssid": "hall" }] }),
    );
    let (attester, before) = (device.attester(), device.guid());
    let candidate = device.candidate().unwrap();
    let told = Rc::new(Told::default());
    let outcome = device.onboard(&candidate, Manners::default(), &told).unwrap();
    device.keep(outcome);

    let path = format!("/api/v1/devices/{}", attester.ueid());
    let answer = site.get(&format!("{path}?q=2")).expect(200).json();
    assert_eq!(answer["answer"], "Onboarded by FDO TO2; no gateway admitted it");
    let facts = &answer["facts"]["onboarding"];
    let keys = site.get("/api/v1/onboarding/keys").expect(200).json();
    let owner = x509::pem::decode(keys["owner"][0].as_str().unwrap()).unwrap()[0].der.clone();
    let owner = fdo::Key::from(crypto::PublicKey::from_spki_der(&owner).unwrap()).thumbprint();
    assert!(owner.to_string().ends_with(facts["owner"].as_str().unwrap()), "{facts}");
    assert_eq!((&facts["guid"], &facts["voucher"]["guid"]), (&json!(device.guid()), &json!(before)));
    assert_eq!((&facts["method"], &facts["attested"]), (&json!("FDO TO2"), &json!(true)));
    let subject = told.certificate.borrow().as_ref().map(|der| x509::Certificate::decode(der).unwrap());
    let subject = subject.unwrap().subject().to_string();
    assert_eq!(facts["credential"], json!({ "outcome": "given", "subject": subject }));
    assert_eq!((&facts["networks"], &facts["gateway"]), (&json!(["plant", "hall"]), &json!(gateway)));
    assert_eq!((&facts["template"], &facts["voucher"]["holds"]), (&json!("hall"), &json!(true)));

    let page = site.get(&format!("/devices/{}", attester.ueid())).expect(200).text();
    let more = format!("href=\"/onboarding/{}\"", device.guid());
    for words in [
        "FDO TO2, ",
        "after it attested",
        "Vouched for by its manufacturer",
        &subject,
        "<b><bdi>plant</bdi></b>, <b><bdi>hall</bdi></b>",
        gateway,
        &more,
    ] {
        assert!(page.contains(words), "no `{words}` in {page}");
    }
    let former = site.get(&format!("/onboarding/{before}")).expect(200).text();
    assert!(
        former.contains(&more) && former.contains("Set up, running ") && former.contains("linux"),
        "{former}"
    );

    // Who brought a device by hand is told nothing else than before.
    site.enrol(&[&common::Device::new(9)]).expect(201);
    let path = format!("/api/v1/devices/{}?q=2", common::Device::new(9).ueid());
    let answer = site.get(&path).expect(200).json();
    assert_eq!(answer["answer"], "Not answered yet: no gateway admitted it");
    assert_eq!(answer["facts"]["onboarding"], Value::Null);
    // The voucher goes, and with it who vouches.
    let path = format!("/api/v1/vouchers/{before}");
    site.call("DELETE", &path, Some(&site.admin), "", None).expect(204);
    let answer = site.get(&format!("/api/v1/devices/{}?q=2", attester.ueid())).expect(200).json();
    assert_eq!(answer["facts"]["onboarding"]["voucher"], Value::Null);
    assert_eq!(answer["facts"]["onboarding"]["method"], "FDO TO2");
}
