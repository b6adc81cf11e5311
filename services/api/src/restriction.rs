use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What a person leaves a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restriction {
    /// Nothing, and it is put off the link.
    Ejected,
    /// Nothing: a block.
    Blocked,
    /// Attestation, update and what they need: a quarantine.
    UpdateOnly,
    /// Nothing new but attestation, update and what they need; what runs by its release goes on.
    Restricted,
}

impl Restriction {
    /// Every restriction, from the strictest.
    pub const ALL: [Self; 4] = [Self::Ejected, Self::Blocked, Self::UpdateOnly, Self::Restricted];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ejected => "ejected",
            Self::Blocked => "blocked",
            Self::UpdateOnly => "update-only",
            Self::Restricted => "restricted",
        }
    }
}

/// Whatever is not known may be meant to close everything, so it does.
impl<'de> Deserialize<'de> for Restriction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|known| value == known.as_str());
        Ok(known.unwrap_or(Self::Blocked))
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
