use serde::{Deserialize, Serialize};

use crate::{Base64Url, Reason};

/// The present list of authorities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthoritiesVersion {
    /// Its number.
    pub version: i64,
    /// The list (CBOR).
    pub list: Base64Url,
    /// When it came (RFC 3339).
    pub at: String,
    /// Who brought it.
    pub actor: String,
}

/// A signed change of an authority list that is relayed to devices from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityUpdate {
    /// SHA-256 of the signed object, hexadecimal.
    pub digest: String,
    /// SHA-256 of the list it follows, hexadecimal.
    pub follows: String,
    /// SHA-256 of the new list, hexadecimal.
    pub list: String,
    /// Version of the new list.
    pub version: u64,
}

/// A stored override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// SHA-256 of the signed object, hexadecimal.
    pub digest: String,
    /// The signed object.
    pub object: Base64Url,
    /// When it came (RFC 3339).
    pub received_at: String,
    /// Who brought it.
    pub received_by: String,
    /// From when it holds.
    pub not_before: String,
    /// Until when.
    pub expires: String,
    /// Which devices, for people.
    pub scope: String,
    /// Why.
    pub reason: String,
}

/// Asks for a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// `admin`, `read` or `gateway`.
    pub scope: String,
    /// Whose it is.
    #[serde(default)]
    pub label: String,
    /// How long it is good for, in seconds; without it until it is removed.
    #[serde(default)]
    pub lifetime: Option<u64>,
}

/// A credential: shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// To be sent as `Authorization: Bearer …`.
    pub token: String,
    /// What it may do.
    pub scope: String,
    /// When it ends (RFC 3339).
    pub expires: Option<String>,
}

/// A decision with everything it rests on, to be made again offline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionBundle {
    /// Id of the decision.
    pub decision: i64,
    /// UEID, hexadecimal.
    pub device: String,
    /// When it was made (RFC 3339).
    pub at: String,
    /// How far the device was trusted.
    pub posture: String,
    /// What it could reach.
    pub access: String,
    /// Everything that stood against it.
    pub reasons: Vec<Reason>,
    /// Digests of the signed objects it rests on.
    pub rests_on: Vec<String>,
    /// The bundle of signed objects and inputs (CBOR) that gives the same decision again, bit for bit.
    pub bundle: Base64Url,
}

/// One line of the exported audit chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Its place.
    pub sequence: i64,
    /// The hashed text.
    pub record: String,
    /// SHA-256 over the previous line's hash and the text, hexadecimal.
    pub hash: String,
}
