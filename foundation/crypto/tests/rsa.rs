//! RSA signatures made elsewhere, over the bytes `message`, by `openssl dgst` 3.0; what it encrypted, and its private key.
//!
//! The back end is the one of the build: `--features rsa` tests `soft`, `--features rsa,fast` the other.

#![cfg(feature = "rsa")]

use std::path::Path;

use sextant_crypto::{Error, HashAlgorithm, RsaPadding, RsaPublicKey, RsaSigningKey};

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

/// What the fixtures of encryption hold.
const SECRET: &[u8] = b"a secret of a device";

/// The public key of the private one in the fixtures.
fn owner() -> RsaPublicKey {
    key("owner-spki").expect("a key")
}

/// Counts up from zero.
fn counting(out: &mut [u8]) {
    out.iter_mut().zip(0..).for_each(|(byte, number)| *byte = number);
}

#[test]
fn a_secret_is_encrypted_with_the_randomness_of_the_caller() {
    // The same seed and secret, put together by the steps of RFC 8017, section 7.1.1, in another language.
    let encrypted = owner().encrypt_oaep(HashAlgorithm::Sha256, SECRET, &mut counting);
    assert_eq!(encrypted, Ok(data("oaep-256-counting-seed")));
    let constant = owner().encrypt_oaep(HashAlgorithm::Sha256, SECRET, &mut |out| out.fill(1));
    assert_ne!(constant, encrypted);
    let broken = owner().encrypt_oaep(HashAlgorithm::Sha256, SECRET, &mut |_| {});
    assert_eq!(broken, Err(Error::BadEntropy));
}

#[test]
fn a_secret_fits_below_modulus_and_two_digests() {
    for hash in HashAlgorithm::ALL {
        let most = 256 - 2 * hash.len() - 2;
        let encrypt = |len: usize| owner().encrypt_oaep(hash, &vec![7; len], &mut counting);
        assert_eq!(encrypt(most).expect("fits").len(), 256);
        assert_eq!(encrypt(0).expect("fits").len(), 256);
        assert_eq!(encrypt(most + 1), Err(Error::TooLong));
    }
}

#[cfg(not(feature = "fast"))]
#[test]
fn devices_have_no_private_keys() {
    assert_eq!(RsaSigningKey::generate(2048).err(), Some(Error::UnsupportedAlgorithm));
    let read = RsaSigningKey::from_pkcs8_der(&data("owner-pkcs8"));
    assert_eq!(read.err(), Some(Error::UnsupportedAlgorithm));
}

#[cfg(feature = "fast")]
mod private_keys {
    use super::*;

    fn private() -> RsaSigningKey {
        RsaSigningKey::from_pkcs8_der(&data("owner-pkcs8")).expect("a key")
    }

    #[test]
    fn a_key_of_another_implementation_is_read_and_written_back() {
        assert_eq!(private().public_key(), &owner());
        assert_eq!(*private().to_pkcs8_der(), data("owner-pkcs8"));
        assert_eq!(format!("{:?}", private()), "Key(RSA, 2048 bits)");
    }

    #[test]
    fn what_was_made_is_read_back_and_no_two_are_the_same() {
        let keys = [2048, 2048, 3072].map(|bits| {
            let key = RsaSigningKey::generate(bits).expect("a key");
            assert_eq!(8 * key.public_key().modulus().len(), bits);
            assert_eq!(key.public_key().exponent(), [1, 0, 1]);
            let again = RsaSigningKey::from_pkcs8_der(&key.to_pkcs8_der()).expect("our own");
            assert_eq!(again.public_key(), key.public_key());
            key
        });
        assert_ne!(keys[0].public_key(), keys[1].public_key());
        for bits in [0, 1024, 2047, 4096] {
            assert_eq!(RsaSigningKey::generate(bits).err(), Some(Error::UnsupportedAlgorithm), "{bits}");
        }
    }

    #[test]
    fn its_signatures_verify_with_their_own_padding_and_hash_only() {
        for (name, padding, hash) in SIGNATURES {
            let signature = private().sign(padding, hash, b"message").expect("signs");
            for (other, other_padding, other_hash) in SIGNATURES {
                let verified = owner().verify(other_padding, other_hash, b"message", &signature);
                let expected = if other == name { Ok(()) } else { Err(Error::BadSignature) };
                assert_eq!(verified, expected, "{name} as {other}");
            }
            let twice = private().sign(padding, hash, b"message").expect("signs") == signature;
            assert_eq!(twice, padding == RsaPadding::Pkcs1v15, "a salt is random");
            assert_eq!(owner().verify(padding, hash, b"massage", &signature), Err(Error::BadSignature));
        }
    }

    #[test]
    fn decrypts_what_was_encrypted_to_it_and_nothing_else() {
        let (sha256, sha384) = (HashAlgorithm::Sha256, HashAlgorithm::Sha384);
        for (name, hash) in [("oaep-256", sha256), ("oaep-256-counting-seed", sha256), ("oaep-384", sha384)] {
            let ciphertext = data(name);
            assert_eq!(private().decrypt_oaep(hash, &ciphertext).expect(name).as_slice(), SECRET);
            let other = if hash == sha256 { sha384 } else { sha256 };
            let refused = Some(Error::BadCiphertext);
            assert_eq!(private().decrypt_oaep(other, &ciphertext).err(), refused);
            for at in 0..ciphertext.len() {
                let mut changed = ciphertext.clone();
                changed[at] ^= 1;
                assert_eq!(private().decrypt_oaep(hash, &changed).err(), refused, "{name}: byte {at}");
            }
            let longer = [&ciphertext[..], &[0]].concat();
            for wrong in [&ciphertext[1..], &longer, &[], &[0; 256], &[0xff; 256]] {
                assert_eq!(private().decrypt_oaep(hash, wrong).err(), refused, "{} bytes", wrong.len());
            }
        }
        let stranger = RsaSigningKey::generate(2048).expect("a key");
        assert_eq!(stranger.decrypt_oaep(sha256, &data("oaep-256")).err(), Some(Error::BadCiphertext));
        for hash in HashAlgorithm::ALL {
            for len in [0, 1, 32, 256 - 2 * hash.len() - 2] {
                let plaintext = vec![0; len];
                let ciphertext = owner().encrypt_oaep(hash, &plaintext, &mut counting).expect("fits");
                assert_eq!(private().decrypt_oaep(hash, &ciphertext).as_deref(), Ok(&plaintext));
            }
        }
    }

    #[test]
    fn refuses_what_is_no_private_key() {
        let good = data("owner-pkcs8");
        for end in 0..good.len() {
            assert!(RsaSigningKey::from_pkcs8_der(&good[..end]).is_err(), "{end}");
        }
        let longer = [&good[..], &[0]].concat();
        let refused = RsaSigningKey::from_pkcs8_der(&longer).err();
        assert_eq!(refused, Some(Error::MalformedDer { at: good.len() }));
        let p256 =
            testkit::read_hex(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/p256.pkcs8.hex"));
        assert_eq!(RsaSigningKey::from_pkcs8_der(&p256).err(), Some(Error::UnsupportedAlgorithm));
        // The numbers no longer fit together.
        let refused = (40..good.len()).step_by(13).filter(|at| {
            let mut changed = good.clone();
            changed[*at] ^= 0x10;
            RsaSigningKey::from_pkcs8_der(&changed).is_err()
        });
        assert_eq!(refused.count(), (40..good.len()).step_by(13).count());
    }
}
