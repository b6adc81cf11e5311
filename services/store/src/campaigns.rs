use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    ActionId, AuditEntry, CampaignId, Change, DeviceId, Error, ReleaseId, Store, Timestamp,
    writer::Transaction,
};

/// A campaign to begin, with the devices it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCampaign {
    /// What is offered.
    pub release: ReleaseId,
    /// How its devices were chosen, for people: `model:…` or `group:…`.
    pub selector: String,
    /// Its devices in the order of their waves; wave 0 are the canaries.
    pub devices: Vec<(DeviceId, u32)>,
}

/// A campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// What is offered.
    pub release: ReleaseId,
    /// How its devices were chosen.
    pub selector: String,
    /// How many canaries it has.
    pub canaries: u32,
    /// Its state's word.
    pub state: String,
    /// Why it is in that state, a JSON reason.
    pub reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

/// One device's part in a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignDevice {
    /// The action id of the update API.
    pub id: ActionId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The device.
    pub device: DeviceId,
    /// Its wave; 0 are the canaries.
    pub wave: u32,
    /// How far it came.
    pub state: String,
    /// Why it failed, a JSON reason.
    pub reason: Option<String>,
    /// When its state last changed.
    pub at: Timestamp,
}

/// A device's part together with its campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The campaign.
    pub campaign: Campaign,
    /// The device's part.
    pub part: CampaignDevice,
}

/// A move of a campaign from one state to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignChange {
    /// The campaign.
    pub campaign: CampaignId,
    /// The state it must be in.
    pub from: String,
    /// The state it goes to.
    pub to: String,
    /// Why, a JSON reason.
    pub reason: Option<String>,
}

/// A move of one device's part from one state to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceChange {
    /// The part.
    pub action: ActionId,
    /// The state it must be in.
    pub from: String,
    /// The state it goes to.
    pub to: String,
    /// Why, a JSON reason.
    pub reason: Option<String>,
}

/// What is left of a running campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remainder {
    /// How many parts are not finished.
    pub open: u64,
    /// Open parts whose device was found to run the campaign's release, and is in the posture that counts.
    pub attested: Vec<CampaignDevice>,
    /// Open parts whose device began and took too long.
    pub overdue: Vec<CampaignDevice>,
    /// The first canary that failed.
    pub failed_canary: Option<CampaignDevice>,
    /// The first canary, where none of them can process the release.
    pub unsupported_canary: Option<CampaignDevice>,
}

/// Asked at every poll of every device of a campaign: it must not look at devices that are no canaries.
pub(crate) const CANARIES: &str =
    "SELECT count(*) AS canaries, count(*) FILTER (WHERE state = 'attested') AS attested,
     count(*) FILTER (WHERE state NOT IN ('attested', 'unsupported')) AS open
     FROM campaign_devices WHERE campaign = $1 AND wave = 0";

impl Store {
    /// Remembers a campaign in state `draft`, its devices in state `waiting`.
    pub async fn add_campaign(
        &self,
        campaign: NewCampaign,
        actor: &str,
        at: Timestamp,
    ) -> Result<CampaignId, Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let canaries = campaign.devices.iter().filter(|(_, wave)| *wave == 0).count();
                    let id = sqlx::query(
                        "INSERT INTO campaigns (release, selector, canaries, state, created_at, created_by, changed_at)
                         VALUES ($1, $2, $3, 'draft', $4, $5, $4)",
                    )
                    .bind(campaign.release.as_bytes().to_vec())
                    .bind(campaign.selector.clone())
                    .bind(i64::try_from(canaries).map_err(|_| Error::Corrupt("canaries"))?)
                    .bind(at.micros())
                    .bind(actor.clone())
                    .execute(&mut transaction.connection)
                    .await?
                    .last_insert_rowid();
                    for (device, wave) in &campaign.devices {
                        sqlx::query(
                            "INSERT INTO campaign_devices (campaign, device, wave, state, at)
                             VALUES ($1, $2, $3, 'waiting', $4)",
                        )
                        .bind(id)
                        .bind(device.as_bytes().to_vec())
                        .bind(*wave)
                        .bind(at.micros())
                        .execute(&mut transaction.connection)
                        .await?;
                    }
                    let id = CampaignId(id);
                    let detail = json!({ "release": campaign.release.to_string(), "selector": campaign.selector,
                        "devices": campaign.devices.len(), "canaries": canaries });
                    transaction.audit(AuditEntry {
                        at,
                        actor,
                        action: "campaign.create",
                        subject: format!("campaign:{id}"),
                        detail,
                    });
                    transaction.changed(Change::Campaign(id));
                    Ok(id)
                })
            })
            .await
    }

    /// One campaign.
    pub async fn campaign(&self, id: CampaignId) -> Result<Option<Campaign>, Error> {
        let row = sqlx::query("SELECT * FROM campaigns WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(campaign).transpose()
    }

    /// Every campaign, newest first.
    pub async fn campaigns(&self) -> Result<Vec<Campaign>, Error> {
        let rows = sqlx::query("SELECT * FROM campaigns ORDER BY id DESC").fetch_all(&self.readers).await?;
        rows.iter().map(campaign).collect()
    }

    /// The devices of a campaign, wave by wave.
    pub async fn campaign_devices(&self, id: CampaignId) -> Result<Vec<CampaignDevice>, Error> {
        let rows = sqlx::query(
            "SELECT id AS action, campaign, device, wave, state AS part_state, reason AS part_reason, at
             FROM campaign_devices WHERE campaign = $1 ORDER BY wave, id",
        )
        .bind(id.0)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(part).collect()
    }

    /// What is left of a campaign: which of its open parts are to be moved, and how many there are. Devices attest by
    /// being found to run the release in this posture, and are overdue when they began before a time.
    pub async fn remainder(
        &self,
        campaign: &Campaign,
        posture: &str,
        began_before: Timestamp,
    ) -> Result<Remainder, Error> {
        let rows = sqlx::query(
            "SELECT d.id AS action, d.campaign, d.device, d.wave, d.state AS part_state, d.reason AS part_reason, d.at,
             devices.release IS $2 AND devices.posture = $3 AS is_attested
             FROM campaign_devices AS d JOIN devices ON devices.id = d.device
             WHERE d.campaign = $1 AND d.state NOT IN ('attested', 'failed')
             AND ((devices.release IS $2 AND devices.posture = $3)
              OR (d.state IN ('proceeding', 'reported') AND d.at <= $4)) ORDER BY d.wave, d.id",
        )
        .bind(campaign.id.0)
        .bind(campaign.release.as_bytes())
        .bind(posture)
        .bind(began_before.micros())
        .fetch_all(&self.readers)
        .await?;
        let mut remainder = Remainder::default();
        for row in &rows {
            let parts = match row.try_get("is_attested")? {
                true => &mut remainder.attested,
                false => &mut remainder.overdue,
            };
            parts.push(part(row)?);
        }
        let row = sqlx::query(
            "SELECT count(*) FROM campaign_devices
             WHERE campaign = $1 AND state NOT IN ('attested', 'failed', 'unsupported')",
        )
        .bind(campaign.id.0)
        .fetch_one(&self.readers)
        .await?;
        remainder.open = row.try_get::<i64, _>(0)?.unsigned_abs();
        let row = sqlx::query(
            "SELECT id AS action, campaign, device, wave, state AS part_state, reason AS part_reason, at
             FROM campaign_devices WHERE campaign = $1 AND wave = 0 AND state = 'failed' ORDER BY id LIMIT 1",
        )
        .bind(campaign.id.0)
        .fetch_optional(&self.readers)
        .await?;
        remainder.failed_canary = row.as_ref().map(part).transpose()?;
        let rows = sqlx::query(
            "SELECT id AS action, campaign, device, wave, state AS part_state, reason AS part_reason, at
             FROM campaign_devices WHERE campaign = $1 AND wave = 0 AND state = 'unsupported' ORDER BY id",
        )
        .bind(campaign.id.0)
        .fetch_all(&self.readers)
        .await?;
        let none_can = rows.len() == campaign.canaries as usize;
        remainder.unsupported_canary = rows.first().filter(|_| none_can).map(part).transpose()?;
        Ok(remainder)
    }

    /// Whether a campaign goes on after its canaries: each attested the release or cannot process it, and one attested
    /// it. A campaign without canaries has nothing to wait for.
    pub async fn canaries_passed(&self, id: CampaignId) -> Result<bool, Error> {
        let row = sqlx::query(CANARIES).bind(id.0).fetch_one(&self.readers).await?;
        let count = |name: &str| row.try_get::<i64, _>(name);
        Ok(count("open")? == 0 && (count("attested")? > 0 || count("canaries")? == 0))
    }

    /// A device's parts in running campaigns that are not finished, newest campaign first.
    pub async fn offers(&self, device: &DeviceId) -> Result<Vec<Offer>, Error> {
        let rows = sqlx::query(
            "SELECT campaigns.*, d.id AS action, d.campaign, d.device, d.wave, d.state AS part_state,
             d.reason AS part_reason, d.at
             FROM campaign_devices AS d JOIN campaigns ON campaigns.id = d.campaign
             WHERE d.device = $1 AND campaigns.state = 'running' AND d.state NOT IN ('attested', 'failed', 'unsupported')
             ORDER BY campaigns.id DESC",
        )
        .bind(device.as_bytes())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(offer).collect()
    }

    /// A device's parts in running campaigns that it has not begun with, whether it can process the release or not.
    pub async fn parts_to_begin(&self, device: &DeviceId) -> Result<Vec<Offer>, Error> {
        let rows = sqlx::query(
            "SELECT campaigns.*, d.id AS action, d.campaign, d.device, d.wave, d.state AS part_state,
             d.reason AS part_reason, d.at
             FROM campaign_devices AS d JOIN campaigns ON campaigns.id = d.campaign
             WHERE d.device = $1 AND campaigns.state = 'running' AND d.state IN ('waiting', 'offered', 'unsupported')
             ORDER BY campaigns.id DESC",
        )
        .bind(device.as_bytes())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(offer).collect()
    }

    /// A device's part in the newest campaign that was started and not ended by a person.
    pub async fn newest_part(&self, device: &DeviceId) -> Result<Option<Offer>, Error> {
        let row = sqlx::query(
            "SELECT campaigns.*, d.id AS action, d.campaign, d.device, d.wave, d.state AS part_state,
             d.reason AS part_reason, d.at
             FROM campaign_devices AS d JOIN campaigns ON campaigns.id = d.campaign
             WHERE d.device = $1 AND campaigns.state NOT IN ('draft', 'stopped')
             ORDER BY campaigns.id DESC LIMIT 1",
        )
        .bind(device.as_bytes())
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(offer).transpose()
    }

    /// A part in any campaign, with its campaign.
    pub async fn offer(&self, action: ActionId) -> Result<Option<Offer>, Error> {
        let row = sqlx::query(
            "SELECT campaigns.*, d.id AS action, d.campaign, d.device, d.wave, d.state AS part_state,
             d.reason AS part_reason, d.at
             FROM campaign_devices AS d JOIN campaigns ON campaigns.id = d.campaign WHERE d.id = $1",
        )
        .bind(action.0)
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(offer).transpose()
    }

    /// Moves a campaign; a conflict when it is no longer in the state it should start from.
    pub async fn change_campaign(
        &self,
        change: CampaignChange,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let CampaignChange { campaign, from, to, reason } = change;
                    let changed = sqlx::query(
                        "UPDATE campaigns SET state = $1, reason = $2, changed_at = $3 WHERE id = $4 AND state = $5",
                    )
                    .bind(to.clone())
                    .bind(reason.clone())
                    .bind(at.micros())
                    .bind(campaign.0)
                    .bind(from.clone())
                    .execute(&mut transaction.connection)
                    .await?;
                    if changed.rows_affected() == 0 {
                        return Err(Error::Conflict("the campaign's state"));
                    }
                    transaction.audit(AuditEntry {
                        at,
                        actor,
                        action: "campaign.change",
                        subject: format!("campaign:{campaign}"),
                        detail: json!({ "from": from, "to": to, "reason": as_json(reason) }),
                    });
                    transaction.changed(Change::Campaign(campaign));
                    Ok(())
                })
            })
            .await
    }

    /// Moves one device's part; a conflict when it is no longer in the state it should start from.
    pub async fn change_part(&self, change: DeviceChange, actor: &str, at: Timestamp) -> Result<(), Error> {
        match self.change_parts(vec![change], actor, at).await? {
            0 => Err(Error::Conflict("the device's state")),
            _ => Ok(()),
        }
    }

    /// Moves many devices' parts at once. One that is no longer in the state it should start from stays as it is; gives
    /// how many were moved.
    pub async fn change_parts(
        &self,
        changes: Vec<DeviceChange>,
        actor: &str,
        at: Timestamp,
    ) -> Result<usize, Error> {
        let actor = actor.to_owned();
        self.writer
            .write(move |transaction| {
                Box::pin(async move {
                    let mut moved = 0;
                    for change in changes {
                        moved += usize::from(move_part(transaction, change, &actor, at).await?);
                    }
                    Ok(moved)
                })
            })
            .await
    }
}

/// Moves one part inside a transaction, if it is in the state it should start from.
async fn move_part(
    transaction: &mut Transaction,
    change: DeviceChange,
    actor: &str,
    at: Timestamp,
) -> Result<bool, Error> {
    let DeviceChange { action, from, to, reason } = change;
    let row = sqlx::query(
        "UPDATE campaign_devices SET state = $1, reason = $2, at = $3
         WHERE id = $4 AND state = $5 RETURNING campaign, device",
    )
    .bind(to.clone())
    .bind(reason.clone())
    .bind(at.micros())
    .bind(action.0)
    .bind(from.clone())
    .fetch_optional(&mut transaction.connection)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let campaign = CampaignId(row.try_get("campaign")?);
    let device = DeviceId::new(row.try_get("device")?).ok_or(Error::Corrupt("device id"))?;
    transaction.audit(AuditEntry {
        at,
        actor: actor.to_owned(),
        action: "campaign.device",
        subject: format!("device:{device}"),
        detail: json!({ "campaign": campaign.0, "from": from, "to": to, "reason": as_json(reason) }),
    });
    transaction.changed(Change::Campaign(campaign));
    transaction.changed(Change::Device(device));
    Ok(true)
}

fn as_json(reason: Option<String>) -> serde_json::Value {
    reason.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn campaign(row: &SqliteRow) -> Result<Campaign, Error> {
    Ok(Campaign {
        id: CampaignId(row.try_get("id")?),
        release: ReleaseId::from_bytes(row.try_get("release")?).ok_or(Error::Corrupt("release digest"))?,
        selector: row.try_get("selector")?,
        canaries: row.try_get("canaries")?,
        state: row.try_get("state")?,
        reason: row.try_get("reason")?,
        created_at: Timestamp::from_micros(row.try_get("created_at")?),
        created_by: row.try_get("created_by")?,
        changed_at: Timestamp::from_micros(row.try_get("changed_at")?),
    })
}

fn part(row: &SqliteRow) -> Result<CampaignDevice, Error> {
    Ok(CampaignDevice {
        id: ActionId(row.try_get("action")?),
        campaign: CampaignId(row.try_get("campaign")?),
        device: DeviceId::new(row.try_get("device")?).ok_or(Error::Corrupt("device id"))?,
        wave: row.try_get("wave")?,
        state: row.try_get("part_state")?,
        reason: row.try_get("part_reason")?,
        at: Timestamp::from_micros(row.try_get("at")?),
    })
}

fn offer(row: &SqliteRow) -> Result<Offer, Error> {
    Ok(Offer { campaign: campaign(row)?, part: part(row)? })
}
