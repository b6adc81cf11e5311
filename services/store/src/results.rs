use std::collections::HashMap;

use serde_json::{Value, json};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    AuditEntry, Change, DecisionId, Device, DeviceFilter, DeviceId, Error, NewDecision, ReleaseId, ResultId,
    SessionId, Store, Timestamp, decisions, devices::release_column, ids::hex, writer::Transaction,
};

/// A signed result and the evidence it judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResult {
    /// The session that this uses up; `None` when evidence was judged again.
    pub session: Option<SessionId>,
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
        self.writer.write(move |transaction| Box::pin(record(transaction, result, decision))).await
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

/// Uses the session up. One that was used before breaks the key of the table, and so all that follows.
const TAKE: &str = "INSERT INTO sessions_used (id, at) VALUES ($1, $3);";
const RESULT: &str =
    "INSERT INTO results (session, device, received_at, nonce, evidence, cwt, jwt, issued, expires, tier,
    release, reasons, authentic, media_type, policy, seal)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING id;";
/// Makes the result just remembered the device's present one.
const PRESENT: &str =
    "UPDATE devices SET result = last_insert_rowid(), attested_at = max($3, coalesce(attested_at, 0))
    WHERE id = $2;";
const DECISION: &str = "INSERT INTO decisions (device, at, posture, access, reasons, release, result, body)
    VALUES ($17, $18, $19, $20, $21, $22, (SELECT result FROM devices WHERE id = $17), $23) RETURNING id, result;";
/// Makes the decision just remembered the device's present one.
const DECIDED: &str =
    "UPDATE devices SET decision = last_insert_rowid(), posture = $19, access = $20, violating = $24,
    reasons = $21, release = $22, due = $25 WHERE id = $17;";

/// Remembers a result and a decision in one round through the database's thread: evidence comes by the thousand.
pub(crate) async fn record(
    transaction: &mut Transaction,
    result: NewResult,
    decision: Option<NewDecision>,
) -> Result<(ResultId, Option<DecisionId>), Error> {
    let present = result.authentic && result.device.is_some();
    let parts = [
        (result.session.is_some(), TAKE),
        (true, RESULT),
        (present, PRESENT),
        (decision.is_some(), DECISION),
        (decision.is_some(), DECIDED),
    ];
    let statements: String = parts.into_iter().filter(|(wanted, _)| *wanted).map(|(_, part)| part).collect();
    // Put together from the constants above.
    let query = sqlx::query(sqlx::AssertSqlSafe(statements))
        .bind(result.session.map(|session| session.0.to_vec()))
        .bind(result.device.as_ref().map(|device| device.as_bytes().to_vec()))
        .bind(result.received_at.micros())
        .bind(result.nonce.clone())
        .bind(result.evidence.clone())
        .bind(result.cwt.clone())
        .bind(result.jwt.clone())
        .bind(result.issued)
        .bind(result.expires)
        .bind(result.tier.clone())
        .bind(result.release.map(|release| release.as_bytes().to_vec()))
        .bind(result.reasons.clone())
        .bind(result.authentic)
        .bind(result.media_type.clone())
        .bind(result.policy.clone())
        .bind(result.seal.clone());
    let query = match &decision {
        None => query,
        Some(decision) => query
            .bind(decision.device.as_bytes().to_vec())
            .bind(decision.at.micros())
            .bind(decision.posture.clone())
            .bind(decision.access.clone())
            .bind(decision.reasons.clone())
            .bind(decision.release.map(|release| release.as_bytes().to_vec()))
            .bind(decision.body.clone())
            .bind(decision.violating)
            .bind(decision.due.map(Timestamp::micros)),
    };
    let rows =
        query.fetch_all(&mut transaction.connection).await.map_err(|error| match Error::from(error) {
            Error::Conflict(_) => Error::Conflict("the session"),
            other => other,
        })?;
    let mut rows = rows.iter();
    let id = ResultId(rows.next().ok_or(Error::Corrupt("result id"))?.try_get(0)?);
    tell(transaction, id, &result)?;
    if let (Some(session), Some(_)) = (result.session, &result.media_type) {
        transaction.changed(Change::Foreign(session));
    }
    let decided = match (rows.next(), decision) {
        (Some(row), Some(decision)) => {
            let rests_on: Option<i64> = row.try_get(1)?;
            let decided = DecisionId(row.try_get(0)?);
            decisions::tell(transaction, decided, rests_on.map(ResultId), decision)?;
            Some(decided)
        }
        _ => None,
    };
    Ok((id, decided))
}

/// Remembers results about evidence that was judged again, and makes them the present ones of their devices.
pub(crate) async fn renew(
    transaction: &mut Transaction,
    results: Vec<(ResultId, NewResult)>,
) -> Result<(), Error> {
    let rows: Vec<Value> = results
        .iter()
        .map(|(id, new)| {
            json!({
                "id": id.0,
                "device": new.device.as_ref().map(|device| hex(device.as_bytes())),
                "received_at": new.received_at.micros(),
                "nonce": hex(&new.nonce),
                "evidence": hex(&new.evidence),
                "cwt": hex(&new.cwt),
                "jwt": new.jwt,
                "issued": new.issued,
                "expires": new.expires,
                "tier": new.tier,
                "release": new.release.map(|release| hex(release.as_bytes())),
                "reasons": new.reasons,
                "authentic": i64::from(new.authentic),
                "media_type": new.media_type,
                "policy": hex(&new.policy),
                "seal": new.seal.as_ref().map(|seal| hex(seal)),
            })
        })
        .collect();
    sqlx::query(
        "INSERT INTO results (id, device, received_at, nonce, evidence, cwt, jwt, issued, expires, tier, release, reasons,
         authentic, media_type, policy, seal)
         SELECT value ->> 'id', unhex(value ->> 'device'), value ->> 'received_at', unhex(value ->> 'nonce'),
         unhex(value ->> 'evidence'), unhex(value ->> 'cwt'), value ->> 'jwt', value ->> 'issued', value ->> 'expires',
         value ->> 'tier', unhex(value ->> 'release'), value ->> 'reasons', value ->> 'authentic',
         value ->> 'media_type', unhex(value ->> 'policy'), unhex(value ->> 'seal') FROM json_each($1);
         UPDATE devices SET result = value ->> 'id',
         attested_at = max(value ->> 'received_at', coalesce(attested_at, 0))
         FROM json_each($1) WHERE devices.id = unhex(value ->> 'device')",
    )
    .bind(Value::Array(rows).to_string())
    .execute(&mut transaction.connection)
    .await?;
    results.iter().try_for_each(|(id, result)| tell(transaction, *id, result))
}

/// Adds a result that was remembered to the audit chain.
fn tell(transaction: &mut Transaction, id: ResultId, result: &NewResult) -> Result<(), Error> {
    let reasons: Value = serde_json::from_str(&result.reasons).map_err(|_| Error::Corrupt("reasons"))?;
    let detail = json!({
        "tier": result.tier,
        "reasons": reasons,
        "release": result.release.map(|release| release.to_string()),
        "authentic": result.authentic,
        "expires": result.expires,
    });
    let action = if result.session.is_some() { "evidence.appraise" } else { "evidence.reappraise" };
    let subject = match (&result.device, result.session) {
        (Some(device), _) => format!("device:{device}"),
        (None, Some(session)) => format!("session:{session}"),
        (None, None) => format!("result:{}", id.0),
    };
    transaction.audit(AuditEntry { at: result.received_at, actor: subject.clone(), action, subject, detail });
    Ok(())
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
