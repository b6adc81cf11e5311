//! Flows that gateways counted.

use super::*;

#[tokio::test]
async fn counts_of_a_gateway_add_up_and_those_of_others_stand_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("sextant.sqlite")).await.unwrap();
    let (ours, other) = (release_id(1), release_id(2));
    let used = |release, ace: &str, flows, at| FlowUse {
        release,
        acl: "from".into(),
        ace: ace.into(),
        flows,
        at: NOW.plus_seconds(at),
    };
    let report = |used| GatewayReport { used, ..GatewayReport::default() };
    store.report("gw-1", report(vec![used(ours, "a", 2, 0), used(ours, "b", 1, 0)]), NOW).await.unwrap();
    store.report("gw-1", report(vec![used(ours, "a", 3, 60)]), NOW).await.unwrap();
    store.report("gw-2", report(vec![used(ours, "a", 5, 30), used(other, "a", 9, 0)]), NOW).await.unwrap();
    // No count makes the sum no number, and an old one does not turn back the clock.
    store.report("gw-2", report(vec![used(ours, "a", u64::MAX, 10)]), NOW).await.unwrap();
    let found = store.flow_uses(&ours).await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|counted| {
            let times = [counted.first, counted.last].map(|time| time.seconds() - NOW.seconds());
            (counted.gateway.as_str(), counted.ace.as_str(), counted.flows, times)
        })
        .collect();
    let most = (1 << 53) - 1;
    assert_eq!(shown, [("gw-1", "a", 5, [0, 60]), ("gw-2", "a", most, [30, 30]), ("gw-1", "b", 1, [0, 0])]);
    store.close().await;
}
