use alloc::vec::Vec;

use super::{
    DependencyFault, FailureKind, Platform, PlatformError,
    context::Context,
    machine::{Call, Frame, Machine, Stop},
    table::Slot,
};
use crate::{
    ComponentId, Envelope, ReportingPolicy, Section, Verified,
    labels::parameter,
    limits::{MAX_DEPENDENCY_LEN, MAX_MANIFESTS},
};

impl<'a, P: Platform> Machine<'a, P> {
    /// Whether the component with an index of the manifest that runs is a dependency.
    pub(super) fn is_dependency(&self, index: u32) -> bool {
        self.contexts.get(self.place.context).is_some_and(|context| context.dependency(index).is_some())
    }

    /// Verifies a dependency and takes its manifest in (TD, section 6.4): its signatures and the rights of its signers,
    /// its digest against the parameter, its manifest against that digest. Whatever fails ends the procedure.
    ///
    /// The result holds for the manifest that asked, until something is written over the envelope. What is then
    /// processed is the copy that was verified.
    pub(super) fn dependency_integrity(&mut self, index: u32) -> Result<(), Stop> {
        let here = self.place.context;
        let context = self.contexts.get(here).ok_or(FailureKind::NoComponent)?;
        let dependency = context.dependency(index).ok_or(FailureKind::NotADependency)?;
        let slot = dependency.slot;
        let missing = FailureKind::ParameterMissing(parameter::IMAGE_DIGEST);
        let wanted = *self.table.image_digest(slot).ok_or(missing)?;
        if let Some(checked) = dependency.checked.and_then(|number| self.contexts.get(number)) {
            let same = checked.verified.manifest_digest() == wanted;
            return if same { Ok(()) } else { Err(DependencyFault::WrongDigest.into()) };
        }
        if self.contexts.len() == MAX_MANIFESTS {
            return Err(DependencyFault::TooMany.into());
        }
        let (depth, prefix) = (context.depth + 1, self.full_prefix(here, index)?);
        let envelope = self.read_envelope(slot)?;
        let envelope =
            Envelope::decode(self.shelves.bytes.keep(envelope)).map_err(DependencyFault::Malformed)?;
        if envelope.manifest_digest_claimed() != wanted {
            return Err(DependencyFault::WrongDigest.into());
        }
        let authorities = self.platform.authorities();
        let authorities = authorities.ok_or(DependencyFault::Unsupported(crate::Feature::Dependencies))?;
        let verified = envelope.verify_dependency(authorities, prefix).map_err(DependencyFault::from)?;
        let verified = self.shelves.manifests.keep(verified);
        self.take_in(verified, index, depth, prefix)
    }

    /// Adds a verified dependency to the manifests in process, if the device and its dependent can process it.
    fn take_in(
        &mut self,
        verified: &'a Verified<'a>,
        index: u32,
        depth: usize,
        prefix: Option<&'a ComponentId>,
    ) -> Result<(), Stop> {
        let here = self.place.context;
        if let Some(feature) = self.platform.abilities().missing(verified.manifest()) {
            return Err(DependencyFault::Unsupported(feature).into());
        }
        let new =
            Context::new(verified, Some((here, index)), depth, prefix, &mut self.table, self.shelves.names)?;
        for slot in new.slots() {
            if self.table.component(slot).is_some_and(|id| !self.platform.has_component(id)) {
                return Err(DependencyFault::UnknownComponent.into());
            }
        }
        // TD, section 5.1: the dependent has every section that its dependency has, and none of them went by.
        let context = self.contexts.get(here).ok_or(FailureKind::NoComponent)?;
        for section in self.place.procedure.sections() {
            if *section == Section::Uninstall || verified.manifest().section(*section).is_none() {
                continue;
            }
            if context.manifest().section(*section).is_none() {
                return Err(DependencyFault::SectionMissing(*section).into());
            }
            if context.passed.contains(*section) {
                return Err(DependencyFault::NotProcessed(*section).into());
            }
        }
        let place = self.slot(index).and_then(|slot| self.component(slot))?;
        self.platform.admit(verified, place, prefix)?;
        let number = self.contexts.len();
        self.contexts.push(new);
        if let Some(dependency) =
            self.contexts.get_mut(here).and_then(|context| context.dependency_mut(index))
        {
            dependency.checked = Some(number);
        }
        Ok(())
    }

    /// What goes before the component identifiers of a dependency: the prefixes of all manifests above it.
    fn full_prefix(&self, context: usize, index: u32) -> Result<Option<&'a ComponentId>, Stop> {
        let mut prefix: Option<&'a ComponentId> = None;
        let mut at = Some((context, index));
        while let Some((number, index)) = at {
            let Some(context) = self.contexts.get(number) else { break };
            prefix = match (context.manifest().common().prefix(index), prefix) {
                (Some(outer), Some(inner)) => {
                    let joined = inner
                        .prefixed(outer)
                        .ok_or_else(|| Stop::from(DependencyFault::TooManyComponents))?;
                    Some(self.shelves.names.keep(joined))
                }
                (outer, inner) => outer.or(inner),
            };
            at = context.parent;
        }
        Ok(prefix)
    }

    /// Reads the envelope of a dependency into memory.
    pub(super) fn read_envelope(&mut self, slot: Slot) -> Result<Vec<u8>, Stop> {
        let component = self.component(slot)?;
        let size = self.platform.size(component)?.ok_or(DependencyFault::Missing)?;
        if size > MAX_DEPENDENCY_LEN {
            return Err(DependencyFault::TooLarge.into());
        }
        let mut bytes = alloc::vec![0; usize::try_from(size).map_err(|_| DependencyFault::TooLarge)?];
        let mut filled = 0;
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            let count = self.platform.read(component, filled as u64, room)?;
            if count == 0 || count > room.len() {
                return Err(PlatformError::Io.into());
            }
            filled += count;
        }
        Ok(bytes)
    }

    /// Runs the section of a dependency that runs in its dependent (TD, section 6.2). True when there is nothing to run.
    pub(super) fn process_dependency(&mut self, index: u32, policy: ReportingPolicy) -> Result<bool, Stop> {
        if !self.is_dependency(index) {
            // Where the component is "true", the command is about all dependencies and nothing else.
            return if self.place.all { Ok(true) } else { Err(FailureKind::NotADependency.into()) };
        }
        let section = self.place.section;
        self.call(index, section, policy, false)
    }

    /// Gives up the reference that this manifest has to a component (TD, section 6.5). The last one to a dependency has
    /// its uninstall section run before, so that a loss of power in it has it run again. True when that is all.
    pub(super) fn unlink(&mut self, index: u32, policy: ReportingPolicy) -> Result<bool, Stop> {
        let component = self.slot(index).and_then(|slot| self.component(slot))?;
        let holder = self.holder()?;
        let references = self.platform.references(component, &holder);
        if !references.own {
            // Given up before; what others hold is theirs.
            return Ok(true);
        }
        if references.others == 0
            && self.is_dependency(index)
            && !self.call(index, Section::Uninstall, policy, true)?
        {
            return Ok(false);
        }
        self.platform.unlink(component, &holder)?;
        Ok(true)
    }

    /// Begins a section of a dependency whose integrity was checked. True when it does not have the section.
    fn call(
        &mut self,
        index: u32,
        section: Section,
        policy: ReportingPolicy,
        unlink: bool,
    ) -> Result<bool, Stop> {
        let caller = self.place;
        let checked =
            self.contexts.get(caller.context).and_then(|context| context.dependency(index)?.checked);
        let checked = checked.ok_or(DependencyFault::NotChecked)?;
        let has = self.contexts.get(checked).is_some_and(|one| one.manifest().section(section).is_some());
        if !has {
            return Ok(true);
        }
        self.stack.push(Frame::Dependency(Call { caller, policy, unlink }));
        self.begin_section(checked, section)?;
        Ok(false)
    }

    /// Goes on in the dependent after a section of its dependency.
    pub(super) fn end_dependency(&mut self, call: Call) -> Result<(), Stop> {
        let Call { caller, policy, unlink } = call;
        let section = self.place.section;
        self.end_section(self.place.context, section)?;
        self.place = caller;
        let context = self.contexts.get_mut(caller.context);
        if let Some(dependency) = context.and_then(|context| context.dependency_mut(caller.index)) {
            dependency.processed.insert(section);
        }
        if unlink {
            let component = self.slot(caller.index).and_then(|slot| self.component(slot))?;
            let holder = self.holder()?;
            self.platform.unlink(component, &holder)?;
        }
        self.log_record(policy, &None, true);
        Ok(())
    }

    /// Who holds references: the manifest that runs.
    pub(super) fn holder(&self) -> Result<crypto::Digest, Stop> {
        let context = self.contexts.get(self.place.context).ok_or(FailureKind::NoComponent)?;
        Ok(context.verified.manifest_digest())
    }

    /// Forgets what was found out about a dependency, in every manifest, when its envelope changes.
    pub(super) fn forget_checked(&mut self, slot: Slot) {
        for context in &mut self.contexts {
            for dependency in &mut context.dependencies {
                if dependency.slot == slot {
                    dependency.checked = None;
                }
            }
        }
    }

    /// Whether every dependency of every manifest was checked, so that what runs is one set and nothing was put in
    /// its place that is good by itself (TD, section 5.1).
    pub(super) fn check_set(&mut self) -> Result<(), Stop> {
        if self.contexts.first().is_some_and(|root| root.dependencies.is_empty()) {
            return Ok(());
        }
        for number in self.set() {
            let Some(context) = self.contexts.get(number) else { continue };
            let unchecked = context.dependencies.iter().find(|dependency| dependency.checked.is_none());
            if let Some(unchecked) = unchecked {
                // The record is of how far the root came.
                if number == self.place.context {
                    self.place.index = unchecked.index;
                }
                return Err(DependencyFault::NotChecked.into());
            }
        }
        Ok(())
    }

    /// Notes every manifest of the set as one that refers to its components.
    pub(super) fn link_set(&mut self) -> Result<(), Stop> {
        for number in self.set() {
            let Some(context) = self.contexts.get(number) else { continue };
            let holder = context.verified.manifest_digest();
            for slot in context.slots() {
                if let Some(component) = self.table.component(slot) {
                    self.platform.link(component, &holder)?;
                }
            }
        }
        Ok(())
    }

    /// The manifests that the root leads to.
    fn set(&self) -> Vec<usize> {
        let mut set = alloc::vec![0];
        let mut at = 0;
        while let Some(number) = set.get(at) {
            if let Some(context) = self.contexts.get(*number) {
                for dependency in &context.dependencies {
                    set.extend(dependency.checked);
                }
            }
            at += 1;
        }
        set
    }
}
