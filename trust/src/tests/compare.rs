use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

use crypto::{Digest, HashAlgorithm};

use super::fixture::{Device, Maker, image};
use crate::{
    Agreement, Appraised, Chosen, Code, Comparison, Policy, Reason, References, Release, Releases, appraise,
    compare,
};

struct World {
    releases: Vec<Release>,
    without: Vec<Digest>,
    denied: Vec<Digest>,
    tampered: Option<Reason>,
    policy: Policy,
}

impl World {
    fn new() -> Self {
        let maker = Maker::new();
        let mut two = maker.draft("1.1.0", 2, b"app two");
        two.images[0].content = b"loader two".to_vec();
        two.images.push(image("model", b"weights"));
        let two = Release::accept(&maker.sign(&two), &maker.anchors(), super::fixture::NOW).unwrap();
        Self {
            releases: vec![maker.release("1.0.0", 1, b"app one"), two],
            without: vec![],
            denied: vec![],
            tampered: None,
            policy: Policy::default(),
        }
    }

    fn look(&self, device: &Device) -> (Appraised, Comparison) {
        let releases = Releases::of(self.releases.iter().cloned());
        let references = References {
            releases: &releases,
            without: &self.without,
            denied: &self.denied,
            tampered: self.tampered.as_ref(),
        };
        device.attest(|evidence| {
            let compared = compare(evidence, &references, &self.policy).unwrap();
            (appraise(evidence, &references, &self.policy), compared)
        })
    }
}

fn device(components: &[(&'static str, &[u8])], named: Option<Digest>) -> Device {
    let components = components.iter().map(|(name, content)| (*name, content.to_vec())).collect();
    Device { components, names: named, ..Device::running(b"") }
}

fn rows(compared: &Comparison) -> Vec<(String, &'static str)> {
    compared.components.iter().map(|row| (row.name.clone(), row.agreement.as_str())).collect()
}

/// The reasons on components, as they follow from a comparison.
fn follow(compared: &Comparison, world: &World) -> Vec<(Code, Option<String>)> {
    let of = |wanted: Agreement| compared.components.iter().find(|row| row.agreement == wanted);
    if let Some(row) = of(Agreement::Denied) {
        return vec![(Code::DigestDenied, Some(row.name.clone()))];
    }
    if let Some(row) = of(Agreement::Twice) {
        return vec![(Code::ComponentTwice, Some(row.name.clone()))];
    }
    if compared.against.is_none() {
        let code = if world.tampered.is_some() { Code::ReferenceTampered } else { Code::NoReference };
        return vec![(code, None)];
    }
    let fault = |agreement| match agreement {
        Agreement::Differs => Some(Code::DigestMismatch),
        Agreement::Missing => Some(Code::ComponentMissing),
        Agreement::Unknown => Some(Code::ComponentUnknown),
        _ => None,
    };
    let rows = compared.components.iter();
    rows.filter_map(|row| Some((fault(row.agreement)?, Some(row.name.clone())))).collect()
}

#[test]
fn every_component_stands_beside_what_is_expected_and_the_reasons_agree() {
    let world = World::new;
    let digest = |content: &[u8]| Digest::of(HashAlgorithm::Sha256, content);
    let (one, two) = (world().releases[0].manifest_digest(), world().releases[1].manifest_digest());
    let whole_two: &[(&str, &[u8])] = &[("boot", b"loader two"), ("app", b"app two"), ("model", b"weights")];
    let lenient = World { policy: Policy { allow_extra_components: true, ..Policy::default() }, ..world() };
    let denying = World { denied: vec![digest(b"app one")], ..world() };
    let tampered = World { without: vec![two], tampered: Some(Code::ReferenceTampered.into()), ..world() };
    type Row<'a> = (&'a str, World, Device, Option<(Digest, Chosen)>, &'a [(&'a str, &'a str)]);
    let table: Vec<Row<'_>> = vec![
        (
            "one whole release",
            world(),
            device(whole_two, None),
            Some((two, Chosen::Matched)),
            &[("app", "same"), ("boot", "same"), ("model", "same")],
        ),
        (
            "matched, though the evidence names another",
            world(),
            device(whole_two, Some(one)),
            Some((two, Chosen::Matched)),
            &[("app", "same"), ("boot", "same"), ("model", "same")],
        ),
        (
            "something else",
            world(),
            device(&[("boot", b"loader"), ("app", b"evil")], None),
            Some((one, Chosen::Nearest)),
            &[("app", "differs"), ("boot", "same")],
        ),
        (
            "the named one is explained, though another is nearer",
            world(),
            device(&[("boot", b"loader"), ("app", b"evil")], Some(two)),
            Some((two, Chosen::Named)),
            &[("app", "differs"), ("boot", "differs"), ("model", "missing")],
        ),
        (
            "one was not measured",
            world(),
            device(&whole_two[..2], None),
            Some((two, Chosen::Nearest)),
            &[("app", "same"), ("boot", "same"), ("model", "missing")],
        ),
        (
            "one nobody expects",
            world(),
            device(&[("boot", b"loader"), ("app", b"app one"), ("plug", b"in")], None),
            Some((one, Chosen::Nearest)),
            &[("app", "same"), ("boot", "same"), ("plug", "unknown")],
        ),
        (
            "which the policy lets pass",
            lenient,
            device(&[("boot", b"loader"), ("app", b"app one"), ("plug", b"in")], None),
            Some((one, Chosen::Matched)),
            &[("app", "same"), ("boot", "same"), ("plug", "extra")],
        ),
        (
            "a denied digest, though expected",
            denying,
            device(&[("boot", b"loader"), ("app", b"app one")], None),
            Some((one, Chosen::Matched)),
            &[("app", "denied"), ("boot", "same")],
        ),
        (
            "another class",
            world(),
            Device { class: "smart-plug", ..Device::running(b"app one") },
            None,
            &[("app", "unknown"), ("boot", "unknown")],
        ),
        (
            "a tampered reference",
            tampered,
            device(whole_two, None),
            None,
            &[("app", "unknown"), ("boot", "unknown"), ("model", "unknown")],
        ),
        (
            "nothing",
            world(),
            device(&[], Some(one)),
            Some((one, Chosen::Named)),
            &[("app", "missing"), ("boot", "missing")],
        ),
    ];
    for (name, world, device, against, expected) in table {
        let (appraised, compared) = world.look(&device);
        let found = compared.against.as_ref().map(|against| (against.release, against.chosen));
        assert_eq!(found, against, "{name}");
        let expected: Vec<_> = expected.iter().map(|(name, word)| ((*name).to_owned(), *word)).collect();
        assert_eq!(rows(&compared), expected, "{name}");
        let said = |reason: &Reason| {
            let component = reason.detail.iter().find(|(name, _)| name == "component");
            (reason.code, component.map(|(_, value)| value.clone()))
        };
        let others = [Code::ManifestMismatch];
        let reasons = appraised.reasons.iter().filter(|reason| !others.contains(&reason.code));
        assert_eq!(reasons.map(said).collect::<Vec<_>>(), follow(&compared, &world), "{name}");
        let fine = compared.components.iter().all(|row| !row.agreement.stands_against());
        let matched = matches!(against, Some((_, Chosen::Matched))) && fine;
        let named = device.names.is_none_or(|named| Some(named) == against.map(|(release, _)| release));
        assert_eq!(appraised.release.is_some(), matched && named, "{name}");
        // What is shown as measured is what the device measured, all of it.
        let shown = compared.components.iter().filter_map(|row| row.measured.as_ref()?.digest);
        assert_eq!(shown.count(), device.components.len(), "{name}");
    }
}

#[test]
fn a_mix_of_releases_shows_what_differs_from_the_nearest() {
    let world = World::new();
    let mixed = device(&[("boot", b"loader"), ("app", b"app two"), ("model", b"weights")], None);
    let (appraised, compared) = world.look(&mixed);
    assert_eq!(appraised.reasons[0].code, Code::MixedReleases);
    let expected = [("app", "same"), ("boot", "differs"), ("model", "same")];
    assert_eq!(rows(&compared), expected.map(|(name, word)| (name.to_owned(), word)));
    assert_eq!(compared.against.map(|against| against.version), Some("1.1.0".into()));
}

#[test]
fn a_component_that_was_measured_twice_proves_nothing_and_is_shown_twice() {
    let world = World::new();
    let twice = device(&[("boot", b"loader"), ("app", b"app one"), ("app", b"evil")], None);
    let (appraised, compared) = world.look(&twice);
    assert_eq!(appraised.reasons[0].code, Code::ComponentTwice);
    let expected = [("app", "twice"), ("boot", "same"), ("app", "twice")];
    assert_eq!(rows(&compared), expected.map(|(name, word)| (name.to_owned(), word)));
    assert_eq!(compared.against.map(|against| against.chosen), Some(Chosen::Nearest));
}
