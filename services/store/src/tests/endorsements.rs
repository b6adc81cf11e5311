//! Manifests of reference values.

use super::*;

#[tokio::test]
async fn manifest_is_stored_once_and_revoked_once_and_both_are_audited() {
    let (_folder, store) = store().await;
    let new = |bytes: &[u8]| NewObject { bytes: bytes.to_vec(), at: NOW, actor: "olga".into(), about: None };
    store.add_object::<EndorsementId>(new(b"one")).await.unwrap();
    store.add_object::<EndorsementId>(new(b"two")).await.unwrap();
    let again = store.add_object::<EndorsementId>(new(b"one")).await;
    assert!(matches!(again, Err(Error::Conflict("the manifest"))), "{again:?}");

    let id = EndorsementId::of(b"one");
    let found = store.object(id).await.unwrap().unwrap();
    assert_eq!((found.id, found.bytes.as_slice(), found.revoked_at), (id, b"one".as_slice(), None));
    assert_eq!(store.object(EndorsementId::of(b"three")).await.unwrap(), None);

    let later = NOW.plus_seconds(5);
    store.revoke_object(id, "nadia", later).await.unwrap();
    let twice = store.revoke_object(id, "nadia", later).await;
    assert!(matches!(twice, Err(Error::Conflict("the manifest"))), "{twice:?}");
    // What was revoked does not come back by being brought again.
    assert!(store.add_object::<EndorsementId>(new(b"one")).await.is_err());
    let all = store.objects::<EndorsementId>().await.unwrap();
    let told: Vec<_> = all.iter().map(|one| (one.id, one.revoked_at, one.revoked_by.as_deref())).collect();
    assert_eq!(told.len(), 2);
    assert!(
        told.contains(&(id, Some(later), Some("nadia")))
            && told.contains(&(EndorsementId::of(b"two"), None, None))
    );

    let records = store.audit_after(0, 10).await.unwrap();
    let records: Vec<serde_json::Value> =
        records.iter().map(|record| serde_json::from_str(&record.record).unwrap()).collect();
    let of =
        |bytes: &[u8], action: &str| json!([action, format!("endorsement:{}", EndorsementId::of(bytes))]);
    let told: Vec<_> = records.iter().map(|record| json!([record["action"], record["subject"]])).collect();
    assert_eq!(
        told,
        [of(b"one", "endorsement.add"), of(b"two", "endorsement.add"), of(b"one", "endorsement.revoke")]
    );
}
