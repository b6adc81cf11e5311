//! What must hold for any input: decoders return, and what they accept survives a round trip.

use std::collections::BTreeMap;

use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};
use eat::{
    Appraisal, AttestationResult, Bundle, Category, CcaToken, Claims, Cmw, CmwCollection, CmwIndicator,
    CmwKey, CmwRecord, CmwType, Content, DebugStatus, Dloa, EnactTrustToken, Evidence, EvidenceClaims,
    Lifecycle, Location, ManifestReference, MeasuredComponent, NestedToken, Nonce, Number, OemId,
    ParsecAttestation, PsaClaims, PsaProfile, PsaToken, Reason, SignedCmw, SignedResult, SoftwareComponent,
    Submodule, Token, TpmPublic, TrustVector, Ueid, UnprotectedClaims, VerifierId,
};
use proptest::{option, prelude::*};
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
    let _ = MeasuredComponent::decode_json(bytes);
    let _ = (Bundle::decode(bytes), UnprotectedClaims::decode(bytes), UnprotectedClaims::decode_json(bytes));
    let _ = (PsaToken::decode(bytes), PsaClaims::decode(bytes), CcaToken::decode(bytes));
    let _ = (Cmw::decode(bytes), SignedCmw::decode(bytes), Cmw::decode_extension(bytes));
    let _ = (EnactTrustToken::decode(bytes), TpmPublic::decode(bytes), ParsecAttestation::decode(bytes));
}

/// Claims with one submodule of each kind.
fn claims() -> impl Strategy<Value = Claims> {
    let bytes = |range| proptest::collection::vec(any::<u8>(), range);
    let identity = (
        proptest::collection::vec(bytes(8..65usize), 0..3),
        option::of(bytes(7..34)),
        any::<u64>(),
        option::of(bytes(1..33)),
        option::of(0..5usize),
    );
    let texts = (option::of(".*"), proptest::collection::vec(".*", 0..3), option::of(".*"));
    let numbers = (any::<Option<i64>>(), any::<Option<u64>>(), any::<i64>(), -1e9..1e9f64, 1..=255u8);
    let nested = (bytes(0..40), "[a-z.]*", bytes(0..40));
    (identity, texts, numbers, nested).prop_map(|(identity, texts, numbers, nested)| {
        let digest = Digest::of(HashAlgorithm::Sha512, &nested.2);
        let inner = Claims { uptime: numbers.1, ..Claims::default() };
        Claims {
            nonces: identity.0.iter().map(|bytes| Nonce::new(bytes).unwrap()).collect(),
            ueid: identity.1.and_then(|bytes| Ueid::new(&bytes)),
            oemid: Some(OemId::Pen(identity.2)),
            hwmodel: identity.3,
            dbgstat: identity.4.map(|index| DebugStatus::ALL[index]),
            issuer: texts.0,
            audience: texts.1,
            swname: texts.2,
            issued_at: numbers.0,
            bootcount: numbers.1,
            location: Some(Location {
                latitude: Number::Int(numbers.2),
                longitude: Number::float(numbers.3),
                altitude: None,
                accuracy: None,
                altitude_accuracy: None,
                heading: None,
                speed: None,
                timestamp: numbers.0,
                age: numbers.1,
            }),
            intuse: Some(numbers.4),
            dloas: vec![Dloa { registrar: "r".into(), platform: "p".into(), application: None }],
            manifests: vec![Content::bytes(258, nested.2.clone())],
            submods: BTreeMap::from([
                ("own".into(), Submodule::Claims(Box::new(inner))),
                ("cwt".into(), Submodule::Token(NestedToken::Cbor(nested.0))),
                ("jwt".into(), Submodule::Token(NestedToken::Jwt(nested.1))),
                ("digest".into(), Submodule::Detached(digest)),
            ]),
            ..Claims::default()
        }
    })
}

fn psa() -> impl Strategy<Value = PsaClaims> {
    let hash = || prop_oneof![Just(32usize), Just(48), Just(64)];
    let bytes = |len: usize| proptest::collection::vec(any::<u8>(), len);
    let component = (hash().prop_flat_map(bytes), hash().prop_flat_map(bytes), proptest::option::of(".*"));
    let identity = (0..3usize, hash().prop_flat_map(bytes), any::<[u8; 32]>(), any::<[u8; 32]>());
    let state = (1..=i32::MAX, 0..7u16, any::<u8>(), any::<[u8; 32]>());
    (identity, state, proptest::collection::vec(component, 1..4)).prop_map(|(identity, state, components)| {
        PsaClaims {
            profile: PsaProfile::ALL[identity.0],
            nonce: Nonce::new(&identity.1).unwrap(),
            instance_id: Ueid::new(&[[1].as_slice(), &identity.2].concat()).unwrap(),
            boot_seed: Some(state.3.into()),
            client_id: state.0,
            lifecycle: Lifecycle::new(state.1 << 12 | u16::from(state.2)).unwrap(),
            implementation_id: identity.3,
            certification_reference: None,
            components: components
                .into_iter()
                .map(|(measurement, signer_id, version)| SoftwareComponent {
                    measurement_type: None,
                    measurement,
                    version,
                    signer_id,
                    description: None,
                })
                .collect(),
            verification_service: None,
        }
    })
}

fn wrapper() -> impl Strategy<Value = Cmw> {
    let value = || proptest::collection::vec(any::<u8>(), 0..20);
    let indicator = proptest::option::of((1..32u64).prop_map(|bits| CmwIndicator::new(bits).unwrap()));
    let record = prop_oneof![
        (0..65025u16, value(), indicator).prop_map(|(format, value, indicator)| {
            let tagged = indicator.is_none() && value.len() % 2 == 0;
            CmwRecord { kind: CmwType::ContentFormat(format), value, indicator, tagged }
        }),
        ("[a-z]{1,8}/[a-z+.]{1,8}", value()).prop_map(|(media_type, value)| CmwRecord::new(
            &media_type,
            value
        )
        .unwrap()),
    ];
    record.prop_map(Cmw::from).prop_recursive(3, 12, 4, |inner| {
        let key = prop_oneof![any::<i64>().prop_map(CmwKey::Int), "[a-z]{0,6}".prop_map(CmwKey::Text)];
        proptest::collection::btree_map(key, inner, 1..4)
            .prop_map(|entries| CmwCollection { kind: Some("2.999.1".into()), entries }.into())
    })
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
    fn claims_survive_a_round_trip_in_both_forms(claims in claims()) {
        let unprotected = UnprotectedClaims::from(claims.clone());
        prop_assert_eq!(UnprotectedClaims::decode(&unprotected.encode()).unwrap(), unprotected.clone());
        let text = claims.encode_json().unwrap();
        prop_assert_eq!(UnprotectedClaims::decode_json(text.as_bytes()).unwrap(), unprotected);
    }

    #[test]
    fn psa_claims_survive_a_round_trip(claims in psa()) {
        prop_assert_eq!(PsaClaims::decode(&claims.encode()).unwrap(), claims);
    }

    #[test]
    fn wrappers_survive_a_round_trip(wrapper in wrapper()) {
        let decoded = Cmw::decode(&wrapper.encode()).unwrap();
        prop_assert_eq!(&decoded, &wrapper);
        if let Ok(text) = wrapper.encode_json() {
            let decoded = Cmw::decode(text.as_bytes()).unwrap();
            prop_assert_eq!(decoded.records().len(), wrapper.records().len());
        }
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
