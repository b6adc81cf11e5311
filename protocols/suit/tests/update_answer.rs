//! What an update server answers a device: believed for one device and one question.

use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};
use sextant_suit::{
    SignedUpdateAnswer, UpdateAnswer, UpdateAnswerError,
    limits::{MAX_UPDATE_ANSWER_LEN, MAX_UPDATE_DEVICE_LEN, UPDATE_NONCE_LEN},
};

const NONCE: [u8; UPDATE_NONCE_LEN] = [7; UPDATE_NONCE_LEN];

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).expect("a key")
}

fn answer() -> UpdateAnswer {
    UpdateAnswer {
        device: vec![1; 17],
        nonce: NONCE,
        issued_at: 1_800_000_000,
        offer: Some(Digest::of(HashAlgorithm::Sha256, b"a manifest")),
        obeys: Some(Digest::of(HashAlgorithm::Sha256, b"a list")),
        authority_update: Some(Digest::of(HashAlgorithm::Sha256, b"a change")),
    }
}

#[test]
fn an_answer_is_read_as_it_was_written() {
    let longest = UpdateAnswer { device: vec![1; MAX_UPDATE_DEVICE_LEN], ..answer() };
    let nothing = UpdateAnswer { offer: None, obeys: None, authority_update: None, ..answer() };
    for answer in [answer(), nothing, UpdateAnswer { obeys: None, ..answer() }, longest] {
        let signed = answer.sign(&key(1), &[9; 32]);
        assert!(signed.len() <= MAX_UPDATE_ANSWER_LEN, "{}", signed.len());
        let read = SignedUpdateAnswer::decode(&signed).expect("well-formed");
        assert_eq!(read.unverified(), &answer);
        assert_eq!(read.verify(key(1).public_key(), &answer.device, &NONCE), Ok(answer));
    }
}

#[test]
fn each_fault_has_its_code() {
    let signed = answer().sign(&key(1), b"server");
    let verify = |bytes: &[u8], seed: u8, device: &[u8], nonce: &[u8; UPDATE_NONCE_LEN]| {
        SignedUpdateAnswer::decode(bytes)
            .and_then(|read| read.verify(key(seed).public_key(), device, nonce))
            .map_err(|error| error.code())
    };
    assert_eq!(verify(&signed, 2, &[1; 17], &NONCE), Err("bad-update-answer-signature"));
    assert_eq!(verify(&signed, 1, &[1; 17], &[8; UPDATE_NONCE_LEN]), Err("stale-update-answer"));
    assert_eq!(verify(&signed, 1, &[2; 17], &NONCE), Err("update-answer-for-another-device"));
    // The same bytes, signed for something else.
    let payload = cose::Sign1::decode(&signed).expect("a message").payload().expect("carried").to_vec();
    let elsewhere = cose::Sign1Builder::new().kid(b"server").sign(&key(1), &payload);
    assert_eq!(verify(&elsewhere, 1, &[1; 17], &NONCE), Err("bad-update-answer-signature"));
    let long = vec![0; MAX_UPDATE_ANSWER_LEN + 1];
    for malformed in [&signed[..signed.len() - 1], &long, b""] {
        assert_eq!(verify(malformed, 1, &[1; 17], &NONCE), Err("malformed-update-answer"));
    }
    let detached = cose::Sign1Builder::new().sign_detached(&key(1), &payload);
    assert_eq!(SignedUpdateAnswer::decode(&detached), Err(UpdateAnswerError::Detached));
}

#[test]
fn an_answer_says_all_it_must_and_nothing_else() {
    let read = |payload: &[u8]| {
        let signed = cose::Sign1Builder::new().sign(&key(1), payload);
        SignedUpdateAnswer::decode(&signed).map(|_| ()).map_err(|error| error.to_string())
    };
    let whole: [(i64, Vec<u8>); 3] =
        [(6, vec![0x00]), (10, [&[0x50][..], &NONCE].concat()), (256, vec![0x47, 1, 1, 1, 1, 1, 1, 1])];
    let map = |entries: &[(i64, Vec<u8>)]| {
        let mut map = cbor::MapBuilder::new();
        for (label, value) in entries {
            map.int(*label, |w| {
                w.raw(value);
            });
        }
        map.into_bytes()
    };
    assert_eq!(read(&map(&whole)), Ok(()));
    for left_out in 0..whole.len() {
        let mut entries = whole.to_vec();
        let (label, _) = entries.remove(left_out);
        assert_eq!(read(&map(&entries)), Err(format!("entry {label} is missing at byte 0")));
    }
    let unknown = [whole.to_vec(), vec![(300, vec![0x00])]].concat();
    assert!(read(&map(&unknown)).is_err_and(|error| error.starts_with("label 300 is not known")));
    let long = [whole[..2].to_vec(), vec![(256, [&[0x58, 34][..], &[1; 34]].concat())]].concat();
    assert!(read(&map(&long)).is_err_and(|error| error.starts_with("more than the 33 allowed")));
    let short =
        [vec![whole[0].clone(), (10, [&[0x4f][..], &NONCE[1..]].concat())], whole[2..].to_vec()].concat();
    assert!(read(&map(&short)).is_err());
}
