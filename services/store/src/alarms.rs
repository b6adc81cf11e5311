use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AuditEntry, Change, DeviceId, Error, Store, Timestamp, writer::Transaction};

/// A cut that a gateway withholds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// The device that stays.
    pub device: DeviceId,
    /// MUD URL of its release.
    pub model: String,
    /// How many devices of the model may be cut within an hour.
    pub most: u64,
    /// When it was withheld, by the gateway's clock.
    pub raised: Timestamp,
}

/// A cut that was withheld, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its number.
    pub id: i64,
    /// The gateway.
    pub gateway: String,
    /// What it withheld.
    pub withheld: Withheld,
    /// Since when it withholds it no more.
    pub ended: Option<Timestamp>,
    /// When somebody acknowledged it, and who.
    pub acknowledged: Option<(Timestamp, String)>,
}

impl Store {
    /// Alarms that nobody acknowledged, or all; the newest first.
    pub async fn alarms(&self, all: bool, limit: u32) -> Result<Vec<Alarm>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM alarms WHERE $1 OR acknowledged_at IS NULL ORDER BY raised_at DESC, id DESC LIMIT $2",
        )
        .bind(all)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(alarm).collect()
    }

    /// Devices that a gateway does not cut now; whether the one is among them, or all.
    pub async fn spared(&self, device: Option<&DeviceId>) -> Result<Vec<DeviceId>, Error> {
        let rows = sqlx::query(
            "SELECT DISTINCT device FROM alarms WHERE ended_at IS NULL AND ($1 IS NULL OR device = $1)",
        )
        .bind(device.map(DeviceId::as_bytes))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(device_of).collect()
    }

    /// Notes that somebody saw an alarm. One that is unknown or acknowledged already is absent.
    pub async fn acknowledge(&self, id: i64, actor: &str, at: Timestamp) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let row = sqlx::query(
                        "UPDATE alarms SET acknowledged_at = $1, acknowledged_by = $2
                         WHERE id = $3 AND acknowledged_at IS NULL RETURNING device",
                    )
                    .bind(at.micros())
                    .bind(actor.clone())
                    .bind(id)
                    .fetch_optional(&mut transaction.connection)
                    .await?
                    .ok_or(Error::Absent("alarm"))?;
                    let device = device_of(&row)?;
                    let subject = format!("device:{device}");
                    let detail = json!({ "alarm": id });
                    transaction.audit(AuditEntry { at, actor, action: "alarm.acknowledge", subject, detail });
                    transaction.changed(Change::Network(device));
                    Ok(())
                })
            })
            .await
    }
}

/// Takes the whole list of what a gateway withholds: what is new is an alarm, what is gone has ended. Gives the devices
/// about which that says something new.
pub(crate) async fn withheld(
    transaction: &mut Transaction,
    gateway: &str,
    list: &[Withheld],
    at: Timestamp,
) -> Result<Vec<DeviceId>, Error> {
    let rows =
        sqlx::query("SELECT id, device, raised_at FROM alarms WHERE gateway = $1 AND ended_at IS NULL")
            .bind(gateway.to_owned())
            .fetch_all(&mut transaction.connection)
            .await?;
    let mut touched = Vec::new();
    for row in &rows {
        let (device, raised) = (device_of(row)?, Timestamp::from_micros(row.try_get("raised_at")?));
        if list.iter().any(|withheld| withheld.device == device && withheld.raised == raised) {
            continue;
        }
        sqlx::query("UPDATE alarms SET ended_at = $1 WHERE id = $2")
            .bind(at.micros())
            .bind(row.try_get::<i64, _>("id")?)
            .execute(&mut transaction.connection)
            .await?;
        touched.push(device);
    }
    for withheld in list {
        let added = sqlx::query(
            "INSERT INTO alarms (gateway, device, model, most, raised_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
        )
        .bind(gateway.to_owned())
        .bind(withheld.device.as_bytes().to_vec())
        .bind(withheld.model.clone())
        .bind(i64::try_from(withheld.most).unwrap_or(i64::MAX))
        .bind(withheld.raised.micros())
        .execute(&mut transaction.connection)
        .await?;
        if added.rows_affected() == 1 {
            transaction.audit(AuditEntry {
                at,
                actor: format!("gateway:{gateway}"),
                action: "alarm.raise",
                subject: format!("device:{}", withheld.device),
                detail: json!({ "model": withheld.model, "most": withheld.most,
                    "raised_ms": withheld.raised.millis() }),
            });
            touched.push(withheld.device.clone());
        }
    }
    touched.iter().for_each(|device| transaction.changed(Change::Network(device.clone())));
    Ok(touched)
}

fn device_of(row: &SqliteRow) -> Result<DeviceId, Error> {
    DeviceId::new(row.try_get("device")?).ok_or(Error::Corrupt("device id"))
}

fn alarm(row: &SqliteRow) -> Result<Alarm, Error> {
    let time = |name: &str| -> Result<Option<Timestamp>, Error> {
        Ok(row.try_get::<Option<i64>, _>(name)?.map(Timestamp::from_micros))
    };
    let withheld = Withheld {
        device: device_of(row)?,
        model: row.try_get("model")?,
        most: row.try_get::<i64, _>("most")?.unsigned_abs(),
        raised: time("raised_at")?.ok_or(Error::Corrupt("alarm"))?,
    };
    Ok(Alarm {
        id: row.try_get("id")?,
        gateway: row.try_get("gateway")?,
        withheld,
        ended: time("ended_at")?,
        acknowledged: time("acknowledged_at")?.zip(row.try_get::<Option<String>, _>("acknowledged_by")?),
    })
}
