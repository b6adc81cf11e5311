//! What a release asks of the network: what of it is used, and what its devices were kept from.

use std::collections::{BTreeMap, BTreeSet};

use api::{DeclaredFlow, Dropped, ReleaseFlows};
use mud::{Entry, Verdict};
use store::{DeviceId, ReleaseId, Timestamp};

use crate::app::{App, Failure, gateways::violation_view, releases::hex, rfc3339, violations::why};

/// Dropped packets that are shown.
const MAX_DROPPED: usize = 200;

/// Reports that are looked through for them.
const MAX_REPORTS: u32 = 4096;

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
        let running = self.store.devices_running(id).await?;
        let running: BTreeSet<DeviceId> = running.into_iter().map(|device| device.id).collect();
        let dropped = self.store.violations(None, since, MAX_REPORTS).await?;
        let of_release = dropped
            .into_iter()
            .filter(|(_, seen)| seen.device.as_ref().is_some_and(|id| running.contains(id)));
        Ok(ReleaseFlows {
            manifest_digest: id.to_string(),
            mud_url: needs.url.clone(),
            mud_digest: hex(needs.digest.as_bytes()),
            flows: flows.collect(),
            dropped: of_release
                .take(MAX_DROPPED)
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
