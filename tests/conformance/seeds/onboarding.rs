//! An onboarding from the factory to the end, as messages and as what both sides keep between two of them.

use std::sync::LazyLock;

use cbor::Writer;
use cose::Sign1Builder;
use crypto::{HashAlgorithm, Zeroizing};
use fdo::{
    AppStart, DeviceChain, DeviceInfo, DeviceServiceInfo, DeviceServiceInfoReady, Done, Guid, HelloRv, Hmac,
    Instruction, KeyEncoding, KeyType, ManufacturerSession, Message, NewDevice, Nonce, OwnerAddress,
    OwnerKey, OwnerServiceInfo, OwnerServiceInfoReady, PublicKey, RedirectionSession, Registration,
    RegistrationSession, RendezvousInfo, SoftSecrets, Step, Transport, Voucher,
    device::{Di, To1, To2, To2Options},
    owner::{OwnerOptions, OwnerSession, Setup, To0},
    provision::{Network, Provision},
    service_info::{Absent, Backend, DeviceEngine, Program, ProgramId, modules::Devmod},
};
use serde_json::Value;
use x509::{CertificateBuilder, KeyUsage, Validity};

use crate::fixture::{NOW, key};

/// Randomness of which nobody asks more than that it is there.
fn ones(bytes: &mut [u8]) {
    bytes.fill(1);
}

fn next<T>(step: Step<T>) -> Message {
    match step {
        Step::Send(message) => message,
        Step::Done(_) => panic!("done too early"),
    }
}

/// Everything in its order, with owners on a curve and, where the build has private RSA keys, with one of those.
pub(super) fn messages() -> Vec<Vec<u8>> {
    // Making RSA keys takes long.
    static MADE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let mut made = vec![credentials(), provision()];
        made.extend(plaintexts());
        made.extend(run(&key(2), &key(3)));
        let rsa = || crypto::RsaSigningKey::generate(2048);
        if let (Ok(maker), Ok(owner)) = (rsa(), rsa()) {
            made.extend(run(&maker, &owner));
        }
        made
    });
    MADE.clone()
}

/// Rows of messages that were recorded, in hexadecimal digits.
pub(super) fn recorded(text: &[u8]) -> Vec<Vec<u8>> {
    let rows: Vec<Value> = serde_json::from_slice(text).unwrap_or_default();
    rows.iter().filter_map(|row| row["hex"].as_str()).map(testkit::hex).collect()
}

fn rendezvous() -> RendezvousInfo {
    let instructions = vec![Instruction::Bypass, Instruction::Dns("owner.northlight.example".into())];
    RendezvousInfo { directives: vec![fdo::Directive { instructions }] }
}

fn run(maker: &dyn OwnerKey, owner: &dyn OwnerKey) -> Vec<Vec<u8>> {
    let mut made = Vec::new();
    let secrets = SoftSecrets { key: key(30), hmac_secret: Zeroizing::new(b"secret".to_vec()) };
    let validity = Validity { not_before: NOW - 1000, not_after: NOW + 1000 };
    let certificate =
        CertificateBuilder::new("CN=lamp".parse().expect("a name"), secrets.key.public_key(), &[7], validity)
            .key_usage(Some(KeyUsage::DIGITAL_SIGNATURE))
            .self_signed(&secrets.key)
            .expect("a certificate");
    let info = DeviceInfo {
        key_type: PublicKey::new(maker.key(), KeyEncoding::X509).expect("of a type").key_type(),
        encoding: KeyEncoding::X509,
        serial: "17".into(),
        info: "lamp".into(),
        request: b"a request".to_vec(),
    };

    let (mut di, message) = Di::begin(info);
    made.push(message.body.clone());
    let AppStart::Device(told) = AppStart::decode(&message.body).expect("our own") else { panic!("our own") };
    let (session, message) = ManufacturerSession::begin(NewDevice {
        guid: Guid([5; 16]),
        info: &told.info,
        rendezvous: &rendezvous(),
        manufacturer: PublicKey::new(maker.key(), told.encoding).expect("of a type"),
        certificates: &[certificate.as_der().to_vec()],
    })
    .expect("a device");
    made.extend([session.to_bytes(), message.body.clone()]);
    let message = next(di.receive(message.message_type, &message.body, &secrets).expect("our own"));
    made.push(message.body.clone());
    let done = session.finish(&message.body).expect("our own");
    let Ok(Step::Done(credential)) = di.receive(done.message.message_type, &done.message.body, &secrets)
    else {
        panic!("our own")
    };
    made.push(credential.encode());
    let unsold = Voucher::decode(&done.voucher).expect("our own");
    let voucher = unsold.extend(owner.key()).and_then(|next| next.sign(maker)).expect("the owner");
    let claim = || {
        let voucher = Voucher::decode(&voucher).expect("our own");
        voucher.claim(&owner.key(), DeviceChain::OfManufacturer).expect("the owner's")
    };

    let addresses = [OwnerAddress {
        ip: Some([127, 0, 0, 1].into()),
        dns: Some("owner.northlight.example".into()),
        port: 443,
        transport: Transport::Https,
    }];
    let owned = claim();
    let (mut to0, message) = To0::begin(&owned, &addresses, 3600);
    let (session, message) = RegistrationSession::begin(&message.body, &mut ones).expect("our own");
    made.push(message.body.clone());
    let message = next(to0.receive(message.message_type, &message.body, owner).expect("our own"));
    made.push(message.body.clone());
    let registration = session.register(&message.body, DeviceChain::OfManufacturer).expect("our own");
    made.extend([Registration::accept(600).body, registration.redirect.clone()]);

    let (mut to1, message) = To1::begin(&credential, &secrets);
    made.push(message.body.clone());
    let hello = HelloRv::decode(&message.body).expect("our own");
    let (session, message) = RedirectionSession::begin(&hello, &mut ones).expect("our own");
    made.extend([session.to_bytes(), message.body.clone()]);
    made.push(next(to1.receive(message.message_type, &message.body, &secrets).expect("our own")).body);

    let options = To2Options::for_credential(&credential).expect("an exchange");
    let devmod = Devmod { os: "linux".into(), ..Devmod::default() };
    let mut engine = DeviceEngine::new(&devmod, Vec::new()).expect("an engine");
    let permitted = OwnerOptions::default();
    let (mut to2, mut message) =
        To2::begin(&credential, Some(registration.redirect), options, &secrets, &mut ones);
    let owned = claim();
    let (mut session, mut answer) =
        OwnerSession::begin(&message.body, &owned, &permitted, owner, &mut ones).expect("our own");
    let rendezvous = rendezvous();
    let program = Program::new(ProgramId([1; 16]), Vec::new()).expect("a program");
    loop {
        made.extend([message.body.clone(), session.to_bytes().to_vec(), answer.body.clone()]);
        let step = to2.receive(answer.message_type, &answer.body, &secrets, &mut engine, &mut ones);
        message = match step.expect("our own") {
            Step::Send(message) => message,
            Step::Done(_) => break,
        };
        let voucher = owned.voucher();
        answer = match message.message_type.number() {
            62 => session.entry(&message.body, voucher).expect("our own"),
            64 => {
                let setup = Setup::Replace { guid: Guid([6; 16]), rendezvous: &rendezvous, owner };
                session.set_up(&message.body, voucher, &setup, owner, &mut ones).expect("our own")
            }
            66 => {
                let (next, answer) = session.ready(&message.body, &permitted, &mut ones).expect("our own");
                session = next;
                answer
            }
            68 => {
                let (sink, issuer, steps) = (&mut Absent, &mut Absent, &mut Absent);
                let mut backend = Backend { contents: &Absent, sink, issuer, steps };
                session.service_info(&message.body, &program, &mut backend, &mut ones).expect("our own")
            }
            _ => session.done(&message.body, voucher, &mut ones).expect("our own").message,
        };
    }
    made
}

/// What is encrypted in a run, as each side reads it.
fn plaintexts() -> Vec<Vec<u8>> {
    let owner = PublicKey::new(key(3).public_key(), KeyEncoding::CoseKey).expect("of a type");
    let setup =
        Writer::encode(|w| _ = w.array(4).array(0).bytes(&[5; 16]).bytes(&[1; 16]).raw(owner.as_bytes()));
    let list = [0x81, 0x82, 0x6d].iter().chain(b"devmod:active").chain(&[0x41, 0xf5]).copied();
    let list = &list.collect::<Vec<u8>>();
    let hmac = Hmac::of(HashAlgorithm::Sha256, b"secret", b"header");
    vec![
        Sign1Builder::new().sign(&key(3), &setup),
        DeviceServiceInfoReady { hmac: Some(hmac), max_len: Some(1300) }.encode(),
        OwnerServiceInfoReady { max_len: None }.encode(),
        DeviceServiceInfo { more: false, list }.encode(),
        OwnerServiceInfo { more: false, done: false, list }.encode(),
        Done(Nonce([1; 16])).encode(),
        fdo::Failure::Refused(fdo::Refusal::Nonce).message(fdo::MessageType::Done).expect("told").encode(),
    ]
}

fn credentials() -> Vec<u8> {
    let credential = fdo::Credential {
        guid: Guid([5; 16]),
        device_info: "lamp".into(),
        rendezvous: rendezvous(),
        owner: crypto::Digest::of(HashAlgorithm::Sha384, b"a key"),
        owner_key_type: KeyType::RsaPkcs,
    };
    credential.encode()
}

fn provision() -> Vec<u8> {
    let network = Network { ssid: "home".into(), password: Some(Zeroizing::new("password".into())) };
    let provision = Provision {
        server: "https://sextant.northlight.example".into(),
        server_anchors: vec![b"a certificate".to_vec()],
        networks: vec![network],
        ..Provision::default()
    };
    provision.encode().expect("short").to_vec()
}
