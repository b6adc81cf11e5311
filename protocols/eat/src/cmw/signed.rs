use cose::{ContentType, Sign1};

use super::{Cmw, MAX_CMW_LEN};
use crate::{Distrust, Error, JsonError, MediaType, TokenKey, jws::Jws};

/// Media types of wrappers.
const CBOR: &str = "application/cmw+cbor";
const JSON: &str = "application/cmw+json";

/// A signed wrapper (draft-ietf-rats-msg-wrap, section 4): a COSE_Sign1 or a JWS. Well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCmw<'b> {
    message: Message<'b>,
    wrapper: Cmw,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Message<'b> {
    Sign1(Sign1<'b>),
    Jws(Jws<'b>),
}

/// A wrapper whose signature was verified. What is in it is bound together; that it is of now, the messages say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCmw(Cmw);

impl<'b> SignedCmw<'b> {
    /// Decodes either form, told apart by the first byte.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        super::model::check_len(bytes)?;
        match bytes.first() {
            Some(b'e') => Self::decode_jws(bytes),
            _ => Self::decode_cose(bytes),
        }
    }

    /// The signature covers the content type, so that no other payload is taken for a wrapper.
    fn decode_cose(bytes: &'b [u8]) -> Result<Self, Error> {
        let message = Sign1::decode(bytes)?;
        let protected = message.headers().protected().get(cose::labels::CONTENT_TYPE).is_some();
        let is_wrapper = match message.content_type() {
            Some(ContentType::MediaType(text)) => names(text, CBOR),
            _ => false,
        };
        if !(protected && is_wrapper) {
            return Err(Distrust::ContentType.into());
        }
        let wrapper = Cmw::decode_cbor(message.payload().ok_or(cose::Error::PayloadMissing)?)?;
        Ok(Self { message: Message::Sign1(message), wrapper })
    }

    fn decode_jws(bytes: &'b [u8]) -> Result<Self, Error> {
        let text = core::str::from_utf8(bytes);
        let text = text.map_err(|e| JsonError::at(e.valid_up_to(), "text is not UTF-8"))?;
        let message = Jws::decode(text.trim_end())?;
        // `cty` may leave out `application/` (RFC 7515, section 4.1.10).
        let is_wrapper =
            message.cty().is_some_and(|cty| names(cty, JSON) || cty.eq_ignore_ascii_case("cmw+json"));
        if !is_wrapper {
            return Err(Distrust::ContentType.into());
        }
        let wrapper = Cmw::decode_json(message.payload())?;
        Ok(Self { message: Message::Jws(message), wrapper })
    }

    /// Key identifier: a hint.
    pub fn kid(&self) -> Option<&[u8]> {
        match &self.message {
            Message::Sign1(message) => message.kid(),
            Message::Jws(message) => message.kid().map(str::as_bytes),
        }
    }

    /// The wrapper, which nobody vouches for yet.
    pub fn unverified(&self) -> &Cmw {
        &self.wrapper
    }

    /// Verifies with the key of its signer.
    pub fn verify<'k>(self, key: impl Into<TokenKey<'k>>) -> Result<VerifiedCmw, Error> {
        match (&self.message, key.into()) {
            (Message::Sign1(message), TokenKey::Signature(key)) => message.verify(key, None, &[])?,
            (Message::Sign1(message), _) => return Err(crate::token::wrong_algorithm(message.alg())),
            (Message::Jws(message), key) => message.verify(key)?,
        }
        Ok(VerifiedCmw(self.wrapper))
    }
}

impl VerifiedCmw {
    /// The wrapper.
    pub fn cmw(&self) -> &Cmw {
        &self.0
    }
}

impl Cmw {
    /// Signs the CBOR form.
    pub fn sign(&self, key: &crypto::SigningKey, kid: &[u8]) -> Result<alloc::vec::Vec<u8>, Error> {
        let bytes = self.encode();
        if bytes.len() > MAX_CMW_LEN {
            return Err(Error::Unsignable("wrapper is too long"));
        }
        Ok(cose::Sign1Builder::new().kid(kid).content_type(CBOR).sign(key, &bytes))
    }
}

fn names(text: &str, essence: &str) -> bool {
    MediaType::parse(text).is_ok_and(|media_type| media_type.essence() == essence)
}
