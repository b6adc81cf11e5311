use serde::{Deserialize, Serialize};

/// An accepted release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Manifest digest, hexadecimal.
    pub manifest_digest: String,
    /// Sequence number.
    pub sequence: u64,
    /// Vendor.
    pub vendor: String,
    /// Model.
    pub model: String,
    /// Version.
    pub version: String,
    /// Size of the envelope.
    pub size: u64,
    /// Who signed it.
    pub signers: Vec<String>,
    /// What its devices must measure.
    pub expected: Vec<ExpectedValue>,
    /// URL of its MUD file.
    pub mud_url: Option<String>,
    /// SHA-256 of its MUD file, hexadecimal.
    pub mud_digest: Option<String>,
    /// When it was accepted (RFC 3339).
    pub accepted_at: String,
    /// Who brought it.
    pub accepted_by: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// Why.
    pub revoked_why: Option<String>,
    /// Why it gives no reference values although it was accepted: its stored objects no longer hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<crate::Reason>,
    /// Why gateways do not apply its network policy: it asks for much, and no approval is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits_approval: Option<crate::Reason>,
    /// Why it is not deployed: a scan that the policy asks for is missing, or found something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits_scan: Option<crate::Reason>,
    /// What advisories say about its components: flaws they have, and those of which nobody can tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaws: Vec<crate::ReleaseFlaw>,
    /// Gateways that staged its policy.
    pub staged_on: Vec<String>,
    /// How many devices were found to run it.
    pub devices: u64,
}

/// What a device measures of one component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedValue {
    /// Component.
    pub component: String,
    /// `sha256:` and hexadecimal digits.
    pub digest: String,
    /// Size in bytes.
    pub size: Option<u64>,
}

/// An accepted upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Manifest digest, hexadecimal.
    pub manifest_digest: String,
}

/// Asks to revoke a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoke {
    /// Why.
    pub reason: String,
}
