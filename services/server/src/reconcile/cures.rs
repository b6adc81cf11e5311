use api::{CampaignState, DeviceProgress};
use store::Device;
use trust::{Code, Posture};

use crate::{
    app::{App, Failure, reasons},
    reconcile::{BATCH, campaigns},
};

/// What installing the release again mends: software that is not what the device attested before.
const MENDABLE: [Code; 5] = [
    Code::DigestMismatch,
    Code::ComponentMissing,
    Code::ComponentUnknown,
    Code::MixedReleases,
    Code::ManifestMismatch,
];

/// Offers a release again to devices that attested it and fell away from it. A campaign wants its devices to run its
/// release, and goes on wanting that when it is done: so nobody has to ask for the cure.
pub(super) async fn reconcile(app: &App) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let untrusted = Posture::Untrusted.as_str();
        let devices = app.store.devices_in_posture(untrusted, after.as_ref(), BATCH).await?;
        let Some(last) = devices.last() else { return Ok(()) };
        after = Some(last.id.clone());
        for device in devices.iter().filter(|device| is_mendable(device)) {
            offer_again(app, device).await?;
        }
    }
}

async fn offer_again(app: &App, device: &Device) -> Result<(), Failure> {
    let Some(offer) = app.store.newest_part(&device.id).await? else { return Ok(()) };
    let state = CampaignState::from_text(&offer.campaign.state);
    let attested = offer.part.state == DeviceProgress::Attested.as_str();
    if !attested || !matches!(state, Some(CampaignState::Running | CampaignState::Done)) {
        return Ok(());
    }
    if state == Some(CampaignState::Done) {
        campaigns::change(app, &offer.campaign, CampaignState::Running, None).await?;
    }
    app.move_part(&offer.part, DeviceProgress::Waiting, None, "server").await
}

fn is_mendable(device: &Device) -> bool {
    let codes = reasons::from_json(&device.reasons);
    codes.iter().filter_map(|reason| Code::from_text(&reason.code)).any(|code| MENDABLE.contains(&code))
}
