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
mod tests {
    use crypto::{SignatureAlgorithm, SigningKey};
    use x509::{CertificateBuilder, Validity};

    use super::*;

    const URL: &str = "https://maker.example/cam.json";

    fn sources(text: &str) -> Result<Sources, String> {
        Sources::read(text, Path::new("/nowhere"))
    }

    #[test]
    fn settings_are_read_whole() {
        let read = sources(
            r#"
            approval = "wider"
            [announced]
            mode = "laboratory"
            below = "https://lab.example/x/"
            expires = "2027-01-01T00:00:00Z"
            accept = ["dhcpv4", "lldp"]
            weak-access = "as-file"
            allow-private = ["10.0.0.0/8", "fd00::1"]
            breadth = 40
            addresses = "allow"
            [[device]]
            mac = "02:00:00:00:00:01"
            url = "https://maker.example/cam.json"
            [[file]]
            url = "https://maker.example/cam.json"
            path = "cam.json"
            "#,
        )
        .unwrap();
        assert_eq!(read.approval, ApprovalRule::Wider);
        let SiteMode::Laboratory(lab) = &read.announced.mode else { panic!("{:?}", read.announced.mode) };
        assert_eq!((lab.below.as_str(), lab.expires), ("https://lab.example/x/", 1_798_761_600));
        assert_eq!(read.announced.accept, [Announced::Dhcpv4, Announced::Lldp].into());
        assert_eq!(read.announced.weak_access, WeakAccess::AsFile);
        assert_eq!((read.announced.allow_private.len(), read.announced.breadth), (2, 40));
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        assert_eq!(read.strength(mac), Strength::Strong);
        assert_eq!(read.strength(Mac([2, 0, 0, 0, 0, 2])), Strength::Weak);
        let url = read.device(mac).unwrap().url.clone();
        assert_eq!(read.file(&url).unwrap().path, Path::new("/nowhere/cam.json"));
    }

    #[test]
    fn without_settings_nothing_is_taken_from_anybody() {
        let read = sources("").unwrap();
        assert_eq!(read.announced.mode, SiteMode::Refuse);
        assert!(read.announced.accept.is_empty() && read.announced.anchors.is_empty());
        assert_eq!(read.announced.weak_access, WeakAccess::NoMore);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_name() {
        for (text, said) in [
            ("approvals = \"wider\"", "approvals"),
            ("approval = \"some\"", "some"),
            ("[announced]\nmode = \"open\"", "open"),
            ("[announced]\nmode = \"laboratory\"", "below and expires"),
            ("[announced]\nmode = \"hold\"\nbelow = \"https://a.example/\"", "laboratory"),
            (
                "[announced]\nmode = \"laboratory\"\nbelow = \"https://a.example/\"\nexpires = \"2027-01-01T00:00:00\"",
                "zone",
            ),
            ("[announced]\nmode = \"hold\"\nbreadth = 101", "101"),
            ("[announced]\nmode = \"hold\"\naccept = [\"arp\"]", "arp"),
            ("[announced]\nmode = \"hold\"\nallow-private = [\"10.0.0.0/33\"]", "10.0.0.0/33"),
            ("[announced]\nmode = \"hold\"\nanchors = [\"absent.pem\"]", "absent.pem"),
            ("[[device]]\nmac = \"2:0:0:0:0:1\"\nurl = \"https://a.example/\"", "MAC"),
            ("[[device]]\nmac = \"02:00:00:00:00:01\"", "one of url, certificate and file"),
            ("[[device]]\nmac = \"02:00:00:00:00:01\"\nurl = \"http://a.example/\"", "https"),
            (
                "[[device]]\nmac = \"02:00:00:00:00:01\"\nurl = \"https://a.example/\"\n
                 [[device]]\nmac = \"02:00:00:00:00:01\"\nurl = \"https://a.example/\"",
                "twice",
            ),
            (
                "[[file]]\nurl = \"https://a.example/x\"\npath = \"a\"\n[[file]]\nurl = \"https://a.example/x\"\npath = \"b\"",
                "two files",
            ),
            (
                "[[source]]\nname = \"x\"\npriority = 1\nanchors = []\nfor = \"https://a.example/\"\nbase = \"https://b.example/\"",
                "anchors",
            ),
        ] {
            let error = sources(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_device_has_the_url_and_signer_of_its_certificate_where_its_maker_vouches_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = |seed| SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).unwrap();
        let validity = Validity { not_before: 1_700_000_000, not_after: 1_900_000_000 };
        let authority = |seed: u8| {
            let name = format!("CN=Maker {seed}").parse().unwrap();
            let builder = CertificateBuilder::new(name, key(seed).public_key(), &[seed], validity);
            builder.authority(None).self_signed(&key(seed)).unwrap()
        };
        let device = |url: Option<&str>| {
            let name = "CN=cam 1".parse().unwrap();
            let builder = CertificateBuilder::new(name, key(9).public_key(), &[9], validity);
            let builder = builder.mud_signer("CN=Maker MUD".parse().unwrap());
            let builder = url.into_iter().fold(builder, |builder, url| builder.mud_url(url));
            builder.issued_by(&authority(1), &key(1)).unwrap()
        };
        let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        put("one.der", authority(1).as_der());
        put("two.der", authority(2).as_der());
        put("cam.pem", x509::pem::encode("CERTIFICATE", device(Some(URL)).as_der()).as_bytes());
        put("bare.der", device(None).as_der());
        let read = |file: &str, anchors: &str| {
            let text = format!(
                "[[device]]\nmac = \"02:00:00:00:00:01\"\ncertificate = \"{file}\"\nanchors = [{anchors}]"
            );
            Sources::read(&text, folder.path())
        };
        let sources = read("cam.pem", "\"one.der\"").unwrap();
        let known = sources.device(Mac([2, 0, 0, 0, 0, 1])).unwrap();
        assert_eq!((known.url.as_str(), known.fixed), (URL, true));
        assert_eq!(sources.signer(&known.url).unwrap().to_string(), "CN=Maker MUD");
        assert!(sources.is_fixed(&known.url));
        for (file, anchors, said) in [
            ("cam.pem", "\"two.der\"", "cam.pem"),
            ("cam.pem", "", "anchors"),
            ("bare.der", "\"one.der\"", "no MUD URL"),
            ("absent.der", "\"one.der\"", "absent.der"),
        ] {
            let error = read(file, anchors).expect_err(said);
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_third_party_has_files_below_its_place_only() {
        let party = ThirdParty {
            name: "reviewer".into(),
            anchors: vec![],
            urls: "https://maker.example/".into(),
            base: url("https://reviewer.example/mud/").unwrap(),
        };
        let place = |text| party.place(&url(text).unwrap()).map(|place| place.to_string());
        assert_eq!(
            place("https://maker.example/cam/v1.json").as_deref(),
            Some("https://reviewer.example/mud/cam/v1.json")
        );
        for outside in [
            "https://maker.example/../../x",
            "https://other.example/cam.json",
            "https://maker.example.evil.example/x",
        ] {
            assert_eq!(place(outside), None, "{outside}");
        }
    }
}
