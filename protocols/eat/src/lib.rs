//! Entity attestation tokens (RFC 9711) and attestation results (draft-ietf-rats-ear): claims, the evidence profile of
//! this product, results in CBOR and JSON form with their trust vectors (draft-ietf-rats-ar4si).
//!
//! Evidence goes from device to verifier: [`EvidenceClaims::sign`] makes it, [`Evidence::verify`] gives
//! [`VerifiedEvidence`]. A result goes from verifier to relying parties: [`AttestationResult::sign_cwt`] and
//! [`AttestationResult::sign_jwt`] make it, [`SignedResult::verify`] gives [`VerifiedResult`]. [`Token`] and [`Bundle`]
//! read tokens of any other profile, with those nested in them; [`UnprotectedClaims`] those that nothing protects.
//!
//! It does not appraise: what evidence is worth is decided elsewhere. Measurements pass through as bytes of a named
//! content format.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod base64url;
mod bundle;
mod cca;
mod claims;
mod claims_json;
mod cmw;
mod ear;
mod ear_cbor;
mod ear_extension;
mod ear_json;
mod envelope;
mod error;
mod evidence;
mod json;
mod jwk;
mod jws;
mod labels;
mod location;
mod measured_component;
mod media_type;
mod members;
mod oid;
mod psa;
mod result;
mod submodule;
mod token;
mod tpm;
mod transcode;
mod trust_vector;
mod unprotected;
mod values;
mod verify;
mod view;

#[cfg(test)]
mod tests;

// Public interface
pub use bundle::{Bundle, MAX_BUNDLE_LEN, MAX_DETACHED_SETS};
pub use cca::{CcaPlatformClaims, CcaProfile, CcaRealmClaims, CcaToken, VerifiedCcaToken};
pub use claims::{ClaimKey, Claims};
pub use cmw::{
    Cmw, CmwCollection, CmwIndicator, CmwKey, CmwRecord, CmwType, MAX_CMW_DEPTH, MAX_CMW_ENTRIES,
    MAX_CMW_LEN, SignedCmw, VerifiedCmw,
};
pub use ear::{
    Appraisal, AttestationResult, MAX_RESULT_LEN, MAX_SUBMODS, OLD_PROFILE as OLD_RESULT_PROFILE,
    PREVIOUS_PROFILE as PREVIOUS_RESULT_PROFILE, PROFILE as RESULT_PROFILE, RawEvidence, Reason, VerifierId,
};
pub use ear_extension::ResultExtension;
pub use error::{Distrust, Error, Feature, JsonError, JsonPlace, TpmError};
pub use evidence::{
    DeviceStatus, EVIDENCE_PROFILE, Evidence, EvidenceClaims, MANIFEST_REFERENCE_FORMAT, MAX_DEPENDENCIES,
    MAX_EVIDENCE_LEN, ManifestReference, Refusal, VerifiedEvidence,
};
pub use location::{Location, Number};
pub use measured_component::{MeasuredComponent, MeasuredComponentFormats, Measurement};
pub use media_type::{CONTENT_FORMATS, MAX_MEDIA_TYPE_LEN, MediaType};
pub use psa::{
    Lifecycle, LifecycleState, PsaClaims, PsaProfile, PsaToken, SoftwareComponent, VerifiedPsaToken,
};
pub use result::{MAX_CLOCK_SKEW, SignedResult, VerifiedResult};
pub use submodule::{NestedToken, Submodule};
pub use token::{MAX_TOKEN_LEN, Token, TokenForm};
pub use tpm::{
    Attested, ClockInfo, EnactTrustToken, MAX_PCR_SELECTIONS, MAX_TPM_LEN, ParsecAttestation, PcrSelection,
    PcrValues, SignedTpmQuote, TpmAttest, TpmCollection, TpmKey, TpmPublic, TpmQuote, TpmSignature,
    VerifiedParsecAttestation, VerifiedTpmQuote,
};
pub use trust_vector::{Category, Tier, TrustVector};
pub use unprotected::{CarriedClaims, OuterProtection, UnprotectedClaims};
pub use values::{
    Content, ContentBody, DebugStatus, Dloa, IndividualResult, MeasurementResult, MeasurementResults, Nonce,
    OemId, Profile, ResultId, Ueid, VersionScheme, VersionText,
};
pub use verify::{
    InnerToken, MAX_NESTED_TOKENS, MAX_TOKEN_NESTING, SubmodulePath, TokenCheck, TokenHint, TokenKey,
    TokenKeys, VerifiedToken,
};
pub use view::{EvidenceFormat, EvidenceView, MeasuredItem};
