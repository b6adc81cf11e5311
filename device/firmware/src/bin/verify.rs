//! Decodes an envelope and verifies it against a list of one author: what a bootloader needs of SUIT.

#![no_std]
#![no_main]

use sextant_firmware::{Failure, authorities, release, tampered};
use suit::{Envelope, Refusal};

#[cortex_m_rt::entry]
fn main() -> ! {
    sextant_firmware::run(verify, refuse)
}

fn verify() -> Result<(), Failure> {
    match check(release()) {
        Ok(1) => Ok(()),
        Ok(_) => Err("the sequence number is another"),
        Err(_) => Err("the release was refused"),
    }
}

fn refuse() -> Result<(), Failure> {
    match check(&tampered()) {
        Err(Refusal::DigestMismatch { .. }) => Ok(()),
        _ => Err("a changed release was taken"),
    }
}

/// The sequence number of an envelope that is believed.
fn check(envelope: &[u8]) -> Result<u64, Refusal> {
    let authorities = authorities().map_err(|_| Refusal::Unsigned)?;
    let verified = Envelope::decode(envelope)?.verify(&authorities)?;
    Ok(verified.sequence_number())
}
