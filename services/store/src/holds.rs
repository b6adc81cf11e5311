use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{Change, DeviceId, Error, Store, Timestamp, devices::entry, writer::Transaction};

/// A person's restriction of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The word of what it leaves the device.
    pub restriction: String,
    /// Who.
    pub person: String,
    /// Why.
    pub why: String,
    /// Since when.
    pub at: Timestamp,
    /// Until when; `None` until a person ends it.
    pub until: Option<Timestamp>,
}

impl Hold {
    /// Whether it has not come to its end.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Store {
    /// Restricts a device, in place of whatever restricted it before.
    pub async fn hold(&self, id: &DeviceId, hold: Hold, actor: &str, at: Timestamp) -> Result<(), Error> {
        let (id, actor) = (id.clone(), actor.to_owned());
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    put(transaction, &id, Some(&hold)).await?;
                    let detail = json!({ "restriction": hold.restriction, "reason": hold.why,
                        "until": hold.until.map(Timestamp::seconds) });
                    transaction.audit(entry(at, actor, "device.hold", &id, detail));
                    transaction.changed(Change::Device(id));
                    Ok(())
                })
            })
            .await
    }

    /// Ends a device's restriction; its word goes into the record.
    pub async fn end_hold(
        &self,
        id: &DeviceId,
        restriction: &str,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let (id, actor, restriction) = (id.clone(), actor.to_owned(), restriction.to_owned());
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    put(transaction, &id, None).await?;
                    let detail = json!({ "restriction": restriction });
                    transaction.audit(entry(at, actor, "device.release", &id, detail));
                    transaction.changed(Change::Device(id));
                    Ok(())
                })
            })
            .await
    }
}

async fn put(transaction: &mut Transaction, id: &DeviceId, hold: Option<&Hold>) -> Result<(), Error> {
    let changed = sqlx::query(
        "UPDATE devices SET held_to = $1, held_by = $2, held_why = $3, held_at = $4, held_until = $5
         WHERE id = $6 AND retired_at IS NULL",
    )
    .bind(hold.map(|hold| hold.restriction.clone()))
    .bind(hold.map(|hold| hold.person.clone()))
    .bind(hold.map(|hold| hold.why.clone()))
    .bind(hold.map(|hold| hold.at.micros()))
    .bind(hold.and_then(|hold| hold.until).map(Timestamp::micros))
    .bind(id.as_bytes().to_vec())
    .execute(&mut transaction.connection)
    .await?;
    if changed.rows_affected() == 0 { Err(Error::Absent("device")) } else { Ok(()) }
}

/// The restriction in the columns of a device.
pub(crate) fn hold(row: &SqliteRow) -> Result<Option<Hold>, Error> {
    let time = |name: &str| -> Result<Option<Timestamp>, Error> {
        Ok(row.try_get::<Option<i64>, _>(name)?.map(Timestamp::from_micros))
    };
    let Some(person) = row.try_get::<Option<String>, _>("held_by")? else { return Ok(None) };
    Ok(Some(Hold {
        restriction: row.try_get::<Option<String>, _>("held_to")?.unwrap_or_default(),
        person,
        why: row.try_get::<Option<String>, _>("held_why")?.unwrap_or_default(),
        at: time("held_at")?.ok_or(Error::Corrupt("device hold"))?,
        until: time("held_until")?,
    }))
}
