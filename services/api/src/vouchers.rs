use serde::{Deserialize, Serialize};

/// An ownership voucher (FDO).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// GUID of the device, hexadecimal.
    pub guid: String,
    /// UEID of the device, hexadecimal.
    pub ueid: String,
    /// What the device is, as its manufacturer says.
    pub device: String,
    /// How many times it was sold.
    pub entries: usize,
    /// SHA-256 thumbprint of the key with which the device attests; none where the voucher does not hold any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_key: Option<String>,
    /// SHA-256 thumbprint of the manufacturer's key, in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// SHA-256 thumbprint of the owner's key, in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whether it counts: its signatures hold, and manufacturer and owner are still those of this server.
    pub holds: bool,
    /// SHA-256 of the voucher as received.
    pub digest: String,
    /// When it came (RFC 3339).
    pub received_at: String,
    /// Who brought it.
    pub received_by: String,
}
