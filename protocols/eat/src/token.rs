use alloc::{string::String, vec::Vec};

use cbor::{Order, Reader, Reason, Type};
use cose::{Mac0, Purpose, Sign1, TrustAnchor, TrustAnchors};

use crate::{
    Claims, Distrust, Error, Feature, JsonError, Nonce, TokenKey, TokenKeys, VerifiedToken, jws::Jws, verify,
};

/// How many bytes a token may have.
pub const MAX_TOKEN_LEN: usize = 64 << 10;

/// CBOR tag of a CWT (RFC 8392, section 6).
pub(crate) const TAG_CWT: u64 = 61;
/// CBOR tag of an unprotected claims-set (RFC 9781, section 2).
pub(crate) const TAG_UCCS: u64 = 601;
/// CBOR tag of a detached EAT bundle (RFC 9711, section 5).
pub(crate) const TAG_BUNDLE: u64 = 602;

/// An entity attestation token of any profile, as CWT or JWT; well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'b> {
    message: Message<'b>,
    claims: Claims,
}

/// What protects a token.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Message<'b> {
    Sign1(Sign1<'b>),
    Mac0(Mac0<'b>),
    Jwt(Jws<'b>),
}

/// The form a token came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenForm {
    /// A CWT, signed as COSE_Sign1.
    Sign1,
    /// A CWT with a MAC, as COSE_Mac0: whoever can verify it could have made it.
    Mac0,
    /// A JWT in compact serialization.
    Jwt,
}

impl<'b> Token<'b> {
    /// Decodes `61(18([…]))`, `18([…])`, the same with tag 17, or a JWT, told apart by the first byte. The claims need
    /// not be deterministically encoded: profiles differ.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        match bytes.first() {
            // `ey` begins every base64url of `{"`.
            Some(b'e') => Self::decode_jwt(bytes),
            _ => Self::decode_cwt(bytes),
        }
    }

    /// Decodes a CWT.
    pub fn decode_cwt(bytes: &'b [u8]) -> Result<Self, Error> {
        let (message, payload) = match enter(bytes, MAX_TOKEN_LEN)? {
            (cose::labels::TAG_MAC0, inner) => {
                let message = Mac0::decode(inner)?;
                (Message::Mac0(message.clone()), message.payload())
            }
            (_, inner) => {
                let message = Sign1::decode(inner)?;
                (Message::Sign1(message.clone()), message.payload())
            }
        };
        let claims = cbor::normalize(payload.ok_or(cose::Error::PayloadMissing)?, MAX_TOKEN_LEN)?;
        Ok(Self { claims: Claims::decode(&mut Reader::new(&claims))?, message })
    }

    /// Decodes a CWT of the constrained device profile (RFC 9711, section 6.4): signed, with definite lengths and the
    /// shortest heads, and one nonce. Keys may stand in any order.
    pub fn decode_constrained(bytes: &'b [u8]) -> Result<Self, Error> {
        let message = open(bytes, MAX_TOKEN_LEN)?;
        let payload = message.payload().ok_or(cose::Error::PayloadMissing)?;
        let claims = Claims::decode(&mut Reader::with_order(payload, Order::Unique))?;
        if claims.nonces.len() != 1 {
            return Err(cbor::Error::rule(0, "token has not one nonce").into());
        }
        Ok(Self { message: Message::Sign1(message), claims })
    }

    /// Decodes a JWT in compact serialization.
    pub fn decode_jwt(bytes: &'b [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_TOKEN_LEN {
            return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_TOKEN_LEN }).into());
        }
        let text = core::str::from_utf8(bytes);
        let text = text.map_err(|e| JsonError::at(e.valid_up_to(), "text is not UTF-8"))?;
        let message = Jws::decode(text.trim_end())?;
        Ok(Self { claims: Claims::decode_json(message.payload())?, message: Message::Jwt(message) })
    }

    /// The form it came in.
    pub fn form(&self) -> TokenForm {
        match self.message {
            Message::Sign1(_) => TokenForm::Sign1,
            Message::Mac0(_) => TokenForm::Mac0,
            Message::Jwt(_) => TokenForm::Jwt,
        }
    }

    /// COSE number of the algorithm; that of a JWT by the number its name has in COSE.
    pub fn alg(&self) -> i64 {
        match &self.message {
            Message::Sign1(message) => message.alg(),
            Message::Mac0(message) => message.alg(),
            Message::Jwt(message) => message.alg(),
        }
    }

    /// Key identifier: a hint, and not unique. That of a JWT is the bytes of its text.
    pub fn kid(&self) -> Option<&[u8]> {
        match &self.message {
            Message::Sign1(message) => message.kid(),
            Message::Mac0(message) => message.kid(),
            Message::Jwt(message) => message.kid().map(str::as_bytes),
        }
    }

    /// Certificates of the signer in DER, end entity first, which nobody vouches for yet; none where it carries none.
    pub fn certificates(&self) -> Vec<&[u8]> {
        match &self.message {
            Message::Sign1(message) => message.headers().x5chain(),
            Message::Mac0(message) => message.headers().x5chain(),
            Message::Jwt(message) => message.certificates(),
        }
    }

    /// The claims, which nobody vouches for yet: to look up key and profile.
    pub fn unverified(&self) -> &Claims {
        &self.claims
    }

    /// Verifies with the key of the attester and the nonce it was sent. Tokens nested in it stay what they are: see
    /// [`Token::verify_all`].
    pub fn verify<'k>(self, key: impl Into<TokenKey<'k>>, expected: &Nonce) -> Result<VerifiedToken, Error> {
        self.check(key.into())?;
        check_nonce(&self.claims.nonces, expected)?;
        Ok(VerifiedToken::new(self.claims))
    }

    /// Verifies the token and every token nested in it, each with its own key; one without a key refuses the whole.
    pub fn verify_all(self, keys: &dyn TokenKeys, expected: &Nonce) -> Result<VerifiedToken, Error> {
        verify::all(self, keys, expected)
    }

    /// Verifies with the keys trusted to sign evidence, and the nonce that was sent; says whose key it was. A MAC is
    /// refused: the anchors are public keys.
    pub fn verify_with<'a>(
        self,
        anchors: &'a TrustAnchors,
        expected: &Nonce,
    ) -> Result<(VerifiedToken, &'a TrustAnchor), Error> {
        let anchor = match &self.message {
            Message::Sign1(message) => message.verify_with(anchors, Purpose::Evidence, None, &[])?,
            Message::Jwt(message) => message.verify_with(anchors, Purpose::Evidence)?,
            Message::Mac0(_) => return Err(wrong_algorithm(self.alg())),
        };
        check_nonce(&self.claims.nonces, expected)?;
        Ok((VerifiedToken::new(self.claims), anchor))
    }

    /// Verifies the signature or tag alone.
    pub(crate) fn check(&self, key: TokenKey<'_>) -> Result<(), Error> {
        match (&self.message, key) {
            (Message::Sign1(message), TokenKey::Signature(key)) => Ok(message.verify(key, None, &[])?),
            (Message::Mac0(message), TokenKey::Mac(key)) => Ok(message.verify(key, None, &[])?),
            (Message::Jwt(message), key) => message.verify(key),
            _ => Err(wrong_algorithm(self.alg())),
        }
    }

    pub(crate) fn into_claims(self) -> Claims {
        self.claims
    }
}

impl Claims {
    /// Signs the claims as CWT, `61(18([…]))`.
    pub fn sign_cwt(&self, key: &crypto::SigningKey, kid: &[u8]) -> Result<Vec<u8>, Error> {
        self.check().map_err(Error::Unsignable)?;
        let message = cose::Sign1Builder::new().kid(kid).sign(key, &self.encode());
        Ok(cbor::Writer::encode(|w| {
            w.tag(TAG_CWT).raw(&message);
        }))
    }

    /// Signs the claims as JWT.
    pub fn sign_jwt(&self, key: &crypto::SigningKey, kid: &[u8]) -> Result<String, Error> {
        self.check().map_err(Error::Unsignable)?;
        Ok(crate::jws::sign(&self.encode_json()?, key, kid))
    }
}

pub(crate) fn wrong_algorithm(alg: i64) -> Error {
    cose::Error::from(cose::Distrust::WrongAlgorithm(alg)).into()
}

/// A token may answer several parties at once: one of its nonces must be ours.
pub(crate) fn check_nonce(nonces: &[Nonce], expected: &Nonce) -> Result<(), Error> {
    if nonces.contains(expected) { Ok(()) } else { Err(Distrust::Nonce.into()) }
}

/// The COSE_Sign1 of a CWT, below its tag or alone.
pub(crate) fn open(bytes: &[u8], limit: usize) -> Result<Sign1<'_>, Error> {
    match enter(bytes, limit)? {
        (cose::labels::TAG_SIGN1, inner) => Ok(Sign1::decode(inner)?),
        _ => Err(Feature::Protection.into()),
    }
}

/// The tagged COSE_Sign1 or COSE_Mac0 of a CWT. What else a token may be is named, not misread.
fn enter(bytes: &[u8], limit: usize) -> Result<(u64, &[u8]), Error> {
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
        tag @ (cose::labels::TAG_SIGN1 | cose::labels::TAG_MAC0) => Ok((tag, inner)),
        cose::labels::TAG_SIGN => Err(Feature::Protection.into()),
        TAG_UCCS if !tagged => Err(Feature::UnprotectedClaimsSet.into()),
        TAG_BUNDLE if !tagged => Err(Feature::DetachedBundle.into()),
        _ => Err(cbor::Error::rule(at, "expected a CWT").into()),
    }
}
