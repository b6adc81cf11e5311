use serde::{Deserialize, Serialize};

/// A cut that a gateway withheld: so many devices of one model were cut for violations within an hour that something else is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// UEID of the device that stays, hexadecimal.
    pub ueid: String,
    /// MUD URL of its release, by which devices are of one model.
    pub model: String,
    /// How many may be cut within an hour.
    pub most: u64,
    /// When it was withheld, in milliseconds since 1970.
    pub raised_ms: i64,
}

/// An alarm as people see it. It stays until somebody acknowledges it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its number.
    pub id: i64,
    /// The gateway that raised it.
    pub gateway: String,
    /// UEID of the device that was not cut, hexadecimal.
    pub ueid: String,
    /// Its name.
    pub name: String,
    /// MUD URL of its release.
    pub model: String,
    /// How many devices of the model may be cut within an hour.
    pub most: u64,
    /// When it was raised (RFC 3339).
    pub raised_at: String,
    /// Since when the gateway withholds the cut no more.
    pub ended_at: Option<String>,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
    /// When.
    pub acknowledged_at: Option<String>,
}
