use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AuditEntry, Change, Error, Store, Timestamp};

/// A signed override of the network operator, stored to be relayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// SHA-256 of the object as received.
    pub digest: Vec<u8>,
    /// The object as received.
    pub bytes: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
    /// Who brought it.
    pub received_by: String,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when.
    pub expires: Timestamp,
    /// Which devices, for people.
    pub scope: String,
    /// Why, for people.
    pub reason: String,
}

impl Store {
    /// Remembers an override; one that is there already is a conflict.
    pub async fn add_override(&self, overlay: Override) -> Result<(), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO overrides (digest, bytes, received_at, received_by, not_before, expires, scope,
                         reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                    )
                    .bind(overlay.digest.clone())
                    .bind(overlay.bytes)
                    .bind(overlay.received_at.micros())
                    .bind(overlay.received_by.clone())
                    .bind(overlay.not_before.micros())
                    .bind(overlay.expires.micros())
                    .bind(overlay.scope.clone())
                    .bind(overlay.reason.clone())
                    .execute(&mut transaction.connection)
                    .await
                    .map_err(|error| match Error::from(error) {
                        Error::Conflict(_) => Error::Conflict("the override"),
                        other => other,
                    })?;
                    let digest: String = overlay.digest.iter().map(|byte| format!("{byte:02x}")).collect();
                    transaction.audit(AuditEntry {
                        at: overlay.received_at,
                        actor: overlay.received_by,
                        action: "override.add",
                        subject: format!("override:{digest}"),
                        detail: json!({ "scope": overlay.scope, "reason": overlay.reason,
                            "expires": overlay.expires.seconds() }),
                    });
                    transaction.changed(Change::Override);
                    Ok(())
                })
            })
            .await
    }

    /// Overrides whose end is still to come, oldest first.
    pub async fn overrides(&self, now: Timestamp) -> Result<Vec<Override>, Error> {
        let rows = sqlx::query("SELECT * FROM overrides WHERE expires > $1 ORDER BY received_at, digest")
            .bind(now.micros())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(overlay).collect()
    }
}

fn overlay(row: &SqliteRow) -> Result<Override, Error> {
    Ok(Override {
        digest: row.try_get("digest")?,
        bytes: row.try_get("bytes")?,
        received_at: Timestamp::from_micros(row.try_get("received_at")?),
        received_by: row.try_get("received_by")?,
        not_before: Timestamp::from_micros(row.try_get("not_before")?),
        expires: Timestamp::from_micros(row.try_get("expires")?),
        scope: row.try_get("scope")?,
        reason: row.try_get("reason")?,
    })
}
