//! What the firmware's image `onboard` hears (`device/firmware/fixtures/onboarding.answers`): the answers of all servers to one
//! device, which draws the same random numbers in each run. They are answers that a device takes, from DI to TO2.

mod common;

use std::{env, fs, path::PathBuf};

use common::{
    Manufacturer, es256, extend,
    parties::{Owner, device_key, find, make, onboard, options},
};
use crypto::SignatureAlgorithm;
use sextant_fdo::{CipherSuite, Guid, Message, MessageType, device::Outcome};

/// The file: of each answer its number, its length in two bytes, and its body.
fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../device/firmware/fixtures/onboarding.answers")
}

/// Whether a device hears a message.
fn is_answer(message_type: MessageType) -> bool {
    matches!(message_type.number(), 11 | 13 | 31 | 33 | 61 | 63 | 65 | 67 | 69 | 71)
}

/// Goes from DI to TO2, and shows each answer to `hear` before the device gets it.
fn travel(hear: &mut dyn FnMut(&mut Message)) -> Outcome {
    let wire = &mut |message: &mut Message| {
        if is_answer(message.message_type) {
            hear(message);
        }
    };
    let (manufacturer, rendezvous) = (Manufacturer::plain(), Manufacturer::rendezvous());
    let device = device_key(SignatureAlgorithm::Es256);
    let (mut device, voucher) = make(&manufacturer, device, &rendezvous, wire).expect("made");
    let (buyer, next) = (es256(2), es256(3));
    let voucher = extend(&voucher, &manufacturer.key, &buyer);
    let redirect = find(&device, &voucher, &buyer, wire).expect("found");
    let options = options(&device, CipherSuite::A128Gcm);
    let mut owner = Owner::new(&buyer, &voucher);
    owner.becomes = Some((Guid([7; 16]), &rendezvous, &next));
    onboard(&mut device, Some(redirect), options, &mut owner, wire).expect("onboarded")
}

/// What a device that draws the same random numbers does with recorded answers.
fn hear(answers: &[u8]) {
    let (mut rest, mut heard) = (answers, Vec::new());
    let outcome = travel(&mut |message| {
        let (head, after) = rest.split_at(3);
        assert_eq!(head[0], message.message_type.number());
        let (body, after) = after.split_at(u16::from_be_bytes([head[1], head[2]]).into());
        message.body = body.to_vec();
        heard.push(message.message_type.number());
        rest = after;
    });
    let Outcome::Replaced(credential) = outcome else { panic!("replaced") };
    assert_eq!(credential.guid, Guid([7; 16]));
    assert!(rest.is_empty(), "{} bytes are not heard", rest.len());
    assert_eq!([heard[0], heard[heard.len() - 1]], [11, 71]);
}

#[test]
fn a_device_takes_the_answers_that_the_firmware_hears() {
    hear(&fs::read(fixture()).expect("the file is in the repository"));
}

/// With `SEXTANT_WRITE_FIXTURES` the file is written anew, for when messages change.
#[test]
fn answers_that_are_recorded_are_taken_again() {
    let mut answers = Vec::new();
    travel(&mut |message| {
        let len = u16::try_from(message.body.len()).expect("a short message");
        answers.push(message.message_type.number());
        answers.extend(len.to_be_bytes());
        answers.extend(&message.body);
    });
    hear(&answers);
    if env::var_os("SEXTANT_WRITE_FIXTURES").is_some() {
        fs::write(fixture(), answers).expect("written");
    }
}
