use core::fmt;

use crypto::{Digest, HashAlgorithm};
use suit::{
    ComponentId, Condition, Envelope, FailureKind, Procedure, Processor, Refusal, Verified,
    limits::MAX_ENVELOPE_LEN,
};

use crate::{
    Area, Bars, Device, Installed, Slot, StateError, Storage, Trial,
    contents::{Rehearsed, Stored},
    device::TRIAL_BOOTS,
    platform::{SlotPlatform, View},
    read_all,
};

/// Why a release was not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstallError<E> {
    /// The device will not have it.
    Refused(Fault),
    /// The device could not; the release may be good.
    Device(StateError<E>),
}

/// What is wrong with an offered release.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is malformed, not believed, or not allowed to follow what is installed.
    Manifest(Refusal),
    /// It is another release than the one that was offered.
    NotTheOffered,
    /// It failed before, and nothing else was tried since.
    FailedBefore,
    /// Its shared sequence does not check for which vendor and class it is.
    UnboundToClass,
    /// Its own procedure failed; before anything was written, unless the storage is at fault.
    Procedure(FailureKind),
    /// Its validation does not compare a component with a digest, so booting it would prove nothing.
    Unchecked(ComponentId),
    /// Its manifest is larger than a slot can hold.
    ManifestTooLarge,
    /// What was written reads back otherwise.
    ReadBack,
    /// Another release is on trial, and the slot in use before it is kept for going back.
    OnTrial,
}

impl Fault {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Manifest(refusal) => refusal.code(),
            Self::NotTheOffered => "digest-mismatch",
            Self::FailedBefore => "failed-before",
            Self::UnboundToClass => "class-unchecked",
            Self::Procedure(failure) => failure.code(),
            Self::Unchecked(_) => "component-unchecked",
            Self::ManifestTooLarge => "manifest-too-large",
            Self::ReadBack => "storage-failed",
            Self::OnTrial => "trial-pending",
        }
    }

    /// What must not be tried again in a row.
    fn bars(&self, envelope: Digest) -> Bars {
        match self {
            // Signatures and payloads come beside the signed manifest: another envelope may have the right ones.
            Self::Manifest(refusal) => match refusal {
                Refusal::UnsupportedByDevice { .. }
                | Refusal::UnknownComponent { .. }
                | Refusal::SequenceTooLow { .. }
                | Refusal::SequenceReused { .. }
                | Refusal::SequenceJump { .. } => Bars::Release,
                _ => Bars::Envelope(envelope),
            },
            Self::Procedure(failure) => match failure {
                FailureKind::NotMet(Condition::ImageMatch | Condition::CheckContent)
                | FailureKind::PayloadMissing
                | FailureKind::Severed(_)
                | FailureKind::TooLarge { .. }
                | FailureKind::WrongSize { .. } => Bars::Envelope(envelope),
                // These wait for another time or state of the device.
                FailureKind::NotMet(
                    Condition::UseBefore
                    | Condition::MinimumBattery
                    | Condition::UpdateAuthorized
                    | Condition::Version,
                ) => Bars::Nothing,
                _ => Bars::Release,
            },
            Self::NotTheOffered => Bars::Envelope(envelope),
            Self::UnboundToClass | Self::Unchecked(_) | Self::ManifestTooLarge => Bars::Release,
            Self::FailedBefore | Self::ReadBack | Self::OnTrial => Bars::Nothing,
        }
    }

    /// Whether to remember it: what says nothing about the release is no refusal of it.
    fn is_to_be_remembered(&self) -> bool {
        !matches!(self, Self::FailedBefore | Self::ReadBack | Self::OnTrial)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(refusal) => refusal.fmt(f),
            Self::NotTheOffered => f.write_str("the envelope holds another release than was offered"),
            Self::FailedBefore => f.write_str("the release failed before and nothing else was tried since"),
            Self::UnboundToClass => f.write_str("the manifest does not check vendor and class"),
            Self::Procedure(failure) => failure.fmt(f),
            Self::Unchecked(component) => write!(f, "the manifest does not validate component {component}"),
            Self::ManifestTooLarge => write!(f, "the manifest is larger than {MAX_ENVELOPE_LEN} bytes"),
            Self::ReadBack => f.write_str("what was written reads back otherwise"),
            Self::OnTrial => f.write_str("another release is on trial"),
        }
    }
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

impl<S: Storage> Device<S> {
    /// Installs a release into the slot that does not run, and puts it on trial: the next boot is of it.
    ///
    /// Before the first write the whole procedure is rehearsed: signatures, scope, sequence number, vendor and class,
    /// and the digest of every image. A power cut at any moment leaves the running release as it was. `offered` is
    /// what the server said it would be; a release that is refused is remembered.
    pub fn install(
        &mut self,
        envelope: &[u8],
        offered: Option<Digest>,
        now: Option<u64>,
    ) -> Result<Digest, InstallError<S::Error>> {
        let hash = Digest::of(HashAlgorithm::Sha256, envelope);
        let decoded = Envelope::decode(envelope);
        let claimed = decoded.as_ref().ok().map(Envelope::manifest_digest_claimed);
        let result = match decoded {
            Ok(decoded) => self.install_decoded(&decoded, hash, offered, now),
            Err(error) => Err(Fault::Manifest(error.into()).into()),
        };
        if let Err(InstallError::Refused(fault)) = &result
            && fault.is_to_be_remembered()
            && let Some(manifest) = offered.or(claimed)
        {
            let (code, bars) = (fault.code(), fault.bars(hash));
            self.state.update(&mut self.storage, |state| state.refuse(manifest, code, bars))?;
        }
        result
    }

    fn install_decoded(
        &mut self,
        envelope: &Envelope<'_>,
        hash: Digest,
        offered: Option<Digest>,
        now: Option<u64>,
    ) -> Result<Digest, InstallError<S::Error>> {
        let manifest = envelope.manifest_digest_claimed();
        if self.state().trial.is_some() {
            return Err(Fault::OnTrial.into());
        }
        if offered.is_some_and(|offered| offered != manifest) {
            return Err(Fault::NotTheOffered.into());
        }
        if self.state().barred(&manifest, &hash).is_some() {
            return Err(Fault::FailedBefore.into());
        }
        let verified = envelope.verify(self.authorities.list()).map_err(Fault::Manifest)?;
        let targets = verified.targets();
        if !(targets.vendor_checked && targets.class_checked) {
            return Err(Fault::UnboundToClass.into());
        }
        let stripped = envelope.strip_payloads();
        if stripped.len() > MAX_ENVELOPE_LEN {
            return Err(Fault::ManifestTooLarge.into());
        }
        let slot = self.running_slot().other();
        self.rehearse(&verified, slot, now)?;

        // From here on the slot is written, so it must not count as whole while it is not.
        if self.state().installed(slot).is_some() {
            self.state.update(&mut self.storage, |state| {
                state.clear(slot);
            })?;
        }
        self.write(&verified, &stripped, slot, now)?;
        let installed = Installed { manifest, sequence: verified.sequence_number() };
        self.state.update(&mut self.storage, |state| {
            state.put(slot, installed);
            state.trial = Some(Trial { slot, boots_left: TRIAL_BOOTS });
        })?;
        Ok(manifest)
    }

    /// Goes through everything an installation does, without writing.
    fn rehearse(&self, verified: &Verified<'_>, slot: Slot, now: Option<u64>) -> Result<(), Fault> {
        let images = verified.images();
        let algorithms = self.identity.numbered().map(|(_, component)| {
            let image = images.iter().find(|image| image.component == component.id);
            image.map_or(HashAlgorithm::Sha256, |image| image.digest.algorithm())
        });
        let mut platform = SlotPlatform::new(self.view(slot, now), Rehearsed::new(algorithms));
        run(verified, &mut platform, Procedure::Update)?;
        // What counts at every boot is what the validation alone checks.
        platform.forget_measured();
        run(verified, &mut platform, Procedure::Validation)?;
        match platform.unchecked(verified) {
            Some(component) => Err(Fault::Unchecked(component)),
            None => Ok(()),
        }
    }

    /// Writes manifest and images, and validates what was written.
    fn write(
        &mut self,
        verified: &Verified<'_>,
        stripped: &[u8],
        slot: Slot,
        now: Option<u64>,
    ) -> Result<(), InstallError<S::Error>> {
        let storage = |error| InstallError::Device(StateError::Storage(error));
        let area = Area::Manifest(slot);
        self.storage.erase(area).map_err(storage)?;
        self.storage.append(area, stripped).map_err(storage)?;
        self.storage.sync(area).map_err(storage)?;
        for number in self.identity.numbered().map(|(number, _)| number) {
            self.storage.erase(Area::Image(slot, number)).map_err(storage)?;
        }

        let installed = self.committed();
        let version = self.running.as_ref().and_then(|running| running.version.clone());
        let view = View { identity: &self.identity, slot, installed, version, now };
        let mut platform = SlotPlatform::new(view, Stored::new(&mut self.storage, slot, true));
        let result = run(verified, &mut platform, Procedure::Update);
        let unchecked = platform.unchecked(verified).is_some();
        if let Some(error) = platform.contents.failure.take() {
            return Err(storage(error));
        }
        // The rehearsal went well, so the images are good and what was stored is not.
        if result.is_err() || unchecked {
            return Err(Fault::ReadBack.into());
        }
        let written = read_all(&self.storage, area, MAX_ENVELOPE_LEN).map_err(storage)?;
        if written.as_deref() == Some(stripped) { Ok(()) } else { Err(Fault::ReadBack.into()) }
    }

    fn view(&self, slot: Slot, now: Option<u64>) -> View<'_> {
        let version = self.running.as_ref().and_then(|running| running.version.clone());
        View { identity: &self.identity, slot, installed: self.committed(), version, now }
    }

    /// What a manifest must follow.
    fn committed(&self) -> Option<suit::Installed> {
        let state = self.state();
        let manifest_digest = state.committed;
        manifest_digest.map(|_| suit::Installed { sequence_number: state.sequence, manifest_digest })
    }
}

fn run<P: suit::Platform>(
    verified: &Verified<'_>,
    platform: &mut P,
    procedure: Procedure,
) -> Result<(), Fault> {
    let mut processor = Processor::new(verified, platform).map_err(Fault::Manifest)?;
    processor.run(procedure).map(|_report| ()).map_err(|failure| Fault::Procedure(failure.kind))
}
