//! Flows that began by entries of releases' MUD files, as gateways count them.

use sqlx::Row as _;

use crate::{Error, ReleaseId, Store, Timestamp, writer::Transaction};

/// Flows that a gateway saw begin by one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowUse {
    /// The release whose file it is in.
    pub release: ReleaseId,
    /// The list; empty for what every device may do.
    pub acl: String,
    /// The entry.
    pub ace: String,
    /// How many.
    pub flows: u64,
    /// When they were counted.
    pub at: Timestamp,
}

/// Flows that began by one entry, at one gateway, since it first told of any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedFlows {
    /// The gateway.
    pub gateway: String,
    /// The list.
    pub acl: String,
    /// The entry.
    pub ace: String,
    /// How many.
    pub flows: u64,
    /// When the gateway first told of some.
    pub first: Timestamp,
    /// When it last did.
    pub last: Timestamp,
}

impl Store {
    /// Flows that began by the entries of a release's file.
    pub async fn flow_uses(&self, release: &ReleaseId) -> Result<Vec<CountedFlows>, Error> {
        let rows = sqlx::query("SELECT * FROM flow_uses WHERE release = $1 ORDER BY acl, ace, gateway")
            .bind(release.as_bytes().to_vec())
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(CountedFlows {
                    gateway: row.try_get("gateway")?,
                    acl: row.try_get("acl")?,
                    ace: row.try_get("ace")?,
                    flows: row.try_get::<i64, _>("flows")?.cast_unsigned(),
                    first: Timestamp::from_micros(row.try_get("first_at")?),
                    last: Timestamp::from_micros(row.try_get("last_at")?),
                })
            })
            .collect()
    }
}

/// Adds what a gateway counted since its last report.
pub(crate) async fn add(transaction: &mut Transaction, gateway: &str, used: FlowUse) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO flow_uses (gateway, release, acl, ace, flows, first_at, last_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO UPDATE SET
         flows = min(flows + excluded.flows, 9007199254740991), last_at = max(last_at, excluded.last_at)",
    )
    .bind(gateway.to_owned())
    .bind(used.release.as_bytes().to_vec())
    .bind(used.acl)
    .bind(used.ace)
    // As much as JSON's numbers tell apart.
    .bind(used.flows.min((1 << 53) - 1).cast_signed())
    .bind(used.at.micros())
    .execute(&mut transaction.connection)
    .await?;
    Ok(())
}
