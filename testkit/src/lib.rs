//! Vectors and fixtures for tests. A development dependency only: no shipped crate imports it.

#![forbid(unsafe_code)]
#![allow(clippy::print_stderr, reason = "skips are said aloud on standard error")]

mod vectors;

// Public interface
pub use vectors::{hex, read_hex, vectors};
