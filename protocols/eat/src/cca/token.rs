use alloc::vec::Vec;

use cbor::{Order, Reader, Reason};
use crypto::{Digest, PublicKey};

use super::{CcaPlatformClaims, CcaRealmClaims};
use crate::{
    Distrust, Error, Nonce,
    envelope::Envelope,
    labels,
    token::{MAX_TOKEN_LEN, check_nonce},
};

/// CBOR tag of a CCA token.
const TAG_CCA: u64 = 399;

/// A CCA token: what the platform and one realm on it say. Well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CcaToken {
    platform: Envelope,
    realm: Envelope,
    platform_claims: CcaPlatformClaims,
    realm_claims: CcaRealmClaims,
}

/// A CCA token whose platform is signed by its endorsed key and vouches for the realm's key, and whose realm answers
/// our challenge with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCcaToken {
    platform: CcaPlatformClaims,
    realm: CcaRealmClaims,
}

impl CcaToken {
    /// Decodes `399({44234: bytes, 44241: bytes})`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let normal = cbor::normalize_definite(bytes, 2 * MAX_TOKEN_LEN)?;
        let mut reader = Reader::with_order(&normal, Order::Unique);
        if !reader.is_tag(TAG_CCA)? {
            return Err(cbor::Error::rule(0, "token is not tagged as one of CCA").into());
        }
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut platform, mut realm) = (None, None);
        let mut at = reader.position();
        while let Some(label) = map.next_int(&mut reader)? {
            match label {
                labels::CCA_PLATFORM => platform = Some(Envelope::decode(reader.bytes()?)?),
                labels::CCA_REALM => realm = Some(Envelope::decode(reader.bytes()?)?),
                other => return Err(cbor::Error::new(at, Reason::Unknown(other)).into()),
            }
            at = reader.position();
        }
        reader.end()?;
        let missing = |label| cbor::Error::new(start, Reason::MissingKey(label));
        let platform = platform.ok_or(missing(labels::CCA_PLATFORM))?;
        let realm = realm.ok_or(missing(labels::CCA_REALM))?;
        let platform_claims = CcaPlatformClaims::decode(platform.payload()?)?;
        let realm_claims = CcaRealmClaims::decode(realm.payload()?)?;
        Ok(Self { platform, realm, platform_claims, realm_claims })
    }

    /// What the platform says, which nobody vouches for yet: to look up its key by the instance id.
    pub fn unverified_platform(&self) -> &CcaPlatformClaims {
        &self.platform_claims
    }

    /// What the realm says, which nobody vouches for yet.
    pub fn unverified_realm(&self) -> &CcaRealmClaims {
        &self.realm_claims
    }

    /// Certificates of the platform's signer in DER, end entity first.
    pub fn certificates(&self) -> Vec<&[u8]> {
        self.platform.certificates()
    }

    /// Verifies in this order: the platform with its endorsed key, the realm with the key in its own claims, that the
    /// platform names that key, and that the realm answers the challenge it was sent.
    pub fn verify(self, platform_key: &PublicKey, expected: &Nonce) -> Result<VerifiedCcaToken, Error> {
        self.platform.check(platform_key.into())?;
        let realm = &self.realm_claims;
        self.realm.check((&realm.public_key).into())?;
        let named = Digest::of(realm.public_key_hash_algorithm, &realm.public_key_bytes);
        if !crypto::constant_time_eq(named.as_bytes(), self.platform_claims.challenge.as_bytes()) {
            return Err(Distrust::RealmBinding.into());
        }
        check_nonce(core::slice::from_ref(&realm.challenge), expected)?;
        Ok(VerifiedCcaToken { platform: self.platform_claims, realm: self.realm_claims })
    }
}

impl VerifiedCcaToken {
    /// What the platform says.
    pub fn platform(&self) -> &CcaPlatformClaims {
        &self.platform
    }

    /// What the realm says.
    pub fn realm(&self) -> &CcaRealmClaims {
        &self.realm
    }
}
