use serde::{Deserialize, Serialize};

use crate::{Base64Url, Reason};

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
    /// When it was made (RFC 3339).
    pub judged_at: String,
    /// When it ends.
    pub expires_at: String,
    /// Whether the evidence was judged again since it came.
    pub again: bool,
    /// The signed result, a CWT.
    pub result: Base64Url,
}
