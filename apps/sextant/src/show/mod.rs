//! Decoded objects as trees. Nothing here verifies: the trees say what an object claims.

pub(crate) mod annotated;
pub(crate) mod authority;
pub(crate) mod certificate;
pub(crate) mod corim;
pub(crate) mod cose;
pub(crate) mod coswid;
pub(crate) mod ear;
pub(crate) mod eat;
pub(crate) mod key;
pub(crate) mod legacy;
pub(crate) mod mud;
pub(crate) mod suit;
