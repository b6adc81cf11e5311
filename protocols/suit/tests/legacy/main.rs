//! Envelopes of older drafts: every published file, the shapes of RIOT and nRF Connect SDK, and what is refused.

#![allow(clippy::print_stderr, reason = "what was run and passed over is said aloud")]

mod convert;
mod field;
mod limits;
mod properties;
mod refusals;
mod vectors;
mod writer;
