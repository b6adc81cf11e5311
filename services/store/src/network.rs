//! Devices without attestation and the MUD files of their URLs, as gateways tell of them, and URLs that somebody wants
//! checked.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::Row as _;

use crate::{AuditEntry, Change, DeviceId, Error, Store, Timestamp, writer::Transaction};

/// URLs that wait to be checked, at most; the oldest make room.
const MAX_CHECKS: u32 = 256;

/// Something that a gateway tells of: as JSON, and what of it is worth a line in the audit chain when it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<K> {
    /// A URL, or a device.
    pub key: K,
    /// All of it, a JSON object.
    pub told: String,
    /// What is audited, a JSON object.
    pub summary: String,
}

impl Store {
    /// What gateways tell of the files of MUD URLs: gateway and JSON.
    pub async fn network_models(&self) -> Result<Vec<(String, String)>, Error> {
        self.told("SELECT gateway, told FROM network_models ORDER BY url, gateway").await
    }

    /// What gateways tell of devices without attestation: gateway and JSON.
    pub async fn network_devices(&self) -> Result<Vec<(String, String)>, Error> {
        self.told("SELECT gateway, told FROM network_devices ORDER BY device, gateway").await
    }

    async fn told(&self, query: &'static str) -> Result<Vec<(String, String)>, Error> {
        let rows = sqlx::query(query).fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok((row.try_get("gateway")?, row.try_get("told")?))).collect()
    }

    /// Remembers that somebody wants a URL checked.
    pub async fn check_mud(&self, url: String, actor: String, at: Timestamp) -> Result<(), Error> {
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    sqlx::query("INSERT OR REPLACE INTO mud_checks (url, at) VALUES ($1, $2)")
                        .bind(url.clone())
                        .bind(at.micros())
                        .execute(&mut transaction.connection)
                        .await?;
                    sqlx::query(
                        "DELETE FROM mud_checks WHERE url NOT IN
                         (SELECT url FROM mud_checks ORDER BY at DESC, url LIMIT $1)",
                    )
                    .bind(MAX_CHECKS)
                    .execute(&mut transaction.connection)
                    .await?;
                    transaction.audit(AuditEntry {
                        at,
                        actor,
                        action: "network.check",
                        subject: format!("model:{url}"),
                        detail: json!({}),
                    });
                    transaction.changed(Change::Check);
                    Ok(())
                })
            })
            .await
    }

    /// URLs that somebody wants checked since a time.
    pub async fn mud_checks(&self, since: Timestamp) -> Result<Vec<(String, Timestamp)>, Error> {
        let rows = sqlx::query("SELECT url, at FROM mud_checks WHERE at >= $1 ORDER BY url")
            .bind(since.micros())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| Ok((row.try_get("url")?, Timestamp::from_micros(row.try_get("at")?)))).collect()
    }
}

/// Takes a gateway's whole list of models in place of the one before. What changed is audited.
pub(crate) async fn put_models(
    transaction: &mut Transaction,
    gateway: &str,
    models: Vec<Told<String>>,
    at: Timestamp,
) -> Result<(), Error> {
    let rows = sqlx::query("SELECT url, told, summary FROM network_models WHERE gateway = $1")
        .bind(gateway.to_owned())
        .fetch_all(&mut transaction.connection)
        .await?;
    let mut before: BTreeMap<String, (String, String)> = BTreeMap::new();
    for row in &rows {
        before.insert(row.try_get("url")?, (row.try_get("told")?, row.try_get("summary")?));
    }
    for model in models {
        let known = before.remove(&model.key);
        if known.as_ref().is_some_and(|(told, _)| *told == model.told) {
            continue;
        }
        sqlx::query(
            "INSERT OR REPLACE INTO network_models (gateway, url, told, summary, at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(gateway.to_owned())
        .bind(model.key.clone())
        .bind(model.told)
        .bind(model.summary.clone())
        .bind(at.micros())
        .execute(&mut transaction.connection)
        .await?;
        if known.is_none_or(|(_, summary)| summary != model.summary) {
            let subject = format!("model:{}", model.key);
            tell(transaction, gateway, "network.model", subject, &model.summary, at)?;
        }
    }
    for url in before.into_keys() {
        sqlx::query("DELETE FROM network_models WHERE gateway = $1 AND url = $2")
            .bind(gateway.to_owned())
            .bind(url.clone())
            .execute(&mut transaction.connection)
            .await?;
        tell(transaction, gateway, "network.model", format!("model:{url}"), GONE, at)?;
    }
    Ok(())
}

/// The same for devices.
pub(crate) async fn put_devices(
    transaction: &mut Transaction,
    gateway: &str,
    devices: Vec<Told<DeviceId>>,
    at: Timestamp,
) -> Result<(), Error> {
    let rows = sqlx::query("SELECT device, told, summary FROM network_devices WHERE gateway = $1")
        .bind(gateway.to_owned())
        .fetch_all(&mut transaction.connection)
        .await?;
    let mut before: BTreeMap<Vec<u8>, (String, String)> = BTreeMap::new();
    for row in &rows {
        before.insert(row.try_get("device")?, (row.try_get("told")?, row.try_get("summary")?));
    }
    for device in devices {
        let known = before.remove(device.key.as_bytes());
        if known.as_ref().is_some_and(|(told, _)| *told == device.told) {
            continue;
        }
        sqlx::query(
            "INSERT OR REPLACE INTO network_devices (gateway, device, told, summary, at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(gateway.to_owned())
        .bind(device.key.as_bytes().to_vec())
        .bind(device.told)
        .bind(device.summary.clone())
        .bind(at.micros())
        .execute(&mut transaction.connection)
        .await?;
        if known.is_none_or(|(_, summary)| summary != device.summary) {
            let subject = format!("device:{}", device.key);
            tell(transaction, gateway, "network.device", subject, &device.summary, at)?;
        }
    }
    for device in before.into_keys() {
        sqlx::query("DELETE FROM network_devices WHERE gateway = $1 AND device = $2")
            .bind(gateway.to_owned())
            .bind(device.clone())
            .execute(&mut transaction.connection)
            .await?;
        let device = DeviceId::new(&device).ok_or(Error::Corrupt("device id"))?;
        tell(transaction, gateway, "network.device", format!("device:{device}"), GONE, at)?;
    }
    Ok(())
}

fn tell(
    transaction: &mut Transaction,
    gateway: &str,
    action: &'static str,
    subject: String,
    summary: &str,
    at: Timestamp,
) -> Result<(), Error> {
    let detail: Value = serde_json::from_str(summary).map_err(|_| Error::Corrupt("summary"))?;
    transaction.audit(AuditEntry { at, actor: format!("gateway:{gateway}"), action, subject, detail });
    Ok(())
}

/// What is audited of something that a gateway tells of no longer.
const GONE: &str = r#"{"gone":true}"#;
