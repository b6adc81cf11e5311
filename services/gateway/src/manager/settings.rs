//! Where MUD files come from at this site: a file of settings that the operator writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use mud::{Addresses, DateTime, Head, IpPrefix, MudUrl, SiteMode, StandingApproval, WeakAccess};
use serde::Deserialize;
use x509::{Certificate, Name, verify_chain};

use crate::control::StartError;
use crate::{Announced, Mac, Strength};

/// Which files wait for a person besides those that ask for much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalRule {
    /// None. A new file of a device without attestation waits all the same when it permits more than the one before.
    #[default]
    Broad,
    /// Those that permit more than the one in force for their model, of releases too.
    Wider,
    /// All.
    Every,
}

/// Sources of MUD files, and what is believed about them. The default takes nothing from anybody.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Which files wait for a person.
    pub approval: ApprovalRule,
    /// Issuers of the certificates of web servers (PEM); those of the system without it.
    pub tls_ca: Option<PathBuf>,
    /// Rules for URLs that devices announce, and for files that are fetched.
    pub announced: AnnouncedRules,
    /// Devices whose URL the operator knows, by the source address of their frames.
    pub devices: BTreeMap<Mac, KnownDevice>,
    /// Files that the operator gives himself.
    pub files: Vec<OperatorFile>,
    /// Others who publish files, the most trusted first.
    pub third_parties: Vec<ThirdParty>,
}

/// What is done with URLs that devices announce, and with files that are fetched for any URL.
#[derive(Clone, Debug)]
pub struct AnnouncedRules {
    /// What happens to files that no signature vouches for.
    pub mode: SiteMode,
    /// Issuers of MUD signers.
    pub anchors: Vec<Certificate>,
    /// Certificates at hand beside those in signatures. They are not believed for being here.
    pub extra: Vec<Certificate>,
    /// Ways of announcing that are listened to.
    pub accept: BTreeSet<Announced>,
    /// What devices get that could have said anything about themselves.
    pub weak_access: WeakAccess,
    /// Internal addresses from which files may be fetched.
    pub allow_private: Vec<IpPrefix>,
    /// A file at least this broad waits for an approval, from 0 to 100.
    pub breadth: u8,
    /// What is done about files with literal addresses.
    pub addresses: Addresses,
}

impl Default for AnnouncedRules {
    fn default() -> Self {
        Self {
            mode: SiteMode::Refuse,
            anchors: Vec::new(),
            extra: Vec::new(),
            accept: BTreeSet::new(),
            weak_access: WeakAccess::NoMore,
            allow_private: Vec::new(),
            breadth: mud::APPROVAL_BREADTH,
            addresses: Addresses::Hold,
        }
    }
}

/// A device whose URL the operator knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDevice {
    /// Its URL.
    pub url: MudUrl,
    /// The subject of whoever signs its files, where its certificate says so (`id-pe-mudsigner`).
    pub signer: Option<Name>,
    /// The URL can never change: it is in a certificate of the factory.
    pub fixed: bool,
}

/// A file that the operator gives for a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorFile {
    /// The URL.
    pub url: MudUrl,
    /// Where the file is.
    pub path: PathBuf,
    /// Where its signature is, if it is to be verified.
    pub signature: Option<PathBuf>,
}

/// Somebody besides the manufacturer who publishes files.
#[derive(Clone, Debug)]
pub struct ThirdParty {
    /// Its name.
    pub name: String,
    /// Who may sign its files.
    pub anchors: Vec<Certificate>,
    /// The beginning of the URLs that it has files for.
    pub urls: String,
    /// What stands there instead where it publishes.
    pub base: MudUrl,
}

impl Sources {
    /// Devices that the settings may name.
    pub const MAX_DEVICES: usize = 65_536;

    /// Reads the settings and every file they name but those that are fetched again and again.
    ///
    /// # Errors
    /// When anything in them is not understood: half of the settings would be other settings.
    pub fn load(path: &Path) -> Result<Self, StartError> {
        let at = |what: &dyn Display| StartError::Setting(format!("{}: {what}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| at(&error))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::read(&text, folder).map_err(|error| at(&error))
    }

    fn read(text: &str, folder: &Path) -> Result<Self, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut sources = Self {
            approval: written.approval,
            tls_ca: written.tls_ca.map(|path| folder.join(path)),
            announced: written.announced.map(|rules| rules.read(folder)).transpose()?.unwrap_or_default(),
            ..Self::default()
        };
        for file in written.file {
            let signature = file.signature.map(|path| folder.join(path));
            sources.add_file(OperatorFile {
                url: url(&file.url)?,
                path: folder.join(file.path),
                signature,
            })?;
        }
        if written.device.len() > Self::MAX_DEVICES {
            return Err(format!("at most {} devices may be named", Self::MAX_DEVICES));
        }
        for device in written.device {
            sources.add_device(device, folder)?;
        }
        let mut parties: Vec<(u32, ThirdParty)> = Vec::new();
        for party in written.source {
            parties.push(party.read(folder)?);
        }
        parties.sort_by_key(|(priority, _)| *priority);
        if parties.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
            return Err("two sources have the same priority".to_owned());
        }
        sources.third_parties = parties.into_iter().map(|(_, party)| party).collect();
        Ok(sources)
    }

    fn add_file(&mut self, file: OperatorFile) -> Result<(), String> {
        if self.files.iter().any(|other| other.url == file.url) {
            return Err(format!("two files for {}", file.url));
        }
        self.files.push(file);
        Ok(())
    }

    fn add_device(&mut self, device: WrittenDevice, folder: &Path) -> Result<(), String> {
        let mac = Mac::parse(&device.mac).ok_or_else(|| format!("{:?} is no MAC address", device.mac))?;
        let known = match (device.url, device.certificate, device.file) {
            (Some(text), None, None) => KnownDevice { url: url(&text)?, signer: None, fixed: false },
            (None, Some(path), None) => certified(mac, &folder.join(path), &device.anchors, folder)?,
            (None, None, Some(path)) => {
                let path = folder.join(path);
                let head =
                    Head::read(&read(&path)?).map_err(|error| format!("{}: {error}", path.display()))?;
                let file = OperatorFile { url: head.mud_url.clone(), path, signature: None };
                if !self.files.contains(&file) {
                    self.add_file(file)?;
                }
                KnownDevice { url: head.mud_url, signer: None, fixed: false }
            }
            _ => return Err(format!("device {mac}: expected one of url, certificate and file")),
        };
        match self.devices.insert(mac, known) {
            None => Ok(()),
            Some(_) => Err(format!("device {mac} is named twice")),
        }
    }

    /// The operator's word on a device.
    pub fn device(&self, mac: Mac) -> Option<&KnownDevice> {
        self.devices.get(&mac)
    }

    /// How a device's URL is known.
    pub fn strength(&self, mac: Mac) -> Strength {
        if self.device(mac).is_some() { Strength::Strong } else { Strength::Weak }
    }

    /// The file that the operator gives for a URL.
    pub fn file(&self, url: &MudUrl) -> Option<&OperatorFile> {
        self.files.iter().find(|file| file.url == *url)
    }

    /// The subject that signs files for a URL, by the certificate of a device with that URL.
    pub fn signer(&self, url: &MudUrl) -> Option<&Name> {
        self.devices.values().filter(|device| device.url == *url).find_map(|device| device.signer.as_ref())
    }

    /// Whether the URL of some device can never change.
    pub fn is_fixed(&self, url: &MudUrl) -> bool {
        self.devices.values().any(|device| device.fixed && device.url == *url)
    }
}

impl ThirdParty {
    /// Where it publishes the file for a URL, or the signature of that file.
    pub fn place(&self, url: &MudUrl) -> Option<MudUrl> {
        let rest = url.as_str().strip_prefix(&self.urls)?;
        // Dots that lead up would lead out of its place.
        let inside = rest.split(['/', '\\']).all(|segment| segment != ".." && segment != ".");
        inside.then(|| MudUrl::parse(&format!("{}{rest}", self.base)))?
    }
}

/// The URL of a device by its certificate, which the manufacturer's authority issued (RFC 8520, section 11).
fn certified(mac: Mac, path: &Path, anchors: &[PathBuf], folder: &Path) -> Result<KnownDevice, String> {
    let at = |what: &dyn Display| format!("device {mac}: {}: {what}", path.display());
    let all = certificates(path)?;
    let (certificate, others) = all.split_first().ok_or_else(|| at(&"holds no certificate"))?;
    let anchors = all_certificates(anchors, folder)?;
    if anchors.is_empty() {
        return Err(at(&"expected anchors that it leads to"));
    }
    // A certificate of the factory is meant to outlive its device; the operator reads it once, at the start.
    let now = certificate.validity().not_before;
    verify_chain(certificate, others, &anchors, now).map_err(|error| at(&error))?;
    let text = certificate.mud_url().ok_or_else(|| at(&"has no MUD URL"))?;
    let signer = certificate.mud_signer().cloned();
    Ok(KnownDevice { url: url(text)?, signer, fixed: true })
}

fn all_certificates(paths: &[PathBuf], folder: &Path) -> Result<Vec<Certificate>, String> {
    let found: Result<Vec<_>, String> = paths.iter().map(|path| certificates(&folder.join(path))).collect();
    Ok(found?.into_iter().flatten().collect())
}

/// The certificates in a file: PEM, or one in DER.
fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let bytes = read(path)?;
    let at = |what: &dyn Display| format!("{}: {what}", path.display());
    let decode = |der: &[u8]| Certificate::decode(der).map_err(|error| at(&error));
    if !x509::pem::is_pem(&bytes) {
        return Ok(vec![decode(&bytes)?]);
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| at(&error))?;
    let blocks = x509::pem::decode(text).map_err(|error| at(&error))?;
    let found: Result<Vec<_>, String> =
        blocks.iter().filter(|block| block.label == "CERTIFICATE").map(|block| decode(&block.der)).collect();
    match found?.as_slice() {
        [] => Err(at(&"holds no certificate")),
        found => Ok(found.to_vec()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn url(text: &str) -> Result<MudUrl, String> {
    MudUrl::parse(text).ok_or_else(|| format!("{text:?} is no https URL"))
}

fn prefix(text: &str) -> Result<IpPrefix, String> {
    let host = || text.parse::<IpAddr>().ok().map(IpPrefix::host);
    IpPrefix::parse(text).or_else(host).ok_or_else(|| format!("{text:?} is no address prefix"))
}

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    #[serde(default)]
    approval: ApprovalRule,
    tls_ca: Option<PathBuf>,
    announced: Option<WrittenRules>,
    #[serde(default)]
    device: Vec<WrittenDevice>,
    #[serde(default)]
    file: Vec<WrittenFile>,
    #[serde(default)]
    source: Vec<WrittenSource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WrittenRules {
    mode: WrittenMode,
    below: Option<String>,
    expires: Option<String>,
    #[serde(default)]
    anchors: Vec<PathBuf>,
    #[serde(default)]
    signers: Vec<PathBuf>,
    #[serde(default)]
    accept: Vec<WrittenAnnouncer>,
    #[serde(default)]
    weak_access: WrittenAccess,
    #[serde(default)]
    allow_private: Vec<String>,
    breadth: Option<u8>,
    #[serde(default)]
    addresses: WrittenAddresses,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenMode {
    Refuse,
    Hold,
    Laboratory,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenAnnouncer {
    Dhcpv4,
    Dhcpv6,
    Lldp,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenAccess {
    #[default]
    NoMore,
    AsFile,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenAddresses {
    #[default]
    Hold,
    Allow,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDevice {
    mac: String,
    url: Option<String>,
    certificate: Option<PathBuf>,
    #[serde(default)]
    anchors: Vec<PathBuf>,
    file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    url: String,
    path: PathBuf,
    signature: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource {
    name: String,
    priority: u32,
    anchors: Vec<PathBuf>,
    r#for: String,
    base: String,
}

impl WrittenRules {
    fn read(self, folder: &Path) -> Result<AnnouncedRules, String> {
        let mode = match (self.mode, self.below, self.expires) {
            (WrittenMode::Refuse, None, None) => SiteMode::Refuse,
            (WrittenMode::Hold, None, None) => SiteMode::Hold,
            (WrittenMode::Laboratory, Some(below), Some(expires)) => {
                let end = DateTime::parse(&expires).filter(DateTime::has_zone);
                let end = end.ok_or_else(|| format!("{expires:?} is no time with a zone"))?;
                SiteMode::Laboratory(StandingApproval { below: url(&below)?, expires: end.unix_seconds() })
            }
            (WrittenMode::Laboratory, _, _) => {
                return Err("a laboratory needs below and expires: where, and until when".to_owned());
            }
            _ => return Err("below and expires are for the mode laboratory".to_owned()),
        };
        let breadth = self.breadth.unwrap_or(mud::APPROVAL_BREADTH);
        if breadth > 100 {
            return Err(format!("breadth is from 0 to 100, found {breadth}"));
        }
        let accept = self.accept.iter().map(|announcer| match announcer {
            WrittenAnnouncer::Dhcpv4 => Announced::Dhcpv4,
            WrittenAnnouncer::Dhcpv6 => Announced::Dhcpv6,
            WrittenAnnouncer::Lldp => Announced::Lldp,
        });
        Ok(AnnouncedRules {
            mode,
            anchors: all_certificates(&self.anchors, folder)?,
            extra: all_certificates(&self.signers, folder)?,
            accept: accept.collect(),
            weak_access: match self.weak_access {
                WrittenAccess::NoMore => WeakAccess::NoMore,
                WrittenAccess::AsFile => WeakAccess::AsFile,
            },
            allow_private: self.allow_private.iter().map(|text| prefix(text)).collect::<Result<_, _>>()?,
            breadth,
            addresses: match self.addresses {
                WrittenAddresses::Hold => Addresses::Hold,
                WrittenAddresses::Allow => Addresses::Allow,
            },
        })
    }
}

impl WrittenSource {
    fn read(self, folder: &Path) -> Result<(u32, ThirdParty), String> {
        if self.anchors.is_empty() {
            return Err(format!("source {}: expected anchors of its own", self.name));
        }
        if !self.base.ends_with('/') || !self.r#for.ends_with('/') {
            return Err(format!("source {}: for and base are folders and end with a slash", self.name));
        }
        let party = ThirdParty {
            anchors: all_certificates(&self.anchors, folder)?,
            urls: url(&self.r#for)?.as_str().to_owned(),
            base: url(&self.base)?,
            name: self.name,
        };
        Ok((self.priority, party))
    }
}

#[cfg(test)]
mod tests;
