//! PSA attestation tokens (RFC 9783) and the two profiles before them.

mod claims;
mod component;
mod lifecycle;
mod token;

pub use claims::{PsaClaims, PsaProfile};
pub use component::SoftwareComponent;
pub use lifecycle::{Lifecycle, LifecycleState};
pub use token::{PsaToken, VerifiedPsaToken};

pub(crate) use claims::{ByteClaim, read_instance_id, read_nonce};
