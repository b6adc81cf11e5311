//! Onboarding (FIDO Device Onboard): devices that were made, that are waited for, and what they are given.

use serde::{Deserialize, Serialize};

use crate::Base64Url;

/// A device that this server made as its manufacturer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeDevice {
    /// Its GUID, hexadecimal.
    pub guid: String,
    /// Its serial number.
    pub serial: String,
    /// What it is.
    pub device: String,
    /// How many times it was sold.
    pub entries: usize,
    /// SHA-256 thumbprint of the key that it was sold to last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_to: Option<String>,
    /// When it was made (RFC 3339).
    pub made_at: String,
    /// When its voucher changed last.
    pub changed_at: String,
}

/// Where the owner of a device says to be, as the rendezvous server remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// GUID of the device, hexadecimal.
    pub guid: String,
    /// SHA-256 thumbprint of the owner's key.
    pub owner: String,
    /// Until when it is remembered (RFC 3339).
    pub expires_at: String,
}

/// Public keys of the roles that the server plays, and the certificates of its authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardingKeys {
    /// To which devices are sold, PEM.
    pub owner: Vec<String>,
    /// By which devices are made, PEM.
    pub manufacturer: Vec<String>,
    /// Issuer of devices' certificates, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_authority: Option<String>,
    /// Issuer of operational certificates, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operational_authority: Option<String>,
}

/// A device that is the operator's by a voucher, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onboarding {
    /// Its GUID, hexadecimal.
    pub guid: String,
    /// `waiting`, `onboarded`, `replaced` (set up under another GUID, and not seen under that one yet), `retired` or `sold`.
    pub state: String,
    /// What it is, as its manufacturer says.
    pub device: String,
    /// What people call it, once it is enrolled; made up where it is empty.
    #[serde(default)]
    pub name: String,
    /// The group that it will be in.
    #[serde(default)]
    pub group: String,
    /// The template that it is given; that of its group, or `default`, where it is empty.
    #[serde(default)]
    pub template: String,
    /// UEID of the device, once it is enrolled, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ueid: Option<String>,
    /// What it was called before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
    /// What it is called since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed_by: Option<String>,
    /// Why the last session failed; none where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<OnboardingFailure>,
    /// How it stands with rendezvous servers.
    pub registration: OnboardingRegistration,
    /// When anything of it changed (RFC 3339).
    pub changed_at: String,
    /// What happened, the newest first; only where one device is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<OnboardingEvent>,
}

/// Why a device did not get further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardingFailure {
    /// Stable code.
    pub code: String,
    /// When it happened last (RFC 3339).
    pub at: String,
    /// How often, since the last session that did not fail.
    pub times: u64,
}

/// How a device stands with rendezvous servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardingRegistration {
    /// When it is registered next (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Until when a server remembers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// How many tries failed since the last that did not.
    #[serde(default)]
    pub tries: u64,
}

/// Something that happened to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardingEvent {
    /// When (RFC 3339).
    pub at: String,
    /// What: `expected`, `registered`, `not-registered`, `failed`, `retry`, `onboarded`, `replaced`, `confirmed`, `sold`.
    pub event: String,
    /// More of it.
    pub detail: serde_json::Value,
}

/// How a device came to its owner, as the answer to the second question tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardedDevice {
    /// By which protocol: `FDO TO2`.
    pub method: String,
    /// When (RFC 3339).
    pub at: String,
    /// What it is called in FDO since, hexadecimal.
    pub guid: String,
    /// SHA-256 thumbprint of the owner's key that it knows; none where its voucher is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The voucher that it came with; none where it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<crate::Voucher>,
    /// Whether it proved what it runs before it was given anything; none where the record is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested: Option<bool>,
    /// The credential that it asked for in that session.
    pub credential: OperationalCredential,
    /// The template of what it is given now; none where it is what is there without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Names of the wireless networks of that template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// The gateway of that template; found on the link where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
}

/// The operational certificate of a device. The server keeps no copy of it, nor when it ends: this is
/// what is known of it by how it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationalCredential {
    /// `given`, `not-asked` where the device has no such module, `failed`, or `unknown` where the record is gone.
    pub outcome: String,
    /// Its subject, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// What is to become of a device; what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnboardingPlan {
    /// What people will call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The group that it will be in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The template that it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// What became of one voucher of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoucherImport {
    /// Which, from 1.
    pub number: usize,
    /// `added`, `known`, or `refused`.
    pub outcome: String,
    /// GUID of the device, where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<crate::Reason>,
}

/// What devices are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OnboardingTemplate {
    /// What a device must prove before it is given anything.
    pub require: OnboardingRequirement,
    /// Whether it keeps the credential of its manufacturer, so that the same voucher is good again.
    pub keep_credential: bool,
    /// Whether a device that asks for no operational certificate gets nothing else either.
    pub certificate_required: bool,
    /// URL of the server that it attests to and gets its updates from; this one where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// URL of the gateway that admits it; found on the link where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Wireless networks, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<WirelessNetwork>,
    /// Files that it is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub downloads: Vec<OnboardingFile>,
    /// Files that it fetches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fetches: Vec<OnboardingFetch>,
    /// Programs that it runs, where it lets its owner.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<OnboardingCommand>,
    /// Files that it sends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uploads: Vec<OnboardingUpload>,
}

/// What a device must prove before it is given anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnboardingRequirement {
    /// That it runs a release that is published here.
    #[default]
    Trusted,
    /// What it runs, whatever that is.
    Attested,
    /// No more than that it is the device of the voucher.
    Nothing,
}

/// A wireless network.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WirelessNetwork {
    /// Its name.
    pub ssid: String,
    /// Its password; never told again once it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl std::fmt::Debug for WirelessNetwork {
    /// A password is not shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = if self.password.is_some() { "password" } else { "open" };
        write!(f, "WirelessNetwork({:?}, {password})", self.ssid)
    }
}

/// A file for devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnboardingFile {
    /// Its name: plain, without any folder.
    pub name: String,
    /// What is in it.
    pub content: Base64Url,
    /// Whether a device without it gets nothing else either.
    #[serde(default)]
    pub required: bool,
}

/// A file that devices fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnboardingFetch {
    /// Where from.
    pub url: String,
    /// Its name on the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SHA-384 of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha384: Option<Base64Url>,
    /// Whether a device without it gets nothing else either.
    #[serde(default)]
    pub required: bool,
}

/// A program that devices run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnboardingCommand {
    /// Its path.
    pub program: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Whether a device on which it fails goes on.
    #[serde(default)]
    pub may_fail: bool,
}

/// A file that devices send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnboardingUpload {
    /// Its name on the device.
    pub name: String,
    /// How many bytes it may have.
    pub max_bytes: u64,
    /// Whether a device that does not send it gets nothing else either.
    #[serde(default)]
    pub required: bool,
}

impl OnboardingTemplate {
    /// The template as it is shown: without passwords.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let networks =
            self.networks.iter().map(|network| WirelessNetwork { password: None, ..network.clone() });
        Self { networks: networks.collect(), ..self.clone() }
    }
}
