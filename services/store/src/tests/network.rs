//! What gateways tell of devices without attestation.

use super::*;
use crate::Told;

fn told(key: &str, told: &str, summary: &str) -> Told<String> {
    Told {
        key: key.into(),
        told: format!("{{\"t\":\"{told}\"}}"),
        summary: format!("{{\"s\":\"{summary}\"}}"),
    }
}

#[tokio::test]
async fn a_list_takes_the_place_of_the_one_before_and_what_matters_is_audited() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("sextant.sqlite")).await.unwrap();
    let report = |models: Option<Vec<Told<String>>>| GatewayReport { models, ..GatewayReport::default() };
    let length = async |store: &Store| store.verify_audit().await.unwrap().map_or(0, |head| head.sequence);
    store.report("gw-1", report(Some(vec![told("u1", "a", "x"), told("u2", "b", "x")])), NOW).await.unwrap();
    store.report("gw-2", report(Some(vec![told("u1", "c", "y")])), NOW).await.unwrap();
    // Both gateways are new, too.
    assert_eq!(length(&store).await, 5);
    // No list is no news; one that differs in what does not matter is stored and not audited.
    store.report("gw-1", report(None), NOW).await.unwrap();
    store.report("gw-1", report(Some(vec![told("u1", "d", "x"), told("u2", "b", "x")])), NOW).await.unwrap();
    assert_eq!(length(&store).await, 5);
    store.report("gw-1", report(Some(vec![told("u1", "e", "z")])), NOW).await.unwrap();
    assert_eq!(length(&store).await, 7, "one changed, one went");
    let found = store.network_models().await.unwrap();
    let expected = [("gw-1", r#"{"t":"e"}"#), ("gw-2", r#"{"t":"c"}"#)];
    let found: Vec<_> = found.iter().map(|(gateway, told)| (gateway.as_str(), told.as_str())).collect();
    assert_eq!(found, expected);
    store.close().await;
}

#[tokio::test]
async fn a_check_reaches_gateways_and_the_oldest_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("sextant.sqlite")).await.unwrap();
    let before = *store.revision().borrow();
    for index in 0..300 {
        store
            .check_mud(format!("https://a.example/{index:03}"), "nadia".into(), NOW.plus_seconds(index))
            .await
            .unwrap();
    }
    assert!(*store.revision().borrow() > before);
    let found = store.mud_checks(NOW).await.unwrap();
    assert_eq!((found.len(), found[0].0.as_str()), (256, "https://a.example/044"));
    assert_eq!(store.mud_checks(NOW.plus_seconds(299)).await.unwrap().len(), 1);
    store.close().await;
}
