//! A device in a factory and at its owner's, which says and hears what a real one does.

use std::{cell::RefCell, rc::Rc};

use crypto::{SignatureAlgorithm, SigningKey, Zeroizing};
use fdo::{
    Binding, Credential, DeviceInfo, KeyEncoding, KeyType, SoftSecrets, Target,
    device::{Outcome, To2Options},
    provision::{self, Provision},
    service_info::{
        Activity, DeviceEngine, DeviceModule, ModuleFault, Outgoing,
        modules::{
            CertificateFormat, Csr, CsrError, CsrRequest, Devmod, Download, Enrolment, FileFault, FileSink,
        },
    },
};
use fdo_http::{Candidate, Client, Error, Finding, find_owner};
use x509::CertificationRequestBuilder;

use super::{Device, Site, key};

/// A device as its factory leaves it.
pub struct Made {
    pub secrets: SoftSecrets,
    pub credential: Credential,
}

/// What a device was told in one session.
#[derive(Default)]
pub struct Told {
    pub provision: RefCell<Option<Provision>>,
    pub certificate: RefCell<Option<Vec<u8>>>,
    pub files: RefCell<Vec<(String, Vec<u8>)>>,
    binding: RefCell<Option<Binding>>,
}

/// What a device does when its owner asks.
#[derive(Clone, Copy)]
pub struct Manners<'a> {
    /// The image that it runs.
    pub app: &'a [u8],
    /// Whether it has our own module, and says what it runs.
    pub attests: bool,
    /// Whether its evidence answers this session.
    pub fresh: bool,
    /// What it says when it is given what it needs.
    pub answer: &'static str,
}

impl Default for Manners<'_> {
    fn default() -> Self {
        Self { app: b"app 1", attests: true, fresh: true, answer: provision::ACCEPTED }
    }
}

pub fn client() -> Client {
    Client::default()
}

pub fn target(site: &Site) -> Target {
    Target::from_url(&site.url("")).unwrap()
}

impl Made {
    /// A factory makes a device with this key.
    pub fn at(factory: &Site, number: u8) -> Result<Self, Error> {
        let secrets = SoftSecrets { key: key(number), hmac_secret: Zeroizing::new(vec![number; 32]) };
        Self::with(factory, secrets, KeyType::Secp256r1)
    }

    pub fn with(factory: &Site, secrets: SoftSecrets, key_type: KeyType) -> Result<Self, Error> {
        let subject = "CN=asked for".parse().unwrap();
        let request = CertificationRequestBuilder::new(subject, secrets.key.public_key());
        let info = DeviceInfo {
            key_type,
            encoding: KeyEncoding::X509,
            serial: "NL-0001".into(),
            info: "welcome-cam".into(),
            request: request.sign(&secrets.key).unwrap().as_der().to_vec(),
        };
        let credential = fdo_http::make_device(&client(), &target(factory), info, &secrets)?;
        Ok(Self { secrets, credential })
    }

    /// The first place where the owner may be.
    pub fn candidate(&self) -> Result<Candidate, Error> {
        match find_owner(&client(), &self.credential, &self.secrets).next() {
            Some(Finding::Candidate(candidate)) => Ok(candidate),
            Some(Finding::Failed(error)) => Err(*error),
            other => panic!("{other:?}"),
        }
    }

    /// The owner at its own address.
    pub fn straight_to(site: &Site) -> Candidate {
        Candidate { target: target(site), redirect: None, pins: Default::default() }
    }

    pub fn guid(&self) -> String {
        self.credential.guid.to_string()
    }

    /// What it says of itself: the same device with the same key.
    pub fn attester(&self) -> Device {
        let id = self.credential.guid.ueid();
        Device { name: String::new(), id, key: self.key() }
    }

    fn key(&self) -> SigningKey {
        SigningKey::from_bytes(SignatureAlgorithm::Es256, &self.secrets.key.secret_bytes()).unwrap()
    }

    /// TO2, after which the device is what it was told to be.
    pub fn onboard(
        &mut self,
        candidate: &Candidate,
        manners: Manners<'_>,
        told: &Rc<Told>,
    ) -> Result<Outcome, Error> {
        let attester = self.attester();
        self.onboard_as(candidate, manners, told, &attester)
    }

    pub fn onboard_as(
        &mut self,
        candidate: &Candidate,
        manners: Manners<'_>,
        told: &Rc<Told>,
        attester: &Device,
    ) -> Result<Outcome, Error> {
        let options = To2Options { reuse: true, ..To2Options::for_credential(&self.credential).unwrap() };
        let mut engine = engine(told, manners, attester);
        let bound = &mut |binding: &Binding| _ = told.binding.replace(Some(*binding));
        let Self { secrets, credential } = self;
        let outcome =
            fdo_http::onboard(&client(), candidate, credential, options, secrets, &mut engine, bound);
        drop(engine);
        outcome
    }

    /// Keeps what TO2 ended with.
    pub fn keep(&mut self, outcome: Outcome) {
        if let Outcome::Replaced(credential) = outcome {
            self.credential = credential;
        }
    }
}

/// What a device says of itself, and its modules.
pub fn engine<'a>(told: &Rc<Told>, manners: Manners<'a>, attester: &'a Device) -> DeviceEngine<'a> {
    let devmod = Devmod {
        os: "linux".into(),
        arch: "x86-64".into(),
        version: "1".into(),
        device: "welcome-cam".into(),
        separator: ";".into(),
        binaries: "elf".into(),
        ..Devmod::default()
    };
    let mut modules: Vec<Box<dyn DeviceModule + '_>> = vec![
        Box::new(Csr::new(Asks { told: told.clone(), key: key(200) })),
        Box::new(Download::new(Keeps { told: told.clone() }, |_: &str| true, 1 << 20)),
    ];
    if manners.attests {
        modules.push(Box::new(Ours { told: told.clone(), manners, attester, said: false }));
    }
    DeviceEngine::new(&devmod, modules).unwrap()
}

impl Told {
    /// Takes what both ends have, once they do.
    pub fn bind(&self, binding: Option<Binding>) {
        if binding.is_some() {
            self.binding.replace(binding);
        }
    }
}

/// Our own module.
struct Ours<'a> {
    told: Rc<Told>,
    manners: Manners<'a>,
    attester: &'a Device,
    said: bool,
}

impl DeviceModule for Ours<'_> {
    fn name(&self) -> &str {
        provision::MODULE
    }

    fn receive(&mut self, message: &str, value: &[u8], out: &mut Outgoing) -> Result<(), ModuleFault> {
        if message != provision::PROVISION {
            return Err(ModuleFault::MessageUnknown);
        }
        let read = Provision::decode(value).map_err(|_| ModuleFault::Malformed)?;
        self.told.provision.replace(Some(read));
        out.send(provision::MODULE, provision::PROVISIONED, |w| _ = w.text(self.manners.answer))
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        if !std::mem::replace(&mut self.said, true) {
            let binding = self.told.binding.borrow().expect("known before anything is said");
            let nonce = if self.manners.fresh { binding.0 } else { [9; 32] };
            let evidence = self.attester.evidence(&nonce, self.manners.app, None);
            out.send(provision::MODULE, provision::EVIDENCE, |w| _ = w.bytes(&evidence))?;
        }
        Ok(Activity::Idle)
    }
}

/// Wants a certificate for a key of its own.
struct Asks {
    told: Rc<Told>,
    key: SigningKey,
}

impl Enrolment for Asks {
    fn authorities_format(&self) -> Option<CertificateFormat> {
        Some(CertificateFormat::Pkix)
    }

    fn request(&mut self) -> Option<Vec<u8>> {
        let builder = CertificationRequestBuilder::new("CN=whoever".parse().unwrap(), self.key.public_key());
        Some(builder.sign(&self.key).unwrap().as_der().to_vec())
    }

    fn authorities(&mut self, _format: CertificateFormat, _der: &[u8]) -> Result<(), ModuleFault> {
        Ok(())
    }

    fn certificate(&mut self, der: &[u8]) -> Result<(), ModuleFault> {
        self.told.certificate.replace(Some(der.to_vec()));
        Ok(())
    }

    fn refused(&mut self, _request: CsrRequest, _error: CsrError) -> Result<(), ModuleFault> {
        Err(ModuleFault::Failed)
    }
}

/// Takes files.
struct Keeps {
    told: Rc<Told>,
}

impl FileSink for Keeps {
    fn begin(&mut self, name: &str, _len: Option<u64>) -> Result<(), FileFault> {
        self.told.files.borrow_mut().push((name.to_owned(), Vec::new()));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileFault> {
        if let Some((_, content)) = self.told.files.borrow_mut().last_mut() {
            content.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn finish(&mut self, is_hashed: bool) -> Result<(), FileFault> {
        assert!(is_hashed, "our own owner says what a file must be");
        Ok(())
    }

    fn abort(&mut self) {}
}
