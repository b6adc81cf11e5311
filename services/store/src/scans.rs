use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AuditEntry, Error, ReleaseId, ScanId, Store, Timestamp};

/// A signed statement on a scan of a release, to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewScan {
    /// The statement as received.
    pub bytes: Vec<u8>,
    /// The release it is about.
    pub release: ReleaseId,
    /// How many things were found.
    pub findings: u64,
    /// When it came.
    pub at: Timestamp,
    /// Who brought it.
    pub actor: String,
}

/// A stored statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRecord {
    /// Its id. The bytes may have been changed since it was given.
    pub id: ScanId,
    /// The statement as received.
    pub bytes: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
    /// Who brought it.
    pub received_by: String,
}

impl Store {
    /// Remembers a statement; one that is there already is a conflict.
    pub async fn add_scan(&self, new: NewScan) -> Result<(), Error> {
        let id = ScanId::of(&new.bytes);
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO scans (digest, bytes, received_at, received_by) VALUES ($1, $2, $3, $4)",
                    )
                    .bind(id.as_bytes().to_vec())
                    .bind(new.bytes)
                    .bind(new.at.micros())
                    .bind(new.actor.clone())
                    .execute(&mut transaction.connection)
                    .await
                    .map_err(|error| match Error::from(error) {
                        Error::Conflict(_) => Error::Conflict("the statement"),
                        other => other,
                    })?;
                    transaction.audit(AuditEntry {
                        at: new.at,
                        actor: new.actor,
                        action: "scan.add",
                        subject: format!("release:{}", new.release),
                        detail: json!({ "scan": id.to_string(), "findings": new.findings }),
                    });
                    Ok(())
                })
            })
            .await
    }

    /// Every statement, the first that came first.
    pub async fn scans(&self) -> Result<Vec<ScanRecord>, Error> {
        let rows =
            sqlx::query("SELECT * FROM scans ORDER BY received_at, digest").fetch_all(&self.readers).await?;
        rows.iter().map(record).collect()
    }

    /// One statement.
    pub async fn scan(&self, id: ScanId) -> Result<Option<ScanRecord>, Error> {
        let row = sqlx::query("SELECT * FROM scans WHERE digest = $1")
            .bind(id.as_bytes().to_vec())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(record).transpose()
    }
}

fn record(row: &SqliteRow) -> Result<ScanRecord, Error> {
    let id: Vec<u8> = row.try_get("digest")?;
    Ok(ScanRecord {
        id: ScanId::from_bytes(&id).ok_or(Error::Corrupt("scan id"))?,
        bytes: row.try_get("bytes")?,
        received_at: Timestamp::from_micros(row.try_get("received_at")?),
        received_by: row.try_get("received_by")?,
    })
}
