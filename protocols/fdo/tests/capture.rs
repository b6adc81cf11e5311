//! A whole onboarding as another implementation recorded it, and the encodings of a third.

use std::path::Path;

use cose::Encrypt0;
use crypto::{ContentAlgorithm, Digest};
use serde_json::Value;
use sextant_fdo::{
    AcceptOwner, DeviceChain, DeviceToken, ErrorMessage, GetNextEntry, Guid, HelloAck, HelloDevice, HelloRv,
    HelloRvAck, Key, MessageType, NextEntry, OwnerSign, ProveHeader, Redirect, RedirectionSession, Refusal,
    RegistrationSession, Voucher,
};

fn json(folder: &Path, name: &str) -> Vec<Value> {
    let bytes = std::fs::read(folder.join(name)).expect("a file of the vectors");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn hex(row: &Value) -> Vec<u8> {
    testkit::hex(row["hex"].as_str().expect("hexadecimal digits"))
}

struct Capture {
    messages: Vec<(u8, Vec<u8>)>,
    voucher: Vec<u8>,
}

impl Capture {
    fn read() -> Option<Self> {
        let folder = testkit::vectors("fdo/capture-fdo-rs")?;
        let rows = json(&folder, "messages.json");
        let number = |row: &Value| u8::try_from(row["type"].as_u64().expect("a number")).expect("a type");
        let messages = rows.iter().map(|row| (number(row), hex(row))).collect();
        let voucher = std::fs::read(folder.join("voucher.cbor")).expect("a voucher");
        Some(Self { messages, voucher })
    }

    fn all(&self, message_type: MessageType) -> Vec<&[u8]> {
        let number = message_type.number();
        self.messages.iter().filter(|(of, _)| *of == number).map(|(_, body)| body.as_slice()).collect()
    }

    fn one(&self, message_type: MessageType) -> &[u8] {
        match self.all(message_type)[..] {
            [body] => body,
            ref more => panic!("{} of {message_type}", more.len()),
        }
    }
}

#[test]
fn the_registration_and_the_redirection_of_a_recorded_onboarding_verify() {
    let Some(capture) = Capture::read() else { return };
    let HelloAck(nonce) = HelloAck::decode(capture.one(MessageType::HelloAck)).expect("read");
    let body = capture.one(MessageType::OwnerSign);
    let sent = OwnerSign::decode(body).expect("read");
    assert_eq!((sent.wait_seconds, sent.nonce), (600, nonce));
    let session = RegistrationSession::of(nonce);
    let registration = session.register(body, DeviceChain::OfManufacturer).expect("verified");
    assert_eq!(registration.guid.to_string(), "cdc7a504262f4b3cbd64f031d95d370c");
    let accepted = AcceptOwner::decode(capture.one(MessageType::AcceptOwner)).expect("read");
    assert_eq!(accepted.wait_seconds, 600);
    let other = RegistrationSession::of(sextant_fdo::Nonce([0; 16]));
    let refused = other.register(body, DeviceChain::OfManufacturer);
    assert_eq!(refused.expect_err("another session"), Refusal::Nonce.into());

    let hello = HelloRv::decode(capture.one(MessageType::HelloRv)).expect("read");
    assert_eq!(hello.guid, registration.guid);
    let ack = HelloRvAck::decode(capture.one(MessageType::HelloRvAck)).expect("read");
    assert_eq!(ack.sig_info, hello.sig_info);
    let session = RedirectionSession::begin(&hello, &mut |bytes| {
        bytes.copy_from_slice(&ack.nonce.0);
    });
    let (session, _) = session.expect("begun");
    let proof = capture.one(MessageType::ProveToRv);
    let answer = session.redirect(proof, &registration.device_key, &registration.redirect).expect("proven");
    // Byte for byte what the recorded server answered.
    assert_eq!(answer.body, capture.one(MessageType::RvRedirect));
    let redirect = Redirect::decode(&answer.body).expect("read");
    assert_eq!(redirect.verify(&registration.owner), Ok(()));
    assert_eq!(redirect.addresses().len(), 1);
}

#[test]
fn the_proofs_of_both_sides_of_a_recorded_onboarding_verify() {
    let Some(capture) = Capture::read() else { return };
    let hello_bytes = capture.one(MessageType::HelloDevice);
    let hello = HelloDevice::decode(hello_bytes).expect("read");
    assert_eq!((hello.max_message_len, hello.exchange.as_str(), hello.cipher), (17, "ECDH384", 3));
    let proof = ProveHeader::decode(capture.one(MessageType::ProveOvHeader)).expect("read");
    assert_eq!(proof.verify(), Ok(()));
    assert_eq!((proof.nonce, proof.entries), (hello.nonce, 1));
    assert_eq!(Digest::of(proof.hello.algorithm(), hello_bytes), proof.hello);

    // The entry, put together with the header that was proven, is the recorded voucher.
    let GetNextEntry { index } =
        GetNextEntry::decode(capture.one(MessageType::GetOvNextEntry)).expect("read");
    let next = NextEntry::decode(capture.one(MessageType::OvNextEntry)).expect("read");
    assert_eq!((index, next.index), (0, 0));
    let voucher = Voucher::decode(&capture.voucher).expect("read");
    assert_eq!((voucher.header_bytes(), voucher.hmac()), (proof.header_bytes, &proof.hmac));
    assert_eq!(voucher.entries()[0].as_bytes(), next.entry.as_bytes());
    let verified = voucher.verify(DeviceChain::OfManufacturer).expect("holds");
    assert_eq!(verified.owner(), &proof.owner);

    let token = DeviceToken::decode(capture.one(MessageType::ProveDevice)).expect("read");
    let device: Key = verified.device_key().clone().into();
    assert_eq!(token.verify(&device, &hello.guid, proof.device_nonce), Ok(()));
    assert_eq!(token.verify(&device, &Guid([0; 16]), proof.device_nonce), Err(Refusal::Guid.into()));
    assert_eq!(token.verify(&device, &hello.guid, hello.nonce), Err(Refusal::Nonce.into()));
    assert!(token.setup_nonce().is_ok() && token.exchange().is_ok_and(|part| part.len() == 150));

    // What follows is encrypted, each message by itself.
    let mut encrypted = 0;
    for (number, body) in capture.messages.iter().filter(|(number, _)| (65..=71).contains(number)) {
        let message = Encrypt0::decode(body).unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(message.algorithm(), ContentAlgorithm::A256Gcm);
        encrypted += 1;
    }
    assert_eq!(encrypted, 9);
}

#[test]
fn the_encodings_of_another_implementation_are_read() {
    let Some(folder) = testkit::vectors("fdo/messages") else { return };
    let rows = json(&folder, "astarte-snapshots.json");
    let row = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name);
        hex(row.unwrap_or_else(|| panic!("no {name}")))
    };
    use sextant_fdo as fdo;
    for name in ["app_start_any_cbor", "app_start_any_cbor-2", "app_start_any_cbor-3"] {
        let bytes = row(&format!("di__app_start/{name}"));
        match fdo::AppStart::decode(&bytes) {
            Ok(read) => assert_eq!(read.encode(), bytes, "{name}"),
            Err(error) => panic!("{name}: {error}"),
        }
    }
    let error = ErrorMessage::decode(&row("error/error_message")).expect("read");
    assert_eq!((error.code, error.previous, error.text.as_str(), error.at), (500, 60, "some error", None));
    let hello = row("to1__hello_rv/hello_rv");
    assert_eq!(HelloRv::decode(&hello).expect("read").encode(), hello);
    let hello = row("to2__hello_device/hello_device");
    assert_eq!(HelloDevice::decode(&hello).expect("read").encode(), hello);
    let ready = row("to2__device_service_info_ready/device_service_info");
    assert_eq!(fdo::DeviceServiceInfoReady::decode(&ready).expect("read").encode(), ready);
    let ready = row("to2__owner_service_info_ready/owner_service_info_ready");
    assert_eq!(fdo::OwnerServiceInfoReady::decode(&ready).expect("read").encode(), ready);
    let done = row("to2__done/done_2");
    assert_eq!(fdo::Done::decode(&done).expect("read").encode(), done);
    let get = row("to2__get_ov_next_entry/get_ov_next_entry");
    assert_eq!(GetNextEntry::decode(&get).expect("read").encode(), get);
    // What signs with a curve that FDO does not have is told as that.
    for name in ["to2__ov_next_entry/ov_next_entry", "to2__setup_device/setup_device"] {
        let bytes = row(name);
        let code = match name.starts_with("to2__ov") {
            true => NextEntry::decode(&bytes).expect_err(name).code(),
            false => fdo::SetupDevice::decode(&bytes).expect_err(name).code(),
        };
        assert!(code.starts_with("unsupported-") || code.starts_with("malformed-"), "{name}: {code}");
    }
}
