//! Attestation tokens of the Arm Confidential Compute Architecture (draft-ffm-rats-cca-token).

mod platform;
mod realm;
mod token;

pub use platform::{CcaPlatformClaims, CcaProfile};
pub use realm::CcaRealmClaims;
pub use token::{CcaToken, VerifiedCcaToken};
