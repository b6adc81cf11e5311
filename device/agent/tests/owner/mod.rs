//! An owner as devices meet it: it wants evidence, gives what a device needs, and does what else a test says.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crypto::{Digest, HashAlgorithm};
use fdo::{
    Binding, Guid,
    provision::{ACCEPTED, EVIDENCE, MODULE, PROVISION, PROVISIONED, Provision},
    service_info::{
        Action, Advance, Backend, BackendFault, Contents, CustomSteps, ObjectId, Outcome, Outgoing, Program,
        ProgramId, ServiceFault, Sink, Step,
        modules::{CertificateFormat, CsrError, Issuer},
    },
};
use x509::{CertificateBuilder, CertificationRequest, Validity};

use crate::party::{Script, es256};

/// The one file that it has.
pub(crate) const CONTENTS: ObjectId = ObjectId(1);

pub(crate) fn contents() -> Vec<u8> {
    (0..3000u32).map(|n| (n % 251) as u8).collect()
}

/// What it learned in the newest session.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) binding: Option<[u8; Binding::LEN]>,
    pub(crate) evidence: Option<Vec<u8>>,
    /// What the device made of what it was given.
    pub(crate) answer: Option<String>,
    /// What came of the device, by its place.
    pub(crate) sink: HashMap<u64, Vec<u8>>,
}

#[derive(Clone)]
pub(crate) struct Owner {
    steps: Vec<Step>,
    seen: Arc<Mutex<Seen>>,
    custom: Provisioner,
    places: Places,
    issuer: Authority,
}

#[derive(Clone)]
struct Provisioner {
    provision: Option<Vec<u8>>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Clone)]
struct Places(Arc<Mutex<Seen>>);

#[derive(Clone)]
struct Authority;

/// Waits for evidence, in place of which there is nothing.
const ASKED: u8 = 1;
const GIVEN: u8 = 2;
const TAKEN: u8 = 3;
const NOT_TAKEN: u8 = 4;

impl Owner {
    /// One that gives this, if anything.
    pub(crate) fn new(provision: Option<Provision>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let provision = provision.map(|provision| provision.encode().expect("it is short").to_vec());
        let custom = Action::Custom { module: MODULE.into(), id: ObjectId(0) };
        let steps = provision.iter().map(|_| Step { action: custom.clone(), required: true }).collect();
        let custom = Provisioner { provision, seen: seen.clone() };
        Self { steps, custom, places: Places(seen.clone()), issuer: Authority, seen }
    }

    /// And then does this.
    pub(crate) fn then(mut self, actions: impl IntoIterator<Item = Action>) -> Self {
        self.steps.extend(actions.into_iter().map(|action| Step { action, required: true }));
        self
    }

    pub(crate) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Script for Owner {
    fn program(&self) -> Program {
        Program::new(ProgramId([1; 16]), self.steps.clone()).expect("a program")
    }

    fn bind(&mut self, _guid: &Guid, binding: &Binding) {
        *lock(&self.seen) = Seen { binding: Some(binding.0), ..Seen::default() };
    }

    fn backend(&mut self) -> Backend<'_> {
        Backend {
            contents: &Authority,
            sink: &mut self.places,
            issuer: &mut self.issuer,
            steps: &mut self.custom,
        }
    }
}

impl CustomSteps for Provisioner {
    fn advance(
        &mut self,
        _id: ObjectId,
        state: &mut Vec<u8>,
        out: &mut Outgoing,
    ) -> Result<Advance, ServiceFault> {
        match state.first() {
            Some(&ASKED) => {
                let provision = self.provision.as_ref().expect("there is one");
                out.send(MODULE, PROVISION, |w| _ = w.raw(provision))?;
                *state = vec![GIVEN];
                Ok(Advance::Wait)
            }
            Some(&TAKEN) => Ok(Advance::Done(Outcome::Done(0))),
            Some(&NOT_TAKEN) => Ok(Advance::Wait),
            _ => Ok(Advance::Wait),
        }
    }

    fn receive(
        &mut self,
        _id: ObjectId,
        state: &mut Vec<u8>,
        (message, value): (&str, &[u8]),
        _out: &mut Outgoing,
    ) -> Result<(), ServiceFault> {
        let mut reader = cbor::Reader::new(value);
        match message {
            EVIDENCE => {
                let evidence = reader.bytes().map_err(ServiceFault::Malformed)?;
                lock(&self.seen).evidence = Some(evidence.to_vec());
                *state = vec![ASKED];
            }
            PROVISIONED => {
                let answer = reader.text().map_err(ServiceFault::Malformed)?;
                lock(&self.seen).answer = Some(answer.into());
                *state = vec![if answer == ACCEPTED { TAKEN } else { NOT_TAKEN }];
            }
            other => panic!("the module has no {other}"),
        }
        Ok(())
    }
}

impl Contents for Authority {
    fn len(&self, _: ObjectId) -> Result<u64, BackendFault> {
        Ok(contents().len() as u64)
    }

    fn read(&self, _: ObjectId, offset: u64, bytes: &mut [u8]) -> Result<(), BackendFault> {
        let offset = usize::try_from(offset).expect("short");
        bytes.copy_from_slice(&contents()[offset..offset + bytes.len()]);
        Ok(())
    }

    fn sha384(&self, _: ObjectId) -> Result<[u8; 48], BackendFault> {
        sha384(&contents())
    }
}

fn sha384(bytes: &[u8]) -> Result<[u8; 48], BackendFault> {
    Digest::of(HashAlgorithm::Sha384, bytes).as_bytes().try_into().map_err(|_| BackendFault)
}

impl Sink for Places {
    fn write_at(&mut self, id: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), BackendFault> {
        let mut seen = lock(&self.0);
        let place = seen.sink.entry(id.0).or_default();
        place.truncate(usize::try_from(offset).expect("short"));
        place.extend_from_slice(bytes);
        Ok(())
    }

    fn sha384(&mut self, id: ObjectId, len: u64) -> Result<[u8; 48], BackendFault> {
        let seen = lock(&self.0);
        sha384(&seen.sink.get(&id.0).ok_or(BackendFault)?[..usize::try_from(len).expect("short")])
    }

    fn finish(&mut self, _: ObjectId, _: u64) -> Result<(), BackendFault> {
        Ok(())
    }
}

impl Issuer for Authority {
    fn authorities(&mut self, _: CertificateFormat) -> Result<Vec<u8>, CsrError> {
        Err(CsrError::NotSupported)
    }

    fn issue(&mut self, request: &[u8]) -> Result<Vec<u8>, CsrError> {
        let request = CertificationRequest::decode(request).map_err(|_| CsrError::BadRequest)?;
        let request = request.verify().map_err(|_| CsrError::BadRequest)?;
        let key = es256(90);
        let validity = Validity { not_before: 1_700_000_000, not_after: 4_000_000_000 };
        let authority =
            CertificateBuilder::new("CN=Owner CA".parse().unwrap(), key.public_key(), &[1], validity);
        let authority = authority.authority(None).self_signed(&key).expect("a certificate");
        let certificate =
            CertificateBuilder::new(request.subject().clone(), request.public_key(), &[2], validity);
        Ok(certificate.issued_by(&authority, &key).expect("a certificate").as_der().to_vec())
    }
}
