use alloc::{boxed::Box, vec::Vec};

use crypto::{Digest, HashAlgorithm, PublicKey, RsaPublicKey, SignatureAlgorithm};

use super::{
    reader::{ALG_NULL, Reader},
    signature::{ALG_ECDSA, ALG_RSAPSS, ALG_RSASSA},
};
use crate::{Distrust, Error, Feature};

/// TPM_ALG_RSA, TPM_ALG_ECC and TPM_ALG_ECDAA.
const ALG_RSA: u16 = 0x0001;
const ALG_ECC: u16 = 0x0023;
const ALG_ECDAA: u16 = 0x001a;
/// TPM_ECC_NIST_P256 and TPM_ECC_NIST_P384.
const P256: u16 = 0x0003;
const P384: u16 = 0x0004;

/// TPMA_OBJECT (Part 2, section 8.3).
const FIXED_TPM: u32 = 1 << 1;
const RESTRICTED: u32 = 1 << 16;
const DECRYPT: u32 = 1 << 17;
const SIGN: u32 = 1 << 18;

/// The exponent that a TPM writes as zero.
const DEFAULT_EXPONENT: u32 = 65_537;

/// TPMT_PUBLIC (Part 2, section 12.2.4) of an asymmetric key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmPublic {
    bytes: Vec<u8>,
    name_algorithm: HashAlgorithm,
    attributes: u32,
    key: TpmKey,
}

/// A public key that a TPM signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TpmKey {
    /// On P-256 or P-384.
    Ec(Box<PublicKey>),
    /// RSA.
    Rsa(RsaPublicKey),
}

impl TpmPublic {
    /// Decodes a TPMT_PUBLIC, or one behind its length as TPM2B_PUBLIC.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes)?;
        let mut sized = reader.clone();
        // The number of an algorithm, read as a length, is never that of all that follows: keys are longer.
        if let Ok(inner) = sized.sized()
            && sized.end().is_ok()
            && !inner.is_empty()
        {
            return Self::read(inner, &mut Reader::new(inner)?);
        }
        let whole = reader.rest();
        Self::read(whole, &mut reader)
    }

    fn read(bytes: &[u8], reader: &mut Reader<'_>) -> Result<Self, Error> {
        let kind = reader.u16()?;
        let name_algorithm = reader.hash()?;
        let attributes = reader.u32()?;
        let _policy = reader.sized()?;
        let key = match kind {
            ALG_ECC => Self::read_ec(reader)?,
            ALG_RSA => Self::read_rsa(reader)?,
            other => return Err(Feature::TpmAlgorithm(other).into()),
        };
        reader.end()?;
        Ok(Self { bytes: bytes.into(), name_algorithm, attributes, key })
    }

    fn read_ec(reader: &mut Reader<'_>) -> Result<TpmKey, Error> {
        read_symmetric(reader)?;
        read_scheme(reader)?;
        let curve = reader.u16()?;
        let algorithm = match curve {
            P256 => SignatureAlgorithm::Es256,
            P384 => SignatureAlgorithm::Es384,
            other => return Err(Feature::TpmAlgorithm(other).into()),
        };
        if reader.u16()? != ALG_NULL {
            // The hash of a key derivation, which signing keys have none of.
            reader.u16()?;
        }
        let fail = reader.fail("not a point of its curve");
        let width = algorithm.coordinate_len().unwrap_or_default();
        let coordinate = |bytes: &[u8]| {
            let zeros = width.checked_sub(bytes.len())?;
            Some(core::iter::repeat_n(0, zeros).chain(bytes.iter().copied()).collect::<Vec<u8>>())
        };
        let x = coordinate(reader.sized()?).ok_or(fail)?;
        let y = coordinate(reader.sized()?).ok_or(fail)?;
        Ok(PublicKey::from_ec2(algorithm, &x, &y).map_err(|_| fail)?.into())
    }

    fn read_rsa(reader: &mut Reader<'_>) -> Result<TpmKey, Error> {
        read_symmetric(reader)?;
        read_scheme(reader)?;
        let _bits = reader.u16()?;
        let exponent = match reader.u32()? {
            0 => DEFAULT_EXPONENT,
            exponent => exponent,
        };
        let fail = reader.fail("not a key that is taken");
        let modulus = reader.sized()?;
        Ok(TpmKey::Rsa(RsaPublicKey::from_components(modulus, &exponent.to_be_bytes()).map_err(|_| fail)?))
    }

    /// Its name: the number of its hash algorithm, and the hash of the structure.
    pub fn name(&self) -> Vec<u8> {
        let digest = Digest::of(self.name_algorithm, &self.bytes);
        self.name_algorithm
            .tpm_id()
            .to_be_bytes()
            .into_iter()
            .chain(digest.as_bytes().iter().copied())
            .collect()
    }

    /// The key, whatever it may be used for.
    pub fn key(&self) -> &TpmKey {
        &self.key
    }

    /// The key where it is one to attest with: it never leaves its TPM, signs, and signs nothing from outside that
    /// looks like the TPM's own (restricted). Whose TPM it is in, a certificate or an endorsement says.
    pub fn attestation_key(&self) -> Result<&TpmKey, Error> {
        const WANTED: u32 = FIXED_TPM | RESTRICTED | SIGN;
        if self.attributes & WANTED != WANTED || self.attributes & DECRYPT != 0 {
            return Err(Distrust::KeyAttributes.into());
        }
        Ok(&self.key)
    }
}

impl From<PublicKey> for TpmKey {
    fn from(key: PublicKey) -> Self {
        Self::Ec(Box::new(key))
    }
}

impl From<RsaPublicKey> for TpmKey {
    fn from(key: RsaPublicKey) -> Self {
        Self::Rsa(key)
    }
}

/// TPMT_SYM_DEF_OBJECT: keys to sign with have none.
fn read_symmetric(reader: &mut Reader<'_>) -> Result<(), Error> {
    if reader.u16()? != ALG_NULL {
        let (_bits, _mode) = (reader.u16()?, reader.u16()?);
    }
    Ok(())
}

/// TPMT_ASYM_SCHEME, of those that sign. Which one was used, each signature says.
fn read_scheme(reader: &mut Reader<'_>) -> Result<(), Error> {
    match reader.u16()? {
        ALG_NULL => {}
        ALG_ECDSA | ALG_RSASSA | ALG_RSAPSS => _ = reader.hash()?,
        ALG_ECDAA => _ = (reader.hash()?, reader.u16()?),
        other => return Err(Feature::TpmAlgorithm(other).into()),
    }
    Ok(())
}
