use alloc::vec::Vec;

use super::PsaClaims;
use crate::{Error, Nonce, TokenForm, TokenKey, envelope::Envelope, token::check_nonce};

/// A PSA attestation token (RFC 9783), signed or with a MAC; well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PsaToken {
    envelope: Envelope,
    claims: PsaClaims,
}

/// A PSA attestation token by the key of its instance in answer to our nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPsaToken(PsaClaims);

impl PsaToken {
    /// Decodes `18([…])` or `17([…])` of any of the three profiles.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let envelope = Envelope::decode(bytes)?;
        let claims = PsaClaims::decode(envelope.payload()?)?;
        Ok(Self { envelope, claims })
    }

    /// Whether it is signed or has a MAC.
    pub fn form(&self) -> TokenForm {
        self.envelope.form()
    }

    /// Key identifier: a hint. The instance id names the key as well.
    pub fn kid(&self) -> Option<&[u8]> {
        self.envelope.kid()
    }

    /// Certificates of the signer in DER, end entity first.
    pub fn certificates(&self) -> Vec<&[u8]> {
        self.envelope.certificates()
    }

    /// The claims, which nobody vouches for yet: to look up the key by the instance id.
    pub fn unverified(&self) -> &PsaClaims {
        &self.claims
    }

    /// Verifies with the key of the instance and the nonce it was sent.
    pub fn verify<'k>(
        self,
        key: impl Into<TokenKey<'k>>,
        expected: &Nonce,
    ) -> Result<VerifiedPsaToken, Error> {
        self.envelope.check(key.into())?;
        check_nonce(core::slice::from_ref(&self.claims.nonce), expected)?;
        Ok(VerifiedPsaToken(self.claims))
    }
}

impl VerifiedPsaToken {
    /// The claims.
    pub fn claims(&self) -> &PsaClaims {
        &self.0
    }
}
