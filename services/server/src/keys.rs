//! The server's own secrets: the keys that sign results and answers about updates, and the secret that seals challenges
//! and device tokens.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use cose::{Key, Purpose, TrustAnchor, TrustAnchors};
use crypto::{HashAlgorithm, SignatureAlgorithm, SigningKey, Zeroizing};
use x509::{Certificate, CertificateBuilder, Validity, pem};

use crate::Error;

/// The key that signs results, and who must believe it.
pub(crate) struct ResultKey {
    /// Signs.
    pub(crate) signing: SigningKey,
    /// The key's SHA-256 thumbprint (RFC 9679).
    pub(crate) kid: Vec<u8>,
    /// Its public part, a COSE_Key.
    pub(crate) public: Vec<u8>,
    /// The key as the only anchor for results.
    pub(crate) anchors: TrustAnchors,
}

/// Length of the sealing secret in bytes.
const SECRET_LEN: usize = 32;

impl ResultKey {
    /// Reads the key, or makes it on the first run.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        // What gateways take as their verifier's key.
        let OwnKey { signing, kid, public } = OwnKey::load(path, "verifier.key")?;
        let anchor = TrustAnchor::new(signing.public_key().clone(), Purpose::Result, "this verifier");
        Ok(Self { signing, kid, public, anchors: TrustAnchors::new(vec![anchor]) })
    }
}

/// A key that the server signs with.
pub(crate) struct OwnKey {
    /// Signs.
    pub(crate) signing: SigningKey,
    /// The key's SHA-256 thumbprint (RFC 9679).
    pub(crate) kid: Vec<u8>,
    /// Its public part, a COSE_Key.
    pub(crate) public: Vec<u8>,
}

impl OwnKey {
    /// Reads the key, or makes it on the first run, and lays its public part beside it for those who are to believe it.
    pub(crate) fn load(path: &Path, public_name: &str) -> Result<Self, Error> {
        Self::load_of(SignatureAlgorithm::Es256, path, public_name)
    }

    /// The same of a key of some algorithm.
    pub(crate) fn load_of(
        algorithm: SignatureAlgorithm,
        path: &Path,
        public_name: &str,
    ) -> Result<Self, Error> {
        let bytes = load_or_make(path, || {
            let signing = SigningKey::generate(algorithm, &mut fill)
                .map_err(|_| Error::Secret("a key could not be generated"))?;
            Key::from_secret(signing).encode_secret().ok_or(Error::Secret("a key could not be encoded"))
        })?;
        let key = Key::decode(&bytes).map_err(|_| Error::Secret("a signing key cannot be read"))?;
        let kid = key.thumbprint(HashAlgorithm::Sha256).as_bytes().to_vec();
        let public = key.encode();
        write_private(&path.with_file_name(public_name), &public)?;
        let signing = key.into_secret().ok_or(Error::Secret("a signing key is a public key"))?;
        Ok(Self { signing, kid, public })
    }
}

/// An authority of certificates: its key, and its own certificate.
pub(crate) struct Authority {
    /// Signs.
    pub(crate) signing: SigningKey,
    /// What is beside every certificate that it issues.
    pub(crate) certificate: Certificate,
}

/// How long authorities are good that are made here, in seconds: as long as the devices that they certify.
const AUTHORITY_SECONDS: i64 = 40 * 365 * 24 * 3600;

impl Authority {
    /// Reads key and certificate, or makes both on the first run.
    pub(crate) fn load(folder: &Path, name: &str, subject: &str, now: i64) -> Result<Self, Error> {
        let OwnKey { signing, .. } =
            OwnKey::load(&folder.join(format!("{name}.key")), &format!("{name}.public"))?;
        let path = folder.join(format!("{name}.pem"));
        let pem = load_or_make(&path, || {
            let subject = subject.parse().map_err(|_| Error::Secret("an authority has no name"))?;
            let validity = Validity { not_before: now, not_after: now.saturating_add(AUTHORITY_SECONDS) };
            let serial = serial_number();
            let builder = CertificateBuilder::new(subject, signing.public_key(), &serial, validity);
            let made = builder.authority(Some(0)).self_signed(&signing);
            let made = made.map_err(|_| Error::Secret("the certificate of an authority cannot be made"))?;
            Ok(Zeroizing::new(pem::encode("CERTIFICATE", made.as_der()).into_bytes()))
        })?;
        let broken = Error::Secret("the certificate of an authority cannot be read");
        let text = std::str::from_utf8(&pem).ok();
        let certificate = text.and_then(|text| pem::decode(text).ok());
        let certificate = certificate.and_then(|all| Certificate::decode(&all.first()?.der).ok());
        let certificate = certificate
            .filter(|certificate| certificate.public_key().is_ok_and(|key| key == signing.public_key()));
        Ok(Self { signing, certificate: certificate.ok_or(broken)? })
    }
}

/// A serial number: 16 random bytes that make a positive number.
pub(crate) fn serial_number() -> [u8; 16] {
    let mut serial = random::<16>();
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

/// Reads the sealing secret, or makes it on the first run.
pub(crate) fn sealing_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let secret = load_or_make(path, || Ok(Zeroizing::new(random::<SECRET_LEN>().to_vec())))?;
    if secret.len() == SECRET_LEN {
        Ok(secret)
    } else {
        Err(Error::Secret("the sealing secret has another length"))
    }
}

/// Bytes from the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// A folder that only its owner enters.
pub(crate) fn private_folder(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| Error::Folder { path: path.to_owned(), source })
}

/// Writes a file that only its owner reads, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Folder { path: path.to_owned(), source };
    let unfinished = path.with_extension("new");
    let _ = fs::remove_file(&unfinished);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&unfinished, path).map_err(failed)
}

pub(crate) fn load_or_make(
    path: &Path,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, Error>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Zeroizing::new(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let bytes = make()?;
            write_private(path, &bytes)?;
            Ok(bytes)
        }
        Err(source) => Err(Error::Folder { path: path.to_owned(), source }),
    }
}

/// # Panics
/// When the operating system has no randomness to give: nothing here is safe without.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}
