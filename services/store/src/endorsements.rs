use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AuditEntry, EndorsementId, Error, Store, Timestamp};

/// A manifest of reference values and endorsements (CoRIM), to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEndorsement {
    /// The manifest as received.
    pub bytes: Vec<u8>,
    /// When it came.
    pub at: Timestamp,
    /// Who brought it: the one who answers for it, where nobody signed it.
    pub actor: String,
}

/// A stored manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorsementRecord {
    /// Its id. The bytes may have been changed since it was given.
    pub id: EndorsementId,
    /// The manifest as received.
    pub bytes: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
    /// Who brought it.
    pub received_by: String,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// Who revoked it.
    pub revoked_by: Option<String>,
}

impl Store {
    /// Remembers a manifest; one that is there already is a conflict, revoked or not.
    pub async fn add_endorsement(&self, new: NewEndorsement) -> Result<(), Error> {
        let id = EndorsementId::of(&new.bytes);
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO endorsements (digest, bytes, received_at, received_by) VALUES ($1, $2, $3, $4)",
                    )
                    .bind(id.as_bytes().to_vec())
                    .bind(new.bytes)
                    .bind(new.at.micros())
                    .bind(new.actor.clone())
                    .execute(&mut transaction.connection)
                    .await
                    .map_err(|error| match Error::from(error) {
                        Error::Conflict(_) => Error::Conflict("the manifest"),
                        other => other,
                    })?;
                    transaction.audit(AuditEntry {
                        at: new.at,
                        actor: new.actor,
                        action: "endorsement.add",
                        subject: format!("endorsement:{id}"),
                        detail: json!({}),
                    });
                    Ok(())
                })
            })
            .await
    }

    /// Every manifest, the first that came first.
    pub async fn endorsements(&self) -> Result<Vec<EndorsementRecord>, Error> {
        let rows = sqlx::query("SELECT * FROM endorsements ORDER BY received_at, digest")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record).collect()
    }

    /// One manifest.
    pub async fn endorsement(&self, id: EndorsementId) -> Result<Option<EndorsementRecord>, Error> {
        let row = sqlx::query("SELECT * FROM endorsements WHERE digest = $1")
            .bind(id.as_bytes().to_vec())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(record).transpose()
    }

    /// Revokes a manifest for good. One that is not there, or was revoked, is a conflict.
    pub async fn revoke_endorsement(
        &self,
        id: EndorsementId,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE endorsements SET revoked_at = $1, revoked_by = $2
                         WHERE digest = $3 AND revoked_at IS NULL",
                    )
                    .bind(at.micros())
                    .bind(actor.clone())
                    .bind(id.as_bytes().to_vec())
                    .execute(&mut transaction.connection)
                    .await?;
                    if done.rows_affected() == 0 {
                        return Err(Error::Conflict("the manifest"));
                    }
                    transaction.audit(AuditEntry {
                        at,
                        actor,
                        action: "endorsement.revoke",
                        subject: format!("endorsement:{id}"),
                        detail: json!({}),
                    });
                    Ok(())
                })
            })
            .await
    }
}

fn record(row: &SqliteRow) -> Result<EndorsementRecord, Error> {
    let id: Vec<u8> = row.try_get("digest")?;
    let revoked_at: Option<i64> = row.try_get("revoked_at")?;
    Ok(EndorsementRecord {
        id: EndorsementId::from_bytes(&id).ok_or(Error::Corrupt("endorsement id"))?,
        bytes: row.try_get("bytes")?,
        received_at: Timestamp::from_micros(row.try_get("received_at")?),
        received_by: row.try_get("received_by")?,
        revoked_at: revoked_at.map(Timestamp::from_micros),
        revoked_by: row.try_get("revoked_by")?,
    })
}
