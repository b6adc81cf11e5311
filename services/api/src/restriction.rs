use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What a person leaves a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restriction {
    /// Nothing: a block.
    Blocked,
    /// Attestation, update and what they need: a quarantine.
    UpdateOnly,
}

impl Restriction {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::UpdateOnly => "update-only",
        }
    }
}

/// Whatever is not known may be meant to close everything, so it does.
impl<'de> Deserialize<'de> for Restriction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(if value == Self::UpdateOnly.as_str() { Self::UpdateOnly } else { Self::Blocked })
    }
}

/// Reads a restriction that must be mentioned: `null` is none. `false` and `true` are the older words for none and a
/// block.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Restriction>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null | Value::Bool(false) => Ok(None),
        value => Restriction::deserialize(value).map(Some).map_err(serde::de::Error::custom),
    }
}
