//! What an operator does for a fleet, over the API that operators have: enrols it, rolls releases out, asks for postures.

use std::collections::BTreeMap;

use crate::{Error, client::Client};

/// Devices enrolled at once: one transaction of the server.
const BATCH: usize = 1000;
/// Devices on one page.
const PAGE: usize = 500;

/// An operator of the server.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    client: Client,
}

impl Operator {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Devices of a group that are in service, by UEID.
    pub(crate) fn devices(&self, group: &str) -> Result<BTreeMap<String, api::Device>, Error> {
        let mut devices = BTreeMap::new();
        let mut after = String::new();
        loop {
            let path = format!("/api/v1/devices?q=group:{group}&limit={PAGE}{after}");
            let page: api::Page<api::Device> = self.client.get(&path)?;
            devices.extend(page.items.into_iter().map(|device| (device.ueid.clone(), device)));
            match page.next {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(devices),
            }
        }
    }

    /// Enrols devices, batch by batch; each is enrolled as a whole or not at all.
    pub(crate) fn enrol(
        &self,
        devices: &[api::EnrolDevice],
        mut hear: impl FnMut(usize),
    ) -> Result<(), Error> {
        let mut done = 0;
        for batch in devices.chunks(BATCH) {
            self.client.send_json("POST", "/api/v1/devices", &batch)?;
            done += batch.len();
            hear(done);
        }
        Ok(())
    }

    /// Says whose releases the server accepts.
    pub(crate) fn put_authorities(&self, list: &[u8]) -> Result<(), Error> {
        self.client.send_bytes("PUT", "/api/v1/authorities", api::AUTHORITIES, list)
    }

    /// Publishes a release; gives its digest.
    pub(crate) fn publish(&self, envelope: &[u8]) -> Result<String, Error> {
        let accepted: api::Accepted = self.client.post("/api/v1/releases", api::SUIT_ENVELOPE, envelope)?;
        Ok(accepted.manifest_digest)
    }

    /// Begins to offer a release to all devices of a model, to some of them first.
    pub(crate) fn roll_out(&self, release: &str, model: &str, canary: u32) -> Result<(), Error> {
        let new = api::NewCampaign {
            release: release.to_owned(),
            group: None,
            model: Some(model.to_owned()),
            canary,
        };
        let campaign: api::Campaign = self.client.post_json("/api/v1/campaigns", &new)?;
        let path = format!("/api/v1/campaigns/{}/start", campaign.id);
        self.client.send_bytes("POST", &path, "application/json", b"")
    }
}
