use alloc::vec::Vec;

use cbor::{Writer, lean::Reader};
use crypto::{
    HashAlgorithm, PublicKey, RsaPadding, RsaPublicKey, RsaSigningKey, SignatureAlgorithm, SigningKey,
};

use crate::builder::{HeaderBuilder, header_methods, write_payload};
use crate::error::Fault;
use crate::message::{check_algorithm, decode, one_payload, read_payload};
use crate::structure::{SIGNATURE1, to_be_authenticated};
use crate::{Distrust, Error, Feature, Headers, Purpose, TrustAnchor, TrustAnchors, labels};

/// COSE_Sign1 (RFC 9052, section 4.2): well-formed, its algorithm protected, and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign1<'b> {
    headers: Headers<'b>,
    algorithm: i64,
    payload: Option<&'b [u8]>,
    signature: &'b [u8],
}

impl<'b> Sign1<'b> {
    /// Reads a message under its tag 18.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        Self::decode_understanding(bytes, &[])
    }

    /// Reads a message under its tag 18 for a caller who processes these header parameters too, so that they may be
    /// critical.
    pub fn decode_understanding(bytes: &'b [u8], understood: &[i64]) -> Result<Self, Error> {
        decode(bytes, Some(labels::TAG_SIGN1), |reader| Self::read(reader, understood))
    }

    /// Reads a message without its tag, where the context says what it is.
    pub fn decode_untagged(bytes: &'b [u8]) -> Result<Self, Error> {
        decode(bytes, None, |reader| Self::read(reader, &[]))
    }

    /// The header parameters.
    pub fn headers(&self) -> &Headers<'b> {
        &self.headers
    }

    /// COSE number of the signature algorithm, from the protected bucket.
    pub fn alg(&self) -> i64 {
        self.algorithm
    }

    /// Key identifier, from either bucket: a hint.
    pub fn kid(&self) -> Option<&'b [u8]> {
        self.headers.kid()
    }

    /// Content type of the payload, from either bucket.
    pub fn content_type(&self) -> Option<crate::ContentType<'b>> {
        self.headers.content_type()
    }

    /// The payload, unless it is detached. Nobody vouches for it before `verify` has.
    pub fn payload(&self) -> Option<&'b [u8]> {
        self.payload
    }

    /// The received bytes of the protected bucket.
    pub fn protected_raw(&self) -> &'b [u8] {
        self.headers.protected_raw()
    }

    /// The signature's bytes.
    pub fn signature(&self) -> &'b [u8] {
        self.signature
    }

    /// Verifies the signature with one key. `detached` is the payload exactly when the message carries none.
    pub fn verify(&self, key: &PublicKey, detached: Option<&[u8]>, external_aad: &[u8]) -> Result<(), Error> {
        check_algorithm(self.algorithm, key)?;
        self.verify_signed(key, &self.to_be_signed(detached, external_aad)?)
    }

    /// Verifies a signature by RSASSA-PKCS1-v1_5, RS256 or RS384 (RFC 8812, section 2), with one key. Unsupported where
    /// `crypto` leaves RSA or the hash function out.
    pub fn verify_rsa(
        &self,
        key: &RsaPublicKey,
        detached: Option<&[u8]>,
        external_aad: &[u8],
    ) -> Result<(), Error> {
        if SignatureAlgorithm::from_cose_id(self.algorithm).is_some() {
            return Err(Distrust::WrongAlgorithm(self.algorithm).into());
        }
        let unsupported = Feature::Algorithm(self.algorithm);
        let hash = HashAlgorithm::ALL.into_iter().find(|hash| rsa_id(*hash) == Some(self.algorithm));
        let signed = self.to_be_signed(detached, external_aad)?;
        let verified = key.verify(RsaPadding::Pkcs1v15, hash.ok_or(unsupported)?, &signed, self.signature);
        verified.map_err(|error| match error {
            crypto::Error::UnsupportedAlgorithm => unsupported.into(),
            _ => Distrust::BadSignature.into(),
        })
    }

    /// Verifies the signature with the anchors of one purpose, and says which one it was.
    pub fn verify_with<'a>(
        &self,
        anchors: &'a TrustAnchors,
        purpose: Purpose,
        detached: Option<&[u8]>,
        external_aad: &[u8],
    ) -> Result<&'a TrustAnchor, Error> {
        let signed = self.to_be_signed(detached, external_aad)?;
        anchors.verify(purpose, self.kid(), self.algorithm, |key| self.verify_signed(key, &signed))
    }

    fn read(reader: &mut Reader<'b>, understood: &[i64]) -> Result<Self, Fault> {
        reader.array_of(4)?;
        let headers = Headers::read(reader, understood)?;
        let payload = read_payload(reader)?;
        let signature = reader.bytes()?;
        let algorithm = headers.protected_algorithm()?;
        Ok(Self { headers, algorithm, payload, signature })
    }

    fn to_be_signed(&self, detached: Option<&[u8]>, external_aad: &[u8]) -> Result<Vec<u8>, Error> {
        let payload = one_payload(self.payload, detached)?;
        Ok(to_be_authenticated(SIGNATURE1, self.protected_raw(), None, external_aad, payload))
    }

    fn verify_signed(&self, key: &PublicKey, signed: &[u8]) -> Result<(), Error> {
        key.verify(signed, self.signature).map_err(|_| Distrust::BadSignature.into())
    }
}

/// Makes COSE_Sign1 messages (RFC 9052, section 4.2), tagged unless told otherwise.
///
/// Where the key is elsewhere, sign [`Sign1Builder::to_be_signed`] there and [`Sign1Builder::assemble`] here.
#[derive(Clone, Debug, Default)]
pub struct Sign1Builder {
    headers: HeaderBuilder,
    external_aad: Vec<u8>,
    untagged: bool,
    fully_specified: bool,
}

impl Sign1Builder {
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

    /// Names the algorithm by its fully specified number (RFC 9864), which older recipients do not know.
    #[must_use]
    pub fn fully_specified(mut self) -> Self {
        self.fully_specified = true;
        self
    }

    /// Leaves the tag out, where the context says what the message is.
    #[must_use]
    pub fn untagged(mut self) -> Self {
        self.untagged = true;
        self
    }

    header_methods!();

    /// A signed message that carries its payload.
    pub fn sign(&self, key: &SigningKey, payload: &[u8]) -> Vec<u8> {
        let signature = key.sign(&self.to_be_signed(key.algorithm(), payload));
        self.assemble(key.algorithm(), Some(payload), &signature)
    }

    /// A signed message whose payload is carried apart.
    pub fn sign_detached(&self, key: &SigningKey, payload: &[u8]) -> Vec<u8> {
        let signature = key.sign(&self.to_be_signed(key.algorithm(), payload));
        self.assemble(key.algorithm(), None, &signature)
    }

    /// A message that carries its payload, signed by RSASSA-PKCS1-v1_5: RS256 or RS384, by the hash function (RFC 8812,
    /// section 2).
    pub fn sign_rsa(
        &self,
        key: &RsaSigningKey,
        hash: HashAlgorithm,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let signature = key.sign(RsaPadding::Pkcs1v15, hash, &self.to_be_signed_rsa(hash, payload)?)?;
        self.assemble_rsa(hash, Some(payload), &signature)
    }

    /// The bytes to sign by RSASSA-PKCS1-v1_5 with a hash function.
    pub fn to_be_signed_rsa(&self, hash: HashAlgorithm, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let protected = self.rsa_protected_bytes(hash)?;
        Ok(to_be_authenticated(SIGNATURE1, &protected, None, &self.external_aad, payload))
    }

    /// The message with a signature made elsewhere over [`Sign1Builder::to_be_signed_rsa`]; without a payload it is carried
    /// apart.
    pub fn assemble_rsa(
        &self,
        hash: HashAlgorithm,
        payload: Option<&[u8]>,
        signature: &[u8],
    ) -> Result<Vec<u8>, Error> {
        Ok(self.write(&self.rsa_protected_bytes(hash)?, payload, signature))
    }

    /// The bytes to sign with a key of this algorithm.
    pub fn to_be_signed(&self, algorithm: SignatureAlgorithm, payload: &[u8]) -> Vec<u8> {
        to_be_authenticated(SIGNATURE1, &self.protected_bytes(algorithm), None, &self.external_aad, payload)
    }

    /// The message with a signature made elsewhere over [`Sign1Builder::to_be_signed`]; without a payload it is
    /// carried apart.
    pub fn assemble(
        &self,
        algorithm: SignatureAlgorithm,
        payload: Option<&[u8]>,
        signature: &[u8],
    ) -> Vec<u8> {
        self.write(&self.protected_bytes(algorithm), payload, signature)
    }

    fn write(&self, protected: &[u8], payload: Option<&[u8]>, signature: &[u8]) -> Vec<u8> {
        Writer::encode(|w| {
            if !self.untagged {
                w.tag(labels::TAG_SIGN1);
            }
            w.array(4).bytes(protected);
            self.headers.write_unprotected(w);
            write_payload(w, payload);
            w.bytes(signature);
        })
    }

    fn protected_bytes(&self, algorithm: SignatureAlgorithm) -> Vec<u8> {
        let id = if self.fully_specified { algorithm.fully_specified_cose_id() } else { algorithm.cose_id() };
        self.headers.protected_bytes(Some(id))
    }

    fn rsa_protected_bytes(&self, hash: HashAlgorithm) -> Result<Vec<u8>, Error> {
        let id = rsa_id(hash).ok_or(crypto::Error::UnsupportedAlgorithm)?;
        Ok(self.headers.protected_bytes(Some(id)))
    }
}

/// Number of RSASSA-PKCS1-v1_5 with a hash function (RFC 8812, section 2), for those that are in use.
fn rsa_id(hash: HashAlgorithm) -> Option<i64> {
    match hash.len() {
        32 => Some(labels::RS256),
        48 => Some(labels::RS384),
        _ => None,
    }
}
