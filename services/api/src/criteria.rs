use serde::{Deserialize, Serialize};

/// A digest that no device may measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// The digest, `sha256:` and hexadecimal digits.
    pub digest: String,
    /// Why.
    pub reason: String,
    /// Since when (RFC 3339).
    pub denied_at: String,
    /// Who denied it.
    pub denied_by: String,
    /// Until when (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_at: Option<String>,
    /// Who lifted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<String>,
}

/// A digest to deny.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deny {
    /// The digest, SHA-256 in hexadecimal digits.
    pub digest: String,
    /// Why.
    pub reason: String,
}

/// Rules in Rego, to be added or tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRules {
    /// Name, of which there are versions.
    pub name: String,
    /// The text, in `package policy`.
    pub source: String,
    /// UUID of the vendor whose devices they are for; none is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// UUID of the device class that they are for; none is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
}

/// One version of rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Name, of which there are versions.
    pub name: String,
    /// Which version, from 1.
    pub version: i64,
    /// What names them in policies: `sha256:` and hexadecimal digits.
    pub digest: String,
    /// The text.
    pub source: String,
    /// UUID of the vendor whose devices they are for; none is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// UUID of the device class that they are for; none is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// When they came (RFC 3339).
    pub added_at: String,
    /// Who brought them.
    pub added_by: String,
    /// Whether evidence is judged by them.
    pub active: bool,
}

/// What is to be tried on stored evidence, without any effect: what would change?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Rules that would be in force, in place of those of their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<NewRules>,
    /// Name of rules that would not be in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<String>,
    /// Digests that would be denied, SHA-256 in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Releases that would be revoked, by manifest digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoke: Vec<String>,
}

/// What would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialResult {
    /// How many devices were judged.
    pub judged: u64,
    /// How many would be decided about otherwise.
    pub changed: u64,
    /// The first of these.
    pub devices: Vec<TrialDevice>,
}

/// A device that would be decided about otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialDevice {
    /// UEID in hexadecimal digits.
    pub ueid: String,
    /// Its name.
    pub name: String,
    /// Its posture now, and what it would be.
    pub posture: (String, String),
    /// What it may reach now, and what it could.
    pub access: (String, String),
    /// Why.
    pub reasons: Vec<crate::Reason>,
}
