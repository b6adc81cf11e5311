use serde::{Deserialize, Serialize};

/// A report of a device, signed with its attestation key, of what it did with a release. It is never proof of success:
/// only evidence is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its id.
    pub id: i64,
    /// UEID of the device, hexadecimal.
    pub ueid: String,
    /// Digest of the manifest it is about, hexadecimal.
    pub release: String,
    /// That release's version, where this server accepted it.
    pub version: Option<String>,
    /// Action id of the update API that it is about.
    pub action: Option<i64>,
    /// When it first came (RFC 3339).
    pub received_at: String,
    /// When the same bytes last came.
    pub last_at: String,
    /// How often they came.
    pub times: u64,
    /// SHA-256 of the report as received, hexadecimal.
    pub digest: String,
    /// Size of the report as received.
    pub size: u64,
    /// Whether what is stored is still what came, signed by the device's key. Otherwise nothing of it is to be believed.
    pub authentic: bool,
    /// Whether it tells of an update, and not only of what the device runs and can process.
    pub is_update: bool,
    /// Whether it says that all went well.
    pub succeeded: bool,
    /// The reason it gives for a failure, by its name in the registry of SUIT reports.
    pub reason: Option<String>,
    /// Where it says processing ended.
    pub failed_at: Option<ReportPlace>,
    /// What the comparison with the manifest gave.
    pub verdict: ReportVerdict,
    /// The claims that do not hold.
    pub faults: Vec<ReportFault>,
}

/// A place in a set of manifests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReportPlace {
    /// Component indices that lead from the root manifest to the manifest; empty for the root itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifest: Vec<u32>,
    /// The section, or `shared-sequence`.
    pub section: String,
    /// Byte offset of the command in its section.
    pub offset: u32,
    /// Name of the command there, where the manifest has one.
    pub command: Option<String>,
    /// The component it applied to, where the manifest has it.
    pub component: Option<String>,
}

/// What the comparison of a report with its manifest gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportVerdict {
    /// Every claim is one that some run of the manifest makes.
    Holds,
    /// Some claim is one that no run of the manifest makes.
    Contradicts,
    /// Nothing here could be compared with it: the manifest, or one it depends on, is not known.
    Unchecked,
}

impl ReportVerdict {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Holds, Self::Contradicts, Self::Unchecked];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Contradicts => "contradicts",
            Self::Unchecked => "unchecked",
        }
    }

    /// The verdict with this word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text)
    }
}

/// A claim of a report that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFault {
    /// The claim: `action`, `reference`, `record 3`, `claims 4` or `result`.
    pub claim: String,
    /// Why it does not hold, a stable word.
    pub code: String,
    /// The same as a clause for people.
    pub says: String,
    /// The place it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<ReportPlace>,
}

/// What devices report of a release, by the newest report of an update from each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseReports {
    /// Manifest digest of the release.
    pub release: String,
    /// Devices that reported.
    pub devices: u64,
    /// Devices that report success.
    pub succeeded: u64,
    /// Devices that report failure.
    pub failed: u64,
    /// Devices whose report contradicts the manifest, whatever it says of the outcome.
    pub contradicting: u64,
    /// Where and why it failed, the commonest first.
    pub failures: Vec<ReportedFailure>,
}

/// A way in which an update failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedFailure {
    /// The reason, by its name in the registry of SUIT reports.
    pub reason: String,
    /// Where processing ended.
    pub at: Option<ReportPlace>,
    /// How many devices say so.
    pub devices: u64,
}
