//! Campaigns: canaries first, the policy staged before any device is offered the release, and success only by evidence.

use std::collections::{BTreeMap, BTreeSet};

use api::{CampaignState, DeviceProgress, Execution, Finished};
use crypto::{Digest, HashAlgorithm};
use store::{
    ActionId, AuthorityUpdateRecord, Campaign, CampaignChange, CampaignDevice, CampaignId, Device,
    DeviceChange, DeviceFilter, DeviceId, NewCampaign, Offer, ReleaseId,
};
use suit::UpdateAnswer;
use trust::{Code, Reason};

use crate::app::{
    App, Failure, reasons,
    releases::{Book, Entry},
    rfc3339,
};

/// What a person can do with a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// From draft to running.
    Start,
    /// From running to paused.
    Pause,
    /// From paused or halted to running; devices that failed or lacked something are tried again.
    Resume,
    /// To stopped, for good.
    Abort,
}

/// Devices in one campaign.
const MAX_DEVICES: u32 = 100_000;

impl App {
    /// Makes a campaign for the devices that match now.
    pub(crate) async fn create_campaign(
        &self,
        new: api::NewCampaign,
        actor: &str,
    ) -> Result<CampaignId, Failure> {
        let release: ReleaseId = new
            .release
            .parse()
            .map_err(|_| Failure::Malformed("release is no manifest digest".to_owned()))?;
        let book = self.book();
        let entry = book.get(&release).ok_or(Failure::NotFound)?;
        self.check_offerable(entry)?;
        let (selector, filter) = match (new.group, new.model) {
            (Some(group), None) => {
                (format!("group:{group}"), DeviceFilter { group: Some(group), ..DeviceFilter::default() })
            }
            (None, Some(model)) => {
                (format!("model:{model}"), DeviceFilter { model: Some(model), ..DeviceFilter::default() })
            }
            _ => return Err(Failure::Malformed("a campaign is for one group or one model".to_owned())),
        };
        let devices = self.store.devices(&DeviceFilter { limit: MAX_DEVICES, ..filter }).await?;
        if devices.is_empty() {
            return Err(Failure::Conflict(format!("no device matches {selector}")));
        }
        let canaries = new.canary as usize;
        let devices = devices
            .into_iter()
            .enumerate()
            .map(|(index, device)| (device.id, u32::from(index >= canaries)))
            .collect();
        let campaign = NewCampaign { release, selector, devices };
        Ok(self.store.add_campaign(campaign, actor, self.now()).await?)
    }

    /// Moves a campaign as a person wants.
    pub(crate) async fn steer_campaign(
        &self,
        id: CampaignId,
        verb: Verb,
        actor: &str,
    ) -> Result<(), Failure> {
        let campaign = self.store.campaign(id).await?.ok_or(Failure::NotFound)?;
        let state = CampaignState::from_text(&campaign.state);
        let to = match (verb, state) {
            (Verb::Start, Some(CampaignState::Draft)) => CampaignState::Running,
            (Verb::Pause, Some(CampaignState::Running)) => CampaignState::Paused,
            (Verb::Resume, Some(CampaignState::Paused | CampaignState::Halted)) => CampaignState::Running,
            (
                Verb::Abort,
                Some(
                    CampaignState::Draft
                    | CampaignState::Running
                    | CampaignState::Paused
                    | CampaignState::Halted,
                ),
            ) => CampaignState::Stopped,
            _ => return Err(Failure::Conflict(format!("the campaign is {}", campaign.state))),
        };
        if to == CampaignState::Running {
            let book = self.book();
            self.check_offerable(book.get(&campaign.release).ok_or(Failure::NotFound)?)?;
        }
        if state == Some(CampaignState::Halted) && to == CampaignState::Running {
            let parts = self.store.campaign_devices(id).await?;
            let stopped = [DeviceProgress::Failed, DeviceProgress::Unsupported].map(DeviceProgress::as_str);
            let stopped = parts.iter().filter(|part| stopped.contains(&part.state.as_str()));
            let again = stopped.map(|part| (part, DeviceProgress::Waiting, None)).collect();
            self.move_parts(again, actor).await?;
        }
        let change =
            CampaignChange { campaign: id, from: campaign.state, to: to.as_str().to_owned(), reason: None };
        self.store.change_campaign(change, actor, self.now()).await?;
        self.nudge.notify_one();
        Ok(())
    }

    /// What a device is offered now, or what it waits for.
    pub(crate) async fn offer_for(&self, device: &Device) -> Result<Result<Option<Offer>, Reason>, Failure> {
        let book = self.book();
        for offer in self.store.offers(&device.id).await? {
            if book.get(&offer.campaign.release).is_none_or(|entry| self.check_offerable(entry).is_err()) {
                continue;
            }
            if offer.part.wave > 0 && !self.store.canaries_passed(offer.campaign.id).await? {
                continue;
            }
            if self.unsupported(device, &offer.campaign.release).await?.is_some() {
                continue;
            }
            if let Some(reason) = self.not_staged(&offer.campaign.release, Some(&device.id), &book).await? {
                return Ok(Err(reason));
            }
            return Ok(Ok(Some(offer)));
        }
        Ok(Ok(None))
    }

    fn check_offerable(&self, entry: &Entry) -> Result<(), Failure> {
        self.not_offerable(entry).map_or(Ok(()), |reason| Err(Failure::Refused(reason)))
    }

    /// Why a release may not be offered to devices, now or any more.
    pub(crate) fn not_offerable(&self, entry: &Entry) -> Option<Reason> {
        if let Some((_, why)) = &entry.record.revoked {
            let reason = Reason::new(Code::ReleaseRevoked).with("version", &entry.record.version);
            return Some(reason.with("reason", why));
        }
        match &entry.verified {
            Ok(_) => self.check_scans(&entry.record.id).err(),
            Err(reason) => Some(reason.clone()),
        }
    }

    /// What a device is answered, signed for it and its question alone.
    pub(crate) fn update_answer(
        &self,
        device: &Device,
        nonce: &[u8],
        offer: Option<&Offer>,
        obeys: Option<&[u8; 32]>,
        authority_update: Option<&AuthorityUpdateRecord>,
    ) -> Result<Vec<u8>, Failure> {
        let sha256 = |bytes: &[u8]| {
            let digest = Digest::new(HashAlgorithm::Sha256, bytes);
            digest.ok_or_else(|| Failure::Fault("something is not named by its SHA-256".to_owned()))
        };
        let nonce = nonce.try_into();
        let answer = UpdateAnswer {
            device: device.id.as_bytes().to_vec(),
            nonce: nonce.map_err(|_| Failure::Malformed("`nonce` has another length".to_owned()))?,
            issued_at: u64::try_from(self.now().seconds()).unwrap_or_default(),
            offer: offer.map(|offer| sha256(offer.campaign.release.as_bytes())).transpose()?,
            obeys: obeys.map(|list| sha256(list)).transpose()?,
            authority_update: authority_update.map(|update| sha256(&update.digest)).transpose()?,
        };
        Ok(answer.sign(&self.update_key.signing, &self.update_key.kid))
    }

    /// Marks an offer as made.
    pub(crate) async fn offered(&self, offer: &Offer) -> Result<(), Failure> {
        if offer.part.state == DeviceProgress::Waiting.as_str() {
            self.move_part(&offer.part, DeviceProgress::Offered, None, "server").await?;
        }
        Ok(())
    }

    /// Takes what a device reports of an action. A report never counts as success.
    pub(crate) async fn feedback(
        &self,
        device: &DeviceId,
        action: ActionId,
        status: &api::FeedbackStatus,
    ) -> Result<(), Failure> {
        let offer = self.store.offer(action).await?.filter(|offer| offer.part.device == *device);
        let part = offer.ok_or(Failure::NotFound)?.part;
        let now = DeviceProgress::from_text(&part.state).ok_or(Failure::NotFound)?;
        if matches!(now, DeviceProgress::Attested | DeviceProgress::Failed | DeviceProgress::Unsupported) {
            return Ok(());
        }
        let actor = format!("device:{device}");
        let (to, reason) = match (status.execution, status.result.finished) {
            (Execution::Rejected | Execution::Canceled, _) | (_, Finished::Failure) => {
                (DeviceProgress::Failed, Some(reported(&status.details)))
            }
            (Execution::Closed, Finished::Success) => (DeviceProgress::Reported, None),
            _ => (DeviceProgress::Proceeding, None),
        };
        if to > now {
            self.move_part(&part, to, reason, &actor).await?;
            self.nudge.notify_one();
        }
        Ok(())
    }

    /// A campaign as the API shows it.
    pub(crate) async fn campaign_view(&self, campaign: Campaign) -> Result<api::Campaign, Failure> {
        let parts = self.store.campaign_devices(campaign.id).await?;
        let book = self.book();
        let state = CampaignState::from_text(&campaign.state)
            .ok_or_else(|| Failure::Fault("a campaign has no known state".to_owned()))?;
        let waits_for = match state {
            CampaignState::Running => self.not_staged(&campaign.release, None, &book).await?,
            _ => None,
        };
        let attested = parts.iter().filter(|part| part.state == DeviceProgress::Attested.as_str()).count();
        Ok(api::Campaign {
            id: campaign.id.0,
            release: campaign.release.to_string(),
            selector: campaign.selector,
            canary: campaign.canaries,
            state,
            reason: campaign.reason.as_deref().and_then(reasons::one_from_json),
            waits_for: waits_for.as_ref().map(reasons::to_api),
            created_at: rfc3339(campaign.created_at),
            created_by: campaign.created_by,
            attested: attested as u64,
            devices: parts.iter().filter_map(part_view).collect(),
        })
    }

    /// Which release each device of a running campaign is offered.
    pub(crate) async fn present_offers(&self) -> Result<BTreeMap<DeviceId, ReleaseId>, Failure> {
        let mut offers = BTreeMap::new();
        for campaign in self.store.campaigns().await? {
            if campaign.state != CampaignState::Running.as_str() {
                continue;
            }
            for part in self.store.campaign_devices(campaign.id).await? {
                let open = ["offered", "proceeding", "reported"].contains(&part.state.as_str());
                if open {
                    offers.entry(part.device).or_insert(campaign.release);
                }
            }
        }
        Ok(offers)
    }

    /// Moves one device's part.
    pub(crate) async fn move_part(
        &self,
        part: &CampaignDevice,
        to: DeviceProgress,
        reason: Option<Reason>,
        actor: &str,
    ) -> Result<(), Failure> {
        self.move_parts(vec![(part, to, reason)], actor).await
    }

    /// Moves devices' parts at once. Those that someone else moved meanwhile, from what they saw, stay.
    pub(crate) async fn move_parts(
        &self,
        moves: Vec<(&CampaignDevice, DeviceProgress, Option<Reason>)>,
        actor: &str,
    ) -> Result<(), Failure> {
        if moves.is_empty() {
            return Ok(());
        }
        let change = |(part, to, reason): (&CampaignDevice, DeviceProgress, Option<Reason>)| DeviceChange {
            action: part.id,
            from: part.state.clone(),
            to: to.as_str().to_owned(),
            reason: reason.as_ref().map(reasons::one_to_json),
        };
        self.store.change_parts(moves.into_iter().map(change).collect(), actor, self.now()).await?;
        Ok(())
    }

    /// Which gateways do not yet have the policy of a release: of those a device is behind, or of all when that is not
    /// known. Without any gateway there is nothing to stage.
    async fn not_staged(
        &self,
        release: &ReleaseId,
        device: Option<&DeviceId>,
        book: &Book,
    ) -> Result<Option<Reason>, Failure> {
        let needs = book
            .get(release)
            .and_then(|entry| entry.verified.as_ref().ok())
            .is_some_and(|verified| verified.release.network_needs().is_some());
        if !needs {
            return Ok(None);
        }
        let mut waiting: BTreeSet<String> = match device {
            Some(device) => {
                self.store.bindings_of(device).await?.into_iter().map(|(gateway, _)| gateway).collect()
            }
            None => BTreeSet::new(),
        };
        if waiting.is_empty() {
            waiting = self.store.gateways().await?.into_iter().map(|gateway| gateway.name).collect();
        }
        for staged in self.store.staged().await? {
            if staged.release == *release {
                waiting.remove(&staged.gateway);
            }
        }
        if waiting.is_empty() {
            return Ok(None);
        }
        let gateways: Vec<String> = waiting.into_iter().collect();
        let reason = Reason::new(Code::PolicyNotStaged)
            .with("gateways", gateways.join(", "))
            .with("version", book.version(release).unwrap_or_default());
        Ok(Some(reason))
    }
}

fn part_view(part: &CampaignDevice) -> Option<api::CampaignDevice> {
    Some(api::CampaignDevice {
        action: part.id.0,
        ueid: part.device.to_string(),
        wave: part.wave,
        state: DeviceProgress::from_text(&part.state)?,
        reason: part.reason.as_deref().and_then(reasons::one_from_json),
        at: rfc3339(part.at),
    })
}

/// The reason a device gives: the first detail that is a known code, the rest for people.
fn reported(details: &[String]) -> Reason {
    let code = details.iter().find_map(|detail| Code::from_text(detail)).unwrap_or(Code::MalformedObject);
    let text: Vec<String> = details.iter().take(8).map(|detail| detail.chars().take(120).collect()).collect();
    Reason::new(code).with("reported", text.join("; "))
}
