use alloc::{string::String, vec::Vec};

use cbor::{Order, Reader, Reason, Type};
use cose::{Bucket, Distrust, Purpose, Sign, Sign1, Sign1Builder, TrustAnchor, TrustAnchors};
use crypto::{PublicKey, SigningKey};

use crate::{Error, MAX_TAG_LEN, Tag, tag::CBOR_TAG};

/// Content type of a signed tag (RFC 9393, section 7).
pub const CONTENT_TYPE: &str = "application/swid+cbor";

/// A CoSWID as it may arrive: bare, tagged, signed, or signed and tagged (RFC 9393, sections 7 and 8).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "taken apart where it is made, never stored")]
pub enum Received<'b> {
    /// Authenticated by nothing but the channel or the object that carried it.
    Unsigned(Tag),
    /// Signed, not verified yet.
    Signed(SignedTag<'b>),
}

/// A signed CoSWID (RFC 9393, section 7) whose signature nobody has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTag<'b> {
    message: Message<'b>,
    tag: Tag,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Message<'b> {
    One(Sign1<'b>),
    Several(Sign<'b>),
}

/// A tag and the trust anchors that signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTag {
    tag: Tag,
    signers: Vec<TrustAnchor>,
}

impl<'b> Received<'b> {
    /// Decodes any of the forms.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        reader.is_tag(CBOR_TAG)?;
        if reader.peek()? == Type::Map {
            return Tag::decode(bytes).map(Self::Unsigned);
        }
        SignedTag::decode(bytes).map(Self::Signed)
    }
}

impl<'b> SignedTag<'b> {
    /// Decodes COSE_Sign1 (tag 18) or COSE_Sign (tag 98), bare or below the tag of CoSWID.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_TAG_LEN {
            return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_TAG_LEN }).into());
        }
        let mut reader = Reader::with_order(bytes, Order::Unique);
        reader.is_tag(CBOR_TAG)?;
        let inner = reader.rest();
        let message = match reader.tag()? {
            cose::labels::TAG_SIGN1 => Message::One(Sign1::decode(inner)?),
            cose::labels::TAG_SIGN => Message::Several(Sign::decode(inner)?),
            _ => return Err(cbor::Error::rule(0, "expected a CoSWID or a signed CoSWID").into()),
        };
        let (headers, payload) = match &message {
            Message::One(message) => (message.headers(), message.payload()),
            Message::Several(message) => (message.headers(), message.payload()),
        };
        if !names_coswid(headers.protected()) {
            return Err(Error::ContentType);
        }
        let tag = Tag::decode(payload.ok_or(cose::Error::PayloadMissing)?)?;
        Ok(Self { message, tag })
    }

    /// The tag, which nobody vouches for yet: to look up whose it may be.
    pub fn unverified(&self) -> &Tag {
        &self.tag
    }

    /// Verifies with the keys trusted to sign tags.
    pub fn verify(self, anchors: &TrustAnchors) -> Result<VerifiedTag, Error> {
        let signers: Vec<TrustAnchor> = match &self.message {
            Message::One(message) => {
                Vec::from([message.verify_with(anchors, Purpose::Swid, None, &[])?.clone()])
            }
            Message::Several(message) => {
                message.verify_with(anchors, Purpose::Swid, None, &[])?.into_iter().cloned().collect()
            }
        };
        if signers.is_empty() {
            return Err(cose::Error::from(Distrust::NoKey).into());
        }
        Ok(VerifiedTag { tag: self.tag, signers })
    }

    /// Verifies with one key that is known by other means to be the signer's, such as a certificate's whose thumbprint
    /// is that of the tag creator.
    pub fn verify_with_key(self, key: &PublicKey, name: impl Into<String>) -> Result<VerifiedTag, Error> {
        match &self.message {
            Message::One(message) => message.verify(key, None, &[])?,
            Message::Several(message) => message.verify(key, None, &[])?,
        }
        let signers = Vec::from([TrustAnchor::new(key.clone(), Purpose::Swid, name)]);
        Ok(VerifiedTag { tag: self.tag, signers })
    }
}

impl VerifiedTag {
    /// The tag.
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// The tag, without who signed it.
    pub fn into_tag(self) -> Tag {
        self.tag
    }

    /// Who signed it, at least one.
    pub fn signers(&self) -> &[TrustAnchor] {
        &self.signers
    }
}

/// Signs a tag: `18([…])` over its bytes.
pub fn sign(tag: &Tag, key: &SigningKey, kid: &[u8]) -> Vec<u8> {
    envelope(kid).sign(key, tag.as_bytes())
}

/// The message a tag is signed in, for keys held elsewhere: sign its `to_be_signed` and `assemble` it.
pub fn envelope(kid: &[u8]) -> Sign1Builder {
    Sign1Builder::new().content_type(CONTENT_TYPE).kid(kid)
}

fn names_coswid(protected: &Bucket<'_>) -> bool {
    let value = protected.get(cose::labels::CONTENT_TYPE);
    value.is_some_and(|value| Reader::new(value).text() == Ok(CONTENT_TYPE))
}
