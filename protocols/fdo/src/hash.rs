//! Hash and HMac (section 3.3.2): a number and as many bytes as it wants.

use core::fmt;

use cbor::{Reader, Writer};
use crypto::{Digest, HashAlgorithm, hmac_verify};

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
