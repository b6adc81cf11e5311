//! What devices asked, and how gateways stand.

use super::*;

#[tokio::test]
async fn questions_add_up_by_gateway() {
    let (_folder, store) = store().await;
    let used = |count: u64, domain: Option<&str>, at: i64| DnsUse {
        device: device(1).id,
        counts: [count, 1, 2, 3, 4, 5],
        domain: domain.map(str::to_owned),
        last: NOW.plus_seconds(at),
    };
    let report = |dns| GatewayReport { dns, ..GatewayReport::default() };
    store.report("a", report(vec![used(10, Some("evil.example"), 1)]), NOW).await.unwrap();
    store.report("a", report(vec![used(7, None, 2)]), NOW).await.unwrap();
    store.report("b", report(vec![used(u64::MAX, None, 3)]), NOW).await.unwrap();
    let sum = DnsUse { counts: [17, 2, 4, 6, 8, 10], ..used(0, Some("evil.example"), 2) };
    let most = used((1 << 53) - 1, None, 3);
    assert_eq!(store.dns_uses(&device(1).id).await.unwrap(), [("a".into(), sum), ("b".into(), most)]);
    assert!(store.dns_uses(&device(2).id).await.unwrap().is_empty());
}

#[tokio::test]
async fn how_a_gateway_stands_is_kept_and_its_changes_are_audited() {
    let (_folder, store) = store().await;
    let report = |status: Option<&str>| {
        let status = status.map(|code| format!("[{{\"code\":\"{code}\"}}]"));
        GatewayReport { status, ..GatewayReport::default() }
    };
    let changes = async || {
        let records = store.audit_about("gateway:gw", 10).await.unwrap();
        records.iter().filter(|record| record.record.contains("gateway.stands")).count()
    };
    store.report("gw", report(None), NOW).await.unwrap();
    assert_eq!((store.gateways().await.unwrap()[0].status.as_str(), changes().await), ("[]", 0));
    for (code, count) in [("ports-isolated", 1), ("ports-isolated", 1), ("ports-not-isolated", 2)] {
        store.report("gw", report(Some(code)), NOW).await.unwrap();
        assert!(store.gateways().await.unwrap()[0].status.contains(code));
        assert_eq!(changes().await, count, "{code}");
    }
    store.report("gw", report(None), NOW).await.unwrap();
    assert!(store.gateways().await.unwrap()[0].status.contains("ports-not-isolated"));
}
