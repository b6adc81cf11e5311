use std::{cell::RefCell, fs, path::Path};

use device_core::Device;
use fdo::{
    DeviceSecrets, Failure, Refusal,
    device::{Outcome, To2Options},
    service_info::{
        DeviceEngine, DeviceModule, ServiceFault,
        modules::{Command, Csr, Devmod, Download, Upload},
    },
};
use fdo_http::{Candidate, Client, onboard};

use super::{
    Onboarding,
    enrolment::OperationalEnrolment,
    files::{Folder, NamedFiles, is_visible},
    programs::Programs,
    provisioning::{Checks, Exchange, Provisioning},
    stored::{Given, Operational},
};
use crate::{FileStorage, ModuleOptions, keys::make_key};

/// Bytes that a file may have which the owner asks for.
const UPLOAD_MAX: u64 = 64 << 20;
/// Where the version of the operating system is.
const OS_RELEASE: &str = "/proc/sys/kernel/osrelease";

/// What a device brings to TO2.
pub(super) struct Session<'s> {
    pub(super) client: &'s Client,
    pub(super) device: &'s Device<FileStorage>,
    pub(super) secrets: &'s dyn DeviceSecrets,
    pub(super) onboarding: &'s Onboarding,
    pub(super) checks: &'s Checks,
    pub(super) modules: &'s ModuleOptions,
}

/// Why TO2 did not end with another owner.
pub(super) struct Failed {
    /// Stable code.
    pub(super) code: &'static str,
    /// The whole of it.
    pub(super) error: Box<dyn std::error::Error>,
}

impl Session<'_> {
    /// Is taken over by an owner, if it is there. What comes of it is for the caller to put in force.
    pub(super) fn run(&self, candidate: &Candidate) -> Result<Onboarding, Failed> {
        let exchange = Exchange::default();
        let operational = RefCell::new(None);
        let result = self.talk(candidate, &exchange, &operational);
        match result {
            // The reason that the owner was told, rather than that the protocol ended for it.
            Err(Failed { error, code }) => {
                Err(Failed { code: exchange.refusal.get().unwrap_or(code), error })
            }
            Ok(outcome) => {
                let Outcome::Replaced(credential) = outcome else {
                    // The protocol's options let no owner get so far.
                    let code = Refusal::CredentialReuse.code();
                    return Err(Failed { code, error: Failure::from(Refusal::CredentialReuse).into() });
                };
                let given =
                    Given { provision: exchange.staged.take(), operational: operational.into_inner() };
                let list = given.provision.as_ref().and_then(|provision| provision.authorities.clone());
                let authorities = self.onboarding.authorities.clone().or(list);
                Ok(Onboarding { credential, given: Some(given), authorities })
            }
        }
    }

    fn talk(
        &self,
        candidate: &Candidate,
        exchange: &Exchange,
        operational: &RefCell<Option<Operational>>,
    ) -> Result<Outcome, Failed> {
        let credential = &self.onboarding.credential;
        let options = To2Options::for_credential(credential)
            .ok_or(Failed { code: "key-unsupported", error: "owners have keys of another type".into() })?;
        let ueid = self.device.identity().ueid.to_string();
        let key = make_key().map_err(|error| Failed { code: "no-key", error: error.into() })?;
        let enrolment = OperationalEnrolment::new(key, &ueid, operational)
            .map_err(|error| Failed { code: "no-key", error: error.into() })?;
        let ModuleOptions { download_dir, download_max, commands, uploads } = self.modules;
        let mut modules: Vec<Box<dyn DeviceModule + '_>> = vec![
            Box::new(Provisioning::new(self.device, self.checks, exchange)),
            Box::new(Csr::new(enrolment)),
        ];
        if let Some(folder) = download_dir {
            modules.push(Box::new(Download::new(Folder::new(folder), is_visible, *download_max)));
        }
        if !uploads.is_empty() {
            let knows = |name: &str| NamedFiles(uploads).knows(name);
            modules.push(Box::new(Upload::new(NamedFiles(uploads), knows, UPLOAD_MAX)));
        }
        if !commands.is_empty() {
            modules.push(Box::new(Command::new(Programs::default(), commands.clone())));
        }
        let mut engine = DeviceEngine::new(&devmod(&credential.device_info), modules)
            .map_err(|error: ServiceFault| Failed { code: error.code(), error: error.into() })?;
        let mut bound = |binding: &fdo::Binding| exchange.binding.set(Some(*binding));
        onboard(self.client, candidate, credential, options, self.secrets, &mut engine, &mut bound)
            .map_err(|error| Failed { code: error.code(), error: error.into() })
    }
}

/// What the device says it is.
fn devmod(info: &str) -> Devmod {
    let version = fs::read_to_string(Path::new(OS_RELEASE)).unwrap_or_default();
    let version = version.trim();
    Devmod {
        os: std::env::consts::OS.into(),
        arch: std::env::consts::ARCH.into(),
        version: if version.is_empty() { "unknown" } else { version }.into(),
        device: info.chars().take(MODEL_CHARS).collect(),
        separator: ";".into(),
        binaries: "elf".into(),
        ..Devmod::default()
    }
}

/// Characters of what a device is that its owner is told, who knows it from the voucher.
const MODEL_CHARS: usize = 100;
