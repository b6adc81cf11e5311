use alloc::{format, vec::Vec};

use crypto::Digest;

use super::{Attested, ClockInfo, PcrSelection, PcrValues, TpmAttest, TpmKey, TpmSignature};
use crate::{Distrust, Error, EvidenceFormat, EvidenceView, MeasuredItem, Nonce};

/// A quote: PCRs that a TPM signed. Well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmQuote {
    signed: Vec<u8>,
    attest: TpmAttest,
    signature: TpmSignature,
}

/// A quote by a key that is trusted to attest, in answer to our nonce. Which PCRs it should be of and what their values
/// are is not said yet: a smaller selection is signed as well as the one that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTpmQuote {
    attest: TpmAttest,
    nonce: Nonce,
    selection: Vec<PcrSelection>,
    digest: Digest,
}

/// A quote by a key that is trusted to attest, in answer to our nonce, of just the PCRs that were asked for, with their
/// values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTpmQuote {
    attest: TpmAttest,
    nonce: Nonce,
    selection: Vec<PcrSelection>,
    values: PcrValues,
}

impl TpmQuote {
    /// Decodes a TPMS_ATTEST, which must be of a quote, and a TPMT_SIGNATURE.
    pub fn decode(attest: &[u8], signature: &[u8]) -> Result<Self, Error> {
        let signed = attest.into();
        let attest = TpmAttest::decode(attest)?;
        if !matches!(attest.attested, Attested::Quote { .. }) {
            return Err(Distrust::TpmType.into());
        }
        Ok(Self { signed, attest, signature: TpmSignature::decode(signature)? })
    }

    /// What was signed, which nobody vouches for yet.
    pub fn unverified(&self) -> &TpmAttest {
        &self.attest
    }

    /// Verifies the signature with a key that was found trusted (see [`super::TpmPublic::attestation_key`]), and the
    /// nonce that was sent.
    pub fn verify_signature(self, key: &TpmKey, expected: &Nonce) -> Result<SignedTpmQuote, Error> {
        self.signature.verify(key, &self.signed)?;
        if !crypto::constant_time_eq(&self.attest.extra_data, expected.as_bytes()) {
            return Err(Distrust::Nonce.into());
        }
        let Attested::Quote { selection, digest } = &self.attest.attested else {
            return Err(Distrust::TpmType.into());
        };
        let selection = selection.clone();
        // One of another length is the digest of no values.
        let digest = Digest::new(self.signature.hash, digest).ok_or(Distrust::PcrDigest)?;
        Ok(SignedTpmQuote { attest: self.attest, nonce: expected.clone(), selection, digest })
    }

    /// Verifies, in this order: signature and nonce, that the PCRs are those of `wanted` and no fewer, and that `values`
    /// are theirs.
    pub fn verify(
        self,
        key: &TpmKey,
        expected: &Nonce,
        wanted: &[PcrSelection],
        values: &PcrValues,
    ) -> Result<VerifiedTpmQuote, Error> {
        self.verify_signature(key, expected)?.with_values(wanted, values)
    }
}

impl SignedTpmQuote {
    /// The PCRs that were quoted, bank by bank.
    pub fn selection(&self) -> &[PcrSelection] {
        &self.selection
    }

    /// The digest of their values, by the hash of the signature.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Verifies that the PCRs are those of `wanted` and no fewer, and that `values` are theirs.
    pub fn with_values(self, wanted: &[PcrSelection], values: &PcrValues) -> Result<VerifiedTpmQuote, Error> {
        if self.selection != wanted {
            return Err(Distrust::PcrSelection.into());
        }
        if !self.has_values(values) {
            return Err(Distrust::PcrDigest.into());
        }
        let mut quoted = PcrValues::new();
        for PcrSelection { bank, pcrs } in &self.selection {
            pcrs.iter().filter_map(|pcr| Some((*pcr, *values.get(*bank, *pcr)?))).for_each(|(pcr, value)| {
                quoted.insert(pcr, value);
            });
        }
        let Self { attest, nonce, selection, .. } = self;
        Ok(VerifiedTpmQuote { attest, nonce, selection, values: quoted })
    }

    /// Whether these are the values that were quoted: the digest over those of the selection is that of the quote.
    pub fn has_values(&self, values: &PcrValues) -> bool {
        let computed = values.digest(&self.selection, self.digest.algorithm());
        computed.is_some_and(|computed| crypto::constant_time_eq(computed.as_bytes(), self.digest.as_bytes()))
    }
}

impl VerifiedTpmQuote {
    /// Clock and counters: a higher reset count than the last one seen is a boot.
    pub fn clock(&self) -> ClockInfo {
        self.attest.clock
    }

    /// Version of the TPM's firmware, in a form of its maker's.
    pub fn firmware_version(&self) -> u64 {
        self.attest.firmware_version
    }

    /// The name of the key that signed, with those of its parents.
    pub fn qualified_signer(&self) -> &[u8] {
        &self.attest.qualified_signer
    }

    /// The PCRs, bank by bank.
    pub fn selection(&self) -> &[PcrSelection] {
        &self.selection
    }

    /// The values of those PCRs.
    pub fn values(&self) -> &PcrValues {
        &self.values
    }
}

impl From<&VerifiedTpmQuote> for EvidenceView {
    /// Its items are named `pcr0` and so on, each once with a digest for each bank.
    fn from(quote: &VerifiedTpmQuote) -> Self {
        let mut view = Self::new(EvidenceFormat::Tpm);
        view.nonces = Vec::from([quote.nonce.clone()]);
        for PcrSelection { bank, pcrs } in &quote.selection {
            for pcr in pcrs {
                let Some(value) = quote.values.get(*bank, *pcr) else { continue };
                let name = format!("pcr{pcr}");
                match view.items.iter_mut().find(|item| item.name.as_ref() == Some(&name)) {
                    Some(item) => item.digests.push(*value),
                    None => view.items.push(MeasuredItem::measured(name, *bank, value.as_bytes())),
                }
            }
        }
        view
    }
}
