//! What quotes come in.

use alloc::vec::Vec;

use super::{Attested, PcrValues, TpmPublic, TpmQuote, reader::Reader};
use crate::{Cmw, CmwCollection, CmwKey, Distrust, Error, Feature};

/// Names of a collection's entries: a TPMS_ATTEST, a TPMT_SIGNATURE, the values of the quoted PCRs one after the other
/// in the order of the quote, the public area of the key that signed, and an event log.
const ATTEST: &str = "attest";
const SIGNATURE: &str = "sig";
const PCRS: &str = "pcrs";
const KEY: &str = "ak";
const LOG: &str = "log";

/// A quote in a collection (draft-ietf-rats-msg-wrap). No media types are registered for its parts: their names tell
/// what they are. Well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmCollection {
    /// The quote.
    pub quote: TpmQuote,
    /// The values of its PCRs, where they come along.
    pub values: Option<PcrValues>,
    /// The key that is said to have signed it, where it comes along.
    pub key: Option<TpmPublic>,
    /// The event log as received, which is not read.
    pub log: Option<Vec<u8>>,
}

impl TpmCollection {
    /// Whether a wrapper has the parts of a quote.
    pub fn is_one(wrapper: &Cmw) -> bool {
        let Cmw::Collection(collection) = wrapper else { return false };
        part(collection, ATTEST).is_some() && part(collection, SIGNATURE).is_some()
    }

    /// Reads the parts of a quote. What has another name refuses the whole.
    pub fn read(wrapper: &Cmw) -> Result<Self, Error> {
        let Cmw::Collection(collection) = wrapper else { return Err(Feature::TpmCollection.into()) };
        let known = |key: &CmwKey| match key {
            CmwKey::Text(name) => [ATTEST, SIGNATURE, PCRS, KEY, LOG].contains(&name.as_str()),
            CmwKey::Int(_) => false,
        };
        let one = |entry: &Cmw| matches!(entry, Cmw::Record(_));
        if !collection.entries.iter().all(|(key, entry)| known(key) && one(entry)) {
            return Err(Feature::TpmCollection.into());
        }
        let wanted = |name| part(collection, name).ok_or(Error::from(Feature::TpmCollection));
        let quote = TpmQuote::decode(wanted(ATTEST)?, wanted(SIGNATURE)?)?;
        let values = match (part(collection, PCRS), &quote.unverified().attested) {
            (Some(bytes), Attested::Quote { selection, .. }) => {
                Some(PcrValues::in_order(selection, bytes).ok_or(Distrust::PcrDigest)?)
            }
            _ => None,
        };
        let key = part(collection, KEY).map(TpmPublic::decode).transpose()?;
        Ok(Self { quote, values, key, log: part(collection, LOG).map(Into::into) })
    }
}

fn part<'c>(collection: &'c CmwCollection, name: &str) -> Option<&'c [u8]> {
    match collection.entries.get(&CmwKey::Text(name.into())) {
        Some(Cmw::Record(record)) => Some(&record.value),
        _ => None,
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
