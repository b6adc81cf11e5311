//! The enforcer against a real kernel, in namespaces. Needs root; says so and passes over what it cannot do.

extern crate sextant_gateway as gateway;

mod agreement;
mod flows;
mod frames;
mod handshakes;
mod hear;
mod lab;
mod names;
mod restart;
mod rules;
mod scale;
mod servers;
mod spoofing;
mod telemetry;
mod uses;
