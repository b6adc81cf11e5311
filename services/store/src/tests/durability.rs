//! What is on the disk: the audit chain, databases of other versions, ids, and writes that a kill does not undo.

use super::{reports::suit_report, *};

#[tokio::test]
async fn verification_names_the_altered_or_missing_record() {
    for (alteration, broken, what) in [
        (
            "UPDATE audit SET record = replace(record, 'test.write', 'test.other') WHERE sequence = 2",
            2,
            "the hash does not match",
        ),
        ("UPDATE audit SET actor = 'mallory' WHERE sequence = 3", 3, "the columns differ from the record"),
        ("UPDATE audit SET hash = zeroblob(32) WHERE sequence = 1", 1, "the hash does not match"),
        ("DELETE FROM audit WHERE sequence = 2", 2, "a record is missing"),
        ("DELETE FROM audit WHERE sequence = 4", 4, "records are missing"),
    ] {
        let (_folder, store) = store().await;
        for subject in ["a", "b", "c", "d"] {
            store.audit(entry(subject)).await.unwrap();
        }
        assert!(store.verify_audit().await.unwrap().is_ok());
        store
            .writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query(alteration).execute(&mut transaction.connection).await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
        let found = store.verify_audit().await.unwrap();
        assert_eq!(found, Err(AuditBreak { sequence: broken, what }), "{alteration}");
    }
}

#[tokio::test]
async fn database_of_the_version_before_is_brought_to_the_present_one() {
    let (folder, store) = store().await;
    store.enrol(vec![device(1)], "test", NOW).await.unwrap();
    store
        .writer
        .write(|transaction| {
            Box::pin(async move {
                for statement in [
                    "DROP INDEX results_again",
                    "DROP INDEX results_foreign",
                    "ALTER TABLE results DROP COLUMN again_for",
                    "DROP TABLE capabilities",
                    "DROP TABLE reports",
                    "DROP TABLE endorsements",
                    "DROP TABLE advisories",
                    "DROP TABLE denied",
                    "DROP TABLE rules",
                    "DROP INDEX devices_by_release",
                    "ALTER TABLE results DROP COLUMN policy",
                    "ALTER TABLE results DROP COLUMN seal",
                    "DROP TABLE scans",
                    "DROP TABLE vouchers",
                    "ALTER TABLE violations DROP COLUMN tls",
                    "DROP TABLE alarms",
                    "DROP TABLE device_flows",
                    "DROP TABLE flow_uses",
                    "DROP TABLE dns_uses",
                    "ALTER TABLE gateways DROP COLUMN status",
                    "DROP INDEX violations_by_imitated",
                    "DROP INDEX violations_by_mac",
                    "ALTER TABLE violations DROP COLUMN class",
                    "ALTER TABLE violations DROP COLUMN imitated",
                    "DROP TABLE network_models",
                    "DROP TABLE network_devices",
                    "DROP TABLE mud_checks",
                    "DROP TABLE made_devices",
                    "DROP TABLE redirects",
                    "DROP TABLE onboardings",
                    "DROP TABLE onboarding_events",
                    "DROP TABLE onboarding_templates",
                    "ALTER TABLE results DROP COLUMN media_type",
                    "PRAGMA user_version = 3",
                ] {
                    sqlx::query(statement).execute(&mut transaction.connection).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
    store.close().await;
    let store = Store::open(&folder.path().join("sextant.sqlite")).await.unwrap();
    assert!(store.device(&device(1).id).await.unwrap().is_some());
    assert!(store.record_report(suit_report(1, 1, 0)).await.unwrap().1);
    assert_eq!(store.verify_audit().await.unwrap().unwrap().sequence, 1);
}

#[tokio::test]
async fn refuses_database_of_a_newer_program() {
    let (folder, store) = store().await;
    store
        .writer
        .write(|transaction| {
            Box::pin(async move {
                sqlx::query("PRAGMA user_version = 99").execute(&mut transaction.connection).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    store.close().await;
    let refused = Store::open(&folder.path().join("sextant.sqlite")).await;
    assert!(matches!(refused, Err(Error::TooNew { found: 99, known: 19 })));
}

#[test]
fn ids_read_what_they_write_and_nothing_else() {
    let device = DeviceId::new(&[0xab; 17]).unwrap();
    assert_eq!(device.to_string().parse(), Ok(device));
    let session = SessionId([0x5a; 16]);
    assert_eq!(session.to_string().parse(), Ok(session));
    assert_eq!(release_id(7).to_string().parse(), Ok(release_id(7)));
    for text in ["", "0", "zz", "ab", &"ab".repeat(34), "é0é0é0é0é0é0é0"] {
        assert_eq!(text.parse::<DeviceId>(), Err(NotAnId), "{text}");
        assert_eq!(text.parse::<ReleaseId>(), Err(NotAnId), "{text}");
        assert_eq!(text.parse::<SessionId>(), Err(NotAnId), "{text}");
    }
    assert_eq!("5a".repeat(16).parse::<SessionId>(), Err(NotAnId));
}

/// The body of the process that [`acknowledged_writes_survive_kill_9`] kills; does nothing in an ordinary run.
#[test]
fn writes_until_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(Path::new(&path)).await.unwrap();
        store.enrol(vec![device(1)], "test", NOW).await.unwrap();
        let id = device(1).id;
        let mut number = 0u64;
        loop {
            number += 1;
            let mut session = [0; 16];
            session[..8].copy_from_slice(&number.to_be_bytes());
            let result = NewResult { session: Some(SessionId(session)), ..result(1, &id) };
            store.record_result(result, Some(decision(&id, "trusted", 300))).await.unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "acknowledged {number}").unwrap();
            out.flush().unwrap();
        }
    });
}

#[tokio::test]
async fn acknowledged_writes_survive_kill_9() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("sextant.sqlite");
    let mut highest = 0u64;
    for round in 1..=3 {
        if round > 1 {
            std::fs::remove_file(&path).unwrap();
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::durability::writes_until_killed", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = lines.map_while(Result::ok).filter_map(|line| {
            line.split_once("acknowledged ").and_then(|(_, number)| number.parse::<u64>().ok())
        });
        for number in acknowledged {
            highest = number;
            if number == 40 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(highest >= 40 * round);
        let store = Store::open(&path).await.unwrap();
        for number in [1, highest / 2, highest] {
            let mut session = [0; 16];
            session[..8].copy_from_slice(&number.to_be_bytes());
            assert!(
                store.result_of_session(SessionId(session)).await.unwrap().is_some(),
                "{number} of {highest}"
            );
        }
        let results = store.results_about(&device(1).id, 10_000).await.unwrap().len();
        let decisions = store.decisions_about(&device(1).id, 10_000).await.unwrap().len();
        assert_eq!(results, decisions);
        let head = store.verify_audit().await.unwrap().unwrap();
        assert_eq!(head.sequence, 1 + 2 * results as i64);
        store.close().await;
    }
}
