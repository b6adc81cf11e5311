//! Reports of updates: who is believed, what is held against the manifest, what is shown, and what is not offered.

mod common;

use common::{Device, Maker, Site, hex, manifest_digest};
use crypto::{Digest, HashAlgorithm};
use serde_json::{Value, json};
use sqlx::Connection as _;
use suit::{
    Abilities, Capabilities, ComponentCapability, ComponentId, Condition, Entry, Envelope, Outcome,
    Properties, Property, Reason, Record, Report, Section, SystemPropertyClaims,
};

const APP: &[u8] = b"app 1.1.0";

/// Two devices that run 1.0.0; 1.1.0 and an encrypted 2.0.0 are accepted.
struct Fleet {
    site: Site,
    maker: Maker,
    devices: Vec<Device>,
    tokens: Vec<String>,
    new: Vec<u8>,
    encrypted: Vec<u8>,
}

impl Fleet {
    fn new() -> Self {
        let (site, maker) = (Site::new(), Maker::new());
        site.put_authorities(&maker);
        let old = maker.release("1.0.0", 1, b"app 1.0.0");
        let (new, encrypted) =
            (maker.release("1.1.0", 2, APP), maker.encrypted_release("2.0.0", 3, b"app 2.0.0"));
        for release in [&old, &new, &encrypted] {
            site.publish(release).expect(201);
        }
        let devices: Vec<Device> = (1..=2).map(Device::new).collect();
        site.enrol(&devices.iter().collect::<Vec<_>>()).expect(201);
        let token = |device| site.attest(device, b"app 1.0.0", None).device_token.unwrap();
        let tokens = devices.iter().map(token).collect();
        Self { site, maker, devices, tokens, new, encrypted }
    }

    fn path(&self, device: usize) -> String {
        format!("/default/controller/v1/{}", self.devices[device].ueid())
    }

    /// Sends bytes as a report of this device.
    fn send(&self, device: usize, query: &str, bytes: &[u8]) -> common::Reply {
        let path = format!("{}/suitReport{query}", self.path(device));
        self.site.call("POST", &path, Some(&self.tokens[device]), api::SUIT_REPORT, Some(bytes))
    }

    /// Sends a report signed by this device.
    fn report(&self, device: usize, report: &Report) -> common::Reply {
        self.send(device, "", &report.sign(&self.devices[device].key, None))
    }

    fn reports(&self, device: usize) -> Vec<Value> {
        let path = format!("/api/v1/devices/{}/reports", self.devices[device].ueid());
        self.site.get(&path).expect(200).json().as_array().unwrap().clone()
    }

    /// Records of the audit chain about a device with an action, newest first.
    fn audited(&self, device: usize, action: &str) -> Vec<Value> {
        let timeline = self.site.device(&self.devices[device])["timeline"].as_array().unwrap().clone();
        timeline.into_iter().filter(|event| event["action"] == action).collect()
    }

    fn campaign(&self, release: &[u8], canary: u32) -> String {
        let release = hex(manifest_digest(release).as_bytes());
        let new = json!({ "release": release, "model": "welcome-cam", "canary": canary });
        let id = self.site.post("/api/v1/campaigns", new).expect(201).json()["id"].to_string();
        let campaign = format!("/api/v1/campaigns/{id}");
        self.site.act(&format!("{campaign}/start")).expect(204);
        campaign
    }

    /// The action that a device is offered.
    fn offered(&self, device: usize) -> Option<String> {
        let poll = self.site.call("GET", &self.path(device), Some(&self.tokens[device]), "", None);
        let poll = poll.expect(200).json();
        Some(poll["_links"]["deploymentBase"]["href"].as_str()?.rsplit('/').next()?.to_owned())
    }

    fn part(&self, campaign: &str, device: usize) -> Value {
        let shown = self.site.get(campaign).expect(200).json();
        let ueid = self.devices[device].ueid();
        let parts = shown["devices"].as_array().unwrap().clone();
        parts.into_iter().find(|part| part["ueid"] == ueid.as_str()).unwrap()
    }

    fn page(&self, device: usize) -> String {
        let form = "application/x-www-form-urlencoded";
        let body = format!("access={}&next=%2F", self.site.admin);
        let reply = self.site.call("POST", "/login", None, form, Some(body.as_bytes())).expect(303);
        let cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
        let path = format!("/devices/{}", self.devices[device].ueid());
        self.site.call_with("GET", &path, None, "", None, &[("cookie", &cookie)]).expect(200).text()
    }
}

/// A report that installing a release went well and says nothing else.
fn success(envelope: &[u8]) -> Report {
    Report {
        reference_uri: String::new(),
        manifest_digest: manifest_digest(envelope),
        nonce: None,
        entries: Vec::new(),
        outcome: Outcome::Success,
        capabilities: None,
    }
}

/// A record of the image-match of the install section.
fn record(envelope: &[u8], found: &[u8]) -> Record {
    let list = Maker::new().authorities();
    let verified = Envelope::decode(envelope).unwrap().verify(&list).unwrap();
    let install = verified.manifest().section(Section::Install).unwrap().value().unwrap().clone();
    let is_match = |code: i64| code == Condition::ImageMatch.code();
    let command = install.commands().iter().find(|command| is_match(command.operation.code())).unwrap();
    Record {
        manifest_id: Vec::new(),
        section: Some(Section::Install),
        offset: command.offset,
        component: 0,
        properties: Some(Property::ImageDigest(Digest::of(HashAlgorithm::Sha256, found))).into(),
    }
}

fn claims(found: &[u8]) -> Entry {
    let properties = vec![Property::ImageDigest(Digest::of(HashAlgorithm::Sha256, found))];
    Entry::Claims(SystemPropertyClaims {
        component: ComponentId::new(&["app"]).unwrap(),
        properties: properties.into(),
    })
}

fn failure(envelope: &[u8], found: &[u8]) -> Report {
    let record = record(envelope, found);
    let outcome = Outcome::Failure { code: 10, reason: Reason::ConditionFailed, record };
    Report { entries: vec![claims(found)], outcome, ..success(envelope) }
}

/// What a device that runs 1.0.0 says that it can process.
fn capable(envelope: &[u8], decryption: bool) -> Report {
    let component = ComponentId::new(&["app"]).unwrap();
    let components = vec![ComponentCapability { component, any_below: false }];
    let abilities = Abilities { decryption, ..Abilities::default() };
    Report { capabilities: Some(Capabilities::of(&abilities, components)), ..success(envelope) }
}

#[test]
fn truthful_reports_are_kept_as_received_shown_and_counted() {
    let fleet = Fleet::new();
    let entries = vec![Entry::Record(record(&fleet.new, APP)), claims(APP)];
    let good = Report { entries, ..success(&fleet.new) }.sign(&fleet.devices[0].key, None);
    fleet.send(0, "", &good).expect(204);
    fleet.report(1, &failure(&fleet.new, b"something else")).expect(204);

    let shown = fleet.reports(0).remove(0);
    let said = (&shown["succeeded"], &shown["verdict"], &shown["version"], &shown["is_update"]);
    assert_eq!(said, (&json!(true), &json!("holds"), &json!("1.1.0"), &json!(true)));
    let one = format!("/api/v1/devices/{}/reports/{}", fleet.devices[0].ueid(), shown["id"]);
    assert_eq!(fleet.site.get(&one).expect(200).json(), shown);
    let object = fleet.site.get(&format!("{one}/object")).expect(200);
    assert_eq!((object.body.as_slice(), object.header("content-type")), (&good[..], api::SUIT_REPORT));
    fleet.site.get(&one.replace(&fleet.devices[0].ueid(), &fleet.devices[1].ueid())).expect(404);
    fleet.site.get(&format!("{one}0")).expect(404);

    let shown = fleet.reports(1).remove(0);
    let said = (&shown["succeeded"], &shown["verdict"], &shown["reason"]);
    assert_eq!(said, (&json!(false), &json!("holds"), &json!("condition-failed")));
    let at = &shown["failed_at"];
    let place = (&at["section"], &at["command"], &at["component"]);
    assert_eq!(place, (&json!("install"), &json!("image-match"), &json!("app")));
    assert!(fleet.audited(0, "report.failure").is_empty(), "success is not worth a record: evidence is");
    let audited = fleet.audited(1, "report.failure");
    assert_eq!((audited.len(), &audited[0]["detail"]["place"]["command"]), (1, &json!("image-match")));

    let digest = hex(manifest_digest(&fleet.new).as_bytes());
    let summary = fleet.site.get(&format!("/api/v1/releases/{digest}/reports")).expect(200).json();
    let counts = ["devices", "succeeded", "failed", "contradicting"].map(|name| summary[name].as_u64());
    assert_eq!(counts, [2, 1, 1, 0].map(Some));
    let failed = &summary["failures"][0];
    assert_eq!((&failed["reason"], &failed["devices"]), (&json!("condition-failed"), &json!(1)));
    assert_eq!(&failed["at"], at);
    fleet.site.get(&format!("/api/v1/releases/{}/reports", "00".repeat(32))).expect(404);

    // A report is no evidence: the device runs what it attested.
    assert_eq!(fleet.site.device(&fleet.devices[0])["version"], "1.0.0");
    let page = fleet.page(1);
    assert!(
        page.contains("failed at <code>image-match</code> of <b><bdi>app</bdi></b> in install"),
        "{page}"
    );
    assert!(page.contains("The manifest allows that."));
}

#[test]
fn lies_are_shown_and_audited() {
    let fleet = Fleet::new();
    let digest = hex(manifest_digest(&fleet.new).as_bytes());
    let with = |entry| Report { entries: vec![entry], ..success(&fleet.new) };
    let nowhere = Record { offset: 3, properties: Properties::default(), ..record(&fleet.new, APP) };
    let stopped = Record { component: 7, ..record(&fleet.new, APP) };
    let unfailed =
        Outcome::Failure { code: 0, reason: Reason::ConditionFailed, record: record(&fleet.new, APP) };
    let rows = [
        (
            "went on after a failing record",
            with(Entry::Record(record(&fleet.new, b"evil"))),
            "went-on-regardless",
        ),
        ("another digest", with(claims(b"evil")), "wrong-value"),
        ("record where no command is", with(Entry::Record(nowhere)), "no-such-command"),
        ("component that is none", with(Entry::Record(stopped)), "unknown-component"),
        ("failed at what it met", Report { outcome: unfailed, ..success(&fleet.new) }, "stopped-regardless"),
        ("other reference", Report { reference_uri: "x".into(), ..success(&fleet.new) }, "wrong-reference"),
    ];
    for (count, (name, lie, code)) in (1..).zip(rows) {
        fleet.report(0, &lie).expect(204);
        let shown = fleet.reports(0).remove(0);
        assert_eq!(
            (&shown["verdict"], &shown["faults"][0]["code"]),
            (&json!("contradicts"), &json!(code)),
            "{name}"
        );
        let audited = fleet.audited(0, "report.contradict");
        assert_eq!(audited.len(), count, "{name}");
        assert_eq!(audited[0]["detail"]["faults"][0]["code"], code, "{name}");
        let summary = fleet.site.get(&format!("/api/v1/releases/{digest}/reports")).expect(200).json();
        assert_eq!(summary["contradicting"], 1, "{name}");
        fleet.site.clock.advance_seconds(5);
    }
    assert!(fleet.page(0).contains("<b><bdi>The manifest contradicts it</bdi></b>: reference, "));
    let audit = fleet.site.get("/api/v1/audit").expect(200).text();
    assert!(audit.contains("report.contradict"));
}

#[test]
fn nothing_is_kept_of_what_is_refused() {
    let fleet = Fleet::new();
    let good = success(&fleet.new).sign(&fleet.devices[0].key, None);
    let forged = success(&fleet.new).sign(&fleet.devices[1].key, None);
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    let mac = cose::MacKey::new(HashAlgorithm::Sha256, &[9; 32]).unwrap();
    let shared = success(&fleet.new).authenticate(&mac, None);
    let unknown =
        [&[0xd2, 0x84, 0x43, 0xa1, 0x01, 0x26, 0xa0, 0x41, 0xa0, 0x58, 0x40][..], &[0; 64]].concat();
    for (name, bytes, status, code) in [
        ("another device's key", &forged, 403, "bad-report-signature"),
        ("an altered signature", &altered, 403, "bad-report-signature"),
        ("a shared key", &shared, 422, "unsupported-report"),
        ("no report in it", &unknown, 400, "malformed-report"),
        ("cut", &good[..good.len() - 1].to_vec(), 400, "malformed-report"),
        ("not in a container", &success(&fleet.new).to_bytes(), 422, "unsupported-report"),
        ("empty", &Vec::new(), 422, "unsupported-report"),
    ] {
        let problem = fleet.send(0, "", bytes).expect(status).json();
        assert_eq!(problem["code"], code, "{name}");
    }
    fleet.site.clock.advance_seconds(60);
    // The report of one device in the name of another, with either's token.
    fleet.send(1, "", &good).expect(403);
    let path = format!("{}/suitReport", fleet.path(1));
    fleet.site.call("POST", &path, Some(&fleet.tokens[0]), api::SUIT_REPORT, Some(&good)).expect(404);
    fleet.site.call("POST", &path, None, api::SUIT_REPORT, Some(&good)).expect(401);
    fleet.site.call("POST", &path, Some(&fleet.site.admin), api::SUIT_REPORT, Some(&good)).expect(403);
    let path = format!("{}/suitReport", fleet.path(0));
    for media in ["application/json", "application/cose", ""] {
        let reply = fleet.site.call("POST", &path, Some(&fleet.tokens[0]), media, Some(&good)).expect(415);
        assert_eq!(reply.header("accept"), api::SUIT_REPORT);
    }
    fleet.send(0, "", &vec![0; (64 << 10) + 1]).expect(413);
    assert_eq!(fleet.send(0, "", &vec![0xd2; 64 << 10]).status, 400, "one byte less is read");
    assert_eq!(fleet.send(0, "?action=77", &good).expect(422).json()["code"], "report-action");
    fleet.send(0, "?action=x", &good).expect(400);
    for device in 0..2 {
        assert_eq!(fleet.reports(device), Vec::<Value>::new());
        assert!(fleet.audited(device, "report.failure").is_empty());
        assert!(fleet.audited(device, "report.contradict").is_empty());
    }
}

#[test]
fn stored_report_that_was_altered_counts_for_nothing() {
    let mut fleet = Fleet::new();
    fleet.report(0, &failure(&fleet.new, b"something else")).expect(204);
    assert_eq!(fleet.reports(0)[0]["authentic"], true);
    fleet.site.stop();
    let database = fleet.site.database();
    fleet.site.run(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("UPDATE reports SET succeeded = 1, reason = NULL")
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
    fleet.site.start();
    assert_eq!(fleet.reports(0)[0]["authentic"], false);
    let page = fleet.page(0);
    assert!(page.contains("A stored report is not the one that came") && page.contains("seal broken"));
}

#[test]
fn key_of_two_devices_speaks_for_neither() {
    let fleet = Fleet::new();
    let twin = Device { key: common::key(101), ..Device::new(9) };
    fleet.site.enrol(&[&twin]).expect(201);
    let problem = fleet.report(0, &success(&fleet.new)).expect(403).json();
    assert_eq!(problem["code"], "same-key-twice");
    assert!(fleet.reports(0).is_empty());
}

#[test]
fn same_report_again_is_the_same_report_and_floods_are_held_up() {
    let fleet = Fleet::new();
    let failed = failure(&fleet.new, b"evil").sign(&fleet.devices[0].key, None);
    fleet.send(0, "", &failed).expect(204);
    let fixed = success(&fleet.new).sign(&fleet.devices[0].key, None);
    fleet.site.clock.advance_seconds(1);
    fleet.send(0, "", &fixed).expect(204);
    fleet.site.clock.advance_seconds(10);
    fleet.send(0, "", &failed).expect(204);
    let shown = fleet.reports(0);
    assert_eq!(shown.len(), 2);
    assert_eq!((&shown[0]["succeeded"], &shown[0]["times"]), (&json!(false), &json!(2)));
    assert_ne!(shown[0]["received_at"], shown[0]["last_at"]);
    assert_eq!(fleet.audited(0, "report.failure").len(), 1, "an old failure is no news");

    let reply =
        std::iter::repeat_with(|| fleet.send(0, "", &fixed)).take(11).find(|reply| reply.status != 204);
    let reply = reply.expect("held up").expect(429);
    assert!(!reply.header("retry-after").is_empty());
    // Neither attestation nor another device is held up by it.
    fleet.site.attest(&fleet.devices[0], b"app 1.0.0", None);
    fleet.report(1, &success(&fleet.new)).expect(204);
}

#[test]
fn report_about_an_action_is_held_against_what_was_offered() {
    let fleet = Fleet::new();
    let campaign = fleet.campaign(&fleet.new, 1);
    let canary = usize::from(fleet.offered(0).is_none());
    let action = fleet.offered(canary).unwrap();
    let query = format!("?action={action}");
    let sign = |report: &Report| report.sign(&fleet.devices[canary].key, None);
    fleet.send(canary, &query, &sign(&success(&fleet.new))).expect(204);
    let shown = fleet.reports(canary).remove(0);
    assert_eq!((&shown["action"].to_string(), &shown["verdict"]), (&action, &json!("holds")));
    assert_eq!(fleet.part(&campaign, canary)["state"], "offered", "a report moves no campaign");
    // It says that it installed something else.
    fleet.send(canary, &query, &sign(&success(&fleet.encrypted))).expect(204);
    let shown = fleet.reports(canary).remove(0);
    assert_eq!((&shown["verdict"], &shown["faults"][0]["claim"]), (&json!("contradicts"), &json!("action")));
    // It refused what nobody here knows, such as what a stranger put in the way: it says so, and nobody can check it.
    let strange = fleet.maker.release("6.6.6", 66, b"strange");
    let refused = Outcome::Failure {
        code: 4,
        reason: Reason::Unauthorised,
        record: Record { properties: Properties::default(), ..record(&fleet.new, APP) },
    };
    fleet.send(canary, &query, &sign(&Report { outcome: refused, ..success(&strange) })).expect(204);
    let shown = fleet.reports(canary).remove(0);
    assert_eq!((&shown["verdict"], &shown["reason"]), (&json!("unchecked"), &json!("unauthorised")));
    assert_eq!((&shown["version"], fleet.audited(canary, "report.failure").len()), (&Value::Null, 1));
    assert!(fleet.page(canary).contains("Nothing here to compare it with."));
    // The action of one device is none of another.
    let other = 1 - canary;
    let foreign = success(&fleet.new).sign(&fleet.devices[other].key, None);
    assert_eq!(fleet.send(other, &query, &foreign).expect(422).json()["code"], "report-action");
}

#[test]
fn device_is_not_offered_what_it_cannot_process_and_the_operator_sees_why() {
    let fleet = Fleet::new();
    let old = fleet.maker.release("1.0.0", 1, b"app 1.0.0");
    fleet.report(0, &capable(&old, false)).expect(204);
    let shown = fleet.reports(0).remove(0);
    assert_eq!((&shown["is_update"], &shown["verdict"]), (&json!(false), &json!("holds")));
    let campaign = fleet.campaign(&fleet.encrypted, 0);
    assert_eq!(fleet.offered(0), None);
    assert!(fleet.offered(1).is_some(), "what never said anything is offered everything, as before");
    let part = fleet.part(&campaign, 0);
    assert_eq!(
        (&part["state"], &part["reason"]["code"]),
        (&json!("unsupported"), &json!("release-unsupported"))
    );
    assert_eq!(part["reason"]["detail"]["missing"], "parameter encryption-info");
    // Not by its address either.
    let release = hex(manifest_digest(&fleet.encrypted).as_bytes());
    let path = format!("{}/softwaremodules/{release}/artifacts/release.suit", fleet.path(0));
    fleet.site.call("GET", &path, Some(&fleet.tokens[0]), "", None).expect(404);
    let path = format!("{}/deploymentBase/{}", fleet.path(0), part["action"]);
    fleet.site.call("GET", &path, Some(&fleet.tokens[0]), "", None).expect(404);

    let page = fleet.page(0);
    assert!(page.contains("It cannot process 2.0.0: it lacks parameter encryption-info."), "{page}");
    let answers = fleet.site.device(&fleet.devices[0])["answers"].clone();
    assert_eq!(answers[5]["facts"]["unsupported"]["code"], "release-unsupported");
    // What it can process is offered.
    let second = fleet.campaign(&fleet.new, 0);
    assert!(fleet.offered(0).is_some());
    fleet.site.act(&format!("{second}/abort")).expect(204);
    // So is what it learns to process; and when it goes back, the same report as at the beginning counts again.
    fleet.report(0, &capable(&old, true)).expect(204);
    assert_eq!(fleet.part(&campaign, 0)["state"], "waiting");
    assert_eq!(fleet.offered(0), Some(part["action"].to_string()));
    fleet.site.clock.advance_seconds(1);
    fleet.report(0, &capable(&old, false)).expect(204);
    assert_eq!(fleet.part(&campaign, 0)["state"], "unsupported");
    assert_eq!(fleet.offered(0), None);
    // The other one makes it: the campaign is done, and says of one device why not.
    fleet.site.attest(&fleet.devices[1], b"app 2.0.0", None);
    fleet.site.until("the campaign is done", || fleet.site.get(&campaign).json()["state"] == "done");
    assert_eq!(fleet.part(&campaign, 0)["reason"]["code"], "release-unsupported");
}

#[test]
fn canary_that_cannot_process_the_release_neither_fails_it_nor_proves_it() {
    let fleet = Fleet::new();
    let old = fleet.maker.release("1.0.0", 1, b"app 1.0.0");
    let campaign = fleet.campaign(&fleet.encrypted, 1);
    let canary = usize::from(fleet.offered(0).is_none());
    fleet.report(canary, &capable(&old, false)).expect(204);
    fleet.site.until("it halted", || fleet.site.get(&campaign).json()["state"] == "halted");
    let shown = fleet.site.get(&campaign).json();
    assert_eq!(shown["reason"]["code"], "release-unsupported");
    assert_eq!(shown["reason"]["detail"]["missing"], "parameter encryption-info");
    assert_eq!(fleet.offered(1 - canary), None, "nobody tried it");
    fleet.report(canary, &capable(&old, true)).expect(204);
    fleet.site.act(&format!("{campaign}/resume")).expect(204);
    assert!(fleet.offered(canary).is_some());
    // With another canary that proves it, the campaign goes on without the one that cannot.
    let both = fleet.campaign(&fleet.encrypted, 2);
    fleet.report(canary, &capable(&old, false)).expect(204);
    fleet.site.attest(&fleet.devices[1 - canary], b"app 2.0.0", None);
    fleet.site.until("it is done", || fleet.site.get(&both).json()["state"] == "done");
    assert_eq!(fleet.part(&both, canary)["state"], "unsupported");
    assert_eq!(fleet.site.get(&both).json()["attested"], 1);
}
