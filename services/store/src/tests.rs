use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use super::*;

mod holds;

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
        replaces: None,
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
        vec![Redecision { result: Some(result), replaces, decision: decision(&id, "stale", 9) }]
    };
    for (result, replaces, kept) in [(first, new, 0), (second, old, 0), (second, new, 1), (second, new, 0)] {
        assert_eq!(store.decide(stale(result, replaces)).await.unwrap(), kept);
    }
    let again = NewResult { session: None, replaces: Some(first), ..result(3, &id) };
    assert!(matches!(store.record_result(again.clone(), None).await, Err(Error::Conflict(_))));
    assert_eq!(store.device(&id).await.unwrap().unwrap().posture, "stale");
    assert_eq!(store.next_due().await.unwrap(), Some(NOW.plus_seconds(9)));
    assert_eq!(store.devices_due(NOW.plus_seconds(8), 9).await.unwrap().len(), 0);
    assert_eq!(store.devices_due(NOW.plus_seconds(9), 9).await.unwrap().len(), 1);
    let (third, _) = store.record_result(NewResult { replaces: Some(second), ..again }, None).await.unwrap();
    assert_eq!(store.device(&id).await.unwrap().unwrap().result, Some(third));
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
async fn whether_canaries_are_open_is_asked_of_canaries_alone() {
    let (_folder, store) = store().await;
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", campaigns::CANARIES));
    let plan = sqlx::query(explain).bind(1).fetch_one(&store.readers).await.unwrap();
    let plan: String = sqlx::Row::get(&plan, "detail");
    assert!(plan.contains("campaign_devices_by_wave (campaign=? AND wave=?)"), "{plan}");
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
async fn what_is_left_of_a_campaign_is_what_must_move_and_how_much_is_open() {
    let (_folder, store) = store().await;
    store.enrol((1..=4).map(device).collect(), "olga", NOW).await.unwrap();
    let ids: Vec<_> = (1..=4).map(|number| device(number).id).collect();
    let waves = [0, 0, 1, 1];
    let devices = ids.iter().cloned().zip(waves).collect();
    let new = NewCampaign { release: release_id(5), selector: "model:welcome-cam".into(), devices };
    let id = store.add_campaign(new, "olga", NOW).await.unwrap();
    let campaign = store.campaign(id).await.unwrap().unwrap();
    let left = async |now: Timestamp| {
        let left = store.remainder(&campaign, "trusted", now).await.unwrap();
        let devices =
            |parts: Vec<CampaignDevice>| parts.into_iter().map(|part| part.device).collect::<Vec<_>>();
        (left.open, devices(left.attested), devices(left.overdue), left.failed_canary.map(|part| part.device))
    };
    assert_eq!(left(NOW).await, (4, vec![], vec![], None));

    // The first runs the release and is trusted; the second runs it and is not.
    for (number, posture) in [(1, "trusted"), (2, "outdated")] {
        let device = device(number).id;
        let decision = decision(&device, posture, 0);
        store.record_result(result(number, &device), Some(decision)).await.unwrap();
    }
    // The third began, the fourth did not.
    let parts = store.campaign_devices(id).await.unwrap();
    let change = |part: &CampaignDevice, to: &str| DeviceChange {
        action: part.id,
        from: part.state.clone(),
        to: to.into(),
        reason: None,
    };
    assert_eq!(store.change_parts(vec![change(&parts[2], "proceeding")], "server", NOW).await.unwrap(), 1);
    assert_eq!(left(NOW.plus_seconds(-1)).await, (4, vec![ids[0].clone()], vec![], None));
    assert_eq!(left(NOW).await, (4, vec![ids[0].clone()], vec![ids[2].clone()], None));

    // One change that comes too late keeps no other from being made.
    let late = DeviceChange { from: "reported".into(), ..change(&parts[3], "attested") };
    let changes = vec![change(&parts[0], "attested"), late, change(&parts[1], "failed")];
    assert_eq!(store.change_parts(changes, "server", NOW).await.unwrap(), 2);
    assert_eq!(left(NOW).await, (2, vec![], vec![ids[2].clone()], Some(ids[1].clone())));
}

#[tokio::test]
async fn campaign_moves_only_from_the_state_it_is_in() {
    let (_folder, store) = store().await;
    let devices = vec![(device(1).id, 0), (device(2).id, 1)];
    let campaign = NewCampaign { release: release_id(5), selector: "model:welcome-cam".into(), devices };
    let id = store.add_campaign(campaign, "olga", NOW).await.unwrap();
    let start = CampaignChange { campaign: id, from: "draft".into(), to: "running".into(), reason: None };
    assert!(store.offers(&device(1).id).await.unwrap().is_empty());
    store.change_campaign(start.clone(), "olga", NOW).await.unwrap();
    assert!(matches!(store.change_campaign(start, "olga", NOW).await, Err(Error::Conflict(_))));
    let offers = store.offers(&device(1).id).await.unwrap();
    assert_eq!((offers.len(), offers[0].part.wave, offers[0].campaign.canaries), (1, 0, 1));
    assert!(!store.canaries_passed(id).await.unwrap());
    let action = offers[0].part.id;
    let attested = DeviceChange { action, from: "waiting".into(), to: "attested".into(), reason: None };
    store.change_part(attested, "server", NOW).await.unwrap();
    assert!(store.canaries_passed(id).await.unwrap());
    assert!(store.offers(&device(1).id).await.unwrap().is_empty());
    let states: Vec<_> =
        store.campaign_devices(id).await.unwrap().into_iter().map(|part| part.state).collect();
    assert_eq!(states, ["attested", "waiting"]);
}

#[tokio::test]
async fn canaries_that_cannot_process_the_release_prove_nothing() {
    let (_folder, store) = store().await;
    let devices = vec![(device(1).id, 0), (device(2).id, 0), (device(3).id, 1)];
    let campaign = NewCampaign { release: release_id(5), selector: "model:welcome-cam".into(), devices };
    let id = store.add_campaign(campaign, "olga", NOW).await.unwrap();
    let start = CampaignChange { campaign: id, from: "draft".into(), to: "running".into(), reason: None };
    store.change_campaign(start, "olga", NOW).await.unwrap();
    for (number, to, passed) in [(1, "unsupported", false), (2, "unsupported", false), (2, "attested", true)]
    {
        let part = store.parts_to_begin(&device(number).id).await.unwrap().remove(0).part;
        let change = DeviceChange { action: part.id, from: part.state, to: to.into(), reason: None };
        store.change_part(change, "server", NOW).await.unwrap();
        assert_eq!(store.canaries_passed(id).await.unwrap(), passed, "{number} {to}");
        let campaign = store.campaign(id).await.unwrap().unwrap();
        let left = store.remainder(&campaign, "trusted", NOW).await.unwrap();
        let lacking = left.unsupported_canary.map(|part| part.device);
        let none_can = number == 2 && to == "unsupported";
        assert_eq!(lacking, none_can.then(|| device(1).id), "{number} {to}");
        assert_eq!(left.open, if number == 1 { 2 } else { 1 }, "{number} {to}");
    }
    assert!(store.offers(&device(1).id).await.unwrap().is_empty());
    assert_eq!(store.parts_to_begin(&device(1).id).await.unwrap().len(), 1);
    assert!(store.parts_to_begin(&device(2).id).await.unwrap().is_empty());
    let devices = vec![(device(3).id, 1)];
    let without = NewCampaign { release: release_id(5), selector: "model:welcome-cam".into(), devices };
    let without = store.add_campaign(without, "olga", NOW).await.unwrap();
    assert!(store.canaries_passed(without).await.unwrap());
}

fn suit_report(number: u8, object: u8, seconds: i64) -> NewReport {
    NewReport {
        device: device(number).id,
        object: vec![object; 32],
        release: release_id(5),
        action: Some(ActionId(3)),
        received_at: NOW.plus_seconds(seconds),
        bytes: vec![object],
        is_update: true,
        succeeded: true,
        reason: None,
        place: None,
        verdict: "holds".into(),
        faults: "[]".into(),
        has_capabilities: false,
        audit: None,
    }
}

#[tokio::test]
async fn report_is_stored_once_and_audited_when_it_is_news() {
    let (_folder, store) = store().await;
    let id = device(1).id;
    let failed = NewReport {
        succeeded: false,
        reason: Some("condition-failed".into()),
        place: Some(r#"{"offset":4}"#.into()),
        audit: Some("report.failure"),
        ..suit_report(1, 1, 0)
    };
    let (first, new) = store.record_report(failed.clone()).await.unwrap();
    assert!(new);
    let later = NewReport { received_at: NOW.plus_seconds(9), ..failed.clone() };
    assert_eq!(store.record_report(later.clone()).await.unwrap(), (first, false));
    let stored = store.report_of(&id, first).await.unwrap().unwrap();
    assert_eq!((stored.first_at, stored.last_at, stored.times), (NOW, NOW.plus_seconds(9), 2));
    assert_eq!((stored.bytes.as_slice(), stored.action), (&[1][..], Some(ActionId(3))));
    assert!(store.report_of(&device(2).id, first).await.unwrap().is_none(), "it is nobody else's");
    let audit = store.audit_about(&format!("device:{id}"), 10).await.unwrap();
    assert_eq!(audit.len(), 1);
    assert!(audit[0].record.contains(r#""action":"report.failure""#), "{}", audit[0].record);
    // What was unknown can turn out to be wrong.
    let wrong = NewReport { verdict: "contradicts".into(), audit: Some("report.contradict"), ..later };
    store.record_report(wrong).await.unwrap();
    assert_eq!(store.audit_about(&format!("device:{id}"), 10).await.unwrap().len(), 2);
    // The same bytes of another device are another report.
    assert!(store.record_report(suit_report(2, 1, 0)).await.unwrap().1);
}

#[tokio::test]
async fn reports_are_bounded_and_the_capability_report_stays() {
    let (_folder, store) = store().await;
    let id = device(1).id;
    let able = NewReport { has_capabilities: true, is_update: false, ..suit_report(1, 255, 0) };
    let (able_id, _) = store.record_report(able.clone()).await.unwrap();
    for number in 0..=MAX_REPORTS {
        let (object, seconds) = (u8::try_from(number).unwrap(), 1 + i64::from(number));
        store.record_report(suit_report(1, object, seconds)).await.unwrap();
    }
    let kept = store.reports_of(&id, 1000).await.unwrap();
    assert_eq!(kept.len(), MAX_REPORTS as usize + 1, "the newest, and what says what it can");
    assert_eq!(kept[0].object, [64; 32]);
    assert!(kept.iter().all(|report| report.object != [0; 32]));
    assert_eq!(store.capability_report(&id).await.unwrap().unwrap().id, able_id);
    // A device that went back to what it was says the same as then, and then it counts.
    let other = NewReport { object: vec![254; 32], received_at: NOW.plus_seconds(100), ..able.clone() };
    let (other_id, _) = store.record_report(other).await.unwrap();
    assert_eq!(store.capability_report(&id).await.unwrap().unwrap().id, other_id);
    assert!(
        store.report_of(&id, able_id).await.unwrap().is_none(),
        "too old, and it says nothing that counts"
    );
    store.record_report(NewReport { received_at: NOW.plus_seconds(101), ..able }).await.unwrap();
    assert_eq!(store.capability_report(&id).await.unwrap().unwrap().object, [255; 32]);
    assert!(store.capability_report(&device(2).id).await.unwrap().is_none());
}

#[tokio::test]
async fn newest_report_of_each_device_is_counted() {
    let (_folder, store) = store().await;
    let failed = |number, object, seconds| NewReport {
        succeeded: false,
        reason: Some("condition-failed".into()),
        place: Some(r#"{"offset":4}"#.into()),
        ..suit_report(number, object, seconds)
    };
    for report in [
        failed(1, 1, 0),
        suit_report(1, 2, 1),
        failed(2, 3, 0),
        failed(3, 4, 0),
        NewReport { verdict: "contradicts".into(), ..suit_report(4, 5, 0) },
        NewReport { is_update: false, ..suit_report(5, 6, 0) },
        NewReport { release: release_id(6), ..suit_report(6, 7, 0) },
    ] {
        store.record_report(report).await.unwrap();
    }
    let groups = store.report_groups(&release_id(5)).await.unwrap();
    let rows: Vec<_> = groups.iter().map(|one| (one.devices, one.succeeded, one.verdict.as_str())).collect();
    assert_eq!(rows, [(2, false, "holds"), (1, true, "contradicts"), (1, true, "holds")]);
    assert_eq!(groups[0].reason.as_deref(), Some("condition-failed"));
    assert_eq!(groups[0].place.as_deref(), Some(r#"{"offset":4}"#));
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
        sport: 40000,
        dport: 6667,
        direction: "from-device".into(),
        group: 10,
        name: None,
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
async fn verification_names_the_altered_or_missing_record() {
    for (alteration, broken, what) in [
        (
            "UPDATE audit SET record = replace(record, 'test.write', 'test.other') WHERE sequence = 2",
            2,
            "the hash does not match",
        ),
        ("UPDATE audit SET actor = 'mallory' WHERE sequence = 3", 3, "the columns differ from the record"),
        ("UPDATE audit SET hash = zeroblob(32) WHERE sequence = 1", 1, "the hash does not match"),
        ("DELETE FROM audit WHERE sequence = 2", 2, "a record is missing"),
        ("DELETE FROM audit WHERE sequence = 4", 4, "records are missing"),
    ] {
        let (_folder, store) = store().await;
        for subject in ["a", "b", "c", "d"] {
            store.audit(entry(subject)).await.unwrap();
        }
        assert!(store.verify_audit().await.unwrap().is_ok());
        store
            .writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query(alteration).execute(&mut transaction.connection).await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
        let found = store.verify_audit().await.unwrap();
        assert_eq!(found, Err(AuditBreak { sequence: broken, what }), "{alteration}");
    }
}

#[tokio::test]
async fn database_of_the_version_before_is_brought_to_the_present_one() {
    let (folder, store) = store().await;
    store.enrol(vec![device(1)], "test", NOW).await.unwrap();
    store
        .writer
        .write(|transaction| {
            Box::pin(async move {
                for statement in [
                    "DROP TABLE capabilities",
                    "DROP TABLE reports",
                    "DROP TABLE endorsements",
                    "ALTER TABLE results DROP COLUMN media_type",
                    "PRAGMA user_version = 3",
                ] {
                    sqlx::query(statement).execute(&mut transaction.connection).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
    store.close().await;
    let store = Store::open(&folder.path().join("sextant.sqlite")).await.unwrap();
    assert!(store.device(&device(1).id).await.unwrap().is_some());
    assert!(store.record_report(suit_report(1, 1, 0)).await.unwrap().1);
    assert_eq!(store.verify_audit().await.unwrap().unwrap().sequence, 1);
}

#[tokio::test]
async fn refuses_database_of_a_newer_program() {
    let (folder, store) = store().await;
    store
        .writer
        .write(|transaction| {
            Box::pin(async move {
                sqlx::query("PRAGMA user_version = 99").execute(&mut transaction.connection).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    store.close().await;
    let refused = Store::open(&folder.path().join("sextant.sqlite")).await;
    assert!(matches!(refused, Err(Error::TooNew { found: 99, known: 5 })));
}

#[test]
fn ids_read_what_they_write_and_nothing_else() {
    let device = DeviceId::new(&[0xab; 17]).unwrap();
    assert_eq!(device.to_string().parse(), Ok(device));
    let session = SessionId([0x5a; 16]);
    assert_eq!(session.to_string().parse(), Ok(session));
    assert_eq!(release_id(7).to_string().parse(), Ok(release_id(7)));
    for text in ["", "0", "zz", "ab", &"ab".repeat(34), "é0é0é0é0é0é0é0"] {
        assert_eq!(text.parse::<DeviceId>(), Err(NotAnId), "{text}");
        assert_eq!(text.parse::<ReleaseId>(), Err(NotAnId), "{text}");
        assert_eq!(text.parse::<SessionId>(), Err(NotAnId), "{text}");
    }
    assert_eq!("5a".repeat(16).parse::<SessionId>(), Err(NotAnId));
}

/// The body of the process that [`acknowledged_writes_survive_kill_9`] kills; does nothing in an ordinary run.
#[test]
fn writes_until_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(Path::new(&path)).await.unwrap();
        store.enrol(vec![device(1)], "test", NOW).await.unwrap();
        let id = device(1).id;
        let mut number = 0u64;
        loop {
            number += 1;
            let mut session = [0; 16];
            session[..8].copy_from_slice(&number.to_be_bytes());
            let result = NewResult { session: Some(SessionId(session)), ..result(1, &id) };
            store.record_result(result, Some(decision(&id, "trusted", 300))).await.unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "acknowledged {number}").unwrap();
            out.flush().unwrap();
        }
    });
}

#[tokio::test]
async fn acknowledged_writes_survive_kill_9() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("sextant.sqlite");
    let mut highest = 0u64;
    for round in 1..=3 {
        if round > 1 {
            std::fs::remove_file(&path).unwrap();
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::writes_until_killed", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = lines.map_while(Result::ok).filter_map(|line| {
            line.split_once("acknowledged ").and_then(|(_, number)| number.parse::<u64>().ok())
        });
        for number in acknowledged {
            highest = number;
            if number == 40 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(highest >= 40 * round);
        let store = Store::open(&path).await.unwrap();
        for number in [1, highest / 2, highest] {
            let mut session = [0; 16];
            session[..8].copy_from_slice(&number.to_be_bytes());
            assert!(
                store.result_of_session(SessionId(session)).await.unwrap().is_some(),
                "{number} of {highest}"
            );
        }
        let results = store.results_about(&device(1).id, 10_000).await.unwrap().len();
        let decisions = store.decisions_about(&device(1).id, 10_000).await.unwrap().len();
        assert_eq!(results, decisions);
        let head = store.verify_audit().await.unwrap().unwrap();
        assert_eq!(head.sequence, 1 + 2 * results as i64);
        store.close().await;
    }
}
