//! Who signs releases: a key in a file, a hash-based key with state, one in a security module, or one that is shared.

use std::path::Path;

use cose::MacKey;
use crypto::{HashAlgorithm, PublicKey, SigningKey};
use suit::{Envelope, Refusal, SignatureHeaders};

use crate::{
    failure::Failure,
    files::Input,
    hash_based::{self, HashBasedKey},
    keys::KeyFile,
    pkcs11,
    printer::Printer,
    profile::Profile,
};

/// A key of any kind that a release is signed with.
#[derive(Debug)]
pub(crate) struct Signer {
    kid: Vec<u8>,
    key: SecretKey,
}

#[derive(Debug)]
enum SecretKey {
    Private(Box<PrivateKey>),
    Shared(MacKey),
}

#[derive(Debug)]
enum PrivateKey {
    InFile(SigningKey),
    WithState(HashBasedKey),
    #[cfg(feature = "pkcs11")]
    InToken(crypto::TokenKey),
}

impl PrivateKey {
    fn public_key(&self) -> &PublicKey {
        match self {
            Self::InFile(key) => key.public_key(),
            Self::WithState(key) => key.public_key(),
            #[cfg(feature = "pkcs11")]
            Self::InToken(key) => key.public_key(),
        }
    }

    fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        match self {
            Self::InFile(key) => Ok(key.sign(message)),
            Self::WithState(key) => key.sign(message),
            #[cfg(feature = "pkcs11")]
            Self::InToken(key) => {
                key.sign(message).map_err(|error| Failure::new("the token did not sign").because(&error))
            }
        }
    }
}

impl Signer {
    /// Opens a key by the name of its file, or by a PKCS #11 URI (RFC 7512).
    pub(crate) fn open(name: &Path) -> Result<Self, Failure> {
        if let Some(uri) = name.to_str().filter(|name| name.starts_with(pkcs11::SCHEME)) {
            return open_token(uri);
        }
        let input = Input::read(name)?;
        if input.bytes.starts_with(hash_based::MAGIC) {
            return HashBasedKey::open(name).map(|key| Self::private(PrivateKey::WithState(key)));
        }
        if let Ok((key, kid)) = MacKey::decode_named(&input.bytes) {
            return Ok(Self { kid, key: SecretKey::Shared(key) });
        }
        let key = KeyFile::decode(&input.bytes).map_err(|error| error.failure(&input))?;
        let (key, kid) = key.into_secret(name)?;
        Ok(Self { kid, ..Self::private(PrivateKey::InFile(key)) })
    }

    /// Whether the key is of the kind that a profile asks for.
    pub(crate) fn check_profile(&self, profile: Profile) -> Result<(), Failure> {
        let own = match &self.key {
            SecretKey::Private(key) => Some(key.public_key().algorithm()),
            SecretKey::Shared(_) => None,
        };
        if own == profile.signature {
            return Ok(());
        }
        let wanted = profile.signature.map_or("a shared HMAC-256 key", |algorithm| algorithm.name());
        Err(Failure::new(format!("the key is not of profile {}", profile.name))
            .help(format!("it asks for {wanted}")))
    }

    /// The envelope with this key's signature or MAC beside those it has, or why nobody should put a name under it.
    pub(crate) fn approve(
        &mut self,
        bytes: &[u8],
        fully_specified: bool,
        printer: &Printer,
    ) -> Result<Result<Vec<u8>, Refusal>, Failure> {
        let envelope =
            Envelope::decode(bytes).map_err(|error| Failure::new("too many signatures").because(&error))?;
        let kid = Some(self.kid.as_slice()).filter(|kid| !kid.is_empty());
        let key = match &mut self.key {
            SecretKey::Private(key) => key,
            SecretKey::Shared(key) => {
                printer.warning(
                    "every device that has the shared key can make such releases for all others that have it",
                );
                return Ok(envelope.with_mac(key, kid));
            }
        };
        let headers = SignatureHeaders { kid, fully_specified };
        match envelope.to_be_signed(key.public_key().algorithm(), &headers) {
            Ok(signed) => {
                let signature = key.sign(&signed)?;
                Ok(envelope.attach(key.public_key(), &headers, &signature))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    fn private(key: PrivateKey) -> Self {
        let kid = cose::thumbprint(key.public_key(), HashAlgorithm::Sha256).as_bytes().to_vec();
        Self { kid, key: SecretKey::Private(Box::new(key)) }
    }
}

#[cfg(feature = "pkcs11")]
fn open_token(uri: &str) -> Result<Signer, Failure> {
    let uri = pkcs11::Uri::parse(uri)?;
    let pin = uri.pin()?;
    let key = crypto::TokenKey::open(&uri.module, &uri.name, pin.as_deref().map(String::as_str))
        .map_err(|error| Failure::new("the key in the token cannot be used").because(&error))?;
    Ok(Signer::private(PrivateKey::InToken(key)))
}

#[cfg(not(feature = "pkcs11"))]
fn open_token(_: &str) -> Result<Signer, Failure> {
    Err(Failure::new("this build signs with no tokens").help("build it with the feature `pkcs11`"))
}
