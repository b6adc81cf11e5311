use cbor::{Error as CborError, Reader, Writer};
use crypto::{Digest, HashAlgorithm};

use crate::{Error, Feature};

/// Largest hash number of the registry that drafts up to 13 took theirs from.
const LAST_LEGACY_HASH: i64 = 12;

/// SUIT_Digest (MAN, section 10): reads `[algorithm, bytes]`.
pub(crate) fn decode_digest(reader: &mut Reader<'_>) -> Result<Digest, Error> {
    let at = reader.position();
    let count = reader.array()?;
    if count < 2 {
        return Err(CborError::rule(at, "digest lacks its algorithm or its bytes").into());
    }
    let algorithm_at = reader.position();
    let id = reader.int()?;
    let algorithm = HashAlgorithm::from_cose_id(id).ok_or(Error::Unsupported {
        at: algorithm_at,
        feature: match id {
            1..=LAST_LEGACY_HASH => Feature::LegacyDraft,
            _ => Feature::DigestAlgorithm(id),
        },
    })?;
    let bytes_at = reader.position();
    let digest = Digest::new(algorithm, reader.bytes()?)
        .ok_or(CborError::rule(bytes_at, "digest has another length than its algorithm makes"))?;
    if count > 2 {
        return Err(Error::Unsupported { at, feature: Feature::DigestExtension });
    }
    Ok(digest)
}

/// SUIT_Digest (MAN, section 10): writes `[algorithm, bytes]`.
pub(crate) fn encode_digest(digest: &Digest, writer: &mut Writer) {
    writer.array(2).int(digest.algorithm().cose_id()).bytes(digest.as_bytes());
}
