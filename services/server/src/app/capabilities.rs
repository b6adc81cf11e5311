//! What devices say that they can process, and what that means for what they are offered.

use api::DeviceProgress;
use cose::Key;
use store::{Device, ReleaseId};
use suit::{Capabilities, SignedReport};
use trust::{Code, Reason};

use crate::app::{App, Failure};

/// Features that a reason names.
const MAX_NAMED: usize = 6;

impl App {
    /// Why a device cannot process a release, by its newest authentic capability report. Of a device that never sent one
    /// nothing is known, and it judges for itself.
    pub(crate) async fn unsupported(
        &self,
        device: &Device,
        release: &ReleaseId,
    ) -> Result<Option<Reason>, Failure> {
        let Some(capabilities) = self.capabilities(device).await? else { return Ok(None) };
        self.lacking(&capabilities, release).await
    }

    /// Moves the parts of a device in running campaigns to what it can process now, there and back.
    pub(crate) async fn weigh_offers(&self, device: &Device) -> Result<(), Failure> {
        let parts = self.store.parts_to_begin(&device.id).await?;
        if parts.is_empty() {
            return Ok(());
        }
        let Some(capabilities) = self.capabilities(device).await? else { return Ok(()) };
        for offer in parts {
            let lacks = self.lacking(&capabilities, &offer.campaign.release).await?;
            let is_unsupported = offer.part.state == DeviceProgress::Unsupported.as_str();
            let to = match (lacks.is_some(), is_unsupported) {
                (true, false) => DeviceProgress::Unsupported,
                (false, true) => DeviceProgress::Waiting,
                _ => continue,
            };
            self.move_part(&offer.part, to, lacks, "server").await?;
            self.nudge.notify_one();
        }
        Ok(())
    }

    /// What a device said last that it can process, verified again as it is read.
    async fn capabilities(&self, device: &Device) -> Result<Option<Capabilities>, Failure> {
        let Some(record) = self.store.capability_report(&device.id).await? else { return Ok(None) };
        let key =
            Key::decode(&device.key).map_err(|_| Failure::Fault("a stored key cannot be read".to_owned()))?;
        let report = SignedReport::decode(&record.bytes).and_then(|report| report.verify(key.public(), None));
        match report {
            Ok(report) => Ok(report.report().capabilities.clone()),
            Err(error) => {
                tracing::warn!(device.id = %device.id, %error, "a stored report does not hold any more");
                Ok(None)
            }
        }
    }

    async fn lacking(
        &self,
        capabilities: &Capabilities,
        release: &ReleaseId,
    ) -> Result<Option<Reason>, Failure> {
        let book = self.book();
        let verified = book.get(release).and_then(|entry| entry.verified.as_ref().ok());
        // What does not verify is not offered anyway.
        let Some(verified) = verified else { return Ok(None) };
        let root = verified.manifest.open();
        let (_, authorities) = self.authorities().await?;
        let inner = authorities.map(|list| verified.dependencies(&root, &list)).unwrap_or_default();
        let lacks = |manifest| suit::can_process(capabilities, manifest).err().unwrap_or_default();
        let mut missing: Vec<String> =
            std::iter::once(&root).chain(&inner).flat_map(lacks).map(|what| what.to_string()).collect();
        missing.dedup();
        if missing.is_empty() {
            return Ok(None);
        }
        let more = missing.len().saturating_sub(MAX_NAMED);
        missing.truncate(MAX_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let reason = Reason::new(Code::ReleaseUnsupported)
            .with("version", verified.release.version())
            .with("missing", format!("{}{more}", missing.join(", ")));
        Ok(Some(reason))
    }
}
