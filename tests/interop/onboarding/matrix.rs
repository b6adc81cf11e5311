//! Our device at the peer's servers, with every key, key exchange and cipher suite.

use std::{collections::BTreeMap, fs};

use cbor::Reader;
use crypto::SignatureAlgorithm;
use fdo::{CipherSuite, ExchangeSuite, Failure, KeyEncoding, KeyType, Message, SigInfo, device::To2Options};
use fdo_http::{Cause, Error};
use serde_json::json;

use crate::{
    bytes,
    device::OurDevice,
    folder,
    peer::{Peer, path, text},
};

const DEVICES: [SignatureAlgorithm; 2] = [SignatureAlgorithm::Es256, SignatureAlgorithm::Es384];

/// Types of keys of manufacturer and owner, how they are written, and what is agreed on with them.
const OWNERS: [(KeyType, &[KeyEncoding], &[ExchangeSuite]); 4] = [
    (
        KeyType::Secp256r1,
        &[KeyEncoding::X509, KeyEncoding::X5Chain, KeyEncoding::CoseKey],
        &[ExchangeSuite::Ecdh256],
    ),
    (
        KeyType::Secp384r1,
        &[KeyEncoding::X509, KeyEncoding::X5Chain, KeyEncoding::CoseKey],
        &[ExchangeSuite::Ecdh384],
    ),
    (
        KeyType::Rsa2048Restr,
        &[KeyEncoding::X509, KeyEncoding::X5Chain],
        &[ExchangeSuite::DhKexId14, ExchangeSuite::AsymKex2048],
    ),
    (
        KeyType::RsaPkcs,
        &[KeyEncoding::X509, KeyEncoding::X5Chain],
        &[ExchangeSuite::DhKexId15, ExchangeSuite::AsymKex3072],
    ),
];

/// What the peer has: it knows AES-CCM by name only, and says so.
fn is_theirs(cipher: CipherSuite) -> bool {
    !matches!(cipher.number(), 30..=33)
}

/// COSE number of the algorithm of an owner's key. The peer's owner takes what a device announces to sign by for this, and
/// serves no device that announces another.
pub(crate) fn announced(key_type: KeyType) -> SigInfo {
    SigInfo(match key_type {
        KeyType::Secp256r1 => -7,
        KeyType::Secp384r1 => -35,
        KeyType::Rsa2048Restr => -257,
        KeyType::RsaPkcs => -258,
    })
}

/// What a device of ours wants of an owner of the peer's.
pub(crate) fn wanted(
    device: &OurDevice,
    key_type: KeyType,
    exchange: ExchangeSuite,
    cipher: CipherSuite,
) -> To2Options {
    To2Options { announces: Some(announced(key_type)), ..device.wanted(exchange, cipher) }
}

/// The peer has no such cipher.
const NO_CIPHER: &str = "refused by the peer: 500 at 60: unsupported key exchange/cipher suite";
/// The peer looked for a key of the device's type.
const OTHER_KEY: &str =
    "refused by the peer: 500 at 60: owner key to be used for CUPHOwnerKey does not match voucher";

/// The error that the peer answered with: its code, and what it is about.
pub(crate) fn told(error: &Error) -> (u16, u8, String) {
    match &error.cause {
        Cause::Protocol(Failure::Reported(told)) => (told.code, told.previous, told.text.to_string()),
        other => panic!("{other:?}"),
    }
}

/// Each row is one device: made, taken over by bypassing rendezvous, with a file on the way.
#[test]
fn our_device_is_onboarded_with_every_key_and_suite() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let config = files.path().join("config.bin");
    let sent = bytes(3000);
    fs::write(&config, &sent).expect("a file is written");
    let mut server = peer.server(&files.path().join("server"), &["--rv-bypass", "--download", path(&config)]);
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for of_device in DEVICES {
        for (key_type, encodings, exchanges) in OWNERS {
            for exchange in exchanges {
                for (number, cipher) in CipherSuite::ALL.into_iter().enumerate() {
                    let encoding = encodings[number % encodings.len()];
                    let row = format!(
                        "{of_device:?} {} {} {} {}",
                        key_type.name(),
                        encoding.name(),
                        exchange.name(),
                        cipher.name()
                    );
                    let mut device = OurDevice::made(&server.url, of_device, key_type, encoding)
                        .unwrap_or_else(|why| panic!("{row}: {why:?}"));
                    assert_eq!(device.credential.owner_key_type, key_type, "{row}");
                    let first = device.credential.guid;
                    // As it is, and then as the peer wants it to be.
                    let honest = device.wanted(*exchange, cipher);
                    let adapted = wanted(&device, key_type, *exchange, cipher);
                    let is_alike = announced(key_type).0 == of_device.cose_id();
                    let attempts = [("as it is", honest), ("announced as the owner's", adapted)];
                    for (how, wanted) in &attempts[usize::from(is_alike)..] {
                        let outcome = match device.onboard(*wanted) {
                            Ok(reused) => {
                                assert!(!reused && is_theirs(cipher), "{row}");
                                assert!(is_alike || wanted.announces.is_some(), "{row}");
                                let done = server.event("to2");
                                assert_eq!(text(&done, "guid"), first.to_string(), "{row}");
                                let next = device.credential.guid.to_string();
                                assert_eq!(text(&done, "new_guid"), next, "{row}");
                                assert_eq!(text(&done["devmod"], "mudurl"), "https://lamp.example/mud");
                                assert_eq!(*device.files.borrow(), [("config.bin".to_owned(), sent.clone())]);
                                "onboarded".to_owned()
                            }
                            Err(why) => {
                                let (code, previous, text) = told(&why);
                                assert!(!is_theirs(cipher) || wanted.announces.is_none(), "{row}: {text}");
                                assert_eq!(device.credential.guid, first, "{row}");
                                format!("refused by the peer: {code} at {previous}: {text}")
                            }
                        };
                        eprintln!("{row}, key {how}: {outcome}");
                        *counted.entry(outcome).or_default() += 1;
                    }
                }
            }
        }
    }
    eprintln!("onboarding at go-fdo: {counted:?}");
    // Two keys of devices with six exchanges, and seven of eleven ciphers; ten of the twelve pairs were refused first.
    assert_eq!(counted["onboarded"], 2 * 6 * 7);
    assert_eq!(counted[NO_CIPHER], 2 * 6 * 4);
    assert_eq!(counted[OTHER_KEY], 10 * 11);
    assert_eq!(counted.len(), 3);
}

/// A device takes the next exchange for its type of key where it was refused one.
#[test]
fn suites_that_are_not_for_the_owners_key_are_refused_there() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let server = peer.server(&files.path().join("server"), &["--rv-bypass"]);
    for (key_type, encodings, exchanges) in OWNERS {
        let mut device =
            OurDevice::made(&server.url, SignatureAlgorithm::Es256, key_type, encodings[0]).expect("made");
        for exchange in ExchangeSuite::ALL.into_iter().filter(|exchange| !exchanges.contains(exchange)) {
            let wanted = device.wanted(exchange, CipherSuite::A128Gcm);
            let (_, previous, _) = told(&device.onboard(wanted).expect_err("refused"));
            assert_eq!(previous, 60, "{} {}", key_type.name(), exchange.name());
        }
        let wanted = wanted(&device, key_type, exchanges[0], CipherSuite::A128Gcm);
        assert_eq!(device.onboard(wanted).ok(), Some(false));
    }
}

#[test]
fn our_device_finds_its_owner_by_rendezvous_with_every_type_of_key() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let config = files.path().join("config.bin");
    let sent = bytes(700);
    fs::write(&config, &sent).expect("a file is written");
    for (key_type, kind) in [
        (KeyType::Secp256r1, "ec256"),
        (KeyType::Secp384r1, "ec384"),
        (KeyType::Rsa2048Restr, "rsa2048"),
        (KeyType::RsaPkcs, "rsa3072"),
    ] {
        let place = |name: &str| files.path().join(format!("{kind}-{name}"));
        let mut rendezvous = peer.server(&place("rendezvous"), &["--roles", "rv", "--wait", "600"]);
        let mut owner =
            peer.server(&place("owner"), &["--download", path(&config), "--rv-url", &rendezvous.url]);
        let mut device = OurDevice::made(&owner.url, SignatureAlgorithm::Es256, key_type, KeyEncoding::X509)
            .expect("made");
        let voucher = owner.voucher();
        // Nobody registered.
        let [Err(why)] = &device.search()[..] else { panic!("nothing is found") };
        assert_eq!((told(why).0, told(why).1), (6, 30));
        assert_eq!(rendezvous.event("error")["code"], 6);
        let key = owner.file(&format!("owner-{kind}.pem"));
        peer.register(&rendezvous.url, &voucher, &key, &owner.url).expect("registered");
        let exchange = ExchangeSuite::for_key_type(key_type).expect("an exchange");
        let wanted = wanted(&device, key_type, exchange, CipherSuite::A256Gcm);
        let first = device.credential.guid.to_string();
        assert_eq!(device.onboard(wanted).ok(), Some(false), "{kind}");
        assert_eq!(text(&rendezvous.event("to1"), "guid"), first, "{kind}");
        assert_eq!(text(&owner.event("to2"), "new_guid"), device.credential.guid.to_string(), "{kind}");
        assert_eq!(*device.files.borrow(), [("config.bin".to_owned(), sent.clone())], "{kind}");
        // Onboarded, it belongs to who signed no voucher of it yet: the rendezvous server knows nothing of it.
        let [Err(why)] = &device.search()[..] else { panic!("nothing is found") };
        assert_eq!((told(why).0, told(why).1), (6, 30), "{kind}");
    }
}

#[test]
fn our_device_keeps_its_credential_where_it_allows_that() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let mut server = peer.server(&files.path().join("server"), &["--rv-bypass", "--reuse-credential"]);
    for (key_type, encodings, exchanges) in OWNERS {
        let mut device =
            OurDevice::made(&server.url, SignatureAlgorithm::Es256, key_type, encodings[0]).expect("made");
        let wanted = wanted(&device, key_type, exchanges[0], CipherSuite::A128Gcm);
        let refused = device.onboard(wanted).expect_err("it does not allow that");
        assert_eq!(refused.code(), "credential-reuse");
        let told = server.event("error");
        assert_eq!((text(&told, "from"), &told["code"]), ("peer", &json!(102)));
        let first = device.credential.guid;
        for _ in 0..2 {
            assert_eq!(device.onboard(To2Options { reuse: true, ..wanted }).ok(), Some(true));
            assert_eq!(device.credential.guid, first);
            assert_eq!(server.event("to2")["reused"], true);
        }
    }
}

/// What the peer does not check: that a message is authenticated where that takes a layer of its own. Here such a message is
/// refused (`nothing_is_decrypted_that_is_not_authenticated` in `fdo`).
#[test]
fn a_message_without_its_mac_is_taken_there() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let mut server = peer.server(&files.path().join("server"), &["--rv-bypass"]);
    for cipher in CipherSuite::ALL.into_iter().filter(|cipher| !cipher.is_authenticated()) {
        let device =
            OurDevice::made(&server.url, SignatureAlgorithm::Es256, KeyType::Secp256r1, KeyEncoding::X509);
        let device = device.expect("made");
        let candidate = device.search().remove(0).expect("the owner itself");
        let wanted = device.wanted(ExchangeSuite::Ecdh256, cipher);
        let mut stripped = 0;
        let strip = |message: &mut Message| {
            if message.message_type.number() > 64 {
                let mut reader = Reader::new(&message.body);
                assert_eq!(reader.tag(), Ok(17));
                reader
                    .array_of(4)
                    .and_then(|()| reader.skip())
                    .and_then(|()| reader.skip())
                    .expect("headers");
                message.body = [&[0xd0], reader.bytes().expect("a payload")].concat();
                stripped += 1;
            }
        };
        device.onboard_changing(&candidate, wanted, strip).expect("taken, authenticated or not");
        assert!(stripped >= 3, "{}", cipher.name());
        server.event("to2");
    }
}
