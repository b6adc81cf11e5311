//! Authenticates an envelope against a list of one author, and reads nothing of its manifest: whether the author signed it,
//! and whether it is the manifest that was signed.

#![no_std]
#![no_main]

use sextant_firmware::{Failure, authorities, others, release, tampered};
use suit::{AuthorityList, Envelope, Refusal, Role};

#[cortex_m_rt::entry]
fn main() -> ! {
    sextant_firmware::run(verify, refuse)
}

fn verify() -> Result<(), Failure> {
    match check(release(), &authorities()?) {
        Ok(1) => Ok(()),
        Ok(_) => Err("another number of authors signed"),
        Err(_) => Err("the release was refused"),
    }
}

fn refuse() -> Result<(), Failure> {
    match check(&tampered(), &authorities()?) {
        Err(Refusal::DigestMismatch { .. }) => {}
        _ => return Err("a changed release was taken"),
    }
    match check(release(), &others()?) {
        Err(Refusal::UnknownSigner { .. }) => Ok(()),
        _ => Err("a release by somebody else was taken"),
    }
}

/// How many authors signed the manifest of an envelope.
fn check(envelope: &[u8], authorities: &AuthorityList) -> Result<u8, Refusal> {
    let envelope = Envelope::decode(envelope)?;
    let authentic = envelope.authenticate(authorities)?;
    Ok(authentic.signatures_by(Role::Author))
}
