use serde::{Deserialize, Serialize};

use crate::Base64Url;

/// A challenge-response session (Veraison).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// How far it is.
    #[serde(alias = "state")]
    pub status: SessionStatus,
    /// What evidence must answer.
    pub nonce: Base64Url,
    /// When it ends (RFC 3339).
    pub expiry: String,
    /// Media types of evidence.
    pub accept: Vec<String>,
    /// The evidence, once it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The result as a JWT, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The same result as a CWT.
    #[serde(rename = "sextant.result", default, skip_serializing_if = "Option::is_none")]
    pub sextant_result: Option<Base64Url>,
    /// Bearer token for the update API.
    #[serde(rename = "sextant.device-token", default, skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
    /// When to attest again, in seconds.
    #[serde(rename = "sextant.next-attestation", default, skip_serializing_if = "Option::is_none")]
    pub next_attestation: Option<u64>,
}

/// The handle of an epoch (RFC 9334, section 10.3), for evidence without a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// What evidence has in the place of a nonce.
    pub handle: Base64Url,
    /// When the epoch began (RFC 3339).
    pub since: String,
    /// When the next one begins.
    pub until: String,
    /// Until when evidence with this handle is taken.
    #[serde(rename = "fresh-until")]
    pub fresh_until: String,
    /// Media types of evidence.
    pub accept: Vec<String>,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// For evidence.
    Waiting,
    /// Evidence is being judged.
    Processing,
    /// There is a result.
    Complete,
    /// It ended without one.
    Failed,
}

/// Evidence as it is shown in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Media type.
    #[serde(rename = "type")]
    pub media_type: String,
    /// The evidence in base64 with padding.
    pub value: String,
}

/// What a verifier says of itself (Veraison).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// The key that signs results, a JWK.
    #[serde(rename = "ear-verification-key")]
    pub ear_verification_key: serde_json::Value,
    /// Media types of evidence.
    #[serde(rename = "media-types")]
    pub media_types: Vec<String>,
    /// Version of the program.
    pub version: String,
    /// `READY`.
    #[serde(rename = "service-state")]
    pub service_state: String,
    /// Where to begin.
    #[serde(rename = "api-endpoints")]
    pub api_endpoints: Endpoints,
}

/// Paths of a verifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// Where a session is made.
    #[serde(rename = "newChallengeResponseSession")]
    pub new_challenge_response_session: String,
}
