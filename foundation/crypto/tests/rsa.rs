//! RSA signatures made elsewhere, over the bytes `message`, by `openssl dgst` 3.0.
//!
//! The back end is the one of the build: `--features rsa` tests `soft`, `--features rsa,fast` the other.

#![cfg(feature = "rsa")]

use std::path::Path;

use sextant_crypto::{Error, HashAlgorithm, RsaPadding, RsaPublicKey};

fn data(name: &str) -> Vec<u8> {
    testkit::read_hex(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/rsa-{name}.hex")))
}

fn key(name: &str) -> Result<RsaPublicKey, Error> {
    RsaPublicKey::from_spki_der(&data(name))
}

const SIGNATURES: [(&str, RsaPadding, HashAlgorithm); 6] = [
    ("v15-256", RsaPadding::Pkcs1v15, HashAlgorithm::Sha256),
    ("v15-384", RsaPadding::Pkcs1v15, HashAlgorithm::Sha384),
    ("v15-512", RsaPadding::Pkcs1v15, HashAlgorithm::Sha512),
    ("pss-256", RsaPadding::Pss, HashAlgorithm::Sha256),
    ("pss-384", RsaPadding::Pss, HashAlgorithm::Sha384),
    ("pss-512", RsaPadding::Pss, HashAlgorithm::Sha512),
];

#[test]
fn a_signature_verifies_with_its_own_padding_and_hash_only() {
    let key = key("2048-spki").unwrap();
    for (name, padding, hash) in SIGNATURES {
        let signature = data(name);
        for (other, other_padding, other_hash) in SIGNATURES {
            let verified = key.verify(other_padding, other_hash, b"message", &signature);
            let expected = if other == name { Ok(()) } else { Err(Error::BadSignature) };
            assert_eq!(verified, expected, "{name} as {other}");
        }
        assert_eq!(key.verify(padding, hash, b"massage", &signature), Err(Error::BadSignature));
        for at in [0, 128, 255] {
            let mut broken = signature.clone();
            broken[at] ^= 1;
            assert_eq!(key.verify(padding, hash, b"message", &broken), Err(Error::BadSignature));
        }
        let long = [signature.as_slice(), &[0]].concat();
        for wrong in [&signature[1..], &long, &[], &[0xff; 256]] {
            assert_eq!(key.verify(padding, hash, b"message", wrong), Err(Error::BadSignature));
        }
    }
}

#[test]
fn a_longer_key_verifies_and_no_other_salt_or_hash_does() {
    let long = key("3072-spki").unwrap();
    let verify = |key: &RsaPublicKey, padding, name: &str| {
        key.verify(padding, HashAlgorithm::Sha256, b"message", &data(name))
    };
    assert_eq!(verify(&long, RsaPadding::Pkcs1v15, "v15-3072"), Ok(()));
    let key = key("2048-spki").unwrap();
    assert_eq!(verify(&key, RsaPadding::Pkcs1v15, "v15-3072"), Err(Error::BadSignature));
    assert_eq!(verify(&key, RsaPadding::Pss, "pss-max"), Err(Error::BadSignature));
    assert_eq!(verify(&key, RsaPadding::Pkcs1v15, "v15-sha1"), Err(Error::BadSignature));
}

#[test]
fn keys_are_of_usual_size_and_exponent() {
    let good = key("2048-spki").unwrap();
    let again = RsaPublicKey::from_components(&[&[0, 0], good.modulus()].concat(), &[0, 1, 0, 1]).unwrap();
    assert_eq!(again, good);
    assert_eq!(format!("{good:?}"), "RsaPublicKey(2048 bits)");
    assert_eq!(key("1024-spki"), Err(Error::MalformedKey));
    let mut even = good.modulus().to_vec();
    even[255] &= 0xfe;
    let mut short = good.modulus().to_vec();
    short[0] &= 0x7f;
    for modulus in [even.as_slice(), &short, &[], &[0xff; 513]] {
        assert_eq!(RsaPublicKey::from_components(modulus, &[1, 0, 1]), Err(Error::MalformedKey));
    }
    assert!(RsaPublicKey::from_components(&[0xff; 512], &[0xff; 4]).is_ok());
    for exponent in [[].as_slice(), &[3], &[1, 0, 0], &[1, 0, 2], &[0xff, 0xff], &[1, 0, 0, 0, 1]] {
        assert_eq!(
            RsaPublicKey::from_components(good.modulus(), exponent),
            Err(Error::MalformedKey),
            "{exponent:?}"
        );
    }
    let der = data("2048-spki");
    assert!(matches!(RsaPublicKey::from_spki_der(&der[..der.len() - 1]), Err(Error::MalformedDer { .. })));
    let other = testkit::read_hex(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/p256.spki.hex"));
    assert_eq!(RsaPublicKey::from_spki_der(&other), Err(Error::UnsupportedAlgorithm));
}

#[test]
fn a_key_is_written_as_it_was_read() {
    for name in ["2048-spki", "3072-spki"] {
        assert_eq!(key(name).unwrap().to_spki_der(), data(name), "{name}");
    }
}
