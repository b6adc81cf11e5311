//! Ownership vouchers.

use super::*;

#[tokio::test]
async fn voucher_is_stored_once_until_it_is_removed_and_all_of_it_is_audited() {
    let (_folder, store) = store().await;
    let about = || (format!("voucher:{}", "44".repeat(16)), json!({ "object": "one" }));
    let new = || NewObject { bytes: b"one".to_vec(), at: NOW, actor: "olga".into(), about: Some(about()) };
    store.add_object::<VoucherId>(new()).await.unwrap();
    assert!(matches!(store.add_object::<VoucherId>(new()).await, Err(Error::Conflict("the voucher"))));
    let id = VoucherId::of(b"one");
    assert_eq!(store.object(id).await.unwrap().unwrap().bytes, b"one");

    // It is taken away, not revoked: it may come again.
    assert!(matches!(store.revoke_object(id, "nadia", NOW).await, Err(Error::Conflict("the voucher"))));
    store.remove_object(id, about(), "nadia", NOW).await.unwrap();
    assert_eq!(store.object(id).await.unwrap(), None);
    let twice = store.remove_object(id, about(), "nadia", NOW).await;
    assert!(matches!(twice, Err(Error::Conflict("the voucher"))), "{twice:?}");
    store.add_object::<VoucherId>(new()).await.unwrap();
    assert_eq!(store.objects::<VoucherId>().await.unwrap().len(), 1);

    // Nobody removes what is revoked.
    let manifest = NewObject { about: None, ..new() };
    store.add_object::<EndorsementId>(manifest).await.unwrap();
    let kept = store.remove_object(EndorsementId::of(b"one"), about(), "nadia", NOW).await;
    assert!(matches!(kept, Err(Error::Conflict("the manifest"))), "{kept:?}");

    let records = store.audit_after(0, 10).await.unwrap();
    let told: Vec<_> = records
        .iter()
        .map(|record| serde_json::from_str::<serde_json::Value>(&record.record).unwrap())
        .map(|record| {
            (record["action"].as_str().unwrap().to_owned(), record["actor"].as_str().unwrap().to_owned())
        })
        .collect();
    let expected = [
        ("voucher.add", "olga"),
        ("voucher.remove", "nadia"),
        ("voucher.add", "olga"),
        ("endorsement.add", "olga"),
    ];
    assert_eq!(told, expected.map(|(action, actor)| (action.to_owned(), actor.to_owned())));
}
