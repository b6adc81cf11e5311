use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

use crate::{Base64Url, Comparison, Reason};

/// The newest result of a session with a device that is not enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignResult {
    /// Its id.
    pub id: i64,
    /// The session that its evidence answered.
    pub session: String,
    /// Media type of the evidence.
    pub media_type: String,
    /// Which device the evidence says to come from, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Status over its trustworthiness vectors.
    pub tier: String,
    /// Why it is not affirming.
    pub reasons: Vec<Reason>,
    /// What binds the key that signed the evidence to its device; none where it is not believed, or parts of it are all that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyBinding>,
    /// When it was made (RFC 3339).
    pub judged_at: String,
    /// When it ends.
    pub expires_at: String,
    /// Whether the evidence was judged again since it came.
    pub again: bool,
    /// Whether what is stored is not what was made: nothing of it is to be believed then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub altered: bool,
    /// The signed result, a CWT.
    pub result: Base64Url,
}

/// What binds a key to a device that is not enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyBinding {
    /// `manifest` (which names it), `manifest-authority` (which a manifest names, and which certifies it),
    /// `operator-authority` (which the operator names), `operator`, `voucher` (of the device's ownership), `whole` (what it is
    /// a part of) or `platform`.
    pub by: String,
    /// The digest of the manifest that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// The GUID of the voucher that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
}

/// The newest result of a session with a device that is not enrolled, with its evidence and all of its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignDetail {
    /// The result.
    #[serde(flatten)]
    pub result: ForeignResult,
    /// When the evidence came, or was judged again (RFC 3339).
    pub received_at: String,
    /// The evidence as received.
    pub evidence: Base64Url,
    /// What attests in it, each for itself; none where the result is altered.
    pub parts: Vec<ForeignPart>,
}

/// A part of evidence that attests for itself, and what it is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignPart {
    /// Its name.
    pub name: String,
    /// Status over its trustworthiness vector.
    pub tier: String,
    /// The values of its trustworthiness vector that say something, by their names in AR4SI.
    pub vector: BTreeMap<String, i8>,
    /// Profile of its claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Why it is not affirming.
    pub reasons: Vec<Reason>,
    /// What binds its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyBinding>,
    /// Policies it was judged by.
    pub policies: Vec<String>,
    /// Its components beside what is expected of them now; none where it is not believed now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}
