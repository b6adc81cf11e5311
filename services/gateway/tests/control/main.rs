//! The control half: what it believes, what it makes of it, and that it enforces without a server.

extern crate sextant_gateway as gateway;

mod admission;
mod announced;
mod announced_live;
mod announced_restart;
mod approvals;
mod cap;
mod edge;
mod fetching;
mod follow;
#[allow(dead_code, reason = "shared with the tests of the enforcement half")]
#[path = "../kernel/frames.rs"]
mod frames;
mod handshakes;
mod house;
#[allow(dead_code, reason = "shared with the tests of the enforcement half")]
#[path = "../kernel/lab.rs"]
mod lab;
mod learning;
mod levels;
mod live;
mod maker;
mod overrides;
mod releases;
mod restart;
mod results;
mod server;
mod site;
mod standing;
mod vectors;
mod web;
