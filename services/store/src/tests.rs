use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use super::*;

mod advisories;
mod alarms;
mod campaigns;
mod device_flows;
mod dns_uses;
mod durability;
mod endorsements;
mod flow_uses;
mod foreign;
mod holds;
mod network;
mod onboarding;
mod reports;
mod scans;
mod vouchers;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// Names the database for the process that writes until it is killed.
const CHILD: &str = "SEXTANT_STORE_TEST_DATABASE";

async fn store() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("sextant.sqlite")).await.unwrap();
    (folder, store)
}

fn device(number: u8) -> NewDevice {
    NewDevice {
        id: DeviceId::new(&[[1; 1].as_slice(), &[number; 16]].concat()).unwrap(),
        name: format!("cam-{number}"),
        model: "welcome-cam".into(),
        group: String::new(),
        key: vec![0xa0],
        thumbprint: vec![number; 32],
    }
}

fn release_id(byte: u8) -> ReleaseId {
    ReleaseId::from_bytes(&[byte; 32]).unwrap()
}

fn release(byte: u8) -> NewRelease {
    NewRelease {
        id: release_id(byte),
        envelope: (0..=255).cycle().take(5000).collect(),
        object: vec![byte; 32],
        sequence: 7,
        vendor: "northlight".into(),
        model: "welcome-cam".into(),
        version: "1.0.0".into(),
        class: Some(vec![3; 16]),
        expected: vec![ExpectedValue {
            component: "app".into(),
            digest: vec![9; 32],
            size: Some(12),
            version: None,
        }],
    }
}

fn result(session: u8, device: &DeviceId) -> NewResult {
    NewResult {
        session: Some(SessionId([session; 16])),
        device: Some(device.clone()),
        received_at: NOW,
        nonce: vec![1; 32],
        evidence: vec![2],
        media_type: None,
        cwt: vec![session],
        jwt: "a.b.c".into(),
        issued: NOW.seconds(),
        expires: NOW.seconds() + 300,
        tier: "affirming".into(),
        release: Some(release_id(5)),
        reasons: "[]".into(),
        authentic: true,
        policy: vec![0xa0],
        seal: None,
    }
}

fn decision(device: &DeviceId, posture: &str, due: i64) -> NewDecision {
    NewDecision {
        device: device.clone(),
        at: NOW,
        posture: posture.into(),
        access: "release".into(),
        violating: false,
        reasons: "[]".into(),
        release: Some(release_id(5)),
        due: Some(NOW.plus_seconds(due)),
        body: "{}".into(),
    }
}

fn entry(subject: &str) -> AuditEntry {
    AuditEntry {
        at: NOW,
        actor: "test".into(),
        action: "test.write",
        subject: subject.into(),
        detail: json!({ "text": "\"quoted\"" }),
    }
}

#[tokio::test]
async fn session_is_consumed_by_exactly_one_of_many_concurrent_results() {
    let (_folder, store) = store().await;
    store.enrol(vec![device(1)], "test", NOW).await.unwrap();
    let id = device(1).id;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (store, id) = (store.clone(), id.clone());
            tokio::spawn(async move {
                store.record_result(result(7, &id), Some(decision(&id, "trusted", 300))).await.is_ok()
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += u32::from(task.await.unwrap());
    }
    assert_eq!(won, 1);
    assert_eq!(store.results_about(&id, 100).await.unwrap().len(), 1);
    assert_eq!(store.decisions_about(&id, 100).await.unwrap().len(), 1);
    assert!(store.session_used(SessionId([7; 16])).await.unwrap());
    // One enrolment, one appraisal, one decision: the nineteen that lost left no trace in the chain either.
    assert_eq!(store.verify_audit().await.unwrap().unwrap().sequence, 3);
}

#[tokio::test]
async fn enrols_all_or_none() {
    let (_folder, store) = store().await;
    store.enrol(vec![device(1)], "test", NOW).await.unwrap();
    let same_name = NewDevice { name: "cam-1".into(), ..device(3) };
    for bad in [device(1), same_name] {
        let refused = store.enrol(vec![device(2), bad], "test", NOW).await;
        assert!(matches!(refused, Err(Error::Conflict("the device's id or name"))), "{refused:?}");
        assert!(store.device(&device(2).id).await.unwrap().is_none());
    }
    assert_eq!(store.audit_after(0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn retired_device_frees_its_name_and_leaves_the_lists() {
    let (_folder, store) = store().await;
    store.enrol(vec![device(1)], "test", NOW).await.unwrap();
    store.retire(&device(1).id, "test", NOW).await.unwrap();
    assert!(matches!(store.retire(&device(1).id, "test", NOW).await, Err(Error::Absent("device"))));
    store.enrol(vec![NewDevice { name: "cam-1".into(), ..device(2) }], "test", NOW).await.unwrap();
    let filter = DeviceFilter { limit: 10, ..DeviceFilter::default() };
    let listed = store.devices(&filter).await.unwrap();
    assert_eq!(listed.iter().map(|device| &device.id).collect::<Vec<_>>(), [&device(2).id]);
    assert_eq!(store.gateway_devices().await.unwrap().len(), 1);
}

#[tokio::test]
async fn forged_evidence_is_kept_but_moves_nothing() {
    let (_folder, store) = store().await;
    store.enrol(vec![device(1)], "test", NOW).await.unwrap();
    let id = device(1).id;
    store.record_result(result(1, &id), Some(decision(&id, "trusted", 300))).await.unwrap();
    store.record_result(NewResult { authentic: false, ..result(2, &id) }, None).await.unwrap();
    let stored = store.device(&id).await.unwrap().unwrap();
    assert_eq!((stored.posture.as_str(), stored.result), ("trusted", Some(ResultId(1))));
    assert_eq!(store.gateway_devices().await.unwrap()[0].result, Some(vec![1]));
    assert_eq!(store.results_about(&id, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn drops_decision_made_from_what_is_not_the_newest() {
    let (_folder, store) = store().await;
    store.enrol(vec![device(1)], "test", NOW).await.unwrap();
    let id = device(1).id;
    let (first, old) =
        store.record_result(result(1, &id), Some(decision(&id, "trusted", 300))).await.unwrap();
    let (second, new) =
        store.record_result(result(2, &id), Some(decision(&id, "trusted", 300))).await.unwrap();
    let stale = |result, replaces| {
        vec![Redecision {
            result: Some(result),
            replaces,
            renewed: None,
            decision: decision(&id, "stale", 9),
        }]
    };
    for (result, replaces, kept) in [(first, new, 0), (second, old, 0), (second, new, 1), (second, new, 0)] {
        assert_eq!(store.decide(stale(result, replaces)).await.unwrap(), kept);
    }
    assert_eq!(store.device(&id).await.unwrap().unwrap().posture, "stale");
    assert_eq!(store.next_due().await.unwrap(), Some(NOW.plus_seconds(9)));
    assert_eq!(store.devices_due(NOW.plus_seconds(8), 9).await.unwrap().len(), 0);
    assert_eq!(store.devices_due(NOW.plus_seconds(9), 9).await.unwrap().len(), 1);
    // A renewed result goes with its decision, or not at all; of two in one batch the first one counts.
    let present = store.device(&id).await.unwrap().unwrap().decision;
    let renew = |replaces| Redecision {
        result: Some(second),
        replaces,
        renewed: Some(NewResult { session: None, seal: Some(vec![7]), ..result(3, &id) }),
        decision: decision(&id, "untrusted", 9),
    };
    assert_eq!(store.decide(vec![renew(new)]).await.unwrap(), 0);
    assert_eq!(store.decide(vec![renew(present), renew(present)]).await.unwrap(), 1);
    let stored = store.device(&id).await.unwrap().unwrap();
    let third = store.result(stored.result.unwrap()).await.unwrap().unwrap();
    assert_eq!((stored.posture.as_str(), third.id), ("untrusted", ResultId(second.0 + 1)));
    let before = store.result(second).await.unwrap().unwrap();
    let like = ResultRecord { id: third.id, session: None, seal: Some(vec![7]), ..before };
    assert_eq!(
        third,
        ResultRecord {
            cwt: third.cwt.clone(),
            evidence: third.evidence.clone(),
            jwt: third.jwt.clone(),
            nonce: third.nonce.clone(),
            ..like
        }
    );
    assert_eq!(store.decision(stored.decision.unwrap()).await.unwrap().unwrap().result, Some(third.id));
}

#[tokio::test]
async fn release_round_trips_with_its_expected_values_and_pieces() {
    let (_folder, store) = store().await;
    store.add_release(release(5), "rita", NOW).await.unwrap();
    assert!(matches!(store.add_release(release(5), "rita", NOW).await, Err(Error::Conflict("the release"))));
    let stored = store.release(&release_id(5)).await.unwrap().unwrap();
    assert_eq!((stored.sequence, stored.size, stored.revoked), (7, 5000, None));
    assert_eq!(store.expected_values(&release_id(5)).await.unwrap(), release(5).expected);
    let envelope = store.envelope(&release_id(5)).await.unwrap().unwrap();
    assert_eq!(envelope, release(5).envelope);
    for (offset, length, want) in [(0, 10, &envelope[..10]), (4990, 100, &envelope[4990..]), (5000, 1, &[])] {
        assert_eq!(store.envelope_piece(&release_id(5), offset, length).await.unwrap(), want);
    }
    store.add_release(release(6), "rita", NOW).await.unwrap();
    assert_eq!(store.count_releases().await.unwrap(), 2);
    let some = store.releases_with_values(&[release_id(5), release_id(7)]).await.unwrap();
    let stored = store.release(&release_id(5)).await.unwrap().unwrap();
    assert_eq!(some.into_iter().collect::<Vec<_>>(), [(release_id(5), (stored, release(5).expected))]);
    assert_eq!(store.releases_with_values(&[]).await.unwrap().len(), 0);
    store.revoke_release(&release_id(5), "flaw", "rita", NOW).await.unwrap();
    assert!(matches!(store.revoke_release(&release_id(5), "x", "rita", NOW).await, Err(Error::Conflict(_))));
    assert_eq!(store.release(&release_id(5)).await.unwrap().unwrap().revoked, Some((NOW, "flaw".into())));
}

#[tokio::test]
async fn old_results_and_decisions_are_forgotten_but_for_those_devices_stand_on() {
    let (_folder, store) = store().await;
    let id = device(1).id;
    store.enrol(vec![device(1)], "olga", NOW).await.unwrap();
    let mut kept = Vec::new();
    for session in 1..=4 {
        let received_at = NOW.plus_seconds(i64::from(session));
        let result = NewResult { received_at, ..result(session, &id) };
        let decision = NewDecision { at: received_at, ..decision(&id, "trusted", 0) };
        kept.push(store.record_result(result, Some(decision)).await.unwrap());
    }
    // Somebody who is not enrolled.
    let stranger = NewResult { authentic: false, received_at: NOW, ..result(9, &device(2).id) };
    let (stranger, _) = store.record_result(stranger, None).await.unwrap();
    let there = async || {
        let mut there = Vec::new();
        for (result, decision) in &kept {
            let decision = store.decision(decision.unwrap()).await.unwrap().is_some();
            there.push((store.result(*result).await.unwrap().is_some(), decision));
        }
        there
    };
    assert!(!store.forget_results(NOW, 10).await.unwrap());
    assert_eq!(there().await, [(true, true); 4]);

    assert!(store.forget_results(NOW.plus_seconds(3), 2).await.unwrap());
    assert!(!store.forget_results(NOW.plus_seconds(3), 2).await.unwrap());
    assert_eq!(there().await, [(false, false), (false, false), (true, true), (true, true)]);
    assert!(store.result(stranger).await.unwrap().is_none());

    // The last ones stay however old they are.
    assert!(!store.forget_results(NOW.plus_seconds(1_000_000), 10).await.unwrap());
    assert_eq!(there().await, [(false, false), (false, false), (false, false), (true, true)]);
    assert_eq!(store.device(&id).await.unwrap().unwrap().result, Some(kept[3].0));
    // That they were made stays known.
    assert_eq!(store.audit_about(&format!("device:{id}"), 50).await.unwrap().len(), 9);
}

#[tokio::test]
async fn devices_in_a_posture_come_page_by_page_and_without_retired_ones() {
    let (_folder, store) = store().await;
    store.enrol((1..=5).map(device).collect(), "olga", NOW).await.unwrap();
    for number in [1, 2, 4, 5] {
        let device = device(number).id;
        let decision = decision(&device, "untrusted", 0);
        store.record_result(result(number, &device), Some(decision)).await.unwrap();
    }
    store.retire(&device(2).id, "olga", NOW).await.unwrap();
    let page = async |after: Option<DeviceId>| {
        let devices = store.devices_in_posture("untrusted", after.as_ref(), 2).await.unwrap();
        devices.into_iter().map(|device| device.name).collect::<Vec<_>>()
    };
    assert_eq!(page(None).await, ["cam-1", "cam-4"]);
    assert_eq!(page(Some(device(4).id)).await, ["cam-5"]);
    assert!(page(Some(device(5).id)).await.is_empty());
}

#[tokio::test]
async fn report_replaces_staged_list_and_audits_only_what_changed() {
    let (_folder, store) = store().await;
    let staged = |byte| Staged { release: release_id(byte), mud: None };
    let report = |list: &[u8]| GatewayReport {
        staged: list.iter().copied().map(staged).collect(),
        ..GatewayReport::default()
    };
    for (list, records) in [(&[1, 2][..], 3), (&[1, 2], 3), (&[2], 4)] {
        store.report("gw", report(list), NOW).await.unwrap();
        let names: Vec<_> = store.staged().await.unwrap().into_iter().map(|staged| staged.release).collect();
        assert_eq!(names, list.iter().copied().map(release_id).collect::<Vec<_>>());
        assert_eq!(store.audit_after(0, 100).await.unwrap().len(), records);
    }
}

#[tokio::test]
async fn growing_count_of_dropped_packets_is_counted_once() {
    let (_folder, store) = store().await;
    let violation = |count| Violation {
        device: Some(device(1).id),
        mac: "02:00:00:00:00:01".into(),
        src: "10.0.0.2".into(),
        dst: "203.0.113.9".into(),
        protocol: "tcp".into(),
        // The last packet is the one that is shown.
        sport: 40000 + count as u16,
        dport: 6667,
        direction: "from-device".into(),
        group: 10,
        class: "no-match".into(),
        imitated: None,
        name: None,
        tls: None,
        count,
        first: NOW,
        last: NOW.plus_seconds(count as i64),
    };
    for count in [1, 5, 3] {
        let report = GatewayReport { violations: vec![violation(count)], ..GatewayReport::default() };
        store.report("gw", report, NOW).await.unwrap();
    }
    let stored = store.violations(Some(&device(1).id), NOW, 10).await.unwrap();
    assert_eq!(stored, [("gw".into(), violation(5))]);
    assert!(store.violations(None, NOW.plus_seconds(6), 10).await.unwrap().is_empty());

    // What somebody sent with the address of one and the MAC of another is seen with both, and is neither's.
    let spoofed = Violation {
        device: None,
        mac: "02:00:00:00:00:02".into(),
        class: "spoofed-binding".into(),
        imitated: Some(device(1).id),
        ..violation(2)
    };
    let binding =
        Binding { device: device(2).id, mac: spoofed.mac.clone(), addresses: vec!["10.0.0.3".into()] };
    let report = GatewayReport {
        violations: vec![spoofed.clone()],
        bindings: vec![binding],
        ..GatewayReport::default()
    };
    store.report("gw", report, NOW).await.unwrap();
    let found = |told: Vec<(String, Violation)>| told.iter().any(|(_, one)| *one == spoofed);
    for (index, seen) in [(1, true), (2, true), (3, false)] {
        let id = device(index).id;
        assert_eq!(found(store.violations_about(&id, NOW, 10).await.unwrap()), seen, "{index}");
        assert!(!found(store.violations(Some(&id), NOW, 10).await.unwrap()), "{index}");
    }
}

#[tokio::test]
async fn revision_moves_with_devices_and_releases_but_not_with_reports() {
    let (_folder, store) = store().await;
    let revision = store.revision();
    store.report("gw", GatewayReport::default(), NOW).await.unwrap();
    assert_eq!(*revision.borrow(), 0);
    store.enrol(vec![device(1)], "test", NOW).await.unwrap();
    assert_eq!(*revision.borrow(), 1);
    store.add_release(release(1), "test", NOW).await.unwrap();
    assert_eq!(*revision.borrow(), 2);
}

#[tokio::test]
async fn revision_and_chain_go_on_after_reopening() {
    let (folder, store) = store().await;
    store.enrol(vec![device(1)], "test", NOW).await.unwrap();
    store.close().await;
    assert!(matches!(store.audit(entry("late")).await, Err(Error::Unavailable(_))));
    let store = Store::open(&folder.path().join("sextant.sqlite")).await.unwrap();
    assert_eq!(*store.revision().borrow(), 1);
    store.enrol(vec![device(2)], "test", NOW).await.unwrap();
    assert_eq!((*store.revision().borrow(), store.verify_audit().await.unwrap().unwrap().sequence), (2, 2));
}

#[tokio::test]
async fn single_use_credential_is_exchanged_once_and_not_after_its_end() {
    let (_folder, store) = store().await;
    let token = |byte: u8, scope: &str, expires| Token {
        hash: vec![byte; 32],
        scope: scope.into(),
        label: "admin".into(),
        created_at: NOW,
        expires,
    };
    store.add_token(token(1, "welcome", Some(NOW.plus_seconds(1))), "server").await.unwrap();
    store.add_token(token(2, "welcome", Some(NOW)), "server").await.unwrap();
    store.exchange_token(&[1; 32], "welcome", token(3, "admin", None)).await.unwrap();
    for used in [1, 2, 9] {
        let refused = store.exchange_token(&[used; 32], "welcome", token(4, "admin", None)).await;
        assert!(matches!(refused, Err(Error::Absent("credential"))), "{used}");
    }
    assert!(store.token(&[3; 32], NOW).await.unwrap().is_some());
    assert!(store.token(&[4; 32], NOW).await.unwrap().is_none());
}
