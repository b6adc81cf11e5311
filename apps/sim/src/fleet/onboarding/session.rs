//! How a device finds its owner and is taken over by it: what is there to say and to hear, beyond the protocols.

use std::cell::Cell;

use crypto::SigningKey;
use eat::Nonce;
use fdo::{
    Binding,
    device::To2Options,
    provision::{self, Provision},
    service_info::{
        Activity, DeviceEngine, DeviceModule, ModuleFault, Outgoing,
        modules::{CertificateFormat, Csr, CsrError, CsrRequest, Devmod, Enrolment},
    },
};
use fdo_http::{Candidate, Cause, Client, Finding};
use x509::CertificationRequestBuilder;

use super::Newborn;
use crate::fleet::device::SimDevice;

/// A stable code of why somebody did not do what a device needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

/// Whom a device expects to be taken over by, and how.
pub(super) struct Owner<'o> {
    /// Where it is to live afterwards: the fleet's devices share connections to one server.
    pub(super) url: &'o str,
    /// Whose releases it obeys, from its factory on, encoded.
    pub(super) authorities: Vec<u8>,
    /// Its operational key.
    pub(super) operational: SigningKey,
}

/// What a device answers to an authority list that is not its own: it changes the one it has by the word of its roots only.
const AUTHORITIES_DIFFER: &str = "authorities-differ";
/// What a device answers to the address of another server.
const SERVER_DIFFERS: &str = "server-differs";

impl Refused {
    /// What a protocol failed with.
    pub(super) fn by(error: &fdo_http::Error) -> Self {
        Self(match &error.cause {
            Cause::Protocol(fdo::Failure::Reported(told)) if !told.text.is_empty() => {
                format!("{}: {}", error.code(), told.text)
            }
            _ => error.code().to_owned(),
        })
    }

    fn code(code: &str) -> Self {
        Self(code.to_owned())
    }
}

impl Newborn {
    /// TO1: the first place where the owner may be.
    pub(super) fn find_owner(&self) -> Result<Candidate, Refused> {
        match fdo_http::find_owner(&Client::default(), &self.credential, &self.secrets).next() {
            Some(Finding::Candidate(candidate)) => Ok(candidate),
            Some(Finding::Failed(error)) => Err(Refused::by(&error)),
            Some(Finding::Unusable { reason, .. }) => Err(Refused::code(reason.code())),
            Some(Finding::Wait { .. }) | None => Err(Refused::code("no-rendezvous-server")),
        }
    }

    /// TO2. A simulated device has nowhere to keep the credential that it ends with, and is not resold.
    pub(super) fn onboard(
        &self,
        candidate: &Candidate,
        device: &SimDevice,
        owner: &Owner<'_>,
    ) -> Result<(), Refused> {
        let options = To2Options::for_credential(&self.credential);
        let options = options.ok_or_else(|| Refused::code("no-exchange"))?;
        let options = To2Options { reuse: true, ..options };
        let (binding, provisioned) = (Cell::new(None), Cell::new(false));
        let own = Own { device, owner, binding: &binding, provisioned: &provisioned, said: false };
        let modules: Vec<Box<dyn DeviceModule + '_>> =
            vec![Box::new(Csr::new(Asks(&owner.operational))), Box::new(own)];
        let engine = DeviceEngine::new(&self.devmod(), modules);
        let mut engine = engine.map_err(|fault| Refused::code(fault.code()))?;
        let client = Client::default();
        let bound = &mut |found: &Binding| binding.set(Some(*found));
        let (credential, secrets) = (&self.credential, &self.secrets);
        let ended = fdo_http::onboard(&client, candidate, credential, options, secrets, &mut engine, bound);
        let _outcome = ended.map_err(|error| Refused::by(&error))?;
        // An owner that takes a device over and leaves it without what it needs has not onboarded it.
        if provisioned.get() { Ok(()) } else { Err(Refused::code("not-provisioned")) }
    }

    fn devmod(&self) -> Devmod {
        Devmod {
            os: "simulation".into(),
            arch: std::env::consts::ARCH.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            device: self.device.clone(),
            separator: ";".into(),
            binaries: "none".into(),
            ..Devmod::default()
        }
    }
}

/// Our own module: evidence for the owner, and what the owner gives.
struct Own<'s> {
    device: &'s SimDevice,
    owner: &'s Owner<'s>,
    binding: &'s Cell<Option<Binding>>,
    provisioned: &'s Cell<bool>,
    said: bool,
}

impl DeviceModule for Own<'_> {
    fn name(&self) -> &str {
        provision::MODULE
    }

    fn receive(&mut self, message: &str, value: &[u8], out: &mut Outgoing) -> Result<(), ModuleFault> {
        if message != provision::PROVISION {
            return Err(ModuleFault::MessageUnknown);
        }
        let given = Provision::decode(value).map_err(|_| ModuleFault::Malformed)?;
        let answer = if given.server != self.owner.url {
            SERVER_DIFFERS
        } else if given.authorities.is_some_and(|list| list != self.owner.authorities) {
            AUTHORITIES_DIFFER
        } else {
            self.provisioned.set(true);
            provision::ACCEPTED
        };
        out.send(provision::MODULE, provision::PROVISIONED, |w| _ = w.text(answer))
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        if !std::mem::replace(&mut self.said, true) {
            let nonce = self.binding.get().and_then(|Binding(nonce)| Nonce::new(&nonce));
            let evidence = nonce.and_then(|nonce| self.device.evidence(&nonce)).ok_or(ModuleFault::Failed)?;
            out.send(provision::MODULE, provision::EVIDENCE, |w| _ = w.bytes(&evidence))?;
        }
        Ok(Activity::Idle)
    }
}

/// Wants an operational certificate.
struct Asks<'a>(&'a SigningKey);

impl Enrolment for Asks<'_> {
    fn authorities_format(&self) -> Option<CertificateFormat> {
        Some(CertificateFormat::Pkix)
    }

    fn request(&mut self) -> Option<Vec<u8>> {
        let name = "CN=device".parse().ok()?;
        let request = CertificationRequestBuilder::new(name, self.0.public_key()).sign(self.0);
        request.ok().map(|request| request.as_der().to_vec())
    }

    fn authorities(&mut self, _format: CertificateFormat, der: &[u8]) -> Result<(), ModuleFault> {
        x509::Certificate::decode(der).map(drop).map_err(|_| ModuleFault::Malformed)
    }

    fn certificate(&mut self, der: &[u8]) -> Result<(), ModuleFault> {
        let certificate = x509::Certificate::decode(der).map_err(|_| ModuleFault::Malformed)?;
        let is_for_its_key = certificate.public_key().is_ok_and(|key| key == self.0.public_key());
        if is_for_its_key { Ok(()) } else { Err(ModuleFault::Failed) }
    }

    fn refused(&mut self, _request: CsrRequest, _error: CsrError) -> Result<(), ModuleFault> {
        Err(ModuleFault::Failed)
    }
}
