//! TPM 2.0 quotes (TPM 2.0 Library, Part 2: Structures), as a verifier reads them; no stack of a TPM is needed.

mod attest;
mod carriage;
mod parsec;
mod pcrs;
mod public;
mod quote;
mod reader;
mod signature;

pub use attest::{Attested, ClockInfo, TpmAttest};
pub use carriage::{EnactTrustToken, TpmCollection};
pub use parsec::{ParsecAttestation, VerifiedParsecAttestation};
pub use pcrs::{MAX_PCR_SELECTIONS, PcrSelection, PcrValues};
pub use public::{TpmKey, TpmPublic};
pub use quote::{SignedTpmQuote, TpmQuote, VerifiedTpmQuote};
pub use signature::TpmSignature;

/// How many bytes one structure of a TPM may have.
pub const MAX_TPM_LEN: usize = 4096;
