//! The COSE message of tokens whose profile allows definite lengths only, and heads that are not the shortest.

use alloc::vec::Vec;

use cbor::{Order, Reader};
use cose::{Mac0, Sign1};

use crate::{
    Error, Feature, TokenForm, TokenKey,
    token::{MAX_TOKEN_LEN, wrong_algorithm},
};

/// A COSE_Sign1 or COSE_Mac0 with its payload, trusted by nobody.
///
/// Only the heads around the protected bucket and the payload are made deterministic; what is signed are those two,
/// and their bytes stay as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    bytes: Vec<u8>,
    form: TokenForm,
}

enum Message<'e> {
    Sign1(Sign1<'e>),
    Mac0(Mac0<'e>),
}

impl Envelope {
    /// Decodes `18([…])` or `17([…])`; the tag of a CWT does not stand before them.
    pub(crate) fn decode(received: &[u8]) -> Result<Self, Error> {
        let bytes = cbor::normalize_definite(received, MAX_TOKEN_LEN)?;
        let mut reader = Reader::with_order(&bytes, Order::Unique);
        let form = match reader.tag()? {
            cose::labels::TAG_SIGN1 => TokenForm::Sign1,
            cose::labels::TAG_MAC0 => TokenForm::Mac0,
            cose::labels::TAG_SIGN => return Err(Feature::Protection.into()),
            _ => return Err(cbor::Error::rule(0, "expected a COSE_Sign1 or COSE_Mac0").into()),
        };
        let envelope = Self { bytes, form };
        envelope.payload()?;
        Ok(envelope)
    }

    pub(crate) fn form(&self) -> TokenForm {
        self.form
    }

    pub(crate) fn payload(&self) -> Result<&[u8], Error> {
        let payload = match self.message()? {
            Message::Sign1(message) => message.payload(),
            Message::Mac0(message) => message.payload(),
        };
        Ok(payload.ok_or(cose::Error::PayloadMissing)?)
    }

    pub(crate) fn kid(&self) -> Option<&[u8]> {
        match self.message().ok()? {
            Message::Sign1(message) => message.kid(),
            Message::Mac0(message) => message.kid(),
        }
    }

    /// Certificates of the signer in DER, end entity first.
    pub(crate) fn certificates(&self) -> Vec<&[u8]> {
        match self.message() {
            Ok(Message::Sign1(message)) => message.headers().x5chain(),
            Ok(Message::Mac0(message)) => message.headers().x5chain(),
            Err(_) => Vec::new(),
        }
    }

    /// Verifies signature or tag.
    pub(crate) fn check(&self, key: TokenKey<'_>) -> Result<(), Error> {
        match (self.message()?, key) {
            (Message::Sign1(message), TokenKey::Signature(key)) => Ok(message.verify(key, None, &[])?),
            (Message::Mac0(message), TokenKey::Mac(key)) => Ok(message.verify(key, None, &[])?),
            (Message::Sign1(message), _) => Err(wrong_algorithm(message.alg())),
            (Message::Mac0(message), _) => Err(wrong_algorithm(message.alg())),
        }
    }

    fn message(&self) -> Result<Message<'_>, Error> {
        Ok(match self.form {
            TokenForm::Mac0 => Message::Mac0(Mac0::decode(&self.bytes)?),
            _ => Message::Sign1(Sign1::decode(&self.bytes)?),
        })
    }
}
