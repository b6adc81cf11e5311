//! What the two encrypted messages have in common: headers and ciphertext.

use cbor::lean::Reader;
use crypto::{ContentAlgorithm, ContentKey, Decryptor};

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
    pub(crate) fn read(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        let at = reader.position();
        let headers = Headers::read(reader, &[labels::IV])?;
        let ciphertext = read_payload(reader)?;
        let algorithm = algorithm(&headers, at)?;
        if headers.get(labels::PARTIAL_IV).is_some() {
            return Err(Feature::Header(labels::PARTIAL_IV).into());
        }
        let (iv, iv_at) = headers.bytes(labels::IV)?.ok_or_else(|| missing(labels::IV))?;
        if iv.len() != algorithm.iv_len() {
            return Err(Fault::rule(iv_at, "initialisation vector has the wrong length"));
        }
        Ok(Self { headers, algorithm, iv, ciphertext })
    }

    /// Begins to decrypt with a key of the algorithm.
    pub(crate) fn open(
        &self,
        key: &ContentKey,
        context: &str,
        external_aad: &[u8],
    ) -> Result<Decryptor, Error> {
        let aad = authenticated(self.algorithm, context, self.headers.protected_raw(), external_aad);
        Ok(key.decryptor(self.iv, &aad)?)
    }
}

/// The content's algorithm: protected where it authenticates, and where it does not, in a message that protects nothing
/// (RFC 9459, section 4).
fn algorithm(headers: &Headers<'_>, at: usize) -> Result<ContentAlgorithm, Fault> {
    let (id, protected) = headers.algorithm().ok_or_else(|| missing(labels::ALG))?;
    let algorithm = ContentAlgorithm::from_cose_id(id).ok_or(Feature::Algorithm(id))?;
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
) -> alloc::vec::Vec<u8> {
    if algorithm.is_authenticated() {
        additional_data(context, protected, external_aad)
    } else {
        external_aad.to_vec()
    }
}
