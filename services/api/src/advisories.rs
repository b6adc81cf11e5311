use serde::{Deserialize, Serialize};

/// A security advisory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advisory {
    /// SHA-256 of the advisory as received.
    pub digest: String,
    /// Its own name; none where it cannot be read any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Names of the flaws it is about.
    pub flaws: Vec<String>,
    /// When it came (RFC 3339).
    pub added_at: String,
    /// Who brought it.
    pub added_by: String,
    /// When it was withdrawn here (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<String>,
    /// Who withdrew it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_by: Option<String>,
    /// When its maker withdrew it, as written in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_by_maker: Option<String>,
    /// Whether it counts: it can be read, and nobody withdrew it.
    pub holds: bool,
    /// The releases that have a flaw it tells of.
    pub affected: Vec<ReleaseFlaw>,
    /// The releases of which nobody can tell.
    pub cannot_tell: Vec<ReleaseFlaw>,
}

/// What an advisory means for one component of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseFlaw {
    /// Manifest digest of the release, hexadecimal.
    pub release: String,
    /// Version of the release.
    pub version: String,
    /// Name of the flaw.
    pub flaw: String,
    /// SHA-256 of the advisory.
    pub advisory: String,
    /// The component.
    pub component: String,
    /// Its version, if the SBOM tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_version: Option<String>,
    /// Why nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The answer to a question about components.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentMatches {
    /// The question.
    pub query: String,
    /// Devices that run what was asked for, for certain.
    pub devices: Vec<ComponentMatch>,
    /// Devices whose SBOM does not tell.
    pub cannot_tell: Vec<ComponentMatch>,
    /// How many devices attested no release whose SBOM could be asked.
    pub without_sbom: u64,
}

/// A component of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentMatch {
    /// UEID of the device.
    pub ueid: String,
    /// Its name.
    pub name: String,
    /// Its posture.
    pub posture: String,
    /// Manifest digest of the release it attested, hexadecimal.
    pub release: String,
    /// Version of the release.
    pub version: String,
    /// The component.
    pub component: String,
    /// Its version, if the SBOM tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_version: Option<String>,
    /// Why nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
