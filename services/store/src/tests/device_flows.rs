//! What devices did.

use super::*;

#[tokio::test]
async fn flows_of_a_device_add_up_and_the_oldest_make_room() {
    let (_folder, store) = store().await;
    let flow = |port: u16, count: u64, at: i64| DeviceFlow {
        device: device(1).id,
        direction: "from-device".into(),
        protocol: "tcp".into(),
        remote: "203.0.113.9".into(),
        port,
        name: (at > 1).then(|| format!("name{at}.example")),
        flows: count,
        sent: (2 * count, 200 * count),
        received: (count, u64::MAX),
        first: NOW.plus_seconds(at),
        last: NOW.plus_seconds(at),
    };
    let report = |flows| GatewayReport { flows, ..GatewayReport::default() };
    store.report("a", report(vec![flow(443, 1, 2)]), NOW).await.unwrap();
    store.report("b", report(vec![flow(443, 2, 1), flow(80, 1, 3)]), NOW).await.unwrap();
    let stored = store.device_flows(&device(1).id).await.unwrap();
    let most = (1 << 53) - 1;
    let sum =
        DeviceFlow { first: NOW.plus_seconds(1), sent: (6, 600), received: (3, most), ..flow(443, 3, 2) };
    assert_eq!(stored, [DeviceFlow { received: (1, most), ..flow(80, 1, 3) }, sum]);

    let many = MAX_DEVICE_FLOWS as u16;
    let flows = (0..many).map(|port| flow(1000 + port, 1, 10 + i64::from(port))).collect();
    store.report("a", report(flows), NOW).await.unwrap();
    let stored = store.device_flows(&device(1).id).await.unwrap();
    assert_eq!(stored.len(), usize::from(many));
    assert!(stored.iter().all(|flow| flow.port >= 1000));
    assert!(store.device_flows(&device(2).id).await.unwrap().is_empty());
}
