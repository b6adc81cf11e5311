//! FIDO Device Onboard over HTTP, on the side that asks: a device in DI, TO1 and TO2, an owner in TO0.
//!
//! The protocols are those of `fdo`; here are the socket, TLS, the session's token and the limits. It blocks: whoever asks has
//! one question at a time.
//!
//! TLS is not what the parties believe each other by. In TO1 and TO2 both sides prove themselves within the protocol, and what
//! is secret is encrypted within it, so that any certificate will do unless the caller or the rendezvous information says
//! otherwise ([`TlsPolicy`], [`fdo::Pins`]).

#![forbid(unsafe_code)]

mod client;
mod device;
mod error;
mod owner;
mod random;
mod search;
mod session;
mod tls;

// Public interface
pub use client::{Client, Limits};
pub use device::{make_device, onboard};
pub use error::{Cause, Error, HttpFault};
pub use owner::{Registered, register, register_everywhere};
pub use search::{Candidate, Finding, Search, find_owner};
pub use session::Session;
pub use tls::TlsPolicy;
