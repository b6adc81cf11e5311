use core::fmt;

use suit::{ComponentId, Envelope, FailureKind, Procedure, Processor, Refusal};

use crate::{
    Area, Device, Installed, Running, Slot, StateError, Storage,
    contents::Stored,
    device::TRIAL_TIMEOUT,
    platform::{SlotPlatform, View},
    read_all,
};

/// How a boot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boot {
    /// This release runs; its image is to be started now.
    Release(Running),
    /// No slot holds a release the device believes: it attests and takes updates, and starts nothing.
    Recovery,
}

/// What a look at an installed release found.
pub(crate) enum Installation {
    /// It is what its author signed.
    Fit(Running),
    /// It must not run.
    Unfit(Unfit),
}

/// Why an installed release must not run.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Nothing is installed there.
    Empty,
    /// The stored manifest is not the one that was installed.
    OtherManifest,
    /// The stored manifest is not believed, by the authorities of today.
    Manifest(Refusal),
    /// The manifest's own procedure failed.
    Procedure(FailureKind),
    /// The procedure never compared a component with its digest.
    Unchecked(ComponentId),
}

impl Unfit {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "nothing-installed",
            Self::OtherManifest => "digest-mismatch",
            Self::Manifest(refusal) => refusal.code(),
            Self::Procedure(failure) => failure.code(),
            Self::Unchecked(_) => "component-unchecked",
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing is installed"),
            Self::OtherManifest => f.write_str("the stored manifest is not the one that was installed"),
            Self::Manifest(refusal) => refusal.fmt(f),
            Self::Procedure(failure) => failure.fmt(f),
            Self::Unchecked(component) => write!(f, "the manifest does not check component {component}"),
        }
    }
}

impl<S: Storage> Device<S> {
    /// Boots: the release on trial if it has a try left, else the committed one, else the other slot.
    ///
    /// What a power cut left half done is ended first. Nothing is started that was not verified just now, manifest and
    /// images. The boot is counted, and the try of a trial spent, before anything runs. `now` is in seconds since 1970,
    /// where there is a clock to trust.
    pub fn boot(&mut self, now: Option<u64>) -> Result<Boot, StateError<S::Error>> {
        (self.running, self.boot_report) = (None, None);
        self.recover(now)?;
        if self.state().trial.is_some_and(|trial| trial.boots_left == 0) {
            self.end_trial(TRIAL_TIMEOUT)?;
        }
        if let Some(trial) = self.state().trial
            && let Err(unfit) = self.bring_home(trial.slot, now)?
        {
            self.end_trial(unfit.code())?;
        }
        let authorities = self.authorities().version();
        self.state.update(&mut self.storage, |state| {
            state.note_authorities(authorities);
            state.boot_count += 1;
            if let Some(trial) = &mut state.trial {
                trial.boots_left -= 1;
            }
        })?;
        if let Some(trial) = self.state().trial {
            match self.look(trial.slot, Procedure::Invocation, now)? {
                Installation::Fit(running) => return Ok(self.run(running)),
                Installation::Unfit(unfit) => self.end_trial(unfit.code())?,
            }
        }
        // Each round starts a release, or gives one up.
        while let Some(slot) = self.committed_slot() {
            if let Err(unfit) = self.bring_home(slot, now)? {
                self.give_up(slot, &unfit)?;
                continue;
            }
            let slot = self.identity.layout.home(slot);
            match self.look(slot, Procedure::Invocation, now)? {
                Installation::Fit(running) => {
                    if slot != self.state().active {
                        self.state.update(&mut self.storage, |state| state.active = slot)?;
                    }
                    return Ok(self.run(running));
                }
                Installation::Unfit(unfit) => self.give_up(slot, &unfit)?,
            }
        }
        Ok(Boot::Recovery)
    }

    /// The slot to boot when nothing is on trial: the active one, else the other.
    fn committed_slot(&self) -> Option<Slot> {
        let active = self.state().active;
        [active, active.other()].into_iter().find(|slot| self.state().installed(*slot).is_some())
    }

    /// Brings what is in a slot to where it runs. What is not fit to run is left where it is.
    fn bring_home(
        &mut self,
        slot: Slot,
        now: Option<u64>,
    ) -> Result<Result<(), Unfit>, StateError<S::Error>> {
        if self.identity.layout.home(slot) == slot {
            return Ok(Ok(()));
        }
        match self.look(slot, Procedure::Validation, now)? {
            Installation::Fit(_) => self.exchange().map(Ok),
            Installation::Unfit(unfit) => Ok(Err(unfit)),
        }
    }

    fn run(&mut self, running: Running) -> Boot {
        self.running = Some(running.clone());
        Boot::Release(running)
    }

    /// Looks at what runs, without starting it.
    pub(crate) fn running_slot_installation(&mut self) -> Result<Installation, StateError<S::Error>> {
        match &self.running {
            Some(running) => self.look(running.slot, Procedure::Validation, None),
            None => Ok(Installation::Unfit(Unfit::Empty)),
        }
    }

    /// Verifies the manifest stored in a slot anew and runs a procedure that only reads.
    fn look(
        &mut self,
        slot: Slot,
        procedure: Procedure,
        now: Option<u64>,
    ) -> Result<Installation, StateError<S::Error>> {
        let Some(Installed { manifest, sequence, dependencies, .. }) = self.state().installed(slot).cloned()
        else {
            return Ok(Installation::Unfit(Unfit::Empty));
        };
        let stored = read_all(&self.storage, Area::Manifest(slot), suit::limits::MAX_ENVELOPE_LEN);
        let Some(stored) = stored.map_err(StateError::Storage)? else {
            return Ok(Installation::Unfit(Unfit::OtherManifest));
        };
        let verified = match Envelope::decode(&stored) {
            Ok(envelope) if envelope.manifest_digest_claimed() == manifest => {
                envelope.verify(self.authorities.list())
            }
            Ok(_) => return Ok(Installation::Unfit(Unfit::OtherManifest)),
            Err(error) => Err(error.into()),
        };
        let verified = match verified {
            Ok(verified) if verified.sequence_number() == sequence => verified,
            Ok(_) => return Ok(Installation::Unfit(Unfit::OtherManifest)),
            Err(refusal) => return Ok(Installation::Unfit(Unfit::Manifest(refusal))),
        };
        let version = verified.manifest().set_version().cloned();
        // What follows what was decided when it was installed, so here a manifest follows nothing.
        let view = View {
            identity: &self.identity,
            home: self.identity.layout.home(slot),
            authorities: self.authorities.list(),
            removal: None,
            keys: self.keys.as_ref(),
            installed: None,
            floors: &[],
            version: version.clone(),
            now,
        };
        let contents = Stored::read_only(&mut self.storage, slot);
        let mut platform = match SlotPlatform::new(view, &verified, contents) {
            Ok(platform) => platform,
            Err(fault) => {
                return Ok(Installation::Unfit(Unfit::Procedure(FailureKind::Dependency(fault))));
            }
        };
        let result = Processor::new(&verified, &mut platform).map(|mut processor| processor.run(procedure));
        if let Some(error) = platform.contents.failure.take() {
            return Err(StateError::Storage(error));
        }
        let report = match result {
            Err(refusal) => return Ok(Installation::Unfit(Unfit::Manifest(refusal))),
            Ok(Err(failure)) => return Ok(Installation::Unfit(Unfit::Procedure(failure.kind))),
            Ok(Ok(report)) => report,
        };
        // The manifests it depends on are those that were judged when it was installed.
        if !platform.set.dependencies().all(|found| dependencies.iter().any(|known| known.is(&found))) {
            return Ok(Installation::Unfit(Unfit::OtherManifest));
        }
        if let Some(component) = platform.unchecked() {
            return Ok(Installation::Unfit(Unfit::Unchecked(component)));
        }
        let start = platform.start.take();
        if procedure == Procedure::Invocation {
            self.boot_report = Some(report);
        }
        let on_trial = self.state().trial.is_some_and(|trial| trial.slot == slot);
        Ok(Installation::Fit(Running { slot, manifest, sequence, dependencies, version, on_trial, start }))
    }
}
