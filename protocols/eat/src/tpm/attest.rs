use alloc::vec::Vec;

use super::{PcrSelection, reader::Reader};
use crate::{Distrust, Error};

/// TPM_GENERATED: what a TPM puts before all that it signs with a restricted key.
const MAGIC: u32 = 0xff54_4347;
/// TPM_ST_ATTEST_CERTIFY.
const CERTIFY: u16 = 0x8017;
/// TPM_ST_ATTEST_QUOTE.
const QUOTE: u16 = 0x8018;

/// TPMS_ATTEST (Part 2, section 10.12.12): what a TPM signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmAttest {
    /// qualifiedSigner: the name of the key, with those of its parents.
    pub qualified_signer: Vec<u8>,
    /// extraData: the nonce.
    pub extra_data: Vec<u8>,
    /// clockInfo.
    pub clock: ClockInfo,
    /// firmwareVersion, in a form of the maker's.
    pub firmware_version: u64,
    /// What is attested.
    pub attested: Attested,
}

/// TPMS_CLOCK_INFO (Part 2, section 10.11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockInfo {
    /// Milliseconds the TPM has been powered.
    pub clock: u64,
    /// How often it was reset: a boot of the machine.
    pub reset_count: u32,
    /// How often it was restarted or resumed since.
    pub restart_count: u32,
    /// Whether the clock never went back.
    pub safe: bool,
}

/// TPMU_ATTEST, as far as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attested {
    /// TPMS_QUOTE_INFO: PCRs.
    Quote {
        /// Which PCRs.
        selection: Vec<PcrSelection>,
        /// Digest of their values, by the hash of the signature.
        digest: Vec<u8>,
    },
    /// TPMS_CERTIFY_INFO: a key in the TPM.
    Certify {
        /// Its name.
        name: Vec<u8>,
        /// Its name with those of its parents.
        qualified_name: Vec<u8>,
    },
    /// Something else, by its type.
    Other(u16),
}

impl TpmAttest {
    /// Decodes one. Without the magic a key that signs anything could have signed it, and it is not believed.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes)?;
        if reader.u32()? != MAGIC {
            return Err(Distrust::TpmMagic.into());
        }
        let kind = reader.u16()?;
        let qualified_signer = reader.sized()?.into();
        let extra_data = reader.sized()?.into();
        let clock = ClockInfo::read(&mut reader)?;
        let firmware_version = reader.u64()?;
        let attested = match kind {
            QUOTE => Attested::Quote {
                selection: PcrSelection::read_list(&mut reader)?,
                digest: reader.sized()?.into(),
            },
            CERTIFY => {
                Attested::Certify { name: reader.sized()?.into(), qualified_name: reader.sized()?.into() }
            }
            other => {
                reader.take(reader.rest().len())?;
                Attested::Other(other)
            }
        };
        reader.end()?;
        Ok(Self { qualified_signer, extra_data, clock, firmware_version, attested })
    }
}

impl ClockInfo {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (clock, reset_count, restart_count) = (reader.u64()?, reader.u32()?, reader.u32()?);
        let fail = reader.fail("neither yes nor no");
        let safe = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(fail),
        };
        Ok(Self { clock, reset_count, restart_count, safe })
    }
}
