use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Failure, Platform, Procedure, arena::Arena, machine::Machine};
use crate::{ComponentId, Refusal, Report, Verified};

/// Runs procedures of one verified manifest, and of those it depends on, on one platform (MAN, section 6; TD).
///
/// Commands run in order and on an explicit stack of bounded height. Any of them may be cut short by a loss of power:
/// the procedure is run again from its start, and nothing counts as installed before its end. Memory is bounded: see
/// [the crate](crate#memory).
pub struct Processor<'m, 'b, P> {
    verified: &'m Verified<'b>,
    platform: &'m mut P,
    buffer: Vec<u8>,
}

impl<'m, 'b, P: Platform> Processor<'m, 'b, P> {
    /// A processor for a manifest that may follow the installed one, needs nothing that the device lacks, and names no
    /// component it does not have.
    pub fn new(verified: &'m Verified<'b>, platform: &'m mut P) -> Result<Self, Refusal> {
        let manifest = verified.manifest();
        verified.admit(platform.installed(manifest.component_id()).as_ref())?;
        if let Some(feature) = platform.abilities().missing(manifest) {
            return Err(Refusal::UnsupportedByDevice { feature });
        }
        let common = manifest.common();
        for index in common.all_indices() {
            if let Some(component) = common.place(index)
                && !platform.has_component(component)
            {
                return Err(Refusal::UnknownComponent { component: component.clone() });
            }
        }
        Ok(Self { verified, platform, buffer: Vec::new() })
    }

    /// Runs a procedure from its first section to its last. Parameters last for one procedure.
    ///
    /// After an update has succeeded, and not before, the caller stores its sequence number and manifest digest
    /// durably as what [`Platform::installed`] gives, and the manifest's set-version as that of what it installs.
    pub fn run(&mut self, procedure: Procedure) -> Result<Report, Failure> {
        // What dependencies bring lives for one procedure, and so does all that was found out about them.
        let (bytes, manifests, names) = (Arena::new(), Arena::new(), Arena::new());
        let shelves = Shelves { bytes: &bytes, manifests: &manifests, names: &names };
        let mut machine = Machine::new(self.verified, self.platform, &mut self.buffer, shelves, procedure);
        match machine.run(procedure) {
            Ok(()) => Ok(machine.success()),
            Err(stop) => {
                let kind = stop.0.kind;
                Err(Failure { kind, report: Box::new(machine.failure(stop)) })
            }
        }
    }
}

/// Where what comes while a procedure runs is kept: bytes of envelopes, their manifests, and identifiers with prefixes.
#[derive(Clone, Copy)]
pub(super) struct Shelves<'a> {
    pub(super) bytes: &'a Arena<Vec<u8>>,
    pub(super) manifests: &'a Arena<Verified<'a>>,
    pub(super) names: &'a Arena<ComponentId>,
}
