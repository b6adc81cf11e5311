//! Devices with campaigns over them.

use serde_json::{Value, json};

use super::{Device, Maker, Site, hex, manifest_digest};

/// A fleet that runs 1.0.0, and 1.1.0 accepted.
pub struct Fleet {
    pub site: Site,
    pub devices: Vec<Device>,
    pub old: Vec<u8>,
    pub new: Vec<u8>,
}

impl Fleet {
    pub fn new(count: u8) -> Self {
        Self::with(count, |_| {})
    }

    pub fn with(count: u8, change: impl FnOnce(&mut sextant_server::Config)) -> Self {
        let (site, maker) = (Site::with(change), Maker::new());
        site.put_authorities(&maker);
        let (old, new) = (maker.release("1.0.0", 1, b"app 1.0.0"), maker.release("1.1.0", 2, b"app 1.1.0"));
        site.publish(&old).expect(201);
        site.publish(&new).expect(201);
        let devices: Vec<Device> = (1..=count).map(Device::new).collect();
        site.enrol(&devices.iter().collect::<Vec<_>>()).expect(201);
        Self { site, devices, old, new }
    }

    pub fn digest(&self) -> String {
        hex(manifest_digest(&self.new).as_bytes())
    }

    pub fn token(&self, device: usize, app: &[u8]) -> String {
        self.site.attest(&self.devices[device], app, None).device_token.unwrap()
    }

    pub fn campaign(&self, canary: u32) -> String {
        let new = json!({ "release": self.digest(), "model": "welcome-cam", "canary": canary });
        let id = self.site.post("/api/v1/campaigns", new).expect(201).json()["id"].to_string();
        format!("/api/v1/campaigns/{id}")
    }

    pub fn poll(&self, device: usize, token: &str) -> Value {
        let path = format!("/default/controller/v1/{}", self.devices[device].ueid());
        self.site.call("GET", &path, Some(token), "", None).expect(200).json()
    }

    pub fn offered(&self, device: usize, token: &str) -> Option<String> {
        let href = self.poll(device, token)["_links"]["deploymentBase"]["href"].as_str()?.to_owned();
        Some(href[href.find("/default").unwrap()..].to_owned())
    }

    pub fn feedback(&self, action: &str, token: &str, execution: &str, finished: &str, details: Value) {
        let body = json!({ "status": { "execution": execution, "result": { "finished": finished }, "details": details } });
        let path = format!("{action}/feedback");
        self.site
            .call("POST", &path, Some(token), "application/json", Some(body.to_string().as_bytes()))
            .expect(200);
    }

    pub fn state(&self, campaign: &str) -> String {
        self.site.get(campaign).expect(200).json()["state"].as_str().unwrap().to_owned()
    }

    pub fn report(&self, gateway: &str, report: Value) {
        self.site
            .call(
                "POST",
                "/api/v1/gateway/report",
                Some(gateway),
                "application/json",
                Some(report.to_string().as_bytes()),
            )
            .expect(204);
    }
}
