use std::collections::HashMap;

use serde_json::{Value, json};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    AuditEntry, Change, DecisionId, DeviceId, Error, NewResult, ReleaseId, ResultId, Store, Timestamp,
    devices::release_column, ids::hex, results, writer::Transaction,
};

/// A decision to remember. It becomes the device's present one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDecision {
    /// The device.
    pub device: DeviceId,
    /// When it was made.
    pub at: Timestamp,
    /// How far the device is trusted.
    pub posture: String,
    /// What it may reach.
    pub access: String,
    /// Whether it lately contacted what its release does not ask for.
    pub violating: bool,
    /// A JSON array of reasons.
    pub reasons: String,
    /// The release it was found to run.
    pub release: Option<ReleaseId>,
    /// When it must be made again although nothing new arrives.
    pub due: Option<Timestamp>,
    /// Everything it depended on that is no signed object, as JSON: enough to make it again.
    pub body: String,
}

/// A decision made again from a device's present result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redecision {
    /// The result it was made from.
    pub result: Option<ResultId>,
    /// The decision it is to replace.
    pub replaces: Option<DecisionId>,
    /// A new result about the same evidence, on which it rests.
    pub renewed: Option<NewResult>,
    /// The decision.
    pub decision: NewDecision,
}

/// A decision as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRecord {
    /// Its id.
    pub id: DecisionId,
    /// The device.
    pub device: DeviceId,
    /// When it was made.
    pub at: Timestamp,
    /// How far the device was trusted.
    pub posture: String,
    /// What it could reach.
    pub access: String,
    /// A JSON array of reasons.
    pub reasons: String,
    /// The release it was found to run.
    pub release: Option<ReleaseId>,
    /// The result it rests on.
    pub result: Option<ResultId>,
    /// Everything it depended on that is no signed object.
    pub body: String,
}

impl Store {
    /// Remembers decisions that no new evidence caused. One whose device got another result or decision than it was
    /// made from is dropped: something newer was decided meanwhile. Gives how many were kept.
    pub async fn decide(&self, decisions: Vec<Redecision>) -> Result<usize, Error> {
        self.writer.write(move |transaction| Box::pin(decide(transaction, decisions))).await
    }

    /// One decision.
    pub async fn decision(&self, id: DecisionId) -> Result<Option<DecisionRecord>, Error> {
        let row = sqlx::query("SELECT * FROM decisions WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(decision).transpose()
    }

    /// The newest decisions about a device, newest first.
    pub async fn decisions_about(&self, device: &DeviceId, limit: u32) -> Result<Vec<DecisionRecord>, Error> {
        let rows = sqlx::query("SELECT * FROM decisions WHERE device = $1 ORDER BY id DESC LIMIT $2")
            .bind(device.as_bytes())
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(decision).collect()
    }
}

/// Remembers decisions, and the results that they rest on, by a few statements over all of them: the whole fleet is decided
/// about again when a release is revoked.
async fn decide(transaction: &mut Transaction, mut decisions: Vec<Redecision>) -> Result<usize, Error> {
    let devices: Vec<String> = decisions.iter().map(|new| hex(new.decision.device.as_bytes())).collect();
    let rows = sqlx::query(
        "SELECT id, result, decision FROM devices WHERE id IN (SELECT unhex(value) FROM json_each($1))",
    )
    .bind(json!(devices).to_string())
    .fetch_all(&mut transaction.connection)
    .await?;
    let mut present = HashMap::new();
    for row in &rows {
        let ids: (Option<i64>, Option<i64>) = (row.try_get("result")?, row.try_get("decision")?);
        present.insert(row.try_get::<Vec<u8>, _>("id")?, ids);
    }
    // Each device once: a second decision about it was made from what the first one replaces.
    decisions.retain(|new| {
        let made_from = (new.result.map(|result| result.0), new.replaces.map(|decision| decision.0));
        present.remove(new.decision.device.as_bytes()) == Some(made_from)
    });
    if decisions.is_empty() {
        return Ok(0);
    }
    let row = sqlx::query(
        "SELECT (SELECT coalesce(max(id), 0) FROM results), (SELECT coalesce(max(id), 0) FROM decisions)",
    )
    .fetch_one(&mut transaction.connection)
    .await?;
    let (mut result_id, mut decision_id): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let (kept, mut results, mut told) = (decisions.len(), Vec::new(), Vec::new());
    for Redecision { result, renewed, decision, .. } in decisions {
        let rests_on = match renewed {
            None => result,
            Some(renewed) => {
                result_id += 1;
                results.push((ResultId(result_id), renewed));
                Some(ResultId(result_id))
            }
        };
        decision_id += 1;
        told.push((DecisionId(decision_id), rests_on, decision));
    }
    results::renew(transaction, results).await?;
    insert(transaction, told).await?;
    Ok(kept)
}

/// Remembers decisions and makes them the present ones of their devices.
async fn insert(
    transaction: &mut Transaction,
    decisions: Vec<(DecisionId, Option<ResultId>, NewDecision)>,
) -> Result<(), Error> {
    let rows: Vec<Value> = decisions
        .iter()
        .map(|(id, result, new)| {
            json!({
                "id": id.0,
                "result": result.map(|result| result.0),
                "device": hex(new.device.as_bytes()),
                "at": new.at.micros(),
                "posture": new.posture,
                "access": new.access,
                "violating": i64::from(new.violating),
                "reasons": new.reasons,
                "release": new.release.map(|release| hex(release.as_bytes())),
                "due": new.due.map(Timestamp::micros),
                "body": new.body,
            })
        })
        .collect();
    sqlx::query(
        "INSERT INTO decisions (id, device, at, posture, access, reasons, release, result, body)
         SELECT value ->> 'id', unhex(value ->> 'device'), value ->> 'at', value ->> 'posture', value ->> 'access',
         value ->> 'reasons', unhex(value ->> 'release'), value ->> 'result', value ->> 'body' FROM json_each($1);
         UPDATE devices SET decision = value ->> 'id', posture = value ->> 'posture', access = value ->> 'access',
         violating = value ->> 'violating', reasons = value ->> 'reasons', release = unhex(value ->> 'release'),
         due = value ->> 'due' FROM json_each($1) WHERE devices.id = unhex(value ->> 'device')",
    )
    .bind(Value::Array(rows).to_string())
    .execute(&mut transaction.connection)
    .await?;
    for (id, result, decision) in decisions {
        tell(transaction, id, result, decision)?;
    }
    Ok(())
}

/// Adds a decision that was remembered to the audit chain, and tells that the device changed.
pub(crate) fn tell(
    transaction: &mut Transaction,
    id: DecisionId,
    result: Option<ResultId>,
    decision: NewDecision,
) -> Result<(), Error> {
    let reasons: Value = serde_json::from_str(&decision.reasons).map_err(|_| Error::Corrupt("reasons"))?;
    transaction.audit(AuditEntry {
        at: decision.at,
        actor: "server".to_owned(),
        action: "decision.make",
        subject: format!("device:{}", decision.device),
        detail: json!({
            "decision": id.0,
            "posture": decision.posture,
            "access": decision.access,
            "reasons": reasons,
            "release": decision.release.map(|release| release.to_string()),
            "result": result.map(|result| result.0),
        }),
    });
    transaction.changed(Change::Device(decision.device));
    Ok(())
}

fn decision(row: &SqliteRow) -> Result<DecisionRecord, Error> {
    Ok(DecisionRecord {
        id: DecisionId(row.try_get("id")?),
        device: DeviceId::new(row.try_get("device")?).ok_or(Error::Corrupt("device id"))?,
        at: Timestamp::from_micros(row.try_get("at")?),
        posture: row.try_get("posture")?,
        access: row.try_get("access")?,
        reasons: row.try_get("reasons")?,
        release: release_column(row, "release")?,
        result: row.try_get::<Option<i64>, _>("result")?.map(ResultId),
        body: row.try_get("body")?,
    })
}
