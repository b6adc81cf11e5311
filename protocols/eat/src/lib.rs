//! Entity attestation tokens (RFC 9711) and attestation results (draft-ietf-rats-ear): claims, the evidence profile of
//! this product, results in CBOR and JSON form with their trust vectors (draft-ietf-rats-ar4si).
//!
//! Evidence goes from device to verifier: [`EvidenceClaims::sign`] makes it, [`Evidence::verify`] gives
//! [`VerifiedEvidence`]. A result goes from verifier to relying parties: [`AttestationResult::sign_cwt`] and
//! [`AttestationResult::sign_jwt`] make it, [`SignedResult::verify`] gives [`VerifiedResult`]. [`Token`] reads tokens
//! of any other profile that are a COSE_Sign1.
//!
//! It does not appraise: what evidence is worth is decided elsewhere. Measurements pass through as bytes of a named
//! content format. Nested tokens, detached bundles and unsigned claims-sets are refused as unsupported.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod base64url;
mod claims;
mod ear;
mod ear_cbor;
mod ear_json;
mod error;
mod evidence;
mod json;
mod jwk;
mod jws;
mod labels;
mod measured_component;
mod result;
mod token;
mod trust_vector;
mod values;

#[cfg(test)]
mod tests;

// Public interface
pub use claims::{ClaimKey, Claims};
pub use ear::{
    Appraisal, AttestationResult, MAX_RESULT_LEN, MAX_SUBMODS, PROFILE as RESULT_PROFILE, Reason, VerifierId,
};
pub use error::{Distrust, Error, Feature, JsonError, JsonPlace};
pub use evidence::{
    DeviceStatus, EVIDENCE_PROFILE, Evidence, EvidenceClaims, MANIFEST_REFERENCE_FORMAT, MAX_DEPENDENCIES,
    MAX_EVIDENCE_LEN, ManifestReference, Refusal, VerifiedEvidence,
};
pub use measured_component::{MeasuredComponent, Measurement};
pub use result::{MAX_CLOCK_SKEW, SignedResult, VerifiedResult};
pub use token::{MAX_TOKEN_LEN, Token};
pub use trust_vector::{Category, Tier, TrustVector};
pub use values::{
    Content, ContentBody, DebugStatus, IndividualResult, MeasurementResult, MeasurementResults, Nonce, OemId,
    Profile, ResultId, Ueid, VersionScheme, VersionText,
};
