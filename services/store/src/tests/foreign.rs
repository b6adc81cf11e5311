//! Results about devices that are not enrolled.

use super::*;

fn new(session: u8, expires: i64, tier: &str) -> NewResult {
    NewResult {
        media_type: Some("application/eat+cwt".into()),
        expires,
        tier: tier.into(),
        authentic: false,
        ..result(session, &device(9).id)
    }
}

fn tiers(found: &[ForeignResult]) -> Vec<(&str, bool)> {
    found.iter().map(|one| (one.record.tier.as_str(), one.again)).collect()
}

#[tokio::test]
async fn newest_result_stands_for_its_session_until_that_ends() {
    let (_folder, store) = store().await;
    let mut changes = store.changes();
    let sessions = [SessionId([1; 16]), SessionId([2; 16])];
    for (session, expires) in [(1, 100), (2, 200)] {
        store.record_result(new(session, expires, "none"), None).await.unwrap();
    }
    // One of the product's own is none of them.
    let own = NewResult { media_type: None, ..new(3, 300, "none") };
    store.record_result(own, None).await.unwrap();
    let at = |seconds| ForeignResult::after(Timestamp::from_seconds(seconds));
    let open = store.foreign_results_to_judge(at(99), 10).await.unwrap();
    assert_eq!(open.iter().map(|one| one.session).collect::<Vec<_>>(), sessions);
    assert_eq!(store.foreign_results_to_judge(at(100), 10).await.unwrap().len(), 1);
    assert_eq!(store.foreign_results_to_judge(at(200), 10).await.unwrap().len(), 0);
    assert_eq!(store.foreign_results_to_judge(open[0].place(), 10).await.unwrap(), open[1..]);

    let again = NewResult { session: None, ..new(4, 100, "affirming") };
    assert!(store.judge_foreign_again(&open[0], again.clone()).await.unwrap().is_some());
    // Whoever judged what is no longer the newest comes too late.
    assert_eq!(store.judge_foreign_again(&open[0], again).await.unwrap(), None);
    let now = store.foreign_results_to_judge(at(99), 10).await.unwrap();
    assert_eq!(tiers(&now), [("affirming", true), ("none", false)]);
    assert_eq!(now[0].session, sessions[0]);
    let answer = store.result_of_session(sessions[0]).await.unwrap().unwrap();
    assert_eq!((answer.id, answer.tier.as_str()), (now[0].record.id, "affirming"));
    let third = NewResult { session: None, ..new(5, 100, "warning") };
    store.judge_foreign_again(&now[0], third).await.unwrap().unwrap();
    assert_eq!(store.result_of_session(sessions[0]).await.unwrap().unwrap().tier, "warning");

    let one = store.foreign_result(sessions[0]).await.unwrap().unwrap();
    assert_eq!((one.record.tier.as_str(), one.session, one.again), ("warning", sessions[0], true));
    for other in [SessionId([3; 16]), SessionId([9; 16])] {
        assert_eq!(store.foreign_result(other).await.unwrap(), None);
    }

    let listed = store.foreign_results(None, 10).await.unwrap();
    assert_eq!(tiers(&listed), [("none", false), ("warning", true)]);
    let rest = store.foreign_results(Some(listed[0].record.id), 10).await.unwrap();
    assert_eq!(rest, listed[1..]);
    assert_eq!(store.foreign_results(Some(ResultId(99)), 10).await.unwrap(), []);
    let mut told = Vec::new();
    while let Ok(change) = changes.try_recv() {
        told.push(change);
    }
    let of = |session: usize| Change::Foreign(sessions[session]);
    assert_eq!(told, [of(0), of(1), of(0), of(0)]);
    let records = store.audit_after(0, 10).await.unwrap();
    let again = records.iter().filter(|record| record.record.contains("evidence.reappraise"));
    assert_eq!(again.count(), 2);
}
