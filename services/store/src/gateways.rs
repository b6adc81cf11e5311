use serde_json::{Value, json};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    AuditEntry, Change, DeviceFlow, DeviceId, DnsUse, Error, FlowUse, Hold, ReleaseId, Store, Timestamp,
    Told, Violation, Withheld, alarms, device_flows, devices::release_column, dns_uses, flow_uses,
    holds::hold, network, violations, writer::Transaction,
};

/// An enforcement point that was heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its name.
    pub name: String,
    /// When it was first heard of.
    pub first_seen: Timestamp,
    /// When it was last heard of.
    pub last_seen: Timestamp,
    /// The revision it last asked from.
    pub revision: u64,
    /// How it stands, in JSON.
    pub status: String,
}

/// What a gateway says in one report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayReport {
    /// Releases whose policy stands ready: the whole list.
    pub staged: Vec<Staged>,
    /// Objects it did not believe: the whole list.
    pub refused: Vec<Refused>,
    /// What it applied since the last report.
    pub applied: Vec<Applied>,
    /// What it dropped since the last report.
    pub violations: Vec<Violation>,
    /// Devices admitted since the last report.
    pub bindings: Vec<Binding>,
    /// Flows that began since the last report.
    pub used: Vec<FlowUse>,
    /// What devices did since the last report.
    pub flows: Vec<DeviceFlow>,
    /// What devices asked since the last report.
    pub dns: Vec<DnsUse>,
    /// How it stands, in JSON; nothing if it does not say.
    pub status: Option<String>,
    /// Cuts that it withholds: the whole list.
    pub withheld: Vec<Withheld>,
    /// MUD URLs of devices without attestation: the whole list, when it changed.
    pub models: Option<Vec<Told<String>>>,
    /// Devices without attestation: the whole list, when it changed.
    pub unattested: Option<Vec<Told<DeviceId>>>,
}

/// A release whose policy stands ready on a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// The release.
    pub release: ReleaseId,
    /// Digest of its MUD file, for people.
    pub mud: Option<String>,
}

/// An object that a gateway did not believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which object.
    pub object: String,
    /// Why, a JSON reason.
    pub reason: String,
}

/// What a gateway's kernel enforces for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The device.
    pub device: DeviceId,
    /// The profile's word.
    pub profile: String,
    /// The release whose policy it is.
    pub release: Option<ReleaseId>,
    /// A JSON array of reasons.
    pub reasons: String,
    /// When, by the gateway's clock.
    pub at: Timestamp,
}

/// Where a device was admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The device.
    pub device: DeviceId,
    /// Its MAC address.
    pub mac: String,
    /// Its IP addresses.
    pub addresses: Vec<String>,
}

/// A release staged on a gateway, or waiting there for an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedRelease {
    /// The gateway.
    pub gateway: String,
    /// The release.
    pub release: ReleaseId,
    /// When it was acknowledged.
    pub at: Timestamp,
}

/// What a gateway must know of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayDevice {
    /// The device.
    pub id: DeviceId,
    /// Name for people.
    pub name: String,
    /// Model.
    pub model: String,
    /// Newest result that the enrolled key's evidence gave, as a CWT.
    pub result: Option<Vec<u8>>,
    /// The release it was found to run.
    pub release: Option<ReleaseId>,
    /// A person's block or quarantine, in force or past its end.
    pub hold: Option<Hold>,
}

impl Store {
    /// Remembers that a gateway was heard of.
    pub async fn see_gateway(&self, name: &str, revision: u64, at: Timestamp) -> Result<(), Error> {
        let name = name.to_owned();
        self.writer.write(move |transaction| Box::pin(see(transaction, name, Some(revision), at))).await
    }

    /// Takes a gateway's report. Whom it puts where is audited, and what it withholds; counts of dropped packets are not. Gives
    /// the devices whose cuts it withholds from now on, or no more.
    pub async fn report(
        &self,
        gateway: &str,
        report: GatewayReport,
        at: Timestamp,
    ) -> Result<Vec<DeviceId>, Error> {
        let gateway = gateway.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    see(transaction, gateway.clone(), None, at).await?;
                    staged(transaction, &gateway, &report.staged, at).await?;
                    refused(transaction, &gateway, &report.refused, at).await?;
                    for applied in report.applied {
                        apply(transaction, &gateway, applied, at).await?;
                    }
                    for binding in report.bindings {
                        bind(transaction, &gateway, binding, at).await?;
                    }
                    for violation in report.violations {
                        violations::add(transaction, &gateway, violation).await?;
                    }
                    for used in report.used {
                        flow_uses::add(transaction, &gateway, used).await?;
                    }
                    device_flows::add(transaction, report.flows).await?;
                    for used in report.dns {
                        dns_uses::add(transaction, &gateway, used).await?;
                    }
                    if let Some(status) = report.status {
                        stands(transaction, &gateway, status, at).await?;
                    }
                    if let Some(models) = report.models {
                        network::put_models(transaction, &gateway, models, at).await?;
                    }
                    if let Some(devices) = report.unattested {
                        network::put_devices(transaction, &gateway, devices, at).await?;
                    }
                    alarms::withheld(transaction, &gateway, &report.withheld, at).await
                })
            })
            .await
    }

    /// Every gateway that was heard of.
    pub async fn gateways(&self) -> Result<Vec<Gateway>, Error> {
        let rows = sqlx::query("SELECT * FROM gateways ORDER BY name").fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                Ok(Gateway {
                    name: row.try_get("name")?,
                    first_seen: Timestamp::from_micros(row.try_get("first_seen")?),
                    last_seen: Timestamp::from_micros(row.try_get("last_seen")?),
                    revision: row.try_get::<i64, _>("revision")?.cast_unsigned(),
                    status: row.try_get("status")?,
                })
            })
            .collect()
    }

    /// Which gateways acknowledged which releases.
    pub async fn staged(&self) -> Result<Vec<StagedRelease>, Error> {
        let rows = sqlx::query("SELECT gateway, release, at FROM staged ORDER BY gateway, release")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(StagedRelease {
                    gateway: row.try_get("gateway")?,
                    release: release_column(row, "release")?.ok_or(Error::Corrupt("release digest"))?,
                    at: Timestamp::from_micros(row.try_get("at")?),
                })
            })
            .collect()
    }

    /// What gateways did not believe.
    pub async fn refused(&self) -> Result<Vec<(String, Refused)>, Error> {
        let rows = sqlx::query("SELECT gateway, object, reason FROM refused ORDER BY gateway, object")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                let refused = Refused { object: row.try_get("object")?, reason: row.try_get("reason")? };
                Ok((row.try_get("gateway")?, refused))
            })
            .collect()
    }

    /// What gateways enforce for a device.
    pub async fn applied_to(&self, device: &DeviceId) -> Result<Vec<(String, Applied)>, Error> {
        let rows = sqlx::query("SELECT * FROM applied WHERE device = $1 ORDER BY gateway")
            .bind(device.as_bytes())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| Ok((row.try_get("gateway")?, applied(row)?))).collect()
    }

    /// What gateways enforce, for every device.
    pub async fn applied(&self) -> Result<Vec<(String, Applied)>, Error> {
        let rows =
            sqlx::query("SELECT * FROM applied ORDER BY device, gateway").fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok((row.try_get("gateway")?, applied(row)?))).collect()
    }

    /// Where a device was admitted.
    pub async fn bindings_of(&self, device: &DeviceId) -> Result<Vec<(String, Binding)>, Error> {
        let rows = sqlx::query("SELECT * FROM bindings WHERE device = $1 ORDER BY gateway")
            .bind(device.as_bytes())
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                let addresses: String = row.try_get("addresses")?;
                let addresses = serde_json::from_str(&addresses).map_err(|_| Error::Corrupt("addresses"))?;
                let device = DeviceId::new(row.try_get("device")?).ok_or(Error::Corrupt("device id"))?;
                Ok((row.try_get("gateway")?, Binding { device, mac: row.try_get("mac")?, addresses }))
            })
            .collect()
    }

    /// Every device in service with its newest signed result.
    pub async fn gateway_devices(&self) -> Result<Vec<GatewayDevice>, Error> {
        let rows = sqlx::query(
            "SELECT d.id, d.name, d.model, d.release, d.held_to, d.held_by,
             d.held_why, d.held_at, d.held_until, r.cwt
             FROM devices AS d LEFT JOIN results AS r ON r.id = d.result
             WHERE d.retired_at IS NULL ORDER BY d.id",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(GatewayDevice {
                    id: DeviceId::new(row.try_get("id")?).ok_or(Error::Corrupt("device id"))?,
                    name: row.try_get("name")?,
                    model: row.try_get("model")?,
                    result: row.try_get("cwt")?,
                    release: release_column(row, "release")?,
                    hold: hold(row)?,
                })
            })
            .collect()
    }
}

async fn see(
    transaction: &mut Transaction,
    name: String,
    revision: Option<u64>,
    at: Timestamp,
) -> Result<(), Error> {
    let known =
        sqlx::query("UPDATE gateways SET last_seen = $1, revision = coalesce($2, revision) WHERE name = $3")
            .bind(at.micros())
            .bind(revision.map(u64::cast_signed))
            .bind(name.clone())
            .execute(&mut transaction.connection)
            .await?;
    if known.rows_affected() == 0 {
        sqlx::query("INSERT INTO gateways (name, first_seen, last_seen, revision) VALUES ($1, $2, $2, coalesce($3, 0))")
            .bind(name.clone())
            .bind(at.micros())
            .bind(revision.map(u64::cast_signed))
            .execute(&mut transaction.connection)
            .await?;
        let subject = format!("gateway:{name}");
        transaction.audit(AuditEntry {
            at,
            actor: subject.clone(),
            action: "gateway.connect",
            subject,
            detail: json!({}),
        });
    }
    transaction.changed(Change::Gateway(name));
    Ok(())
}

/// Replaces the list of what a gateway staged; what is new or gone is audited.
async fn staged(
    transaction: &mut Transaction,
    gateway: &str,
    list: &[Staged],
    at: Timestamp,
) -> Result<(), Error> {
    let rows = sqlx::query("SELECT release FROM staged WHERE gateway = $1")
        .bind(gateway.to_owned())
        .fetch_all(&mut transaction.connection)
        .await?;
    let mut gone = Vec::new();
    for row in &rows {
        let release = release_column(row, "release")?.ok_or(Error::Corrupt("release digest"))?;
        if !list.iter().any(|staged| staged.release == release) {
            gone.push(release);
        }
    }
    for release in gone {
        sqlx::query("DELETE FROM staged WHERE gateway = $1 AND release = $2")
            .bind(gateway.to_owned())
            .bind(release.as_bytes().to_vec())
            .execute(&mut transaction.connection)
            .await?;
        transaction.audit(about(at, gateway, "gateway.unstage", json!({ "release": release.to_string() })));
    }
    for staged in list {
        let added = sqlx::query(
            "INSERT INTO staged (gateway, release, mud, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(gateway.to_owned())
        .bind(staged.release.as_bytes().to_vec())
        .bind(staged.mud.clone())
        .bind(at.micros())
        .execute(&mut transaction.connection)
        .await?;
        if added.rows_affected() == 1 {
            let detail = json!({ "release": staged.release.to_string(), "mud": staged.mud });
            transaction.audit(about(at, gateway, "gateway.stage", detail));
        }
    }
    Ok(())
}

async fn refused(
    transaction: &mut Transaction,
    gateway: &str,
    list: &[Refused],
    at: Timestamp,
) -> Result<(), Error> {
    let rows = sqlx::query("DELETE FROM refused WHERE gateway = $1 RETURNING object, reason")
        .bind(gateway.to_owned())
        .fetch_all(&mut transaction.connection)
        .await?;
    let mut before = Vec::with_capacity(rows.len());
    for row in &rows {
        before.push(Refused { object: row.try_get("object")?, reason: row.try_get("reason")? });
    }
    for refused in list {
        sqlx::query("INSERT OR REPLACE INTO refused (gateway, object, reason, at) VALUES ($1, $2, $3, $4)")
            .bind(gateway.to_owned())
            .bind(refused.object.clone())
            .bind(refused.reason.clone())
            .bind(at.micros())
            .execute(&mut transaction.connection)
            .await?;
        if !before.contains(refused) {
            let reason: Value = serde_json::from_str(&refused.reason).unwrap_or_default();
            let detail = json!({ "object": refused.object, "reason": reason });
            transaction.audit(about(at, gateway, "gateway.refuse", detail));
        }
    }
    Ok(())
}

async fn apply(
    transaction: &mut Transaction,
    gateway: &str,
    applied: Applied,
    at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO applied (gateway, device, profile, release, reasons, at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(gateway.to_owned())
    .bind(applied.device.as_bytes().to_vec())
    .bind(applied.profile.clone())
    .bind(applied.release.map(|release| release.as_bytes().to_vec()))
    .bind(applied.reasons.clone())
    .bind(applied.at.micros())
    .execute(&mut transaction.connection)
    .await?;
    let reasons: Value = serde_json::from_str(&applied.reasons).map_err(|_| Error::Corrupt("reasons"))?;
    transaction.audit(AuditEntry {
        at,
        actor: format!("gateway:{gateway}"),
        action: "gateway.apply",
        subject: format!("device:{}", applied.device),
        detail: json!({ "profile": applied.profile, "release": applied.release.map(|id| id.to_string()),
            "reasons": reasons, "at_ms": applied.at.millis() }),
    });
    transaction.changed(Change::Network(applied.device));
    Ok(())
}

async fn bind(
    transaction: &mut Transaction,
    gateway: &str,
    binding: Binding,
    at: Timestamp,
) -> Result<(), Error> {
    let addresses = serde_json::to_string(&binding.addresses).map_err(|_| Error::Corrupt("addresses"))?;
    let changed = sqlx::query(
        "INSERT INTO bindings (gateway, device, mac, addresses, at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (gateway, device) DO UPDATE
         SET mac = excluded.mac, addresses = excluded.addresses, at = excluded.at
         WHERE mac <> excluded.mac OR addresses <> excluded.addresses",
    )
    .bind(gateway.to_owned())
    .bind(binding.device.as_bytes().to_vec())
    .bind(binding.mac.clone())
    .bind(addresses)
    .bind(at.micros())
    .execute(&mut transaction.connection)
    .await?;
    // Devices prove themselves again with each result; only a change is worth a record.
    if changed.rows_affected() == 0 {
        return Ok(());
    }
    transaction.audit(AuditEntry {
        at,
        actor: format!("gateway:{gateway}"),
        action: "gateway.bind",
        subject: format!("device:{}", binding.device),
        detail: json!({ "mac": binding.mac, "addresses": binding.addresses }),
    });
    transaction.changed(Change::Network(binding.device));
    Ok(())
}

/// Remembers how a gateway stands. A change is audited: it may be that somebody opened a way round the rules.
async fn stands(
    transaction: &mut Transaction,
    gateway: &str,
    status: String,
    at: Timestamp,
) -> Result<(), Error> {
    let changed = sqlx::query("UPDATE gateways SET status = $2 WHERE name = $1 AND status <> $2")
        .bind(gateway.to_owned())
        .bind(status.clone())
        .execute(&mut transaction.connection)
        .await?
        .rows_affected();
    if changed > 0 {
        let status: Value = serde_json::from_str(&status).map_err(|_| Error::Corrupt("status"))?;
        transaction.audit(about(at, gateway, "gateway.stands", json!({ "status": status })));
    }
    Ok(())
}

fn about(at: Timestamp, gateway: &str, action: &'static str, detail: Value) -> AuditEntry {
    let subject = format!("gateway:{gateway}");
    AuditEntry { at, actor: subject.clone(), action, subject, detail }
}

fn applied(row: &SqliteRow) -> Result<Applied, Error> {
    Ok(Applied {
        device: DeviceId::new(row.try_get("device")?).ok_or(Error::Corrupt("device id"))?,
        profile: row.try_get("profile")?,
        release: release_column(row, "release")?,
        reasons: row.try_get("reasons")?,
        at: Timestamp::from_micros(row.try_get("at")?),
    })
}
