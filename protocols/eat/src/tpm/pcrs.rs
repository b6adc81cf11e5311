use alloc::{collections::BTreeMap, vec::Vec};

use crypto::{Digest, HashAlgorithm, Hasher};

use super::reader::Reader;
use crate::Error;

/// How many banks a selection may name (TPM_NUM_PCR_BANKS).
pub const MAX_PCR_SELECTIONS: usize = 16;

/// How many bytes the bitmap of one bank may have.
const MAX_BITMAP: u8 = 4;

/// TPMS_PCR_SELECTION (Part 2, section 10.6.1): PCRs of one bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcrSelection {
    /// The bank.
    pub bank: HashAlgorithm,
    /// The PCRs, ascending.
    pub pcrs: Vec<u8>,
}

/// Values of PCRs, as the attester reports them: believed only where a quote's digest is theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PcrValues(BTreeMap<(HashAlgorithm, u8), Digest>);

impl PcrSelection {
    /// PCRs of a bank, in any order.
    pub fn new(bank: HashAlgorithm, pcrs: &[u8]) -> Self {
        let mut pcrs = pcrs.to_vec();
        pcrs.sort_unstable();
        pcrs.dedup();
        Self { bank, pcrs }
    }

    /// TPML_PCR_SELECTION (Part 2, section 10.9.7). A bank of which nothing is selected is passed over.
    pub(super) fn read_list(reader: &mut Reader<'_>) -> Result<Vec<Self>, Error> {
        let fail = reader.fail("selection names too many banks");
        let count = usize::try_from(reader.u32()?).map_err(|_| fail)?;
        if count > MAX_PCR_SELECTIONS {
            return Err(fail);
        }
        let mut selections = Vec::with_capacity(count);
        for _ in 0..count {
            let bank = reader.hash()?;
            let fail = reader.fail("bitmap of a bank is too long");
            let len = reader.u8()?;
            if len > MAX_BITMAP {
                return Err(fail);
            }
            let bitmap = reader.take(len.into())?;
            let bits = bitmap.iter().zip(0u8..).flat_map(|(byte, index)| {
                (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| 8 * index + bit)
            });
            let pcrs: Vec<u8> = bits.collect();
            if !pcrs.is_empty() {
                selections.push(Self { bank, pcrs });
            }
        }
        Ok(selections)
    }
}

impl PcrValues {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Values one after the other, in the order of a selection; none where they are more or fewer bytes than it has.
    pub fn in_order(selection: &[PcrSelection], bytes: &[u8]) -> Option<Self> {
        let mut values = Self::new();
        let mut rest = bytes;
        for PcrSelection { bank, pcrs } in selection {
            for pcr in pcrs {
                let (value, left) = rest.split_at_checked(bank.len())?;
                values.insert(*pcr, Digest::new(*bank, value)?);
                rest = left;
            }
        }
        rest.is_empty().then_some(values)
    }

    /// Adds the value of a PCR; the bank is the one of the digest.
    pub fn insert(&mut self, pcr: u8, value: Digest) {
        self.0.insert((value.algorithm(), pcr), value);
    }

    /// The value of a PCR.
    pub fn get(&self, bank: HashAlgorithm, pcr: u8) -> Option<&Digest> {
        self.0.get(&(bank, pcr))
    }

    /// The digest that a quote of the selection has: over the values of the PCRs, ascending, bank after bank.
    pub(super) fn digest(&self, selection: &[PcrSelection], hash: HashAlgorithm) -> Option<Digest> {
        let mut hasher = Hasher::new(hash);
        for PcrSelection { bank, pcrs } in selection {
            for pcr in pcrs {
                hasher.update(self.get(*bank, *pcr)?.as_bytes());
            }
        }
        Some(hasher.finish())
    }
}
