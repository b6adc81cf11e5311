use serde::{Deserialize, Serialize};

use crate::Violation;

/// Flows of a device to or from one place, as gateways counted them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRecord {
    /// UEID, hexadecimal.
    pub ueid: String,
    /// Who began them: `from-device` or `to-device`.
    pub direction: String,
    /// Protocol.
    pub protocol: String,
    /// Address of the other end.
    pub remote: String,
    /// Name by which the device was given the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Port of the end that was called; of ICMP 256 times the type and the code of the first message.
    pub port: u16,
    /// How many began.
    pub flows: u64,
    /// Packets that the device sent.
    pub sent_packets: u64,
    /// Octets in them, IP headers included.
    pub sent_octets: u64,
    /// Packets that it got.
    pub received_packets: u64,
    /// Octets in them.
    pub received_octets: u64,
    /// When the first was seen, in milliseconds since 1970.
    pub first_ms: i64,
    /// When something was last seen of one.
    pub last_ms: i64,
    /// What the MUD file of the release that the device runs says of them; the server adds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
}

impl FlowRecord {
    /// Adds what was counted of the same flows elsewhere or later.
    pub fn add(&mut self, other: &Self) {
        self.flows = self.flows.saturating_add(other.flows);
        self.sent_packets = self.sent_packets.saturating_add(other.sent_packets);
        self.sent_octets = self.sent_octets.saturating_add(other.sent_octets);
        self.received_packets = self.received_packets.saturating_add(other.received_packets);
        self.received_octets = self.received_octets.saturating_add(other.received_octets);
        self.first_ms = self.first_ms.min(other.first_ms);
        if other.last_ms >= self.last_ms {
            self.last_ms = other.last_ms;
            self.name = other.name.clone().or_else(|| self.name.take());
        }
    }
}

/// What a device did on the network, and what it was kept from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFlows {
    /// UEID, hexadecimal.
    pub ueid: String,
    /// Flows that it had, those that were seen last first.
    pub flows: Vec<FlowRecord>,
    /// What it was kept from within a day, the newest first: 200 at most.
    pub dropped: Vec<Dropped>,
}

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
    /// entry does not; `wrong-initiator`: an entry lets the other end start it; `no-entry`: none permits it; `tls-profile`: an entry permits it with another handshake.
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
