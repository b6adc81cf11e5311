use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use api::Base64Url;
use cose::{DecryptionKey, DecryptionKeys, Key, MacKey};
use crypto::{AgreementCurve, AgreementKey, Digest, HashAlgorithm, KeyWrapAlgorithm, PublicKey};
use device_core::{Component, Credentials, Device, Identity, InstallError, Layout, Offered};
use eat::{DebugStatus, Ueid};
use serde::{Deserialize, Serialize};
use suit::{AuthorityList, SharedKeys, Uuid};
use zeroize::Zeroizing;

use crate::{
    Error, FileStorage, InitOptions, InstallOptions, TargetOptions, UninstallOptions,
    file_source::FileSource,
    keys::{NewKey, attestation_key, make_key},
    onboarding::Onboarding,
    place::{Place, file, files_in, read, setup, write_private},
};

/// What an image may have at most, where it is not said.
const CAPACITY: u64 = 16 << 20;
/// The component of a device of which nothing else is said.
const COMPONENT: &str = "app";
/// Bytes of a random UEID, without its type.
const UEID_RANDOM: usize = 16;
/// First byte of a UEID of type RAND (RFC 9711, section 4.2.1.1).
const UEID_TYPE_RAND: u8 = 1;
/// How the names of files with keys to decrypt with end.
const KEY_ENDING: &str = ".cosekey";
/// How the names of files with keys that authors share end.
const SHARED_KEY_ENDING: &str = ".mackey";
/// What whoever enrols the device needs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Identification {
    /// The device, in hexadecimal digits.
    pub ueid: String,
    /// Its public key, a COSE_Key.
    pub key: Base64Url,
    /// The public key that payloads for it alone are encrypted to, a COSE_Key for ECDH-ES+A128KW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<Base64Url>,
}

/// What `install` answers.
#[derive(Debug, Serialize)]
pub struct InstalledRelease {
    manifest: String,
    sequence: u64,
    committed: bool,
}

/// What the device is, as `init` wrote it down.
#[derive(Debug, Default, Serialize, Deserialize)]
struct IdentityFile {
    ueid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vendor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    #[serde(default)]
    components: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layout: Option<String>,
}

/// Makes a device's key and identity, and notes whom it obeys until its roots change that. A list that would lock
/// everybody out is refused, and a device that has a key keeps it.
pub fn init(options: &InitOptions) -> Result<Identification, Error> {
    let blank = Blank::new(options)?;
    let ueid = match &options.ueid {
        Some(text) => {
            parse_hex(text).ok_or_else(|| Error::Usage(format!("--ueid is not hexadecimal: {text}")))?
        }
        None => {
            let mut ueid = vec![UEID_TYPE_RAND; 1 + UEID_RANDOM];
            getrandom::fill(&mut ueid[1..]).map_err(Error::Random)?;
            ueid
        }
    };
    let ueid = Ueid::new(&ueid).ok_or_else(|| Error::Usage("--ueid is not of 7 to 33 bytes".into()))?;
    blank.finish(&ueid, NewKey::File(make_key()?))
}

/// A device that is not made yet, whose options were looked at.
pub(crate) struct Blank<'o> {
    options: &'o InitOptions,
    authorities: Option<Vec<u8>>,
    identity: IdentityFile,
}

impl<'o> Blank<'o> {
    pub(crate) fn new(options: &'o InitOptions) -> Result<Self, Error> {
        let data = &options.data;
        FileStorage::open(data).map_err(file(data))?;
        let authorities = options.authorities.as_ref().map(|path| {
            let authorities = read(path)?;
            let list = AuthorityList::decode(&authorities).map_err(setup(path))?;
            list.lock_out().map_or(Ok(authorities), |lock_out| Err(setup(path)(lock_out)))
        });
        let authorities = authorities.transpose()?;
        let place = Place(data);
        if let Some(path) = [place.key(), place.tpm()].iter().find(|path| path.exists()) {
            return Err(setup(path)("there is a device already"));
        }
        let target = Target::of(&options.target, None)?;
        let identity = IdentityFile {
            ueid: String::new(),
            vendor: target.vendor.map(|vendor| vendor.to_string()),
            class: target.class.map(|class| class.to_string()),
            components: options.target.components.clone(),
            layout: options.layout.clone(),
        };
        parse_layout(identity.layout.as_deref())?;
        Ok(Self { options, authorities, identity })
    }

    /// Writes down what the device is. Its key comes last, since its presence says that the device is made.
    pub(crate) fn finish(self, ueid: &Ueid, key: NewKey) -> Result<Identification, Error> {
        let Self { options, authorities, identity } = self;
        let place = Place(&options.data);
        let identity = IdentityFile { ueid: ueid.to_string(), ..identity };
        let identity = serde_json::to_vec_pretty(&identity).map_err(setup(&place.identity()))?;
        let public = Key::from_public(key.public_key()).with_kid(ueid.as_bytes()).encode();
        let encryption_key = make_decryption_keys(&place, options, ueid.as_bytes())?;
        if let Some(path) = &options.update_server_key {
            let key = read(path)?;
            Key::decode(&key).map_err(setup(path))?;
            write_private(&place.update_server_key(), &key)?;
        }
        keep_shared_keys(&place, options)?;
        if let Some(authorities) = authorities {
            write_private(&place.authorities(), &authorities)?;
        }
        write_private(&place.identity(), &identity)?;
        match key {
            NewKey::File(key) => {
                let key = Key::from_secret(key).with_kid(ueid.as_bytes());
                let secret = key.encode_secret();
                let secret = secret.ok_or_else(|| setup(&place.key())("the key is not private"))?;
                write_private(&place.key(), &secret)?;
            }
            NewKey::Tpm(secrets) => write_private(&place.tpm(), &secrets.encode())?,
        }
        let encryption_key = Some(Base64Url(encryption_key));
        Ok(Identification { ueid: ueid.to_string(), key: Base64Url(public), encryption_key })
    }
}

/// Makes the key that payloads for this device alone are encrypted to, and takes in those it is given. The answer is
/// the public part of the first.
fn make_decryption_keys(place: &Place<'_>, options: &InitOptions, kid: &[u8]) -> Result<Vec<u8>, Error> {
    let folder = place.keys();
    fs::create_dir_all(&folder).map_err(file(&folder))?;
    for (number, path) in options.decryption_keys.iter().enumerate() {
        let key = DecryptionKey::decode(&read(path)?).map_err(setup(path))?;
        write_private(&folder.join(format!("given-{number}{KEY_ENDING}")), &key.encode_secret())?;
    }
    let mut failed = None;
    let mut fill = |bytes: &mut [u8]| failed = failed.or(getrandom::fill(bytes).err());
    let key = AgreementKey::generate(AgreementCurve::P256, &mut fill);
    if let Some(error) = failed {
        return Err(Error::Random(error));
    }
    let path = folder.join(format!("device{KEY_ENDING}"));
    let key = DecryptionKey::agreement(key.map_err(setup(&path))?, KeyWrapAlgorithm::A128Kw, kid)
        .map_err(setup(&path))?;
    write_private(&path, &key.encode_secret())?;
    Ok(key.recipient_key().map_err(setup(&path))?.encode().to_vec())
}

/// Takes in the keys that authors share with the device.
fn keep_shared_keys(place: &Place<'_>, options: &InitOptions) -> Result<(), Error> {
    let folder = place.keys();
    for (number, path) in options.shared_keys.iter().enumerate() {
        let (kid, key) = shared_key(path)?;
        write_private(&folder.join(format!("shared-{number}{SHARED_KEY_ENDING}")), &key.encode_secret(&kid))?;
    }
    Ok(())
}

/// A key that an author shares, and the identifier that lists know it by.
fn shared_key(path: &Path) -> Result<(Vec<u8>, MacKey), Error> {
    let bytes = Zeroizing::new(read(path)?);
    let (key, kid) = MacKey::decode_named(&bytes).map_err(setup(path))?;
    if kid.is_empty() {
        return Err(setup(path)("the key has no identifier"));
    }
    Ok((kid, key))
}

/// The keys that authors share with the device.
fn shared_keys(place: &Place<'_>) -> Result<SharedKeys, Error> {
    let folder = place.keys();
    let files = files_in(&folder, SHARED_KEY_ENDING)?;
    let keys = files.iter().map(|path| shared_key(path)).collect::<Result<_, _>>()?;
    SharedKeys::new(keys).map_err(setup(&folder))
}

/// The keys that payloads are encrypted to; a device made without any has none.
fn decryption_keys(place: &Place<'_>) -> Result<Option<DecryptionKeys>, Error> {
    let folder = place.keys();
    if !folder.exists() {
        return Ok(None);
    }
    let mut keys = DecryptionKeys::default();
    for path in files_in(&folder, KEY_ENDING)? {
        keys.push(DecryptionKey::decode(&Zeroizing::new(read(&path)?)).map_err(setup(&path))?);
    }
    Ok(Some(keys))
}

/// Installs a release from a file, verified like any other. On a device that never committed one it is committed at
/// once, since there is nothing to go back to; else it is on trial.
pub fn install(options: &InstallOptions) -> Result<InstalledRelease, Error> {
    let _lock = lock(&options.data)?;
    let mut device = wake(&options.data, &options.target)?;
    let limit = device.identity().max_envelope_len();
    let mut source = FileSource::open(&options.envelope, limit)?;
    let (name, index) = source.read_index()?;
    let release = Offered { index: &index, envelope: name, manifest: None };
    let manifest = device.install_from(&release, &mut source, unix_now()).map_err(told)?;
    let committed = device.state().committed.is_none();
    if committed {
        device.commit()?;
    }
    let installed = device.state().slots.iter().flatten().find(|installed| installed.manifest == manifest);
    let sequence = installed.map_or(0, |installed| installed.sequence);
    Ok(InstalledRelease { manifest: hex(manifest.as_bytes()), sequence, committed })
}

/// Removes a release; what runs goes on until the agent boots again.
pub fn uninstall(options: &UninstallOptions) -> Result<(), Error> {
    let _lock = lock(&options.data)?;
    let mut device = wake(&options.data, &options.target)?;
    let manifest = parse_hex(&options.manifest);
    let manifest = manifest.and_then(|manifest| Digest::new(HashAlgorithm::Sha256, &manifest));
    let manifest =
        manifest.ok_or_else(|| Error::Usage(format!("not a SHA-256 digest: {}", options.manifest)))?;
    device.uninstall(&manifest, unix_now()).map_err(told)
}

fn told(error: InstallError<std::io::Error>) -> Error {
    match error {
        InstallError::Refused(fault) => Error::Refused { code: fault.code(), what: fault.to_string() },
        InstallError::Interrupted(error) => Error::Interrupted(error.code()),
        InstallError::Device(error) => error.into(),
    }
}

/// The device as it wakes up, with everything read anew.
pub(crate) fn wake(data: &Path, target: &TargetOptions) -> Result<Device<FileStorage>, Error> {
    let storage = FileStorage::open(data).map_err(file(data))?;
    let mut boot_seed = [0; 32];
    getrandom::fill(&mut boot_seed).map_err(Error::Random)?;
    let place = Place(data);
    let device = Device::power_up(storage, credentials(data, target)?, &boot_seed)?;
    let device = device.with_shared_keys(shared_keys(&place)?);
    Ok(match decryption_keys(&place)? {
        Some(keys) => device.with_keys(keys),
        None => device,
    })
}

/// The key that the update server's answers must be signed with: that of the owner, or else the one that the device was made
/// with, if any.
pub(crate) fn update_server_key(data: &Path) -> Result<Option<PublicKey>, Error> {
    let path = Place(data).update_server_key();
    let onboarding = Onboarding::load(data)?;
    let given = onboarding.as_ref().and_then(Onboarding::provision);
    let key = match given.and_then(|provision| provision.update_server_key.clone()) {
        Some(key) => key,
        None if path.exists() => read(&path)?,
        None => return Ok(None),
    };
    let key = Key::decode(&key).map_err(setup(&path))?;
    Ok(Some(key.public().clone()))
}

/// Keeps others from the folder as long as the file lives.
pub(crate) fn lock(data: &Path) -> Result<File, Error> {
    FileStorage::open(data).map_err(file(data))?;
    let path = data.join("lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let lock = lock.map_err(file(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(data.to_owned())),
        Err(TryLockError::Error(error)) => Err(file(&path)(error)),
    }
}

/// Seconds since 1970, if the clock was ever set.
pub(crate) fn unix_now() -> Option<u64> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

fn credentials(data: &Path, options: &TargetOptions) -> Result<Credentials, Error> {
    let place = Place(data);
    let path = place.identity();
    let stored: IdentityFile = serde_json::from_slice(&read(&path)?).map_err(setup(&path))?;
    let ueid = parse_hex(&stored.ueid).and_then(|ueid| Ueid::new(&ueid));
    let ueid = ueid.ok_or_else(|| setup(&path)("ueid is not one"))?;
    let target = Target::of(options, Some(&stored))?;
    let missing = |what: &str| Error::Usage(format!("{what} was neither given to init nor now"));
    let identity = Identity {
        ueid,
        vendor: target.vendor.ok_or_else(|| missing("--vendor-domain"))?,
        class: target.class.ok_or_else(|| missing("--class"))?,
        // A Linux device has no debug port that this program could see.
        debug: DebugStatus::Disabled,
        components: target.components,
        layout: parse_layout(stored.layout.as_deref())?,
    };
    let authorities = authorities(data)?;
    let key = attestation_key(data)?;
    Ok(Credentials { identity, authorities, key })
}

/// The list that the device was made with, or else that its owner gave it. A device that waits for its owner obeys nobody.
fn authorities(data: &Path) -> Result<AuthorityList, Error> {
    let path = Place(data).authorities();
    if path.exists() {
        return AuthorityList::decode(&read(&path)?).map_err(setup(&path));
    }
    let Some(onboarding) = Onboarding::load(data)? else { return Err(setup(&path)("there is none")) };
    match onboarding.authorities {
        Some(list) => AuthorityList::decode(&list).map_err(setup(&Place(data).credential())),
        // Below every version that a list can have, so that any may follow.
        None => AuthorityList::with_default_policy(Vec::new())
            .map(|list| list.with_version(0))
            .map_err(setup(&path)),
    }
}

/// Of which vendor and class the device is, and what can be installed.
struct Target {
    vendor: Option<Uuid>,
    class: Option<Uuid>,
    components: Vec<Component>,
}

impl Target {
    /// What is given now goes before what was written down.
    fn of(options: &TargetOptions, stored: Option<&IdentityFile>) -> Result<Self, Error> {
        let parse =
            |text: &String| parse_uuid(text).ok_or_else(|| Error::Usage(format!("not a UUID: {text}")));
        let stored_vendor = stored.and_then(|stored| stored.vendor.as_ref());
        let vendor = match (&options.vendor_id, &options.vendor_domain) {
            (Some(id), _) => Some(parse(id)?),
            (None, Some(domain)) => Some(Uuid::vendor(domain)),
            (None, None) => stored_vendor.map(parse).transpose()?,
        };
        let stored_class = stored.and_then(|stored| stored.class.as_ref());
        let class = match (&options.class_id, &options.class, vendor) {
            (Some(id), ..) => Some(parse(id)?),
            (None, Some(class), Some(vendor)) => Some(Uuid::class(&vendor, class.as_bytes())),
            (None, Some(_), None) => return Err(Error::Usage("--class needs a vendor".into())),
            (None, None, _) => stored_class.map(parse).transpose()?,
        };
        let named = if options.components.is_empty() {
            stored.map(|stored| stored.components.as_slice()).unwrap_or_default()
        } else {
            &options.components
        };
        let components = match named {
            [] => vec![parse_component(COMPONENT)?],
            named => named.iter().map(|text| parse_component(text)).collect::<Result<_, _>>()?,
        };
        Ok(Self { vendor, class, components })
    }
}

fn parse_layout(text: Option<&str>) -> Result<Layout, Error> {
    match text {
        None | Some("ab") => Ok(Layout::InTurn),
        Some("swap") => Ok(Layout::Swap),
        Some(other) => Err(Error::Usage(format!("--layout is neither ab nor swap: {other}"))),
    }
}

/// `app` or `app:1048576`.
fn parse_component(text: &str) -> Result<Component, Error> {
    let wrong = || Error::Usage(format!("not a component: {text}"));
    let (name, capacity) = match text.rsplit_once(':') {
        Some((name, bytes)) => (name, bytes.parse().map_err(|_| wrong())?),
        None => (text, CAPACITY),
    };
    Ok(Component { id: name.parse().map_err(|_| wrong())?, capacity })
}

fn parse_uuid(text: &str) -> Option<Uuid> {
    let bytes: [u8; 16] = parse_hex(&text.replace('-', ""))?.try_into().ok()?;
    Some(bytes.into())
}

/// Bytes of hexadecimal digits.
pub(crate) fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let value = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(value(*high)? << 4 | value(*low)?).ok(),
        _ => None,
    };
    digits.chunks(2).map(byte).collect()
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_components_and_identifiers_and_refuses_others() {
        let component = parse_component("firmware/0x00:4096").unwrap();
        assert_eq!((component.id.to_string().as_str(), component.capacity), ("firmware/0x00", 4096));
        assert_eq!(parse_component("app").unwrap().capacity, CAPACITY);
        assert!(parse_component("app:many").is_err());
        assert!(parse_component("a//b").is_err());
        let vendor = parse_uuid("fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe").unwrap();
        assert_eq!(vendor, Uuid::vendor("arm.com"));
        assert!(parse_uuid("fa6b").is_none());
        assert_eq!(parse_hex("0aFf"), Some(vec![0x0a, 0xff]));
        assert_eq!(parse_hex("0"), None);
        assert_eq!(parse_hex("é0"), None);
        assert_eq!(hex(&[0x0a, 0xff]), "0aff");
    }

    #[test]
    fn the_folder_belongs_to_one_agent() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert!(matches!(lock(folder.path()), Err(Error::InUse(_))));
        drop(first);
        lock(folder.path()).unwrap();
    }
}
