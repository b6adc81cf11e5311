//! The same reader for code that must be small: its errors are one word.
//!
//! An [`Error`](crate::Error) is several words, and every function that hands one on copies it. A [`Fault`] is a pointer,
//! which makes a decoder of many rules much smaller. All rules of this crate are in here; [`crate::Reader`] and
//! [`crate::MapCursor`] are made of it for everybody else.

mod fault;
mod map;
mod reader;
mod seen;
mod skip;

pub use fault::Fault;
pub use map::MapCursor;
pub use reader::Reader;
