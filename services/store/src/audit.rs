use crypto::{Digest, HashAlgorithm, Hasher};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use crate::{Error, Store, Timestamp, ids::hex};

/// One fact for the audit chain.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// When, by the server's clock.
    pub at: Timestamp,
    /// Who: a person, a token's label, a device, a gateway, or the server itself.
    pub actor: String,
    /// What was done: a noun and a verb, such as `release.accept`.
    pub action: &'static str,
    /// To what: a kind and an id, such as `device:0102…`.
    pub subject: String,
    /// What else belongs to the fact.
    pub detail: Value,
}

/// An entry as it stands in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its place, from 1 without gaps.
    pub sequence: i64,
    /// The hashed text: a JSON object with `seq`, `at` (microseconds), `actor`, `action`, `subject`, `detail`.
    pub record: String,
    /// SHA-256 over the previous record's hash (32 zero bytes before the first) and the text.
    pub hash: [u8; 32],
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// Place of the last record, 0 when there is none.
    pub sequence: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// The first place where the chain does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditBreak {
    /// Place of the record that is missing or altered.
    pub sequence: i64,
    /// What is wrong there.
    pub what: &'static str,
}

/// What is hashed of a record.
#[derive(Serialize)]
struct Body<'b> {
    seq: i64,
    at: i64,
    actor: &'b str,
    action: &'b str,
    subject: &'b str,
    detail: Value,
}

/// Before the first record.
const START: AuditHead = AuditHead { sequence: 0, hash: [0; 32] };
/// Records read at once while verifying.
const PAGE: i64 = 1000;

impl Store {
    /// Records after a place, oldest first.
    pub async fn audit_after(&self, sequence: i64, limit: u32) -> Result<Vec<AuditRecord>, Error> {
        let rows = sqlx::query(
            "SELECT sequence, record, hash FROM audit WHERE sequence > $1 ORDER BY sequence LIMIT $2",
        )
        .bind(sequence)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(record).collect()
    }

    /// The newest records about a subject, newest first.
    pub async fn audit_about(&self, subject: &str, limit: u32) -> Result<Vec<AuditRecord>, Error> {
        let rows = sqlx::query(
            "SELECT sequence, record, hash FROM audit WHERE subject = $1 ORDER BY sequence DESC LIMIT $2",
        )
        .bind(subject)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(record).collect()
    }

    /// The newest records, newest first.
    pub async fn audit_latest(&self, limit: u32) -> Result<Vec<AuditRecord>, Error> {
        let rows = sqlx::query("SELECT sequence, record, hash FROM audit ORDER BY sequence DESC LIMIT $1")
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record).collect()
    }

    /// Adds a record that goes with no other change: a refusal.
    pub async fn audit(&self, entry: AuditEntry) -> Result<(), Error> {
        self.writer
            .write(|transaction| {
                Box::pin(async move {
                    transaction.audit(entry);
                    Ok(())
                })
            })
            .await
    }

    /// Computes the whole chain again: its end, or the first place where it does not hold.
    pub async fn verify_audit(&self) -> Result<Result<AuditHead, AuditBreak>, Error> {
        let mut reader = self.readers.acquire().await?;
        // One snapshot, so that the end does not move while the chain is walked.
        let mut snapshot = sqlx::Connection::begin(&mut *reader).await?;
        let claimed = head(&mut snapshot).await?;
        let mut last = START;
        loop {
            let rows = sqlx::query(
                "SELECT sequence, at, actor, action, subject, record, hash FROM audit
                 WHERE sequence > $1 ORDER BY sequence LIMIT $2",
            )
            .bind(last.sequence)
            .bind(PAGE)
            .fetch_all(&mut *snapshot)
            .await?;
            for row in &rows {
                match follows(last, row) {
                    Ok(next) => last = next,
                    Err(what) => return Ok(Err(AuditBreak { sequence: last.sequence + 1, what })),
                }
            }
            if rows.is_empty() {
                break;
            }
        }
        let whole = last == claimed;
        Ok(if whole {
            Ok(last)
        } else {
            Err(AuditBreak { sequence: last.sequence + 1, what: "records are missing" })
        })
    }
}

/// The end of the chain as it is kept apart from the records.
pub(crate) async fn head(connection: &mut SqliteConnection) -> Result<AuditHead, Error> {
    let row = sqlx::query("SELECT value FROM meta WHERE name = 'audit'").fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(START) };
    let bytes: Vec<u8> = row.try_get(0)?;
    let (sequence, hash) = bytes.split_first_chunk::<8>().ok_or(Error::Corrupt("audit head"))?;
    let hash = hash.try_into().map_err(|_| Error::Corrupt("audit head"))?;
    Ok(AuditHead { sequence: i64::from_be_bytes(*sequence), hash })
}

/// Adds records inside a transaction; gives the new end of the chain.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    head: AuditHead,
    entries: Vec<AuditEntry>,
) -> Result<AuditHead, Error> {
    if entries.is_empty() {
        return Ok(head);
    }
    let mut head = head;
    let mut chained = Vec::with_capacity(entries.len());
    for entry in entries {
        let body = Body {
            seq: head.sequence + 1,
            at: entry.at.micros(),
            actor: &entry.actor,
            action: entry.action,
            subject: &entry.subject,
            detail: entry.detail.clone(),
        };
        let text = serde_json::to_string(&body).map_err(|_| Error::Corrupt("audit entry"))?;
        head = AuditHead { sequence: body.seq, hash: link(&head.hash, &text)? };
        chained.push((head, entry, text));
    }
    let rows: Vec<Value> = chained
        .iter()
        .map(|(place, entry, text)| {
            json!([
                place.sequence,
                entry.at.micros(),
                entry.actor,
                entry.action,
                entry.subject,
                text,
                hex(&place.hash)
            ])
        })
        .collect();
    // One statement for any number of records, which the database has to read once.
    sqlx::query(
        "INSERT INTO audit (sequence, at, actor, action, subject, record, hash)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, unhex(value ->> 6)
         FROM json_each($1)",
    )
    .bind(Value::Array(rows).to_string())
    .execute(&mut *connection)
    .await?;
    let mut value = head.sequence.to_be_bytes().to_vec();
    value.extend(head.hash);
    sqlx::query(
        "INSERT INTO meta VALUES ('audit', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(value)
    .execute(connection)
    .await?;
    Ok(head)
}

fn record(row: &SqliteRow) -> Result<AuditRecord, Error> {
    let hash: Vec<u8> = row.try_get("hash")?;
    Ok(AuditRecord {
        sequence: row.try_get("sequence")?,
        record: row.try_get("record")?,
        hash: hash.try_into().map_err(|_| Error::Corrupt("audit hash"))?,
    })
}

/// Whether a row is the next one of the chain, and says in its columns what it says in its record.
fn follows(last: AuditHead, row: &SqliteRow) -> Result<AuditHead, &'static str> {
    let read = |_| "the record cannot be read";
    let sequence: i64 = row.try_get("sequence").map_err(read)?;
    let text: String = row.try_get("record").map_err(read)?;
    let hash: Vec<u8> = row.try_get("hash").map_err(read)?;
    if sequence != last.sequence + 1 {
        return Err("a record is missing");
    }
    let expected = link(&last.hash, &text).map_err(|_| "the record cannot be hashed")?;
    if hash != expected {
        return Err("the hash does not match");
    }
    // Owned strings: escapes keep a record from being borrowed.
    let body: Value = serde_json::from_str(&text).map_err(|_| "the record cannot be read")?;
    let column = |name: &str| row.try_get::<String, _>(name).map_err(read);
    let same = body["seq"] == sequence
        && body["at"] == row.try_get::<i64, _>("at").map_err(read)?
        && body["actor"] == column("actor")?
        && body["action"] == column("action")?
        && body["subject"] == column("subject")?;
    if same { Ok(AuditHead { sequence, hash: expected }) } else { Err("the columns differ from the record") }
}

fn link(previous: &[u8; 32], text: &str) -> Result<[u8; 32], Error> {
    let mut hasher = Hasher::new(HashAlgorithm::Sha256);
    hasher.update(previous);
    hasher.update(text.as_bytes());
    let digest: Digest = hasher.finish();
    digest.as_bytes().try_into().map_err(|_| Error::Corrupt("audit hash"))
}
