//! Blocks and quarantines, and the step from the database that knew only blocks.

use sqlx::{Connection, SqliteConnection};

use super::*;

fn hold(restriction: &str, until: Option<i64>) -> Hold {
    Hold {
        restriction: restriction.into(),
        person: "Nadia".into(),
        why: "odd".into(),
        at: NOW,
        until: until.map(|seconds| NOW.plus_seconds(seconds)),
    }
}

#[tokio::test]
async fn a_hold_replaces_another_and_is_told_to_gateways_and_in_the_chain() {
    let (_folder, store) = store().await;
    store.enrol(vec![device(1), device(2)], "test", NOW).await.unwrap();
    let id = device(1).id;
    let revision = *store.revision().borrow();
    store.hold(&id, hold("update-only", Some(60)), "Nadia", NOW).await.unwrap();
    assert_eq!(*store.revision().borrow(), revision + 1);
    let listed = store.gateway_devices().await.unwrap();
    assert_eq!(listed[0].hold, Some(hold("update-only", Some(60))));
    assert_eq!(listed[1].hold, None);

    let held = async |word: &str, after: i64| {
        let held = Some((word.to_owned(), NOW.plus_seconds(after)));
        store.devices(&DeviceFilter { held, limit: 10, ..DeviceFilter::default() }).await.unwrap().len()
    };
    assert_eq!(
        (held("update-only", 59).await, held("update-only", 60).await, held("blocked", 0).await),
        (1, 0, 0)
    );
    store.hold(&id, hold("blocked", None), "Nadia", NOW).await.unwrap();
    assert_eq!((held("update-only", 0).await, held("blocked", 1_000_000).await), (0, 1));
    store.end_hold(&id, "blocked", "Nadia", NOW).await.unwrap();
    assert_eq!(store.device(&id).await.unwrap().unwrap().hold, None);

    let records = store.audit_about(&format!("device:{id}"), 10).await.unwrap();
    let restrictions: Vec<String> = records
        .iter()
        .filter_map(|record| {
            let body: serde_json::Value = serde_json::from_str(&record.record).unwrap();
            let word = body["detail"]["restriction"].as_str()?;
            Some(format!("{} {word}", body["action"].as_str()?))
        })
        .collect();
    assert_eq!(restrictions, ["device.release blocked", "device.hold blocked", "device.hold update-only"]);
    let absent = store.hold(&device(3).id, hold("blocked", None), "Nadia", NOW).await;
    assert!(matches!(absent, Err(Error::Absent("device"))));
}

#[tokio::test]
async fn a_hold_of_the_first_database_is_a_block() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("sextant.sqlite");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut first = SqliteConnection::connect(&url).await.unwrap();
    let held = "INSERT INTO devices (id, name, model, fleet_group, key, thumbprint, enrolled_at, posture, access,
         violating, reasons, held_by, held_why, held_at) VALUES (x'01020304050607', 'cam', 'm', '', x'a0', x'00', 1, 'unknown',
         'blocked', 0, '[]', 'Nadia', 'odd', 1)";
    for text in [include_str!("../../migrations/0001_initial.sql"), held, "PRAGMA user_version = 1"] {
        sqlx::raw_sql(text).execute(&mut first).await.unwrap();
    }
    first.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    let hold = store.device_named("cam").await.unwrap().unwrap().hold.unwrap();
    assert_eq!((hold.restriction.as_str(), hold.person.as_str(), hold.until), ("blocked", "Nadia", None));
}
