//! What must hold for any input: decoders return, what they accept survives a round trip, and what holds of some evidence
//! holds of more of it.

mod common;

use common::{CLASS, Component, class, device, evidence, manifest, release, sha256, uploaded};
use corim::{
    Comid, Corim, Coserv, Cotl, CryptoKey, Element, Flags, IntRange, MeasuredElement, Measurement,
    MeasurementValues, Outcome, RawValue, Received, References, RegisterId, ReleaseUnit, Svn, Triples,
    ValuesTriple, Version, VersionScheme,
};
use proptest::prelude::*;
use sextant_corim as corim;

fn values() -> impl Strategy<Value = MeasurementValues> {
    let svn = prop_oneof![
        any::<u64>().prop_map(Svn::Bare),
        any::<u64>().prop_map(Svn::Exact),
        any::<u64>().prop_map(Svn::Min)
    ];
    let bytes = || proptest::collection::vec(any::<u8>(), 0..4);
    let raw = prop_oneof![
        bytes().prop_map(RawValue::Plain),
        (bytes(), bytes()).prop_map(|(value, mask)| RawValue::Masked { value, mask }),
        (bytes(), bytes()).prop_map(|(value, mask)| RawValue::OlderMasked { value, mask })
    ];
    let limit = || proptest::option::of(any::<i64>());
    let range = prop_oneof![
        any::<i64>().prop_map(IntRange::Exact),
        (limit(), limit()).prop_map(|(min, max)| IntRange::Range(min, max))
    ];
    let flags = proptest::collection::btree_map(0..=Flags::IS_RUNTIME_UPDATABLE, any::<bool>(), 1..4)
        .prop_map(|known| Flags { known, ..Flags::default() });
    let version = ("[a-z]{0,3}", proptest::option::of(any::<i64>()))
        .prop_map(|(version, scheme)| Version { version, scheme: scheme.map(VersionScheme::Id) });
    let id = prop_oneof![(0..9u64).prop_map(RegisterId::Number), "[a-z]{1,2}".prop_map(RegisterId::Name)];
    let digest = (0..9u32).prop_map(sha256);
    let registers =
        proptest::collection::btree_map(id, proptest::collection::vec(digest.clone(), 1..3), 0..3);
    let option = |strategy| proptest::option::of(strategy);
    (
        proptest::option::of(svn),
        proptest::option::of(raw),
        proptest::option::of(range),
        proptest::option::of(flags),
        proptest::option::of(version),
        registers,
        proptest::collection::vec(digest, 0..3),
        option(any::<[u8; 16]>()),
        "[a-z]{0,4}",
        proptest::collection::vec(bytes().prop_map(CryptoKey::Bytes), 0..3),
        proptest::option::of((any::<i64>(), any::<u8>())),
    )
        .prop_map(
            |(
                svn,
                raw_value,
                int_range,
                flags,
                version,
                integrity_registers,
                digests,
                uuid,
                name,
                cryptokeys,
                extra,
            )| {
                let mut values = MeasurementValues {
                    svn,
                    raw_value,
                    int_range,
                    flags,
                    version,
                    integrity_registers,
                    digests,
                    uuid,
                    name: Some(name),
                    cryptokeys,
                    ..MeasurementValues::default()
                };
                if let Some((label, value)) = extra {
                    // Far from every label there is.
                    let item = cbor::Writer::encode(|w| _ = w.uint(u64::from(value)));
                    values.extensions.insert(label | 1 << 20, &item).expect("an item");
                }
                values
            },
        )
}

fn a_corim() -> impl Strategy<Value = Corim> {
    let element = prop_oneof![
        any::<u64>().prop_map(MeasuredElement::Number),
        "[a-z]{0,3}".prop_map(MeasuredElement::Name),
        any::<[u8; 16]>().prop_map(MeasuredElement::Uuid)
    ];
    let measurement = (proptest::option::of(element), values())
        .prop_map(|(key, values)| Measurement { key, ..Measurement::new(values) });
    proptest::collection::vec(measurement, 1..4).prop_map(|measurements| {
        let reference = vec![ValuesTriple { environment: class(CLASS), measurements }];
        manifest("property", Triples { reference, ..Triples::default() })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_input_makes_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (Received::decode(&bytes), Comid::decode(&bytes));
        let _ = (Cotl::decode(&bytes), Coserv::decode(&bytes));
    }

    #[test]
    fn a_manifest_survives_a_round_trip(corim in a_corim()) {
        let bytes = corim.build().unwrap();
        prop_assert_eq!(Corim::decode(&bytes).unwrap(), corim);
        prop_assert_eq!(cbor::normalize(&bytes, bytes.len()).unwrap(), bytes, "it is deterministic");
    }

    #[test]
    fn an_altered_manifest_is_refused_or_survives_a_round_trip(
        corim in a_corim(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = corim.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        prop_assert!(Corim::decode(&bytes[..at]).is_err());
        if let Ok(altered) = Corim::decode(&bytes) {
            prop_assert_eq!(Corim::decode(&altered.encode()).unwrap(), altered);
        }
    }

    /// Plain values satisfy themselves, and go on doing so when more is found.
    #[test]
    fn what_is_found_may_be_more_than_is_asked(condition in values(), more in values()) {
        let mut condition = condition;
        condition.extensions = Default::default();
        condition.svn = condition.svn.filter(|svn| !matches!(svn, Svn::Min(_)));
        let digests_differ = condition.digests.windows(2).any(|pair| pair[0].algorithm() == pair[1].algorithm());
        let registers_differ = condition.integrity_registers.values().any(|list| list.len() > 1);
        prop_assume!(!digests_differ && !registers_differ);
        let mut found = condition.clone();
        if let Some(RawValue::Masked { value, mask } | RawValue::OlderMasked { value, mask }) = &condition.raw_value {
            prop_assume!(value.len() == mask.len());
            found.raw_value = Some(RawValue::Plain(value.clone()));
        }
        if let Some(IntRange::Range(min, max)) = condition.int_range {
            prop_assume!(min.zip(max).is_none_or(|(min, max)| min <= max));
        }
        prop_assert!(condition.is_satisfied_by(&found, None));
        found.cryptokeys.extend(more.cryptokeys);
        found.extensions = more.extensions;
        found.serial_number = more.name;
        prop_assert!(condition.is_satisfied_by(&found, None));
    }

    /// The index finds what a scan of all releases would find.
    #[test]
    fn the_index_agrees_with_a_scan(
        releases in proptest::collection::vec(proptest::collection::btree_map(0..3usize, 0..3u32, 1..4), 1..6),
        found in proptest::collection::btree_map(0..3usize, 0..3u32, 1..4),
    ) {
        const NAMES: [&str; 3] = ["BL", "PRoT", "ARoT"];
        let component = |(name, content): (&usize, &u32)| Component(NAMES[*name], *content, 7);
        let mut references = References::new();
        let mut scanned = false;
        for (number, release_of) in releases.iter().enumerate() {
            let components: Vec<_> = release_of.iter().map(component).collect();
            references.add(&uploaded(&release(&format!("r{number}"), &components)), ReleaseUnit::Comid);
            scanned |= *release_of == found;
        }
        let components: Vec<_> = found.iter().map(component).collect();
        let evidence = evidence(device(CLASS), &components);
        let outcome = references.appraise(std::slice::from_ref(&evidence), |_| true).outcome;
        prop_assert_eq!(matches!(outcome, Outcome::Match(_)), scanned, "{:?}", outcome);
        let expected = |element: &Element| references.iter().any(|release| {
            release.triples.iter().flat_map(|triple| &triple.measurements).any(|m| m.is_satisfied_by(element, None))
        });
        let subset = releases.iter().any(|release| found.iter().all(|(name, content)| release.get(name) == Some(content)));
        match outcome {
            Outcome::Match(_) => {}
            Outcome::ComponentMissing(_) => prop_assert!(subset),
            Outcome::MixedReleases => prop_assert!(!subset && evidence.elements.iter().all(expected)),
            Outcome::Mismatch(subject) | Outcome::ComponentUnknown(subject) => {
                prop_assert!(!expected(&evidence.elements[subject.element]));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
