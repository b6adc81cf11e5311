//! What a gateway lets through, asked of the kernel packet by packet and held against the oracle of MUD, in namespaces.
//! Needs root; says so and passes over what it cannot do.

#![allow(clippy::print_stderr, reason = "figures of a run are for whoever reads them")]

mod bypass;
mod faults;
#[allow(dead_code, reason = "other tests and the benches use the rest")]
#[path = "../../conformance/fixture.rs"]
mod fixture;
#[allow(dead_code, reason = "the tests of the gateway's own crate use the rest")]
#[path = "../../../services/gateway/tests/kernel/lab.rs"]
mod lab;
mod matrix;
mod partition;
mod random;
mod raw;
