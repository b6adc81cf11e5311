use serde_json::json;
use sqlx::Row;

use crate::{AuditEntry, Change, Error, Store, Timestamp};

/// One version of the list of who may sign releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityVersion {
    /// Its number, from 1.
    pub version: i64,
    /// The list as received (CBOR).
    pub bytes: Vec<u8>,
    /// When it came.
    pub at: Timestamp,
    /// Who brought it.
    pub actor: String,
}

impl Store {
    /// Replaces the list; older versions stay for the record.
    pub async fn put_authorities(&self, bytes: Vec<u8>, actor: &str, at: Timestamp) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let version =
                        sqlx::query("INSERT INTO authorities (bytes, at, actor) VALUES ($1, $2, $3)")
                            .bind(bytes)
                            .bind(at.micros())
                            .bind(actor.clone())
                            .execute(&mut transaction.connection)
                            .await?
                            .last_insert_rowid();
                    transaction.audit(AuditEntry {
                        at,
                        actor,
                        action: "authorities.put",
                        subject: "authorities".to_owned(),
                        detail: json!({ "version": version }),
                    });
                    transaction.changed(Change::Authorities);
                    Ok(())
                })
            })
            .await
    }

    /// The present list.
    pub async fn authorities(&self) -> Result<Option<AuthorityVersion>, Error> {
        let row = sqlx::query("SELECT * FROM authorities ORDER BY version DESC LIMIT 1")
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(AuthorityVersion {
            version: row.try_get("version")?,
            bytes: row.try_get("bytes")?,
            at: Timestamp::from_micros(row.try_get("at")?),
            actor: row.try_get("actor")?,
        }))
    }
}
