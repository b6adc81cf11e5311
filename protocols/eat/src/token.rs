use cbor::{Order, Reader, Reason, Type};
use cose::{Purpose, Sign1, TrustAnchor, TrustAnchors};
use crypto::PublicKey;

use crate::{Claims, Distrust, Error, Feature, Nonce};

/// How many bytes a token may have.
pub const MAX_TOKEN_LEN: usize = 64 << 10;

/// CBOR tag of a CWT (RFC 8392, section 6).
pub(crate) const TAG_CWT: u64 = 61;
/// CBOR tag of an unprotected claims-set (RFC 9781, section 2).
const TAG_UCCS: u64 = 601;
/// CBOR tag of a detached EAT bundle (RFC 9711, section 5).
const TAG_BUNDLE: u64 = 602;

/// An entity attestation token of any profile, as CWT in a COSE_Sign1; well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'b> {
    message: Sign1<'b>,
    claims: Claims,
}

impl<'b> Token<'b> {
    /// Decodes `61(18([…]))` or `18([…])`. The claims need not be deterministically encoded: profiles differ.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        let message = open(bytes, MAX_TOKEN_LEN)?;
        let payload = message.payload().ok_or(cose::Error::PayloadMissing)?;
        let claims = cbor::normalize(payload, MAX_TOKEN_LEN)?;
        Ok(Self { claims: Claims::decode(&mut Reader::new(&claims))?, message })
    }

    /// The signed message, for its header hints.
    pub fn message(&self) -> &Sign1<'b> {
        &self.message
    }

    /// The claims, which nobody vouches for yet: to look up key and profile.
    pub fn unverified(&self) -> &Claims {
        &self.claims
    }

    /// Verifies with the key of the attester and the nonce it was sent.
    pub fn verify(self, key: &PublicKey, expected: &Nonce) -> Result<Claims, Error> {
        self.message.verify(key, None, &[])?;
        check_nonce(&self.claims.nonces, expected)?;
        Ok(self.claims)
    }

    /// Verifies with the keys trusted to sign evidence, and the nonce that was sent; says whose key it was.
    pub fn verify_with<'a>(
        self,
        anchors: &'a TrustAnchors,
        expected: &Nonce,
    ) -> Result<(Claims, &'a TrustAnchor), Error> {
        let anchor = self.message.verify_with(anchors, Purpose::Evidence, None, &[])?;
        check_nonce(&self.claims.nonces, expected)?;
        Ok((self.claims, anchor))
    }
}

/// A token may answer several parties at once: one of its nonces must be ours.
pub(crate) fn check_nonce(nonces: &[Nonce], expected: &Nonce) -> Result<(), Error> {
    if nonces.contains(expected) { Ok(()) } else { Err(Distrust::Nonce.into()) }
}

/// The COSE_Sign1 of a CWT, below its tag or alone. What else a token may be is named, not misread.
pub(crate) fn open(bytes: &[u8], limit: usize) -> Result<Sign1<'_>, Error> {
    if bytes.len() > limit {
        return Err(cbor::Error::new(0, Reason::TooLong { limit }).into());
    }
    let mut reader = Reader::with_order(bytes, Order::Unique);
    let tagged = reader.is_tag(TAG_CWT)?;
    let inner = reader.rest();
    let at = reader.position();
    if reader.peek()? != Type::Tag {
        return Err(cbor::Error::rule(at, "token is not tagged").into());
    }
    match reader.tag()? {
        cose::labels::TAG_SIGN1 => Ok(Sign1::decode(inner)?),
        cose::labels::TAG_MAC0 | cose::labels::TAG_SIGN => Err(Feature::Protection.into()),
        TAG_UCCS if !tagged => Err(Feature::UnprotectedClaimsSet.into()),
        TAG_BUNDLE if !tagged => Err(Feature::DetachedBundle.into()),
        _ => Err(cbor::Error::rule(at, "expected a CWT").into()),
    }
}
