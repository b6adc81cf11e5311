use std::collections::BTreeMap;

use serde_json::json;
use sqlx::{QueryBuilder, Row, Sqlite, sqlite::SqliteRow};

use crate::{AuditEntry, Change, Error, ReleaseId, Store, Timestamp};

/// A release to remember: the signed envelope, and columns extracted from it after it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRelease {
    /// Manifest digest.
    pub id: ReleaseId,
    /// The envelope as received.
    pub envelope: Vec<u8>,
    /// SHA-256 of the envelope as received.
    pub object: Vec<u8>,
    /// Manifest sequence number.
    pub sequence: u64,
    /// Vendor name.
    pub vendor: String,
    /// Model name.
    pub model: String,
    /// Version for people.
    pub version: String,
    /// Class identifier of the devices it is for.
    pub class: Option<Vec<u8>>,
    /// What its devices must measure.
    pub expected: Vec<ExpectedValue>,
}

/// What a device that runs a release measures of one component. A copy for queries: the signed object decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpectedValue {
    /// Rendered component id.
    pub component: String,
    /// SHA-2 digest.
    pub digest: Vec<u8>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Version of the component.
    pub version: Option<String>,
}

/// An accepted release, without its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Manifest digest.
    pub id: ReleaseId,
    /// Manifest sequence number.
    pub sequence: u64,
    /// Vendor name.
    pub vendor: String,
    /// Model name.
    pub model: String,
    /// Version for people.
    pub version: String,
    /// Class identifier of the devices it is for.
    pub class: Option<Vec<u8>>,
    /// Size of the envelope.
    pub size: u64,
    /// SHA-256 of the envelope as received.
    pub object: Vec<u8>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Who brought it.
    pub accepted_by: String,
    /// When it was revoked, and why.
    pub revoked: Option<(Timestamp, String)>,
}

impl Store {
    /// Remembers a release; one that is there already is a conflict.
    pub async fn add_release(&self, release: NewRelease, actor: &str, at: Timestamp) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let size =
                        i64::try_from(release.envelope.len()).map_err(|_| Error::Corrupt("envelope size"))?;
                    sqlx::query(
                        "INSERT INTO releases (digest, sequence, vendor, model, version, class, size, object,
                         accepted_at, accepted_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    )
                    .bind(release.id.as_bytes().to_vec())
                    .bind(release.sequence.cast_signed())
                    .bind(release.vendor)
                    .bind(release.model.clone())
                    .bind(release.version.clone())
                    .bind(release.class)
                    .bind(size)
                    .bind(release.object)
                    .bind(at.micros())
                    .bind(actor.clone())
                    .execute(&mut transaction.connection)
                    .await
                    .map_err(|error| match Error::from(error) {
                        Error::Conflict(_) => Error::Conflict("the release"),
                        other => other,
                    })?;
                    sqlx::query("INSERT INTO envelopes (release, bytes) VALUES ($1, $2)")
                        .bind(release.id.as_bytes().to_vec())
                        .bind(release.envelope)
                        .execute(&mut transaction.connection)
                        .await?;
                    for rows in release.expected.chunks(1000) {
                        let mut insert: QueryBuilder<Sqlite> = QueryBuilder::new(
                            "INSERT INTO expected_values (release, component, digest, size, version) ",
                        );
                        insert.push_values(rows, |mut row, value| {
                            row.push_bind(release.id.as_bytes().to_vec())
                                .push_bind(value.component.clone())
                                .push_bind(value.digest.clone())
                                .push_bind(value.size.map(u64::cast_signed))
                                .push_bind(value.version.clone());
                        });
                        insert.build().execute(&mut transaction.connection).await?;
                    }
                    let detail = json!({ "model": release.model, "version": release.version,
                        "sequence": release.sequence });
                    transaction.audit(AuditEntry {
                        at,
                        actor,
                        action: "release.accept",
                        subject: format!("release:{}", release.id),
                        detail,
                    });
                    transaction.changed(Change::Release(release.id));
                    Ok(())
                })
            })
            .await
    }

    /// One release.
    pub async fn release(&self, id: &ReleaseId) -> Result<Option<Release>, Error> {
        let row = sqlx::query("SELECT * FROM releases WHERE digest = $1")
            .bind(id.as_bytes())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(release).transpose()
    }

    /// Every release, oldest first.
    pub async fn releases(&self) -> Result<Vec<Release>, Error> {
        let rows = sqlx::query("SELECT * FROM releases ORDER BY accepted_at, digest")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(release).collect()
    }

    /// How many releases there are.
    pub async fn count_releases(&self) -> Result<u64, Error> {
        let row = sqlx::query("SELECT count(*) FROM releases").fetch_one(&self.readers).await?;
        Ok(row.try_get::<i64, _>(0)?.unsigned_abs())
    }

    /// Those of some releases that are there, each with its extracted expected values, sorted.
    pub async fn releases_with_values(
        &self,
        ids: &[ReleaseId],
    ) -> Result<BTreeMap<ReleaseId, (Release, Vec<ExpectedValue>)>, Error> {
        let digits =
            |id: &ReleaseId| id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let ids = json!(ids.iter().map(digits).collect::<Vec<_>>()).to_string();
        let mut found = BTreeMap::new();
        // In one transaction, so that both are of one moment.
        let mut reading = self.readers.begin().await?;
        let rows =
            sqlx::query("SELECT * FROM releases WHERE digest IN (SELECT unhex(value) FROM json_each($1))")
                .bind(&ids)
                .fetch_all(&mut *reading)
                .await?;
        for row in &rows {
            let release = release(row)?;
            found.insert(release.id, (release, Vec::new()));
        }
        let rows = sqlx::query(
            "SELECT release, component, digest, size, version FROM expected_values
             WHERE release IN (SELECT unhex(value) FROM json_each($1)) ORDER BY release, component",
        )
        .bind(&ids)
        .fetch_all(&mut *reading)
        .await?;
        for row in &rows {
            let id =
                ReleaseId::from_bytes(row.try_get("release")?).ok_or(Error::Corrupt("release digest"))?;
            if let Some((_, values)) = found.get_mut(&id) {
                values.push(expected_value(row)?);
            }
        }
        Ok(found)
    }

    /// The envelope as received.
    pub async fn envelope(&self, id: &ReleaseId) -> Result<Option<Vec<u8>>, Error> {
        let row = sqlx::query("SELECT bytes FROM envelopes WHERE release = $1")
            .bind(id.as_bytes())
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// A piece of the envelope as received; shorter where the envelope ends.
    pub async fn envelope_piece(&self, id: &ReleaseId, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
        let row = sqlx::query("SELECT substr(bytes, $1, $2) FROM envelopes WHERE release = $3")
            .bind(offset.saturating_add(1).cast_signed())
            .bind(length.cast_signed())
            .bind(id.as_bytes())
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.ok_or(Error::Absent("release"))?.try_get(0)?)
    }

    /// The extracted expected values of a release, sorted by component.
    pub async fn expected_values(&self, id: &ReleaseId) -> Result<Vec<ExpectedValue>, Error> {
        let rows = sqlx::query(
            "SELECT component, digest, size, version FROM expected_values WHERE release = $1 ORDER BY component",
        )
        .bind(id.as_bytes())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(expected_value).collect()
    }

    /// Marks a release as not to be run any more; a second time is a conflict.
    pub async fn revoke_release(
        &self,
        id: &ReleaseId,
        why: &str,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let (id, why, actor) = (*id, why.to_owned(), actor.to_owned());
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let changed = sqlx::query(
                        "UPDATE releases SET revoked_at = $1, revoked_why = $2
                         WHERE digest = $3 AND revoked_at IS NULL",
                    )
                    .bind(at.micros())
                    .bind(why.clone())
                    .bind(id.as_bytes().to_vec())
                    .execute(&mut transaction.connection)
                    .await?;
                    if changed.rows_affected() == 0 {
                        return Err(Error::Conflict("the release"));
                    }
                    transaction.audit(AuditEntry {
                        at,
                        actor,
                        action: "release.revoke",
                        subject: format!("release:{id}"),
                        detail: json!({ "reason": why }),
                    });
                    transaction.changed(Change::Release(id));
                    Ok(())
                })
            })
            .await
    }
}

fn expected_value(row: &SqliteRow) -> Result<ExpectedValue, Error> {
    Ok(ExpectedValue {
        component: row.try_get("component")?,
        digest: row.try_get("digest")?,
        size: row.try_get::<Option<i64>, _>("size")?.map(i64::cast_unsigned),
        version: row.try_get("version")?,
    })
}

fn release(row: &SqliteRow) -> Result<Release, Error> {
    let revoked = match row.try_get::<Option<i64>, _>("revoked_at")? {
        Some(at) => Some((
            Timestamp::from_micros(at),
            row.try_get::<Option<String>, _>("revoked_why")?.unwrap_or_default(),
        )),
        None => None,
    };
    Ok(Release {
        id: ReleaseId::from_bytes(row.try_get("digest")?).ok_or(Error::Corrupt("release digest"))?,
        sequence: row.try_get::<i64, _>("sequence")?.cast_unsigned(),
        vendor: row.try_get("vendor")?,
        model: row.try_get("model")?,
        version: row.try_get("version")?,
        class: row.try_get("class")?,
        size: row.try_get::<i64, _>("size")?.unsigned_abs(),
        object: row.try_get("object")?,
        accepted_at: Timestamp::from_micros(row.try_get("accepted_at")?),
        accepted_by: row.try_get("accepted_by")?,
        revoked,
    })
}
