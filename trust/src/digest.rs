//! Digests as they stand in this crate's own objects: an array of COSE algorithm and bytes.

use cbor::{Error as CborError, Reader, Writer};
use crypto::{Digest, HashAlgorithm};

pub(crate) fn encode_digest(writer: &mut Writer, digest: &Digest) {
    writer.array(2).int(digest.algorithm().cose_id()).bytes(digest.as_bytes());
}

pub(crate) fn digest(reader: &mut Reader<'_>) -> Result<Digest, CborError> {
    let at = reader.position();
    reader.array_of(2)?;
    let algorithm = HashAlgorithm::from_cose_id(reader.int()?);
    let bytes = reader.bytes()?;
    let digest = algorithm.and_then(|algorithm| Digest::new(algorithm, bytes));
    digest.ok_or(CborError::rule(at, "not a digest"))
}
