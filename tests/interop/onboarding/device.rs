//! Our device, over HTTP.

use std::{cell::RefCell, rc::Rc};

use crypto::{SignatureAlgorithm, SigningKey, Zeroizing};
use fdo::{
    Binding, CipherSuite, Credential, DeviceInfo, ExchangeSuite, Host, KeyEncoding, KeyType, Message,
    SoftSecrets, Step, SubProtocol, Target,
    device::{Outcome, To2, To2Options},
    service_info::{
        DeviceEngine,
        modules::{Devmod, Download, FileFault, FileSink},
    },
};
use fdo_http::{Candidate, Client, Error, Finding, find_owner, make_device, onboard};
use x509::CertificationRequestBuilder;

/// A device of ours, as far as it is made.
pub(crate) struct OurDevice {
    client: Client,
    secrets: SoftSecrets,
    pub(crate) credential: Credential,
    /// What it was given: names and contents.
    pub(crate) files: Files,
}

type Files = Rc<RefCell<Vec<(String, Vec<u8>)>>>;

impl OurDevice {
    /// DI at a manufacturer, who is asked for a key of a type, written in one way.
    pub(crate) fn made(
        manufacturer: &str,
        algorithm: SignatureAlgorithm,
        key_type: KeyType,
        encoding: KeyEncoding,
    ) -> Result<Self, Error> {
        let key = SigningKey::generate(algorithm, &mut random).expect("a key");
        let mut hmac_secret = Zeroizing::new(vec![0; 32]);
        random(&mut hmac_secret);
        let name = "CN=lamp".parse().expect("a name");
        let request = CertificationRequestBuilder::new(name, key.public_key());
        let info = DeviceInfo {
            key_type,
            encoding,
            serial: "17".into(),
            info: "lamp".into(),
            request: request.sign(&key).expect("a request").as_der().to_vec(),
        };
        let secrets = SoftSecrets { key, hmac_secret };
        let client = Client::default();
        let credential = make_device(&client, &target(manufacturer), info, &secrets)?;
        Ok(Self { client, secrets, credential, files: Files::default() })
    }

    /// Looks for its owner and is taken over, wherever it is told to look. Gives whether it stays what it is.
    pub(crate) fn onboard(&mut self, wanted: To2Options) -> Result<bool, Error> {
        let mut failed = None;
        for finding in self.search() {
            match finding {
                Ok(candidate) => match self.onboard_at(&candidate, wanted) {
                    Ok(reused) => return Ok(reused),
                    Err(error) => failed = Some(error),
                },
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.expect("somewhere to look"))
    }

    /// Where its owner may be, in the order of its directives.
    pub(crate) fn search(&self) -> Vec<Result<Candidate, Error>> {
        let found = find_owner(&self.client, &self.credential, &self.secrets);
        let findings = found.filter_map(|finding| match finding {
            Finding::Candidate(candidate) => Some(Ok(candidate)),
            Finding::Failed(error) => Some(Err(*error)),
            Finding::Wait { .. } => None,
            Finding::Unusable { directive, reason } => panic!("directive {directive}: {reason}"),
        });
        findings.collect()
    }

    /// What it wants of TO2, but for the suites.
    pub(crate) fn wanted(&self, exchange: ExchangeSuite, cipher: CipherSuite) -> To2Options {
        let options = To2Options::for_credential(&self.credential).expect("an exchange");
        To2Options { exchange, cipher, ..options }
    }

    fn onboard_at(&mut self, candidate: &Candidate, wanted: To2Options) -> Result<bool, Error> {
        let mut engine = engine(&self.files);
        let bound = &mut |_: &Binding| {};
        let outcome =
            onboard(&self.client, candidate, &self.credential, wanted, &self.secrets, &mut engine, bound)?;
        match outcome {
            Outcome::Reused => Ok(true),
            Outcome::Replaced(credential) => {
                self.credential = credential;
                Ok(false)
            }
        }
    }

    /// TO2 where each message is changed on its way out. Nothing is kept of it.
    pub(crate) fn onboard_changing(
        &self,
        candidate: &Candidate,
        wanted: To2Options,
        mut change: impl FnMut(&mut Message),
    ) -> Result<(), Error> {
        let mut session = self.client.open(SubProtocol::To2, &candidate.target, &candidate.pins)?;
        let (mut engine, secrets) = (engine(&self.files), &self.secrets);
        let redirect = candidate.redirect.clone();
        let (mut to2, first) = To2::begin(&self.credential, redirect, wanted, secrets, &mut random);
        session.run(first, |found, body| {
            let step = to2.receive(found, body, secrets, &mut engine, &mut random)?;
            Ok(match step {
                Step::Send(mut message) => {
                    change(&mut message);
                    Step::Send(message)
                }
                Step::Done(_) => Step::Done(()),
            })
        })
    }
}

/// A file in memory.
struct Kept {
    files: Files,
    open: (String, Vec<u8>),
}

impl FileSink for Kept {
    fn begin(&mut self, name: &str, _len: Option<u64>) -> Result<(), FileFault> {
        self.open = (name.to_owned(), Vec::new());
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileFault> {
        self.open.1.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self, _is_hashed: bool) -> Result<(), FileFault> {
        self.files.borrow_mut().push(std::mem::take(&mut self.open));
        Ok(())
    }

    fn abort(&mut self) {
        self.open = (String::new(), Vec::new());
    }
}

fn engine(files: &Files) -> DeviceEngine<'static> {
    let devmod = Devmod {
        os: "linux".into(),
        arch: "x86".into(),
        version: "1".into(),
        device: "lamp".into(),
        separator: ";".into(),
        binaries: "elf".into(),
        mud_url: Some("https://lamp.example/mud".into()),
        ..Devmod::default()
    };
    let kept = Kept { files: files.clone(), open: (String::new(), Vec::new()) };
    let download = Download::new(kept, |_: &str| true, 1 << 20);
    DeviceEngine::new(&devmod, vec![Box::new(download)]).expect("an engine")
}

fn target(url: &str) -> Target {
    let address = url.strip_prefix("http://").expect("without TLS");
    let (host, port) = address.rsplit_once(':').expect("a port");
    Target {
        tls: false,
        host: Host::Ip(host.parse().expect("an address")),
        port: port.parse().expect("a port"),
    }
}

fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("randomness");
}
