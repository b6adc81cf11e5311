//! Every decoder against bad input, and what the crates do with the published vectors when they work together.

#![allow(clippy::print_stderr, reason = "counts and skips are said aloud")]

mod decoders;
mod fixture;
mod model;
mod mutation;
mod seeds;
mod summary;
mod threats;
