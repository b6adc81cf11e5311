use api::{CampaignState, DeviceProgress};
use store::{Campaign, CampaignChange, CampaignDevice};
use trust::{Code, Posture, Reason};

use crate::app::{App, Failure, reasons, rfc3339};

/// Moves every running campaign on: by evidence to success, by refusals and silence to failure.
pub(super) async fn reconcile(app: &App) -> Result<(), Failure> {
    for campaign in app.store.campaigns().await? {
        if campaign.state == CampaignState::Running.as_str() {
            advance(app, &campaign).await?;
        }
    }
    Ok(())
}

async fn advance(app: &App, campaign: &Campaign) -> Result<(), Failure> {
    if let Some(reason) = withdrawn(app, campaign) {
        return change(app, campaign, CampaignState::Halted, Some(reason)).await;
    }
    let mut open = 0;
    let mut failed_canary = None;
    for part in app.store.campaign_devices(campaign.id).await? {
        let step = DeviceProgress::from_text(&part.state);
        let step = match step {
            Some(DeviceProgress::Attested | DeviceProgress::Failed) | None => step,
            Some(_) if attested(app, campaign, &part).await? => {
                app.move_part(&part, DeviceProgress::Attested, None, "server").await?;
                Some(DeviceProgress::Attested)
            }
            Some(step) => match overdue(app, campaign, &part, step) {
                Some(reason) => {
                    app.move_part(&part, DeviceProgress::Failed, Some(reason.clone()), "server").await?;
                    if part.wave == 0 {
                        failed_canary.get_or_insert(reasons::to_api(&reason));
                    }
                    Some(DeviceProgress::Failed)
                }
                None => Some(step),
            },
        };
        match step {
            Some(DeviceProgress::Attested) | None => {}
            Some(DeviceProgress::Failed) => {
                if part.wave == 0 {
                    let told = part.reason.as_deref().and_then(reasons::one_from_json);
                    failed_canary = failed_canary.or(told);
                }
            }
            Some(_) => open += 1,
        }
    }
    if let Some(reason) = failed_canary {
        let reason = Reason::new(Code::from_text(&reason.code).unwrap_or(Code::NotAffirmed));
        return change(app, campaign, CampaignState::Halted, Some(reason)).await;
    }
    if open == 0 {
        return change(app, campaign, CampaignState::Done, None).await;
    }
    Ok(())
}

/// Why the release may not be offered any more.
fn withdrawn(app: &App, campaign: &Campaign) -> Option<Reason> {
    let book = app.book();
    let entry = book.get(&campaign.release)?;
    match (&entry.record.revoked, &entry.verified) {
        (Some((_, why)), _) => {
            Some(Reason::new(Code::ReleaseRevoked).with("version", &entry.record.version).with("reason", why))
        }
        (None, Err(reason)) => Some(reason.clone()),
        (None, Ok(_)) => None,
    }
}

/// Whether the device's newest evidence matched the release. What it reported does not count.
async fn attested(app: &App, campaign: &Campaign, part: &CampaignDevice) -> Result<bool, Failure> {
    let device = app.store.device(&part.device).await?;
    Ok(device.is_some_and(|device| {
        device.release == Some(campaign.release) && device.posture == Posture::Trusted.as_str()
    }))
}

/// Whether a device took too long since it began.
fn overdue(app: &App, campaign: &Campaign, part: &CampaignDevice, step: DeviceProgress) -> Option<Reason> {
    if !matches!(step, DeviceProgress::Proceeding | DeviceProgress::Reported) {
        return None;
    }
    let limit = app.config.trial_limit.as_secs();
    let ends = part.at.plus_seconds(i64::try_from(limit).unwrap_or(i64::MAX));
    let version = app.book().version(&campaign.release).unwrap_or_default().to_owned();
    (app.now() >= ends).then(|| {
        Reason::new(Code::TrialTimeout)
            .with("version", version)
            .with("s", limit)
            .with("since", rfc3339(part.at))
    })
}

/// Moves a campaign by itself.
pub(super) async fn change(
    app: &App,
    campaign: &Campaign,
    to: CampaignState,
    reason: Option<Reason>,
) -> Result<(), Failure> {
    let change = CampaignChange {
        campaign: campaign.id,
        from: campaign.state.clone(),
        to: to.as_str().to_owned(),
        reason: reason.as_ref().map(reasons::one_to_json),
    };
    match app.store.change_campaign(change, "server", app.now()).await {
        // A person moved it meanwhile.
        Ok(()) | Err(store::Error::Conflict(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
