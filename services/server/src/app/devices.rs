use std::str::FromStr;

use api::{EventOfDevice, NetworkState, ResultSummary};
use serde_json::Value;
use store::{AuditRecord, Device, DeviceFilter, DeviceId, ReleaseId, Timestamp};

use crate::app::{App, Failure, gateways, holds, reasons, releases::Book, rfc3339};

/// Devices on one page of the API.
pub(crate) const MAX_PAGE: u32 = 500;
/// What is shown of the past.
const TIMELINE: u32 = 50;
const RESULTS: u32 = 10;
const VIOLATIONS: u32 = 50;

impl App {
    /// The device in service with this id or name.
    pub(crate) async fn find_device(&self, id_or_name: &str) -> Result<Device, Failure> {
        let by_id = match DeviceId::from_str(id_or_name) {
            Ok(id) => self.store.device(&id).await?,
            Err(_) => None,
        };
        match by_id {
            Some(device) => Ok(device),
            None => self.store.device_named(id_or_name).await?.ok_or(Failure::NotFound),
        }
    }

    /// Devices that match a filter.
    pub(crate) async fn list_devices(
        &self,
        query: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Device>, Failure> {
        let mut filter = read_filter(query, self.now())?;
        filter.limit = limit.clamp(1, MAX_PAGE);
        filter.after = match after {
            Some(text) => {
                Some(text.parse().map_err(|_| Failure::Malformed("`after` is no device id".to_owned()))?)
            }
            None => None,
        };
        Ok(self.store.devices(&filter).await?)
    }

    /// Takes a device out of service. Whoever shared its key is judged again.
    pub(crate) async fn retire(&self, id: &DeviceId, actor: &str) -> Result<(), Failure> {
        let device = self.store.device(id).await?.ok_or(Failure::NotFound)?;
        self.store.retire(id, actor, self.now()).await?;
        for twin in self.store.devices_with_key(&device.thumbprint).await? {
            self.reappraise(&twin.id).await?;
        }
        Ok(())
    }

    /// A device as the API shows it.
    pub(crate) fn device_view(&self, device: &Device, book: &Book) -> api::Device {
        api::Device {
            ueid: device.id.to_string(),
            name: device.name.clone(),
            model: device.model.clone(),
            group: device.group.clone(),
            posture: device.posture.clone(),
            access: device.access.clone(),
            violating: device.violating,
            reasons: reasons::from_json(&device.reasons),
            release: device.release.as_ref().map(ReleaseId::to_string),
            version: device.release.as_ref().and_then(|release| book.version(release)).map(str::to_owned),
            attested_at: device.attested_at.map(rfc3339),
            enrolled_at: rfc3339(device.enrolled_at),
            retired_at: device.retired_at.map(rfc3339),
            hold: self.hold_in_force(device).map(holds::view),
            decision: device.decision.map(|decision| decision.0),
        }
    }

    /// Everything a device page needs.
    pub(crate) async fn device_detail(&self, device: &Device) -> Result<api::DeviceDetail, Failure> {
        let results = self.store.results_about(&device.id, RESULTS).await?;
        let network = self.network_of(device).await?;
        let present = match device.result {
            Some(id) => self.store.result(id).await?,
            None => None,
        };
        Ok(api::DeviceDetail {
            device: self.device_view(device, &self.book()),
            key: api::Base64Url(device.key.clone()),
            thumbprint: crate::app::releases::hex(&device.thumbprint),
            answers: self.answers(device, &network).await?,
            comparison: self.comparison(device, present.as_ref()).await?,
            results: results
                .into_iter()
                .map(|result| ResultSummary {
                    id: result.id.0,
                    received_at: rfc3339(result.received_at),
                    expires_at: rfc3339(Timestamp::from_seconds(result.expires)),
                    tier: result.tier,
                    release: result.release.map(|release| release.to_string()),
                    reasons: reasons::from_json(&result.reasons),
                    authentic: result.authentic,
                    result: api::Base64Url(result.cwt),
                    evidence: api::Base64Url(result.evidence),
                })
                .collect(),
            network,
            timeline: self.timeline(&device.id).await?,
        })
    }

    /// What gateways do with a device.
    pub(crate) async fn network_of(&self, device: &Device) -> Result<NetworkState, Failure> {
        let since = self.now().plus_seconds(-24 * 3600);
        let applied = self.store.applied_to(&device.id).await?;
        let bindings = self.store.bindings_of(&device.id).await?;
        let violations = self.store.violations_about(&device.id, since, VIOLATIONS).await?;
        let dns = self.store.dns_uses(&device.id).await?;
        Ok(NetworkState {
            applied: applied
                .into_iter()
                .map(|(gateway, applied)| (gateway, gateways::applied_view(applied)))
                .collect(),
            bindings: bindings
                .into_iter()
                .map(|(gateway, binding)| {
                    let ueid = binding.device.to_string();
                    (gateway, api::Binding { ueid, mac: binding.mac, addresses: binding.addresses })
                })
                .collect(),
            violations: violations
                .into_iter()
                .map(|(gateway, violation)| (gateway, gateways::violation_view(violation)))
                .collect(),
            dns: dns.into_iter().map(|(gateway, used)| (gateway, gateways::dns_view(used))).collect(),
        })
    }

    /// What happened to a device, newest first.
    pub(crate) async fn timeline(&self, id: &DeviceId) -> Result<Vec<EventOfDevice>, Failure> {
        let records = self.store.audit_about(&format!("device:{id}"), TIMELINE).await?;
        Ok(records.iter().filter_map(event).collect())
    }
}

/// A record of the audit chain as an event.
pub(crate) fn event(record: &AuditRecord) -> Option<EventOfDevice> {
    let body: Value = serde_json::from_str(&record.record).ok()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(EventOfDevice {
        sequence: record.sequence,
        at: rfc3339(Timestamp::from_micros(body.get("at").and_then(Value::as_i64)?)),
        actor: text("actor"),
        action: text("action"),
        subject: text("subject"),
        detail: body.get("detail").cloned().unwrap_or_default(),
    })
}

/// The filter language, as far as it goes now: `posture:`, `model:`, `group:`, `held:` and a bare word for names.
fn read_filter(query: &str, now: Timestamp) -> Result<DeviceFilter, Failure> {
    let mut filter = DeviceFilter::default();
    let mut held = None;
    for term in query.split_whitespace() {
        let (field, value) = match term.split_once(':') {
            Some(("posture", value)) => (&mut filter.posture, value),
            Some(("model", value)) => (&mut filter.model, value),
            Some(("group", value)) => (&mut filter.group, value),
            Some(("name", value)) => (&mut filter.name, value),
            Some(("held", value)) => (&mut held, value),
            Some((field, _)) => return Err(Failure::Malformed(format!("no field `{field}`"))),
            None => (&mut filter.name, term),
        };
        if field.replace(value.to_owned()).is_some() {
            return Err(Failure::Malformed(format!("`{term}` is one term too many for its field")));
        }
    }
    filter.held = held.map(|word| (word, now));
    Ok(filter)
}
