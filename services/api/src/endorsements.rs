use serde::{Deserialize, Serialize};

/// A manifest of reference values and endorsements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endorsement {
    /// SHA-256 of the manifest as received.
    pub digest: String,
    /// Its identifier; none where it does not hold any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who answers for it: its signer, or whoever brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// When it came (RFC 3339).
    pub received_at: String,
    /// Who brought it.
    pub received_by: String,
    /// When it was revoked (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// Whether it counts: it is not revoked, and its signature and time hold.
    pub holds: bool,
    /// How many reference triples it has.
    pub reference_values: usize,
    /// How many triples it has that name keys of devices.
    pub attestation_keys: usize,
}

/// What became of a manifest (Veraison).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisioningSession {
    /// `success` or `failed`.
    pub status: String,
    /// When it ends (RFC 3339): at once.
    pub expiry: String,
    /// Why it failed.
    #[serde(rename = "failure-reason", default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
}

/// What a provisioning service says of itself (Veraison).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisioningDiscovery {
    /// Media types of manifests.
    #[serde(rename = "media-types")]
    pub media_types: Vec<String>,
    /// Version of the program.
    pub version: String,
    /// `READY`.
    #[serde(rename = "service-state")]
    pub service_state: String,
    /// Where to begin.
    #[serde(rename = "api-endpoints")]
    pub api_endpoints: ProvisioningEndpoints,
}

/// Paths of a provisioning service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisioningEndpoints {
    /// Where manifests are submitted.
    #[serde(rename = "provisioningSubmit")]
    pub provisioning_submit: String,
}
