//! What a gateway lets through, asked of the kernel packet by packet and held against the oracle of MUD, in namespaces.
//! Needs root; says so and passes over what it cannot do.

#[allow(dead_code, reason = "other tests and the benches use the rest")]
#[path = "../../conformance/fixture.rs"]
mod fixture;
#[allow(dead_code, reason = "the tests of the gateway's own crate use the rest")]
#[path = "../../../services/gateway/tests/kernel/lab.rs"]
mod lab;
mod raw;

mod faults;
mod matrix;
mod partition;
mod random;
