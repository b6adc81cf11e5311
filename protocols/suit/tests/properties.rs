//! Whatever comes in, nothing panics, and what is decoded is written the same again.

mod support;

use proptest::prelude::*;
use sextant_suit::{AuthorityList, Envelope, ManifestBuilder, Procedure, Processor};
use support::{Device, one_author};

/// Every vector of the area, or none when they are absent.
fn vectors() -> Vec<Vec<u8>> {
    let Some(folder) = testkit::vectors("suit") else { return Vec::new() };
    let mut all = Vec::new();
    for area in ["constructed", "manifest-37", "trust-domains"] {
        for entry in std::fs::read_dir(folder.join(area)).expect(area) {
            let path = entry.expect(area).path();
            if path.extension().is_some_and(|extension| extension == "hex") {
                all.push(testkit::read_hex(&path));
            }
        }
    }
    all.sort();
    all
}

/// Reads bytes in every way there is, and runs what an author could have signed.
fn exercise(bytes: &[u8], list: &AuthorityList) {
    let _ = AuthorityList::decode(bytes);
    let Ok(envelope) = Envelope::decode(bytes) else { return };
    assert!(envelope.verify(list).is_err(), "no key of the list signed it");
    let Ok(manifest) = envelope.manifest_unverified() else { return };
    let Ok(rebuilt) = ManifestBuilder::from(&manifest).build(envelope.manifest_digest_claimed().algorithm())
    else {
        panic!("what was decoded cannot be built again: {manifest:?}");
    };
    let mut rebuilt = rebuilt;
    rebuilt.sign(&support::key(1), Some(&[1]));
    let rebuilt = rebuilt.to_bytes();
    let verified = Envelope::decode(&rebuilt).expect("was built").verify(list).expect("was signed");
    let _ = (verified.text(), verified.images(), verified.uris(), verified.targets());
    let mut device = Device::new(verified.components());
    let mut processor = Processor::new(&verified, &mut device).expect("has the components");
    for procedure in [Procedure::Update, Procedure::Invocation, Procedure::Uninstallation] {
        let _ = processor.run(procedure);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_vectors_are_refused_or_read_without_panic(
        pick in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let all = vectors();
        prop_assume!(!all.is_empty());
        let mut bytes = pick.get(&all).clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        exercise(&bytes, &one_author());
    }

    #[test]
    fn noise_is_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes, &one_author());
    }
}
