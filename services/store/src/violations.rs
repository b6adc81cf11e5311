//! What gateways dropped, by device and far end, as counts that grow.

use sqlx::{Row, sqlite::SqliteRow};

use crate::{Change, DeviceId, Error, ReleaseId, Store, Timestamp, writer::Transaction};

/// Packets that a gateway dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The device, if the gateway knows it.
    pub device: Option<DeviceId>,
    /// MAC address.
    pub mac: String,
    /// Source address.
    pub src: String,
    /// Destination address.
    pub dst: String,
    /// Protocol's name or number.
    pub protocol: String,
    /// Source port, 0 where there is none.
    pub sport: u16,
    /// Destination port, 0 where there is none.
    pub dport: u16,
    /// Which way.
    pub direction: String,
    /// Log group of the rule that dropped them.
    pub group: u16,
    /// What was wrong, in a word.
    pub class: String,
    /// The device whose address or MAC was used without the other.
    pub imitated: Option<DeviceId>,
    /// DNS name of the far end, if the gateway saw one.
    pub name: Option<String>,
    /// What is wrong with the handshake, where that is why.
    pub tls: Option<String>,
    /// How many.
    pub count: u64,
    /// When the first was seen.
    pub first: Timestamp,
    /// When the last was seen.
    pub last: Timestamp,
}

impl Store {
    /// Packets dropped since a time, newest first; of one device or of all.
    pub async fn violations(
        &self,
        device: Option<&DeviceId>,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(String, Violation)>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM violations WHERE ($1 IS NULL OR device = $1) AND last_at >= $2
             ORDER BY last_at DESC LIMIT $3",
        )
        .bind(device.map(DeviceId::as_bytes))
        .bind(since.micros())
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok((row.try_get("gateway")?, violation(row)?))).collect()
    }

    /// Packets dropped since a time, newest first, that a device sent or was sent, or that somebody sent with its MAC or address.
    pub async fn violations_about(
        &self,
        device: &DeviceId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(String, Violation)>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM violations WHERE (device = $1 OR imitated = $1 OR (class = 'spoofed-binding'
             AND mac IN (SELECT mac FROM bindings WHERE device = $1))) AND last_at >= $2
             ORDER BY last_at DESC LIMIT $3",
        )
        .bind(device.as_bytes())
        .bind(since.micros())
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok((row.try_get("gateway")?, violation(row)?))).collect()
    }

    /// Packets dropped since a time of the devices in service that run a release, newest first.
    pub async fn violations_of_release(
        &self,
        release: &ReleaseId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(String, Violation)>, Error> {
        let rows = sqlx::query(
            "SELECT v.* FROM devices AS d JOIN violations AS v ON v.device = d.id
             WHERE d.release = $1 AND d.retired_at IS NULL AND v.last_at >= $2
             ORDER BY v.last_at DESC LIMIT $3",
        )
        .bind(release.as_bytes().to_vec())
        .bind(since.micros())
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok((row.try_get("gateway")?, violation(row)?))).collect()
    }
}

pub(crate) async fn add(
    transaction: &mut Transaction,
    gateway: &str,
    violation: Violation,
) -> Result<(), Error> {
    // A count that grew since the last report replaces the smaller one, and the last packet the one before.
    sqlx::query(
        "INSERT INTO violations (gateway, device, mac, src, dst, protocol, sport, dport, direction, log_group, name,
         count, first_at, last_at, class, imitated, tls)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         ON CONFLICT (gateway, mac, dst, protocol, dport, direction, first_at) DO UPDATE SET
         src = iif(excluded.last_at >= last_at, excluded.src, src),
         sport = iif(excluded.last_at >= last_at, excluded.sport, sport),
         count = max(count, excluded.count), last_at = max(last_at, excluded.last_at),
         log_group = excluded.log_group, tls = coalesce(excluded.tls, tls),
         name = coalesce(excluded.name, name), device = coalesce(excluded.device, device)",
    )
    .bind(gateway.to_owned())
    .bind(violation.device.as_ref().map(|device| device.as_bytes().to_vec()))
    .bind(violation.mac)
    .bind(violation.src)
    .bind(violation.dst)
    .bind(violation.protocol)
    .bind(violation.sport)
    .bind(violation.dport)
    .bind(violation.direction)
    .bind(violation.group)
    .bind(violation.name)
    .bind(violation.count.cast_signed())
    .bind(violation.first.micros())
    .bind(violation.last.micros())
    .bind(violation.class)
    .bind(violation.imitated.as_ref().map(|device| device.as_bytes().to_vec()))
    .bind(violation.tls)
    .execute(&mut transaction.connection)
    .await?;
    for device in violation.device.into_iter().chain(violation.imitated) {
        transaction.changed(Change::Network(device));
    }
    Ok(())
}

fn violation(row: &SqliteRow) -> Result<Violation, Error> {
    let device = |column| {
        let id: Option<Vec<u8>> = row.try_get(column)?;
        id.map(|id| DeviceId::new(&id).ok_or(Error::Corrupt("device id"))).transpose()
    };
    Ok(Violation {
        device: device("device")?,
        class: row.try_get("class")?,
        imitated: device("imitated")?,
        mac: row.try_get("mac")?,
        src: row.try_get("src")?,
        dst: row.try_get("dst")?,
        protocol: row.try_get("protocol")?,
        sport: row.try_get("sport")?,
        dport: row.try_get("dport")?,
        direction: row.try_get("direction")?,
        group: row.try_get("log_group")?,
        name: row.try_get("name")?,
        tls: row.try_get("tls")?,
        count: row.try_get::<i64, _>("count")?.unsigned_abs(),
        first: Timestamp::from_micros(row.try_get("first_at")?),
        last: Timestamp::from_micros(row.try_get("last_at")?),
    })
}
