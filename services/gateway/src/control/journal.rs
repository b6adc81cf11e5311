//! What must survive the process, so that it can enforce again before any server answers.
//!
//! One file an object, each replaced as a whole: written beside, synchronised, renamed. `site.json` holds what narrows
//! everywhere and must not be lost; a device or release that cannot be read is left out, which narrows too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use api::Base64Url;
use crypto::{Digest, HashAlgorithm};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::StartError;
use super::answers::SavedAnswers;
use super::hex::hex;
use crate::manager::{SavedModel, SavedResident};

/// A directory of small files.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
}

/// Everything that was saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// What is not about one device or release.
    pub site: SavedSite,
    /// Accepted releases.
    pub releases: Vec<SavedRelease>,
    /// Devices.
    pub devices: Vec<SavedDevice>,
    /// Addresses that names had.
    pub names: Vec<SavedName>,
    /// What was answered by itself.
    pub answers: SavedAnswers,
    /// Files of devices without attestation.
    pub models: Vec<SavedModel>,
    /// Devices without attestation.
    pub residents: Vec<SavedResident>,
}

/// What is not about one device or release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSite {
    /// Manifest digests of revoked releases, hexadecimal.
    pub revoked: Vec<String>,
    /// Signed overrides.
    pub overrides: Vec<Base64Url>,
    /// Numbers of staged policies, by which the kernel knows them.
    pub policies: Vec<SavedPolicy>,
    /// MAC addresses from which attested devices were admitted.
    #[serde(default)]
    pub attested: Vec<String>,
    /// Manifest digests of releases whose files permitted no more than those before them, hexadecimal.
    #[serde(default)]
    pub accepted: Vec<String>,
}

/// A staged policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPolicy {
    /// Its number.
    pub number: u32,
    /// Manifest digest of its release, hexadecimal; empty for a file of devices without attestation.
    pub release: String,
    /// The file, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SavedFilePolicy>,
    /// Digests of its overrides, hexadecimal.
    pub overrides: Vec<String>,
    /// The word of its level; without one that of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
}

/// What a policy of devices without attestation is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFilePolicy {
    /// MUD URL of the devices.
    pub url: String,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// Whether their URL is known strongly.
    pub strong: bool,
}

/// An accepted release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedRelease {
    /// The envelope as received.
    pub envelope: Base64Url,
    /// When it was accepted, in seconds since 1970.
    pub accepted_at: i64,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedDevice {
    /// UEID, hexadecimal.
    pub ueid: String,
    /// Name for people.
    pub name: String,
    /// The pinned key (COSE_Key).
    pub key: Option<Base64Url>,
    /// MAC address it was admitted from.
    pub mac: Option<String>,
    /// Addresses it was admitted from.
    pub addresses: Vec<IpAddr>,
    /// Those of the addresses that it was only heard with, and until when it has them, in seconds since 1970.
    #[serde(default)]
    pub followed: BTreeMap<IpAddr, i64>,
    /// Its newest signed result.
    pub result: Option<Base64Url>,
    /// What a person leaves it.
    #[serde(deserialize_with = "api::read_restriction")]
    pub held: Option<api::Restriction>,
    /// Whether the server lists it.
    pub in_service: bool,
    /// How often its evidence became bad lately, and when it last did, in seconds since 1970.
    #[serde(default)]
    pub cuts: (u32, i64),
}

/// An address that was given to a device for a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedName {
    /// The name.
    pub name: String,
    /// The address.
    pub address: IpAddr,
    /// Until when devices may use it, in seconds since 1970.
    pub until: i64,
}

impl Journal {
    /// Opens a directory, making it if need be, and reads what it holds.
    pub fn open(directory: &Path) -> Result<(Self, Saved), StartError> {
        for sort in [DEVICES, RELEASES, MODELS, RESIDENTS] {
            fs::create_dir_all(directory.join(sort)).map_err(StartError::io("making the journal"))?;
        }
        let journal = Self { directory: directory.to_owned() };
        let path = directory.join(SITE);
        let site = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| StartError::Journal { file: SITE.to_owned(), why: error.to_string() })?,
            Err(error) if error.kind() == ErrorKind::NotFound => SavedSite::default(),
            Err(error) => return Err(StartError::Journal { file: SITE.to_owned(), why: error.to_string() }),
        };
        let (releases, devices) = (journal.read_all(RELEASES)?, journal.read_all(DEVICES)?);
        // Without what was cut within the hour, more could be.
        let answers = match fs::read(directory.join(ANSWERS)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| StartError::Journal { file: ANSWERS.to_owned(), why: error.to_string() })?,
            Err(error) if error.kind() == ErrorKind::NotFound => SavedAnswers::default(),
            Err(error) => {
                return Err(StartError::Journal { file: ANSWERS.to_owned(), why: error.to_string() });
            }
        };
        // Names that are lost are asked for again.
        let names = fs::read(directory.join(NAMES)).ok();
        let names = names.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let (models, residents) = (journal.read_all(MODELS)?, journal.read_all(RESIDENTS)?);
        Ok((journal, Saved { site, releases, devices, names, answers, models, residents }))
    }

    /// Saves what is not about one device or release.
    pub fn put_site(&self, site: &SavedSite) -> io::Result<()> {
        self.put(Path::new(SITE), site)
    }

    /// Saves what was answered by itself.
    pub fn put_answers(&self, answers: &SavedAnswers) -> io::Result<()> {
        self.put(Path::new(ANSWERS), answers)
    }

    /// Saves the addresses of names.
    pub fn put_names(&self, names: &[SavedName]) -> io::Result<()> {
        self.put(Path::new(NAMES), &names)
    }

    /// Saves a device under its UEID.
    pub fn put_device(&self, device: &SavedDevice) -> io::Result<()> {
        self.put(&object(DEVICES, &device.ueid), device)
    }

    /// Saves a release under its manifest digest, hexadecimal.
    pub fn put_release(&self, digest: &str, release: &SavedRelease) -> io::Result<()> {
        self.put(&object(RELEASES, digest), release)
    }

    /// Forgets a release.
    pub fn remove_release(&self, digest: &str) -> io::Result<()> {
        self.remove(RELEASES, digest)
    }

    /// Saves the files of a URL.
    pub fn put_model(&self, model: &SavedModel) -> io::Result<()> {
        self.put(&object(MODELS, &name_of(&model.url)), model)
    }

    /// Forgets the files of a URL.
    pub fn remove_model(&self, url: &str) -> io::Result<()> {
        self.remove(MODELS, &name_of(url))
    }

    /// Saves a device without attestation.
    pub fn put_resident(&self, resident: &SavedResident) -> io::Result<()> {
        self.put(&object(RESIDENTS, &name_of(&resident.mac)), resident)
    }

    /// Forgets a device without attestation.
    pub fn remove_resident(&self, mac: &str) -> io::Result<()> {
        self.remove(RESIDENTS, &name_of(mac))
    }

    fn remove(&self, sort: &str, name: &str) -> io::Result<()> {
        match fs::remove_file(self.directory.join(object(sort, name))) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn put(&self, name: &Path, value: &impl Serialize) -> io::Result<()> {
        let path = self.directory.join(name);
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        // The new name is durable when its directory is.
        File::open(path.parent().unwrap_or(&self.directory))?.sync_all()
    }

    fn read_all<T: DeserializeOwned>(&self, sort: &str) -> Result<Vec<T>, StartError> {
        let reading = || StartError::io("reading the journal");
        let entries = fs::read_dir(self.directory.join(sort)).map_err(reading())?;
        let paths: io::Result<BTreeSet<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut found = Vec::new();
        for path in paths.map_err(reading())? {
            // What was being written when the process ended never counted.
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let bytes = fs::read(&path).map_err(reading())?;
            match serde_json::from_slice(&bytes) {
                Ok(value) => found.push(value),
                Err(error) => tracing::error!(file = %path.display(), %error, "a saved object is left out"),
            }
        }
        Ok(found)
    }
}

/// Names are hexadecimal digits, whoever chose them.
fn object(sort: &str, name: &str) -> PathBuf {
    Path::new(sort).join(format!("{name}.json"))
}

/// A name of digits for a text that somebody else chose.
fn name_of(text: &str) -> String {
    hex(Digest::of(HashAlgorithm::Sha256, text.as_bytes()).as_bytes())
}

const SITE: &str = "site.json";
const ANSWERS: &str = "answers.json";
const NAMES: &str = "names.json";
const DEVICES: &str = "devices";
const RELEASES: &str = "releases";
const MODELS: &str = "models";
const RESIDENTS: &str = "residents";
