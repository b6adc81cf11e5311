//! The recipe of a release: a TOML file an author keeps beside the images (docs/recipes.md).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{failure::Failure, files::Input};

/// A recipe as it is written. Members that are not known are refused: a misspelt one must not be silently missing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    pub(crate) release: Release,
    #[serde(rename = "component")]
    pub(crate) components: Vec<Component>,
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
    /// Members to sever, so that constrained devices need not fetch them.
    #[serde(default)]
    pub(crate) sever: Vec<String>,
}

/// One component and its image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Component {
    pub(crate) id: String,
    pub(crate) image: PathBuf,
    /// Where devices fetch it. Without it, it rides in the envelope.
    pub(crate) uri: Option<String>,
    /// Version of this component, if it has one of its own.
    pub(crate) version: Option<String>,
    /// Whether to start it at boot.
    #[serde(default)]
    pub(crate) invoke: bool,
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
#[derive(Debug, Deserialize)]
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

fn default_language() -> String {
    "en".to_owned()
}

impl Recipe {
    /// Reads a recipe. Its paths are relative to its folder.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let input = Input::read(path)?;
        let text = std::str::from_utf8(&input.bytes)
            .map_err(|error| Failure::new(format!("{} is not text", input.name)).because(&error))?;
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let place = error.span().map(|span| span.start);
            Failure::new(format!("{}: {}", input.name, error.message()))
                .at(&input.bytes, place)
                .help("docs/recipes.md describes recipes")
        })
    }
}
