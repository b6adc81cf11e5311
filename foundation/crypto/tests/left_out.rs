//! A build for a small device: what it leaves out is unsupported, and never something else.
//!
//! `cargo test -p sextant-crypto --no-default-features --features soft`

#![cfg(not(any(
    feature = "sha512",
    feature = "es384",
    feature = "ed25519",
    feature = "hss",
    feature = "encryption"
)))]

use sextant_crypto::{
    AgreementCurve, AgreementKey, ContentAlgorithm, ContentKey, Digest, Error, HashAlgorithm,
    KeyWrapAlgorithm, KeyWrapKey, PublicKey, SignatureAlgorithm, SigningKey,
};

const LEFT_OUT: [SignatureAlgorithm; 3] =
    [SignatureAlgorithm::Es384, SignatureAlgorithm::Ed25519, SignatureAlgorithm::HssLms];

#[test]
fn what_is_there_works() {
    let key = SigningKey::from_bytes(SignatureAlgorithm::Es256, &[7; 32]).expect("a scalar in range");
    let (x, y) = key.public_key().ec2_coordinates().expect("a point");
    let public = PublicKey::from_ec2(SignatureAlgorithm::Es256, x, y).expect("a key");
    let signature = key.sign(b"message");
    assert_eq!(public.verify(b"message", &signature), Ok(()));
    assert_eq!(public.verify(b"massage", &signature), Err(Error::BadSignature));
    let agreement = AgreementKey::from_bytes(AgreementCurve::P256, &[7; 32]).expect("a scalar in range");
    assert_eq!(agreement.agree(agreement.public_key()).expect("agrees").as_bytes().len(), 32);
    assert_eq!(Digest::of(HashAlgorithm::Sha256, b"abc").as_bytes()[..4], [0xba, 0x78, 0x16, 0xbf]);
}

#[test]
fn keys_of_what_is_left_out_are_unsupported() {
    assert_eq!(
        PublicKey::from_ec2(SignatureAlgorithm::Es384, &[1; 48], &[1; 48]),
        Err(Error::UnsupportedAlgorithm)
    );
    assert_eq!(PublicKey::from_ed25519(&[1; 32]), Err(Error::UnsupportedAlgorithm));
    assert_eq!(PublicKey::from_hss(&[0; 60]), Err(Error::UnsupportedAlgorithm));
    for algorithm in LEFT_OUT {
        let made = SigningKey::from_bytes(algorithm, &vec![7; algorithm.secret_len()]);
        assert_eq!(made.err(), Some(Error::UnsupportedAlgorithm), "{algorithm}");
    }
}

#[test]
fn what_is_left_out_is_neither_listed_nor_found() {
    assert_eq!(SignatureAlgorithm::ALL, [SignatureAlgorithm::Es256]);
    for algorithm in LEFT_OUT {
        assert!(!algorithm.is_implemented());
        assert_eq!(SignatureAlgorithm::from_cose_id(algorithm.cose_id()), None);
    }
    assert_eq!(HashAlgorithm::ALL, [HashAlgorithm::Sha256]);
    assert_eq!(AgreementCurve::ALL, [AgreementCurve::P256]);
    for (cose, hmac) in [(-43, 6), (-44, 7)] {
        assert_eq!(HashAlgorithm::from_cose_id(cose), None);
        assert_eq!(HashAlgorithm::from_hmac_cose_id(hmac), None);
    }
    assert_eq!(ContentAlgorithm::from_cose_id(1), None);
    assert_eq!(KeyWrapAlgorithm::from_cose_id(-3), None);
}

#[test]
fn nothing_is_encrypted_or_wrapped() {
    for algorithm in
        [ContentAlgorithm::A128Gcm, ContentAlgorithm::ChaCha20Poly1305, ContentAlgorithm::A256Ctr]
    {
        let key = ContentKey::from_bytes(algorithm, &vec![7; algorithm.key_len()]).expect("the right length");
        let iv = vec![0; algorithm.iv_len()];
        assert_eq!(key.encrypt(&iv, &[], b"secret"), Err(Error::UnsupportedAlgorithm));
        assert_eq!(key.decryptor(&iv, &[]).err(), Some(Error::UnsupportedAlgorithm));
    }
    let key = KeyWrapKey::from_bytes(KeyWrapAlgorithm::A128Kw, &[7; 16]).expect("the right length");
    assert_eq!(key.wrap(&[1; 16]), Err(Error::UnsupportedAlgorithm));
    assert_eq!(key.unwrap(&[1; 24]).err(), Some(Error::UnsupportedAlgorithm));
}
