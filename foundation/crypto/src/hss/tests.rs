//! RFC 8554, appendix F, both ways; refusals; and that no one-time key signs twice.

use std::collections::BTreeSet;

use testkit::{hex, read_hex};

use super::tree::{Root, Tree};
use super::*;
use crate::{Error, HssSigningKey, PublicKey, SignatureAlgorithm, SigningKey};

fn published(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    read_hex(&folder.join(format!("rfc8554-{name}.hex")))
}

/// Public key, message and signature of one test case.
fn case(number: u8) -> (PublicKey, Vec<u8>, Vec<u8>) {
    let part = |part| published(&format!("case{number}.{part}"));
    (PublicKey::from_hss(&part("public")).expect("a key"), part("message"), part("signature"))
}

const SEED: &[u8; 32] = &[7; 32];

fn small(levels: usize) -> HssSigningKey {
    HssSigningKey::from_seed(&vec![(LmsType::H5, LmotsType::W4); levels], SEED).expect("a key")
}

/// One signature, its state stored where nothing fails.
fn sign(key: &mut HssSigningKey, message: &[u8]) -> Vec<u8> {
    let reserved = key.reserve().expect("a one-time key is left");
    let stored = reserved.state().to_vec();
    reserved.confirm(&stored).expect("stored").sign(message).expect("signs")
}

#[test]
fn published_signatures_verify() {
    for number in [1, 2] {
        let (key, message, signature) = case(number);
        assert_eq!(key.verify(&message, &signature), Ok(()), "case {number}");
        assert_eq!(key.verify(b"another", &signature), Err(Error::BadSignature));
        assert_eq!(key.algorithm(), SignatureAlgorithm::HssLms);
    }
    let (key, message, _) = case(1);
    assert_eq!(key.verify(&message, &case(2).2), Err(Error::BadSignature));
}

#[test]
fn every_changed_byte_of_a_published_signature_is_refused() {
    for number in [1, 2] {
        let (key, message, signature) = case(number);
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 1 << (at % 8);
            assert_eq!(key.verify(&message, &changed), Err(Error::BadSignature), "case {number}, byte {at}");
        }
        for len in (0..signature.len()).step_by(13) {
            assert_eq!(key.verify(&message, &signature[..len]), Err(Error::BadSignature), "{len} bytes");
        }
        let longer = [&signature[..], &[0]].concat();
        assert_eq!(key.verify(&message, &longer), Err(Error::BadSignature));
        for at in 0..key.as_bytes().len() {
            let mut changed = key.as_bytes().to_vec();
            changed[at] ^= 1;
            let outcome = PublicKey::from_hss(&changed).and_then(|key| key.verify(&message, &signature));
            assert!(outcome.is_err(), "byte {at} of the key");
        }
    }
}

#[test]
fn published_seeds_grow_the_published_keys_and_signatures() {
    // RFC 8554, appendix F, test case 2: the two trees, and where their signatures are in that of the whole.
    let trees = [
        (
            "558b8966c48ae9cb898b423c83443aae014a72f1b1ab5cc85cf1d892903b5439",
            "d08fabd4a2091ff0a8cb4ed834e74534",
            LmsType::H10,
            LmotsType::W4,
        ),
        (
            "a1c4696e2608035a886100d05cd99945eb3370731884a8235e2fb3d4d71f2547",
            "215f83b7ccb9acbcd08db97b0d04dc2b",
            LmsType::H5,
            LmotsType::W8,
        ),
    ];
    let (key, message, signature) = case(2);
    let mut rest = &signature[4..];
    let grown = trees.map(|(seed, identifier, lms, ots)| {
        let root = Root {
            identifier: hex(identifier).try_into().expect("16 bytes"),
            seed: zeroize::Zeroizing::new(hex(seed).try_into().expect("32 bytes")),
        };
        Tree::grow(root, lms, ots)
    });
    assert_eq!(key.as_bytes()[4..], grown[0].public());
    for (tree, message) in grown.iter().zip([&grown[1].public()[..], &message]) {
        let leaf = u32::from_be_bytes(rest[..4].try_into().expect("4 bytes"));
        let made = tree.sign_with(leaf, rest[8..40].try_into().expect("32 bytes"), message);
        assert_eq!(made, rest[..made.len()]);
        rest = &rest[made.len()..];
        if !rest.is_empty() {
            let (public, below) = rest.split_at(LMS_PUBLIC_LEN);
            assert_eq!(public, message);
            rest = below;
        }
    }
    assert!(rest.is_empty());
}

#[test]
fn keys_of_every_width_and_up_to_three_levels_sign() {
    for ots in LmotsType::ALL {
        let mut key = HssSigningKey::from_seed(&[(LmsType::H5, ots)], SEED).expect("a key");
        let signature = sign(&mut key, b"message");
        assert_eq!(key.public_key().verify(b"message", &signature), Ok(()), "{ots}");
        assert_eq!(key.public_key().verify(b"massage", &signature), Err(Error::BadSignature), "{ots}");
    }
    for levels in 1..=3 {
        let mut key = small(levels);
        assert_eq!(key.remaining(), 1 << (5 * levels));
        for _ in 0..3 {
            let signature = sign(&mut key, b"message");
            assert_eq!(key.public_key().verify(b"message", &signature), Ok(()), "{levels} levels");
        }
        assert_eq!(key.used(), 3);
    }
    let levels = [(LmsType::H10, LmotsType::W2), (LmsType::H5, LmotsType::W8)];
    let mut key = HssSigningKey::from_seed(&levels, SEED).expect("a key");
    let signature = sign(&mut key, b"message");
    assert_eq!(key.public_key().verify(b"message", &signature), Ok(()));
}

#[test]
fn each_one_time_key_signs_once_until_all_are_used() {
    let mut key = small(2);
    let public = key.public_key().clone();
    // From the last leaf of one lower tree to the first of the next, and to the end of the key.
    let mut seen = BTreeSet::new();
    let mut parents = BTreeSet::new();
    for number in [0u64, 1, 30, 31, 32, 33, 63, 64, 1022, 1023] {
        key.skip_to(number).expect("forward");
        let signature = sign(&mut key, &number.to_be_bytes());
        assert_eq!(public.verify(&number.to_be_bytes(), &signature), Ok(()), "{number}");
        let upper = u32::from_be_bytes(signature[4..8].try_into().expect("4 bytes"));
        let lms_len = signature.len() - 4 - LMS_PUBLIC_LEN;
        let lower_at = 4 + lms_len / 2 + LMS_PUBLIC_LEN;
        let lower = u32::from_be_bytes(signature[lower_at..lower_at + 4].try_into().expect("4 bytes"));
        assert_eq!(u64::from(upper) * 32 + u64::from(lower), number);
        assert!(seen.insert((upper, lower)));
        // What the upper one-time key signs is always the same tree with the same signature.
        parents.insert((upper, signature[4..lower_at].to_vec()));
    }
    let uppers: BTreeSet<u32> = parents.iter().map(|(upper, _)| *upper).collect();
    assert_eq!(parents.len(), uppers.len(), "one signature of each upper one-time key");
    assert_eq!(key.remaining(), 0);
    assert_eq!(key.reserve().err(), Some(Error::KeyExhausted));
    assert_eq!(key.skip_to(1025), Err(Error::KeyExhausted));
}

#[test]
fn there_is_no_signature_without_proof_that_the_state_is_stored() {
    let mut key = small(1);
    let before = key.encode();
    for wrong in [&before[..], &[], &[0; 32]] {
        let reserved = key.reserve().expect("a one-time key is left");
        assert_eq!(reserved.confirm(wrong).err(), Some(Error::StateNotStored));
    }
    // Each attempt has used one up, and a token dropped without use has too.
    drop(key.reserve());
    assert_eq!(key.used(), 4);
    let signature = sign(&mut key, b"message");
    assert_eq!(signature[4..8], 4u32.to_be_bytes());
}

#[test]
fn a_key_goes_on_where_its_stored_state_is() {
    let mut key = small(2);
    let reserved = key.reserve().expect("a one-time key is left");
    // A power cut here: what was stored counts, and the signature was never made.
    let stored = reserved.state().to_vec();
    let mut again = HssSigningKey::decode(&stored).expect("a state");
    assert_eq!((again.used(), again.public_key()), (1, &key.public_key().clone()));
    assert_eq!(again.levels(), key.levels());
    let signature = sign(&mut again, b"message");
    assert_eq!(key.public_key().verify(b"message", &signature), Ok(()));
    assert_eq!(*HssSigningKey::decode(&again.encode()).expect("a state").encode(), *again.encode());

    assert_eq!(again.skip_to(1), Err(Error::StateWentBack));
    assert_eq!(again.skip_to(2), Ok(()));
    assert_eq!(again.skip_to(7), Ok(()));
    assert_eq!(again.used(), 7);
}

#[test]
fn refuses_every_damaged_state() {
    let state = small(2).encode();
    for at in 0..state.len() {
        let mut changed = state.to_vec();
        changed[at] ^= 1 << (at % 8);
        assert_eq!(HssSigningKey::decode(&changed).err(), Some(Error::MalformedState), "byte {at}");
        assert_eq!(HssSigningKey::decode(&state[..at]).err(), Some(Error::MalformedState), "{at} bytes");
    }
    let with_digest = |mut content: Vec<u8>| {
        let digest = crate::Digest::of(HashAlgorithm::Sha256, &content);
        content.extend_from_slice(digest.as_bytes());
        content
    };
    let content = &state[..state.len() - HASH_LEN];
    assert!(HssSigningKey::decode(&with_digest(content.to_vec())).is_ok());
    // Format, number of levels, a height that is not signed with, a counter behind the end, a byte too many.
    let at_counter = content.len() - 8;
    for (at, value) in [(7, 2), (8, 1), (8, 0), (9, 9), (10, 5), (at_counter, 1)] {
        let mut changed = content.to_vec();
        changed[at] = value;
        let refused = HssSigningKey::decode(&with_digest(changed)).err();
        assert_eq!(refused, Some(Error::MalformedState), "{value} at {at}");
    }
    let longer = with_digest([content, &[0]].concat());
    assert_eq!(HssSigningKey::decode(&longer).err(), Some(Error::MalformedState));
}

#[test]
fn a_state_of_parts_of_two_keys_does_not_sign() {
    let state = small(1).encode();
    let mut content = state[..state.len() - HASH_LEN].to_vec();
    content[11] ^= 1; // the seed
    let digest = crate::Digest::of(HashAlgorithm::Sha256, &content);
    content.extend_from_slice(digest.as_bytes());
    let mut key = HssSigningKey::decode(&content).expect("well-formed");
    let reserved = key.reserve().expect("a one-time key is left");
    let stored = reserved.state().to_vec();
    let confirmed = reserved.confirm(&stored).expect("stored");
    assert_eq!(confirmed.sign(b"message").err(), Some(Error::MalformedState));
}

#[test]
fn refuses_keys_of_other_shapes() {
    let (key, ..) = case(1);
    let with = |at: usize, value: u32| {
        let mut bytes = key.as_bytes().to_vec();
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        PublicKey::from_hss(&bytes).map(|_| ())
    };
    assert_eq!((with(0, 1), with(0, 8)), (Ok(()), Ok(())));
    assert_eq!((with(0, 0), with(0, 9)), (Err(Error::MalformedKey), Err(Error::MalformedKey)));
    // Types of SHA-256 cut to 24 bytes and of SHAKE256 (SP 800-208) are others.
    assert_eq!(
        (with(4, 4), with(4, 10)),
        (Err(Error::UnsupportedAlgorithm), Err(Error::UnsupportedAlgorithm))
    );
    assert_eq!(
        (with(8, 0), with(8, 5)),
        (Err(Error::UnsupportedAlgorithm), Err(Error::UnsupportedAlgorithm))
    );
    for len in [0, 59, 61] {
        assert_eq!(PublicKey::from_hss(&vec![0; len]).err(), Some(Error::MalformedKey));
    }
    let pair = (LmsType::H5, LmotsType::W8);
    for levels in [vec![], vec![pair; 9], vec![pair, (LmsType::H15, LmotsType::W8)]] {
        let refused = HssSigningKey::from_seed(&levels, SEED).err();
        assert_eq!(refused, Some(Error::UnsupportedAlgorithm));
    }
    assert_eq!(HssSigningKey::generate(&[pair], &mut |_| {}).err(), Some(Error::BadEntropy));
}

#[test]
fn a_key_without_state_never_signs_with_hash_chains() {
    let refused = SigningKey::from_bytes(SignatureAlgorithm::HssLms, &[1; 32]).err();
    assert_eq!(refused, Some(Error::WrongKeyType));
    let refused = SigningKey::generate(SignatureAlgorithm::HssLms, &mut |bytes| bytes.fill(1)).err();
    assert_eq!(refused, Some(Error::WrongKeyType));
    let (key, message, signature) = case(1);
    let spki = key.to_spki_der();
    let again = PublicKey::from_spki_der(&spki).expect("a key");
    assert_eq!(again, key);
    assert_eq!(again.verify_der(&message, &signature), Ok(()));
}

#[test]
fn the_longest_signature_is_as_long_as_said() {
    let (_, _, signature) = case(1);
    // Two levels of W8 and H5, against eight of W1 and H25.
    let ots = |chains: usize| 4 + 32 + 32 * chains;
    let lms = |chains, height: usize| 4 + ots(chains) + 4 + 32 * height;
    assert_eq!(signature.len(), 4 + 2 * lms(34, 5) + LMS_PUBLIC_LEN);
    assert_eq!(MAX_HSS_SIGNATURE_LEN, 4 + 8 * lms(265, 25) + 7 * LMS_PUBLIC_LEN);
}
