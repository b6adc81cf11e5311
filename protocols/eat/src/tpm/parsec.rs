use alloc::vec::Vec;

use cbor::{Key, Order, Reader, Reason};

use super::{Attested, MAX_TPM_LEN, SignedTpmQuote, TpmAttest, TpmKey, TpmPublic, TpmQuote, TpmSignature};
use crate::{Distrust, Error, Nonce};

/// The only version of a TPM there is evidence of.
const VERSION: &str = "2.0";

/// How many bytes key attestation may have.
const MAX_LEN: usize = 8 * MAX_TPM_LEN;

/// Key attestation of Parsec with a TPM: a key that the TPM certifies, and a quote of the platform, both by one
/// attestation key. Well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsecAttestation {
    kid: Vec<u8>,
    public: TpmPublic,
    certified_name: Vec<u8>,
    signed: Vec<u8>,
    nonce: Vec<u8>,
    signature: TpmSignature,
    quote: TpmQuote,
}

/// A key that a TPM certifies, on a platform with PCRs of this digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedParsecAttestation {
    /// The key.
    pub key: TpmKey,
    /// The platform.
    pub quote: SignedTpmQuote,
}

/// The members of one of the two parts.
#[derive(Default)]
struct Part<'b> {
    signature: Option<&'b [u8]>,
    kid: Option<&'b [u8]>,
    public: Option<&'b [u8]>,
    attest: Option<&'b [u8]>,
}

impl ParsecAttestation {
    /// Decodes `{"kat": {…}, "pat": {…}}`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_LEN {
            return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_LEN }).into());
        }
        let mut reader = Reader::with_order(bytes, Order::Unique);
        let mut map = reader.map()?;
        let (mut kat, mut pat) = (None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(&mut reader)? {
            match key {
                Key::Text("kat") => kat = Some(Part::read(&mut reader)?),
                Key::Text("pat") => pat = Some(Part::read(&mut reader)?),
                _ => return Err(cbor::Error::rule(at, "neither kat nor pat").into()),
            }
            at = reader.position();
        }
        reader.end()?;
        let missing = cbor::Error::rule(0, "key attestation lacks a member");
        let (kat, pat) = (kat.ok_or(missing)?, pat.ok_or(missing)?);
        let kid = kat.kid.ok_or(missing)?;
        if pat.kid != Some(kid) {
            return Err(cbor::Error::rule(0, "key and platform are signed by different keys").into());
        }
        let signed = kat.attest.ok_or(missing)?;
        let TpmAttest { attested: Attested::Certify { name, .. }, extra_data, .. } =
            TpmAttest::decode(signed)?
        else {
            return Err(Distrust::TpmType.into());
        };
        Ok(Self {
            kid: kid.into(),
            public: TpmPublic::decode(kat.public.ok_or(missing)?)?,
            certified_name: name,
            signed: signed.into(),
            nonce: extra_data,
            signature: TpmSignature::decode(kat.signature.ok_or(missing)?)?,
            quote: TpmQuote::decode(pat.attest.ok_or(missing)?, pat.signature.ok_or(missing)?)?,
        })
    }

    /// The attestation key it claims to be signed by.
    pub fn kid(&self) -> &[u8] {
        &self.kid
    }

    /// The quote of the platform, which nobody vouches for yet.
    pub fn unverified_quote(&self) -> &TpmQuote {
        &self.quote
    }

    /// Verifies that the attestation key certified the key, by its name and in answer to the nonce, and the quote as
    /// [`TpmQuote::verify_signature`] does. Values of PCRs do not come along.
    pub fn verify(self, key: &TpmKey, expected: &Nonce) -> Result<VerifiedParsecAttestation, Error> {
        self.signature.verify(key, &self.signed)?;
        if self.public.name() != self.certified_name {
            return Err(Distrust::TpmName.into());
        }
        if !crypto::constant_time_eq(&self.nonce, expected.as_bytes()) {
            return Err(Distrust::Nonce.into());
        }
        let quote = self.quote.verify_signature(key, expected)?;
        Ok(VerifiedParsecAttestation { key: self.public.key().clone(), quote })
    }
}

impl<'b> Part<'b> {
    fn read(reader: &mut Reader<'b>) -> Result<Self, Error> {
        let mut map = reader.map()?;
        let mut part = Self::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Text("tpmVer") => {
                    at = reader.position();
                    if reader.text()? != VERSION {
                        return Err(cbor::Error::rule(at, "not a TPM 2.0").into());
                    }
                }
                Key::Text("sig") => part.signature = Some(reader.bytes()?),
                Key::Text("kid") => part.kid = Some(reader.bytes()?),
                Key::Text("pubArea") => part.public = Some(reader.bytes()?),
                Key::Text("certInfo" | "attestInfo") => part.attest = Some(reader.bytes()?),
                _ => return Err(cbor::Error::rule(at, "member is not known").into()),
            }
            at = reader.position();
        }
        Ok(part)
    }
}
