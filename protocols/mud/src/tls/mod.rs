//! TLS and DTLS as a gateway sees them (RFC 9761): the first message of a client, and whether it keeps to a profile.
//!
//! [`TlsStart`] takes the bytes of a TCP stream and [`DtlsStart`] the datagrams of a UDP flow until the ClientHello is
//! whole; [`judge`] compares it with the profiles of an entry. Nothing is decrypted and no certificate is looked at: what
//! a profile says about trust anchors ([`crate::TlsProfile::accept_list_ta_certs`]) shows in no ClientHello.

mod client_hello;
mod dtls;
mod judge;
mod labels;
mod reader;
mod stream;

pub use client_hello::{ClientHello, EncryptedClientHello, HelloFault, Transport};
pub use dtls::DtlsStart;
pub use judge::{NameCheck, TlsVerdict, Violation, judge};
pub use stream::{FlowFault, MAX_CLIENT_HELLO_BYTES, Progress, TlsStart};

#[cfg(test)]
mod tests;
