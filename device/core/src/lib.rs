//! The device side of the loop, without input and output: slots that survive power cuts, installation through the SUIT
//! processor, boot with trial and fallback, evidence over what is really in the active slot, and the schedule of polls.
//!
//! The platform gives durable areas ([`Storage`]), a signing key, the time and random numbers; this crate decides. It
//! promises two invariants whatever write the power failed at: a device always boots a verified image, and sequence
//! numbers never fall. The list of those it obeys is old or new in the same way, and changes only by its own roots.
//!
//! There is one state machine, in the boot record:
//!
//! | Journal | Trial | A boot |
//! |---|---|---|
//! | none | none | starts the active slot, else the other one, else recovers |
//! | [`Journal::Installing`] | none | the same; the same installation goes on where it was |
//! | none | [`Trial`] | spends one boot on the slot on trial, goes back when none is left |
//! | [`Journal::Swapping`] | as it was | ends the exchange of the slots, then as above |
//! | [`Journal::Uninstalling`] | as it was | ends the removal, then as above |
//!
//! With [`Layout::Swap`] what is to run is brought to slot A first, by an exchange, after it was verified where it lay.
//!
//! # Memory
//!
//! Bounded whatever comes: the head of an envelope, at most [`suit::limits::MAX_ENVELOPE_LEN`] bytes, and its decoded
//! manifest; what a processor holds ([`suit`]) with pieces of 4 KiB; 4 KiB to hash with, or 16 KiB to swap with; the boot
//! record, of at most 4 KiB. No payload is ever held: [`Device::install_from`] stores it as it comes.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]
#![cfg_attr(test, allow(clippy::print_stdout, reason = "power-cut tests say how many cuts they tried"))]

extern crate alloc;

mod attest;
mod authorities;
mod boot;
mod contents;
mod device;
mod fault;
mod identity;
mod install;
mod key;
mod machine;
mod memory;
mod platform;
mod rehearsal;
mod reporting;
mod schedule;
mod set;
mod state;
mod storage;
mod swap;
mod transport;
mod uninstall;

#[cfg(test)]
mod simulator;
#[cfg(test)]
mod tests;

// Public interface
pub use attest::{ADMISSION_CONTEXT, AttestError, Measured};
pub use authorities::AuthorityUpdateError;
pub use boot::{Boot, Unfit};
pub use device::{Credentials, Device, Offer, Running, Standing, TRIAL_BOOTS};
pub use fault::Fault;
pub use identity::{Component, Identity, Layout};
pub use install::{InstallError, Offered};
pub use key::{AttestationKey, NotSigned};
pub use machine::{Action, Event, Feedback, Machine, Outcome, Timing};
pub use memory::MemoryStorage;
pub use platform::Start;
pub use schedule::Schedule;
pub use state::{
    Bars, BootState, Dependency, Floor, Installed, Journal, Refusal, StateError, StateStore, Trial,
};
pub use storage::{Area, RecordCopy, Slot, Storage, read_all};
pub use transport::{PayloadSource, Transport};
