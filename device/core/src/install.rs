use alloc::{boxed::Box, vec::Vec};

use crypto::{Digest, HashAlgorithm};
use suit::{
    DependencyFault, Envelope, EnvelopeIndex, Failure, FailureKind, PlatformError, Procedure, Processor,
    Report, Verified, limits::MAX_ENVELOPE_LEN,
};

use crate::{
    Area, Device, Fault, Installed, Journal, Slot, StateError, Storage, Transport, Trial,
    contents::{Fetched, Slots, Stored},
    device::TRIAL_BOOTS,
    platform::{SlotPlatform, View},
    read_all,
    rehearsal::Rehearsed,
    set::Set,
    transport::InMemory,
};

/// Why a release was not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstallError<E> {
    /// The device will not have it.
    Refused(Fault),
    /// A payload did not come to its end, for this reason. What came is kept, and the same installation goes on there.
    Interrupted(PlatformError),
    /// The device could not; the release may be good.
    Device(StateError<E>),
}

impl<E> From<StateError<E>> for InstallError<E> {
    fn from(error: StateError<E>) -> Self {
        Self::Device(error)
    }
}

impl<E> From<Fault> for InstallError<E> {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

/// A release that lies elsewhere, as far as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'o> {
    /// Its head, and where its payloads are.
    pub index: &'o EnvelopeIndex,
    /// SHA-256 that whoever offers it says of the whole envelope. It tells envelopes apart, and proves nothing.
    pub envelope: Digest,
    /// The manifest digest it was offered under, if it was.
    pub manifest: Option<Digest>,
}

/// What came of an attempt, beside the result.
enum Attempt<E> {
    /// The processor has its own report.
    Reported(InstallError<E>, Box<Report>),
    /// It was not asked, or the reason is not its own.
    Unreported(InstallError<E>),
}

impl<E, F: Into<InstallError<E>>> From<F> for Attempt<E> {
    fn from(error: F) -> Self {
        Self::Unreported(error.into())
    }
}

impl<S: Storage> Device<S> {
    /// Installs a release that is at hand, as [`Device::install_from`] installs one that is elsewhere.
    pub fn install(
        &mut self,
        envelope: &[u8],
        offered: Option<Digest>,
        now: Option<u64>,
    ) -> Result<Digest, InstallError<S::Error>> {
        let name = Digest::of(HashAlgorithm::Sha256, envelope);
        match EnvelopeIndex::of(envelope) {
            Ok(index) => {
                let release = Offered { index: &index, envelope: name, manifest: offered };
                self.install_from(&release, &mut InMemory::new(envelope), now)
            }
            Err(error) => {
                let attempt = Fault::Manifest(error.into()).into();
                self.conclude(Err(attempt), offered, name)
            }
        }
    }

    /// Installs a release into the slot that does not run, and puts it on trial: the next boot is of it.
    ///
    /// Before the first write, and before any payload is asked for, the whole procedure is rehearsed: signatures, scope,
    /// sequence number, vendor and class, sizes, and everything else that is not the bytes of payloads; of those only the
    /// manifests that the release depends on are fetched for it. Payloads then go
    /// from the transport into the slot in pieces, and are never in memory. A power cut at any moment leaves the running
    /// release as it was, and what came is gone on from: read back, hashed, and given up if it leads to another image.
    /// A release that is refused is remembered. [`Device::report`] tells how it went.
    ///
    /// Memory: the head of the envelope, the envelopes of dependencies twice (128 KiB at most), what a SUIT processor holds
    /// ([`suit`]), 4 KiB to hash with.
    pub fn install_from<T: Transport>(
        &mut self,
        release: &Offered<'_>,
        transport: &mut T,
        now: Option<u64>,
    ) -> Result<Digest, InstallError<S::Error>> {
        let decoded = Envelope::decode(release.index.head());
        let claimed = decoded.as_ref().ok().map(Envelope::manifest_digest_claimed);
        let result = match decoded {
            Ok(envelope) => self.install_decoded(&envelope, release, transport, now),
            Err(error) => Err(Fault::Manifest(error.into()).into()),
        };
        self.conclude(result, release.manifest.or(claimed), release.envelope)
    }

    /// Remembers that what is offered is no envelope, which was found before there was anything to install.
    pub fn refuse(&mut self, offer: &crate::Offer, error: &suit::Error) -> Result<(), StateError<S::Error>> {
        let attempt = Fault::Manifest((*error).into()).into();
        match self.conclude(Err(attempt), Some(offer.manifest), offer.envelope) {
            Err(InstallError::Device(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes down what came of an attempt: a refusal in the record, and the report.
    fn conclude(
        &mut self,
        result: Result<(Digest, Report), Attempt<S::Error>>,
        manifest: Option<Digest>,
        envelope: Digest,
    ) -> Result<Digest, InstallError<S::Error>> {
        let (error, report) = match result {
            Ok((digest, report)) => {
                self.report = Some(report);
                return Ok(digest);
            }
            Err(Attempt::Reported(error, report)) => (error, Some(*report)),
            Err(Attempt::Unreported(error)) => (error, None),
        };
        self.report = report.or_else(|| Some(crate::reporting::failed(manifest?, &error)));
        if let (InstallError::Refused(fault), Some(manifest)) = (&error, manifest)
            && fault.is_to_be_remembered()
        {
            let (code, bars) = (fault.code(), fault.bars(envelope));
            self.state.update(&mut self.storage, |state| {
                state.refuse(manifest, code, bars);
                // Nothing of it is worth going on from.
                if matches!(state.journal, Some(Journal::Installing { manifest: begun, .. }) if begun == manifest)
                {
                    state.journal = None;
                }
            })?;
        }
        Err(error)
    }

    fn install_decoded<T: Transport>(
        &mut self,
        envelope: &Envelope<'_>,
        release: &Offered<'_>,
        transport: &mut T,
        now: Option<u64>,
    ) -> Result<(Digest, Report), Attempt<S::Error>> {
        let manifest = envelope.manifest_digest_claimed();
        self.recover(now)?;
        if self.state().trial.is_some() {
            return Err(Fault::OnTrial.into());
        }
        if release.manifest.is_some_and(|offered| offered != manifest) {
            return Err(Fault::NotTheOffered.into());
        }
        if self.state().barred(&manifest, &release.envelope).is_some() {
            return Err(Fault::FailedBefore.into());
        }
        let verified = envelope.verify(self.authorities.list()).map_err(Fault::Manifest)?;
        let targets = verified.targets();
        if !(targets.vendor_checked && targets.class_checked) {
            return Err(Fault::UnboundToClass.into());
        }
        if release.index.head().len() > MAX_ENVELOPE_LEN {
            return Err(Fault::ManifestTooLarge.into());
        }
        let slot = self.running_slot().other();
        let fetched = self.rehearse(&verified, release.index, transport, slot, now)?;
        self.prepare(slot, manifest, release.index.head())?;
        let (report, set) = self.write(&verified, release.index, transport, fetched, slot, now)?;
        let installed = Installed {
            manifest,
            sequence: verified.sequence_number(),
            refers: set.referred(&manifest),
            dependencies: set.dependencies().collect(),
        };
        self.state.update(&mut self.storage, |state| {
            state.put(slot, installed);
            state.trial = Some(Trial { slot, boots_left: TRIAL_BOOTS });
            state.journal = None;
        })?;
        for number in self.identity.numbers() {
            // The release is installed, whatever becomes of this: the next installation begins with it.
            let _left = self.empty(Area::Staged(number));
        }
        Ok((manifest, report))
    }

    /// Goes through everything an installation does, without writing, and without fetching more than the manifests that
    /// the release depends on. Those are given.
    fn rehearse<T: Transport>(
        &self,
        verified: &Verified<'_>,
        index: &EnvelopeIndex,
        transport: &mut T,
        slot: Slot,
        now: Option<u64>,
    ) -> Result<Vec<Fetched>, Attempt<S::Error>> {
        let view = self.view(slot, now);
        let contents = Rehearsed::new(&self.storage, self.slots(slot), index, transport);
        let mut platform = SlotPlatform::new(view.clone(), verified, contents).map_err(misplaced)?;
        match run(verified, &mut platform, Procedure::Update) {
            Ok(_) => {}
            // What was not fetched cannot be decrypted.
            Err(Attempt::Reported(
                InstallError::Refused(Fault::Procedure(FailureKind::Decryption(_))),
                _,
            )) if platform.contents.pretended => {}
            Err(failed) => return Err(failed),
        }
        // What counts at every boot is what the validation alone checks.
        let mut contents = platform.contents;
        contents.fill();
        let mut platform = SlotPlatform::new(view, verified, contents).map_err(misplaced)?;
        run(verified, &mut platform, Procedure::Validation)?;
        match platform.unchecked() {
            Some(component) => Err(Fault::Unchecked(component).into()),
            None => Ok(platform.contents.into_fetched()),
        }
    }

    /// Empties the slot and writes the manifest, unless that was done for the same release before.
    fn prepare(&mut self, slot: Slot, manifest: Digest, head: &[u8]) -> Result<(), StateError<S::Error>> {
        let journal = Journal::Installing { slot, manifest };
        let begun = self.state().journal == Some(journal);
        if !begun {
            // From here on the slot is written, so it must not count as whole while it is not.
            if self.state().installed(slot).is_some() || self.state().journal.is_some() {
                self.state.update(&mut self.storage, |state| {
                    state.clear(slot);
                    state.journal = None;
                })?;
            }
            // What is there is of another release: nothing may go on from it, even after a power cut.
            for number in self.identity.numbers() {
                for area in [Area::Image(slot, number), Area::Staged(number)] {
                    self.empty(area)?;
                }
            }
            for number in self.identity.manifest_numbers() {
                self.empty(Area::Dependency(slot, number))?;
            }
        }
        let area = Area::Manifest(slot);
        let stored = read_all(&self.storage, area, MAX_ENVELOPE_LEN).map_err(StateError::Storage)?;
        if stored.as_deref() != Some(head) {
            self.storage.erase(area).map_err(StateError::Storage)?;
            self.storage.append(area, head).map_err(StateError::Storage)?;
        }
        self.storage.sync(area).map_err(StateError::Storage)?;
        if !begun {
            self.state.update(&mut self.storage, |state| state.journal = Some(journal))?;
        }
        Ok(())
    }

    fn empty(&mut self, area: Area) -> Result<(), StateError<S::Error>> {
        if self.storage.len(area).map_err(StateError::Storage)? == 0 {
            return Ok(());
        }
        self.storage.erase(area).map_err(StateError::Storage)?;
        self.storage.sync(area).map_err(StateError::Storage)
    }

    /// Writes the images, and validates what was written.
    fn write<T: Transport>(
        &mut self,
        verified: &Verified<'_>,
        index: &EnvelopeIndex,
        transport: &mut T,
        fetched: Vec<Fetched>,
        slot: Slot,
        now: Option<u64>,
    ) -> Result<(Report, Set), Attempt<S::Error>> {
        let slots = self.slots(slot);
        let view = View {
            identity: &self.identity,
            home: self.identity.layout.home(slot),
            authorities: self.authorities.list(),
            removal: None,
            keys: self.keys.as_ref(),
            installed: self.committed(),
            floors: &self.state.state().floors,
            version: self.running.as_ref().and_then(|running| running.version.clone()),
            now,
        };
        let contents = Stored::writable(&mut self.storage, slots, index, transport, fetched);
        let mut platform = SlotPlatform::new(view, verified, contents).map_err(misplaced)?;
        let result = run(verified, &mut platform, Procedure::Update);
        let unchecked = platform.unchecked().is_some();
        let SlotPlatform { set, contents: Stored { failure, .. }, .. } = platform;
        let report = match (result, failure) {
            (Err(Attempt::Reported(_, report)), Some(error)) => {
                return Err(Attempt::Reported(StateError::Storage(error).into(), report));
            }
            (Err(failed), _) => return Err(failed),
            (Ok(_), Some(error)) => return Err(StateError::Storage(error).into()),
            (Ok(report), None) => report,
        };
        // The rehearsal found every image checked, so what was stored is at fault.
        if unchecked {
            return Err(Fault::ReadBack.into());
        }
        for number in self.identity.numbers() {
            // Some may have been complete before a power cut or a broken connection.
            let area = Area::Image(slot, number);
            self.storage.sync(area).map_err(StateError::Storage)?;
        }
        let written = read_all(&self.storage, Area::Manifest(slot), MAX_ENVELOPE_LEN);
        if written.map_err(StateError::Storage)?.as_deref() != Some(index.head()) {
            return Err(Fault::ReadBack.into());
        }
        Ok((report, set))
    }

    fn slots(&self, of_manifest: Slot) -> Slots {
        Slots { of_manifest, running: self.running_slot() }
    }

    fn view(&self, slot: Slot, now: Option<u64>) -> View<'_> {
        View {
            identity: &self.identity,
            home: self.identity.layout.home(slot),
            authorities: self.authorities.list(),
            removal: None,
            keys: self.keys.as_ref(),
            installed: self.committed(),
            floors: &self.state().floors,
            version: self.running.as_ref().and_then(|running| running.version.clone()),
            now,
        }
    }

    /// What a manifest must follow.
    fn committed(&self) -> Option<suit::Installed> {
        let state = self.state();
        let manifest_digest = state.committed;
        manifest_digest.map(|_| suit::Installed { sequence_number: state.sequence, manifest_digest })
    }
}

/// What is wrong with where a release puts the manifests it depends on.
fn misplaced(fault: DependencyFault) -> Fault {
    Fault::Procedure(FailureKind::Dependency(fault))
}

fn run<P: suit::Platform, E>(
    verified: &Verified<'_>,
    platform: &mut P,
    procedure: Procedure,
) -> Result<Report, Attempt<E>> {
    let mut processor = Processor::new(verified, platform).map_err(Fault::Manifest)?;
    processor.run(procedure).map_err(|Failure { kind, report }| {
        let error = match kind {
            FailureKind::Platform(error @ (PlatformError::Transport | PlatformError::NotReady)) => {
                InstallError::Interrupted(error)
            }
            kind => InstallError::Refused(Fault::Procedure(kind)),
        };
        Attempt::Reported(error, report)
    })
}
