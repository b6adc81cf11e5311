use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AuditEntry, Change, Error, Store, Timestamp};

/// A digest that must not run anywhere, while it is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The digest, SHA-256.
    pub digest: Vec<u8>,
    /// Why.
    pub why: String,
    /// Since when.
    pub denied_at: Timestamp,
    /// Who denied it.
    pub denied_by: String,
    /// Until when, and who lifted it.
    pub lifted: Option<(Timestamp, String)>,
}

impl Store {
    /// Denies a digest. One that is denied already is a conflict.
    pub async fn deny(&self, digest: Vec<u8>, why: &str, actor: &str, at: Timestamp) -> Result<(), Error> {
        let (why, actor) = (why.to_owned(), actor.to_owned());
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let subject = subject(&digest);
                    sqlx::query(
                        "INSERT INTO denied (digest, why, denied_at, denied_by) VALUES ($1, $2, $3, $4)",
                    )
                    .bind(digest)
                    .bind(why.clone())
                    .bind(at.micros())
                    .bind(actor.clone())
                    .execute(&mut transaction.connection)
                    .await
                    .map_err(|error| match Error::from(error) {
                        Error::Conflict(_) => Error::Conflict("the digest is denied already"),
                        other => other,
                    })?;
                    let detail = json!({ "reason": why });
                    transaction.audit(AuditEntry { at, actor, action: "digest.deny", subject, detail });
                    transaction.changed(Change::Criteria);
                    Ok(())
                })
            })
            .await
    }

    /// Denies a digest no longer. One that is not denied is absent.
    pub async fn lift(&self, digest: Vec<u8>, actor: &str, at: Timestamp) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let subject = subject(&digest);
                    let done = sqlx::query(
                        "UPDATE denied SET lifted_at = $1, lifted_by = $2 WHERE digest = $3 AND lifted_at IS NULL",
                    )
                    .bind(at.micros())
                    .bind(actor.clone())
                    .bind(digest)
                    .execute(&mut transaction.connection)
                    .await?;
                    if done.rows_affected() == 0 {
                        return Err(Error::Absent("denied digest"));
                    }
                    transaction.audit(AuditEntry { at, actor, action: "digest.lift", subject, detail: json!({}) });
                    transaction.changed(Change::Criteria);
                    Ok(())
                })
            })
            .await
    }

    /// Every digest that is or was denied, the first denied first.
    pub async fn denied(&self) -> Result<Vec<Denied>, Error> {
        let rows = sqlx::query("SELECT * FROM denied ORDER BY id").fetch_all(&self.readers).await?;
        rows.iter().map(denied).collect()
    }
}

fn subject(digest: &[u8]) -> String {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("digest:sha256:{hex}")
}

fn denied(row: &SqliteRow) -> Result<Denied, Error> {
    let lifted: Option<i64> = row.try_get("lifted_at")?;
    let lifted_by: Option<String> = row.try_get("lifted_by")?;
    Ok(Denied {
        digest: row.try_get("digest")?,
        why: row.try_get("why")?,
        denied_at: Timestamp::from_micros(row.try_get("denied_at")?),
        denied_by: row.try_get("denied_by")?,
        lifted: lifted.map(Timestamp::from_micros).zip(lifted_by),
    })
}
