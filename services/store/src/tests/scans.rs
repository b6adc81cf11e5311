//! Signed statements on scans.

use super::*;

#[tokio::test]
async fn statement_is_stored_once_as_it_came_and_audited_under_its_release() {
    let (_folder, store) = store().await;
    let release = ReleaseId::from_bytes(&[7; 32]).unwrap();
    let new =
        |bytes: &[u8]| NewScan { bytes: bytes.to_vec(), release, findings: 2, at: NOW, actor: "olga".into() };
    store.add_scan(new(b"one")).await.unwrap();
    store.add_scan(new(b"two")).await.unwrap();
    let again = store.add_scan(new(b"one")).await;
    assert!(matches!(again, Err(Error::Conflict("the statement"))), "{again:?}");

    let id = ScanId::of(b"one");
    let found = store.scan(id).await.unwrap().unwrap();
    assert_eq!(
        (found.id, found.bytes.as_slice(), found.received_by.as_str()),
        (id, b"one".as_slice(), "olga")
    );
    assert_eq!(store.scan(ScanId::of(b"three")).await.unwrap(), None);
    assert_eq!(store.scans().await.unwrap().len(), 2);

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
