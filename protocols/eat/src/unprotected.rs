use alloc::vec::Vec;

use cbor::{Order, Reader, Writer};

use crate::{
    Claims, Error, Nonce,
    token::{MAX_TOKEN_LEN, TAG_UCCS, check_nonce},
};

/// Unprotected CWT claims-set (RFC 9781): claims that nothing in these bytes protects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnprotectedClaims(Claims);

/// What protected an unprotected claims-set on its way, and says whose it is (RFC 9781, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OuterProtection {
    /// A channel with integrity whose other end was authenticated as the attester.
    SecureChannel,
    /// A verified signature over bytes that hold the claims-set.
    SignedEnvelope,
}

/// The claims of an unprotected claims-set with what protected them. They are as good as that, and no better: not of
/// the type of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedClaims {
    claims: Claims,
    protection: OuterProtection,
}

impl UnprotectedClaims {
    /// Decodes `601({…})`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if !Reader::with_order(bytes, Order::Unique).is_tag(TAG_UCCS)? {
            return Err(cbor::Error::rule(0, "claims-set is not tagged as unprotected").into());
        }
        let normal = cbor::normalize(bytes, MAX_TOKEN_LEN)?;
        let mut reader = Reader::new(&normal);
        reader.tag()?;
        Ok(Self(Claims::decode(&mut reader)?))
    }

    /// Decodes the JSON form: a claims-set alone, which its media type calls unprotected.
    pub fn decode_json(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_TOKEN_LEN {
            return Err(cbor::Error::new(0, cbor::Reason::TooLong { limit: MAX_TOKEN_LEN }).into());
        }
        Ok(Self(Claims::decode_json(bytes)?))
    }

    /// The encoding in CBOR.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.tag(TAG_UCCS).raw(&self.0.encode());
        })
    }

    /// The claims, which nobody vouches for.
    pub fn unverified(&self) -> &Claims {
        &self.0
    }

    /// The claims for a caller who says what protected them. A nonce that was sent must be in them.
    pub fn carried_by(
        self,
        protection: OuterProtection,
        expected: Option<&Nonce>,
    ) -> Result<CarriedClaims, Error> {
        if let Some(expected) = expected {
            check_nonce(&self.0.nonces, expected)?;
        }
        Ok(CarriedClaims { claims: self.0, protection })
    }
}

impl From<Claims> for UnprotectedClaims {
    fn from(claims: Claims) -> Self {
        Self(claims)
    }
}

impl CarriedClaims {
    /// The claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// What protected them.
    pub fn protection(&self) -> OuterProtection {
        self.protection
    }
}
