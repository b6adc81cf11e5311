use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AdvisoryId, AuditEntry, Change, Error, Store, Timestamp};

/// A security advisory, to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAdvisory {
    /// The advisory as received.
    pub bytes: Vec<u8>,
    /// When it came.
    pub at: Timestamp,
    /// Who brought it, and answers for it.
    pub actor: String,
}

/// A stored advisory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvisoryRecord {
    /// Its id. The bytes may have been changed since it was given.
    pub id: AdvisoryId,
    /// The advisory as received.
    pub bytes: Vec<u8>,
    /// When it came.
    pub added_at: Timestamp,
    /// Who brought it.
    pub added_by: String,
    /// When it was withdrawn here, if it was.
    pub withdrawn_at: Option<Timestamp>,
    /// Who withdrew it.
    pub withdrawn_by: Option<String>,
}

impl Store {
    /// Remembers an advisory; one that is there already is a conflict, withdrawn or not.
    pub async fn add_advisory(&self, new: NewAdvisory) -> Result<(), Error> {
        let id = AdvisoryId::of(&new.bytes);
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO advisories (digest, bytes, added_at, added_by) VALUES ($1, $2, $3, $4)",
                    )
                    .bind(id.as_bytes().to_vec())
                    .bind(new.bytes)
                    .bind(new.at.micros())
                    .bind(new.actor.clone())
                    .execute(&mut transaction.connection)
                    .await
                    .map_err(|error| match Error::from(error) {
                        Error::Conflict(_) => Error::Conflict("the advisory"),
                        other => other,
                    })?;
                    transaction.audit(AuditEntry {
                        at: new.at,
                        actor: new.actor,
                        action: "advisory.add",
                        subject: format!("advisory:{id}"),
                        detail: json!({}),
                    });
                    transaction.changed(Change::Advisories);
                    Ok(())
                })
            })
            .await
    }

    /// Every advisory, the first that came first.
    pub async fn advisories(&self) -> Result<Vec<AdvisoryRecord>, Error> {
        let rows = sqlx::query("SELECT * FROM advisories ORDER BY added_at, digest")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record).collect()
    }

    /// One advisory.
    pub async fn advisory(&self, id: AdvisoryId) -> Result<Option<AdvisoryRecord>, Error> {
        let row = sqlx::query("SELECT * FROM advisories WHERE digest = $1")
            .bind(id.as_bytes().to_vec())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(record).transpose()
    }

    /// Withdraws an advisory for good. One that is not there, or was withdrawn, is a conflict.
    pub async fn withdraw_advisory(&self, id: AdvisoryId, actor: &str, at: Timestamp) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE advisories SET withdrawn_at = $1, withdrawn_by = $2
                         WHERE digest = $3 AND withdrawn_at IS NULL",
                    )
                    .bind(at.micros())
                    .bind(actor.clone())
                    .bind(id.as_bytes().to_vec())
                    .execute(&mut transaction.connection)
                    .await?;
                    if done.rows_affected() == 0 {
                        return Err(Error::Conflict("the advisory"));
                    }
                    transaction.audit(AuditEntry {
                        at,
                        actor,
                        action: "advisory.withdraw",
                        subject: format!("advisory:{id}"),
                        detail: json!({}),
                    });
                    transaction.changed(Change::Advisories);
                    Ok(())
                })
            })
            .await
    }
}

fn record(row: &SqliteRow) -> Result<AdvisoryRecord, Error> {
    let id: Vec<u8> = row.try_get("digest")?;
    let withdrawn_at: Option<i64> = row.try_get("withdrawn_at")?;
    Ok(AdvisoryRecord {
        id: AdvisoryId::from_bytes(&id).ok_or(Error::Corrupt("advisory id"))?,
        bytes: row.try_get("bytes")?,
        added_at: Timestamp::from_micros(row.try_get("added_at")?),
        added_by: row.try_get("added_by")?,
        withdrawn_at: withdrawn_at.map(Timestamp::from_micros),
        withdrawn_by: row.try_get("withdrawn_by")?,
    })
}
