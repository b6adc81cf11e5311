//! What the two encrypted messages have in common: headers and ciphertext.

use alloc::vec::Vec;

use cbor::lean::Reader;
use crypto::{ContentAlgorithm, ContentKey, Decryptor, Zeroizing};

use crate::error::Fault;
use crate::key::missing;
use crate::message::read_payload;
use crate::structure::additional_data;
use crate::{Distrust, Error, Feature, Headers, labels};

/// Headers, algorithm and initialisation vector of a content, and its ciphertext unless it is carried apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content<'b> {
    pub(crate) headers: Headers<'b>,
    pub(crate) algorithm: ContentAlgorithm,
    iv: &'b [u8],
    pub(crate) ciphertext: Option<&'b [u8]>,
}

impl<'b> Content<'b> {
    /// Reads a content of one of these algorithms.
    pub(crate) fn read(reader: &mut Reader<'b>, known: &[ContentAlgorithm]) -> Result<Self, Fault> {
        let at = reader.position();
        let headers = Headers::read(reader, &[labels::IV])?;
        let ciphertext = read_payload(reader)?;
        let algorithm = algorithm(&headers, at, known)?;
        if headers.get(labels::PARTIAL_IV).is_some() {
            return Err(Feature::Header(labels::PARTIAL_IV).into());
        }
        let (iv, iv_at) = headers.bytes(labels::IV)?.ok_or_else(|| missing(labels::IV))?;
        if iv.len() != algorithm.iv_len() {
            return Err(Fault::rule(iv_at, "initialisation vector has the wrong length"));
        }
        Ok(Self { headers, algorithm, iv, ciphertext })
    }

    /// Begins to decrypt with a key of the algorithm, which must be one that decrypts piece by piece.
    pub(crate) fn open(
        &self,
        key: &ContentKey,
        context: &str,
        external_aad: &[u8],
    ) -> Result<Decryptor, Error> {
        let aad = authenticated(self.algorithm, context, self.headers.protected_raw(), external_aad);
        Ok(key.decryptor(self.iv, &aad)?)
    }

    /// Decrypts in one piece with a key of the algorithm.
    pub(crate) fn decrypt(
        &self,
        key: &ContentKey,
        context: &str,
        external_aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let aad = authenticated(self.algorithm, context, self.headers.protected_raw(), external_aad);
        key.decrypt(self.iv, &aad, ciphertext).map_err(|error| match error {
            crypto::Error::BadTag => Distrust::BadTag.into(),
            error => error.into(),
        })
    }
}

/// The content's algorithm: protected where it authenticates, and where it does not, in a message that protects nothing
/// (RFC 9459, section 4).
fn algorithm(
    headers: &Headers<'_>,
    at: usize,
    known: &[ContentAlgorithm],
) -> Result<ContentAlgorithm, Fault> {
    let (id, protected) = headers.algorithm().ok_or_else(|| missing(labels::ALG))?;
    let algorithm =
        known.iter().copied().find(|known| known.cose_id() == id).ok_or(Feature::Algorithm(id))?;
    match (algorithm.is_authenticated(), protected) {
        (true, true) => Ok(algorithm),
        (true, false) => Err(Distrust::AlgorithmNotProtected.into()),
        (false, _) if headers.protected_raw().is_empty() => Ok(algorithm),
        (false, _) => {
            Err(Fault::rule(at, "protected header is not empty, and the algorithm protects nothing"))
        }
    }
}

/// What the algorithm authenticates beside the ciphertext. One that authenticates nothing takes no data of the caller's
/// either (RFC 9459, section 8): handing it on makes the refusal.
pub(crate) fn authenticated(
    algorithm: ContentAlgorithm,
    context: &str,
    protected: &[u8],
    external_aad: &[u8],
) -> Vec<u8> {
    if algorithm.is_authenticated() {
        additional_data(context, protected, external_aad)
    } else {
        external_aad.to_vec()
    }
}
