//! What devices report of updates.

use super::*;

pub(super) fn suit_report(number: u8, object: u8, seconds: i64) -> NewReport {
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
