use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Applied, Base64Url, Comparison, Reason, Restriction, Violation};

/// A list, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// What matches.
    pub items: Vec<T>,
    /// To be given as `after` for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A device and what was last decided about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// UEID, hexadecimal.
    pub ueid: String,
    /// Name for people.
    pub name: String,
    /// Model.
    pub model: String,
    /// Group, may be empty.
    pub group: String,
    /// How far it is trusted.
    pub posture: String,
    /// What it may reach.
    pub access: String,
    /// Whether it lately contacted what its release does not ask for.
    pub violating: bool,
    /// Everything that stands against it.
    pub reasons: Vec<Reason>,
    /// Manifest digest of the release it was found to run.
    pub release: Option<String>,
    /// That release's version.
    pub version: Option<String>,
    /// When it last attested (RFC 3339).
    pub attested_at: Option<String>,
    /// When it was enrolled.
    pub enrolled_at: String,
    /// Since when it is out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<String>,
    /// A person's block or quarantine that is in force.
    pub hold: Option<Hold>,
    /// Its newest decision.
    pub decision: Option<i64>,
}

/// A person's block or quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What it leaves the device.
    pub restriction: Restriction,
    /// Who.
    pub person: String,
    /// Why.
    pub reason: String,
    /// Since when (RFC 3339).
    pub at: String,
    /// Until when.
    pub until: Option<String>,
}

/// Asks to block or quarantine a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRequest {
    /// Why.
    pub reason: String,
    /// Until when (RFC 3339); without it until a person ends it.
    #[serde(default)]
    pub until: Option<String>,
    /// What it leaves the device, where that is not what the request is made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Restriction>,
}

/// Everything a device page needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceDetail {
    /// The device.
    #[serde(flatten)]
    pub device: Device,
    /// Its public key, a COSE_Key.
    pub key: Base64Url,
    /// That key's thumbprint, hexadecimal.
    pub thumbprint: String,
    /// The six answers.
    pub answers: Vec<Answer>,
    /// What its newest evidence measured beside what is expected; none without evidence that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Its newest results, newest first.
    pub results: Vec<ResultSummary>,
    /// What gateways do with it.
    pub network: NetworkState,
    /// What happened, newest first.
    pub timeline: Vec<EventOfDevice>,
}

/// One of the six answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Which question, 1 to 6.
    pub question: u8,
    /// The question.
    pub title: String,
    /// The answer in a sentence.
    pub answer: String,
    /// What it rests on, by name.
    pub facts: Value,
}

/// A signed result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultSummary {
    /// Its id.
    pub id: i64,
    /// When the evidence came (RFC 3339).
    pub received_at: String,
    /// When the result ends.
    pub expires_at: String,
    /// Status over its trustworthiness vector.
    pub tier: String,
    /// Manifest digest of the release that the evidence matched.
    pub release: Option<String>,
    /// Why it is not affirming.
    pub reasons: Vec<Reason>,
    /// Whether the enrolled key signed the evidence for a nonce of this server.
    pub authentic: bool,
    /// The signed result, a CWT.
    pub result: Base64Url,
    /// The evidence.
    pub evidence: Base64Url,
}

/// What gateways do with a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkState {
    /// By gateway.
    pub applied: Vec<(String, Applied)>,
    /// By gateway: MAC address and IP addresses.
    pub bindings: Vec<(String, crate::Binding)>,
    /// By gateway, newest first.
    pub violations: Vec<(String, Violation)>,
    /// By gateway: what it asked, in all.
    #[serde(default)]
    pub dns: Vec<(String, crate::DnsUse)>,
}

/// Something that happened to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventOfDevice {
    /// Place in the audit chain.
    pub sequence: i64,
    /// When (RFC 3339).
    pub at: String,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what: a kind and an id.
    pub subject: String,
    /// What else belongs to it.
    pub detail: Value,
}

/// A device to enrol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolDevice {
    /// Name for people.
    pub name: String,
    /// Model.
    pub model: String,
    /// UEID, hexadecimal.
    pub ueid: String,
    /// Its public attestation key.
    pub key: EnrolKey,
    /// Group.
    #[serde(default)]
    pub group: String,
}

/// A public key in one of three forms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EnrolKey {
    /// A COSE_Key in base64url, or a PEM file.
    Text(String),
    /// A JWK.
    Jwk(Value),
}

/// What was enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// UEIDs, hexadecimal.
    pub devices: Vec<String>,
}
