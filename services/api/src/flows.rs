use serde::{Deserialize, Serialize};

use crate::Violation;

/// The network needs of a release, and what became of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseFlows {
    /// Manifest digest, hexadecimal.
    pub manifest_digest: String,
    /// URL of its MUD file.
    pub mud_url: String,
    /// SHA-256 of its MUD file, hexadecimal.
    pub mud_digest: String,
    /// What it asks for, in the order that counts.
    pub flows: Vec<DeclaredFlow>,
    /// What its devices were kept from lately, the newest first: 200 at most.
    pub dropped: Vec<Dropped>,
}

/// One entry of a MUD file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredFlow {
    /// The list; empty for what every device may do.
    pub acl: String,
    /// The entry.
    pub ace: String,
    /// Whether every device may do this, asked for or not.
    pub default: bool,
    /// Who starts it, the other end, and what is spoken, in one line.
    pub flow: String,
    /// `accept`, `drop` or `reject`.
    pub verdict: String,
    /// How many flows began by it, at all gateways together; entries that name the same service at the same place share a
    /// count.
    pub used: u64,
    /// When a gateway last told of one (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
}

/// Packets that a gateway dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The gateway.
    pub gateway: String,
    /// What the MUD file says of them, where the report tells enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// The packets.
    #[serde(flatten)]
    pub packets: Violation,
}

/// What a MUD file says of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// `declared`: an entry permits it, so that it was dropped while the device was not trusted, or by an override; `denied`: an
    /// entry does not; `wrong-initiator`: an entry lets the other end start it; `no-entry`: none permits it.
    pub says: String,
    /// The list of the entry that decides, or comes closest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<String>,
    /// That entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ace: Option<String>,
    /// In what the closest one differs: `family`, `remote`, `protocol`, `remote port`, `device port` or `condition`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
}
