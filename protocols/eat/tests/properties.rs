//! What must hold for any input: decoders return, and what they accept survives a round trip.

use std::collections::BTreeMap;

use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};
use eat::{
    Appraisal, AttestationResult, Category, DebugStatus, Evidence, EvidenceClaims, ManifestReference,
    MeasuredComponent, Nonce, Reason, SignedResult, Token, TrustVector, Ueid, VerifierId,
};
use proptest::prelude::*;
use sextant_eat as eat;

fn key() -> SigningKey {
    SigningKey::generate(SignatureAlgorithm::Ed25519, &mut |bytes: &mut [u8]| bytes.fill(1)).unwrap()
}

fn evidence() -> impl Strategy<Value = EvidenceClaims> {
    let bytes = |range| proptest::collection::vec(any::<u8>(), range);
    let identity = (bytes(8..65usize), bytes(7..34), any::<[u8; 16]>(), any::<[u8; 16]>());
    let state = (any::<u64>(), bytes(8..33), 0..5usize, bytes(0..300));
    (identity, state, proptest::option::of(any::<u64>())).prop_map(|(identity, state, sequence_number)| {
        let digest = Digest::of(HashAlgorithm::Sha256, &identity.0);
        EvidenceClaims {
            nonce: Nonce::new(&identity.0).unwrap(),
            ueid: Ueid::new(&identity.1).unwrap(),
            vendor: identity.2,
            class: identity.3,
            bootcount: state.0,
            bootseed: state.1,
            dbgstat: DebugStatus::ALL[state.2],
            measurement: state.3,
            manifest: sequence_number.map(|sequence_number| ManifestReference { digest, sequence_number }),
            dependencies: Vec::new(),
            status: None,
        }
    })
}

type Drawn = ([i8; 8], Vec<(String, BTreeMap<String, String>)>, Option<[u8; 32]>);

fn result() -> impl Strategy<Value = AttestationResult> {
    let texts = proptest::collection::btree_map(".*", ".*", 0..3);
    let reasons = proptest::collection::vec((".*", texts), 0..3);
    let appraisal = (any::<[i8; 8]>(), reasons, proptest::option::of(any::<[u8; 32]>()));
    let submods = proptest::collection::btree_map(".*", appraisal, 1..4);
    (submods, ".*", any::<i32>(), 1..i64::MAX / 2).prop_map(|(submods, build, issued_at, lifetime)| {
        let appraise = |(values, reasons, release): Drawn| {
            let mut vector = TrustVector::new();
            Category::ALL.into_iter().zip(values).for_each(|(category, value)| vector.set(category, value));
            let reasons = reasons.into_iter().map(|(code, details)| Reason { code, details }).collect();
            Appraisal { reasons, release: release.map(Into::into), ..Appraisal::new(vector) }
        };
        let issued_at = i64::from(issued_at);
        let verifier = VerifierId { developer: "d".into(), build };
        let submods = submods.into_iter().map(|(name, appraisal)| (name, appraise(appraisal))).collect();
        AttestationResult { submods, ..AttestationResult::new(verifier, issued_at, issued_at + lifetime) }
    })
}

fn decode_all(bytes: &[u8]) {
    let _ = Token::decode(bytes);
    let _ = Evidence::decode(bytes);
    let _ = SignedResult::decode(bytes);
    let _ = MeasuredComponent::decode(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_input_makes_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        decode_all(&bytes);
    }

    #[test]
    fn no_altered_byte_makes_a_decoder_panic(
        claims in evidence(), result in result(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let jwt = result.sign_jwt(&key(), b"k").unwrap().into_bytes();
        for mut bytes in [claims.sign(&key(), b"k").unwrap(), result.sign_cwt(&key(), b"k").unwrap(), jwt] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            decode_all(&bytes);
            decode_all(&bytes[..at]);
        }
    }

    #[test]
    fn evidence_survives_a_round_trip(claims in evidence()) {
        let bytes = claims.sign(&key(), b"k").unwrap();
        let verified = Evidence::decode(&bytes).unwrap().verify(key().public_key(), &claims.nonce).unwrap();
        prop_assert_eq!(verified.claims(), &claims);
    }

    #[test]
    fn results_survive_a_round_trip_in_both_forms(result in result()) {
        let (cwt, jwt) = (result.sign_cwt(&key(), b"k").unwrap(), result.sign_jwt(&key(), b"k").unwrap());
        for bytes in [cwt.as_slice(), jwt.as_bytes()] {
            let signed = SignedResult::decode(bytes).unwrap();
            prop_assert_eq!(signed.unverified(), &result);
        }
    }
}
