//! Envelopes signed with hash-based signatures (MTI, suit-sha256-hsslms-a256kw-a256ctr).

mod support;

use crypto::{HssSigningKey, LmotsType, LmsType, SignatureAlgorithm};
use sextant_suit::{Authority, AuthorityList, Role};
use support::{build, code_of, flipped, one_author, recipe};

/// An offline root of two levels, which could sign 1024 manifests.
fn root() -> HssSigningKey {
    HssSigningKey::from_seed(&[(LmsType::H5, LmotsType::W8); 2], &[9; 32]).expect("a key")
}

/// An envelope signed with the next one-time key, its state stored where nothing fails.
fn signed(key: &mut HssSigningKey, sequence_number: u64) -> Vec<u8> {
    let mut envelope = build(&recipe(sequence_number).manifest().expect("a recipe"));
    let signed = envelope.to_be_signed(SignatureAlgorithm::HssLms, Some(b"root"));
    let reserved = key.reserve().expect("a one-time key is left");
    let stored = reserved.state().to_vec();
    let signature = reserved.confirm(&stored).expect("stored").sign(&signed).expect("signs");
    envelope.assemble(SignatureAlgorithm::HssLms, Some(b"root"), &signature);
    envelope.to_bytes()
}

#[test]
fn a_manifest_signed_with_hash_chains_verifies_by_the_authority_list() {
    let mut key = root();
    let author = Authority::new(key.public_key().clone(), b"root", "offline root", Role::Author);
    let list = AuthorityList::with_default_policy(vec![author]).expect("a list");
    assert_eq!(AuthorityList::decode(&list.to_bytes()).as_ref(), Ok(&list), "the list carries the key");
    for sequence_number in [1, 2] {
        let envelope = signed(&mut key, sequence_number);
        assert_eq!(code_of(&envelope, &list), "ok");
        assert_eq!(code_of(&envelope, &one_author()), "unknown-signer");
    }
    assert_eq!(key.used(), 2);
}

#[test]
fn every_changed_byte_of_the_signature_is_refused() {
    let mut key = root();
    let author = Authority::new(key.public_key().clone(), b"root", "offline root", Role::Author);
    let list = AuthorityList::with_default_policy(vec![author]).expect("a list");
    let envelope = signed(&mut key, 1);
    let signature_len = 4 + 2 * (4 + 4 + 32 + 34 * 32 + 4 + 5 * 32) + 56;
    let at = envelope.windows(3).position(|bytes| bytes == [0x59, 0x0a, 0x54]).expect("the signature") + 3;
    assert_eq!(signature_len, 0x0a54);
    for byte in (at..at + signature_len).step_by(11) {
        assert_eq!(code_of(&flipped(&envelope, byte), &list), "bad-manifest-signature", "byte {byte}");
    }
}
