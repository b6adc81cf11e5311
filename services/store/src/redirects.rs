use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AuditEntry, Error, Guid, Store, Timestamp};

/// Where the owner of a device says to be, as a rendezvous server remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Which device.
    pub guid: Guid,
    /// The redirection as the owner signed it.
    pub bytes: Vec<u8>,
    /// The device's public key, a SubjectPublicKeyInfo.
    pub device_key: Vec<u8>,
    /// SHA-256 thumbprint of the owner's key, in hexadecimal digits.
    pub owner: String,
    /// When the session began in which it was registered.
    pub session_at: Timestamp,
    /// Until when it is good.
    pub expires: Timestamp,
}

/// Why a redirection is not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unregistered {
    /// The session in which it came was used, or a newer one registered the device.
    SessionUsed,
    /// The owner has as many as one may have.
    OwnerFull,
    /// There are as many as may be.
    Full,
}

/// How many redirections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedirectQuota {
    /// Of one owner.
    pub of_owner: u32,
    /// Of all.
    pub of_all: u32,
}

impl Store {
    /// Remembers a redirection, in the place of an older one of the device.
    pub async fn register(
        &self,
        redirect: Redirect,
        quota: RedirectQuota,
        at: Timestamp,
    ) -> Result<Result<(), Unregistered>, Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let row = sqlx::query(
                        "SELECT (SELECT count(*) FROM redirects WHERE owner = $2 AND guid <> $1),
                         (SELECT count(*) FROM redirects WHERE guid <> $1),
                         (SELECT session_at FROM redirects WHERE guid = $1)",
                    )
                    .bind(redirect.guid.0.to_vec())
                    .bind(redirect.owner.clone())
                    .fetch_one(&mut transaction.connection)
                    .await?;
                    let (of_owner, of_all): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                    let before: Option<i64> = row.try_get(2)?;
                    if before.is_some_and(|before| before >= redirect.session_at.micros()) {
                        return Ok(Err(Unregistered::SessionUsed));
                    }
                    if of_owner >= i64::from(quota.of_owner) {
                        return Ok(Err(Unregistered::OwnerFull));
                    }
                    if of_all >= i64::from(quota.of_all) {
                        return Ok(Err(Unregistered::Full));
                    }
                    sqlx::query(
                        "INSERT OR REPLACE INTO redirects (guid, bytes, device_key, owner, session_at, expires)
                         VALUES ($1, $2, $3, $4, $5, $6)",
                    )
                    .bind(redirect.guid.0.to_vec())
                    .bind(redirect.bytes)
                    .bind(redirect.device_key)
                    .bind(redirect.owner.clone())
                    .bind(redirect.session_at.micros())
                    .bind(redirect.expires.micros())
                    .execute(&mut transaction.connection)
                    .await?;
                    // Renewals say nothing new.
                    if before.is_none() {
                        transaction.audit(AuditEntry {
                            at,
                            actor: format!("owner:{}", redirect.owner),
                            action: "redirect.add",
                            subject: format!("voucher:{}", redirect.guid),
                            detail: json!({ "until_ms": redirect.expires.millis() }),
                        });
                    }
                    Ok(Ok(()))
                })
            })
            .await
    }

    /// The redirection of a device that is good at a time.
    pub async fn redirect(&self, guid: &Guid, now: Timestamp) -> Result<Option<Redirect>, Error> {
        let row = sqlx::query("SELECT * FROM redirects WHERE guid = $1 AND expires > $2")
            .bind(guid.0.as_slice())
            .bind(now.micros())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(redirect).transpose()
    }

    /// Redirections that are good at a time, ordered by GUID, after one of them.
    pub async fn redirects(
        &self,
        after: Option<&Guid>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Redirect>, Error> {
        let rows =
            sqlx::query("SELECT * FROM redirects WHERE guid > $1 AND expires > $2 ORDER BY guid LIMIT $3")
                .bind(after.map(|guid| guid.0.as_slice()).unwrap_or_default())
                .bind(now.micros())
                .bind(limit)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(redirect).collect()
    }

    /// Forgets a redirection at somebody's word.
    pub async fn remove_redirect(&self, guid: Guid, actor: &str, at: Timestamp) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let removed = sqlx::query("DELETE FROM redirects WHERE guid = $1")
                        .bind(guid.0.to_vec())
                        .execute(&mut transaction.connection)
                        .await?;
                    if removed.rows_affected() == 0 {
                        return Err(Error::Absent("redirection"));
                    }
                    let (action, subject) = ("redirect.remove", format!("voucher:{guid}"));
                    transaction.audit(AuditEntry { at, actor, action, subject, detail: json!({}) });
                    Ok(())
                })
            })
            .await
    }

    /// Forgets redirections that ended before a time. They are kept a while, so that no session of then registers them again.
    pub async fn forget_redirects(&self, before: Timestamp) -> Result<(), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM redirects WHERE expires < $1")
                        .bind(before.micros())
                        .execute(&mut transaction.connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}

fn redirect(row: &SqliteRow) -> Result<Redirect, Error> {
    Ok(Redirect {
        guid: Guid::read(row, "guid")?,
        bytes: row.try_get("bytes")?,
        device_key: row.try_get("device_key")?,
        owner: row.try_get("owner")?,
        session_at: Timestamp::from_micros(row.try_get("session_at")?),
        expires: Timestamp::from_micros(row.try_get("expires")?),
    })
}
