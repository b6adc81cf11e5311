//! Onboarding (FDO) as devices, owners and rendezvous servers meet it: real processes of the product, over HTTPS.

mod device;
mod full;
mod peer;
mod process;
mod stock;
mod stored;

// Measurements
pub(crate) use full::measure as measure_full;
pub(crate) use peer::measure as measure_beside_peer;
pub(crate) use stored::{measure as measure_stored, measure_registration};
