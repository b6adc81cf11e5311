//! What a release asks of the network: what of it is used, and what its devices were kept from.

use std::collections::BTreeMap;

use api::{DeclaredFlow, Dropped, ReleaseFlows};
use mud::{Entry, Verdict};
use store::{ReleaseId, Timestamp};

use crate::app::{App, Failure, gateways::violation_view, releases::hex, rfc3339, violations::why};

/// Dropped packets that are shown.
const MAX_DROPPED: u32 = 200;

impl App {
    /// The needs of a release, the flows that began by each, and what its devices were kept from within a day.
    pub(crate) async fn release_flows(&self, id: &ReleaseId) -> Result<ReleaseFlows, Failure> {
        let book = self.book();
        let release = book.get(id).and_then(|entry| entry.release()).ok_or(Failure::NotFound)?;
        let needs = release.network_needs().ok_or(Failure::NotFound)?;
        let mut used: BTreeMap<(String, String), (u64, Timestamp)> = BTreeMap::new();
        for counted in self.store.flow_uses(id).await? {
            let (flows, last) = used.entry((counted.acl, counted.ace)).or_insert((0, counted.last));
            *flows = flows.saturating_add(counted.flows);
            *last = (*last).max(counted.last);
        }
        let flows = needs.policy.entries.iter().map(|entry| {
            let found = used.get(&(entry.ace.acl.clone(), entry.ace.ace.clone()));
            declared(entry, found.copied())
        });
        let since = self.now().plus_seconds(-DAY);
        let dropped = self.store.violations_of_release(id, since, MAX_DROPPED).await?;
        Ok(ReleaseFlows {
            manifest_digest: id.to_string(),
            mud_url: needs.url.clone(),
            mud_digest: hex(needs.digest.as_bytes()),
            flows: flows.collect(),
            dropped: dropped
                .into_iter()
                .map(|(gateway, seen)| {
                    let why = why(&seen, needs);
                    Dropped { gateway, why, packets: violation_view(seen) }
                })
                .collect(),
        })
    }
}

fn declared(entry: &Entry, used: Option<(u64, Timestamp)>) -> DeclaredFlow {
    let verdict = match entry.verdict {
        Verdict::Accept => "accept",
        Verdict::Drop => "drop",
        Verdict::Reject => "reject",
    };
    DeclaredFlow {
        acl: entry.ace.acl.clone(),
        ace: entry.ace.ace.clone(),
        default: entry.default,
        flow: entry.to_string(),
        verdict: verdict.to_owned(),
        used: used.map_or(0, |(flows, _)| flows),
        last_used: used.map(|(_, last)| rfc3339(last)),
    }
}

const DAY: i64 = 24 * 3600;
