//! Owners with RSA keys, in every key exchange and cipher suite; all roles in memory.

mod common;

use common::{
    Manufacturer, extend, key,
    parties::{Device, Owner, device_key, find, is_by, make_with, onboard, options, permitting, untouched},
    rsa,
};
use crypto::{HashAlgorithm, SignatureAlgorithm};
use sextant_fdo::{
    CipherSuite, DeviceChain, ExchangeSuite, Failure, Guid, KeyEncoding, KeyType, Message, MessageType,
    OwnerKey, Refusal, Signer as _, Voucher,
    device::{Outcome, To2Options},
};

const SIZES: [(usize, KeyType, [ExchangeSuite; 2]); 2] = [
    (2048, KeyType::Rsa2048Restr, [ExchangeSuite::DhKexId14, ExchangeSuite::AsymKex2048]),
    (3072, KeyType::RsaPkcs, [ExchangeSuite::DhKexId15, ExchangeSuite::AsymKex3072]),
];

/// A device of a manufacturer with an RSA key that was sold twice.
fn sold(bits: usize, of_device: SignatureAlgorithm) -> (Device, Vec<u8>, &'static dyn OwnerKey) {
    let factory = Manufacturer::new(of_device, KeyEncoding::X509, HashAlgorithm::Sha256);
    let (maker, shop, home) = (rsa(bits, 0), rsa(bits, 1), rsa(bits, 2));
    let rendezvous = Manufacturer::rendezvous();
    let (device, voucher) =
        make_with(&factory, maker, device_key(of_device), &rendezvous, &mut untouched()).expect("made");
    let voucher = extend(&extend(&voucher, maker, shop), shop, home);
    (device, voucher, home)
}

#[test]
fn a_device_is_found_taken_over_and_sold_on_by_owners_with_rsa_keys() {
    let mut runs = 0;
    for (bits, key_type, exchanges) in SIZES {
        for of_device in [SignatureAlgorithm::Es256, SignatureAlgorithm::Es384] {
            for (number, cipher) in CipherSuite::ALL.into_iter().enumerate() {
                let (mut device, voucher, owner_key) = sold(bits, of_device);
                assert_eq!(device.credential.owner_key_type, key_type);
                let preferred = options(&device, cipher);
                assert_eq!(preferred.exchange, exchanges[0], "a key stolen later undoes the other");
                // Each cipher with one of the exchanges by turns, and all of both with the first.
                let used = if cipher == CipherSuite::A128Gcm {
                    &exchanges[..]
                } else {
                    &exchanges[number % 2..][..1]
                };
                for exchange in used {
                    let wanted = To2Options { exchange: *exchange, reuse: true, ..preferred };
                    let redirect = find(&device, &voucher, owner_key, &mut untouched()).expect("found");
                    assert!(is_by(&redirect, owner_key.key()));
                    let mut owner = permitting(Owner::new(owner_key, &voucher), cipher);
                    let reused = onboard(&mut device, Some(redirect), wanted, &mut owner, &mut untouched());
                    assert_eq!(reused, Ok(Outcome::Reused), "{bits} {exchange:?} {cipher:?}");
                    runs += 1;
                }
                // Taken over by an RSA key, then by a key on a curve, which its next exchange is for.
                let rendezvous = Manufacturer::rendezvous();
                let mut owner = permitting(Owner::new(owner_key, &voucher), cipher);
                let maker = rsa(bits, 0);
                owner.becomes = Some((Guid([8; 16]), &rendezvous, maker));
                let taken = onboard(&mut device, None, preferred, &mut owner, &mut untouched());
                let Ok(Outcome::Replaced(credential)) = taken else { panic!("{taken:?}") };
                device.credential = credential;
                let next = owner.finished.expect("finished").expect("another voucher");
                assert_eq!(Voucher::decode(&next).expect("read").check_hmac(common::SECRET), Ok(()));
                let resold = extend(&next, maker, rsa(bits, 1));
                let verified = Voucher::decode(&resold).expect("read").verify(DeviceChain::OfManufacturer);
                assert_eq!(verified.expect("sound").owner().key(), &rsa(bits, 1).key());
                let on_curve = key(SignatureAlgorithm::Es384, 5);
                let mut owner = permitting(Owner::new(rsa(bits, 1), &resold), cipher);
                owner.becomes = Some((Guid([7; 16]), &rendezvous, &on_curve));
                let wanted = options(&device, cipher);
                let taken = onboard(&mut device, None, wanted, &mut owner, &mut untouched());
                let Ok(Outcome::Replaced(credential)) = taken else { panic!("{taken:?}") };
                assert_eq!(credential.owner_key_type, KeyType::Secp384r1);
                device.credential = credential;
                assert_eq!(options(&device, cipher).exchange, ExchangeSuite::Ecdh384);
            }
        }
    }
    assert_eq!(runs, 4 * (CipherSuite::ALL.len() + 1));
}

#[test]
fn an_exchange_is_for_one_size_of_key() {
    for (bits, key_type, exchanges) in SIZES {
        let (mut device, voucher, owner_key) = sold(bits, SignatureAlgorithm::Es256);
        assert!(ExchangeSuite::all_for(key_type).starts_with(&exchanges[..1]));
        assert!(exchanges.iter().all(|suite| ExchangeSuite::all_for(key_type).contains(suite)));
        for exchange in ExchangeSuite::ALL {
            assert_eq!(ExchangeSuite::from_name(exchange.name()), Some(exchange));
            assert_eq!(exchange.fits(&owner_key.key()), exchanges.contains(&exchange));
            let wanted = To2Options { exchange, reuse: true, ..options(&device, CipherSuite::A128Gcm) };
            let mut owner = Owner::new(owner_key, &voucher);
            let ended = onboard(&mut device, None, wanted, &mut owner, &mut untouched());
            let expected = match exchanges.contains(&exchange) {
                true => Ok(Outcome::Reused),
                false => Err(Refusal::ExchangeSuite.into()),
            };
            assert_eq!(ended, expected, "{bits} {exchange:?}");
        }
    }
}

/// Every part of the exchange that the device sends, changed: one refusal, whatever is wrong inside, and before the device's
/// signature nothing is even tried.
#[test]
fn a_part_that_was_changed_on_the_way_is_nobodys() {
    for (bits, _, exchanges) in SIZES {
        let (mut device, voucher, owner_key) = sold(bits, SignatureAlgorithm::Es256);
        for exchange in exchanges {
            let wanted = To2Options { exchange, reuse: true, ..options(&device, CipherSuite::A256Gcm) };
            let change = &mut |message: &mut Message| {
                if message.message_type == MessageType::ProveDevice {
                    let middle = message.body.len() / 2;
                    message.body[middle] ^= 1;
                }
            };
            let mut owner = Owner::new(owner_key, &voucher);
            let refused = onboard(&mut device, None, wanted, &mut owner, change).expect_err("refused");
            assert_eq!(refused.code(), "unauthentic-message", "{exchange:?}");
        }
    }
}

#[test]
fn messages_under_two_layers_are_as_deployed_parties_write_them() {
    for (cipher, head, inner) in [
        // Tag 17, HMAC-SHA256; inside an array of three without a tag: nothing protected, the algorithm and an IV.
        (CipherSuite::Aes128Ctr, "d18443a10105a0", "8340a20139fffd0550"),
        (CipherSuite::Aes128Cbc, "d18443a10105a0", "8340a20139fffa0550"),
        (CipherSuite::Aes256Ctr, "d18443a10106a0", "8340a20139fffb0550"),
        (CipherSuite::Aes256Cbc, "d18443a10106a0", "8340a20139fff80550"),
    ] {
        let (mut device, voucher, owner_key) = sold(2048, SignatureAlgorithm::Es256);
        let wanted = To2Options { reuse: true, ..options(&device, cipher) };
        let mut owner = permitting(Owner::new(owner_key, &voucher), cipher);
        let mut seen = 0;
        let look = &mut |message: &mut Message| {
            if message.message_type.number() > 64 {
                let hex: String = message.body.iter().map(|byte| format!("{byte:02x}")).collect();
                assert!(hex.starts_with(head) && hex.contains(inner), "{cipher:?} {hex}");
                seen += 1;
            }
        };
        onboard(&mut device, None, wanted, &mut owner, look).expect("onboarded");
        assert!(seen >= 7, "{seen}");
    }
}

/// Neither the layers nor a byte of either is optional.
#[test]
fn nothing_is_decrypted_that_is_not_authenticated() {
    for cipher in CipherSuite::ALL {
        let (mut device, voucher, owner_key) = sold(2048, SignatureAlgorithm::Es256);
        let wanted = To2Options { reuse: true, ..options(&device, cipher) };
        let mut refusals = Vec::new();
        // What is inside of the two layers, as it would be without the outer one.
        let strip = |message: &mut Message| {
            let mut reader = cbor::Reader::new(&message.body);
            if reader.tag() == Ok(17) {
                reader
                    .array_of(4)
                    .and_then(|()| reader.skip())
                    .and_then(|()| reader.skip())
                    .expect("headers");
                message.body = [&[0xd0], reader.bytes().expect("a payload")].concat();
            }
        };
        let flip = |message: &mut Message| {
            let middle = message.body.len() / 2;
            message.body[middle] ^= 0x10;
        };
        let changes: [&dyn Fn(&mut Message); 2] = [&flip, &strip];
        for change in &changes[..if cipher.is_authenticated() { 1 } else { 2 }] {
            for number in [65, 66, 67, 68, 69, 70, 71] {
                let mut done = false;
                let wire = &mut |message: &mut Message| {
                    if message.message_type.number() == number && !std::mem::replace(&mut done, true) {
                        change(message);
                    }
                };
                let mut owner = permitting(Owner::new(owner_key, &voucher), cipher);
                let refused = onboard(&mut device, None, wanted, &mut owner, wire).expect_err("refused");
                assert!(matches!(refused, Failure::Unauthentic(_)), "{cipher:?} {number}: {refused:?}");
                refusals.push(number);
            }
        }
        assert_eq!(refusals.len(), if cipher.is_authenticated() { 7 } else { 14 });
    }
}
