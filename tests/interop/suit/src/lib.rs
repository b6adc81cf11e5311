//! Other people's SUIT implementations behind the contract of the conformance kit (docs/conformance.md).
//!
//! Each adapter does what the documentation of its crate tells a caller to do, and nothing in its place: what a crate does
//! not check is not checked, and what it leaves to its caller is either a device in memory or said to be lacking.

#![forbid(unsafe_code)]

mod dress_up;
mod suit_validator;

// Public interface
pub use crate::dress_up::DressUp;
pub use crate::suit_validator::{OurCrypto, PlainCurve, SuitValidator, key_set};
