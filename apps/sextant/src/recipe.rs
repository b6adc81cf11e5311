//! The recipe of a release: a TOML file an author keeps beside the images (docs/recipes.md).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{failure::Failure, files::Input};

/// A recipe as it is written. Members that are not known are refused: a misspelt one must not be silently missing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    pub(crate) release: Release,
    #[serde(rename = "component", default)]
    pub(crate) components: Vec<Component>,
    #[serde(rename = "dependency", default)]
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) conditions: Option<Conditions>,
    pub(crate) wait: Option<Wait>,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) reporting: Option<Reporting>,
    pub(crate) mud: Option<Mud>,
    pub(crate) text: Option<Text>,
}

/// What the release is and whom it is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Release {
    /// Domain name of the vendor.
    pub(crate) vendor: String,
    /// Name of the class of device.
    pub(crate) class: String,
    /// Name of the software; the class without it.
    pub(crate) name: Option<String>,
    pub(crate) version: String,
    /// Scheme of the version.
    #[serde(default = "default_scheme")]
    pub(crate) scheme: String,
    /// Above that of every release before.
    pub(crate) sequence: u64,
    /// Id of the SBOM; made from vendor, name and version without it.
    pub(crate) tag_id: Option<String>,
    /// Id of the SBOM that this release replaces.
    pub(crate) supersedes: Option<String>,
    /// SBOM that lists what the software is made of: SPDX, CycloneDX, SWID or CoSWID.
    pub(crate) sbom: Option<PathBuf>,
    /// Members to sever, so that constrained devices need not fetch them.
    #[serde(default)]
    pub(crate) sever: Vec<String>,
    /// Where the whole manifest is published.
    pub(crate) reference_uri: Option<String>,
    /// Where devices keep the manifest, as one of several roots.
    pub(crate) manifest_component: Option<String>,
    /// Version that devices have after the update, for conditions of later releases.
    pub(crate) set_version: Option<String>,
    /// Whether staged content is checked before anything is installed.
    #[serde(default)]
    pub(crate) candidate_verification: bool,
    /// Whether to say how the release is removed again.
    #[serde(default)]
    pub(crate) uninstall: bool,
    /// Whether a distributor will encrypt the images (`suit encrypt`).
    #[serde(default)]
    pub(crate) encrypt_later: bool,
}

/// One component and its image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Component {
    pub(crate) id: String,
    /// The image, unless there are variants.
    pub(crate) image: Option<PathBuf>,
    /// Where devices fetch it. Without it, it rides in the envelope.
    pub(crate) uri: Option<String>,
    /// One image of several, chosen by the device.
    #[serde(default, rename = "variant")]
    pub(crate) variants: Vec<Variant>,
    /// Version of this component, if it has one of its own.
    pub(crate) version: Option<String>,
    /// Whether to start it at boot.
    #[serde(default)]
    pub(crate) invoke: bool,
    /// What it is started with.
    pub(crate) invoke_arguments: Option<String>,
    /// What goes with the URI to the server, where the deployment knows what to do with it.
    pub(crate) fetch_arguments: Option<String>,
    /// Component that takes what is fetched before it is installed.
    pub(crate) stage: Option<String>,
    /// Whether the image is written from the manifest itself: for small ones.
    #[serde(default)]
    pub(crate) write: bool,
    /// Where to write the ciphertext that is to be served under the URI.
    pub(crate) ciphertext: Option<PathBuf>,
    pub(crate) metadata: Option<Metadata>,
}

/// One of several images of a component, and when it is the one. What is not said holds for every device.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    pub(crate) image: PathBuf,
    pub(crate) uri: Option<String>,
    /// For the component in this slot.
    pub(crate) slot: Option<u64>,
    /// For the device with this UUID.
    pub(crate) device: Option<String>,
    /// For an installed version such as `>=1.2`.
    pub(crate) installed: Option<String>,
}

/// Owners, permissions and kind of a file (UM, section 4.2).
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    #[serde(rename = "type")]
    pub(crate) file_type: Option<String>,
    /// Bits for everybody.
    pub(crate) permissions: Option<u16>,
    #[serde(default)]
    pub(crate) users: BTreeMap<String, u16>,
    #[serde(default)]
    pub(crate) groups: BTreeMap<String, u16>,
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, u16>,
    /// Seconds since 1970.
    pub(crate) modified: Option<u64>,
    pub(crate) created: Option<u64>,
    pub(crate) creator: Option<String>,
}

/// Another manifest that this one needs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dependency {
    /// Component that takes its envelope.
    pub(crate) id: String,
    pub(crate) envelope: PathBuf,
    /// Where devices fetch it. Without it, it rides in the envelope.
    pub(crate) uri: Option<String>,
    /// What goes before the ids of its components.
    pub(crate) prefix: Option<String>,
}

/// What must hold before anything is fetched.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Conditions {
    /// Time after which the release is not installed any more.
    pub(crate) use_before: Option<String>,
    /// Energy in the battery, in mWh.
    pub(crate) battery: Option<u64>,
    /// How urgent it is, for the application that authorises it; the smaller the more.
    pub(crate) priority: Option<i64>,
    /// Versions that must be installed, such as `>=1.0` and `<2.0`.
    #[serde(default)]
    pub(crate) installed: Vec<String>,
}

/// Events to wait for before anything is fetched (UM, section 4.1).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Wait {
    pub(crate) authorization: Option<i64>,
    pub(crate) power: Option<i64>,
    pub(crate) network: Option<i64>,
    pub(crate) time: Option<String>,
    /// Seconds since local midnight.
    pub(crate) time_of_day: Option<u64>,
    /// 0 is Sunday.
    pub(crate) day_of_week: Option<u64>,
    pub(crate) utc_time_of_day: Option<u64>,
    pub(crate) utc_day_of_week: Option<u64>,
}

/// Whom images are encrypted for, now.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Encryption {
    #[serde(default = "default_cipher")]
    pub(crate) algorithm: String,
    /// Public keys of devices, or keys that groups share.
    pub(crate) recipients: Vec<PathBuf>,
}

/// What devices are asked to report, as lists of `record-success`, `record-failure`, `claims-success`, `claims-failure`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reporting {
    pub(crate) conditions: Option<Vec<String>>,
    pub(crate) directives: Option<Vec<String>>,
}

/// The network needs of the release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mud {
    pub(crate) file: PathBuf,
    /// Where the file is published; its own `mud-url` without it.
    pub(crate) url: Option<String>,
    /// Its signature, if it is signed already.
    pub(crate) signature: Option<PathBuf>,
    /// Else the key and certificate to sign it with.
    pub(crate) key: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    /// Certificates on the way to the operator's anchor.
    #[serde(default)]
    pub(crate) chain: Vec<PathBuf>,
}

/// Words for people.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Text {
    #[serde(default = "default_language")]
    pub(crate) language: String,
    pub(crate) description: Option<String>,
    pub(crate) update: Option<String>,
    pub(crate) vendor: Option<String>,
    pub(crate) model: Option<String>,
}

fn default_scheme() -> String {
    "semver".to_owned()
}

fn default_cipher() -> String {
    "A128GCM".to_owned()
}

fn default_language() -> String {
    "en".to_owned()
}

impl Recipe {
    /// Reads a recipe. Its paths are relative to its folder.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        parse(path, "docs/recipes.md")
    }
}

/// Reads a recipe of some kind, and says where it is described when it is not one.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(path: &Path, described: &str) -> Result<T, Failure> {
    let input = Input::read(path)?;
    let text = std::str::from_utf8(&input.bytes)
        .map_err(|error| Failure::new(format!("{} is not text", input.name)).because(&error))?;
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let place = error.span().map(|span| span.start);
        Failure::new(format!("{}: {}", input.name, error.message()))
            .at(&input.bytes, place)
            .help(format!("{described} describes recipes"))
    })
}
