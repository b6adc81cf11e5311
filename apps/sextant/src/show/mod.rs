//! Decoded objects as trees. Nothing here verifies: the trees say what an object claims.

pub(crate) mod annotated;
pub(crate) mod arm;
pub(crate) mod authority;
pub(crate) mod certificate;
pub(crate) mod cmw;
pub(crate) mod corim;
pub(crate) mod corim_difference;
pub(crate) mod cose;
pub(crate) mod coserv;
pub(crate) mod coswid;
pub(crate) mod ear;
pub(crate) mod eat;
pub(crate) mod evidence;
pub(crate) mod key;
pub(crate) mod legacy;
pub(crate) mod mud;
pub(crate) mod onboarding;
pub(crate) mod suit;
pub(crate) mod tpm;
pub(crate) mod voucher;
