//! Devices that are the operator's by an ownership voucher (FDO), and how far each is.

use serde_json::{Value, json};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    AuditEntry, Change, DeviceId, Error, Guid, NewDevice, Store, Timestamp, devices, writer::Transaction,
};

/// How far a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnboardingState {
    /// Its voucher is here, and it was not.
    Waiting,
    /// It was set up, and is called so since.
    Onboarded,
    /// It was set up under another name, and was not seen under that one yet: the last message may have been lost.
    Replaced,
    /// It was seen under another name: what it was called is nobody's.
    Retired,
    /// It was sold.
    Sold,
}

/// A device that is the operator's by a voucher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onboarding {
    /// How it is called.
    pub guid: Guid,
    /// The voucher that this server began; none where it is among the vouchers that came.
    pub voucher: Option<Vec<u8>>,
    /// How far it is.
    pub state: OnboardingState,
    /// The device, once it is enrolled.
    pub device: Option<DeviceId>,
    /// What it is, for people.
    pub info: String,
    /// What people call it, once it is enrolled; empty where nobody said.
    pub name: String,
    /// The group that it will be in.
    pub group: String,
    /// What it is given: a template's name, or that of its group where it is empty.
    pub template: String,
    /// What it was called before.
    pub follows: Option<Guid>,
    /// What it is called since.
    pub followed_by: Option<Guid>,
    /// When the session began that the state is by.
    pub session_at: Timestamp,
    /// Why it did not get further, when, and how often that was.
    pub failure: Option<OnboardingFailure>,
    /// Registration with rendezvous servers.
    pub registration: RegistrationState,
    /// When anything of it changed.
    pub changed_at: Timestamp,
}

/// Why a device did not get further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnboardingFailure {
    /// Stable code.
    pub code: String,
    /// When it happened last.
    pub at: Timestamp,
    /// How often a session failed since the last that did not.
    pub times: u64,
}

/// How a device stands with rendezvous servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistrationState {
    /// When to register it; none where there is nothing to register.
    pub due: Option<Timestamp>,
    /// Until when a server remembers.
    pub until: Option<Timestamp>,
    /// Why the last try failed.
    pub failure: Option<String>,
    /// How many tries failed since the last that did not.
    pub tries: u64,
}

/// Something that happened to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnboardingEvent {
    /// When.
    pub at: Timestamp,
    /// What, a stable word.
    pub event: String,
    /// More of it.
    pub detail: Value,
}

/// A device to be expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOnboarding {
    /// How it is called.
    pub guid: Guid,
    /// What it is, for people.
    pub info: String,
    /// What people will call it, or nothing.
    pub name: String,
    /// The group that it will be in.
    pub group: String,
    /// A template's name, or nothing.
    pub template: String,
    /// When to register it with rendezvous servers first, if at all.
    pub register_at: Option<Timestamp>,
}

/// What a session ended in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onboarded {
    /// What the device was called in it.
    pub guid: Guid,
    /// When it began.
    pub session_at: Timestamp,
    /// What it is called since, with the voucher that this server began; nothing where it keeps its name.
    pub replacement: Option<(Guid, Vec<u8>)>,
    /// The device to enrol; one that is enrolled with the same key stays as it is.
    pub device: NewDevice,
    /// When to register it with rendezvous servers next, if at all.
    pub register_at: Option<Timestamp>,
    /// What is told of it.
    pub detail: Value,
    /// When.
    pub at: Timestamp,
}

/// Events kept of each device.
const MAX_EVENTS: u32 = 64;
/// Who acts when a device onboards.
const ACTOR: &str = "onboarding";

impl OnboardingState {
    const ALL: [Self; 5] = [Self::Waiting, Self::Onboarded, Self::Replaced, Self::Retired, Self::Sold];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Onboarded => "onboarded",
            Self::Replaced => "replaced",
            Self::Retired => "retired",
            Self::Sold => "sold",
        }
    }

    /// The state of this word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub(crate) fn read(row: &SqliteRow) -> Result<Self, Error> {
        let word: String = row.try_get("state")?;
        Self::from_text(&word).ok_or(Error::Corrupt("onboarding state"))
    }
}

impl Store {
    /// Expects devices; those that are expected or known already stay as they are.
    pub async fn expect_devices(&self, list: Vec<NewOnboarding>, at: Timestamp) -> Result<(), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    for new in list {
                        expect(transaction, &new, at).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// One device.
    pub async fn onboarding(&self, guid: &Guid) -> Result<Option<Onboarding>, Error> {
        let row = sqlx::query("SELECT * FROM onboardings WHERE guid = $1")
            .bind(guid.0.as_slice())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(onboarding).transpose()
    }

    /// Devices in a state, or all; ordered by GUID, after one of them.
    pub async fn onboardings(
        &self,
        state: Option<OnboardingState>,
        after: Option<&Guid>,
        limit: u32,
    ) -> Result<Vec<Onboarding>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM onboardings WHERE ($1 IS NULL OR state = $1) AND guid > $2 ORDER BY guid LIMIT $3",
        )
        .bind(state.map(OnboardingState::as_str))
        .bind(after.map(|guid| guid.0.as_slice()).unwrap_or_default())
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(onboarding).collect()
    }

    /// What happened to a device, the newest first.
    pub async fn onboarding_events(&self, guid: &Guid) -> Result<Vec<OnboardingEvent>, Error> {
        let rows = sqlx::query("SELECT * FROM onboarding_events WHERE guid = $1 ORDER BY id DESC")
            .bind(guid.0.as_slice())
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                let detail: String = row.try_get("detail")?;
                Ok(OnboardingEvent {
                    at: Timestamp::from_micros(row.try_get("at")?),
                    event: row.try_get("event")?,
                    detail: serde_json::from_str(&detail).map_err(|_| Error::Corrupt("onboarding event"))?,
                })
            })
            .collect()
    }

    /// Notes why a session with a device failed. Failures that repeat are counted, and told once.
    pub async fn onboarding_failed(&self, guid: Guid, code: &str, at: Timestamp) -> Result<(), Error> {
        let code = code.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let row = sqlx::query("SELECT failure FROM onboardings WHERE guid = $1")
                        .bind(guid.0.to_vec())
                        .fetch_optional(&mut transaction.connection)
                        .await?
                        .ok_or(Error::Absent("device to onboard"))?;
                    let before: Option<String> = row.try_get(0)?;
                    sqlx::query(
                        "UPDATE onboardings SET failure = $1, failed_at = $2, failures = failures + 1,
                         changed_at = $2 WHERE guid = $3",
                    )
                    .bind(code.clone())
                    .bind(at.micros())
                    .bind(guid.0.to_vec())
                    .execute(&mut transaction.connection)
                    .await?;
                    if before.as_ref() != Some(&code) {
                        event(transaction, &guid, "failed", &json!({ "code": code }), at).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Notes that something happened to a device.
    pub async fn onboarding_event(
        &self,
        guid: Guid,
        word: &'static str,
        detail: Value,
        at: Timestamp,
    ) -> Result<(), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move { event(transaction, &guid, word, &detail, at).await })
            })
            .await
    }

    /// Keeps what a session ended in: the device is enrolled, and called what it was told. The same once more changes nothing;
    /// a session that began before the one that was kept is a conflict, and so is a device that is enrolled with another key.
    pub async fn onboarded(&self, end: Onboarded) -> Result<(), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let row = sqlx::query("SELECT * FROM onboardings WHERE guid = $1")
                        .bind(end.guid.0.to_vec())
                        .fetch_optional(&mut transaction.connection)
                        .await?
                        .ok_or(Error::Absent("device to onboard"))?;
                    let before = onboarding(&row)?;
                    if matches!(before.state, OnboardingState::Sold | OnboardingState::Retired) {
                        return Err(Error::Conflict("the device's owner"));
                    }
                    if before.session_at > end.session_at {
                        return Err(Error::Conflict("the session"));
                    }
                    if before.session_at == end.session_at {
                        return Ok(());
                    }
                    enrol(transaction, &end).await?;
                    keep(transaction, &before, &end).await?;
                    let (at, subject) = (end.at, format!("voucher:{}", end.guid));
                    transaction.audit(AuditEntry {
                        at,
                        actor: ACTOR.to_owned(),
                        action: "onboarding.done",
                        subject,
                        detail: end.detail.clone(),
                    });
                    transaction.changed(Change::Device(end.device.id.clone()));
                    Ok(())
                })
            })
            .await
    }

    /// Retires the former names of devices that attested after they were set up: they keep what they became.
    pub async fn confirm_replacements(&self, at: Timestamp) -> Result<u64, Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let rows = sqlx::query(
                        "UPDATE onboardings SET state = 'retired', register_at = NULL, changed_at = $1
                         WHERE state = 'replaced' AND EXISTS (SELECT 1 FROM devices
                         WHERE devices.id = onboardings.device AND devices.attested_at > onboardings.changed_at)
                         RETURNING guid",
                    )
                    .bind(at.micros())
                    .fetch_all(&mut transaction.connection)
                    .await?;
                    for row in &rows {
                        event(transaction, &Guid::read(row, "guid")?, "confirmed", &json!({}), at).await?;
                    }
                    Ok(rows.len() as u64)
                })
            })
            .await
    }
}

async fn expect(transaction: &mut Transaction, new: &NewOnboarding, at: Timestamp) -> Result<(), Error> {
    let added = sqlx::query(
        "INSERT INTO onboardings (guid, state, info, name, fleet_group, template, session_at, failures, register_at,
         register_tries, changed_at) VALUES ($1, 'waiting', $2, $3, $4, $5, 0, 0, $6, 0, $7) ON CONFLICT DO NOTHING",
    )
    .bind(new.guid.0.to_vec())
    .bind(new.info.clone())
    .bind(new.name.clone())
    .bind(new.group.clone())
    .bind(new.template.clone())
    .bind(new.register_at.map(Timestamp::micros))
    .bind(at.micros())
    .execute(&mut transaction.connection)
    .await?;
    if added.rows_affected() == 1 {
        event(transaction, &new.guid, "expected", &json!({ "info": new.info }), at).await?;
    }
    Ok(())
}

/// Enrols the device, unless it is enrolled with the same key. One that was retired comes back.
async fn enrol(transaction: &mut Transaction, end: &Onboarded) -> Result<(), Error> {
    let row = sqlx::query("SELECT thumbprint FROM devices WHERE id = $1")
        .bind(end.device.id.as_bytes().to_vec())
        .fetch_optional(&mut transaction.connection)
        .await?;
    let Some(row) = row else {
        return devices::insert(transaction, &end.device, ACTOR, end.at).await;
    };
    if row.try_get::<Vec<u8>, _>(0)? != end.device.thumbprint {
        return Err(Error::Conflict("the device's key"));
    }
    sqlx::query("UPDATE devices SET retired_at = NULL WHERE id = $1 AND retired_at IS NOT NULL")
        .bind(end.device.id.as_bytes().to_vec())
        .execute(&mut transaction.connection)
        .await?;
    Ok(())
}

async fn keep(transaction: &mut Transaction, before: &Onboarding, end: &Onboarded) -> Result<(), Error> {
    let (state, followed_by) = match &end.replacement {
        Some((guid, _)) => (OnboardingState::Replaced, Some(guid.0.to_vec())),
        None => (OnboardingState::Onboarded, None),
    };
    if let Some((guid, voucher)) = &end.replacement {
        // What the last message of an earlier session was lost with was never the device's name.
        if let Some(lost) = &before.followed_by {
            sqlx::query("DELETE FROM onboardings WHERE guid = $1 AND follows = $2")
                .bind(lost.0.to_vec())
                .bind(end.guid.0.to_vec())
                .execute(&mut transaction.connection)
                .await?;
        }
        sqlx::query(
            "INSERT INTO onboardings (guid, voucher, state, device, info, name, fleet_group, template, follows,
             session_at, failures, register_at, register_tries, changed_at)
             VALUES ($1, $2, 'onboarded', $3, $4, $5, $6, $7, $8, 0, 0, $9, 0, $10)",
        )
        .bind(guid.0.to_vec())
        .bind(voucher.clone())
        .bind(end.device.id.as_bytes().to_vec())
        .bind(before.info.clone())
        .bind(before.name.clone())
        .bind(before.group.clone())
        .bind(before.template.clone())
        .bind(end.guid.0.to_vec())
        .bind(end.register_at.map(Timestamp::micros))
        .bind(end.at.micros())
        .execute(&mut transaction.connection)
        .await?;
        let detail = json!({ "follows": end.guid.to_string() });
        event(transaction, guid, "onboarded", &detail, end.at).await?;
    }
    sqlx::query(
        "UPDATE onboardings SET state = $1, device = $2, followed_by = $3, session_at = $4, failure = NULL,
         failed_at = NULL, failures = 0, changed_at = $5 WHERE guid = $6",
    )
    .bind(state.as_str())
    .bind(end.device.id.as_bytes().to_vec())
    .bind(followed_by)
    .bind(end.session_at.micros())
    .bind(end.at.micros())
    .bind(end.guid.0.to_vec())
    .execute(&mut transaction.connection)
    .await?;
    event(transaction, &end.guid, state.as_str(), &end.detail, end.at).await
}

pub(crate) async fn event(
    transaction: &mut Transaction,
    guid: &Guid,
    word: &str,
    detail: &Value,
    at: Timestamp,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO onboarding_events (guid, at, event, detail) VALUES ($1, $2, $3, $4)")
        .bind(guid.0.to_vec())
        .bind(at.micros())
        .bind(word.to_owned())
        .bind(detail.to_string())
        .execute(&mut transaction.connection)
        .await?;
    sqlx::query(
        "DELETE FROM onboarding_events WHERE guid = $1 AND id <=
         (SELECT id FROM onboarding_events WHERE guid = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
    )
    .bind(guid.0.to_vec())
    .bind(MAX_EVENTS)
    .execute(&mut transaction.connection)
    .await?;
    Ok(())
}

pub(crate) fn onboarding(row: &SqliteRow) -> Result<Onboarding, Error> {
    let time = |name: &str| -> Result<Option<Timestamp>, Error> {
        Ok(row.try_get::<Option<i64>, _>(name)?.map(Timestamp::from_micros))
    };
    let count = |name: &str| -> Result<u64, Error> { Ok(row.try_get::<i64, _>(name)?.unsigned_abs()) };
    let device: Option<Vec<u8>> = row.try_get("device")?;
    let device = device.map(|id| DeviceId::new(&id).ok_or(Error::Corrupt("device id"))).transpose()?;
    let failure = match (row.try_get::<Option<String>, _>("failure")?, time("failed_at")?) {
        (Some(code), Some(at)) => Some(OnboardingFailure { code, at, times: count("failures")? }),
        _ => None,
    };
    Ok(Onboarding {
        guid: Guid::read(row, "guid")?,
        voucher: row.try_get("voucher")?,
        state: OnboardingState::read(row)?,
        device,
        info: row.try_get("info")?,
        name: row.try_get("name")?,
        group: row.try_get("fleet_group")?,
        template: row.try_get("template")?,
        follows: Guid::read_optional(row, "follows")?,
        followed_by: Guid::read_optional(row, "followed_by")?,
        session_at: Timestamp::from_micros(row.try_get("session_at")?),
        failure,
        registration: RegistrationState {
            due: time("register_at")?,
            until: time("registered_until")?,
            failure: row.try_get("register_failure")?,
            tries: count("register_tries")?,
        },
        changed_at: time("changed_at")?.unwrap_or(Timestamp::from_micros(0)),
    })
}
