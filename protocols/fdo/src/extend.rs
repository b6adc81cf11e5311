use alloc::vec::Vec;

use cose::{Sign1, Sign1Builder};
use crypto::{SignatureAlgorithm, SigningKey};

use crate::{
    Entry, Error, Feature, Key, MAX_ENTRIES, Misuse, PublicKey, Voucher,
    entry::{about, hash_of},
};

/// The next entry of a voucher in the making. Sign [`Extension::to_be_signed`] with the owner's key, wherever it is, and
/// [`Extension::assemble`] the voucher.
#[derive(Debug)]
pub struct Extension<'v> {
    voucher: &'v Voucher<'v>,
    owner: &'v crypto::PublicKey,
    payload: Vec<u8>,
}

impl<'v> Voucher<'v> {
    /// Begins the entry that gives the device to the holder of a key, of the type that all keys in the voucher have.
    /// Everything before it is checked, but for who vouches for it: that is whoever signs.
    ///
    /// An owner with an RSA key cannot sign here.
    pub fn extend(&'v self, next: &crypto::PublicKey) -> Result<Extension<'v>, Error> {
        self.check_chain()?;
        let header = self.header();
        let next = PublicKey::new(next, header.manufacturer.encoding())?;
        let Key::Ec(owner) = self.owner().key() else { return Err(Feature::RsaSigning.into()) };
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
        Ok(Extension { voucher: self, owner, payload })
    }
}

impl Extension<'_> {
    /// The key that must sign.
    pub fn owner(&self) -> &crypto::PublicKey {
        self.owner
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.owner.algorithm()
    }

    /// What the owner signs.
    pub fn to_be_signed(&self) -> Vec<u8> {
        Sign1Builder::new().to_be_signed(self.algorithm(), &self.payload)
    }

    /// The voucher with the entry, once it is signed by the owner.
    pub fn assemble(&self, signature: &[u8]) -> Result<Vec<u8>, Error> {
        let entry = Sign1Builder::new().assemble(self.algorithm(), Some(&self.payload), signature);
        let signed = Sign1::decode(&entry).and_then(|entry| entry.verify(self.owner, None, &[]));
        signed.map_err(|_| Misuse::NotOwner)?;
        Ok(self.voucher.with_entry(&entry))
    }

    /// The voucher with the entry, signed by the owner's key.
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, Error> {
        if key.public_key() != self.owner {
            return Err(Misuse::NotOwner.into());
        }
        self.assemble(&key.sign(&self.to_be_signed()))
    }
}
