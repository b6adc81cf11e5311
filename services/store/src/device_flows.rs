//! What devices did, as gateways count it.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;

use crate::{DeviceId, Error, ReleaseId, Store, Timestamp, writer::Transaction};

/// Kinds of flows that are kept of one device: those that were seen last.
pub const MAX_DEVICE_FLOWS: i64 = 2048;

/// Flows of a device to or from one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFlow {
    /// The device. It may be one that is not enrolled.
    pub device: DeviceId,
    /// Who began them.
    pub direction: String,
    /// Protocol.
    pub protocol: String,
    /// The other end.
    pub remote: String,
    /// Port of the end that was called.
    pub port: u16,
    /// Name of the other end.
    pub name: Option<String>,
    /// How many began.
    pub flows: u64,
    /// Packets and octets that the device sent.
    pub sent: (u64, u64),
    /// Packets and octets that it got.
    pub received: (u64, u64),
    /// When the first was seen.
    pub first: Timestamp,
    /// When something was last seen.
    pub last: Timestamp,
}

impl Store {
    /// What a device did, the flows that were seen last first.
    pub async fn device_flows(&self, device: &DeviceId) -> Result<Vec<DeviceFlow>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM device_flows WHERE device = $1
             ORDER BY last_at DESC, direction, protocol, port, remote",
        )
        .bind(device.as_bytes().to_vec())
        .fetch_all(&self.readers)
        .await?;
        let count = |row: &sqlx::sqlite::SqliteRow, column| {
            Ok::<u64, Error>(row.try_get::<i64, _>(column)?.cast_unsigned())
        };
        rows.iter()
            .map(|row| {
                Ok(DeviceFlow {
                    device: device.clone(),
                    direction: row.try_get("direction")?,
                    protocol: row.try_get("protocol")?,
                    remote: row.try_get("remote")?,
                    port: row.try_get("port")?,
                    name: row.try_get("name")?,
                    flows: count(row, "flows")?,
                    sent: (count(row, "sent_packets")?, count(row, "sent_octets")?),
                    received: (count(row, "received_packets")?, count(row, "received_octets")?),
                    first: Timestamp::from_micros(row.try_get("first_at")?),
                    last: Timestamp::from_micros(row.try_get("last_at")?),
                })
            })
            .collect()
    }

    /// Addresses for which devices of a release were given each name, as far as they used them.
    pub async fn names_of_release(
        &self,
        release: &ReleaseId,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
        let rows = sqlx::query(
            "SELECT DISTINCT f.name AS name, f.remote AS remote FROM devices AS d
             JOIN device_flows AS f ON f.device = d.id WHERE d.release = $1 AND f.name IS NOT NULL",
        )
        .bind(release.as_bytes().to_vec())
        .fetch_all(&self.readers)
        .await?;
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in &rows {
            names.entry(row.try_get("name")?).or_default().insert(row.try_get("remote")?);
        }
        Ok(names)
    }
}

/// Adds what a gateway counted since its last report, and forgets what was not seen for longest where it is too much.
pub(crate) async fn add(transaction: &mut Transaction, flows: Vec<DeviceFlow>) -> Result<(), Error> {
    let mut devices = BTreeSet::new();
    for flow in flows {
        sqlx::query(
            "INSERT INTO device_flows (device, direction, protocol, remote, port, name, flows, sent_packets,
             sent_octets, received_packets, received_octets, first_at, last_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO UPDATE SET
             name = iif(excluded.last_at >= last_at, coalesce(excluded.name, name), coalesce(name, excluded.name)),
             flows = min(flows + excluded.flows, 9007199254740991),
             sent_packets = min(sent_packets + excluded.sent_packets, 9007199254740991),
             sent_octets = min(sent_octets + excluded.sent_octets, 9007199254740991),
             received_packets = min(received_packets + excluded.received_packets, 9007199254740991),
             received_octets = min(received_octets + excluded.received_octets, 9007199254740991),
             first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)",
        )
        .bind(flow.device.as_bytes().to_vec())
        .bind(flow.direction)
        .bind(flow.protocol)
        .bind(flow.remote)
        .bind(flow.port)
        .bind(flow.name)
        .bind(number(flow.flows))
        .bind(number(flow.sent.0))
        .bind(number(flow.sent.1))
        .bind(number(flow.received.0))
        .bind(number(flow.received.1))
        .bind(flow.first.micros())
        .bind(flow.last.micros())
        .execute(&mut transaction.connection)
        .await?;
        devices.insert(flow.device);
    }
    for device in devices {
        sqlx::query(
            "DELETE FROM device_flows WHERE device = $1 AND last_at < (SELECT last_at FROM device_flows
             WHERE device = $1 ORDER BY last_at DESC LIMIT 1 OFFSET $2)",
        )
        .bind(device.as_bytes().to_vec())
        .bind(MAX_DEVICE_FLOWS - 1)
        .execute(&mut transaction.connection)
        .await?;
    }
    Ok(())
}

/// As much as JSON's numbers tell apart.
fn number(count: u64) -> i64 {
    count.min((1 << 53) - 1).cast_signed()
}
