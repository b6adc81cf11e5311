//! The published examples, other implementations' envelopes, and constructed cases: each held to what the index of the
//! vectors says, and some to more.

#![allow(clippy::print_stderr, reason = "what was run and passed over is said aloud")]

mod examples;
mod field;
mod fitting;
mod index;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use crypto::PublicKey;
use sextant_suit::{
    Authority, AuthorityList, AuthorityPolicy, Envelope, Procedure, Processor, Report, Role, Verified,
};
use testkit::read_vector;

use crate::support::Device;

/// Verifies a vector.
pub(crate) fn verified<'b>(folder: &Path, file: &str, bytes: &'b mut Vec<u8>) -> Verified<'b> {
    *bytes = read_vector(&folder.join(file));
    let envelope = Envelope::decode(bytes).unwrap_or_else(|e| panic!("{file}: {e}"));
    envelope.verify(&authorities(folder)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

pub(crate) fn run(
    file: &str,
    verified: &Verified<'_>,
    device: &mut Device,
    procedure: Procedure,
) -> Result<Report, String> {
    let mut processor = Processor::new(verified, device).unwrap_or_else(|e| panic!("{file}: {e}"));
    processor.run(procedure).map_err(|failure| failure.kind.code().to_owned())
}

/// The trust anchor of the drafts and the Ed25519 test key, as authors.
pub(crate) fn authorities(folder: &Path) -> AuthorityList {
    let keys = folder.join("keys");
    let author = |key: PublicKey, kid: &[u8], name| Authority::new(key, kid, name, Role::Author);
    let cose_key = |name: &str| {
        let bytes = read_vector(&keys.join(name));
        cose::Key::decode(&bytes).expect(name).public().clone()
    };
    let ed25519 =
        PublicKey::from_ed25519(&read_vector(&keys.join("ed25519_test_public.hex"))).expect("a key");
    let entries = vec![
        author(cose_key("trust_anchor_esp256_cose_key_public.cosekey.hex"), b"", "trust anchor"),
        author(ed25519, b"ed25519-test", "Ed25519"),
        author(cose_key("delegated_authority_cose_key_public.cosekey.hex"), b"", "delegated authority"),
        author(cose_key("tam_esp256_cose_key_public.cosekey.hex"), b"", "TAM"),
    ];
    AuthorityList::new(AuthorityPolicy::default(), entries).expect("a list")
}
