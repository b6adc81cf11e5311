//! A device for which nobody wrote a file: it is observed, a file is proposed from what it did, somebody signs it, and the device may
//! do that and nothing else.

use std::collections::BTreeMap;
use std::net::TcpListener;

use api::{Base64Url, FlowRecord, GatewayState, MudCheck, NetworkAccess};
use gateway::control::Gateway;
use mud::{DateTime, Direction, Family, Observation, Protocol, Surroundings, propose};
use trust::{Effect, Flow, Override, Scope};

use crate::announced_live::{HOST, ONE, PORT, TWO, has, hears, holds_for, plug, settings};
use crate::lab::{ANSWER, Lab, SILENCE, at, mac, v4};
use crate::live::{SERVER, config, now};
use crate::maker::{MAKER_CA, announces, approval, file, signed_by, url, uses};
use crate::server::{Identity, Server};
use crate::site::{OPERATOR, answer, key, order};
use crate::web::Web;

fn seen(record: &FlowRecord) -> Observation {
    assert_eq!((record.direction.as_str(), record.protocol.as_str()), ("from-device", "tcp"), "{record:?}");
    Observation {
        direction: Direction::FromDevice,
        protocol: Protocol::Tcp,
        remote: record.remote.parse().unwrap(),
        name: record.name.clone(),
        port: record.port,
        flows: record.flows,
        first: record.first_ms / 1000,
        last: record.last_ms / 1000,
    }
}

#[test]
fn what_an_observed_device_did_becomes_its_file_and_then_its_bounds() {
    let Some(lab) = Lab::new(1) else { return };
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    settings(folder);
    let listener = lab.wan.enter(|| TcpListener::bind(at(HOST, PORT))).unwrap();
    let web = Web::start(listener, &[HOST], &folder.join("web.pem"));
    let never = ("203.0.113.13", 443);
    let _services: Vec<_> =
        [ONE, TWO, never].iter().map(|(host, port)| lab.wan.echo(at(host, *port)).unwrap()).collect();
    let empty = file(&plug(), "2026-03-01T10:00:00Z", &[]);
    web.publish("/plug.json", &empty, &signed_by(&empty, MAKER_CA, "CN=Maker", now()));
    let config = config(folder);
    let identity = Identity::new(SERVER, &config.ca);
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    let start = now();
    let say = |overrides: &[Override], check: bool| {
        let overrides = overrides.iter().map(|one| Base64Url(one.sign(&key(OPERATOR)))).collect();
        let checks = check.then(|| MudCheck { url: plug(), at_ms: now() * 1000 });
        server.say(GatewayState { overrides, checks: checks.into_iter().collect(), ..answer(&[], vec![]) });
    };
    let reaches = |(host, port): (&str, u16), patience| lab.devices[0].tcp(at(host, port), patience);

    // Its file permits nothing, and that is what it gets.
    gateway.controller().heard(&announces(mac(0), &plug()), now());
    gateway.controller().heard(&uses(mac(0), v4(0), now() + 3600), now());
    hears(&server, "the empty file", &plug(), |model| has(model, &empty));
    assert!(!reaches(ONE, SILENCE) && !reaches(TWO, SILENCE));

    // The operator has it observed: it does what it does, and that is written down.
    let observe = Override {
        scope: Scope::Model(url(&plug()).to_string()),
        not_before: start,
        expires: start + 3600,
        ..order(1, Effect::Observe)
    };
    say(std::slice::from_ref(&observe), false);
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !reaches(ONE, ANSWER) {
        assert!(std::time::Instant::now() < patience, "it is observed");
    }
    assert!(reaches(ONE, ANSWER) && reaches(TWO, ANSWER) && reaches(TWO, ANSWER));
    let mut records: BTreeMap<String, FlowRecord> = BTreeMap::new();
    while records.len() < 2 {
        for record in server.hears("what it did", |report| {
            let of_device = report.flows.iter().filter(|flow| flow.remote.starts_with("203.0.113."));
            let found: Vec<FlowRecord> = of_device.cloned().collect();
            (!found.is_empty()).then_some(found)
        }) {
            records.entry(record.remote.clone()).and_modify(|known| known.add(&record)).or_insert(record);
        }
    }
    assert!(records[TWO.0].flows >= 2 && records[ONE.0].received_packets > 0, "{records:?}");

    // A file is proposed from it, and the maker signs it.
    let observations: Vec<Observation> = records.values().map(seen).collect();
    let around = Surroundings {
        mud_url: url(&plug()),
        last_update: DateTime::parse("2026-04-01T10:00:00Z").unwrap(),
        systeminfo: Some("a plug".into()),
        local_networks: vec![],
        services: vec![],
        my_controllers: vec![],
        same_manufacturer: vec![],
    };
    let mut proposal = propose(&observations, &around);
    assert_eq!((proposal.entries.len(), proposal.left_out.len()), (2, 0));
    proposal.file.mud_signature = Some(format!("{}.p7s", plug()));
    let learned = proposal.file.encode();
    web.publish("/plug.json", &learned, &signed_by(&learned, MAKER_CA, "CN=Maker", now()));

    // It permits more than the one before, so the operator is asked; and observing ends by the operator's later word.
    say(std::slice::from_ref(&observe), true);
    hears(&server, "the proposed file", &plug(), |model| holds_for(model, "mud-wider"));
    let flow = Flow {
        direction: Direction::FromDevice,
        family: Family::V4,
        protocol: Protocol::Tcp,
        remote: mud::Remote::Any,
        ports: Some((23, 23)),
    };
    let ended = Override { not_before: start + 1, effect: Effect::Deny(flow), ..observe };
    let approved =
        Override { not_before: start, expires: start + 3600, ..approval(2, Scope::Site, &plug(), &learned) };
    say(&[ended, approved], false);
    server.hears("the device with its file", |report| {
        let has_it = report.models.iter().flatten().any(|model| has(model, &learned));
        let bound = report.unattested.iter().flatten().any(|device| device.access == NetworkAccess::File);
        (has_it || bound).then_some(())
    });
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while reaches(never, SILENCE) {
        assert!(std::time::Instant::now() < patience, "observing ended");
    }
    assert!(reaches(ONE, ANSWER) && reaches(TWO, ANSWER) && !reaches(never, SILENCE));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}
