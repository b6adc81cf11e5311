//! Signed statements on scans.

use super::*;

#[tokio::test]
async fn statement_is_stored_once_as_it_came_and_audited_under_its_release() {
    let (_folder, store) = store().await;
    let release = ReleaseId::from_bytes(&[7; 32]).unwrap();
    let new = |bytes: &[u8]| {
        let detail = json!({ "scan": ScanId::of(bytes).to_string(), "findings": 2 });
        let about = Some((format!("release:{release}"), detail));
        NewObject { bytes: bytes.to_vec(), at: NOW, actor: "olga".into(), about }
    };
    store.add_object::<ScanId>(new(b"one")).await.unwrap();
    store.add_object::<ScanId>(new(b"two")).await.unwrap();
    let again = store.add_object::<ScanId>(new(b"one")).await;
    assert!(matches!(again, Err(Error::Conflict("the statement"))), "{again:?}");

    let id = ScanId::of(b"one");
    let found = store.object(id).await.unwrap().unwrap();
    assert_eq!(
        (found.id, found.bytes.as_slice(), found.received_by.as_str()),
        (id, b"one".as_slice(), "olga")
    );
    assert_eq!(store.object(ScanId::of(b"three")).await.unwrap(), None);
    assert_eq!(store.objects::<ScanId>().await.unwrap().len(), 2);
    // Statements end by their own time; nobody revokes one.
    assert!(matches!(store.revoke_object(id, "nadia", NOW).await, Err(Error::Conflict("the statement"))));

    let records = store.audit_after(0, 10).await.unwrap();
    let record: serde_json::Value = serde_json::from_str(&records[0].record).unwrap();
    assert_eq!(
        (&record["action"], &record["subject"], &record["detail"]),
        (
            &json!("scan.add"),
            &json!(format!("release:{release}")),
            &json!({ "scan": id.to_string(), "findings": 2 })
        )
    );
    assert_eq!(records.len(), 2);
}
