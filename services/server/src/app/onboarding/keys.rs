//! Keys of the roles: made on the first run, in files that only the server reads.

use std::path::Path;

use crypto::{PublicKey, SignatureAlgorithm, SigningKey};
use fdo::{Key, KeyType};

use crate::{
    Error, Role,
    keys::{Authority, OwnKey},
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
    /// Signs the first entries of vouchers.
    pub(crate) signing: Vec<OwnKey>,
    /// Certifies devices.
    pub(crate) devices: Authority,
}

/// What an owner signs with.
pub(crate) struct OwnerKeys {
    /// To which devices are sold.
    pub(crate) signing: Vec<OwnKey>,
    /// Certifies the operational keys of devices.
    pub(crate) operational: Authority,
}

/// One key of each type: all keys of a voucher are of the type that its device asked for.
const ALGORITHMS: [(SignatureAlgorithm, &str); 2] =
    [(SignatureAlgorithm::Es256, "es256"), (SignatureAlgorithm::Es384, "es384")];

impl OnboardingKeys {
    pub(crate) fn load(folder: &Path, roles: &[Role], site: &str, now: i64) -> Result<Self, Error> {
        // A name of a site may hold what separates parts of a name.
        let site: String = site.chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect();
        let subject =
            |what: &str| format!("O={}, CN={what}", if site.is_empty() { "Sextant" } else { &site });
        let keys = |name: &str| -> Result<Vec<OwnKey>, Error> {
            let of = |(algorithm, suffix): &(SignatureAlgorithm, &str)| {
                let path = folder.join(format!("{name}-{suffix}.key"));
                OwnKey::load_of(*algorithm, &path, &format!("{name}-{suffix}.public"))
            };
            ALGORITHMS.iter().map(of).collect()
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
        self.manufacturer.iter().flat_map(|keys| public(&keys.signing))
    }

    /// Public keys of the owner, if it is one.
    pub(crate) fn owners(&self) -> impl Iterator<Item = Key> {
        self.owner.iter().flat_map(|keys| public(&keys.signing))
    }
}

impl ManufacturerKeys {
    /// The key for vouchers of a type.
    pub(crate) fn of(&self, key_type: KeyType) -> Option<&SigningKey> {
        let wanted = match key_type {
            KeyType::Secp256r1 => SignatureAlgorithm::Es256,
            KeyType::Secp384r1 => SignatureAlgorithm::Es384,
            _ => return None,
        };
        self.signing.iter().map(|key| &key.signing).find(|key| key.algorithm() == wanted)
    }

    /// The private key of a public one.
    pub(crate) fn private(&self, key: &PublicKey) -> Option<&SigningKey> {
        private(&self.signing, key)
    }
}

impl OwnerKeys {
    /// The private key of a public one.
    pub(crate) fn private(&self, key: &PublicKey) -> Option<&SigningKey> {
        private(&self.signing, key)
    }
}

fn private<'k>(keys: &'k [OwnKey], public: &PublicKey) -> Option<&'k SigningKey> {
    keys.iter().map(|key| &key.signing).find(|key| key.public_key() == public)
}

fn public(keys: &[OwnKey]) -> impl Iterator<Item = Key> {
    keys.iter().map(|key| Key::from(key.signing.public_key().clone()))
}
