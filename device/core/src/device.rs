use alloc::{boxed::Box, vec::Vec};

use cose::DecryptionKeys;
use crypto::Digest;
use suit::{AuthorityList, Report, SharedKeys, Version};

use crate::{
    AttestationKey, Bars, BootState, Dependency, Identity, Slot, Start, StateError, StateStore, Storage,
    authorities::AuthorityStore,
    boot::{Installation, Unfit},
};

/// How often a release on trial may boot before the device goes back.
pub const TRIAL_BOOTS: u8 = 3;

/// The reason code of a release that did not prove itself in time.
pub(crate) const TRIAL_TIMEOUT: &str = "trial-timeout";

/// A device: its storage, what it is, whom it obeys, and the key that it attests with.
///
/// [`Device::boot`] comes first, and again after every installation that shall take effect.
#[derive(Debug)]
pub struct Device<S> {
    pub(crate) storage: S,
    pub(crate) state: StateStore,
    pub(crate) identity: Identity,
    pub(crate) authorities: AuthorityStore,
    pub(crate) key: Box<dyn AttestationKey>,
    pub(crate) boot_seed: Vec<u8>,
    pub(crate) running: Option<Running>,
    /// Keys that payloads are encrypted to.
    pub(crate) keys: Option<DecryptionKeys>,
    /// About the newest attempt to change something.
    pub(crate) report: Option<Report>,
    /// About the boot of what runs.
    pub(crate) boot_report: Option<Report>,
}

/// What a device is made with; it stays the same while releases and authorities come and go.
#[derive(Debug)]
pub struct Credentials {
    /// What the device is.
    pub identity: Identity,
    /// Whose manifests it obeys until that is changed: the list of the factory.
    pub authorities: AuthorityList,
    /// Its attestation key.
    pub key: Box<dyn AttestationKey>,
}

/// The release that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Where it lies.
    pub slot: Slot,
    /// Its manifest digest.
    pub manifest: Digest,
    /// Its sequence number.
    pub sequence: u64,
    /// The manifests it depends on.
    pub dependencies: Vec<Dependency>,
    /// The version its manifest sets.
    pub version: Option<Version>,
    /// Whether it still has to prove itself.
    pub on_trial: bool,
    /// The image to start.
    pub start: Option<Start>,
}

/// A release that a server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its manifest digest.
    pub manifest: Digest,
    /// SHA-256 of the envelope it comes in.
    pub envelope: Digest,
    /// Bytes of the envelope.
    pub size: u64,
}

/// What an offer is to a device, before any of it is downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Another release than runs, or the one that runs and no longer is what it should be.
    Wanted,
    /// It runs.
    Installed,
    /// The device will not have it, for this reason code.
    Refused(alloc::string::String),
}

impl<S: Storage> Device<S> {
    /// The device as it wakes up. `boot_seed` tells this boot from all others: 8 to 32 random bytes.
    pub fn power_up(
        storage: S,
        credentials: Credentials,
        boot_seed: &[u8],
    ) -> Result<Self, StateError<S::Error>> {
        let state = StateStore::load(&storage)?;
        let Credentials { identity, authorities, key } = credentials;
        let authorities = AuthorityStore::load(&storage, authorities, state.state().authorities)?;
        Ok(Self {
            storage,
            state,
            identity,
            authorities,
            key,
            boot_seed: boot_seed.to_vec(),
            running: None,
            keys: None,
            report: None,
            boot_report: None,
        })
    }

    /// The same device with keys that payloads are encrypted to.
    #[must_use]
    pub fn with_keys(self, keys: DecryptionKeys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// The same device with secrets that authors share with it, where its list of authorities allows such keys.
    #[must_use]
    pub fn with_shared_keys(mut self, keys: SharedKeys) -> Self {
        self.authorities.hold(keys);
        self
    }

    /// The boot record.
    pub fn state(&self) -> &BootState {
        self.state.state()
    }

    /// What runs; nothing before a boot, and in recovery.
    pub fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    /// What the device is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its storage.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// Its storage, to be written beside what this crate writes.
    pub fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }

    /// Gives up everything but the storage, as a power cut does.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// The slot whose contents run, or would.
    pub(crate) fn running_slot(&self) -> Slot {
        self.running.as_ref().map_or(self.state().active, |running| running.slot)
    }

    /// What to do with an offer.
    pub fn assess(&mut self, offer: &Offer) -> Result<Standing, StateError<S::Error>> {
        if let Some(running) = self.running.as_ref().filter(|running| running.manifest == offer.manifest) {
            // On trial nothing else is installed, whatever became of it.
            let installed = running.on_trial || self.is_intact()?;
            return Ok(if installed { Standing::Installed } else { Standing::Wanted });
        }
        if let Some(refusal) = self.state().barred(&offer.manifest, &offer.envelope) {
            return Ok(Standing::Refused(refusal.code.clone()));
        }
        if offer.size > self.identity.max_envelope_len() {
            return Ok(Standing::Refused("payload-too-large".into()));
        }
        Ok(Standing::Wanted)
    }

    /// Whether what lies in the running slot now is still what its manifest says.
    pub fn is_intact(&mut self) -> Result<bool, StateError<S::Error>> {
        match self.running_slot_installation()? {
            Installation::Fit(_) => Ok(true),
            Installation::Unfit(_) => Ok(false),
        }
    }

    /// The release on trial has proved itself: from now on it is the one to boot, and none before it is accepted.
    /// Without a trial nothing changes.
    pub fn commit(&mut self) -> Result<(), StateError<S::Error>> {
        let Some(trial) = self.state().trial else { return Ok(()) };
        self.state.update(&mut self.storage, |state| {
            if let Some(installed) = state.installed(trial.slot).cloned() {
                state.active = trial.slot;
                state.sequence = state.sequence.max(installed.sequence);
                state.committed = Some(installed.manifest);
                state.raise_floors(&installed.dependencies);
            }
            state.trial = None;
        })?;
        if let Some(running) = &mut self.running {
            running.on_trial = false;
        }
        Ok(())
    }

    /// The release on trial did not prove itself in time: the next boot is of the one before it.
    pub fn revert(&mut self) -> Result<(), StateError<S::Error>> {
        self.end_trial(TRIAL_TIMEOUT)
    }

    /// Ends the trial against the release.
    pub(crate) fn end_trial(&mut self, code: &str) -> Result<(), StateError<S::Error>> {
        let Some(trial) = self.state().trial else { return Ok(()) };
        self.state.update(&mut self.storage, |state| {
            if let Some(installed) = state.clear(trial.slot) {
                state.refuse(installed.manifest, code, Bars::Release);
            }
            state.trial = None;
        })
    }

    /// Forgets a committed release that is damaged; the same release is welcome again.
    pub(crate) fn give_up(&mut self, slot: Slot, unfit: &Unfit) -> Result<(), StateError<S::Error>> {
        self.state.update(&mut self.storage, |state| {
            if let Some(installed) = state.clear(slot) {
                state.refuse(installed.manifest, unfit.code(), Bars::Nothing);
            }
        })
    }
}
