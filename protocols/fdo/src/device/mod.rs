//! The device's side of DI, TO1 and TO2: each takes what came and gives what to send, until it is done.
//!
//! None of them holds more than the message at hand, one entry of the voucher and one header. None commits anything: the
//! credential that TO2 ends with is for the caller to keep, in one step, and until then the old one counts.

mod di;
mod to1;
mod to2;

pub use di::Di;
pub use to1::To1;
pub use to2::{Outcome, To2, To2Options};
