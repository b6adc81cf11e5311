//! Devices without attestation and the MUD files of their URLs, as gateways tell of them. Gateways decide; this server
//! shows what they told, and relays what people want.

use api::{MudCheck, NetworkDevice, NetworkModel, OfGateway};
use mud::MudUrl;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use store::{DeviceId, Told};

use crate::app::{App, Failure};

/// How long a gateway that was away is still told of a check, in seconds.
const KEEP_CHECKS: i64 = 24 * 3600;
/// Longest description of a model or a device in a report, in bytes.
const MAX_TOLD: usize = 64 << 10;
/// Longest URL.
const MAX_URL: usize = 2048;

impl App {
    /// The files of MUD URLs, at all gateways.
    pub(crate) async fn network_models(&self) -> Result<Vec<OfGateway<NetworkModel>>, Failure> {
        Ok(read(self.store.network_models().await?))
    }

    /// Devices without attestation, at all gateways.
    pub(crate) async fn network_devices(&self) -> Result<Vec<OfGateway<NetworkDevice>>, Failure> {
        Ok(read(self.store.network_devices().await?))
    }

    /// Has gateways look for a new file of a URL.
    pub(crate) async fn check_mud(&self, url: &str, actor: &str) -> Result<(), Failure> {
        let url = MudUrl::parse(url).filter(|url| url.as_str().len() <= MAX_URL);
        let url = url.ok_or_else(|| Failure::Malformed("`url` is an https URL".to_owned()))?;
        let models = self.network_models().await?;
        if !models.iter().any(|model| model.told.url == url.as_str()) {
            return Err(Failure::NotFound);
        }
        self.store.check_mud(url.to_string(), actor.to_owned(), self.now()).await?;
        Ok(())
    }

    /// What gateways are asked to check.
    pub(crate) async fn mud_checks(&self) -> Result<Vec<MudCheck>, Failure> {
        let found = self.store.mud_checks(self.now().plus_seconds(-KEEP_CHECKS)).await?;
        Ok(found.into_iter().map(|(url, at)| MudCheck { url, at_ms: at.millis() }).collect())
    }
}

/// What was stored as it was told. Nothing here is acted upon, so what cannot be read is left out.
fn read<T: DeserializeOwned>(stored: Vec<(String, String)>) -> Vec<OfGateway<T>> {
    let one = |(gateway, told): (String, String)| {
        Some(OfGateway { gateway, told: serde_json::from_str(&told).ok()? })
    };
    stored.into_iter().filter_map(one).collect()
}

/// A model of a report, for the store.
pub(super) fn model(model: NetworkModel) -> Result<Told<String>, Failure> {
    if model.url.len() > MAX_URL {
        return Err(Failure::Malformed("a MUD URL is too long".to_owned()));
    }
    let summary = json!({
        "state": model.state.as_str(),
        "source": model.source,
        "in_force": model.in_force.as_ref().map(|file| &file.digest),
        "offered": model.offered.as_ref().map(|offered| &offered.digest),
        "reasons": model.offered.as_ref().map(|offered| codes(&offered.reasons)),
        "fault": model.fault.as_ref().map(|fault| &fault.code),
    });
    told(model.url.clone(), &model, &summary)
}

/// A device of a report, for the store.
pub(super) fn device(device: NetworkDevice) -> Result<Told<DeviceId>, Failure> {
    let id = device.ueid.parse().map_err(|_| Failure::Malformed("a ueid is none".to_owned()))?;
    let summary = json!({
        "access": device.access.as_str(),
        "url": device.url,
        "offered_url": device.offered_url,
        "digest": device.digest,
        "reasons": codes(&device.reasons),
    });
    told(id, &device, &summary)
}

fn told<K>(key: K, all: &impl Serialize, summary: &Value) -> Result<Told<K>, Failure> {
    let told = serde_json::to_string(all).map_err(|error| Failure::Fault(error.to_string()))?;
    if told.len() > MAX_TOLD {
        return Err(Failure::Malformed(format!("a model or a device takes at most {MAX_TOLD} bytes")));
    }
    Ok(Told { key, told, summary: summary.to_string() })
}

fn codes(reasons: &[api::Reason]) -> Vec<&str> {
    reasons.iter().map(|reason| reason.code.as_str()).collect()
}
