use serde_json::{Value, json};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    AuditEntry, Change, DecisionId, DeviceId, Error, NewResult, ReleaseId, ResultId, Store, Timestamp,
    devices::release_column, results, writer::Transaction,
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
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let mut kept = 0;
                    for Redecision { result, replaces, renewed, decision } in decisions {
                        let row = sqlx::query("SELECT result, decision FROM devices WHERE id = $1")
                            .bind(decision.device.as_bytes().to_vec())
                            .fetch_optional(&mut transaction.connection)
                            .await?;
                        let Some(row) = row else { continue };
                        let now: (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
                        if now != (result.map(|result| result.0), replaces.map(|decision| decision.0)) {
                            continue;
                        }
                        let rests_on = match renewed {
                            Some(renewed) => Some(results::renew(transaction, renewed).await?),
                            None => result,
                        };
                        insert(transaction, rests_on, decision).await?;
                        kept += 1;
                    }
                    Ok(kept)
                })
            })
            .await
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

/// Remembers a decision inside a transaction and makes it the device's present one.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    result: Option<ResultId>,
    decision: NewDecision,
) -> Result<DecisionId, Error> {
    let id = sqlx::query(
        "INSERT INTO decisions (device, at, posture, access, reasons, release, result, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(decision.device.as_bytes().to_vec())
    .bind(decision.at.micros())
    .bind(decision.posture.clone())
    .bind(decision.access.clone())
    .bind(decision.reasons.clone())
    .bind(decision.release.map(|release| release.as_bytes().to_vec()))
    .bind(result.map(|result| result.0))
    .bind(decision.body)
    .execute(&mut transaction.connection)
    .await?
    .last_insert_rowid();
    sqlx::query(
        "UPDATE devices SET decision = $1, posture = $2, access = $3, violating = $4, reasons = $5, release = $6,
         due = $7 WHERE id = $8",
    )
    .bind(id)
    .bind(decision.posture.clone())
    .bind(decision.access.clone())
    .bind(decision.violating)
    .bind(decision.reasons.clone())
    .bind(decision.release.map(|release| release.as_bytes().to_vec()))
    .bind(decision.due.map(Timestamp::micros))
    .bind(decision.device.as_bytes().to_vec())
    .execute(&mut transaction.connection)
    .await?;
    let reasons: Value = serde_json::from_str(&decision.reasons).map_err(|_| Error::Corrupt("reasons"))?;
    transaction.audit(AuditEntry {
        at: decision.at,
        actor: "server".to_owned(),
        action: "decision.make",
        subject: format!("device:{}", decision.device),
        detail: json!({
            "decision": id,
            "posture": decision.posture,
            "access": decision.access,
            "reasons": reasons,
            "release": decision.release.map(|release| release.to_string()),
            "result": result.map(|result| result.0),
        }),
    });
    transaction.changed(Change::Device(decision.device));
    Ok(DecisionId(id))
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
