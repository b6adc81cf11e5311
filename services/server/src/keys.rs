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
        let bytes = load_or_make(path, || {
            let signing = SigningKey::generate(SignatureAlgorithm::Es256, &mut fill)
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

fn load_or_make(
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
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}
