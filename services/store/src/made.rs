use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AuditEntry, Error, Guid, Store, Timestamp};

/// A device that this server made as its manufacturer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeDevice {
    /// How it is called.
    pub guid: Guid,
    /// Its serial number.
    pub serial: String,
    /// What it is, for people.
    pub info: String,
    /// Its voucher as it stands.
    pub voucher: Vec<u8>,
    /// SHA-256 thumbprint of the key that it was sold to, in hexadecimal digits.
    pub sold_to: Option<String>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When its voucher changed last.
    pub changed_at: Timestamp,
}

impl Store {
    /// Remembers a device that was made. The same once more changes nothing; another voucher of the same name is a conflict.
    pub async fn add_made(&self, made: MadeDevice, actor: &str) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let added = sqlx::query(
                        "INSERT INTO made_devices (guid, serial, info, voucher, sold_to, made_at, changed_at)
                         VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING",
                    )
                    .bind(made.guid.0.to_vec())
                    .bind(made.serial.clone())
                    .bind(made.info.clone())
                    .bind(made.voucher.clone())
                    .bind(made.sold_to.clone())
                    .bind(made.made_at.micros())
                    .execute(&mut transaction.connection)
                    .await?;
                    if added.rows_affected() == 0 {
                        let row = sqlx::query("SELECT voucher FROM made_devices WHERE guid = $1")
                            .bind(made.guid.0.to_vec())
                            .fetch_one(&mut transaction.connection)
                            .await?;
                        let same = row.try_get::<Vec<u8>, _>(0)? == made.voucher;
                        return if same { Ok(()) } else { Err(Error::Conflict("the voucher")) };
                    }
                    transaction.audit(AuditEntry {
                        at: made.made_at,
                        actor,
                        action: "made.add",
                        subject: format!("voucher:{}", made.guid),
                        detail: json!({ "serial": made.serial, "info": made.info, "sold_to": made.sold_to }),
                    });
                    Ok(())
                })
            })
            .await
    }

    /// A device that was made.
    pub async fn made(&self, guid: &Guid) -> Result<Option<MadeDevice>, Error> {
        let row = sqlx::query("SELECT * FROM made_devices WHERE guid = $1")
            .bind(guid.0.as_slice())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(made).transpose()
    }

    /// Devices that were made, ordered by GUID, after one of them.
    pub async fn made_devices(&self, after: Option<&Guid>, limit: u32) -> Result<Vec<MadeDevice>, Error> {
        let rows = sqlx::query("SELECT * FROM made_devices WHERE guid > $1 ORDER BY guid LIMIT $2")
            .bind(after.map(|guid| guid.0.as_slice()).unwrap_or_default())
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(made).collect()
    }

    /// Remembers the voucher of a device with one more entry, in the place of the one that it extends.
    pub async fn sell(
        &self,
        guid: Guid,
        before: Vec<u8>,
        after: Vec<u8>,
        sold_to: String,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let changed = sqlx::query(
                        "UPDATE made_devices SET voucher = $1, sold_to = $2, changed_at = $3
                         WHERE guid = $4 AND voucher = $5",
                    )
                    .bind(after)
                    .bind(sold_to.clone())
                    .bind(at.micros())
                    .bind(guid.0.to_vec())
                    .bind(before)
                    .execute(&mut transaction.connection)
                    .await?;
                    if changed.rows_affected() == 0 {
                        return Err(Error::Conflict("the voucher"));
                    }
                    transaction.audit(AuditEntry {
                        at,
                        actor,
                        action: "made.sell",
                        subject: format!("voucher:{guid}"),
                        detail: json!({ "sold_to": sold_to }),
                    });
                    Ok(())
                })
            })
            .await
    }
}

fn made(row: &SqliteRow) -> Result<MadeDevice, Error> {
    Ok(MadeDevice {
        guid: Guid::read(row, "guid")?,
        serial: row.try_get("serial")?,
        info: row.try_get("info")?,
        voucher: row.try_get("voucher")?,
        sold_to: row.try_get("sold_to")?,
        made_at: Timestamp::from_micros(row.try_get("made_at")?),
        changed_at: Timestamp::from_micros(row.try_get("changed_at")?),
    })
}
