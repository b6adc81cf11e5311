//! From an envelope to a release that runs.

use suit::{Envelope, Installed, Procedure, Processor};

use crate::{Dependencies, Failure, TwoSlots, authorities, release, tampered};

/// Verifies the release, installs it into the slot that is not in use, and starts it.
pub fn update(dependencies: impl Dependencies) -> Result<(), Failure> {
    let mut device = TwoSlots::take(dependencies)?;
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
    match (device.started(), envelope.integrated("#app")) {
        (Some(started), Some(payload)) if started == payload => Ok(()),
        _ => Err("the release was not started"),
    }
}

/// A changed manifest gets nowhere.
pub fn refuse_tampered() -> Result<(), Failure> {
    let authorities = authorities()?;
    let changed = tampered();
    let changed = Envelope::decode(&changed).map_err(|_| "the changed envelope")?;
    match changed.verify(&authorities) {
        Err(suit::Refusal::DigestMismatch { .. }) => Ok(()),
        _ => Err("a changed manifest was taken"),
    }
}
