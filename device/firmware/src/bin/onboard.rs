//! Onboards (FDO): is made by a manufacturer (DI), finds its owner (TO1) and is taken over by it (TO2), with nobody but a
//! recording of what they answer to a device that draws these random numbers.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::{boxed::Box, vec, vec::Vec};

use crypto::{SignatureAlgorithm, SigningKey, Zeroizing};
use fdo::{
    CipherSuite, Credential, DeviceInfo, KeyEncoding, KeyType, Message, MessageType, SoftSecrets, Step,
    device::{Di, Outcome, To1, To2, To2Options},
    service_info::{Activity, DeviceEngine, DeviceModule, ModuleFault, Outgoing, modules::Devmod},
};
use sextant_firmware::Failure;

/// What all servers answer, one after another: the number of a message, its length in two bytes, and its body. Written by the
/// test `firmware` of `protocols/fdo`.
static ANSWERS: &[u8] = include_bytes!("../../fixtures/onboarding.answers");

#[cortex_m_rt::entry]
fn main() -> ! {
    sextant_firmware::run(onboard, refuse)
}

/// The whole way.
fn onboard() -> Result<(), Failure> {
    match travel(&mut Recording(core::hint::black_box(ANSWERS)))? {
        Outcome::Replaced(credential) if credential.guid.0 == [7; 16] => Ok(()),
        _ => Err("the device is not its owner's"),
    }
}

/// Of an owner that does not sign what it says the device is nobody's.
fn refuse() -> Result<(), Failure> {
    let mut changed = ANSWERS.to_vec();
    let at = proof_of_owner(&changed).ok_or("no proof of the owner")?;
    if let Some(byte) = changed.get_mut(at) {
        *byte ^= 1;
    }
    match travel(&mut Recording(&changed)) {
        Err("TO2 failed") => Ok(()),
        _ => Err("an owner was believed that proved nothing"),
    }
}

/// Where the last byte of the owner's proof is, which is of its signature.
fn proof_of_owner(answers: &[u8]) -> Option<usize> {
    let mut recording = Recording(answers);
    loop {
        let (found, _) = recording.hear().ok()?;
        if found == MessageType::ProveOvHeader {
            return Some(answers.len() - recording.0.len() - 1);
        }
    }
}

fn travel(servers: &mut Recording<'_>) -> Result<Outcome, Failure> {
    let key = SigningKey::from_bytes(SignatureAlgorithm::Es256, &[61; 32]).map_err(|_| "the device's key")?;
    let secrets = SoftSecrets { key, hmac_secret: Zeroizing::new(b"secret of the device".to_vec()) };
    let credential = make(servers, &secrets)?;
    let redirect = find(servers, &credential, &secrets)?;
    take_over(servers, &credential, redirect, &secrets)
}

fn make(servers: &mut Recording<'_>, secrets: &SoftSecrets) -> Result<Credential, Failure> {
    let info = DeviceInfo {
        key_type: KeyType::Secp256r1,
        encoding: KeyEncoding::X509,
        serial: "1".into(),
        info: "camera".into(),
        request: b"read by the certificate authority".to_vec(),
    };
    let (mut di, first) = Di::begin(info);
    servers.exchange(first, |found, body| di.receive(found, body, secrets).map_err(|_| "DI failed"))
}

fn find(
    servers: &mut Recording<'_>,
    credential: &Credential,
    secrets: &SoftSecrets,
) -> Result<Vec<u8>, Failure> {
    let (mut to1, first) = To1::begin(credential, secrets);
    servers.exchange(first, |found, body| to1.receive(found, body, secrets).map_err(|_| "TO1 failed"))
}

fn take_over(
    servers: &mut Recording<'_>,
    credential: &Credential,
    redirect: Vec<u8>,
    secrets: &SoftSecrets,
) -> Result<Outcome, Failure> {
    let options = To2Options::for_credential(credential).ok_or("no key exchange")?;
    let options = To2Options { cipher: CipherSuite::A128Gcm, ..options };
    let devmod = Devmod {
        os: "none".into(),
        arch: "arm".into(),
        version: "1".into(),
        device: "camera".into(),
        separator: ";".into(),
        binaries: "elf".into(),
        ..Devmod::default()
    };
    let modules: Vec<Box<dyn DeviceModule>> = vec![Box::new(Greeting { said: false })];
    let mut engine = DeviceEngine::new(&devmod, modules).map_err(|_| "its modules")?;
    let mut random = Random(1);
    let (mut to2, first) =
        To2::begin(credential, Some(redirect), options, secrets, &mut |bytes| random.fill(bytes));
    servers.exchange(first, |found, body| {
        let step = to2.receive(found, body, secrets, &mut engine, &mut |bytes| random.fill(bytes));
        step.map_err(|_| "TO2 failed")
    })
}

/// Answers that were heard before.
struct Recording<'a>(&'a [u8]);

impl<'a> Recording<'a> {
    fn hear(&mut self) -> Result<(MessageType, &'a [u8]), Failure> {
        let short = "the recording is too short";
        let (head, rest) = self.0.split_first_chunk::<3>().ok_or(short)?;
        let [number, len @ ..] = *head;
        let (body, rest) = rest.split_at_checked(u16::from_be_bytes(len).into()).ok_or(short)?;
        self.0 = rest;
        Ok((MessageType::from_number(number).ok_or("a message of another kind")?, body))
    }

    /// One protocol. Messages of the device go nowhere.
    fn exchange<T>(
        &mut self,
        first: Message,
        mut receive: impl FnMut(MessageType, &[u8]) -> Result<Step<T>, Failure>,
    ) -> Result<T, Failure> {
        let mut message = first;
        loop {
            core::hint::black_box(&message);
            let (found, body) = self.hear()?;
            match receive(found, body)? {
                Step::Send(next) => message = next,
                Step::Done(value) => return Ok(value),
            }
        }
    }
}

/// The numbers that the recorded device drew: a linear congruential generator (Knuth).
struct Random(u64);

impl Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *byte = (self.0 >> 33) as u8;
        }
    }
}

/// A module that says one word, and hears one.
struct Greeting {
    said: bool,
}

const GREETING: &str = "test.greeting";

impl DeviceModule for Greeting {
    fn name(&self) -> &str {
        GREETING
    }

    fn receive(&mut self, message: &str, _value: &[u8], _out: &mut Outgoing) -> Result<(), ModuleFault> {
        if message == "welcome" { Ok(()) } else { Err(ModuleFault::MessageUnknown) }
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        if !core::mem::replace(&mut self.said, true) {
            out.send(GREETING, "hello", |w| _ = w.text("device"))?;
        }
        Ok(Activity::Idle)
    }
}
