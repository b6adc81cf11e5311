//! Evidence of devices that are not enrolled is judged again when what it is judged by changes, without asking them.

mod common;

use std::io::{BufRead as _, BufReader};

use api::Session;
use common::{
    Maker, NOW, Site, edit,
    foreign::{
        PSA, RIM, SUBMIT, attest, attest_eat, digest, instance, instance_manifest, judged, manifest, token,
    },
    hex, key, manifest_digest,
};
use corim::{Corim, Validity};
use crypto::{Digest, HashAlgorithm};
use eat::{SignedResult, Tier};
use serde_json::{Value, json};

const RESULTS: &str = "/api/v1/results/foreign";

fn provision(site: &Site, manifest: &[u8]) -> String {
    let reply = site.call("POST", SUBMIT, Some(&site.admin), RIM, Some(manifest)).expect(200);
    assert_eq!(reply.json()["status"], "success");
    hex(Digest::of(HashAlgorithm::Sha256, manifest).as_bytes())
}

fn revoke(site: &Site, manifest: &str) {
    site.act(&format!("/api/v1/endorsements/{manifest}/revoke")).expect(204);
}

fn listed(site: &Site) -> Vec<Value> {
    site.get(RESULTS).expect(200).json()["items"].as_array().unwrap().clone()
}

/// The session of a listed result, as anybody sees it now.
fn session(site: &Site, of: &Value) -> Session {
    let path = format!("/challenge-response/v1/session/{}", of["session"].as_str().unwrap());
    serde_json::from_slice(&site.call("GET", &path, None, "", None).expect(200).body).unwrap()
}

fn codes(of: &Value) -> Vec<&str> {
    of["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

fn reappraisals(site: &Site) -> usize {
    site.get("/api/v1/audit").expect(200).text().matches("evidence.reappraise").count()
}

#[test]
fn result_follows_manifests_that_come_and_go_without_new_evidence() {
    let (mut site, device) = (Site::new(), key(31));
    let first = attest(&site, &device, "b1");
    assert_eq!(judged(&site, &first, "device").1, ["unknown-device"]);
    let before = listed(&site).remove(0);
    assert_eq!(
        (&before["media_type"], &before["instance"], &before["tier"], &before["again"]),
        (&json!(PSA), &json!(hex(&instance())), &json!("contraindicated"), &json!(false))
    );

    site.clock.advance_seconds(10);
    let id = provision(&site, &manifest("maker", &device, "b1").build().unwrap());
    site.until("it is affirmed", || listed(&site)[0]["tier"] == "affirming");
    let now = listed(&site);
    assert_eq!((now.len(), &now[0]["again"], codes(&now[0]).len()), (1, &json!(true), 0));
    // It ends when it would have ended, and answers the same challenge with the same evidence.
    assert_eq!((&now[0]["expires_at"], &now[0]["session"]), (&before["expires_at"], &before["session"]));
    let shown = session(&site, &now[0]);
    assert_eq!(judged(&site, &shown, "PSA_IOT"), (Tier::Affirming, vec![]));
    assert_eq!((&shown.evidence, &shown.nonce), (&first.evidence, &first.nonce));
    assert_ne!(shown.result, first.result);
    assert_eq!(reappraisals(&site), 1);

    // What changes nothing of it makes no new result. Then only the key of somebody else is left for this device.
    provision(&site, &manifest("other", &key(40), "x").build().unwrap());
    revoke(&site, &id);
    site.until("its key counts no more", || codes(&listed(&site)[0]) == ["bad-evidence-signature"]);
    assert_eq!(judged(&site, &session(&site, &listed(&site)[0]), "device").1, ["bad-evidence-signature"]);
    assert_eq!(reappraisals(&site), 2);

    // Nor does a restart, after which everything is judged again.
    site.stop();
    site.start();
    let device = key(41);
    attest(&site, &device, "b2");
    provision(&site, &manifest("third", &device, "b2").build().unwrap());
    site.until("the other is affirmed", || listed(&site).iter().any(|one| one["tier"] == "affirming"));
    assert_eq!(reappraisals(&site), 3);
}

#[test]
fn result_follows_releases_and_denied_digests() {
    let (site, maker, device) = (Site::new(), Maker::new(), key(31));
    site.put_authorities(&maker);
    provision(&site, &instance_manifest(&device, vec![]));
    attest_eat(&site, &device, b"app 1");
    assert_eq!(codes(&listed(&site)[0]), ["no-reference"]);
    let envelope = maker.release("1.0.0", 1, b"app 1");
    site.publish(&envelope).expect(201);
    site.until("the release covers it", || listed(&site)[0]["tier"] == "affirming");
    let app = digest("app 1").to_string();
    site.post("/api/v1/denied", json!({ "digest": app, "reason": "backdoor" })).expect(201);
    site.until("its digest is denied", || codes(&listed(&site)[0]) == ["digest-denied"]);
    site.call("DELETE", &format!("/api/v1/denied/{app}"), Some(&site.admin), "", None).expect(204);
    site.until("it is not any more", || listed(&site)[0]["tier"] == "affirming");
    let release = hex(manifest_digest(&envelope).as_bytes());
    site.post(&format!("/api/v1/releases/{release}/revoke"), json!({ "reason": "bad" })).expect(204);
    site.until("the release is revoked", || codes(&listed(&site)[0]) == ["release-revoked"]);
    assert_eq!(judged(&site, &session(&site, &listed(&site)[0]), "EAT").0, Tier::Warning);
}

#[test]
fn rules_for_all_and_for_the_class_that_evidence_names_are_in_its_result() {
    let mut policy = trust::Policy::default();
    let site = Site::with(|config| {
        policy = config.policy.clone();
        config.rules_worker = vec![env!("CARGO_BIN_EXE_rules-worker-for-tests").into()];
    });
    let (maker, device, psa) = (Maker::new(), key(31), key(32));
    site.put_authorities(&maker);
    site.publish(&maker.release("1.0.0", 1, b"app 1")).expect(201);
    provision(&site, &instance_manifest(&device, vec![]));
    let of_psa = provision(&site, &manifest("maker", &psa, "b1").build().unwrap());
    attest_eat(&site, &device, b"app 1");
    let of_media = |media: &str| {
        let mut all = listed(&site);
        all.retain(|one| one["media_type"] == media);
        all.remove(0)
    };
    let (eat, rules) = ("application/eat+cwt", "/api/v1/rules");
    assert_eq!(of_media(eat)["tier"], "affirming");
    let policy_of = |one: &Value, part: &str| {
        let cwt = session(&site, one).sextant_result.unwrap().0;
        SignedResult::decode_cwt(&cwt).unwrap().unverified().submods[part].policy_ids[0].clone()
    };
    let without = policy_of(&of_media(eat), "EAT");
    let add = |name: &str, body: &str, class: Option<String>| {
        let source = format!("package policy\nimport rego.v1\n{body}\n");
        site.post(rules, json!({ "name": name, "source": source, "class": class })).expect(201);
        site.act(&format!("{rules}/{name}/1/activate")).expect(204);
    };
    let vendor = suit::Uuid::vendor("northlight.example");
    let class = hex(suit::Uuid::class(&vendor, b"welcome-cam").as_bytes());
    let says = "reasons contains \"old board\" if some component in input.components\n\
                hardware := \"UNSAFE_HW\" if input.components[0].name == \"app\"";
    add("others", "hardware := 97", Some("00000000-0000-4000-8000-000000000001".into()));
    add("cameras", says, Some(class));
    site.until("the rules count", || codes(&of_media(eat)) == ["policy-warned"]);
    let found = of_media(eat);
    assert_eq!(found["reasons"][0]["detail"]["says"], "old board");
    policy.rules = vec![trust::digest_of_rules(&format!("package policy\nimport rego.v1\n{says}\n"))];
    assert_eq!(policy_of(&found, "EAT"), format!("urn:sextant:policy:{}", policy.digest()));

    // A PSA device has no such class; rules for all are for it as well.
    let before = attest(&site, &psa, "b1");
    assert_eq!(judged(&site, &before, "PSA_IOT"), (Tier::Affirming, vec![]));
    assert_eq!(policy_of(&of_media(PSA), "PSA_IOT"), without);
    add("all", "executables := 96 if input.profile", None);
    site.until("rules for all count", || codes(&of_media(PSA)) == ["policy-refused"]);
    assert_eq!(judged(&site, &session(&site, &of_media(PSA)), "PSA_IOT").0, Tier::Contraindicated);
    site.until("for both", || codes(&of_media(eat)).contains(&"policy-refused"));
    // What is not believed is nothing for rules.
    revoke(&site, &of_psa);
    site.until("its key counts no more", || codes(&of_media(PSA)) == ["bad-evidence-signature"]);
}

#[test]
fn result_follows_the_end_of_a_manifest_by_mere_time_and_over_a_restart() {
    let (mut site, device) = (Site::new(), key(31));
    let until = |id: &str, end: i64, content: &str| {
        let validity = Some(Validity { not_before: None, not_after: NOW + end });
        Corim { validity, ..manifest(id, &device, content) }.build().unwrap()
    };
    // The key outlives the values of both releases.
    provision(&site, &until("first", 20, "b1"));
    provision(&site, &until("second", 40, "b2"));
    provision(&site, &manifest("key", &device, "x").build().unwrap());
    let (first, second) = (attest(&site, &device, "b1"), attest(&site, &device, "b2"));
    let now = |of: &Session| {
        let evidence = &of.evidence;
        let all = listed(&site);
        let one = all.iter().find(|one| session(&site, one).evidence == *evidence).unwrap();
        (one["tier"].as_str().unwrap().to_owned(), codes(one).join(","), one["expires_at"].clone())
    };
    let (affirmed, ends) = (("affirming".to_owned(), String::new()), now(&first).2);
    site.clock.advance_seconds(20);
    // In its last second it counts; another change has all judged again.
    provision(&site, &manifest("other", &key(40), "x").build().unwrap());
    attest(&site, &device, "b2");
    assert_eq!(
        [now(&first), now(&second)].map(|(tier, codes, _)| (tier, codes)),
        [affirmed.clone(), affirmed.clone()]
    );
    site.clock.advance_seconds(1);
    site.until("the first is expected no more", || now(&first).1 == "reference-expired");
    assert_eq!(now(&first).2, ends);
    assert_eq!((now(&second).0, now(&second).1), affirmed);
    // Its key is bound by another manifest now, which the results of all three say.
    site.until("all are judged", || reappraisals(&site) == 3);

    // What ends while nobody watches is found at the start.
    site.stop();
    site.clock.advance_seconds(20);
    site.start();
    let gone = |site: &Site| listed(site).iter().all(|one| codes(one) == ["digest-mismatch"]);
    site.until("nothing of both is expected", || gone(&site));
    assert_eq!(reappraisals(&site), 6);
}

#[test]
fn what_ended_or_was_edited_is_not_signed_again() {
    let (mut lifetime, device) = (0, key(31));
    let site = Site::with(|config| lifetime = config.policy.result_lifetime);
    let id = provision(&site, &manifest("maker", &device, "b1").build().unwrap());
    attest(&site, &device, "b1");
    let ended = listed(&site)[0]["id"].clone();
    site.clock.advance_seconds(lifetime);
    let present = attest(&site, &device, "b1");
    // A longer life, as somebody with the database alone would give it.
    attest(&site, &device, "b1");
    edit(&site, "UPDATE results SET expires = expires + 1000000 WHERE id = (SELECT max(id) FROM results)");
    revoke(&site, &id);
    let result_of =
        |wanted: &dyn Fn(&Value) -> bool| listed(&site).into_iter().find(|one| wanted(one)).unwrap();
    site.until("the one in time is judged again", || {
        listed(&site).iter().any(|one| codes(one) == ["unknown-device"])
    });
    let again = result_of(&|one| one["again"] == true);
    assert_eq!(session(&site, &again).evidence, present.evidence);
    assert_eq!(reappraisals(&site), 1);
    assert_eq!(result_of(&|one| one["id"] == ended)["tier"], "affirming");
    assert_eq!(listed(&site).iter().filter(|one| one["tier"] == "affirming").count(), 2);
}

#[test]
fn result_for_the_nonce_of_another_party_keeps_it() {
    let (site, device) = (Site::new(), key(31));
    let nonce = [7; 32];
    let path = format!("/challenge-response/v1/newSession?nonce={}", api::Base64Url::encode(&nonce));
    let opened = site.call("POST", &path, None, "", None).expect(201);
    let location = opened.header("location").to_owned();
    site.call("POST", &location, None, PSA, Some(&token(&device, &nonce, "b1"))).expect(200);
    provision(&site, &manifest("maker", &device, "b1").build().unwrap());
    site.until("it is affirmed", || listed(&site)[0]["tier"] == "affirming");
    let shown = session(&site, &listed(&site)[0]);
    let cwt = shown.sextant_result.unwrap().0;
    let result = SignedResult::decode_cwt(&cwt).unwrap().unverified().clone();
    assert_eq!(result.nonce.unwrap().as_bytes(), nonce);
    assert_eq!(result.issued_at, NOW);
}

#[test]
fn one_result_is_shown_with_its_parts_beside_what_is_expected_of_them() {
    let (site, device) = (Site::new(), key(31));
    let id = provision(&site, &manifest("maker", &device, "b1").build().unwrap());
    attest(&site, &device, "b2");
    let of = |one: &Value| site.get(&format!("{RESULTS}/{}", one["session"].as_str().unwrap()));
    let found = listed(&site).remove(0);
    let bound = json!({ "by": "manifest", "manifest": format!("sha256:{id}") });
    assert_eq!(found["key"], bound);
    let shown = of(&found).expect(200).json();
    for member in ["id", "session", "tier", "reasons", "expires_at", "result", "key"] {
        assert_eq!(shown[member], found[member], "{member}");
    }
    let part = &shown["parts"][0];
    assert_eq!((shown["parts"].as_array().unwrap().len(), &part["name"]), (1, &json!("PSA_IOT")));
    assert_eq!(
        (&part["tier"], codes(part), &part["key"]),
        (&json!("contraindicated"), vec!["digest-mismatch"], &bound)
    );
    assert_eq!(
        (&part["vector"]["instance-identity"], &part["vector"]["executables"]),
        (&json!(2), &json!(96))
    );
    let comparison = &part["comparison"];
    assert_eq!(comparison["against"], json!({ "release": id, "version": "maker", "chosen": "nearest" }));
    let row = &comparison["components"][0];
    assert_eq!((&row["component"], &row["verdict"]), (&json!("BL"), &json!("differs")));
    assert_eq!(row["expected"]["digest"], digest("b1").to_string());
    assert_eq!(row["measured"]["digest"], digest("b2").to_string());

    // Whose key nobody knows has nothing that could be compared.
    attest(&site, &key(40), "b1");
    let forged = listed(&site).into_iter().find(|one| one["key"].is_null()).unwrap();
    let shown = of(&forged).expect(200).json();
    assert_eq!(
        (&shown["parts"][0]["name"], codes(&shown["parts"][0])),
        (&json!("device"), vec!["bad-evidence-signature"])
    );
    assert!(shown["parts"][0]["comparison"].is_null());

    // What somebody put there is not believed, nor anything derived of it.
    let session = found["session"].as_str().unwrap().replace('-', "");
    edit(&site, &format!("UPDATE results SET evidence = x'00' WHERE session = x'{session}'"));
    let shown = of(&found).expect(200).json();
    assert_eq!((&shown["altered"], &shown["parts"], &shown["key"]), (&json!(true), &json!([]), &Value::Null));
    assert!(listed(&site).iter().any(|one| one["altered"] == true));

    site.get(&format!("{RESULTS}/00000000-0000-0000-0000-000000000000")).expect(404);
    site.get(&format!("{RESULTS}/x")).expect(404);
}

#[test]
fn people_see_every_result_and_one_of_them_as_they_are_now() {
    let (site, device) = (Site::new(), key(31));
    let form = "application/x-www-form-urlencoded";
    let body = format!("access={}&next=%2F", site.admin);
    let reply = site.call("POST", "/login", None, form, Some(body.as_bytes())).expect(303);
    let cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
    let get = |path: &str| site.call_with("GET", path, None, "", None, &[("cookie", &cookie)]);
    let list = || get("/attestation").expect(200).text();
    assert!(list().contains("No evidence of a device that is not enrolled has come yet."));

    // What is open shows the result as it comes, and as it changes.
    let stream = |on: &str| {
        let request = ureq::http::Request::builder().uri(site.url(&format!("/events?on={on}")));
        let response = site.agent().run(request.header("cookie", &cookie).body(()).unwrap()).unwrap();
        let mut lines = BufReader::new(response.into_body().into_reader()).lines().map_while(Result::ok);
        // The data of one event after the other.
        std::iter::from_fn(move || {
            let mut data = String::new();
            loop {
                let line = lines.next()?;
                match line.strip_prefix("data: ") {
                    Some(more) => data.push_str(more),
                    None if line.is_empty() && !data.is_empty() => return Some(data),
                    None => {}
                }
            }
        })
    };
    let mut live = stream("attestation");
    assert!(live.next().unwrap().contains("has come yet"));
    attest(&site, &device, "b2");
    assert!(live.next().unwrap().contains("Contraindicated"));
    let page = list();
    for shown in ["01333333…33333333", PSA, "None that counts", "nobody vouches for a key of it"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let href =
        page.split("href=\"/attestation/results/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let path = format!("/attestation/results/{href}");
    let mut live_one = stream(&format!("result:{href}"));
    assert!(live_one.next().unwrap().contains("None that counts"));

    let id = provision(&site, &manifest("maker", &device, "b1").build().unwrap());
    let swapped = live_one.next().unwrap();
    for shown in ["id=\"verdict\"", "id=\"parts\"", "PSA_IOT", "Named by a manifest", "does not equal"] {
        assert!(swapped.contains(shown), "{shown}: {swapped}");
    }
    assert!(live.next().unwrap().contains("Named by a manifest"));
    let page = get(&path).expect(200).text();
    let (short_expected, short_measured) = (digest("b1").to_string(), digest("b2").to_string());
    for shown in [
        "BL runs software that no release contains.",
        "instance-identity 2",
        "Compared with <b><bdi>maker</bdi></b>",
        "which comes nearest",
        "judged again",
        &id,
        &short_expected,
        &short_measured,
        "Differs",
        "id=\"evidence\"",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(page.contains("<h1") && !page.contains(" style="));
    assert!(page.contains(&format!("data-live=\"/events?on=result:{href}\"")), "{page}");
    assert!(get("/").expect(200).text().contains("href=\"/attestation\""));

    // Ended ones are told to be so, and what was altered is not believed.
    site.clock.advance_seconds(301);
    assert!(list().contains("Ended"));
    edit(&site, "UPDATE results SET evidence = x'a0'");
    assert!(list().contains("Altered"));
    assert!(get(&path).expect(200).text().contains("Nothing of it is believed."));
    get("/attestation/results/00000000-0000-0000-0000-000000000000").expect(404);
    get("/attestation/results/x").expect(404);
}

#[test]
fn list_has_pages_and_is_for_those_who_may_read() {
    let (site, device) = (Site::new(), key(31));
    for content in ["b1", "b2", "b3"] {
        attest(&site, &device, content);
    }
    site.call("GET", RESULTS, None, "", None).expect(401);
    let reader = site.token("read", "reader");
    site.call("GET", RESULTS, Some(&reader), "", None).expect(200);
    let page = site.get(&format!("{RESULTS}?limit=2")).expect(200).json();
    let next = page["next"].as_str().unwrap();
    let rest = site.get(&format!("{RESULTS}?limit=2&after={next}")).expect(200).json();
    let ids = |page: &Value| {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|one| one["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let all = [ids(&page), ids(&rest)].concat();
    assert_eq!((all.len(), rest.get("next")), (3, None));
    assert!(all.is_sorted_by(|a, b| a > b), "{all:?}");
    site.get(&format!("{RESULTS}?after=x")).expect(400);
}
