use alloc::vec::Vec;

use crypto::{HashAlgorithm, RsaPadding, SignatureAlgorithm};

use super::{TpmKey, reader::Reader};
use crate::{Error, Feature};

/// TPM_ALG_RSASSA, TPM_ALG_RSAPSS and TPM_ALG_ECDSA.
pub(super) const ALG_RSASSA: u16 = 0x0014;
pub(super) const ALG_RSAPSS: u16 = 0x0016;
pub(super) const ALG_ECDSA: u16 = 0x0018;

/// TPMT_SIGNATURE (Part 2, section 11.3.4), of the kinds that are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmSignature {
    /// The hash of what is signed.
    pub hash: HashAlgorithm,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Ecdsa { r: Vec<u8>, s: Vec<u8> },
    Rsa { padding: RsaPadding, signature: Vec<u8> },
}

impl TpmSignature {
    /// Decodes one, with nothing behind it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes)?;
        let algorithm = reader.u16()?;
        let padding = match algorithm {
            ALG_ECDSA => None,
            ALG_RSASSA => Some(RsaPadding::Pkcs1v15),
            ALG_RSAPSS => Some(RsaPadding::Pss),
            other => return Err(Feature::TpmAlgorithm(other).into()),
        };
        let hash = reader.hash()?;
        let value = match padding {
            None => Value::Ecdsa { r: reader.sized()?.into(), s: reader.sized()?.into() },
            Some(padding) => Value::Rsa { padding, signature: reader.sized()?.into() },
        };
        reader.end()?;
        Ok(Self { hash, value })
    }

    /// Verifies the signature of these bytes.
    pub(super) fn verify(&self, key: &TpmKey, signed: &[u8]) -> Result<(), Error> {
        let bad = |_| Error::from(cose::Error::from(cose::Distrust::BadSignature));
        match (&self.value, key) {
            (Value::Ecdsa { r, s }, TpmKey::Ec(key)) => {
                // A curve has one hash here, as elsewhere in this product.
                let hash = match key.algorithm() {
                    SignatureAlgorithm::Es256 => HashAlgorithm::from_tpm_id(0x000b),
                    SignatureAlgorithm::Es384 => HashAlgorithm::from_tpm_id(0x000c),
                    _ => None,
                };
                let (Some(width), true) = (key.algorithm().coordinate_len(), hash == Some(self.hash)) else {
                    return Err(Feature::TpmAlgorithm(self.hash.tpm_id()).into());
                };
                let mut fixed = padded(r, width)?;
                fixed.extend(padded(s, width)?);
                key.verify(signed, &fixed).map_err(bad)
            }
            (Value::Rsa { padding, signature }, TpmKey::Rsa(key)) => {
                match key.verify(*padding, self.hash, signed, signature) {
                    Err(crypto::Error::UnsupportedAlgorithm) => Err(Feature::Rsa.into()),
                    verified => verified.map_err(bad),
                }
            }
            _ => Err(cose::Error::from(cose::Distrust::BadSignature).into()),
        }
    }
}

/// A number of a TPM, which has no leading zeros, in the width of the curve.
fn padded(number: &[u8], width: usize) -> Result<Vec<u8>, Error> {
    let zeros = width.checked_sub(number.len());
    let zeros = zeros.ok_or(cose::Error::from(cose::Distrust::BadSignature))?;
    Ok(core::iter::repeat_n(0, zeros).chain(number.iter().copied()).collect())
}
