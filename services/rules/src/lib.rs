//! Rules of operators beyond the built-in policy, written in Rego and run by regorus.
//!
//! Whoever may write rules must not thereby be able to stop the verifier or to look around in it. So they run in a process
//! of their own ([`work`]) that has no files, network, clock or randomness to give, little memory, and a count of steps;
//! [`Sandbox`] talks to it, ends it when it takes too long, and starts another. What goes in is a case
//! ([`trust::Case`]), what comes out a ruling that can lower or add and never raise ([`trust::constrain`]).
//!
//! The count of steps, unlike time, is the same everywhere: whoever checks a decision gets the same ruling.

#![forbid(unsafe_code)]

mod engine;
mod frame;
mod input;
mod ruling;
mod sandbox;
mod worker;

pub use engine::MAX_STEPS;
pub use sandbox::{Check, Sandbox};
pub use worker::{MAX_MEMORY, work};
