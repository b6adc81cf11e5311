use std::collections::HashMap;

use serde_json::{Value, json};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    AuditEntry, DecisionId, Device, DeviceFilter, DeviceId, Error, NewDecision, ReleaseId, ResultId,
    SessionId, Store, Timestamp, decisions, devices::release_column, sessions, writer::Transaction,
};

/// A signed result and the evidence it judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResult {
    /// The session that this uses up; `None` when evidence was judged again.
    pub session: Option<SessionId>,
    /// The device's present result, which this replaces for the same evidence. Another one is a conflict.
    pub replaces: Option<ResultId>,
    /// The device that the evidence claims to speak of, enrolled or not; `None` when it could not be read.
    pub device: Option<DeviceId>,
    /// When the evidence came.
    pub received_at: Timestamp,
    /// The nonce it had to answer.
    pub nonce: Vec<u8>,
    /// The evidence as received.
    pub evidence: Vec<u8>,
    /// Its media type; none where it is the product's own.
    pub media_type: Option<String>,
    /// The result as a CWT.
    pub cwt: Vec<u8>,
    /// The result as a JWT.
    pub jwt: String,
    /// When the result was signed, in seconds since 1970.
    pub issued: i64,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// Status over its trustworthiness vector.
    pub tier: String,
    /// The release that the evidence matched.
    pub release: Option<ReleaseId>,
    /// A JSON array of reasons.
    pub reasons: String,
    /// Whether the enrolled key signed the evidence for our own nonce. Only then does it say anything of the device.
    pub authentic: bool,
    /// The policy it was made under, in its one encoding.
    pub policy: Vec<u8>,
    /// What lets the evidence be judged again without the device's key.
    pub seal: Option<Vec<u8>>,
}

/// A signed result as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultRecord {
    /// Its id.
    pub id: ResultId,
    /// The session it answered.
    pub session: Option<SessionId>,
    /// The device that the evidence claims to speak of.
    pub device: Option<DeviceId>,
    /// When the evidence came.
    pub received_at: Timestamp,
    /// The nonce it had to answer.
    pub nonce: Vec<u8>,
    /// The evidence as received.
    pub evidence: Vec<u8>,
    /// Its media type; none where it is the product's own.
    pub media_type: Option<String>,
    /// The result as a CWT.
    pub cwt: Vec<u8>,
    /// The result as a JWT.
    pub jwt: String,
    /// When the result was signed, in seconds since 1970.
    pub issued: i64,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// Status over its trustworthiness vector.
    pub tier: String,
    /// The release that the evidence matched.
    pub release: Option<ReleaseId>,
    /// A JSON array of reasons.
    pub reasons: String,
    /// Whether the enrolled key signed the evidence for our own nonce.
    pub authentic: bool,
    /// The policy it was made under, in its one encoding. Older results do not tell.
    pub policy: Option<Vec<u8>>,
    /// What lets the evidence be judged again without the device's key. Older results have none.
    pub seal: Option<Vec<u8>>,
}

impl Store {
    /// Uses the session up, and remembers result and decision: all or nothing, on the disk before it returns.
    /// A session used before is a conflict.
    pub async fn record_result(
        &self,
        result: NewResult,
        decision: Option<NewDecision>,
    ) -> Result<(ResultId, Option<DecisionId>), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    if let Some(session) = result.session {
                        sessions::take(transaction, session, result.received_at).await?;
                    }
                    if let (Some(replaced), Some(device)) = (result.replaces, &result.device)
                        && present(transaction, device).await? != Some(replaced)
                    {
                        return Err(Error::Conflict("the device's result"));
                    }
                    let (authentic, device, at) =
                        (result.authentic, result.device.clone(), result.received_at);
                    let id = insert(transaction, result).await?;
                    if let (true, Some(device)) = (authentic, &device) {
                        make_present(transaction, id, device, at).await?;
                    }
                    let decided = match decision {
                        Some(decision) => {
                            let rests_on = match authentic {
                                true => Some(id),
                                false => present(transaction, &decision.device).await?,
                            };
                            Some(decisions::insert(transaction, rests_on, decision).await?)
                        }
                        None => None,
                    };
                    Ok((id, decided))
                })
            })
            .await
    }

    /// Forgets results and decisions from before a time, at most so many of each; those that devices stand on now, and
    /// results that a remembered decision rests on, stay. Gives whether there may be more. The audit chain keeps that they
    /// were made.
    pub async fn forget_results(&self, before: Timestamp, limit: u32) -> Result<bool, Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let decisions = sqlx::query(
                        "DELETE FROM decisions WHERE id IN (SELECT id FROM decisions AS old WHERE at < $1
                         AND NOT EXISTS (SELECT 1 FROM devices WHERE devices.id = old.device AND devices.decision = old.id)
                         ORDER BY at LIMIT $2)",
                    )
                    .bind(before.micros())
                    .bind(limit)
                    .execute(&mut transaction.connection)
                    .await?;
                    let results = sqlx::query(
                        "DELETE FROM results WHERE id IN (SELECT id FROM results AS old WHERE received_at < $1
                         AND NOT EXISTS (SELECT 1 FROM devices WHERE devices.id = old.device AND devices.result = old.id)
                         AND NOT EXISTS (SELECT 1 FROM decisions WHERE decisions.device = old.device
                         AND decisions.result = old.id)
                         ORDER BY received_at LIMIT $2)",
                    )
                    .bind(before.micros())
                    .bind(limit)
                    .execute(&mut transaction.connection)
                    .await?;
                    let full = u64::from(limit);
                    Ok(decisions.rows_affected() >= full || results.rows_affected() >= full)
                })
            })
            .await
    }

    /// One result.
    pub async fn result(&self, id: ResultId) -> Result<Option<ResultRecord>, Error> {
        let row = sqlx::query("SELECT * FROM results WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(result).transpose()
    }

    /// Devices in service after one of them, ordered by id, each with its present result.
    pub async fn with_results(
        &self,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<(Device, Option<ResultRecord>)>, Error> {
        let filter = DeviceFilter { after: after.cloned(), limit, ..DeviceFilter::default() };
        let devices = self.devices(&filter).await?;
        let Some(last) = devices.last() else { return Ok(Vec::new()) };
        let rows = sqlx::query(
            "SELECT * FROM results WHERE id IN
             (SELECT result FROM devices WHERE id > $1 AND id <= $2 AND result IS NOT NULL AND retired_at IS NULL)",
        )
        .bind(after.map(DeviceId::as_bytes).unwrap_or_default())
        .bind(last.id.as_bytes())
        .fetch_all(&self.readers)
        .await?;
        let results = rows.iter().map(|row| result(row).map(|result| (result.id, result)));
        let mut results = results.collect::<Result<HashMap<_, _>, _>>()?;
        let with = |device: Device| {
            let result = device.result.and_then(|id| results.remove(&id));
            (device, result)
        };
        Ok(devices.into_iter().map(with).collect())
    }

    /// The newest results about a device, newest first, forged ones included.
    pub async fn results_about(&self, device: &DeviceId, limit: u32) -> Result<Vec<ResultRecord>, Error> {
        let rows = sqlx::query("SELECT * FROM results WHERE device = $1 ORDER BY id DESC LIMIT $2")
            .bind(device.as_bytes())
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(result).collect()
    }
}

async fn present(transaction: &mut Transaction, device: &DeviceId) -> Result<Option<ResultId>, Error> {
    let row = sqlx::query("SELECT result FROM devices WHERE id = $1")
        .bind(device.as_bytes().to_vec())
        .fetch_optional(&mut transaction.connection)
        .await?;
    Ok(row.map(|row| row.try_get::<Option<i64>, _>(0)).transpose()?.flatten().map(ResultId))
}

/// Remembers a result about evidence that was judged again, and makes it the device's present one.
pub(crate) async fn renew(transaction: &mut Transaction, result: NewResult) -> Result<ResultId, Error> {
    let (device, at) = (result.device.clone(), result.received_at);
    let id = insert(transaction, result).await?;
    if let Some(device) = device {
        make_present(transaction, id, &device, at).await?;
    }
    Ok(id)
}

async fn make_present(
    transaction: &mut Transaction,
    id: ResultId,
    device: &DeviceId,
    at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE devices SET result = $1, attested_at = max($2, coalesce(attested_at, 0)) WHERE id = $3",
    )
    .bind(id.0)
    .bind(at.micros())
    .bind(device.as_bytes().to_vec())
    .execute(&mut transaction.connection)
    .await?;
    Ok(())
}

pub(crate) async fn insert(transaction: &mut Transaction, result: NewResult) -> Result<ResultId, Error> {
    let reasons: Value = serde_json::from_str(&result.reasons).map_err(|_| Error::Corrupt("reasons"))?;
    let detail = json!({
        "tier": result.tier,
        "reasons": reasons,
        "release": result.release.map(|release| release.to_string()),
        "authentic": result.authentic,
        "expires": result.expires,
    });
    let id = sqlx::query(
        "INSERT INTO results (session, device, received_at, nonce, evidence, cwt, jwt, issued, expires, tier, release,
         reasons, authentic, media_type, policy, seal)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(result.session.map(|session| session.0.to_vec()))
    .bind(result.device.as_ref().map(|device| device.as_bytes().to_vec()))
    .bind(result.received_at.micros())
    .bind(result.nonce)
    .bind(result.evidence)
    .bind(result.cwt)
    .bind(result.jwt)
    .bind(result.issued)
    .bind(result.expires)
    .bind(result.tier)
    .bind(result.release.map(|release| release.as_bytes().to_vec()))
    .bind(result.reasons)
    .bind(result.authentic)
    .bind(result.media_type)
    .bind(result.policy)
    .bind(result.seal)
    .execute(&mut transaction.connection)
    .await?
    .last_insert_rowid();
    let action = if result.session.is_some() { "evidence.appraise" } else { "evidence.reappraise" };
    let subject = match (&result.device, result.session) {
        (Some(device), _) => format!("device:{device}"),
        (None, Some(session)) => format!("session:{session}"),
        (None, None) => format!("result:{id}"),
    };
    transaction.audit(AuditEntry { at: result.received_at, actor: subject.clone(), action, subject, detail });
    Ok(ResultId(id))
}

pub(crate) fn result(row: &SqliteRow) -> Result<ResultRecord, Error> {
    let session: Option<Vec<u8>> = row.try_get("session")?;
    let session = session
        .map(|bytes| bytes.try_into().map(SessionId).map_err(|_| Error::Corrupt("session id")))
        .transpose()?;
    let device: Option<Vec<u8>> = row.try_get("device")?;
    Ok(ResultRecord {
        id: ResultId(row.try_get("id")?),
        session,
        device: device.map(|id| DeviceId::new(&id).ok_or(Error::Corrupt("device id"))).transpose()?,
        received_at: Timestamp::from_micros(row.try_get("received_at")?),
        nonce: row.try_get("nonce")?,
        evidence: row.try_get("evidence")?,
        media_type: row.try_get("media_type")?,
        cwt: row.try_get("cwt")?,
        jwt: row.try_get("jwt")?,
        issued: row.try_get("issued")?,
        expires: row.try_get("expires")?,
        tier: row.try_get("tier")?,
        release: release_column(row, "release")?,
        reasons: row.try_get("reasons")?,
        authentic: row.try_get("authentic")?,
        policy: row.try_get("policy")?,
        seal: row.try_get("seal")?,
    })
}
