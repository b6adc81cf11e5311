//! What quotes come in.

use super::{TpmQuote, reader::Reader};
use crate::{Cmw, CmwType, Error, Feature, MediaType};

/// The media types of a quote's parts in a collection: none is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmMediaTypes {
    /// Of a TPMS_ATTEST.
    pub attest: MediaType,
    /// Of a TPMT_SIGNATURE.
    pub signature: MediaType,
}

impl TpmMediaTypes {
    /// The quote in a wrapper that holds its two parts, each once.
    pub fn read(&self, wrapper: &Cmw) -> Result<TpmQuote, Error> {
        let records = wrapper.records();
        let part = |media_type: &MediaType| {
            let is_it = |kind: &CmwType| kind.media_type().as_ref() == Some(media_type);
            let mut found = records.iter().filter(|(_, record)| is_it(&record.kind));
            match (found.next(), found.next()) {
                (Some((_, record)), None) => Ok(record.value.as_slice()),
                _ => Err(Error::from(Feature::TpmCollection)),
            }
        };
        TpmQuote::decode(part(&self.attest)?, part(&self.signature)?)
    }
}

/// The binary token of EnactTrust: the id of a node, the length of a TPMS_ATTEST, that and a TPMT_SIGNATURE. Its agents
/// send quotes without a nonce, which no nonce matches: they are read, and never verified as fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnactTrustToken {
    /// The node it claims to come from.
    pub node: [u8; 16],
    /// The quote.
    pub quote: TpmQuote,
}

impl EnactTrustToken {
    /// Decodes one, with nothing behind it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes)?;
        let fail = reader.fail("structure ends too early");
        let node = reader.take(16)?.try_into().map_err(|_| fail)?;
        let attest = reader.sized()?;
        Ok(Self { node, quote: TpmQuote::decode(attest, reader.rest())? })
    }
}
