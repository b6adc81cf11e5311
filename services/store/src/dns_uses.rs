//! What devices asked the resolvers of gateways.

use sqlx::Row as _;

use crate::{DeviceId, Error, Store, Timestamp, writer::Transaction};

/// What a device asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsUse {
    /// The device.
    pub device: DeviceId,
    /// Questions; and of these for names that there are not, names outside the policy, public names with private addresses, names
    /// of resolvers that devices are kept from, and names as tunnels have them.
    pub counts: [u64; 6],
    /// The domain of the last of those that a tunnel may have.
    pub domain: Option<String>,
    /// When it was last counted.
    pub last: Timestamp,
}

impl Store {
    /// What a device asked, by gateway.
    pub async fn dns_uses(&self, device: &DeviceId) -> Result<Vec<(String, DnsUse)>, Error> {
        let rows = sqlx::query("SELECT * FROM dns_uses WHERE device = $1 ORDER BY gateway")
            .bind(device.as_bytes().to_vec())
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                let mut counts = [0; 6];
                for (count, column) in counts.iter_mut().zip(COLUMNS) {
                    *count = row.try_get::<i64, _>(column)?.cast_unsigned();
                }
                let used = DnsUse {
                    device: device.clone(),
                    counts,
                    domain: row.try_get("domain")?,
                    last: Timestamp::from_micros(row.try_get("last_at")?),
                };
                Ok((row.try_get("gateway")?, used))
            })
            .collect()
    }
}

/// Adds what a gateway counted since its last report.
pub(crate) async fn add(transaction: &mut Transaction, gateway: &str, used: DnsUse) -> Result<(), Error> {
    let mut query = sqlx::query(
        "INSERT INTO dns_uses (gateway, device, domain, last_at, queries, nxdomain, outside, private, blocked, tunnel)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO UPDATE SET
         domain = coalesce(excluded.domain, domain), last_at = max(last_at, excluded.last_at),
         queries = min(queries + excluded.queries, 9007199254740991),
         nxdomain = min(nxdomain + excluded.nxdomain, 9007199254740991),
         outside = min(outside + excluded.outside, 9007199254740991),
         private = min(private + excluded.private, 9007199254740991),
         blocked = min(blocked + excluded.blocked, 9007199254740991),
         tunnel = min(tunnel + excluded.tunnel, 9007199254740991)",
    )
    .bind(gateway.to_owned())
    .bind(used.device.as_bytes().to_vec())
    .bind(used.domain)
    .bind(used.last.micros());
    for count in used.counts {
        query = query.bind(count.min(MAX_COUNT).cast_signed());
    }
    query.execute(&mut transaction.connection).await?;
    Ok(())
}

/// In the order of [`DnsUse::counts`].
const COLUMNS: [&str; 6] = ["queries", "nxdomain", "outside", "private", "blocked", "tunnel"];
/// The largest count that every reader of JSON can read.
const MAX_COUNT: u64 = 9_007_199_254_740_991;
