use alloc::vec::Vec;

use cbor::{Writer, lean::Reader};
use crypto::{PublicKey, SigningKey};

use crate::builder::{HeaderBuilder, header_methods, write_payload};
use crate::error::Fault;
use crate::message::{check_algorithm, decode, one_payload, read_payload};
use crate::structure::{SIGNATURE, to_be_authenticated};
use crate::{Distrust, Error, Headers, Purpose, TrustAnchor, TrustAnchors, labels};

/// How many signers a COSE_Sign may have.
pub const MAX_SIGNATURES: usize = 8;

/// COSE_Sign (RFC 9052, section 4.1): one payload, several signers; well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign<'b> {
    headers: Headers<'b>,
    payload: Option<&'b [u8]>,
    signatures: Vec<Signature<'b>>,
}

/// COSE_Signature (RFC 9052, section 4.1): one signer of a COSE_Sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature<'b> {
    headers: Headers<'b>,
    algorithm: i64,
    signature: &'b [u8],
}

impl<'b> Sign<'b> {
    /// Reads a message under its tag 98.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        decode(bytes, Some(labels::TAG_SIGN), Self::read)
    }

    /// Reads a message without its tag, where the context says what it is.
    pub fn decode_untagged(bytes: &'b [u8]) -> Result<Self, Error> {
        decode(bytes, None, Self::read)
    }

    /// The header parameters of the whole message.
    pub fn headers(&self) -> &Headers<'b> {
        &self.headers
    }

    /// The payload, unless it is detached. Nobody vouches for it before `verify` has.
    pub fn payload(&self) -> Option<&'b [u8]> {
        self.payload
    }

    /// The signers; there is at least one.
    pub fn signatures(&self) -> &[Signature<'b>] {
        &self.signatures
    }

    /// Verifies that one of the signatures is by this key.
    pub fn verify(&self, key: &PublicKey, detached: Option<&[u8]>, external_aad: &[u8]) -> Result<(), Error> {
        let payload = one_payload(self.payload, detached)?;
        let mut refusal = Error::from(Distrust::NoKey);
        for signature in &self.signatures {
            let verified = check_algorithm(signature.algorithm, key).and_then(|()| {
                signature.verify_signed(key, &self.to_be_signed(signature, external_aad, payload))
            });
            match verified {
                Ok(()) => return Ok(()),
                // Another signer's algorithm says less than a signature that is wrong.
                Err(_) if refusal == Distrust::BadSignature.into() => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Verifies that one of the signatures, and no other, is by this key.
    pub fn verify_signature(
        &self,
        signature: &Signature<'_>,
        key: &PublicKey,
        detached: Option<&[u8]>,
        external_aad: &[u8],
    ) -> Result<(), Error> {
        check_algorithm(signature.algorithm, key)?;
        let payload = one_payload(self.payload, detached)?;
        signature.verify_signed(key, &self.to_be_signed(signature, external_aad, payload))
    }

    /// Verifies the signatures with the anchors of one purpose. Gives the distinct anchors that signed, at least one;
    /// whether they are enough is the caller's policy. Signatures nobody here knows do not matter.
    pub fn verify_with<'a>(
        &self,
        anchors: &'a TrustAnchors,
        purpose: Purpose,
        detached: Option<&[u8]>,
        external_aad: &[u8],
    ) -> Result<Vec<&'a TrustAnchor>, Error> {
        let payload = one_payload(self.payload, detached)?;
        let mut signers: Vec<&TrustAnchor> = Vec::new();
        let mut refusal = Error::from(Distrust::NoKey);
        for signature in &self.signatures {
            let signed = self.to_be_signed(signature, external_aad, payload);
            let verified = anchors.verify(purpose, signature.kid(), signature.algorithm, |key| {
                signature.verify_signed(key, &signed)
            });
            match verified {
                // One key is one signer, however many names it is known by.
                Ok(anchor) if signers.iter().any(|signer| signer.key == anchor.key) => {}
                Ok(anchor) => signers.push(anchor),
                Err(_) if refusal == Distrust::BadSignature.into() => {}
                Err(error) => refusal = error,
            }
        }
        if signers.is_empty() { Err(refusal) } else { Ok(signers) }
    }

    fn read(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        reader.array_of(4)?;
        let headers = Headers::read(reader, &[])?;
        let payload = read_payload(reader)?;
        let at = reader.position();
        let count = reader.array()?;
        if count == 0 {
            return Err(Fault::rule(at, "message has no signature"));
        }
        if count > MAX_SIGNATURES {
            return Err(Fault::too_long(at, MAX_SIGNATURES));
        }
        let mut signatures = Vec::with_capacity(count);
        for _ in 0..count {
            signatures.push(Signature::read(reader)?);
        }
        Ok(Self { headers, payload, signatures })
    }

    fn to_be_signed(&self, signature: &Signature<'_>, external_aad: &[u8], payload: &[u8]) -> Vec<u8> {
        let signer_protected = Some(signature.headers.protected_raw());
        to_be_authenticated(SIGNATURE, self.headers.protected_raw(), signer_protected, external_aad, payload)
    }
}

impl<'b> Signature<'b> {
    /// The signer's header parameters.
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

    fn read(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        reader.array_of(3)?;
        let headers = Headers::read(reader, &[])?;
        let signature = reader.bytes()?;
        let algorithm = headers.protected_algorithm()?;
        Ok(Self { headers, algorithm, signature })
    }

    fn verify_signed(&self, key: &PublicKey, signed: &[u8]) -> Result<(), Error> {
        key.verify(signed, self.signature).map_err(|_| Distrust::BadSignature.into())
    }
}

/// One signer to be.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'k> {
    /// The key to sign with.
    pub key: &'k SigningKey,
    /// Its identifier, unprotected, if any.
    pub kid: Option<&'k [u8]>,
}

/// Makes COSE_Sign messages (RFC 9052, section 4.1), tagged.
#[derive(Clone, Debug, Default)]
pub struct SignBuilder {
    headers: HeaderBuilder,
    external_aad: Vec<u8>,
}

impl SignBuilder {
    /// A message without header parameters of its own.
    pub fn new() -> Self {
        Self::default()
    }

    header_methods!();

    /// A message by these signers that carries its payload.
    pub fn sign(&self, signers: &[Signer<'_>], payload: &[u8]) -> Vec<u8> {
        self.build(signers, payload, Some(payload))
    }

    /// A message by these signers whose payload is carried apart.
    pub fn sign_detached(&self, signers: &[Signer<'_>], payload: &[u8]) -> Vec<u8> {
        self.build(signers, payload, None)
    }

    fn build(&self, signers: &[Signer<'_>], signed: &[u8], payload: Option<&[u8]>) -> Vec<u8> {
        let body_protected = self.headers.protected_bytes(None);
        Writer::encode(|w| {
            w.tag(labels::TAG_SIGN).array(4).bytes(&body_protected);
            self.headers.write_unprotected(w);
            write_payload(w, payload);
            w.array(signers.len());
            for signer in signers {
                let mut headers = HeaderBuilder::default();
                if let Some(kid) = signer.kid {
                    headers.kid(kid);
                }
                let protected = headers.protected_bytes(Some(signer.key.algorithm().cose_id()));
                let signed = to_be_authenticated(
                    SIGNATURE,
                    &body_protected,
                    Some(&protected),
                    &self.external_aad,
                    signed,
                );
                w.array(3).bytes(&protected);
                headers.write_unprotected(w);
                w.bytes(&signer.key.sign(&signed));
            }
        })
    }
}
