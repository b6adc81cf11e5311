use alloc::vec::Vec;

use cose::{Sign1, Sign1Builder};

use crate::{
    Entry, Error, Feature, Key, MAX_ENTRIES, Misuse, PublicKey, Signer, Voucher,
    entry::{about, hash_of},
    signer::{self, assemble, to_be_signed},
};

/// The next entry of a voucher in the making. Sign [`Extension::to_be_signed`] with the owner's key, wherever it is, and
/// [`Extension::assemble`] the voucher.
#[derive(Debug)]
pub struct Extension<'v> {
    voucher: &'v Voucher<'v>,
    owner: &'v PublicKey,
    payload: Vec<u8>,
}

impl<'v> Voucher<'v> {
    /// Begins the entry that gives the device to the holder of a key, of the type that all keys in the voucher have, and
    /// written like the manufacturer's. Everything before it is checked, but for who vouches for it: that is whoever signs.
    pub fn extend(&'v self, next: impl Into<Key>) -> Result<Extension<'v>, Error> {
        let manufacturer = &self.header().manufacturer;
        self.extend_to(PublicKey::of_type(manufacturer.key_type(), next.into(), manufacturer.encoding())?)
    }

    /// The same for a key with certificates ([`PublicKey::of_chain`]), or as its holder wrote it.
    pub fn extend_to(&'v self, next: PublicKey) -> Result<Extension<'v>, Error> {
        self.check_chain()?;
        let header = self.header();
        if !next.is_like(&header.manufacturer) {
            return Err(Misuse::KeyType.into());
        }
        let count = self.entries().len();
        if count >= MAX_ENTRIES {
            return Err(Misuse::TooManyEntries.into());
        }
        let first = self.entries().first().map(Entry::hash_algorithm);
        let algorithm = first.unwrap_or(header.certificates.algorithm());
        let previous = hash_of(algorithm, &self.before(count));
        let info = hash_of(algorithm, &about(&header.guid, &header.device_info));
        let payload = Entry::payload(&previous, &info, &next);
        Ok(Extension { voucher: self, owner: self.owner(), payload })
    }
}

impl Extension<'_> {
    /// The key that must sign.
    pub fn owner(&self) -> &Key {
        self.owner.key()
    }

    /// What the owner signs: with ECDSA by the hash function of the curve; with RSA by PKCS #1 v1.5, with SHA-256 where the
    /// key has 2048 bits and SHA-384 where it has more.
    pub fn to_be_signed(&self) -> Vec<u8> {
        to_be_signed(&Sign1Builder::new(), self.owner(), &self.payload)
    }

    /// The voucher with the entry, once it is signed by the owner.
    pub fn assemble(&self, signature: &[u8]) -> Result<Vec<u8>, Error> {
        let entry = assemble(&Sign1Builder::new(), self.owner(), &self.payload, signature);
        let signed = Sign1::decode(&entry).and_then(|entry| signer::verify(&entry, self.owner()));
        signed.map_err(|error| match error {
            cose::Error::Unsupported(_) => Feature::KeyType(self.owner.key_type().number()).into(),
            _ => Error::from(Misuse::NotOwner),
        })?;
        Ok(self.voucher.with_entry(&entry))
    }

    /// The voucher with the entry, signed by the owner's key.
    pub fn sign(&self, key: &dyn Signer) -> Result<Vec<u8>, Error> {
        if key.key() != *self.owner() {
            return Err(Misuse::NotOwner.into());
        }
        self.assemble(&key.sign(&self.to_be_signed()).map_err(|_| Misuse::KeyUnusable)?)
    }
}
