use crate::{Distrust, Error, Feature, TpmError};
use crypto::HashAlgorithm;

use super::MAX_TPM_LEN;

/// The null algorithm.
pub(super) const ALG_NULL: u16 = 0x0010;
const ALG_SHA1: u16 = 0x0004;

/// Reads the big-endian structures of a TPM.
#[derive(Clone, Debug)]
pub(super) struct Reader<'b> {
    rest: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_TPM_LEN {
            return Err(Error::MalformedTpm(TpmError { at: MAX_TPM_LEN, rule: "structure is too long" }));
        }
        Ok(Self { rest: bytes, at: 0 })
    }

    pub(super) fn rest(&self) -> &'b [u8] {
        self.rest
    }

    pub(super) fn fail(&self, rule: &'static str) -> Error {
        Error::MalformedTpm(TpmError { at: self.at, rule })
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'b [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(self.fail("structure ends too early"))?;
        self.rest = rest;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let fail = self.fail("structure ends too early");
        self.take(N)?.try_into().map_err(|_| fail)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// TPM2B: a length of two bytes, and as many bytes.
    pub(super) fn sized(&mut self) -> Result<&'b [u8], Error> {
        let len = self.u16()?;
        self.take(len.into())
    }

    /// TPMI_ALG_HASH. SHA-1 is known, and believed nowhere.
    pub(super) fn hash(&mut self) -> Result<HashAlgorithm, Error> {
        match self.u16()? {
            ALG_SHA1 => Err(Distrust::WeakHash.into()),
            id => Ok(HashAlgorithm::from_tpm_id(id).ok_or(Feature::TpmAlgorithm(id))?),
        }
    }

    pub(super) fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.fail("bytes follow the structure")) }
    }
}
