use super::{
    FailureKind, Platform, PlatformError, Progress,
    machine::{Machine, Stop, report},
    storing::Bounds,
    table::Slot,
};
use crate::{ComponentId, Directive, FileType, Outcome, Reason, ReportingPolicy, labels::parameter};

/// Number of the root manifest.
const ROOT: usize = 0;

impl<'a, P: Platform> Machine<'a, P> {
    /// Runs a directive for the current component (MAN, section 8.4.10; UM; TD). Any failure stops the procedure. False
    /// when it only began, and ends with a section of a dependency.
    pub(super) fn directive(&mut self, directive: Directive, policy: ReportingPolicy) -> Result<bool, Stop> {
        let index = self.place.index;
        match directive {
            Directive::ProcessDependency => return self.process_dependency(index, policy),
            Directive::Unlink => return self.unlink(index, policy),
            Directive::Wait => return self.wait(index).map(|()| true),
            _ => {}
        }
        let slot = self.slot(index)?;
        let component = self.component(slot)?;
        if directive == Directive::Invoke {
            self.announce(component)?;
            self.platform.invoke(component, self.table.invoke_args(slot))?;
            return Ok(true);
        }
        self.check_unreferenced(component)?;
        self.checkpoint(component)?;
        // Whatever becomes of the write, what was checked is not what is there.
        self.forget_checked(slot);
        match directive {
            Directive::Write => self.write(slot, component)?,
            Directive::Fetch => self.fetch(slot, component)?,
            Directive::Copy => self.copy(slot, component)?,
            _ => self.swap(slot, component)?,
        }
        Ok(true)
    }

    /// A component that other manifests refer to is not altered (TD, section 6.5). The manifest that runs may do so
    /// again with its own, as after a loss of power.
    fn check_unreferenced(&self, component: &ComponentId) -> Result<(), Stop> {
        if self.platform.abilities().references
            && self.platform.references(component, &self.holder()?).others > 0
        {
            return Err(FailureKind::Referenced.into());
        }
        Ok(())
    }

    /// Gives out the report up to here, since there may be no other one.
    fn announce(&mut self, component: &ComponentId) -> Result<(), Stop> {
        let (root, entries, record) = (self.root, &self.entries, self.record(None));
        let reason = Reason::InvokePending;
        let outcome = Outcome::Failure { code: reason.code(), reason, record };
        let report = || report(root, entries.clone(), outcome);
        Ok(self.platform.about_to_invoke(component, report)?)
    }

    fn checkpoint(&mut self, component: &ComponentId) -> Result<(), Stop> {
        let progress = Progress {
            manifest_digest: self.holder()?,
            procedure: self.place.procedure,
            section: self.place.section,
            offset: self.place.offset,
            index: self.place.index,
            component,
        };
        Ok(self.platform.checkpoint(&progress)?)
    }

    fn write(&mut self, slot: Slot, component: &ComponentId) -> Result<(), Stop> {
        let missing = FailureKind::ParameterMissing(parameter::CONTENT);
        let content = self.table.content(slot).ok_or(missing)?;
        self.check_file(slot, content)?;
        // The manifest vouches for the content itself; image size and digest may be those of something else.
        let bounds = Bounds { expected: None, limit: self.platform.capacity(component) };
        let decryptor = self.decryptor(slot)?;
        self.store_bytes(slot, component, content, bounds, decryptor)
    }

    /// A directory is written without content; a link leads to a component that the same manifest names, so that its
    /// signer has the right to both ends (UM, section 4.2.5).
    fn check_file(&self, slot: Slot, content: &[u8]) -> Result<(), Stop> {
        let fits = match self.table.metadata(slot).map(|metadata| metadata.file_type) {
            None | Some(FileType::Regular) => true,
            Some(FileType::Directory) => content.is_empty(),
            Some(FileType::SymbolicLink) => {
                let target = content.strip_prefix(b"/").unwrap_or(content);
                let is_target = |other: Slot| {
                    let component = self.table.component(other).filter(|_| other != slot);
                    component.is_some_and(|id| id.segments().eq(target.split(|byte| *byte == b'/')))
                };
                self.contexts.get(self.place.context).is_some_and(|context| context.slots().any(is_target))
            }
        };
        if fits { Ok(()) } else { Err(FailureKind::BadFile.into()) }
    }

    /// What comes from elsewhere becomes a regular file and nothing else.
    fn check_regular(&self, slot: Slot) -> Result<(), Stop> {
        match self.table.metadata(slot).map(|metadata| metadata.file_type) {
            None | Some(FileType::Regular) => Ok(()),
            Some(_) => Err(FailureKind::BadFile.into()),
        }
    }

    fn fetch(&mut self, slot: Slot, component: &ComponentId) -> Result<(), Stop> {
        let missing = FailureKind::ParameterMissing(parameter::URI);
        let (uri, origin) = self.table.uri(slot).ok_or(missing)?;
        self.check_regular(slot)?;
        if self.already_holds(slot, component)? {
            return Ok(());
        }
        // The envelope of whoever set the URI comes first, then that of the manifest that runs.
        let envelopes = [origin, self.place.context].into_iter();
        let mut envelopes =
            envelopes.filter_map(|number| Some(self.contexts.get(number)?.verified.envelope()));
        if let Some(payload) = envelopes.find_map(|envelope| envelope.integrated(uri)) {
            let bounds = self.bounds(slot, component)?;
            return self.store_bytes(slot, component, payload, bounds, None);
        }
        // The payloads of the root may have been left where its envelope came from.
        let left =
            [origin, self.place.context].contains(&ROOT).then(|| self.platform.integrated(uri)).flatten();
        // A reference into the envelope means nothing anywhere else.
        if left.is_none() && uri.starts_with('#') {
            return Err(FailureKind::PayloadMissing.into());
        }
        let bounds = self.bounds(slot, component)?;
        if let Some(size) = left {
            bounds.check_coming(size, false)?;
        }
        if self.resume(slot, component, uri, bounds)? {
            return Ok(());
        }
        let arguments = self.table.fetch_arguments(slot);
        let mut source = self.platform.open(uri, arguments)?;
        // What is fetched is kept as it comes; writing and copying decrypt (ENC, section 4).
        self.store(slot, component, bounds, None, |this, _, room| {
            let room = room.min(this.buffer.len());
            let buffer = this.buffer.get_mut(..room).unwrap_or_default();
            this.platform.receive(&mut source, buffer)
        })
    }

    fn copy(&mut self, slot: Slot, component: &ComponentId) -> Result<(), Stop> {
        let (_, source) = self.source_component(slot)?;
        self.check_regular(slot)?;
        let size = self.platform.size(source)?.ok_or(PlatformError::NotFound)?;
        let bounds = self.bounds(slot, component)?;
        let decryptor = self.decryptor(slot)?;
        bounds.check_coming(size, decryptor.is_some())?;
        self.store(slot, component, bounds, decryptor, |this, offset, room| {
            let left = size.saturating_sub(offset);
            let room = room.min(this.buffer.len()).min(usize::try_from(left).unwrap_or(usize::MAX));
            if room == 0 {
                return Ok(0);
            }
            let buffer = this.buffer.get_mut(..room).unwrap_or_default();
            this.platform.read(source, offset, buffer)
        })
    }

    fn swap(&mut self, slot: Slot, component: &ComponentId) -> Result<(), Stop> {
        let (other_slot, other) = self.source_component(slot)?;
        self.check_unreferenced(other)?;
        self.forget_checked(other_slot);
        Ok(self.platform.swap(component, other)?)
    }

    /// The component that the source parameter means in the manifest that set it.
    fn source_component(&self, slot: Slot) -> Result<(Slot, &'a ComponentId), Stop> {
        let missing = FailureKind::ParameterMissing(parameter::SOURCE_COMPONENT);
        let (index, origin) = self.table.source_component(slot).ok_or(missing)?;
        let source = self.slot_of(origin, index)?;
        Ok((source, self.component(source)?))
    }
}
