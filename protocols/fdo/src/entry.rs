use alloc::vec::Vec;

use cbor::{Order, Reader, Writer};
use cose::Sign1;
use crypto::{Digest, HashAlgorithm, Hasher};

use crate::{
    Distrust, Error, Guid, Key, PublicKey,
    hash::{read_hash, write_hash},
};

/// One sale (OVEntry, section 3.4.2), trusted by nobody: the owner before signs who is the next.
#[derive(Clone, Debug)]
pub struct Entry<'b> {
    raw: &'b [u8],
    message: Sign1<'b>,
    previous: Digest,
    header_info: Digest,
    extra: Option<&'b [u8]>,
    next: PublicKey,
}

/// What an entry must follow.
pub(crate) struct Before<'a> {
    /// What the entry's previous hash is over, in pieces.
    pub(crate) hashed: &'a [&'a [u8]],
    /// Who signs it.
    pub(crate) owner: &'a PublicKey,
}

impl<'b> Entry<'b> {
    /// Reads an entry, the `number`-th from zero. Offsets of what is wrong within its payload count as those of the reader.
    pub(crate) fn read(reader: &mut Reader<'b>, number: usize) -> Result<Self, Error> {
        let at = reader.position();
        let raw = reader.raw()?;
        let message = Sign1::decode(raw).map_err(|error| Error::entry(number, error))?;
        let payload = message.payload().ok_or(Error::entry(number, cose::Error::PayloadMissing))?;
        let mut fields = Reader::with_order(payload, Order::Unique).at_offset(at + offset(raw, payload));
        fields.array_of(4)?;
        let (previous, header_info) = (read_hash(&mut fields)?, read_hash(&mut fields)?);
        let extra = if fields.is_null()? { None } else { Some(fields.bytes()?) };
        let next = PublicKey::read(&mut fields)?;
        fields.end()?;
        Ok(Self { raw, message, previous, header_info, extra, next })
    }

    /// The payload that names the next owner.
    pub(crate) fn payload(previous: &Digest, header_info: &Digest, next: &PublicKey) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(4);
            write_hash(w, previous);
            write_hash(w, header_info);
            w.null().raw(next.as_bytes());
        })
    }

    /// The entry as received, its tag included.
    pub fn as_bytes(&self) -> &'b [u8] {
        self.raw
    }

    /// Who would be the owner by it.
    pub fn next(&self) -> &PublicKey {
        &self.next
    }

    /// What owners added for each other: an encoded map that nothing here reads.
    pub fn extra(&self) -> Option<&'b [u8]> {
        self.extra
    }

    /// COSE number of its signature algorithm.
    pub fn alg(&self) -> i64 {
        self.message.alg()
    }

    /// Checks all of an entry that another owner reads: that it follows, and that the next owner's key is of the manufacturer's
    /// type.
    pub(crate) fn follow(
        &self,
        number: usize,
        first: HashAlgorithm,
        before: &Before<'_>,
        about: &[&[u8]],
        manufacturer: &PublicKey,
    ) -> Result<(), Error> {
        self.check(number, first, before, about)?;
        if self.next.is_like(manufacturer) { Ok(()) } else { Err(Distrust::KeyType { entry: number }.into()) }
    }

    /// The hash function of its hashes.
    pub(crate) fn hash_algorithm(&self) -> HashAlgorithm {
        self.previous.algorithm()
    }

    /// Checks that it stands where it says, is about the device, and is signed by the owner before.
    fn check(
        &self,
        number: usize,
        first: HashAlgorithm,
        before: &Before<'_>,
        about: &[&[u8]],
    ) -> Result<(), Error> {
        if self.previous.algorithm() != first || self.header_info.algorithm() != first {
            return Err(Distrust::HashType { entry: number }.into());
        }
        if hash_of(first, before.hashed) != self.previous {
            return Err(Distrust::PreviousHash { entry: number }.into());
        }
        if hash_of(first, about) != self.header_info {
            return Err(Distrust::HeaderInfoHash { entry: number }.into());
        }
        let verified = match before.owner.key() {
            Key::Ec(key) => self.message.verify(key, None, &[]),
            Key::Rsa(key) => self.message.verify_rsa(key, None, &[]),
        };
        verified.map_err(|error| Error::entry(number, error))
    }
}

/// Hash of pieces one after another.
pub(crate) fn hash_of(algorithm: HashAlgorithm, pieces: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    pieces.iter().for_each(|piece| hasher.update(piece));
    hasher.finish()
}

/// What the hash on header information of every entry is over.
pub(crate) fn about<'h>(guid: &'h Guid, device_info: &'h str) -> [&'h [u8]; 2] {
    [&guid.0, device_info.as_bytes()]
}

/// Where a part of a slice begins in it.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}
