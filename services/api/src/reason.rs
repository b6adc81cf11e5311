use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why something is refused or not trusted: a code for programs, and what a sentence about it needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// The code, the same from whoever refused to the page.
    pub code: String,
    /// Names and values.
    #[serde(default)]
    pub detail: BTreeMap<String, String>,
}

/// An answer other than success (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Kind of problem, a URI reference.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong in this case.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Reason code.
    pub code: String,
    /// The reason with its detail, where an object was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What to do about it, where there is something to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// Id of the request in the server's log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
}
