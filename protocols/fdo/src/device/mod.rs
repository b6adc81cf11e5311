//! The device's side of DI, TO1 and TO2: each takes what came and gives what to send, until it is done.
//!
//! None of them holds more than the message at hand, one entry of the voucher and one header. None commits anything: the
//! credential that TO2 ends with is for the caller to keep, in one step, and until then the old one counts.

mod di;
mod to1;
mod to2;

use alloc::vec::Vec;

pub use di::Di;
pub use to1::To1;
pub use to2::{Outcome, To2, To2Options};

/// What a device says and hears in TO2 once both sides are known: its service information.
pub trait Dialogue {
    /// What it says next, as an encoded list of so many bytes at most, and whether more follows before the owner's turn. Fails
    /// with a stable code.
    fn next(&mut self, budget: usize) -> Result<(bool, Vec<u8>), &'static str>;

    /// What the owner said, whether more follows before the device's turn, and whether nothing follows at all. Fails with a
    /// stable code.
    fn receive(&mut self, more: bool, done: bool, list: &[u8]) -> Result<(), &'static str>;

    /// Whether both have said all.
    fn is_finished(&self) -> bool;
}
