use cbor::{MapBuilder, Reason, Writer};
use cose::{Distrust as CoseDistrust, Sign1Builder};
use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};

use super::{distrust, key, key_of};
use crate::*;

type Entry = (i64, Vec<u8>);

fn item(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    Writer::encode(write)
}

fn map(entries: &[Entry]) -> Vec<u8> {
    let mut map = MapBuilder::new();
    for (label, value) in entries {
        map.int(*label, |w| _ = w.raw(value));
    }
    map.into_bytes()
}

fn challenge() -> Nonce {
    Nonce::new(&[7; 64]).unwrap()
}

fn realm_key() -> SigningKey {
    key_of(SignatureAlgorithm::Es384, 5)
}

/// The realm's key as COSE_Key or as a bare point.
fn realm_key_bytes(profile: bool) -> Vec<u8> {
    let key = realm_key();
    let (x, y) = key.public_key().ec2_coordinates().unwrap();
    if profile {
        cose::Key::from_public(key.public_key()).encode()
    } else {
        [[0x04].as_slice(), x, y].concat()
    }
}

fn realm(profile: bool) -> Vec<Entry> {
    let mut entries = vec![
        (10, item(|w| _ = w.bytes(challenge().as_bytes()))),
        (44235, item(|w| _ = w.bytes(&[8; 64]))),
        (44236, item(|w| _ = w.text("sha-256"))),
        (44237, item(|w| _ = w.bytes(&realm_key_bytes(profile)))),
        (44238, item(|w| _ = w.bytes(&[9; 32]))),
        (44239, item(|w| _ = w.array(4).bytes(&[1; 32]).bytes(&[2; 32]).bytes(&[3; 32]).bytes(&[4; 32]))),
        (44240, item(|w| _ = w.text("sha-512"))),
    ];
    if profile {
        entries.push((265, item(|w| _ = w.text("tag:arm.com,2023:realm#1.0.0"))));
    }
    entries
}

fn platform(challenge: &[u8]) -> Vec<Entry> {
    vec![
        (10, item(|w| _ = w.bytes(challenge))),
        (256, item(|w| _ = w.bytes(&[[0x01].as_slice(), &[2; 32]].concat()))),
        (265, item(|w| _ = w.text("tag:arm.com,2023:cca_platform#1.0.0"))),
        (2395, item(|w| _ = w.uint(0x3000))),
        (2396, item(|w| _ = w.bytes(&[6; 32]))),
        (2399, item(|w| _ = w.array(1).map(2).int(2).bytes(&[3; 32]).int(5).bytes(&[4; 32]))),
        (2401, item(|w| _ = w.bytes(&[1, 2, 3]))),
        (2402, item(|w| _ = w.text("sha-256"))),
    ]
}

fn bound(profile: bool) -> Vec<u8> {
    Digest::of(HashAlgorithm::Sha512, &realm_key_bytes(profile)).as_bytes().to_vec()
}

fn token(platform: &[Entry], platform_key: &SigningKey, realm: &[Entry], realm_key: &SigningKey) -> Vec<u8> {
    let platform = Sign1Builder::new().sign(platform_key, &map(platform));
    let realm = Sign1Builder::new().sign(realm_key, &map(realm));
    item(|w| _ = w.tag(399).map(2).int(44234).bytes(&platform).int(44241).bytes(&realm))
}

#[test]
fn a_token_verifies_in_the_order_platform_realm_binding_challenge() {
    for profile in [true, false] {
        let good = token(&platform(&bound(profile)), &key(1), &realm(profile), &realm_key());
        let decoded = CcaToken::decode(&good).unwrap();
        assert!(decoded.certificates().is_empty());
        let verified = decoded.clone().verify(key(1).public_key(), &challenge()).unwrap();
        assert_eq!(verified.realm().public_key, *realm_key().public_key());
        let [platform_view, realm_view] = EvidenceView::of_cca(&verified);
        assert_eq!((platform_view.items.len(), realm_view.items.len()), (1, 5));
        assert_eq!(realm_view.nonces, [challenge()]);
        assert_eq!(platform_view.nonces, [], "the platform answers no verifier");
        let other = Nonce::new(&[1; 64]).unwrap();
        assert_eq!(decoded.verify(key(1).public_key(), &other), Err(Distrust::Nonce.into()));
    }
    let bad = distrust(CoseDistrust::BadSignature);
    let other = Nonce::new(&[1; 64]).unwrap();
    let verify = |bytes: &[u8]| CcaToken::decode(bytes).unwrap().verify(key(1).public_key(), &other);
    // Everything after what is named is wrong as well: the first fault in the order is the one that is told.
    let stranger = key_of(SignatureAlgorithm::Es384, 6);
    assert_eq!(verify(&token(&platform(&[0; 64]), &key(2), &realm(true), &stranger)), Err(bad));
    assert_eq!(verify(&token(&platform(&[0; 64]), &key(1), &realm(true), &stranger)), Err(bad));
    let unbound = token(&platform(&[0; 64]), &key(1), &realm(true), &realm_key());
    assert_eq!(verify(&unbound), Err(Distrust::RealmBinding.into()));
    let stale = token(&platform(&bound(true)), &key(1), &realm(true), &realm_key());
    assert_eq!(verify(&stale), Err(Distrust::Nonce.into()));
}

#[test]
fn every_claim_is_needed_and_held_to_its_length() {
    let without = |entries: &[Entry], label: i64| {
        map(&entries.iter().filter(|(other, _)| *other != label).cloned().collect::<Vec<_>>())
    };
    let missing = |label| Error::Malformed(cbor::Error::new(0, Reason::MissingKey(label)));
    for (label, _) in platform(&[0; 32]) {
        assert_eq!(CcaPlatformClaims::decode(&without(&platform(&[0; 32]), label)), Err(missing(label)));
    }
    for (label, _) in realm(false) {
        assert_eq!(CcaRealmClaims::decode(&without(&realm(false), label)), Err(missing(label)));
    }
    let with = |mut entries: Vec<Entry>, label: i64, write: fn(&mut Writer)| {
        entries.retain(|(other, _)| *other != label);
        entries.push((label, item(write)));
        map(&entries)
    };
    let refused = |result: Option<Error>| match result {
        Some(Error::Malformed(error)) => error.reason,
        other => panic!("expected a refusal, found {other:?}"),
    };
    type Row = (i64, fn(&mut Writer), Reason);
    let rows: [Row; 6] = [
        (
            10,
            |w| _ = w.array(2).bytes(&[1; 32]).bytes(&[2; 32]),
            Reason::Rule("token has more than one nonce"),
        ),
        (10, |w| _ = w.bytes(&[1; 16]), Reason::Rule("bytes are not 32, 48 or 64")),
        (2395, |w| _ = w.uint(32565), Reason::OutOfRange),
        (2399, |w| _ = w.array(0), Reason::Rule("array is empty")),
        (2400, |w| _ = w.text(""), Reason::Rule("text is empty")),
        (2402, |w| _ = w.text("none"), Reason::Rule("hash algorithm is not supported")),
    ];
    for (label, write, expected) in rows {
        let found = CcaPlatformClaims::decode(&with(platform(&[0; 32]), label, write)).err();
        assert_eq!(refused(found), expected, "{label}");
    }
    let point = Reason::Rule("realm key is not an uncompressed point of P-384");
    let rows: [Row; 4] = [
        (44237, |w| _ = w.bytes(&[4; 97]), point),
        (44237, |w| _ = w.bytes(&[4; 65]), point),
        (44238, |w| _ = w.bytes(&[4; 33]), Reason::Rule("bytes are not 32, 48 or 64")),
        (44236, |w| _ = w.text("sha-1"), Reason::Rule("hash algorithm is not supported")),
    ];
    for (label, write, expected) in rows {
        let found = CcaRealmClaims::decode(&with(realm(false), label, write)).err();
        assert_eq!(refused(found), expected, "{label}");
    }
    for (label, len) in [(10, 32), (44235, 63)] {
        let mut entries = realm(false);
        entries.retain(|(other, _)| *other != label);
        entries.push((label, item(|w| _ = w.bytes(&vec![1; len]))));
        assert!(CcaRealmClaims::decode(&map(&entries)).is_err(), "{label}");
    }
    let extensible =
        with(realm(false), 44239, |w| _ = w.array(3).bytes(&[1; 32]).bytes(&[1; 32]).bytes(&[1; 32]));
    assert!(CcaRealmClaims::decode(&extensible).is_err());
    let profile = with(realm(true), 265, |w| _ = w.text("x"));
    assert_eq!(CcaRealmClaims::decode(&profile), Err(Distrust::Profile.into()));
    let profile = with(platform(&[0; 32]), 265, |w| _ = w.text("http://arm.com/PSA-SSD/1.0.0"));
    assert_eq!(CcaPlatformClaims::decode(&profile), Err(Distrust::Profile.into()));
}

#[test]
fn refuses_what_is_no_pair_of_tokens() {
    let decode = |write: fn(&mut Writer)| CcaToken::decode(&item(write)).unwrap_err();
    let malformed = |at, reason| Error::Malformed(cbor::Error::new(at, reason));
    assert_eq!(decode(|w| _ = w.map(0)), malformed(0, Reason::Rule("token is not tagged as one of CCA")));
    assert_eq!(decode(|w| _ = w.tag(399).map(0)), malformed(3, Reason::MissingKey(44234)));
    assert_eq!(decode(|w| _ = w.tag(399).map(1).int(1).bytes(&[])), malformed(4, Reason::Unknown(1)));
}
