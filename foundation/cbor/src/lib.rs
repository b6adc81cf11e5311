//! Strict deterministic CBOR (RFC 8949, section 4.2.1) for signed and remote data.
//!
//! [`Reader`] borrows from the input and accepts one encoding of each value: definite lengths, shortest heads and,
//! unless told otherwise, map keys in ascending bytewise order. Whoever must read what the field writes calls
//! [`normalize`] first and keeps the received bytes for hashing. [`Writer`] and [`MapBuilder`] write that same form.
//!
//! It is not a value tree and not a serde back end: each wire type has its own hand-written `decode` and `encode`.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod diagnostic;
mod error;
mod head;
pub mod lean;
mod map;
mod normalize;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

// Public interface
pub use diagnostic::diagnostic;
pub use error::{Error, Reason};
pub use head::Type;
pub use map::{Key, MapCursor};
pub use normalize::{normalize, normalize_definite};
pub use reader::{Order, Reader};
pub use writer::{MapBuilder, Writer};

/// How deep arrays, maps and tags may nest in one item.
pub const MAX_DEPTH: usize = 16;
