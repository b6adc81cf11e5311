use serde::{Deserialize, Serialize};

use crate::Reason;

/// A campaign to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCampaign {
    /// Manifest digest of the release, hexadecimal.
    pub release: String,
    /// All devices of this group.
    #[serde(default)]
    pub group: Option<String>,
    /// All devices of this model.
    #[serde(default)]
    pub model: Option<String>,
    /// How many are offered it first.
    #[serde(default)]
    pub canary: u32,
}

/// A campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Its id.
    pub id: i64,
    /// Manifest digest of the release.
    pub release: String,
    /// Which devices: `group:…` or `model:…`.
    pub selector: String,
    /// How many are offered it first.
    pub canary: u32,
    /// How far it is.
    pub state: CampaignState,
    /// Why it is in that state.
    pub reason: Option<Reason>,
    /// What it waits for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Reason>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// By whom.
    pub created_by: String,
    /// How many of its devices attested the release.
    pub attested: u64,
    /// Its devices, wave by wave.
    pub devices: Vec<CampaignDevice>,
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CampaignState {
    /// Not started.
    Draft,
    /// Devices are offered the release.
    Running,
    /// A person paused it.
    Paused,
    /// It paused by itself.
    Halted,
    /// Every device attested the release, failed, or cannot process it.
    Done,
    /// A person ended it.
    Stopped,
}

impl CampaignState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Draft, Self::Running, Self::Paused, Self::Halted, Self::Done, Self::Stopped];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Halted => "halted",
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }

    /// The state with this word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// One device's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignDevice {
    /// Action id of the update API.
    pub action: i64,
    /// UEID, hexadecimal.
    pub ueid: String,
    /// Wave; 0 are the canaries.
    pub wave: u32,
    /// How far it came.
    pub state: DeviceProgress,
    /// Why it failed, or what it lacks.
    pub reason: Option<Reason>,
    /// When that changed (RFC 3339).
    pub at: String,
}

/// How far a device came. Only the last good step is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceProgress {
    /// Its turn has not come.
    Waiting,
    /// It was offered the release.
    Offered,
    /// It reports to be fetching or installing.
    Proceeding,
    /// It reports to have installed it.
    Reported,
    /// Its evidence matched the release.
    Attested,
    /// It refused, or did not attest it.
    Failed,
    /// It said that it cannot process the release, so it is not offered it.
    Unsupported,
}

impl DeviceProgress {
    /// Every step.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Offered,
        Self::Proceeding,
        Self::Reported,
        Self::Attested,
        Self::Failed,
        Self::Unsupported,
    ];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Offered => "offered",
            Self::Proceeding => "proceeding",
            Self::Reported => "reported",
            Self::Attested => "attested",
            Self::Failed => "failed",
            Self::Unsupported => "unsupported",
        }
    }

    /// The step with this word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}
