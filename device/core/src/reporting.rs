use alloc::{string::String, vec::Vec};

use crypto::{Digest, HashAlgorithm};
use suit::{Capabilities, ComponentCapability, Outcome, Properties, Reason, Record, Report};

use crate::{Device, Fault, InstallError, Storage, platform::abilities};

impl<S: Storage> Device<S> {
    /// The report of the newest attempt to install or to remove something, signed with the device's key: what the
    /// processor says, or why it was not asked. It says that all went well only after that is durable.
    pub fn report(&self) -> Option<Vec<u8>> {
        self.report.as_ref().map(|report| self.sign(report))
    }

    /// What the device can process, signed, in the report of the boot of the release that runs. Nothing in recovery:
    /// a report is about a manifest.
    pub fn capability_report(&self) -> Option<Vec<u8>> {
        let mut report = self.boot_report.clone()?;
        report.capabilities = Some(self.capabilities());
        Some(self.sign(&report))
    }

    /// What the device can process.
    pub fn capabilities(&self) -> Capabilities {
        let exactly = |component| ComponentCapability { component, any_below: false };
        Capabilities::of(&abilities(self.keys.as_ref()), self.identity.places().map(exactly).collect())
    }

    /// A digest of what the device can process, to tell whether that has changed.
    pub fn capabilities_digest(&self) -> Digest {
        let nothing = Digest::of(HashAlgorithm::Sha256, b"");
        let mut report = failed::<S::Error>(nothing, &InstallError::Refused(Fault::NotInstalled));
        report.capabilities = Some(self.capabilities());
        Digest::of(HashAlgorithm::Sha256, &report.to_bytes())
    }

    fn sign(&self, report: &Report) -> Vec<u8> {
        report.sign(&self.key, Some(self.identity.ueid.as_bytes()))
    }
}

/// The report of an attempt that the processor was not asked about, or that failed beside it.
pub(crate) fn failed<E>(manifest_digest: Digest, error: &InstallError<E>) -> Report {
    let reason = match error {
        InstallError::Refused(fault) => fault.reason(),
        InstallError::Interrupted(_) | InstallError::Device(_) => Reason::OperationFailed,
    };
    let record = Record {
        manifest_id: Vec::new(),
        section: None,
        offset: 0,
        component: 0,
        properties: Properties::default(),
    };
    Report {
        reference_uri: String::new(),
        manifest_digest,
        nonce: None,
        entries: Vec::new(),
        outcome: Outcome::Failure { code: reason.code(), reason, record },
        capabilities: None,
    }
}
