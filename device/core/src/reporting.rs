use alloc::{string::String, vec::Vec};

use cose::Sign1Builder;
use crypto::{Digest, HashAlgorithm};
use suit::{Capabilities, ComponentCapability, Outcome, Properties, Reason, Record, Report};

use crate::{Device, Fault, InstallError, NotSigned, Storage, key::sign1, platform::abilities};

impl<S: Storage> Device<S> {
    /// The report of the newest attempt to install or to remove something, signed with the device's key: what the
    /// processor says, or why it was not asked. It says that all went well only after that is durable.
    pub fn report(&self) -> Result<Option<Vec<u8>>, NotSigned> {
        self.report.as_ref().map(|report| self.sign(report)).transpose()
    }

    /// What the device can process, signed, in the report of the boot of the release that runs. Nothing in recovery:
    /// a report is about a manifest.
    pub fn capability_report(&self) -> Result<Option<Vec<u8>>, NotSigned> {
        let Some(mut report) = self.boot_report.clone() else { return Ok(None) };
        report.capabilities = Some(self.capabilities());
        self.sign(&report).map(Some)
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

    fn sign(&self, report: &Report) -> Result<Vec<u8>, NotSigned> {
        let builder = Sign1Builder::new().kid(self.identity.ueid.as_bytes());
        sign1(&*self.key, &builder, &report.to_bytes())
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
