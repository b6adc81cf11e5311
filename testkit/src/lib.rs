//! Vectors and fixtures for tests. A development dependency only: no shipped crate imports it.

#![forbid(unsafe_code)]

mod dns;
mod edge;
mod index;
mod skip;
mod suit;
mod tpm;
mod vectors;

// Public interface
pub use dns::dns_query;
pub use edge::{FreeRadius, Hostapd};
pub use index::{IndexRow, index};
pub use skip::skipped;
pub use suit::{
    Authentication, Class, Facts, SuitVector, Verdict, read_vector, suit_public_keys, suit_vectors,
};
pub use tpm::Tpm;
pub use vectors::{hex, read_hex, vectors};
