//! Keys of the roles: made on the first run, in files that only the server reads.

use std::path::Path;

use crypto::{RsaSigningKey, SignatureAlgorithm, SigningKey};
use fdo::{Key, KeyType, OwnerKey, Signer};

use crate::{
    Error, Role,
    keys::{Authority, OwnKey, load_or_make, write_private},
};

/// What this server onboards with.
pub(crate) struct OnboardingKeys {
    /// Of a manufacturer.
    pub(crate) manufacturer: Option<ManufacturerKeys>,
    /// Of an owner.
    pub(crate) owner: Option<OwnerKeys>,
}

/// What a manufacturer signs with.
pub(crate) struct ManufacturerKeys {
    /// Sign the first entries of vouchers.
    pub(crate) signing: Vec<PrivateKey>,
    /// Certifies devices.
    pub(crate) devices: Authority,
}

/// What an owner signs with.
pub(crate) struct OwnerKeys {
    /// To which devices are sold.
    pub(crate) signing: Vec<PrivateKey>,
    /// Certifies the operational keys of devices.
    pub(crate) operational: Authority,
}

/// A private key of a manufacturer or owner. All keys of a voucher are of the type that its device asked for, so that there is
/// one of each.
pub(crate) enum PrivateKey {
    Ec(SigningKey),
    Rsa(RsaSigningKey),
}

/// Curves, and the endings of the names of their files.
const CURVES: [(SignatureAlgorithm, &str); 2] =
    [(SignatureAlgorithm::Es256, "es256"), (SignatureAlgorithm::Es384, "es384")];
/// Lengths of RSA keys in bits, and the endings of the names of their files.
const RSA: [(usize, &str); 2] = [(2048, "rsa2048"), (3072, "rsa3072")];

impl OnboardingKeys {
    /// Reads the keys of the roles, or makes them. RSA keys are for devices that want nothing else, and made where they are asked for.
    pub(crate) fn load(
        folder: &Path,
        roles: &[Role],
        rsa: bool,
        site: &str,
        now: i64,
    ) -> Result<Self, Error> {
        // A name of a site may hold what separates parts of a name.
        let site: String = site.chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect();
        let subject =
            |what: &str| format!("O={}, CN={what}", if site.is_empty() { "Sextant" } else { &site });
        let keys = |name: &str| -> Result<Vec<PrivateKey>, Error> {
            let mut keys = Vec::new();
            for (algorithm, suffix) in CURVES {
                let path = folder.join(format!("{name}-{suffix}.key"));
                let key = OwnKey::load_of(algorithm, &path, &format!("{name}-{suffix}.public"))?;
                keys.push(PrivateKey::Ec(key.signing));
            }
            for (bits, suffix) in RSA.into_iter().filter(|_| rsa) {
                keys.push(PrivateKey::Rsa(load_rsa(folder, &format!("{name}-{suffix}"), bits)?));
            }
            Ok(keys)
        };
        let manufacturer = if roles.contains(&Role::Manufacturer) {
            let devices = Authority::load(folder, "device-ca", &subject("Device CA"), now)?;
            Some(ManufacturerKeys { signing: keys("manufacturer")?, devices })
        } else {
            None
        };
        let owner = if roles.contains(&Role::Owner) {
            let operational = Authority::load(folder, "operational-ca", &subject("Operational CA"), now)?;
            Some(OwnerKeys { signing: keys("owner")?, operational })
        } else {
            None
        };
        Ok(Self { manufacturer, owner })
    }

    /// Public keys of the manufacturer, if it is one.
    pub(crate) fn manufacturers(&self) -> impl Iterator<Item = Key> {
        self.manufacturer.iter().flat_map(|keys| keys.signing.iter().map(PrivateKey::public))
    }

    /// Public keys of the owner, if it is one.
    pub(crate) fn owners(&self) -> impl Iterator<Item = Key> {
        self.owner.iter().flat_map(|keys| keys.signing.iter().map(PrivateKey::public))
    }
}

fn load_rsa(folder: &Path, name: &str, bits: usize) -> Result<RsaSigningKey, Error> {
    let bytes = load_or_make(&folder.join(format!("{name}.key")), || {
        let key = RsaSigningKey::generate(bits).map_err(|_| Error::Secret("a key could not be generated"))?;
        Ok(key.to_pkcs8_der())
    })?;
    let broken = Error::Secret("a signing key cannot be read");
    let key = RsaSigningKey::from_pkcs8_der(&bytes).map_err(|_| broken)?;
    write_private(&folder.join(format!("{name}.public")), &key.public_key().to_spki_der())?;
    Ok(key)
}

impl ManufacturerKeys {
    /// The key for vouchers of a type.
    pub(crate) fn of(&self, key_type: KeyType) -> Option<&PrivateKey> {
        self.signing.iter().find(|key| KeyType::of(&key.public()) == Some(key_type))
    }

    /// The private key of a public one.
    pub(crate) fn private(&self, key: &Key) -> Option<&PrivateKey> {
        private(&self.signing, key)
    }
}

impl OwnerKeys {
    /// The private key of a public one.
    pub(crate) fn private(&self, key: &Key) -> Option<&PrivateKey> {
        private(&self.signing, key)
    }
}

fn private<'k>(keys: &'k [PrivateKey], public: &Key) -> Option<&'k PrivateKey> {
    keys.iter().find(|key| key.public() == *public)
}

impl PrivateKey {
    /// The public key.
    pub(crate) fn public(&self) -> Key {
        self.as_owner().key()
    }

    /// The public key, a SubjectPublicKeyInfo.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        match self {
            Self::Ec(key) => key.public_key().to_spki_der(),
            Self::Rsa(key) => key.public_key().to_spki_der(),
        }
    }

    /// The key as the protocols use it.
    pub(crate) fn as_owner(&self) -> &(dyn OwnerKey + Sync) {
        match self {
            Self::Ec(key) => key,
            Self::Rsa(key) => key,
        }
    }

    /// The key as it signs vouchers.
    pub(crate) fn as_signer(&self) -> &dyn Signer {
        match self {
            Self::Ec(key) => key,
            Self::Rsa(key) => key,
        }
    }
}
