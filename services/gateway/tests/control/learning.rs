//! A device for which nobody wrote a file: it is observed, a file is proposed from what it did, somebody signs it, and the device may
//! do that and nothing else.

use std::collections::BTreeMap;

use api::FlowRecord;
use mud::{DateTime, Direction, Family, Observation, Protocol, Surroundings, propose};
use trust::{Effect, Flow, Override, Scope};

use crate::house::{House, ONE, TWO, arrives, has, hears, holds_for, plug, says};
use crate::lab::{ANSWER, Lab, SILENCE, at, mac, v4};
use crate::live::now;
use crate::maker::{MAKER_CA, approval, file, url};
use crate::site::order;

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
    let house = House::new(&lab);
    let (gateway, server) = house.open(&lab);
    let never = ("203.0.113.13", 443);
    let _services: Vec<_> =
        [ONE, TWO, never].iter().map(|(host, port)| lab.wan.echo(at(host, *port)).unwrap()).collect();
    let empty = file(&plug(), "2026-03-01T10:00:00Z", &[]);
    house.publish(&empty, MAKER_CA);
    let start = now();
    let reaches = |(host, port): (&str, u16), patience| lab.devices[0].tcp(at(host, port), patience);

    // Its file permits nothing, and that is what it gets.
    arrives(&gateway, mac(0), v4(0), &plug());
    hears(&server, "the empty file", &plug(), |model| has(model, &empty));
    assert!(!reaches(ONE, SILENCE) && !reaches(TWO, SILENCE));

    // The operator has it observed: it does what it does, and that is written down.
    let observe = Override {
        scope: Scope::Model(url(&plug()).to_string()),
        not_before: start,
        expires: start + 3600,
        ..order(1, Effect::Observe)
    };
    says(&server, std::slice::from_ref(&observe), false);
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
    house.publish(&learned, MAKER_CA);

    // It permits more than the one before, so the operator is asked; and observing ends by the operator's later word.
    says(&server, std::slice::from_ref(&observe), true);
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
    says(&server, &[ended, approved], false);
    hears(&server, "the approved file", &plug(), |model| has(model, &learned));
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while reaches(never, SILENCE) {
        assert!(std::time::Instant::now() < patience, "observing ended");
    }
    assert!(reaches(ONE, ANSWER) && reaches(TWO, ANSWER) && !reaches(never, SILENCE));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}
