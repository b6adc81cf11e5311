//! The server: verifier, update API, and the API and pages of people, gateways and programs, over one TLS listener.
//!
//! It relays signed objects and signs one kind itself, attestation results. It holds no key that could sign a release, an
//! override or a network policy: whoever steals it can neither install code nor widen the network.
//!
//! Layers: `http` reads and writes requests, `app` decides, the crate `store` remembers, `reconcile` makes true by itself
//! what time and events demand, `pages` lays out what people see.

#![forbid(unsafe_code)]

mod app;
mod clock;
mod config;
mod error;
mod http;
mod keys;
#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the parts of pages are one kit; not each is in use yet"
)]
mod pages;
mod reconcile;
mod serve;
mod server;
mod tls;

// Public interface
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{Config, OnboardingConfig, Role};
pub use error::Error;
pub use server::Server;
