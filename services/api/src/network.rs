use serde::{Deserialize, Serialize};

use crate::Reason;

/// A URL of MUD files as a gateway has it, for devices without attestation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkModel {
    /// The URL that devices have.
    pub url: String,
    /// Whose word the files are: `operator`, `announced`, or the name of a third party.
    pub source: String,
    /// What became of them.
    pub state: ModelState,
    /// The file in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<NetworkFile>,
    /// The file that waits for a person, or was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<OfferedFile>,
    /// What went wrong when it was last asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Reason>,
    /// When a file last came, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_ms: Option<i64>,
    /// When it is asked for again, in milliseconds since 1970.
    pub next_check_ms: i64,
    /// Devices of this gateway that have it.
    pub devices: u32,
}

/// What became of the files of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelState {
    /// One is in force, and none waits.
    InForce,
    /// One waits for a person, whether or not another is in force.
    Waiting,
    /// The last one was refused, whether or not another is in force.
    Refused,
    /// None came yet.
    Absent,
}

impl ModelState {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::Absent => "absent",
        }
    }
}

/// A MUD file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFile {
    /// SHA-256, hexadecimal.
    pub digest: String,
    /// Subject of the certificate that signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// What it says of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub systeminfo: Option<String>,
    /// When it was made, in seconds since 1970.
    pub last_update: i64,
    /// How broad it is, from 0 to 100.
    pub breadth: u8,
    /// What there is to say about it.
    #[serde(default)]
    pub findings: Vec<Reason>,
    /// The flows that it lets start.
    #[serde(default)]
    pub flows: Vec<String>,
    /// Where its SBOM and vulnerability reports are (RFC 9472).
    #[serde(default)]
    pub transparency: Vec<Pointer>,
    /// Where verifiers, reference values and endorsements are (draft-ietf-iotops-mud-rats).
    #[serde(default)]
    pub attestation: Vec<Pointer>,
}

/// A place that a file names. Nobody looked there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// What is there: `sbom`, `sbom-archive`, `sbom-on-device`, `sbom-contact`, `vulnerabilities`, `vulnerability-contact`,
    /// `verifier`, `reference-values`, `endorsements`.
    pub what: String,
    /// Where.
    pub at: String,
    /// Of which version it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A file that is not in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedFile {
    /// SHA-256, hexadecimal: what an approval names.
    pub digest: String,
    /// Why it is not.
    pub reasons: Vec<Reason>,
    /// What it says; nothing where it is not read before somebody approves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<NetworkFile>,
    /// Flows that it permits and the one in force does not.
    #[serde(default)]
    pub gained: Vec<String>,
    /// Flows that the one in force permits and it does not.
    #[serde(default)]
    pub lost: Vec<String>,
}

/// A device without attestation, as a gateway has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkDevice {
    /// UEID, hexadecimal: type 02 and the MAC address.
    pub ueid: String,
    /// Source address of its frames.
    pub mac: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// The URL it is pinned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A later URL that it may not have, or not by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered_url: Option<String>,
    /// How the URL is known: `operator`, `dhcpv4`, `dhcpv6` or `lldp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// `strong` where the operator vouches for the URL, else `weak`.
    pub strength: String,
    /// What it may reach.
    pub access: NetworkAccess,
    /// The file by which it is judged, SHA-256 in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What stands against it, or is odd about it.
    #[serde(default)]
    pub reasons: Vec<Reason>,
}

/// What a device without attestation may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkAccess {
    /// What its file permits.
    File,
    /// What every device has by default, less what its file drops.
    Defaults,
    /// No more than a device that nobody knows.
    Minimum,
    /// It is not here.
    Absent,
}

impl NetworkAccess {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Defaults => "defaults",
            Self::Minimum => "minimum",
            Self::Absent => "absent",
        }
    }
}

/// A URL that somebody wants checked now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MudCheck {
    /// The URL.
    pub url: String,
    /// When it was asked for, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What asks for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckMud {
    /// The URL.
    pub url: String,
}

/// Something of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfGateway<T> {
    /// The gateway.
    pub gateway: String,
    /// What it told.
    #[serde(flatten)]
    pub told: T,
}
