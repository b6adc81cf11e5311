use api::{CampaignState, DeviceProgress};
use store::{Campaign, CampaignChange, CampaignDevice};
use trust::{Code, Posture, Reason};

use crate::app::{App, Failure, reasons, rfc3339};

/// Moves every running campaign on: by evidence to success, by refusals and silence to failure.
///
/// A device that cannot process the release has not failed: nothing was tried on it, so it says nothing against the
/// release and does not halt the campaign. It proves nothing either: where no canary can process the release, the
/// campaign halts, because nobody tried it before the rest would be offered it.
pub(super) async fn reconcile(app: &App) -> Result<(), Failure> {
    for campaign in app.store.campaigns().await? {
        if campaign.state == CampaignState::Running.as_str() {
            advance(app, &campaign).await?;
        }
    }
    Ok(())
}

async fn advance(app: &App, campaign: &Campaign) -> Result<(), Failure> {
    if let Some(reason) = app.book().get(&campaign.release).and_then(|entry| app.not_offerable(entry)) {
        return change(app, campaign, CampaignState::Halted, Some(reason)).await;
    }
    let limit = i64::try_from(app.config.trial_limit.as_secs()).unwrap_or(i64::MAX);
    let began_before = app.now().plus_seconds(-limit);
    // What a device reported does not count: its newest evidence must have matched the release.
    let left = app.store.remainder(campaign, Posture::Trusted.as_str(), began_before).await?;
    let attested = left.attested.iter().map(|part| (part, DeviceProgress::Attested, None));
    let overdue =
        left.overdue.iter().map(|part| (part, DeviceProgress::Failed, Some(overdue(app, campaign, part))));
    let moves: Vec<_> = attested.chain(overdue).collect();
    let moved = !moves.is_empty();
    app.move_parts(moves, "server").await?;
    let late_canary = left.overdue.iter().find(|part| part.wave == 0).map(|_| Code::TrialTimeout);
    let told = left.failed_canary.and_then(|part| part.reason.as_deref().and_then(reasons::one_from_json));
    let told = told.map(|reason| Code::from_text(&reason.code).unwrap_or(Code::NotAffirmed));
    if let Some(code) = late_canary.or(told) {
        return change(app, campaign, CampaignState::Halted, Some(Reason::new(code))).await;
    }
    if let Some(part) = left.unsupported_canary.filter(|_| !moved) {
        let lacks = part.reason.as_deref().and_then(reasons::one_from_json);
        let detail = lacks.map(|lacks| lacks.detail).unwrap_or_default();
        let reason = detail
            .iter()
            .fold(Reason::new(Code::ReleaseUnsupported), |reason, (name, value)| reason.with(name, value));
        return change(app, campaign, CampaignState::Halted, Some(reason)).await;
    }
    match (moved, left.open) {
        // A device may have moved its part meanwhile: what is open now, another round finds out.
        (true, _) => app.nudge.notify_one(),
        (false, 0) => change(app, campaign, CampaignState::Done, None).await?,
        (false, _) => {}
    }
    Ok(())
}

/// Why a device failed that took too long since it began.
fn overdue(app: &App, campaign: &Campaign, part: &CampaignDevice) -> Reason {
    let version = app.book().version(&campaign.release).unwrap_or_default().to_owned();
    Reason::new(Code::TrialTimeout)
        .with("version", version)
        .with("s", app.config.trial_limit.as_secs())
        .with("since", rfc3339(part.at))
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
