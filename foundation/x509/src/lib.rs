//! Certificates, chains, certification requests and detached CMS signatures (RFC 5280, RFC 2986, RFC 5652, RFC 8520
//! sections 11 and 13).
//!
//! It reads a certificate, finds the chain from it to an anchor that an operator chose, verifies and makes requests for
//! certificates, issues them, and verifies and makes the detached signatures of MUD files. Everything signed is verified over the bytes received: the structures are walked
//! over the primitives of `der`, and never written again from parsed values.
//!
//! It is not the web PKI: no host names are matched, no name constraints or policies are processed (a chain that
//! needs them is refused), and revocation is the operator's removal of an anchor. It holds no clock: the time is a
//! parameter, in seconds since 1970.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod builder;
mod certificate;
mod chain;
pub mod cms;
mod error;
mod extensions;
mod name;
mod oids;
pub mod pem;
mod reader;
mod request;
mod writer;

#[cfg(test)]
mod tests;

// Public interface
pub use builder::CertificateBuilder;
pub use certificate::{
    Certificate, Extension, MAX_CERTIFICATE_LEN, MAX_EXTENSIONS, MAX_SERIAL_LEN, Validity,
};
pub use chain::{MAX_CHAIN_LEN, MAX_SIGNATURE_CHECKS, VerifiedChain, verify_chain};
pub use der::asn1::ObjectIdentifier;
pub use error::{Distrust, Error, Feature, Malformed, Misuse};
pub use extensions::{AltName, BasicConstraints, KeyUsage};
pub use name::{AttributeType, Name};
pub use oids::KP_CLIENT_AUTH;
pub use request::{
    CertificationRequest, CertificationRequestBuilder, MAX_REQUEST_ATTRIBUTES, MAX_REQUEST_LEN,
    MAX_REQUEST_PEM_LEN, VerifiedRequest,
};
