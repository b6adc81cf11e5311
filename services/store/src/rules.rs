use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{AuditEntry, Change, Error, Store, Timestamp};

/// Rules of the operator, to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRules {
    /// Name, of which there are versions.
    pub name: String,
    /// SHA-256 of the text.
    pub digest: Vec<u8>,
    /// The text.
    pub source: String,
    /// UUID of the vendor whose devices they are for; none is all.
    pub vendor: Option<Vec<u8>>,
    /// UUID of the device class that they are for; none is all.
    pub class: Option<Vec<u8>>,
}

/// One version of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Name, of which there are versions.
    pub name: String,
    /// Which version, from 1.
    pub version: i64,
    /// SHA-256 of the text.
    pub digest: Vec<u8>,
    /// The text.
    pub source: String,
    /// UUID of the vendor whose devices they are for; none is all.
    pub vendor: Option<Vec<u8>>,
    /// UUID of the device class that they are for; none is all.
    pub class: Option<Vec<u8>>,
    /// When they came.
    pub added_at: Timestamp,
    /// Who brought them.
    pub added_by: String,
    /// Whether evidence is judged by them.
    pub active: bool,
}

impl Store {
    /// Remembers rules as the next version of their name, which is given. They are not in force yet.
    pub async fn add_rules(&self, new: NewRules, actor: &str, at: Timestamp) -> Result<i64, Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let newest = sqlx::query("SELECT coalesce(max(version), 0) FROM rules WHERE name = $1")
                        .bind(new.name.clone())
                        .fetch_one(&mut transaction.connection)
                        .await?;
                    let version = newest.try_get::<i64, _>(0)? + 1;
                    sqlx::query(
                        "INSERT INTO rules (name, version, digest, source, vendor, class, added_at, added_by, active)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
                    )
                    .bind(new.name.clone())
                    .bind(version)
                    .bind(new.digest)
                    .bind(new.source)
                    .bind(new.vendor)
                    .bind(new.class)
                    .bind(at.micros())
                    .bind(actor.clone())
                    .execute(&mut transaction.connection)
                    .await?;
                    let subject = format!("rules:{}", new.name);
                    let detail = json!({ "version": version });
                    transaction.audit(AuditEntry { at, actor, action: "rules.add", subject, detail });
                    Ok(version)
                })
            })
            .await
    }

    /// Puts one version of rules in force, in place of any other of its name; none puts them out of force.
    pub async fn activate_rules(
        &self,
        name: &str,
        version: Option<i64>,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let (name, actor) = (name.to_owned(), actor.to_owned());
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let ended = sqlx::query("UPDATE rules SET active = 0 WHERE name = $1 AND active = 1")
                        .bind(name.clone())
                        .execute(&mut transaction.connection)
                        .await?;
                    let changed = match version {
                        None => ended,
                        Some(version) => {
                            sqlx::query("UPDATE rules SET active = 1 WHERE name = $1 AND version = $2")
                                .bind(name.clone())
                                .bind(version)
                                .execute(&mut transaction.connection)
                                .await?
                        }
                    };
                    if changed.rows_affected() == 0 {
                        return Err(Error::Absent("rules"));
                    }
                    let action = if version.is_some() { "rules.activate" } else { "rules.suspend" };
                    let (subject, detail) = (format!("rules:{name}"), json!({ "version": version }));
                    transaction.audit(AuditEntry { at, actor, action, subject, detail });
                    transaction.changed(Change::Criteria);
                    Ok(())
                })
            })
            .await
    }

    /// Every version of all rules, by name.
    pub async fn rules(&self) -> Result<Vec<Rules>, Error> {
        let rows = sqlx::query("SELECT * FROM rules ORDER BY name, version").fetch_all(&self.readers).await?;
        rows.iter().map(rules).collect()
    }

    /// The text of rules with a digest.
    pub async fn rules_source(&self, digest: &[u8]) -> Result<Option<String>, Error> {
        let row = sqlx::query("SELECT source FROM rules WHERE digest = $1 LIMIT 1")
            .bind(digest)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}

fn rules(row: &SqliteRow) -> Result<Rules, Error> {
    Ok(Rules {
        name: row.try_get("name")?,
        version: row.try_get("version")?,
        digest: row.try_get("digest")?,
        source: row.try_get("source")?,
        vendor: row.try_get("vendor")?,
        class: row.try_get("class")?,
        added_at: Timestamp::from_micros(row.try_get("added_at")?),
        added_by: row.try_get("added_by")?,
        active: row.try_get("active")?,
    })
}
