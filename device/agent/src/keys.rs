//! Where a device's secrets are: in files of its folder, or in its TPM, of which the folder has what only that TPM can load.

use std::path::Path;

use cbor::{Order, Reader, Writer};
use cose::Key;
use crypto::{HashAlgorithm, PublicKey, SignatureAlgorithm, SigningKey};
use device_core::{AttestationKey, NotSigned};
use fdo::{DeviceSecrets, Fault, Hmac, Signer, SoftSecrets};
use tpm::{Address, KeyKind, Tpm, WrappedKey};
use zeroize::Zeroizing;

use crate::{
    Error,
    place::{Place, read, setup},
};

/// Bytes of the secret of a device's HMACs.
const SECRET_LEN: usize = 32;
/// The form of the file of keys in a TPM, which another version of this code must not misread.
const FORM: u64 = 1;
/// Elements of that file.
const FIELDS: usize = 6;

/// What a device proves itself with to its owner.
pub(crate) enum Secrets {
    /// At hand.
    Files(SoftSecrets),
    /// In a TPM.
    Tpm(TpmSecrets),
}

/// A key that a device is made with, to be kept.
pub(crate) enum NewKey {
    /// In a file.
    File(SigningKey),
    /// In a TPM.
    Tpm(TpmSecrets),
}

/// The key and the secret of HMACs of a device that has them in its TPM.
#[derive(Debug)]
pub(crate) struct TpmSecrets {
    tpm: Tpm,
    key: WrappedKey,
    hmac: WrappedKey,
    public: PublicKey,
}

impl Secrets {
    /// New ones, in that TPM or at hand. Nothing of them is kept yet.
    pub(crate) fn make(address: Option<&Address>) -> Result<Self, Error> {
        if let Some(address) = address {
            return TpmSecrets::make(Tpm::new(address.clone())).map(Self::Tpm).map_err(Error::Tpm);
        }
        let key = make_key()?;
        let mut hmac_secret = Zeroizing::new(vec![0; SECRET_LEN]);
        getrandom::fill(&mut hmac_secret).map_err(Error::Random)?;
        Ok(Self::Files(SoftSecrets { key, hmac_secret }))
    }

    /// Those of a device that was made. A TPM is not asked yet.
    pub(crate) fn load(data: &Path) -> Result<Self, Error> {
        if let Some(secrets) = TpmSecrets::load(data)? {
            return Ok(Self::Tpm(secrets));
        }
        let hmac_secret = Zeroizing::new(read(&Place(data).hmac_secret())?);
        Ok(Self::Files(SoftSecrets { key: key_in_file(data)?, hmac_secret }))
    }

    pub(crate) fn public_key(&self) -> &PublicKey {
        match self {
            Self::Files(secrets) => secrets.key.public_key(),
            Self::Tpm(secrets) => &secrets.public,
        }
    }

    /// Whether they can be used: a TPM must be there, and be the one that they were made in.
    pub(crate) fn check(&self) -> Result<(), tpm::Error> {
        match self {
            Self::Files(_) => Ok(()),
            Self::Tpm(secrets) => secrets.tpm.check(&secrets.key),
        }
    }

    pub(crate) fn as_dyn(&self) -> &dyn DeviceSecrets {
        match self {
            Self::Files(secrets) => secrets,
            Self::Tpm(secrets) => secrets,
        }
    }
}

impl NewKey {
    pub(crate) fn public_key(&self) -> &PublicKey {
        match self {
            Self::File(key) => key.public_key(),
            Self::Tpm(secrets) => &secrets.public,
        }
    }
}

impl TpmSecrets {
    fn make(tpm: Tpm) -> Result<Self, tpm::Error> {
        let (key, hmac) = (tpm.make(KeyKind::Signing)?, tpm.make(KeyKind::Hmac)?);
        let public = key.public_key()?;
        Ok(Self { tpm, key, hmac, public })
    }

    /// None on a device that has its key in a file.
    fn load(data: &Path) -> Result<Option<Self>, Error> {
        let path = Place(data).tpm();
        if !path.exists() {
            return Ok(None);
        }
        Self::decode(&read(&path)?).map(Some).map_err(setup(&path))
    }

    fn decode(bytes: &[u8]) -> Result<Self, Box<dyn std::error::Error>> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        reader.array_of(FIELDS)?;
        if reader.uint()? != FORM {
            return Err("the file is of another version".into());
        }
        let tpm = Tpm::new(reader.text()?.parse()?);
        let mut read = |kind| -> Result<_, Box<dyn std::error::Error>> {
            Ok(WrappedKey::new(kind, reader.bytes()?, reader.bytes()?)?)
        };
        let (key, hmac) = (read(KeyKind::Signing)?, read(KeyKind::Hmac)?);
        reader.end()?;
        let public = key.public_key()?;
        Ok(Self { tpm, key, hmac, public })
    }

    /// What is kept of them.
    pub(crate) fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(FIELDS).uint(FORM).text(&self.tpm.address().to_string());
            w.bytes(self.key.private()).bytes(self.key.public());
            w.bytes(self.hmac.private()).bytes(self.hmac.public());
        })
    }

    fn hmac_of(&self, algorithm: HashAlgorithm, header: &[u8]) -> Result<Hmac, Fault> {
        if algorithm != HashAlgorithm::Sha256 {
            return Err(Fault::Unsupported);
        }
        let mac = self.tpm.hmac(&self.hmac, header).map_err(|error| {
            told(&error);
            Fault::Key
        })?;
        Hmac::new(mac).ok_or(Fault::Key)
    }

    fn signed(&self, message: &[u8]) -> Result<Vec<u8>, tpm::Error> {
        self.tpm.sign(&self.key, message).inspect_err(told)
    }
}

/// Whoever asked for a signature learns that there is none, and the log learns why.
fn told(error: &tpm::Error) {
    tracing::error!(
        code = error.code(),
        error = error as &dyn std::error::Error,
        "the device cannot prove itself"
    );
}

impl Signer for TpmSecrets {
    fn key(&self) -> fdo::Key {
        fdo::Key::Ec(self.public.clone())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        self.signed(message).map_err(|_| Fault::Key)
    }
}

impl DeviceSecrets for TpmSecrets {
    fn hmac(&self, algorithm: HashAlgorithm, header: &[u8]) -> Result<Hmac, Fault> {
        self.hmac_of(algorithm, header)
    }

    fn verify_hmac(&self, hmac: &Hmac, header: &[u8]) -> Result<bool, Fault> {
        Ok(self.hmac_of(hmac.algorithm(), header)?.is_same(hmac))
    }
}

impl AttestationKey for TpmSecrets {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.public.algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotSigned> {
        self.signed(message).map_err(|error| NotSigned { code: error.code() })
    }
}

/// A new key to attest with.
pub(crate) fn make_key() -> Result<SigningKey, Error> {
    let mut failed = None;
    let key = SigningKey::generate(SignatureAlgorithm::Es256, &mut |bytes| {
        failed = failed.or(getrandom::fill(bytes).err());
    });
    match failed {
        Some(error) => Err(Error::Random(error)),
        None => key.map_err(|error| Error::Key(error.to_string())),
    }
}

/// The key that the device attests with.
pub(crate) fn attestation_key(data: &Path) -> Result<Box<dyn AttestationKey>, Error> {
    Ok(match TpmSecrets::load(data)? {
        Some(secrets) => Box::new(secrets),
        None => Box::new(key_in_file(data)?),
    })
}

fn key_in_file(data: &Path) -> Result<SigningKey, Error> {
    let path = Place(data).key();
    let key = Key::decode(&Zeroizing::new(read(&path)?)).map_err(setup(&path))?;
    key.into_secret().ok_or_else(|| setup(&path)("the key is not private"))
}
