//! All roles in memory: each message goes through one function, where a test can look at it or change it.

use crypto::{SignatureAlgorithm, SigningKey, Zeroizing};
use sextant_fdo::{
    AppStart, CipherSuite, Credential, DeviceChain, DeviceInfo, Failure, Guid, HelloDevice, HelloRv, Key,
    KeyEncoding, ManufacturerSession, Message, MessageType, NewDevice, OwnerAddress, OwnerKey, PublicKey,
    Redirect, RedirectionSession, Registration, RegistrationSession, RendezvousInfo, Signer, SoftSecrets,
    Step, Transport, Voucher,
    device::{Di, Outcome, To1, To2, To2Options},
    owner::{OwnerOptions, OwnerSession, Setup, To0},
    service_info::{
        self, Absent, Action, Activity, Advance, Backend, CustomSteps, DeviceEngine, DeviceModule,
        ModuleFault, ObjectId, Outgoing, Program, ProgramId, ServiceFault, modules::Devmod,
    },
};
use x509::Certificate;

use super::{Manufacturer, key};

/// Bytes that differ each time, and are the same in each run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn fill(&mut self) -> impl FnMut(&mut [u8]) + '_ {
        |bytes| {
            for byte in bytes {
                // Constants of a linear congruential generator (Knuth).
                self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                *byte = (self.0 >> 33) as u8;
            }
        }
    }
}

/// Who sees each message before it arrives.
pub(crate) type Wire<'w> = &'w mut dyn FnMut(&mut Message);

/// A device, as far as it is made.
pub(crate) struct Device {
    pub(crate) secrets: SoftSecrets,
    pub(crate) credential: Credential,
    pub(crate) random: Random,
}

/// A module of the device that says one word, and hears one.
pub(crate) struct Greeting {
    said: bool,
}

impl DeviceModule for Greeting {
    fn name(&self) -> &str {
        GREETING
    }

    fn receive(&mut self, message: &str, _value: &[u8], _out: &mut Outgoing) -> Result<(), ModuleFault> {
        if message == "welcome" { Ok(()) } else { Err(ModuleFault::MessageUnknown) }
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        if !std::mem::replace(&mut self.said, true) {
            out.send(GREETING, "hello", |w| _ = w.text("device"))?;
        }
        Ok(Activity::Idle)
    }
}

const GREETING: &str = "test.greeting";

/// The other side of it.
struct Welcome;

impl CustomSteps for Welcome {
    fn advance(
        &mut self,
        _id: ObjectId,
        state: &mut Vec<u8>,
        out: &mut Outgoing,
    ) -> Result<Advance, ServiceFault> {
        if state.is_empty() {
            return Ok(Advance::Wait);
        }
        out.send(GREETING, "welcome", |w| _ = w.bool(true))?;
        Ok(Advance::Done(service_info::Outcome::Done(0)))
    }

    fn receive(
        &mut self,
        _id: ObjectId,
        state: &mut Vec<u8>,
        (message, _value): (&str, &[u8]),
        _out: &mut Outgoing,
    ) -> Result<(), ServiceFault> {
        *state = message.as_bytes().to_vec();
        Ok(())
    }
}

fn program() -> Program {
    let action = Action::Custom { module: GREETING.into(), id: ObjectId(1) };
    Program::new(ProgramId([1; 16]), vec![service_info::Step { action, required: true }]).expect("a program")
}

fn engine() -> DeviceEngine<'static> {
    let devmod = Devmod {
        os: "linux".into(),
        arch: "x86".into(),
        version: "1".into(),
        device: "camera".into(),
        separator: ";".into(),
        binaries: "elf".into(),
        ..Devmod::default()
    };
    DeviceEngine::new(&devmod, vec![Box::new(Greeting { said: false })]).expect("an engine")
}

/// The factory makes a device and its voucher.
pub(crate) fn make(
    manufacturer: &Manufacturer,
    device: SigningKey,
    rendezvous: &RendezvousInfo,
    wire: Wire<'_>,
) -> Result<(Device, Vec<u8>), Failure> {
    make_with(manufacturer, &manufacturer.key, device, rendezvous, wire)
}

/// The same with another key of the factory's.
pub(crate) fn make_with(
    manufacturer: &Manufacturer,
    key: &dyn Signer,
    device: SigningKey,
    rendezvous: &RendezvousInfo,
    wire: Wire<'_>,
) -> Result<(Device, Vec<u8>), Failure> {
    let secrets = SoftSecrets { key: device, hmac_secret: Zeroizing::new(super::SECRET.to_vec()) };
    let info = DeviceInfo {
        key_type: PublicKey::new(key.key(), manufacturer.encoding)?.key_type(),
        encoding: manufacturer.encoding,
        serial: "1".into(),
        info: "camera".into(),
        request: b"read by the certificate authority".to_vec(),
    };
    let (mut di, mut message) = Di::begin(info);
    wire(&mut message);
    let AppStart::Device(told) = AppStart::decode(&message.body)? else { panic!("not what was sent") };
    let certificate = manufacturer.certify(secrets.key.public_key());
    let certificates = [certificate.as_der().to_vec(), manufacturer.authority.as_der().to_vec()];
    let (session, mut message) = ManufacturerSession::begin(NewDevice {
        guid: Guid([9; 16]),
        info: &told.info,
        rendezvous,
        manufacturer: PublicKey::new(key.key(), told.encoding)?,
        certificates: &certificates,
    })?;
    let session = ManufacturerSession::from_bytes(&session.to_bytes())?;
    wire(&mut message);
    let Step::Send(mut message) = di.receive(message.message_type, &message.body, &secrets)? else {
        panic!("done too early")
    };
    wire(&mut message);
    let mut made = session.finish(&message.body)?;
    wire(&mut made.message);
    let Step::Done(credential) = di.receive(made.message.message_type, &made.message.body, &secrets)? else {
        panic!("not done")
    };
    Ok((Device { secrets, credential, random: Random::new(1) }, made.voucher))
}

/// The owner registers, the device asks. What the device learns is the redirection.
pub(crate) fn find(
    device: &Device,
    voucher: &[u8],
    owner: &dyn OwnerKey,
    wire: Wire<'_>,
) -> Result<Vec<u8>, Failure> {
    let mut random = Random::new(2);
    let registration = register(voucher, owner, &mut random, wire)?;
    let (mut to1, mut message) = To1::begin(&device.credential, &device.secrets);
    wire(&mut message);
    let hello = HelloRv::decode(&message.body)?;
    let (session, mut message) = RedirectionSession::begin(&hello, &mut random.fill())?;
    let session = RedirectionSession::from_bytes(&session.to_bytes())?;
    wire(&mut message);
    let Step::Send(mut message) = to1.receive(message.message_type, &message.body, &device.secrets)? else {
        panic!("done too early")
    };
    wire(&mut message);
    let mut message = session.redirect(&message.body, &registration.device_key, &registration.redirect)?;
    wire(&mut message);
    match to1.receive(message.message_type, &message.body, &device.secrets)? {
        Step::Done(redirect) => Ok(redirect),
        Step::Send(_) => panic!("not done"),
    }
}

/// TO0.
pub(crate) fn register(
    voucher: &[u8],
    owner: &dyn OwnerKey,
    random: &mut Random,
    wire: Wire<'_>,
) -> Result<Registration, Failure> {
    let owned = Voucher::decode(voucher)?.claim(&owner.key(), DeviceChain::OfManufacturer)?;
    let addresses = [OwnerAddress {
        ip: None,
        dns: Some("owner.example".into()),
        port: 443,
        transport: Transport::Https,
    }];
    let (mut to0, mut message) = To0::begin(&owned, &addresses, 3600);
    wire(&mut message);
    let (session, mut message) = RegistrationSession::begin(&message.body, &mut random.fill())?;
    let session = RegistrationSession::of(session.nonce());
    wire(&mut message);
    let Step::Send(mut message) = to0.receive(message.message_type, &message.body, owner)? else {
        panic!("done too early")
    };
    wire(&mut message);
    let registration = session.register(&message.body, DeviceChain::OfManufacturer)?;
    let mut message = Registration::accept(registration.wait_seconds.min(600));
    wire(&mut message);
    let Step::Done(seconds) = to0.receive(message.message_type, &message.body, owner)? else {
        panic!("not done")
    };
    assert!(seconds > 0, "an owner that is not remembered is told as a refusal");
    Ok(registration)
}

/// The owner's side of TO2, which keeps nothing but bytes between two messages.
pub(crate) struct Owner<'o> {
    pub(crate) key: &'o dyn OwnerKey,
    pub(crate) voucher: &'o [u8],
    pub(crate) options: OwnerOptions,
    pub(crate) becomes: Option<(Guid, &'o RendezvousInfo, &'o dyn OwnerKey)>,
    pub(crate) random: Random,
    pub(crate) session: Vec<u8>,
    /// The voucher that TO2 ended with.
    pub(crate) finished: Option<Option<Vec<u8>>>,
}

impl<'o> Owner<'o> {
    pub(crate) fn new(key: &'o dyn OwnerKey, voucher: &'o [u8]) -> Self {
        Self {
            key,
            voucher,
            options: OwnerOptions::default(),
            becomes: None,
            random: Random::new(3),
            session: Vec::new(),
            finished: None,
        }
    }

    pub(crate) fn answer(&mut self, message: &Message) -> Result<Message, Failure> {
        let body = &message.body;
        let voucher = Voucher::decode(self.voucher)?;
        let mut random = Random(self.random.0);
        let mut fill = random.fill();
        if message.message_type == MessageType::HelloDevice {
            HelloDevice::decode(body)?;
            let owned = voucher.claim(&self.key.key(), DeviceChain::OfManufacturer)?;
            let (session, answer) = OwnerSession::begin(body, &owned, &self.options, self.key, &mut fill)?;
            self.session = session.to_bytes().to_vec();
            return Ok(answer);
        }
        if !matches!(message.message_type.number(), 62 | 64 | 66 | 68 | 70) {
            return Err(Failure::OutOfOrder { found: message.message_type });
        }
        let mut session = OwnerSession::from_bytes(&self.session)?;
        let answer = match message.message_type {
            MessageType::GetOvNextEntry => session.entry(body, &voucher)?,
            MessageType::ProveDevice => {
                let setup = match self.becomes {
                    None => Setup::Keep,
                    Some((guid, rendezvous, owner)) => Setup::Replace { guid, rendezvous, owner },
                };
                session.set_up(body, &voucher, &setup, self.key, &mut fill)?
            }
            MessageType::DeviceServiceInfoReady => {
                let (next, answer) = session.ready(body, &self.options, &mut fill)?;
                session = next;
                answer
            }
            MessageType::DeviceServiceInfo => {
                let backend = &mut Backend {
                    contents: &Absent,
                    sink: &mut Absent,
                    issuer: &mut Absent,
                    steps: &mut Welcome,
                };
                session.service_info(body, &program(), backend, &mut fill)?
            }
            MessageType::Done => {
                let finished = session.done(body, &voucher, &mut fill)?;
                self.finished = Some(finished.voucher);
                finished.message
            }
            found => return Err(Failure::OutOfOrder { found }),
        };
        drop(fill);
        self.random = random;
        self.session = session.to_bytes().to_vec();
        Ok(answer)
    }
}

/// TO2 between both.
pub(crate) fn onboard(
    device: &mut Device,
    redirect: Option<Vec<u8>>,
    options: To2Options,
    owner: &mut Owner<'_>,
    wire: Wire<'_>,
) -> Result<Outcome, Failure> {
    let mut engine = engine();
    let Device { secrets, credential, random } = device;
    let (mut to2, mut message) = To2::begin(credential, redirect, options, secrets, &mut random.fill());
    loop {
        wire(&mut message);
        let mut answer = owner.answer(&message)?;
        if owner.session.len() > 40 {
            let session = OwnerSession::from_bytes(&owner.session)?;
            if let (Some(ours), Some(theirs)) = (session.binding(), to2.binding()) {
                assert_eq!(ours, theirs, "both ends have the same");
            }
        }
        wire(&mut answer);
        let fill = &mut random.fill();
        match to2.receive(answer.message_type, &answer.body, secrets, &mut engine, fill)? {
            Step::Send(next) => message = next,
            Step::Done(outcome) => return Ok(outcome),
        }
    }
}

/// Options with what is strongest but for the cipher suite.
pub(crate) fn options(device: &Device, cipher: CipherSuite) -> To2Options {
    To2Options { cipher, ..To2Options::for_credential(&device.credential).expect("a key exchange") }
}

/// An owner that permits a cipher suite and no other.
pub(crate) fn permitting(mut owner: Owner<'_>, cipher: CipherSuite) -> Owner<'_> {
    owner.options.ciphers = vec![cipher];
    owner
}

pub(crate) fn encodings() -> [KeyEncoding; 2] {
    [KeyEncoding::X509, KeyEncoding::CoseKey]
}

pub(crate) fn untouched() -> impl FnMut(&mut Message) {
    |_| {}
}

pub(crate) fn device_key(algorithm: SignatureAlgorithm) -> SigningKey {
    key(algorithm, 61)
}

/// Whether a redirection is by this key.
pub(crate) fn is_by(redirect: &[u8], key: impl Into<Key>) -> bool {
    let key = PublicKey::new(key, KeyEncoding::X509).expect("a type");
    Redirect::decode(redirect).expect("well-formed").verify(&key).is_ok()
}

pub(crate) fn anchored(certificate: &Certificate) -> DeviceChain<'_> {
    DeviceChain::Anchored { anchors: core::slice::from_ref(certificate), now: super::NOW }
}
