//! Whatever comes in, nothing panics, and what is read can be converted or says why not.

use std::sync::LazyLock;

use proptest::prelude::*;
use sextant_suit::Envelope;
use sextant_suit::legacy::{LegacyEnvelope, Numbering};

use crate::writer::{
    Manifest, OLD_SHA256, SHA256, Shape, check, compatibility, fetch, key, keys, sequence, set, start,
    try_each,
};

/// Envelopes of our own in every numbering, and every old vector where they are at hand.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let manifest = |hash| {
        let mut shared = compatibility(hash);
        shared.push(try_each(&[check(), check()]));
        shared.push(set(20, -1, |w| {
            w.null();
        }));
        Manifest::new(sequence(&shared))
    };
    let mut all = vec![
        Shape::riot().envelope(&manifest(OLD_SHA256).wrap(9, &fetch("#42")).wrap(10, &check()).build()),
        Shape::tagged(107).envelope(&manifest(SHA256).wrap(9, &fetch("#42")).wrap(12, &start()).build()),
        Shape::tagged(107).envelope(&manifest(SHA256).wrap(17, &fetch("#42")).wrap(7, &check()).build()),
        Shape::nordic().envelope(&manifest(SHA256).wrap(20, &fetch("#42")).wrap(9, &start()).build()),
    ];
    let Some(folder) = testkit::vectors("suit") else { return all };
    for area in ["legacy/draft-09", "legacy/draft-14", "legacy/draft-19", "legacy/draft-25"] {
        for entry in std::fs::read_dir(folder.join(area)).expect(area) {
            let path = entry.expect(area).path();
            if path.extension().is_some_and(|extension| extension == "hex") {
                all.push(testkit::read_hex(&path));
            }
        }
    }
    all.sort();
    all
});

/// Reads bytes in every way there is.
fn exercise(bytes: &[u8]) {
    let stranger = key(crypto::SignatureAlgorithm::Es256, 9);
    let named = Numbering::ALL.into_iter().map(Some);
    for numbering in [None].into_iter().chain(named) {
        let Ok(envelope) = LegacyEnvelope::decode(bytes, numbering) else { continue };
        assert!(envelope.verify(&keys(&[stranger.public_key()])).is_err(), "that key signed nothing");
        let Ok(manifest) = envelope.manifest_unverified() else { continue };
        let _ = manifest.text_decoded();
        let conversion = envelope.convert_unverified().expect("the manifest was read");
        match conversion.envelope() {
            Some(converted) => {
                let converted = Envelope::decode(converted).expect("was built");
                let today = converted.manifest_unverified().expect("was built");
                assert_eq!(today.sequence_number(), manifest.sequence_number());
                assert_eq!(today.common().components(), manifest.components());
            }
            None => assert!(!conversion.without_equivalent().is_empty(), "refused without a reason"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_envelopes_are_refused_or_read_without_panic(
        pick in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut bytes = pick.get(&SEEDS).clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        exercise(&bytes);
    }

    #[test]
    fn noise_is_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
    }
}
