//! What people and reconcilers say about devices to onboard: groups and templates, registration, sales.

use serde_json::{Value, json};
use sqlx::Row;

use crate::{
    AuditEntry, Error, Guid, Onboarding, Store, Timestamp,
    onboardings::{event, onboarding},
};

/// What devices are given, as somebody wrote it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnboardingTemplate {
    /// Its name.
    pub name: String,
    /// The document.
    pub document: Value,
    /// When it changed last.
    pub changed_at: Timestamp,
    /// Who changed it.
    pub changed_by: String,
}

/// How a registration with rendezvous servers ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registered {
    /// A server remembers until then.
    Until(Timestamp),
    /// None does, for this reason.
    Failed(String),
    /// There is no server to register with: the device finds us by itself.
    NotNeeded,
}

impl Store {
    /// Sets what is to become of a device: name, group and template, each where it is given.
    pub async fn plan_onboarding(
        &self,
        guid: Guid,
        [name, group, template]: [Option<String>; 3],
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let changed = sqlx::query(
                        "UPDATE onboardings SET name = coalesce($1, name), fleet_group = coalesce($2, fleet_group),
                         template = coalesce($3, template), changed_at = $4 WHERE guid = $5",
                    )
                    .bind(name.clone())
                    .bind(group.clone())
                    .bind(template.clone())
                    .bind(at.micros())
                    .bind(guid.0.to_vec())
                    .execute(&mut transaction.connection)
                    .await?;
                    if changed.rows_affected() == 0 {
                        return Err(Error::Absent("device to onboard"));
                    }
                    let (action, subject) = ("onboarding.plan", format!("voucher:{guid}"));
                    let detail = json!({ "name": name, "group": group, "template": template });
                    transaction.audit(AuditEntry { at, actor, action, subject, detail });
                    Ok(())
                })
            })
            .await
    }

    /// Tries a device again: what failed is forgotten, and it is registered with rendezvous servers now.
    pub async fn retry_onboarding(
        &self,
        guid: Guid,
        register: bool,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let changed = sqlx::query(
                        "UPDATE onboardings SET failure = NULL, failed_at = NULL, failures = 0,
                         register_failure = NULL, register_tries = 0,
                         register_at = CASE WHEN $1 THEN $2 ELSE register_at END, changed_at = $2
                         WHERE guid = $3 AND state NOT IN ('sold', 'retired')",
                    )
                    .bind(register)
                    .bind(at.micros())
                    .bind(guid.0.to_vec())
                    .execute(&mut transaction.connection)
                    .await?;
                    if changed.rows_affected() == 0 {
                        return Err(Error::Absent("device to onboard"));
                    }
                    event(transaction, &guid, "retry", &json!({ "by": actor }), at).await?;
                    let (action, subject) = ("onboarding.retry", format!("voucher:{guid}"));
                    transaction.audit(AuditEntry { at, actor, action, subject, detail: json!({}) });
                    Ok(())
                })
            })
            .await
    }

    /// Notes that a device was sold: it is not onboarded here any more.
    pub async fn onboarding_sold(
        &self,
        guid: Guid,
        sold_to: String,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let changed = sqlx::query(
                        "UPDATE onboardings SET state = 'sold', register_at = NULL, changed_at = $1
                         WHERE guid = $2 AND state NOT IN ('sold', 'retired')",
                    )
                    .bind(at.micros())
                    .bind(guid.0.to_vec())
                    .execute(&mut transaction.connection)
                    .await?;
                    if changed.rows_affected() == 0 {
                        return Err(Error::Conflict("the device's owner"));
                    }
                    let detail = json!({ "sold_to": sold_to });
                    event(transaction, &guid, "sold", &detail, at).await?;
                    let (action, subject) = ("onboarding.sell", format!("voucher:{guid}"));
                    transaction.audit(AuditEntry { at, actor, action, subject, detail });
                    Ok(())
                })
            })
            .await
    }

    /// Devices to be registered with rendezvous servers by now, those that wait longest first.
    pub async fn registrations_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Onboarding>, Error> {
        let rows =
            sqlx::query("SELECT * FROM onboardings WHERE register_at <= $1 ORDER BY register_at LIMIT $2")
                .bind(now.micros())
                .bind(limit)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(onboarding).collect()
    }

    /// Notes how registrations ended, and when each is due again, all at once.
    pub async fn note_registrations(
        &self,
        list: Vec<(Guid, Registered, Option<Timestamp>)>,
        at: Timestamp,
    ) -> Result<(), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    for (guid, registered, next) in list {
                        let (until, failure) = match &registered {
                            Registered::Until(until) => (Some(until.micros()), None),
                            Registered::Failed(code) => (None, Some(code.clone())),
                            Registered::NotNeeded => (None, None),
                        };
                        let row = sqlx::query(
                            "SELECT registered_until, register_failure FROM onboardings WHERE guid = $1",
                        )
                        .bind(guid.0.to_vec())
                        .fetch_optional(&mut transaction.connection)
                        .await?;
                        let Some(row) = row else { continue };
                        let had: Option<i64> = row.try_get(0)?;
                        let failed: Option<String> = row.try_get(1)?;
                        sqlx::query(
                            "UPDATE onboardings SET registered_until = coalesce($1, registered_until),
                             register_failure = $2, register_at = $3,
                             register_tries = CASE WHEN $2 IS NULL THEN 0 ELSE register_tries + 1 END
                             WHERE guid = $4",
                        )
                        .bind(until)
                        .bind(failure.clone())
                        .bind(next.map(Timestamp::micros))
                        .bind(guid.0.to_vec())
                        .execute(&mut transaction.connection)
                        .await?;
                        // What repeats is told once.
                        if failure.is_some() && failure != failed {
                            let detail = json!({ "code": failure });
                            event(transaction, &guid, "not-registered", &detail, at).await?;
                        }
                        if until.is_some() && (had.is_none() || failed.is_some()) {
                            event(transaction, &guid, "registered", &json!({}), at).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Every template, ordered by name.
    pub async fn onboarding_templates(&self) -> Result<Vec<OnboardingTemplate>, Error> {
        let rows =
            sqlx::query("SELECT * FROM onboarding_templates ORDER BY name").fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                let document: String = row.try_get("document")?;
                Ok(OnboardingTemplate {
                    name: row.try_get("name")?,
                    document: serde_json::from_str(&document)
                        .map_err(|_| Error::Corrupt("onboarding template"))?,
                    changed_at: Timestamp::from_micros(row.try_get("changed_at")?),
                    changed_by: row.try_get("changed_by")?,
                })
            })
            .collect()
    }

    /// Sets a template, or takes it away where there is no document.
    pub async fn set_onboarding_template(
        &self,
        name: String,
        document: Option<Value>,
        told: Value,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let action = match document {
                        Some(document) => {
                            sqlx::query(
                                "INSERT OR REPLACE INTO onboarding_templates (name, document, changed_at, changed_by)
                                 VALUES ($1, $2, $3, $4)",
                            )
                            .bind(name.clone())
                            .bind(document.to_string())
                            .bind(at.micros())
                            .bind(actor.clone())
                            .execute(&mut transaction.connection)
                            .await?;
                            "onboarding.template.set"
                        }
                        None => {
                            let removed = sqlx::query("DELETE FROM onboarding_templates WHERE name = $1")
                                .bind(name.clone())
                                .execute(&mut transaction.connection)
                                .await?;
                            if removed.rows_affected() == 0 {
                                return Err(Error::Absent("template"));
                            }
                            "onboarding.template.remove"
                        }
                    };
                    let subject = format!("onboarding-template:{name}");
                    transaction.audit(AuditEntry { at, actor, action, subject, detail: told });
                    Ok(())
                })
            })
            .await
    }
}
