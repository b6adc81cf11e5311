use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AuditEntry, Change, Error, Store, Timestamp, writer::Transaction};

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

/// A signed change of a list, to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAuthorityUpdate {
    /// SHA-256 of the object as received.
    pub digest: Vec<u8>,
    /// SHA-256 of the list it follows.
    pub follows: Vec<u8>,
    /// The object as received.
    pub bytes: Vec<u8>,
    /// The list that becomes the present one, if it does.
    pub list: Option<Vec<u8>>,
    /// When it came.
    pub at: Timestamp,
    /// Who brought it.
    pub actor: String,
}

/// A stored change of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityUpdateRecord {
    /// SHA-256 of the object as received.
    pub digest: Vec<u8>,
    /// The object as received.
    pub bytes: Vec<u8>,
}

impl Store {
    /// Replaces the list; older versions stay for the record.
    pub async fn put_authorities(&self, bytes: Vec<u8>, actor: &str, at: Timestamp) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    insert_list(transaction, bytes, at, actor).await?;
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

    /// Remembers a signed change, and makes its list the present one if it has one; a change that is there already is
    /// a conflict.
    pub async fn add_authority_update(&self, update: NewAuthorityUpdate) -> Result<(), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO authority_updates (digest, follows, bytes, at, actor)
                         VALUES ($1, $2, $3, $4, $5)",
                    )
                    .bind(update.digest.clone())
                    .bind(update.follows.clone())
                    .bind(update.bytes)
                    .bind(update.at.micros())
                    .bind(update.actor.clone())
                    .execute(&mut transaction.connection)
                    .await
                    .map_err(|error| match Error::from(error) {
                        Error::Conflict(_) => Error::Conflict("the authority update"),
                        other => other,
                    })?;
                    let hex =
                        |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                    transaction.audit(AuditEntry {
                        at: update.at,
                        actor: update.actor.clone(),
                        action: "authorities.update",
                        subject: format!("object:{}", hex(&update.digest)),
                        detail: json!({ "follows": hex(&update.follows) }),
                    });
                    match update.list {
                        Some(list) => insert_list(transaction, list, update.at, update.actor).await,
                        None => Ok(()),
                    }
                })
            })
            .await
    }

    /// Every version of the list, newest first.
    pub async fn authority_lists(&self) -> Result<Vec<Vec<u8>>, Error> {
        let rows = sqlx::query("SELECT bytes FROM authorities ORDER BY version DESC")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| Ok(row.try_get("bytes")?)).collect()
    }

    /// Every signed change, newest first.
    pub async fn authority_updates(&self) -> Result<Vec<AuthorityUpdateRecord>, Error> {
        let rows = sqlx::query("SELECT digest, bytes FROM authority_updates ORDER BY at DESC, digest")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(update_record).collect()
    }

    /// The signed changes of the list with this SHA-256, oldest first.
    pub async fn authority_updates_after(&self, list: &[u8]) -> Result<Vec<AuthorityUpdateRecord>, Error> {
        let rows =
            sqlx::query("SELECT digest, bytes FROM authority_updates WHERE follows = $1 ORDER BY at, digest")
                .bind(list)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(update_record).collect()
    }
}

async fn insert_list(
    transaction: &mut Transaction,
    bytes: Vec<u8>,
    at: Timestamp,
    actor: String,
) -> Result<(), Error> {
    let version = sqlx::query("INSERT INTO authorities (bytes, at, actor) VALUES ($1, $2, $3)")
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
}

fn update_record(row: &SqliteRow) -> Result<AuthorityUpdateRecord, Error> {
    Ok(AuthorityUpdateRecord { digest: row.try_get("digest")?, bytes: row.try_get("bytes")? })
}
