//! Whatever comes in, nothing panics, and what is decoded is written the same again.

mod support;

use std::sync::LazyLock;

use crypto::{Digest, HashAlgorithm};
use proptest::prelude::*;
use sextant_suit::{
    AuthorityList, ComponentId, Condition, Directive, Envelope, ImageRecipe, ManifestBuilder, Parameter,
    Procedure, Processor, ReleaseRecipe, ReportingPolicy, Section, SequenceBuilder, Uuid, Variant,
};
use support::{Device, one_author};

/// Our own envelope, and every vector of the area where they are at hand.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut all = vec![own(), own_with_dependency()];
    let Some(folder) = testkit::vectors("suit") else { return all };
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
});

/// A release with an image, signed by nobody that the tests trust.
fn own() -> Vec<u8> {
    let image = b"an image";
    let variant = Variant {
        slot: None,
        digest: Digest::of(HashAlgorithm::Sha256, image),
        size: image.len() as u64,
        uri: Some("#app".to_owned()),
    };
    let component = ComponentId::new(&["app"]).expect("one segment");
    let vendor = Uuid::vendor("maker.example");
    let recipe = ReleaseRecipe {
        sequence_number: 1,
        vendor,
        class: Uuid::class(&vendor, b"lamp"),
        images: vec![ImageRecipe { component, variants: vec![variant], invoke: true }],
    };
    let mut envelope =
        recipe.manifest().expect("has an image").build(HashAlgorithm::Sha256).expect("is whole");
    envelope.payload("#app", image).sign(&support::key(9), Some(&[9]));
    envelope.to_bytes()
}

/// A release with a dependency by an author that the tests trust, in an envelope that they do not.
fn own_with_dependency() -> Vec<u8> {
    let component = |text: &str| ComponentId::new(&[text]).expect("one segment");
    let policy = ReportingPolicy::ALWAYS;
    let write = || {
        SequenceBuilder::new()
            .override_parameters(&[Parameter::Content(b"content")])
            .directive(Directive::Write, policy)
    };
    let mut inner = ManifestBuilder::new(1);
    inner.component(component("app")).section(Section::Install, write());
    let mut dependency = inner.build(HashAlgorithm::Sha256).expect("is whole");
    dependency.sign(&support::key(1), Some(&[1]));
    let about = [Parameter::ImageDigest(dependency.manifest_digest()), Parameter::Uri("#dep")];
    let process = SequenceBuilder::new()
        .component(1)
        .override_parameters(&about)
        .directive(Directive::Fetch, policy)
        .condition(Condition::DependencyIntegrity, policy)
        .directive(Directive::ProcessDependency, policy);
    let mut outer = ManifestBuilder::new(1);
    outer.component(component("fw")).component(component("dep")).dependency(1, Some(component("in")));
    outer.section(Section::Install, process.component(0).then(&write()));
    let mut envelope = outer.build(HashAlgorithm::Sha256).expect("is whole");
    envelope.payload("#dep", &dependency.to_bytes()).sign(&support::key(9), Some(&[9]));
    envelope.to_bytes()
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
    for (uri, payload) in envelope.payloads() {
        rebuilt.payload(uri, payload);
    }
    rebuilt.sign(&support::key(1), Some(&[1]));
    let rebuilt = rebuilt.to_bytes();
    let verified = Envelope::decode(&rebuilt).expect("was built").verify(list).expect("was signed");
    let _ = (verified.text(), verified.images(), verified.uris(), verified.targets());
    let mut device = Device::fitting(&verified, list);
    let below = ComponentId::new(&["in", "app"]).expect("two segments");
    device.components.insert(below, None);
    let mut processor = Processor::new(&verified, &mut device).expect("has the components");
    for procedure in [Procedure::Update, Procedure::Invocation, Procedure::Uninstallation] {
        let _ = processor.run(procedure);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_envelopes_are_refused_or_read_without_panic(
        pick in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
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
        exercise(&bytes, &one_author());
    }

    #[test]
    fn noise_is_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes, &one_author());
    }
}
