use super::*;

fn dropped(dst: &str, count: u64, at: i64) -> Violation {
    Violation {
        ueid: Some("01".into()),
        mac: "02:00:00:00:00:01".into(),
        src: "10.0.0.2".into(),
        dst: dst.into(),
        protocol: "tcp".into(),
        sport: 5000,
        dport: 23,
        direction: "from-device".into(),
        group: 10,
        class: "no-match".into(),
        imitated: None,
        count,
        first_ms: at,
        last_ms: at,
        name: None,
        tls: None,
    }
}

#[test]
fn counts_of_one_kind_add_up_and_are_told_once() {
    let outbox = Outbox::default();
    outbox.violated(dropped("192.0.2.1", 1, 10));
    outbox.violated(dropped("192.0.2.1", 5, 20));
    outbox.violated(dropped("192.0.2.2", 1, 30));
    let report = outbox.collect("gw", Duration::ZERO);
    let told: Vec<_> =
        report.violations.iter().map(|v| (v.dst.as_str(), v.count, v.first_ms, v.last_ms)).collect();
    assert_eq!(told, [("192.0.2.1", 6, 10, 20), ("192.0.2.2", 1, 30, 30)]);
    assert_eq!(outbox.collect("gw", Duration::ZERO).violations, []);

    outbox.violated(dropped("192.0.2.2", 2, 40));
    let report = outbox.collect("gw", Duration::ZERO);
    assert_eq!(report.violations.iter().map(|v| (v.count, v.first_ms)).collect::<Vec<_>>(), [(3, 30)]);
}

#[test]
fn the_last_packet_is_told_and_strangers_are_apart() {
    let outbox = Outbox::default();
    outbox.violated(Violation {
        ueid: None,
        group: 12,
        class: "unknown-device".into(),
        ..dropped("192.0.2.1", 1, 10)
    });
    outbox.violated(dropped("192.0.2.1", 1, 20));
    outbox.violated(Violation { sport: 5001, src: "10.0.0.3".into(), ..dropped("192.0.2.1", 1, 30) });
    let told: Vec<_> = outbox
        .collect("gw", Duration::ZERO)
        .violations
        .into_iter()
        .map(|v| (v.group, v.src, v.sport, v.count, v.first_ms, v.ueid.is_some()))
        .collect();
    let device = (10, "10.0.0.3".to_owned(), 5001, 2, 20, true);
    assert_eq!(told, [device, (12, "10.0.0.2".to_owned(), 5000, 1, 10, false)]);
}

#[test]
fn what_did_not_arrive_is_told_again_before_what_came_since() {
    let applied = |ueid: &str| Applied {
        ueid: ueid.into(),
        profile: api::Profile::Blocked,
        manifest_digest: None,
        reasons: vec![],
        at_ms: 1,
    };
    let outbox = Outbox::default();
    outbox.applied(applied("01"));
    outbox.violated(dropped("192.0.2.1", 1, 10));
    let lost = outbox.collect("gw", Duration::ZERO);
    outbox.applied(applied("02"));
    outbox.violated(dropped("192.0.2.1", 1, 20));
    outbox.put_back(lost);
    let report = outbox.collect("gw", Duration::ZERO);
    assert_eq!(report.applied.iter().map(|a| a.ueid.as_str()).collect::<Vec<_>>(), ["01", "02"]);
    assert_eq!(report.violations.iter().map(|v| v.count).collect::<Vec<_>>(), [2]);
}

#[test]
fn questions_add_up_and_how_it_stands_is_told_with_every_report() {
    let used = |queries, domain: Option<&str>, last_ms| DnsUse {
        ueid: "01".into(),
        queries,
        tunnel: 1,
        domain: domain.map(str::to_owned),
        last_ms,
        ..DnsUse::default()
    };
    let outbox = Outbox::default();
    outbox.stands("ports", "ports-isolated", true, "p0".into());
    outbox.asked(used(3, Some("a.example"), 10));
    let lost = outbox.collect("gw", Duration::ZERO);
    outbox.asked(used(4, None, 20));
    outbox.put_back(lost);
    let told = outbox.collect("gw", Duration::ZERO);
    let sum =
        DnsUse { queries: 7, tunnel: 2, domain: Some("a.example".into()), last_ms: 20, ..used(0, None, 0) };
    assert_eq!((told.dns, told.status.len()), (vec![sum], 1));
    outbox.stands("ports", "ports-isolated", true, "p0".into());
    outbox.stands("ports", "ports-not-isolated", false, "p1".into());
    let told = outbox.collect("gw", Duration::from_secs(60));
    assert_eq!(
        told.status.iter().map(|status| status.code.as_str()).collect::<Vec<_>>(),
        ["ports-not-isolated"]
    );
}

#[test]
fn flows_add_up_until_they_are_told_and_after_a_report_was_lost() {
    let flow = |remote: &str, flows, last_ms| FlowRecord {
        ueid: "01".into(),
        direction: "from-device".into(),
        protocol: "tcp".into(),
        remote: remote.into(),
        name: (last_ms > 10).then(|| "a.example".into()),
        port: 443,
        flows,
        sent_packets: 2 * flows,
        sent_octets: 200 * flows,
        received_packets: flows,
        received_octets: 100 * flows,
        first_ms: last_ms - 5,
        last_ms,
        why: None,
    };
    let outbox = Outbox::default();
    outbox.flowed(flow("192.0.2.1", 1, 10));
    outbox.flowed(flow("192.0.2.1", 2, 20));
    let lost = outbox.collect("gw", Duration::ZERO);
    outbox.flowed(flow("192.0.2.1", 4, 30));
    outbox.flowed(flow("192.0.2.2", 1, 30));
    outbox.put_back(lost);
    let told = outbox.collect("gw", Duration::ZERO).flows;
    let total = FlowRecord { first_ms: 5, ..flow("192.0.2.1", 7, 30) };
    assert_eq!(told, [total, flow("192.0.2.2", 1, 30)]);
    assert_eq!(outbox.collect("gw", Duration::ZERO).flows, []);
}

#[test]
fn many_devices_are_told_in_several_reports() {
    let outbox = Outbox::default();
    for device in 0..=MAX_WAITING {
        outbox.bound(Binding { ueid: format!("{device:04}"), mac: String::new(), addresses: vec![] });
    }
    // The second one is due at once.
    let told = [(); 2].map(|()| outbox.collect("gw", Duration::from_secs(60)).bindings.len());
    assert_eq!(told, [MAX_WAITING, 1]);
    assert_eq!(outbox.collect("gw", Duration::ZERO).bindings, []);
}

#[test]
fn a_flood_of_kinds_keeps_the_newest() {
    let outbox = Outbox::default();
    for at in 0..=MAX_WAITING {
        outbox.violated(dropped(&format!("host{at}"), 1, at as i64));
    }
    let report = outbox.collect("gw", Duration::ZERO);
    assert_eq!(report.violations.len(), MAX_WAITING);
    assert!(report.violations.iter().all(|violation| violation.dst != "host0"));
}
