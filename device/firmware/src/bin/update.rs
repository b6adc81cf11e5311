//! Verifies a release, installs it into the slot that is not in use and starts it: all that a device needs of SUIT.

#![no_std]
#![no_main]

use sextant_firmware::{Failure, TwoSlots, authorities, release, tampered};
use suit::{Envelope, Installed, Procedure, Processor};

#[cortex_m_rt::entry]
fn main() -> ! {
    sextant_firmware::run(update, refuse)
}

fn update() -> Result<(), Failure> {
    let mut device = TwoSlots::take()?;
    let authorities = authorities()?;
    let envelope = Envelope::decode(release()).map_err(|_| "the envelope")?;
    let verified = envelope.verify(&authorities).map_err(|_| "the signature")?;
    let mut processor =
        Processor::new(&verified, &mut device).map_err(|_| "the manifest was not admitted")?;
    processor.run(Procedure::Update).map_err(|_| "the update")?;
    device.installed = Some(Installed {
        sequence_number: verified.sequence_number(),
        manifest_digest: Some(verified.manifest_digest()),
    });
    let mut processor = Processor::new(&verified, &mut device).map_err(|_| "the installed manifest")?;
    processor.run(Procedure::Invocation).map_err(|_| "the start")?;
    if device.started() == envelope.integrated("#app") { Ok(()) } else { Err("something else was started") }
}

/// A changed manifest and a changed payload: neither gets anywhere.
fn refuse() -> Result<(), Failure> {
    let authorities = authorities()?;
    let changed = tampered();
    let changed = Envelope::decode(&changed).map_err(|_| "the changed envelope")?;
    if changed.verify(&authorities).is_ok() { Err("a changed manifest was taken") } else { Ok(()) }
}
