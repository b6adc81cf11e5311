//! The device side of the loop, without input and output: slots that survive power cuts, installation through the SUIT
//! processor, boot with trial and fallback, evidence over what is really in the active slot, and the schedule of polls.
//!
//! The platform gives durable areas ([`Storage`]), a signing key, the time and random numbers; this crate decides. It
//! promises two invariants whatever write the power failed at: a device always boots a verified image, and sequence
//! numbers never fall.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod schedule;
mod state;
mod storage;

#[cfg(test)]
mod simulator;

// Public interface
pub use schedule::Schedule;
pub use state::{BootState, Installed, Refusal, StateError, StateStore, Trial};
pub use storage::{Area, RecordCopy, Slot, Storage, read_all};
