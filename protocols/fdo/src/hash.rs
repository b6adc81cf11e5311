//! Hash and HMac (section 3.3.2): a number and as many bytes as it wants.

use core::fmt;

use cbor::{Reader, Writer};
use crypto::{Digest, HashAlgorithm, constant_time_eq, hmac_verify};

use crate::{Error, Feature};

/// What a hash of the protocol may be made by. It names no others, and all of its numbers are those of COSE.
const ALGORITHMS: [HashAlgorithm; 2] = [HashAlgorithm::Sha256, HashAlgorithm::Sha384];

/// The HMAC of a header by the secret of its device, which nobody else can check.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hmac(Digest);

/// Reads a hash.
pub(crate) fn read_hash(reader: &mut Reader<'_>) -> Result<Digest, Error> {
    read(reader, HashAlgorithm::cose_id)
}

/// Writes a hash.
pub(crate) fn write_hash(writer: &mut Writer, hash: &Digest) {
    writer.array(2).int(hash.algorithm().cose_id()).bytes(hash.as_bytes());
}

fn read(reader: &mut Reader<'_>, number: fn(HashAlgorithm) -> i64) -> Result<Digest, Error> {
    reader.array_of(2)?;
    let id = reader.int()?;
    let algorithm = ALGORITHMS.into_iter().find(|algorithm| number(*algorithm) == id);
    let algorithm = algorithm.ok_or(Error::Unsupported(Feature::Hash(id)))?;
    let at = reader.position();
    Digest::new(algorithm, reader.bytes()?)
        .ok_or(cbor::Error::rule(at, "hash is not as long as its type says").into())
}

impl Hmac {
    /// The HMAC of the bytes of a header by the secret of a device.
    pub fn of(algorithm: HashAlgorithm, secret: &[u8], header: &[u8]) -> Self {
        Self(crypto::hmac(algorithm, secret, header))
    }

    /// One that was computed where the secret is, by SHA-256 or SHA-384; the protocol has no other.
    pub fn new(mac: Digest) -> Option<Self> {
        ALGORITHMS.contains(&mac.algorithm()).then_some(Self(mac))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        read(reader, HashAlgorithm::hmac_cose_id).map(Self)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.array(2).int(self.0.algorithm().hmac_cose_id()).bytes(self.0.as_bytes());
    }

    /// The hash function below it.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.0.algorithm()
    }

    /// Whether it is the same as another; takes constant time.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.algorithm() == other.algorithm() && constant_time_eq(self.0.as_bytes(), other.0.as_bytes())
    }

    /// Whether it is that of the bytes by this secret; takes constant time.
    #[must_use]
    pub fn is_of(&self, secret: &[u8], header: &[u8]) -> bool {
        hmac_verify(self.algorithm(), secret, header, self.0.as_bytes())
    }
}

impl fmt::Debug for Hmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hmac({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hmac_made_elsewhere_is_the_one_made_here_or_it_is_not() {
        let here = Hmac::of(HashAlgorithm::Sha256, b"secret", b"header");
        let made = |secret: &[u8], algorithm| Hmac::new(crypto::hmac(algorithm, secret, b"header"));
        assert!(made(b"secret", HashAlgorithm::Sha256).unwrap().is_same(&here));
        assert!(!made(b"other", HashAlgorithm::Sha256).unwrap().is_same(&here));
        assert!(!made(b"secret", HashAlgorithm::Sha384).unwrap().is_same(&here));
        assert!(made(b"secret", HashAlgorithm::Sha512).is_none());
    }
}
