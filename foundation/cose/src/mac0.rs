use alloc::vec::Vec;
use core::fmt;

use cbor::{Writer, lean::Reader};
use crypto::{HashAlgorithm, Zeroizing, hmac, hmac_verify};

use crate::builder::{HeaderBuilder, header_methods, write_payload};
use crate::error::Fault;
use crate::key::Members;
use crate::message::{decode, one_payload, read_payload};
use crate::structure::{MAC0, to_be_authenticated};
use crate::{Distrust, Error, Feature, Headers, labels};

/// Length of the shortest key a MAC is made or verified with.
pub const MIN_MAC_KEY_LEN: usize = 16;

/// A symmetric key for one HMAC algorithm (RFC 9053, section 3.1). It cannot be cloned or shown, and is erased when
/// dropped.
pub struct MacKey {
    algorithm: HashAlgorithm,
    key: Zeroizing<Vec<u8>>,
}

impl MacKey {
    /// A key for HMAC with this hash function.
    pub fn new(algorithm: HashAlgorithm, key: &[u8]) -> Result<Self, Error> {
        if key.len() < MIN_MAC_KEY_LEN {
            return Err(Distrust::BadKey.into());
        }
        Ok(Self { algorithm, key: Zeroizing::new(key.to_vec()) })
    }

    /// Reads a symmetric COSE_Key (RFC 9053, section 7.3), which must name its algorithm.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::decode_named(bytes).map(|(key, _)| key)
    }

    /// The same with the identifier that the key states; none is empty.
    pub fn decode_named(bytes: &[u8]) -> Result<(Self, Vec<u8>), Error> {
        let members = Members::decode(bytes)?;
        if members.kty != labels::KTY_SYMMETRIC {
            return Err(Feature::KeyType(members.kty).into());
        }
        let id = members.alg.ok_or(Distrust::KeyUse)?;
        let algorithm = HashAlgorithm::from_hmac_cose_id(id).ok_or(Feature::Algorithm(id))?;
        members.check_operations(&[labels::OP_MAC_CREATE, labels::OP_MAC_VERIFY])?;
        let kid = members.kid.unwrap_or_default().to_vec();
        Self::new(algorithm, members.k()?).map(|key| (key, kid))
    }

    /// The key as COSE_Key in deterministic encoding: a secret. An empty identifier is left out.
    pub fn encode_secret(&self, kid: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Writer::encode(|w| {
            w.map(3 + usize::from(!kid.is_empty())).int(labels::KEY_KTY).int(labels::KTY_SYMMETRIC);
            if !kid.is_empty() {
                w.int(labels::KEY_KID).bytes(kid);
            }
            w.int(labels::KEY_ALG).int(self.algorithm.hmac_cose_id());
            w.int(labels::KEY_K).bytes(&self.key);
        }))
    }

    /// The hash function.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Verifies an untruncated tag over bytes of any other format, such as a JWS.
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> Result<(), Error> {
        if hmac_verify(self.algorithm, &self.key, message, tag) {
            Ok(())
        } else {
            Err(Distrust::BadTag.into())
        }
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(HMAC {})", self.algorithm)
    }
}

/// COSE_Mac0 (RFC 9052, section 6.2): well-formed, its algorithm protected, and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mac0<'b> {
    headers: Headers<'b>,
    algorithm: i64,
    payload: Option<&'b [u8]>,
    tag: &'b [u8],
}

impl<'b> Mac0<'b> {
    /// Reads a message under its tag 17.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        decode(bytes, Some(labels::TAG_MAC0), Self::read)
    }

    /// Reads a message without its tag, where the context says what it is.
    pub fn decode_untagged(bytes: &'b [u8]) -> Result<Self, Error> {
        decode(bytes, None, Self::read)
    }

    /// The header parameters.
    pub fn headers(&self) -> &Headers<'b> {
        &self.headers
    }

    /// COSE number of the MAC algorithm, from the protected bucket.
    pub fn alg(&self) -> i64 {
        self.algorithm
    }

    /// Key identifier, from either bucket: a hint.
    pub fn kid(&self) -> Option<&'b [u8]> {
        self.headers.kid()
    }

    /// The payload, unless it is detached. Nobody vouches for it before `verify` has.
    pub fn payload(&self) -> Option<&'b [u8]> {
        self.payload
    }

    /// Verifies the tag. `detached` is the payload exactly when the message carries none.
    pub fn verify(&self, key: &MacKey, detached: Option<&[u8]>, external_aad: &[u8]) -> Result<(), Error> {
        match HashAlgorithm::from_hmac_cose_id(self.algorithm) {
            Some(algorithm) if algorithm == key.algorithm => {}
            Some(_) => return Err(Distrust::WrongAlgorithm(self.algorithm).into()),
            None => return Err(Feature::Algorithm(self.algorithm).into()),
        }
        let payload = one_payload(self.payload, detached)?;
        let covered = to_be_authenticated(MAC0, self.headers.protected_raw(), None, external_aad, payload);
        key.verify(&covered, self.tag)
    }

    fn read(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        reader.array_of(4)?;
        let headers = Headers::read(reader, &[])?;
        let payload = read_payload(reader)?;
        let tag = reader.bytes()?;
        let algorithm = headers.protected_algorithm()?;
        Ok(Self { headers, algorithm, payload, tag })
    }
}

/// Makes COSE_Mac0 messages (RFC 9052, section 6.2), tagged.
#[derive(Clone, Debug, Default)]
pub struct Mac0Builder {
    headers: HeaderBuilder,
    external_aad: Vec<u8>,
}

impl Mac0Builder {
    /// A message without header parameters but the algorithm.
    pub fn new() -> Self {
        Self::default()
    }

    /// Key identifier, unprotected.
    #[must_use]
    pub fn kid(mut self, kid: &[u8]) -> Self {
        self.headers.kid(kid);
        self
    }

    header_methods!();

    /// An authenticated message that carries its payload.
    pub fn authenticate(&self, key: &MacKey, payload: &[u8]) -> Vec<u8> {
        self.build(key, payload, Some(payload))
    }

    /// An authenticated message whose payload is carried apart.
    pub fn authenticate_detached(&self, key: &MacKey, payload: &[u8]) -> Vec<u8> {
        self.build(key, payload, None)
    }

    fn build(&self, key: &MacKey, covered: &[u8], payload: Option<&[u8]>) -> Vec<u8> {
        let protected = self.headers.protected_bytes(Some(key.algorithm.hmac_cose_id()));
        let covered = to_be_authenticated(MAC0, &protected, None, &self.external_aad, covered);
        let tag = hmac(key.algorithm, &key.key, &covered);
        Writer::encode(|w| {
            w.tag(labels::TAG_MAC0).array(4).bytes(&protected);
            self.headers.write_unprotected(w);
            write_payload(w, payload);
            w.bytes(tag.as_bytes());
        })
    }
}
