//! The bytes that are signed or authenticated (RFC 9052, sections 4.4, 5.3 and 6.3).

use alloc::vec::Vec;

use cbor::Writer;

pub(crate) const SIGNATURE1: &str = "Signature1";
pub(crate) const SIGNATURE: &str = "Signature";
pub(crate) const MAC0: &str = "MAC0";
pub(crate) const ENCRYPT0: &str = "Encrypt0";
pub(crate) const ENCRYPT: &str = "Encrypt";

/// Bytes of the longest head of an item.
const MAX_HEAD_LEN: usize = 9;

/// An encoded map without entries: an empty protected bucket some senders write instead of `h''`.
const EMPTY_MAP: &[u8] = &[0xa0];

/// Sig_structure or MAC_structure; `signer_protected` is the bucket of one signer in a COSE_Sign.
pub(crate) fn to_be_authenticated(
    context: &str,
    body_protected: &[u8],
    signer_protected: Option<&[u8]>,
    external_aad: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let parts =
        [context.as_bytes(), body_protected, signer_protected.unwrap_or_default(), external_aad, payload];
    let len = parts.iter().fold(1, |len, part| len + MAX_HEAD_LEN + part.len());
    let mut writer = Writer::with_capacity(len);
    writer.array(if signer_protected.is_some() { 5 } else { 4 });
    writer.text(context).bytes(as_authenticated(body_protected));
    if let Some(signer_protected) = signer_protected {
        writer.bytes(as_authenticated(signer_protected));
    }
    writer.bytes(external_aad).bytes(payload);
    writer.into_bytes()
}

/// Enc_structure: what a content encryption algorithm authenticates beside the ciphertext.
pub(crate) fn additional_data(context: &str, protected: &[u8], external_aad: &[u8]) -> Vec<u8> {
    Writer::encode(|w| {
        w.array(3).text(context).bytes(as_authenticated(protected)).bytes(external_aad);
    })
}

/// The received bytes of a protected bucket, save that an empty one always counts as `h''` (RFC 9052, section 4.4).
pub(crate) fn as_authenticated(protected: &[u8]) -> &[u8] {
    if protected == EMPTY_MAP { &[] } else { protected }
}
