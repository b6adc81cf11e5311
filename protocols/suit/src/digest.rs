use cbor::{Writer, lean::Reader};
use crypto::{Digest, HashAlgorithm};

use crate::{Feature, error::Fault};

/// Largest hash number of the registry that drafts up to 13 took theirs from.
const LAST_LEGACY_HASH: i64 = 12;

/// SUIT_Digest (MAN, section 10): reads `[algorithm, bytes]`.
pub(crate) fn decode_digest(reader: &mut Reader<'_>) -> Result<Digest, Fault> {
    let at = reader.position();
    let count = reader.array()?;
    if count < 2 {
        return Err(Fault::rule(at, "digest lacks its algorithm or its bytes"));
    }
    let algorithm_at = reader.position();
    let id = reader.int()?;
    let algorithm = HashAlgorithm::from_cose_id(id).ok_or_else(|| {
        let is_legacy = (1..=LAST_LEGACY_HASH).contains(&id);
        let feature = if is_legacy { Feature::LegacyDraft } else { Feature::DigestAlgorithm(id) };
        Fault::unsupported(algorithm_at, feature)
    })?;
    let bytes_at = reader.position();
    let digest = Digest::new(algorithm, reader.bytes()?)
        .ok_or_else(|| Fault::rule(bytes_at, "digest has another length than its algorithm makes"))?;
    if count > 2 {
        return Err(Fault::unsupported(at, Feature::DigestExtension));
    }
    Ok(digest)
}

/// SUIT_Digest (MAN, section 10): writes `[algorithm, bytes]`.
pub(crate) fn encode_digest(digest: &Digest, writer: &mut Writer) {
    writer.array(2).int(digest.algorithm().cose_id()).bytes(digest.as_bytes());
}
