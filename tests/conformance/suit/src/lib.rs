//! The SUIT conformance kit: cases of its own and published vectors, given to any implementation through a small command
//! line contract (docs/conformance.md), and a table of where it differs.
//!
//! It is not an implementation and believes none: what it expects is written down case by case, and the envelopes of its
//! own cases are written byte by byte, not by the product's author.

#![forbid(unsafe_code)]

mod adapter;
mod author;
mod case;
mod cases;
mod contract;
mod keys;
mod run;
mod serve;
mod survey;
mod table;
mod vectors;

// Public interface
pub use adapter::{Adapter, AdapterError};
pub use case::{After, Case, Expect, Facts, Reasons};
pub use cases::own_cases;
pub use contract::{Component, Device, Failure, Features, Manifest, Outcome, Trace, from_hex, to_hex};
pub use run::{Row, Standing, run};
pub use serve::{Implementation, serve};
pub use table::{Tally, to_json, to_table};
pub use vectors::vector_cases;
