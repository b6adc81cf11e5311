//! What the kit and an adapter say to one another: JSON, with bytes in lower-case hexadecimal digits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What an implementation has: the answer to `ADAPTER features`. Numbers are those of the SUIT and COSE registries; the
/// lists are those of a SUIT capability report (draft-ietf-suit-report, section 6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Features {
    /// Name of the implementation.
    pub implementation: String,
    /// Its version.
    pub version: String,
    /// The draft of suit-manifest it follows.
    pub draft: String,
    /// Which verbs the adapter has: `verify`, `decode`, `process`.
    pub verbs: BTreeSet<String>,
    /// Tags of COSE objects that may authenticate.
    pub authentication: BTreeSet<i64>,
    /// Signature and MAC algorithms.
    pub algorithms: BTreeSet<i64>,
    /// Digest algorithms.
    pub digests: BTreeSet<i64>,
    /// Members of an envelope, severed ones among them.
    pub envelope: BTreeSet<i64>,
    /// Whether an envelope may carry payloads.
    pub integrated: bool,
    /// Whether an envelope may come without its tag.
    pub untagged: bool,
    /// Members of a manifest.
    pub manifest: BTreeSet<i64>,
    /// Members of common.
    pub common: BTreeSet<i64>,
    /// Commands.
    pub commands: BTreeSet<i64>,
    /// Parameters.
    pub parameters: BTreeSet<i64>,
    /// Members of a [`Device`] that `process` heeds, beside components and what is served.
    pub device: BTreeSet<String>,
}

/// The answer to `ADAPTER decode`: what a manifest says of itself, believed or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Manifest {
    /// Its sequence number.
    pub sequence_number: u64,
    /// Labels of its members.
    pub members: BTreeSet<i64>,
}

/// Why something was refused: the answer of any verb that ends with 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Failure {
    /// The reason of a SUIT report (draft-ietf-suit-report, section 4) by its name, where the implementation tells one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The implementation's own words.
    #[serde(default)]
    pub code: String,
}

/// A device in memory, for `ADAPTER process`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Device {
    /// Procedures to run one after another, until one fails: `update`, `invocation`, `uninstallation`.
    pub procedures: Vec<String>,
    /// UUID of its vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// UUID of its class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Its own UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Its components. It has no others.
    pub components: Vec<Component>,
    /// What can be fetched, by URI.
    pub served: BTreeMap<String, String>,
    /// COSE_Keys of the device that decrypt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decryption_keys: Vec<String>,
    /// Sequence number of the manifest that is installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed: Option<u64>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<u64>,
    /// Energy in the battery, in mWh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery: Option<u64>,
    /// The least urgent priority of update that its application lets pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorized: Option<i64>,
}

/// A component of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Component {
    /// Segments of its identifier.
    pub id: Vec<String>,
    /// What it holds; nothing at first where this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The slot that is to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u64>,
    /// Version of what is installed in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Vec<i64>>,
}

/// How processing ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every procedure came to its end.
    Done,
    /// Nothing was begun.
    #[default]
    Refused,
    /// A procedure stopped.
    Stopped,
}

/// The answer to `ADAPTER process`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Trace {
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not come to its end.
    #[serde(flatten)]
    pub failure: Failure,
    /// The condition that was not met, by its number, where one was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<i64>,
    /// URIs from which something was fetched over a network, in order.
    #[serde(default)]
    pub fetched: Vec<String>,
    /// Components that were invoked, in order.
    #[serde(default)]
    pub invoked: Vec<Vec<String>>,
    /// Every component and what it holds in the end.
    #[serde(default)]
    pub components: Vec<Component>,
}

/// Lower-case hexadecimal digits.
pub fn to_hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits, or `None` where it is something else.
pub fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = digits.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
