//! Cuts that gateways withhold.

use super::*;

#[tokio::test]
async fn a_withheld_cut_is_one_alarm_until_it_ends_and_somebody_saw_it() {
    let (_folder, store) = store().await;
    let withheld = |byte| Withheld {
        device: device(byte).id,
        model: "https://m.example/c".into(),
        most: 5,
        raised: NOW,
    };
    let report = |list: &[u8]| GatewayReport {
        withheld: list.iter().copied().map(withheld).collect(),
        ..GatewayReport::default()
    };
    let told = async |gateway: &str, list: &[u8]| {
        store.report(gateway, report(list), NOW.plus_seconds(60)).await.unwrap()
    };
    assert_eq!(told("gw-1", &[1, 2]).await, [device(1).id, device(2).id]);
    assert_eq!(told("gw-1", &[1, 2]).await, [], "each is told once");
    assert_eq!(told("gw-2", &[1]).await, [device(1).id]);
    assert_eq!(store.spared(None).await.unwrap().len(), 2);

    // One gateway withholds it no more, the other one still does.
    assert_eq!(told("gw-1", &[2]).await, [device(1).id]);
    assert_eq!(store.spared(Some(&device(1).id)).await.unwrap(), [device(1).id]);
    assert_eq!(told("gw-2", &[]).await, [device(1).id]);
    assert_eq!(store.spared(Some(&device(1).id)).await.unwrap(), []);

    let open = store.alarms(false, 10).await.unwrap();
    assert_eq!(open.len(), 3, "what ended stays until somebody saw it");
    assert_eq!(open.iter().filter(|alarm| alarm.ended.is_some()).count(), 2);
    let records = store.audit_after(0, 100).await.unwrap().len();
    store.acknowledge(open[0].id, "olga", NOW).await.unwrap();
    assert!(matches!(store.acknowledge(open[0].id, "olga", NOW).await, Err(Error::Absent("alarm"))));
    assert!(matches!(store.acknowledge(99, "olga", NOW).await, Err(Error::Absent("alarm"))));
    assert_eq!(store.audit_after(0, 100).await.unwrap().len(), records + 1);
    assert_eq!(
        (store.alarms(false, 10).await.unwrap().len(), store.alarms(true, 2).await.unwrap().len()),
        (2, 2)
    );
    assert_eq!(store.spared(None).await.unwrap(), [device(2).id], "and what is withheld is so all the same");
}
