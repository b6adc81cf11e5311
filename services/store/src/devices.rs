use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    AuditEntry, Change, DecisionId, DeviceId, Error, Hold, ReleaseId, ResultId, SessionId, Store, Timestamp,
    holds::hold, writer::Transaction,
};

/// A device to enrol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Its UEID.
    pub id: DeviceId,
    /// Name for people, unique among devices that are not retired.
    pub name: String,
    /// Model.
    pub model: String,
    /// Group, may be empty.
    pub group: String,
    /// Its public attestation key, a COSE_Key.
    pub key: Vec<u8>,
    /// That key's thumbprint (RFC 9679).
    pub thumbprint: Vec<u8>,
}

/// An enrolled device and what was last decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its UEID.
    pub id: DeviceId,
    /// Name for people.
    pub name: String,
    /// Model.
    pub model: String,
    /// Group, may be empty.
    pub group: String,
    /// Its public attestation key, a COSE_Key.
    pub key: Vec<u8>,
    /// That key's thumbprint.
    pub thumbprint: Vec<u8>,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// When it was retired.
    pub retired_at: Option<Timestamp>,
    /// A person's block or quarantine, in force or past its end.
    pub hold: Option<Hold>,
    /// The newest result that the enrolled key's evidence gave.
    pub result: Option<ResultId>,
    /// The newest decision.
    pub decision: Option<DecisionId>,
    /// Posture of the newest decision.
    pub posture: String,
    /// What that decision lets it reach.
    pub access: String,
    /// Whether it lately contacted what its release does not ask for.
    pub violating: bool,
    /// Reasons of the newest decision, a JSON array.
    pub reasons: String,
    /// The release it was found to run.
    pub release: Option<ReleaseId>,
    /// When it last gave evidence signed by its key.
    pub attested_at: Option<Timestamp>,
    /// When the decision must be made again although nothing new arrives.
    pub due: Option<Timestamp>,
}

/// What is to be known before evidence is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeforeAttesting {
    /// Whether the session took its evidence, or was ended.
    pub session_used: bool,
    /// The device, retired or not.
    pub device: Option<Device>,
    /// Name of another device in service with the thumbprint that is stored for this one.
    pub twin: Option<String>,
    /// Whether packets of the device were dropped lately.
    pub violated: bool,
}

/// Which devices, ordered by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    /// Part of the name.
    pub name: Option<String>,
    /// Exact model.
    pub model: Option<String>,
    /// Exact group.
    pub group: Option<String>,
    /// Exact posture.
    pub posture: Option<String>,
    /// What a person leaves them, and when that is asked.
    pub held: Option<(String, Timestamp)>,
    /// Only those after this id.
    pub after: Option<DeviceId>,
    /// At most this many.
    pub limit: u32,
}

impl Store {
    /// Enrols devices: all of them, or none when one is enrolled already or its name is taken.
    pub async fn enrol(&self, devices: Vec<NewDevice>, actor: &str, at: Timestamp) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    for device in devices {
                        insert(transaction, &device, &actor, at).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// One device, retired or not.
    pub async fn device(&self, id: &DeviceId) -> Result<Option<Device>, Error> {
        let row = sqlx::query("SELECT * FROM devices WHERE id = $1")
            .bind(id.as_bytes())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(device).transpose()
    }

    /// What is to be known before evidence for a session is judged that claims to come from a device, in one round through
    /// the database's thread. Violations count from a time on.
    pub async fn before_attesting(
        &self,
        session: SessionId,
        id: Option<&DeviceId>,
        since: Timestamp,
    ) -> Result<BeforeAttesting, Error> {
        let row = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM sessions_used WHERE id = $1) AS session_used,
             EXISTS (SELECT 1 FROM violations WHERE device = $2 AND last_at >= $3) AS violated,
             (SELECT twin.name FROM devices AS twin WHERE twin.thumbprint = d.thumbprint AND twin.id <> d.id
              AND twin.retired_at IS NULL ORDER BY twin.id LIMIT 1) AS twin, d.*
             FROM (SELECT 1) LEFT JOIN devices AS d ON d.id = $2",
        )
        .bind(session.0.to_vec())
        .bind(id.map(DeviceId::as_bytes))
        .bind(since.micros())
        .fetch_one(&self.readers)
        .await?;
        let found: Option<&[u8]> = row.try_get("id")?;
        Ok(BeforeAttesting {
            session_used: row.try_get("session_used")?,
            device: found.is_some().then(|| device(&row)).transpose()?,
            twin: row.try_get("twin")?,
            violated: row.try_get("violated")?,
        })
    }

    /// The device in service with this name.
    pub async fn device_named(&self, name: &str) -> Result<Option<Device>, Error> {
        let row = sqlx::query("SELECT * FROM devices WHERE name = $1 AND retired_at IS NULL")
            .bind(name)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(device).transpose()
    }

    /// Devices in service.
    pub async fn devices(&self, filter: &DeviceFilter) -> Result<Vec<Device>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM devices WHERE retired_at IS NULL
             AND ($1 IS NULL OR instr(lower(name), lower($1)) > 0)
             AND ($2 IS NULL OR model = $2) AND ($3 IS NULL OR fleet_group = $3)
             AND ($4 IS NULL OR posture = $4) AND ($5 IS NULL OR id > $5)
             AND ($6 IS NULL OR (held_to = $6 AND (held_until IS NULL OR held_until > $7)))
             ORDER BY id LIMIT $8",
        )
        .bind(filter.name.as_deref())
        .bind(filter.model.as_deref())
        .bind(filter.group.as_deref())
        .bind(filter.posture.as_deref())
        .bind(filter.after.as_ref().map(DeviceId::as_bytes))
        .bind(filter.held.as_ref().map(|(word, _)| word.as_str()))
        .bind(filter.held.as_ref().map(|(_, now)| now.micros()))
        .bind(filter.limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(device).collect()
    }

    /// Devices in service in a posture, ordered by id, after one of them.
    pub async fn devices_in_posture(
        &self,
        posture: &str,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<Device>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM devices WHERE posture = $1 AND retired_at IS NULL AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(posture)
        .bind(after.map(DeviceId::as_bytes).unwrap_or_default())
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(device).collect()
    }

    /// Devices in service that use a key.
    pub async fn devices_with_key(&self, thumbprint: &[u8]) -> Result<Vec<Device>, Error> {
        let rows =
            sqlx::query("SELECT * FROM devices WHERE thumbprint = $1 AND retired_at IS NULL ORDER BY id")
                .bind(thumbprint)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(device).collect()
    }

    /// Devices in service whose key another one has as well.
    pub async fn devices_sharing_keys(&self) -> Result<Vec<Device>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM devices WHERE retired_at IS NULL AND thumbprint IN
             (SELECT thumbprint FROM devices WHERE retired_at IS NULL GROUP BY thumbprint HAVING count(*) > 1)
             ORDER BY id",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(device).collect()
    }

    /// Devices in service that were found to run a release.
    pub async fn devices_running(&self, release: &ReleaseId) -> Result<Vec<Device>, Error> {
        let rows = sqlx::query("SELECT * FROM devices WHERE release = $1 AND retired_at IS NULL ORDER BY id")
            .bind(release.as_bytes())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(device).collect()
    }

    /// Devices in service whose decision is due again.
    pub async fn devices_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Device>, Error> {
        let rows =
            sqlx::query("SELECT * FROM devices WHERE due <= $1 AND retired_at IS NULL ORDER BY due LIMIT $2")
                .bind(now.micros())
                .bind(limit)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(device).collect()
    }

    /// When the next decision is due.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query("SELECT min(due) FROM devices WHERE due IS NOT NULL AND retired_at IS NULL")
            .fetch_one(&self.readers)
            .await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.map(Timestamp::from_micros))
    }

    /// How many devices in service have each posture, and how many of them are held.
    pub async fn posture_counts(&self) -> Result<Vec<(String, u64)>, Error> {
        let rows = sqlx::query(
            "SELECT posture, count(*) FROM devices WHERE retired_at IS NULL GROUP BY posture ORDER BY posture",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.unsigned_abs()))).collect()
    }

    /// Takes a device out of service; its records stay.
    pub async fn retire(&self, id: &DeviceId, actor: &str, at: Timestamp) -> Result<(), Error> {
        let (id, actor) = (id.clone(), actor.to_owned());
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let changed = sqlx::query(
                        "UPDATE devices SET retired_at = $1 WHERE id = $2 AND retired_at IS NULL",
                    )
                    .bind(at.micros())
                    .bind(id.as_bytes())
                    .execute(&mut transaction.connection)
                    .await?;
                    if changed.rows_affected() == 0 {
                        return Err(Error::Absent("device"));
                    }
                    transaction.audit(entry(at, actor, "device.retire", &id, json!({})));
                    transaction.changed(Change::Device(id));
                    Ok(())
                })
            })
            .await
    }
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    device: &NewDevice,
    actor: &str,
    at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO devices (id, name, model, fleet_group, key, thumbprint, enrolled_at, posture, access,
         violating, reasons) VALUES ($1, $2, $3, $4, $5, $6, $7, 'unknown', 'update-only', 0,
         '[{\"code\":\"never-attested\",\"detail\":{}}]')",
    )
    .bind(device.id.as_bytes().to_vec())
    .bind(device.name.clone())
    .bind(device.model.clone())
    .bind(device.group.clone())
    .bind(device.key.clone())
    .bind(device.thumbprint.clone())
    .bind(at.micros())
    .execute(&mut transaction.connection)
    .await
    .map_err(|error| match Error::from(error) {
        Error::Conflict(_) => Error::Conflict("the device's id or name"),
        other => other,
    })?;
    let detail = json!({ "name": device.name, "model": device.model, "group": device.group });
    transaction.audit(entry(at, actor.to_owned(), "device.enrol", &device.id, detail));
    transaction.changed(Change::Device(device.id.clone()));
    Ok(())
}

pub(crate) fn entry(
    at: Timestamp,
    actor: String,
    action: &'static str,
    id: &DeviceId,
    detail: serde_json::Value,
) -> AuditEntry {
    AuditEntry { at, actor, action, subject: format!("device:{id}"), detail }
}

fn device(row: &SqliteRow) -> Result<Device, Error> {
    let time = |name: &str| -> Result<Option<Timestamp>, Error> {
        Ok(row.try_get::<Option<i64>, _>(name)?.map(Timestamp::from_micros))
    };
    Ok(Device {
        id: DeviceId::new(row.try_get("id")?).ok_or(Error::Corrupt("device id"))?,
        name: row.try_get("name")?,
        model: row.try_get("model")?,
        group: row.try_get("fleet_group")?,
        key: row.try_get("key")?,
        thumbprint: row.try_get("thumbprint")?,
        enrolled_at: Timestamp::from_micros(row.try_get("enrolled_at")?),
        retired_at: time("retired_at")?,
        hold: hold(row)?,
        result: row.try_get::<Option<i64>, _>("result")?.map(ResultId),
        decision: row.try_get::<Option<i64>, _>("decision")?.map(DecisionId),
        posture: row.try_get("posture")?,
        access: row.try_get("access")?,
        violating: row.try_get("violating")?,
        reasons: row.try_get("reasons")?,
        release: release_column(row, "release")?,
        attested_at: time("attested_at")?,
        due: time("due")?,
    })
}

/// A column that holds a manifest digest or nothing.
pub(crate) fn release_column(row: &SqliteRow, name: &str) -> Result<Option<ReleaseId>, Error> {
    let bytes: Option<Vec<u8>> = row.try_get(name)?;
    bytes.map(|bytes| ReleaseId::from_bytes(&bytes).ok_or(Error::Corrupt("release digest"))).transpose()
}
