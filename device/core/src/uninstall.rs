use crypto::Digest;
use suit::{Envelope, Procedure, Processor, limits::MAX_ENVELOPE_LEN};

use crate::{
    Area, Device, Fault, InstallError, Journal, Slot, StateError, Storage,
    contents::Stored,
    platform::{Removal, SlotPlatform, View},
    read_all,
};

impl<S: Storage> Device<S> {
    /// Removes a release wherever it is installed: runs its uninstall section (TD, section 6.6), and those of manifests it
    /// depends on that nothing else refers to, gives up its references and empties its slot. What ran goes on until the
    /// next boot, which is of the other release if there is one.
    ///
    /// Sequence numbers stay: nothing older may come in its place. Once begun it is ended, by a boot if the power fails.
    pub fn uninstall(&mut self, manifest: &Digest, now: Option<u64>) -> Result<(), InstallError<S::Error>> {
        self.recover(now)?;
        let holds = |slot: &Slot, state: &crate::BootState| {
            state.installed(*slot).is_some_and(|installed| installed.manifest == *manifest)
        };
        if !Slot::ALL.iter().any(|slot| holds(slot, self.state())) {
            return Err(Fault::NotInstalled.into());
        }
        for slot in Slot::ALL {
            if holds(&slot, self.state()) {
                let journal = Some(Journal::Uninstalling { slot });
                self.state.update(&mut self.storage, |state| state.journal = journal)?;
                self.remove(slot, now)?;
            }
        }
        Ok(())
    }

    /// Ends the removal of what is in a slot.
    fn remove(&mut self, slot: Slot, now: Option<u64>) -> Result<(), InstallError<S::Error>> {
        if self.state().installed(slot).is_some() {
            if let Err(fault) = self.run_uninstall(slot, now)? {
                // Its author says that it must not go now.
                self.state.update(&mut self.storage, |state| state.journal = None)?;
                return Err(fault.into());
            }
            self.state.update(&mut self.storage, |state| {
                state.clear(slot);
                if state.trial.is_some_and(|trial| trial.slot == slot) {
                    state.trial = None;
                }
                if state.active == slot && state.installed(slot.other()).is_some() {
                    state.active = slot.other();
                }
            })?;
        }
        let images = self.identity.numbers().map(|number| Area::Image(slot, number));
        let manifests = self.identity.manifest_numbers().map(|number| Area::Dependency(slot, number));
        for area in images.chain(manifests).chain([Area::Manifest(slot)]) {
            self.storage.erase(area).map_err(StateError::Storage)?;
            self.storage.sync(area).map_err(StateError::Storage)?;
        }
        Ok(self.state.update(&mut self.storage, |state| state.journal = None)?)
    }

    /// Runs the uninstall section of the release in a slot; a release that is not believed any more has none.
    fn run_uninstall(
        &mut self,
        slot: Slot,
        now: Option<u64>,
    ) -> Result<Result<(), Fault>, StateError<S::Error>> {
        let state = self.state.state();
        let Some(installed) = state.installed(slot) else { return Ok(Ok(())) };
        let stored = read_all(&self.storage, Area::Manifest(slot), MAX_ENVELOPE_LEN);
        let stored = stored.map_err(StateError::Storage)?.unwrap_or_default();
        let envelope = Envelope::decode(&stored).ok();
        let envelope = envelope.filter(|envelope| envelope.manifest_digest_claimed() == installed.manifest);
        let Some(verified) = envelope.and_then(|envelope| envelope.verify(self.authorities.list()).ok())
        else {
            return Ok(Ok(()));
        };
        let view = View {
            identity: &self.identity,
            home: self.identity.layout.home(slot),
            authorities: self.authorities.list(),
            removal: Some(Removal { installed, other: state.installed(slot.other()) }),
            keys: None,
            installed: None,
            floors: &[],
            version: verified.manifest().set_version().cloned(),
            now,
        };
        let contents = Stored::read_only(&mut self.storage, slot);
        // What lies in no place that it may lie in has nothing to give up.
        let Ok(mut platform) = SlotPlatform::new(view, &verified, contents) else { return Ok(Ok(())) };
        let result = match Processor::new(&verified, &mut platform) {
            Ok(mut processor) => processor.run(Procedure::Uninstallation),
            Err(refusal) => return Ok(Err(Fault::Manifest(refusal))),
        };
        if let Some(error) = platform.contents.failure.take() {
            return Err(StateError::Storage(error));
        }
        Ok(match result {
            Ok(report) => {
                self.report = Some(report);
                Ok(())
            }
            Err(failure) => {
                self.report = Some(*failure.report);
                Err(Fault::Procedure(failure.kind))
            }
        })
    }

    /// Ends what the power cut short, before anything else is done.
    pub(crate) fn recover(&mut self, now: Option<u64>) -> Result<(), StateError<S::Error>> {
        match self.state().journal {
            Some(Journal::Swapping { .. }) => self.exchange(),
            Some(Journal::Uninstalling { slot }) => match self.remove(slot, now) {
                Err(InstallError::Device(error)) => Err(error),
                // It stays, and the journal says so.
                _ => Ok(()),
            },
            Some(Journal::Installing { .. }) | None => Ok(()),
        }
    }
}
