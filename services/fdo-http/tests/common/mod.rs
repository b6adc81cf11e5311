//! Manufacturer, rendezvous server and owner in one process on loopback, over HTTP with or without TLS, which can be told to
//! misbehave.

#![allow(dead_code, reason = "each test file uses what it needs")]

pub(crate) mod http;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crypto::{SignatureAlgorithm, SigningKey};
use fdo::{
    AppStart, Binding, DeviceChain, Directive, ErrorCode, ErrorMessage, Failure, Guid, HelloDevice, HelloRv,
    Instruction, KeyEncoding, ManufacturerSession, Message, MessageType, NewDevice, OwnerAddress, Protocol,
    PublicKey, RedirectionSession, Refusal, Registration, RegistrationSession, RendezvousInfo, Signer as _,
    Target, Transport, Voucher,
    owner::{OwnerOptions, OwnerSession, Setup},
    service_info::{Absent, Backend, Program, ProgramId},
};
use x509::{Certificate, CertificateBuilder, CertificationRequest, KeyUsage, Name, Validity};

use self::http::{Answer, Misbehaviour};

/// The key whose bytes all are `number`.
pub(crate) fn es256(number: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[number; 32]).expect("a key")
}

pub(crate) fn manufacturer() -> SigningKey {
    es256(1)
}

pub(crate) fn owner() -> SigningKey {
    es256(2)
}

/// Whom devices belong to after onboarding.
pub(crate) fn next_owner() -> SigningKey {
    es256(3)
}

/// The party that all servers are, and what it does wrong.
pub(crate) struct Party {
    pub(crate) target: Target,
    /// Certificate of TLS, and that of its authority, in DER.
    pub(crate) certificate: Vec<u8>,
    pub(crate) authority: Vec<u8>,
    pub(crate) state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    /// What new devices are told.
    pub(crate) rendezvous: RendezvousInfo,
    /// Each voucher, sold to the owner.
    pub(crate) vouchers: HashMap<Guid, Vec<u8>>,
    pub(crate) registrations: HashMap<Guid, Registration>,
    /// What it answers with in place of the redirections that were registered.
    pub(crate) redirect: Option<Vec<u8>>,
    /// Whether devices are set up anew, and as what. Otherwise they stay what they are.
    pub(crate) becomes: Option<(Guid, RendezvousInfo)>,
    /// Whose key it has.
    pub(crate) owner: SigningKey,
    /// What it does with devices in TO2.
    pub(crate) script: Box<dyn Script + Send>,
    /// Types of messages as they came.
    pub(crate) received: Vec<u8>,
    /// Errors that were reported to it.
    pub(crate) errors: Vec<ErrorMessage>,
    /// Vouchers that TO2 ended with.
    pub(crate) finished: Vec<Option<Vec<u8>>>,
    /// What it does wrong when a message of this type comes, and how often.
    pub(crate) wrong: Option<(u8, Misbehaviour, usize)>,
    sessions: HashMap<String, Progress>,
    tokens: u64,
    /// Anything random.
    counter: u64,
}

/// What an owner does with devices once they are proven.
pub(crate) trait Script {
    fn program(&self) -> Program;

    /// What the session has and nobody else.
    fn bind(&mut self, _guid: &Guid, _binding: &Binding) {}

    fn backend(&mut self) -> Backend<'_>;
}

/// An owner that wants nothing.
struct Nothing([Absent; 3]);

impl Script for Nothing {
    fn program(&self) -> Program {
        Program::new(ProgramId([0; 16]), Vec::new()).expect("a program")
    }

    fn backend(&mut self) -> Backend<'_> {
        let [sink, issuer, steps] = &mut self.0;
        Backend { contents: &Absent, sink, issuer, steps }
    }
}

enum Progress {
    Di(ManufacturerSession, Guid),
    To0(RegistrationSession),
    To1(RedirectionSession),
    To2(Box<OwnerSession>),
}

impl Party {
    /// Over plain HTTP.
    pub(crate) fn start() -> Self {
        http::start(false)
    }

    /// Over TLS.
    pub(crate) fn with_tls() -> Self {
        http::start(true)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address under which the owner is registered.
    pub(crate) fn address(&self) -> OwnerAddress {
        OwnerAddress {
            ip: Some([127, 0, 0, 1].into()),
            dns: None,
            port: self.target.port,
            transport: if self.target.tls { Transport::Https } else { Transport::Http },
        }
    }

    /// The voucher of a device as its owner has it.
    pub(crate) fn voucher(&self, guid: &Guid) -> Vec<u8> {
        self.state().vouchers[guid].clone()
    }
}

/// The way to a server.
pub(crate) fn directive(target: &Target, more: &[Instruction]) -> Directive {
    let protocol = if target.tls { Protocol::Https } else { Protocol::Http };
    let mut instructions = vec![
        Instruction::IpAddress([127, 0, 0, 1].into()),
        Instruction::DevicePort(target.port),
        Instruction::OwnerPort(target.port),
        Instruction::Protocol(protocol),
        Instruction::Delay(0),
    ];
    instructions.extend_from_slice(more);
    Directive { instructions }
}

impl State {
    pub(crate) fn new(target: &Target) -> Self {
        Self {
            rendezvous: RendezvousInfo { directives: vec![directive(target, &[])] },
            vouchers: HashMap::new(),
            registrations: HashMap::new(),
            redirect: None,
            becomes: None,
            owner: owner(),
            script: Box::new(Nothing([Absent; 3])),
            received: Vec::new(),
            errors: Vec::new(),
            finished: Vec::new(),
            wrong: None,
            sessions: HashMap::new(),
            tokens: 0,
            counter: 0,
        }
    }

    /// Answers one message. Each answer has a new token, and only the newest is good.
    pub(crate) fn answer(&mut self, number: u8, token: Option<&str>, body: &[u8]) -> Answer {
        self.received.push(number);
        let Some(message_type) = MessageType::from_number(number) else { return Answer::status(404) };
        if message_type == MessageType::Error {
            self.errors.push(ErrorMessage::decode(body).expect("an error message"));
            token.map(|token| self.sessions.remove(token));
            return Answer::status(200);
        }
        assert_eq!(token.is_none(), message_type.begins(), "a token on each message but the first");
        let progress = token.and_then(|token| self.sessions.remove(token));
        if token.is_some() && progress.is_none() {
            return Answer::error(401, ErrorCode::InvalidToken, number);
        }
        match self.step(message_type, progress, body) {
            Ok((message, progress)) => {
                let token = progress.map(|progress| {
                    self.tokens += 1;
                    let token = format!("Bearer token-{}", self.tokens);
                    self.sessions.insert(token.clone(), progress);
                    token
                });
                Answer { token, ..Answer::message(&message) }
            }
            Err(failure) => match failure.message(message_type) {
                Some(message) => Answer { body: message.encode(), ..Answer::error_message(500) },
                None => Answer::status(500),
            },
        }
    }

    fn step(
        &mut self,
        message_type: MessageType,
        progress: Option<Progress>,
        body: &[u8],
    ) -> Result<(Message, Option<Progress>), Failure> {
        let out_of_order = Failure::OutOfOrder { found: message_type };
        let mut counter = self.counter;
        let mut fill = |bytes: &mut [u8]| {
            for byte in bytes {
                // Constants of a linear congruential generator (Knuth).
                counter = counter.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                *byte = (counter >> 33) as u8;
            }
        };
        let result = match (message_type, progress) {
            (MessageType::AppStart, None) => self.begin_device(body, &mut fill),
            (MessageType::SetHmac, Some(Progress::Di(session, guid))) => {
                let made = session.finish(body)?;
                let voucher = Voucher::decode(&made.voucher)?;
                let sold = voucher.extend(owner().public_key())?.sign(&manufacturer())?;
                self.vouchers.insert(guid, sold);
                Ok((made.message, None))
            }
            (MessageType::Hello, None) => {
                let (session, message) = RegistrationSession::begin(body, &mut fill)?;
                Ok((message, Some(Progress::To0(session))))
            }
            (MessageType::OwnerSign, Some(Progress::To0(session))) => {
                let registration = session.register(body, DeviceChain::OfManufacturer)?;
                let seconds = registration.wait_seconds.min(600);
                self.registrations.insert(registration.guid, registration);
                Ok((Registration::accept(seconds), None))
            }
            (MessageType::HelloRv, None) => {
                let hello = HelloRv::decode(body)?;
                if !self.registrations.contains_key(&hello.guid) {
                    return Err(Refusal::Guid.into());
                }
                let (session, message) = RedirectionSession::begin(&hello, &mut fill)?;
                Ok((message, Some(Progress::To1(session))))
            }
            (MessageType::ProveToRv, Some(Progress::To1(session))) => {
                let registration = &self.registrations[session.guid()];
                let redirect = self.redirect.as_ref().unwrap_or(&registration.redirect);
                Ok((session.redirect(body, &registration.device_key, redirect)?, None))
            }
            (MessageType::HelloDevice, None) => {
                let guid = HelloDevice::decode(body)?.guid;
                let voucher = self.vouchers.get(&guid).ok_or(Refusal::Guid)?;
                let owned =
                    Voucher::decode(voucher)?.claim(&self.owner.key(), DeviceChain::OfManufacturer)?;
                let options = OwnerOptions::default();
                let (session, message) = OwnerSession::begin(body, &owned, &options, &self.owner, &mut fill)?;
                Ok((message, Some(Progress::To2(Box::new(session)))))
            }
            (_, Some(Progress::To2(session))) => self.take_over(message_type, session, body, &mut fill),
            _ => Err(out_of_order),
        };
        self.counter = counter.wrapping_add(1);
        result
    }

    fn begin_device(
        &mut self,
        body: &[u8],
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(Message, Option<Progress>), Failure> {
        let AppStart::Device(told) = AppStart::decode(body)? else { return Err(Refusal::DeviceInfo.into()) };
        let request =
            CertificationRequest::decode(&told.request).ok().and_then(|request| request.verify().ok());
        let request = request.ok_or(Refusal::CertificationRequest)?;
        let certificates = certify(request.public_key());
        let mut guid = Guid([0; Guid::LEN]);
        fill(&mut guid.0);
        let (session, message) = ManufacturerSession::begin(NewDevice {
            guid,
            info: &told.info,
            rendezvous: &self.rendezvous,
            manufacturer: PublicKey::new(manufacturer().public_key(), told.encoding)?,
            certificates: &certificates,
        })?;
        Ok((message, Some(Progress::Di(session, guid))))
    }

    fn take_over(
        &mut self,
        message_type: MessageType,
        mut session: Box<OwnerSession>,
        body: &[u8],
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(Message, Option<Progress>), Failure> {
        let guid = *session.guid();
        let voucher = Voucher::decode(&self.vouchers[&guid])?;
        let message = match message_type {
            MessageType::GetOvNextEntry => session.entry(body, &voucher)?,
            MessageType::ProveDevice => {
                let next = next_owner();
                let setup = match &self.becomes {
                    None => Setup::Keep,
                    Some((guid, rendezvous)) => Setup::Replace { guid: *guid, rendezvous, owner: &next },
                };
                let message = session.set_up(body, &voucher, &setup, &self.owner, fill)?;
                self.script.bind(&guid, &session.binding().expect("the device is proven"));
                message
            }
            MessageType::DeviceServiceInfoReady => {
                let (next, message) = session.ready(body, &OwnerOptions::default(), fill)?;
                *session = next;
                message
            }
            MessageType::DeviceServiceInfo => {
                let program = self.script.program();
                session.service_info(body, &program, &mut self.script.backend(), fill)?
            }
            MessageType::Done => {
                let finished = session.done(body, &voucher, fill)?;
                self.finished.push(finished.voucher);
                return Ok((finished.message, None));
            }
            found => return Err(Failure::OutOfOrder { found }),
        };
        Ok((message, Some(Progress::To2(session))))
    }
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn validity() -> Validity {
    Validity { not_before: 1_700_000_000, not_after: 4_000_000_000 }
}

/// A certificate that the manufacturer gives a device, and that of its authority.
fn certify(key: &crypto::PublicKey) -> [Vec<u8>; 2] {
    let authority_key = es256(50);
    let authority =
        CertificateBuilder::new(name("O=Maker, CN=Device CA"), authority_key.public_key(), &[7], validity());
    let authority: Certificate =
        authority.authority(None).self_signed(&authority_key).expect("a certificate");
    let device = CertificateBuilder::new(name("O=Maker, CN=Device"), key, &[8], validity())
        .key_usage(Some(KeyUsage::DIGITAL_SIGNATURE))
        .issued_by(&authority, &authority_key)
        .expect("a certificate");
    [device.as_der().to_vec(), authority.as_der().to_vec()]
}

/// How the keys of owners are written here.
pub(crate) const ENCODING: KeyEncoding = KeyEncoding::X509;
