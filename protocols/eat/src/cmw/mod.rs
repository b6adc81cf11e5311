//! Conceptual message wrappers (draft-ietf-rats-msg-wrap): evidence, endorsements and results with their media type.

mod cbor_form;
mod json_form;
mod model;
mod signed;

pub use model::{
    Cmw, CmwCollection, CmwIndicator, CmwKey, CmwRecord, CmwType, MAX_CMW_DEPTH, MAX_CMW_ENTRIES, MAX_CMW_LEN,
};
pub use signed::{SignedCmw, VerifiedCmw};
