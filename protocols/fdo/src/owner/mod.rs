//! The owner's side: TO0, in which it tells a rendezvous server where it is, and TO2, in which it answers devices.

mod session;
mod to0;
mod to2;

pub use to0::To0;
pub use to2::{Finished, OwnerOptions, OwnerSession, Setup};
