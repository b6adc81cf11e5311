//! Every voucher among the vectors behaves as their index says.

mod common;

use std::path::Path;

use cbor::{Order, Reader};
use common::extend;
use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};
use sextant_fdo::{
    DeviceChain, Distrust, Error, Feature, Key, KeyType, PublicKey, VerifiedVoucher, Voucher,
    vouchers_of_file,
};
use x509::{Certificate, pem};

/// Within the validity of the certificates of these vectors.
const NOW: i64 = 1_800_000_000;

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The one voucher of a file.
fn voucher(folder: &Path, name: &str) -> Vec<u8> {
    let file = read(&folder.join(name));
    match &vouchers_of_file(&file).expect("a voucher")[..] {
        [voucher] => voucher.to_vec(),
        more => panic!("{name} holds {} vouchers", more.len()),
    }
}

fn verify(bytes: &[u8]) -> Result<VerifiedVoucher, Error> {
    Voucher::decode(bytes)?.verify(DeviceChain::OfManufacturer)
}

fn anchored(bytes: &[u8], anchor: &Certificate) -> Result<VerifiedVoucher, Error> {
    let anchors = core::slice::from_ref(anchor);
    Voucher::decode(bytes)?.verify(DeviceChain::Anchored { anchors, now: NOW })
}

/// The secret of a device and the hash of its manufacturer's key, from a credential as fdo-rs keeps them.
fn credential(folder: &Path, name: &str) -> (Vec<u8>, Vec<u8>) {
    let bytes = read(&folder.join(name));
    let mut reader = Reader::with_order(&bytes, Order::Unique);
    reader.array_of(7).expect("a credential");
    for _ in 0..5 {
        reader.skip().expect("a field");
    }
    reader.array_of(2).and_then(|()| reader.int()).expect("a hash");
    let key_hash = reader.bytes().expect("a hash").to_vec();
    let mut secret = None;
    let mut kinds = reader.map().expect("keys in clear");
    while kinds.next(&mut reader).expect("a kind").is_some() {
        let mut keys = reader.map().expect("keys");
        while let Some(name) = keys.next(&mut reader).expect("a name") {
            let value = reader.clone();
            reader.skip().expect("a value");
            if name == cbor::Key::Text("hmac_secret") {
                let mut numbers = value.clone();
                let count = numbers.array().expect("a secret, as numbers");
                secret = Some((0..count).map(|_| numbers.uint_as().expect("a byte")).collect());
            }
        }
    }
    (secret.expect("a secret"), key_hash)
}

fn owner_type(verified: &VerifiedVoucher) -> (KeyType, usize) {
    (verified.owner().key_type(), verified.entries())
}

#[test]
fn voucher_without_entries_is_the_devices_and_nobodys_until_it_is_sold() {
    let Some(folder) = testkit::vectors("fdo/vouchers") else { return };
    let bytes = voucher(&folder, "p384-0entries.pem");
    let decoded = Voucher::decode(&bytes).expect("well-formed");
    let (secret, key_hash) = credential(&folder, "p384-0entries.devcred.cbor");
    assert_eq!(decoded.check_hmac(&secret), Ok(()));
    assert_eq!(decoded.check_hmac(&secret[1..]), Err(Error::Untrusted(Distrust::Hmac)));
    let manufacturer: &PublicKey = &decoded.header().manufacturer;
    assert_eq!(Digest::of(HashAlgorithm::Sha384, manufacturer.as_bytes()).as_bytes(), key_hash);
    assert_eq!(decoded.header().rendezvous.directives.len(), 2);
    // All else is checked first, the hash of the certificates among it.
    assert_eq!(verify(&bytes).expect_err("nobody signed it"), Error::Untrusted(Distrust::NoEntry));

    let key = testkit::read_hex(&folder.join("p384-0entries.mfgkey.key.sec1.der.hex"));
    let key = SigningKey::from_sec1_der(&key).expect("a key");
    assert_eq!(manufacturer.key(), &Key::Ec(key.public_key().clone()));
    let buyer = common::key(SignatureAlgorithm::Es384, 2);
    let sold = verify(&extend(&bytes, &key, &buyer)).expect("sound");
    assert_eq!(owner_type(&sold), (KeyType::Secp384r1, 1));
    assert_eq!(sold.owner().key(), &Key::Ec(buyer.public_key().clone()));
    assert_eq!(sold.device_key().algorithm(), SignatureAlgorithm::Es256);
}

#[test]
fn vouchers_of_three_code_bases_verify() {
    let Some(folder) = testkit::vectors("fdo") else { return };
    let rows = [
        (
            "vouchers/rsa2048restr-6entries.pem",
            (KeyType::Rsa2048Restr, 6),
            "I am a virtual FIDO Alliance device!",
        ),
        ("vouchers/p256-1entry.pem", (KeyType::Secp256r1, 1), "DemoDevice"),
        ("capture-fdo-rs/voucher.cbor", (KeyType::Secp256r1, 1), "capdev"),
    ];
    for (name, owner, device_info) in rows {
        let bytes = voucher(&folder, name);
        let verified = verify(&bytes).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!((owner_type(&verified), verified.header().device_info.as_str()), (owner, device_info));
        // What was read is what is written.
        assert_eq!(
            verified.header().encode(),
            Voucher::decode(&bytes).expect("read").header_bytes(),
            "{name}"
        );
        for at in (0..bytes.len()).step_by(if bytes.len() > 4000 { 5 } else { 1 }) {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            assert!(verify(&forged).is_err(), "{name}: byte {at} changed");
        }
    }
}

#[test]
fn the_owner_in_the_field_sells_on() {
    let Some(folder) = testkit::vectors("fdo/vouchers") else { return };
    let bytes = voucher(&folder, "p256-1entry.pem");
    let key = testkit::read_hex(&folder.join("p256-1entry.key.sec1.der.hex"));
    let key = SigningKey::from_sec1_der(&key).or_else(|_| SigningKey::from_pkcs8_der(&key)).expect("a key");
    let owner = verify(&bytes).expect("sound");
    assert_eq!(owner.owner().key(), &Key::Ec(key.public_key().clone()));
    let sold = verify(&extend(&bytes, &key, &common::es256(2))).expect("sound");
    assert_eq!(owner_type(&sold), (KeyType::Secp256r1, 2));
}

#[test]
fn capture_has_the_secret_of_its_device_and_an_authority_that_is_none() {
    let Some(folder) = testkit::vectors("fdo/capture-fdo-rs") else { return };
    let bytes = voucher(&folder, "voucher.cbor");
    let decoded = Voucher::decode(&bytes).expect("well-formed");
    let (secret, key_hash) = credential(&folder, "devcred.cbor");
    assert_eq!(decoded.check_hmac(&secret), Ok(()));
    let manufacturer = decoded.header().manufacturer.as_bytes();
    assert_eq!(Digest::of(HashAlgorithm::Sha384, manufacturer).as_bytes(), key_hash);
    let text = String::from_utf8(read(&folder.join("device_ca_cert.pem"))).expect("text");
    let authority = Certificate::decode(&pem::decode(&text).expect("a block")[0].der).expect("a certificate");
    // It says of itself that it certifies nobody.
    let refused = anchored(&bytes, &authority).expect_err("no authority");
    assert_eq!(refused, Error::Certificate(x509::Error::Untrusted(x509::Distrust::NotAuthority)));
}

#[test]
fn chain_leads_to_an_authority_below_a_root_that_cannot_be_read() {
    let Some(folder) = testkit::vectors("fdo/vouchers") else { return };
    let bytes = voucher(&folder, "rsa2048restr-6entries.pem");
    let certificates: Vec<_> = Voucher::decode(&bytes).expect("read").certificates().to_vec();
    let [device, intermediate, root] = certificates[..] else { panic!("three certificates") };
    assert!(Certificate::decode(root).is_err(), "of version 1");
    let intermediate = Certificate::decode(intermediate).expect("a certificate");
    assert!(anchored(&bytes, &intermediate).is_ok());
    let other = common::Manufacturer::plain().authority;
    let unknown = x509::Error::Untrusted(x509::Distrust::UnknownIssuer);
    assert_eq!(anchored(&bytes, &other).expect_err("another"), Error::Certificate(unknown));
    assert!(Certificate::decode(device).is_ok());
}

#[test]
fn bad_vouchers_are_refused_for_what_is_bad_about_them() {
    let Some(folder) = testkit::vectors("fdo/vouchers") else { return };
    let refusal = |name| verify(&voucher(&folder, name)).expect_err("refused");
    let hash = Error::Untrusted(Distrust::CertificateChainHash);
    assert_eq!(refusal("p256-1entry-BADCHAINHASH.pem"), hash);
    let version = Error::Unsupported(Feature::Version10);
    assert_eq!(refusal("v100-4element-REJECT.pem"), version);
    assert_eq!((hash.code(), version.code()), ("voucher-certificate-hash", "unsupported-voucher"));
}
