use serde::{Deserialize, Serialize};

/// A signed statement on what a scan of a release found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// SHA-256 of the statement as received.
    pub digest: String,
    /// Manifest digest of the release, hexadecimal.
    pub release: String,
    /// Name of the tool.
    pub tool: String,
    /// Its version.
    pub tool_version: String,
    /// Version of what it knows to look for.
    pub database: String,
    /// From when that is (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_time: Option<String>,
    /// When the scan was made (RFC 3339).
    pub scanned_at: String,
    /// How many things it found.
    pub findings: u64,
    /// Until when it holds (RFC 3339).
    pub expires: String,
    /// Name of the key that signed it; none where its signature does not hold any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// SHA-256 thumbprint of that key, as policies name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer_key: Option<String>,
    /// When it came (RFC 3339).
    pub received_at: String,
    /// Who brought it.
    pub received_by: String,
}
