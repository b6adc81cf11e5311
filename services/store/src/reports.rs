use serde_json::{Value, json};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    ActionId, AuditEntry, Change, DeviceId, Error, ReleaseId, ReportId, Store, Timestamp,
    devices::release_column, writer::Transaction,
};

/// Reports kept of one device; older ones go. The one that says what the device can process stays in any case.
pub const MAX_REPORTS: u32 = 64;

/// A signed report of a device, and what was made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReport {
    /// Whose key signed it.
    pub device: DeviceId,
    /// SHA-256 of the bytes: the same bytes are the same report.
    pub object: Vec<u8>,
    /// Digest of the manifest it is about, accepted here or not.
    pub release: ReleaseId,
    /// The device's part in a campaign it is about.
    pub action: Option<ActionId>,
    /// When it came.
    pub received_at: Timestamp,
    /// The report as received.
    pub bytes: Vec<u8>,
    /// Whether it tells of an update, and not only of what the device is and can.
    pub is_update: bool,
    /// Whether it says that all went well.
    pub succeeded: bool,
    /// Word of the reason it gives for a failure.
    pub reason: Option<String>,
    /// Where it says processing ended, a JSON object.
    pub place: Option<String>,
    /// Word of what the comparison with the manifest gave.
    pub verdict: String,
    /// The claims that do not hold, a JSON array.
    pub faults: String,
    /// Whether it says what the device can process.
    pub has_capabilities: bool,
    /// What is to be remembered of it for good: the action of an audit record.
    pub audit: Option<&'static str>,
}

/// A report as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRecord {
    /// Its id.
    pub id: ReportId,
    /// Whose key signed it.
    pub device: DeviceId,
    /// SHA-256 of the bytes.
    pub object: Vec<u8>,
    /// Digest of the manifest it is about.
    pub release: ReleaseId,
    /// The device's part in a campaign it is about.
    pub action: Option<ActionId>,
    /// When it first came.
    pub first_at: Timestamp,
    /// When it last came.
    pub last_at: Timestamp,
    /// How often it came.
    pub times: u64,
    /// The report as received.
    pub bytes: Vec<u8>,
    /// Whether it tells of an update.
    pub is_update: bool,
    /// Whether it says that all went well.
    pub succeeded: bool,
    /// Word of the reason it gives for a failure.
    pub reason: Option<String>,
    /// Where it says processing ended, a JSON object.
    pub place: Option<String>,
    /// Word of what the comparison with the manifest gave.
    pub verdict: String,
    /// The claims that do not hold, a JSON array.
    pub faults: String,
}

/// How many devices say the same in their newest report about a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportGroup {
    /// Whether they say that all went well.
    pub succeeded: bool,
    /// Word of the reason they give for a failure.
    pub reason: Option<String>,
    /// Where they say processing ended, a JSON object.
    pub place: Option<String>,
    /// Word of what the comparison with the manifest gave.
    pub verdict: String,
    /// How many devices.
    pub devices: u64,
}

impl Store {
    /// Remembers a report. The same bytes again only move its time, and its verdict where that has changed since; an
    /// audit record is written for what is new. Gives its id, and whether it was new.
    pub async fn record_report(&self, report: NewReport) -> Result<(ReportId, bool), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let known =
                        sqlx::query("SELECT id, verdict FROM reports WHERE device = $1 AND object = $2")
                            .bind(report.device.as_bytes().to_vec())
                            .bind(report.object.clone())
                            .fetch_optional(&mut transaction.connection)
                            .await?;
                    let before: Option<(i64, String)> = match known {
                        Some(row) => Some((row.try_get("id")?, row.try_get("verdict")?)),
                        None => None,
                    };
                    let id = match &before {
                        Some((id, _)) => again(transaction, *id, &report).await?,
                        None => insert(transaction, &report).await?,
                    };
                    if report.has_capabilities {
                        sqlx::query(
                            "INSERT INTO capabilities (device, report, at) VALUES ($1, $2, $3)
                             ON CONFLICT (device) DO UPDATE SET report = excluded.report, at = excluded.at",
                        )
                        .bind(report.device.as_bytes().to_vec())
                        .bind(id.0)
                        .bind(report.received_at.micros())
                        .execute(&mut transaction.connection)
                        .await?;
                    }
                    forget_oldest(transaction, &report.device).await?;
                    let is_news = before.as_ref().is_none_or(|(_, verdict)| *verdict != report.verdict);
                    if let Some(action) = report.audit.filter(|_| is_news) {
                        transaction.audit(audit_entry(id, action, &report)?);
                    }
                    transaction.changed(Change::Report(report.device));
                    Ok((id, before.is_none()))
                })
            })
            .await
    }

    /// One report of a device.
    pub async fn report_of(&self, device: &DeviceId, id: ReportId) -> Result<Option<ReportRecord>, Error> {
        let row = sqlx::query("SELECT * FROM reports WHERE device = $1 AND id = $2")
            .bind(device.as_bytes())
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(record).transpose()
    }

    /// The newest reports of a device, newest first.
    pub async fn reports_of(&self, device: &DeviceId, limit: u32) -> Result<Vec<ReportRecord>, Error> {
        let rows =
            sqlx::query("SELECT * FROM reports WHERE device = $1 ORDER BY last_at DESC, id DESC LIMIT $2")
                .bind(device.as_bytes())
                .bind(limit)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(record).collect()
    }

    /// The report in which a device last said what it can process.
    pub async fn capability_report(&self, device: &DeviceId) -> Result<Option<ReportRecord>, Error> {
        let row = sqlx::query(
            "SELECT reports.* FROM capabilities JOIN reports ON reports.id = capabilities.report
             WHERE capabilities.device = $1",
        )
        .bind(device.as_bytes())
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(record).transpose()
    }

    /// What devices say of a release, by the newest report of an update from each: the commonest first.
    pub async fn report_groups(&self, release: &ReleaseId) -> Result<Vec<ReportGroup>, Error> {
        let rows = sqlx::query(
            "SELECT succeeded, reason, place, verdict, count(*) AS devices FROM
             (SELECT *, row_number() OVER (PARTITION BY device ORDER BY last_at DESC, id DESC) AS place_of_report
              FROM reports WHERE release = $1 AND is_update)
             WHERE place_of_report = 1 GROUP BY succeeded, reason, place, verdict
             ORDER BY devices DESC, succeeded DESC, reason, place, verdict",
        )
        .bind(release.as_bytes())
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ReportGroup {
                    succeeded: row.try_get("succeeded")?,
                    reason: row.try_get("reason")?,
                    place: row.try_get("place")?,
                    verdict: row.try_get("verdict")?,
                    devices: row.try_get::<i64, _>("devices")?.unsigned_abs(),
                })
            })
            .collect()
    }
}

async fn insert(transaction: &mut Transaction, report: &NewReport) -> Result<ReportId, Error> {
    let id = sqlx::query(
        "INSERT INTO reports (device, object, release, action, first_at, last_at, times, bytes, is_update, succeeded,
         reason, place, verdict, faults) VALUES ($1, $2, $3, $4, $5, $5, 1, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(report.device.as_bytes().to_vec())
    .bind(report.object.clone())
    .bind(report.release.as_bytes().to_vec())
    .bind(report.action.map(|action| action.0))
    .bind(report.received_at.micros())
    .bind(report.bytes.clone())
    .bind(report.is_update)
    .bind(report.succeeded)
    .bind(report.reason.clone())
    .bind(report.place.clone())
    .bind(report.verdict.clone())
    .bind(report.faults.clone())
    .execute(&mut transaction.connection)
    .await?
    .last_insert_rowid();
    Ok(ReportId(id))
}

async fn again(transaction: &mut Transaction, id: i64, report: &NewReport) -> Result<ReportId, Error> {
    sqlx::query(
        "UPDATE reports SET last_at = max(last_at, $1), times = times + 1, place = $2, verdict = $3, faults = $4
         WHERE id = $5",
    )
    .bind(report.received_at.micros())
    .bind(report.place.clone())
    .bind(report.verdict.clone())
    .bind(report.faults.clone())
    .bind(id)
    .execute(&mut transaction.connection)
    .await?;
    Ok(ReportId(id))
}

async fn forget_oldest(transaction: &mut Transaction, device: &DeviceId) -> Result<(), Error> {
    sqlx::query(
        "DELETE FROM reports WHERE device = $1
         AND id NOT IN (SELECT id FROM reports WHERE device = $1 ORDER BY last_at DESC, id DESC LIMIT $2)
         AND id NOT IN (SELECT report FROM capabilities WHERE device = $1)",
    )
    .bind(device.as_bytes().to_vec())
    .bind(MAX_REPORTS)
    .execute(&mut transaction.connection)
    .await?;
    Ok(())
}

fn audit_entry(id: ReportId, action: &'static str, report: &NewReport) -> Result<AuditEntry, Error> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| Error::Corrupt("report"));
    let subject = format!("device:{}", report.device);
    let object: String = report.object.iter().map(|byte| format!("{byte:02x}")).collect();
    let detail = json!({
        "report": id.0,
        "object": object,
        "release": report.release.to_string(),
        "action": report.action.map(|action| action.0),
        "succeeded": report.succeeded,
        "reason": report.reason,
        "place": report.place.as_deref().map(parse).transpose()?,
        "verdict": report.verdict,
        "faults": parse(&report.faults)?,
    });
    Ok(AuditEntry { at: report.received_at, actor: subject.clone(), action, subject, detail })
}

fn record(row: &SqliteRow) -> Result<ReportRecord, Error> {
    Ok(ReportRecord {
        id: ReportId(row.try_get("id")?),
        device: DeviceId::new(row.try_get("device")?).ok_or(Error::Corrupt("device id"))?,
        object: row.try_get("object")?,
        release: release_column(row, "release")?.ok_or(Error::Corrupt("release digest"))?,
        action: row.try_get::<Option<i64>, _>("action")?.map(ActionId),
        first_at: Timestamp::from_micros(row.try_get("first_at")?),
        last_at: Timestamp::from_micros(row.try_get("last_at")?),
        times: row.try_get::<i64, _>("times")?.unsigned_abs(),
        bytes: row.try_get("bytes")?,
        is_update: row.try_get("is_update")?,
        succeeded: row.try_get("succeeded")?,
        reason: row.try_get("reason")?,
        place: row.try_get("place")?,
        verdict: row.try_get("verdict")?,
        faults: row.try_get("faults")?,
    })
}
