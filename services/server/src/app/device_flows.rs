//! What a device did on the network, what it was kept from, and what the file of its release says of each.

use api::{DeviceFlows, Dropped, FlowRecord};
use store::{DeviceFlow, DeviceId, ReleaseId};
use trust::NetworkNeeds;

use crate::app::{
    App, Failure,
    gateways::violation_view,
    violations::{SPOOFED, why, why_open},
};

/// Dropped packets that are shown.
const MAX_DROPPED: u32 = 200;
const DAY: i64 = 24 * 3600;

impl App {
    /// Flows of a device by its name or UEID; of one that is not enrolled by its UEID.
    pub(crate) async fn device_flows(&self, id_or_name: &str) -> Result<DeviceFlows, Failure> {
        let (id, release) = match self.find_device(id_or_name).await {
            Ok(device) => (device.id, device.release),
            Err(Failure::NotFound) => (id_or_name.parse::<DeviceId>().map_err(|_| Failure::NotFound)?, None),
            Err(failure) => return Err(failure),
        };
        let needs = |release: &ReleaseId| self.book().get(release)?.release()?.network_needs().cloned();
        let needs: Option<NetworkNeeds> = release.as_ref().and_then(needs);
        let flows = self.store.device_flows(&id).await?;
        let since = self.now().plus_seconds(-DAY);
        let dropped = self.store.violations_about(&id, since, MAX_DROPPED).await?;
        Ok(DeviceFlows {
            ueid: id.to_string(),
            flows: flows.into_iter().map(|flow| view(flow, needs.as_ref())).collect(),
            dropped: dropped
                .into_iter()
                .map(|(gateway, seen)| {
                    // What somebody sent in its place is no flow of its release.
                    let needs = needs.as_ref().filter(|_| seen.class != SPOOFED);
                    let why = needs.and_then(|needs| why(&seen, needs));
                    Dropped { gateway, why, packets: violation_view(seen) }
                })
                .collect(),
        })
    }
}

fn view(flow: DeviceFlow, needs: Option<&NetworkNeeds>) -> FlowRecord {
    let why = needs.and_then(|needs| why_open(&flow, needs));
    FlowRecord {
        ueid: flow.device.to_string(),
        direction: flow.direction,
        protocol: flow.protocol,
        remote: flow.remote,
        name: flow.name,
        port: flow.port,
        flows: flow.flows,
        sent_packets: flow.sent.0,
        sent_octets: flow.sent.1,
        received_packets: flow.received.0,
        received_octets: flow.received.1,
        first_ms: flow.first.millis(),
        last_ms: flow.last.millis(),
        why,
    }
}
