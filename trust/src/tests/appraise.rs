use alloc::{vec, vec::Vec};

use crypto::{Digest, HashAlgorithm};
use eat::{Category, DebugStatus, Tier, TrustVector};

use super::fixture::{Device, Maker};
use crate::{
    Appraised, Code, MAX_POLICY_AUTHORITIES, Measured, Policy, Reason, References, Release, Releases,
    appraise, find_release, refuse_evidence,
};

struct World {
    releases: Vec<Release>,
    denied: Vec<Digest>,
    tampered: Option<Reason>,
    policy: Policy,
}

impl World {
    fn new() -> Self {
        let maker = Maker::new();
        let releases = vec![maker.release("1.0.0", 1, b"app one"), maker.release("1.1.0", 2, b"app two")];
        Self { releases, denied: vec![], tampered: None, policy: Policy::default() }
    }

    fn judge(&self, device: &Device) -> Appraised {
        let releases = Releases::of(self.releases.iter().cloned());
        let (denied, tampered) = (&self.denied, self.tampered.as_ref());
        let references = References { releases: &releases, without: &[], denied, tampered };
        device.attest(|evidence| appraise(evidence, &references, &self.policy))
    }
}

fn codes(appraised: &Appraised) -> Vec<Code> {
    appraised.reasons.iter().map(|reason| reason.code).collect()
}

fn tier(vector: &TrustVector) -> Tier {
    vector
        .iter()
        .filter(|(_, value)| *value != 0)
        .map(|(_, value)| Tier::of(value))
        .max()
        .unwrap_or(Tier::None)
}

#[test]
fn affirms_a_device_that_runs_exactly_one_release() {
    let world = World::new();
    let mut device = Device::running(b"app two");
    let found = world.judge(&device);
    assert_eq!((found.release, codes(&found).len()), (Some(world.releases[1].manifest_digest()), 0));
    assert_eq!(found.vector.get(Category::Executables), 2);
    assert_eq!(tier(&found.vector), Tier::Affirming);
    device.names = Some(world.releases[1].manifest_digest());
    assert_eq!(world.judge(&device), found);
}

#[test]
fn gives_each_defect_its_reason_and_its_claim() {
    let world = World::new();
    let one = world.releases[0].manifest_digest();
    let base = || Device::running(b"app one");
    let rows: Vec<(Device, Code, Category, i8)> = vec![
        (Device::running(b"evil"), Code::DigestMismatch, Category::Executables, 96),
        (
            Device { components: vec![("app", b"app one".to_vec())], ..base() },
            Code::ComponentMissing,
            Category::Executables,
            96,
        ),
        (
            Device { names: Some(one), ..Device::running(b"app two") },
            Code::ManifestMismatch,
            Category::Executables,
            96,
        ),
        (Device { debug: DebugStatus::Enabled, ..base() }, Code::DebugOpen, Category::Configuration, 96),
        (Device { class: "smart-plug", ..base() }, Code::NoReference, Category::Executables, 1),
    ];
    for (device, code, category, value) in rows {
        let found = world.judge(&device);
        assert_eq!((codes(&found), found.vector.get(category), found.release), (vec![code], value, None));
        assert_ne!(tier(&found.vector), Tier::None);
    }
}

#[test]
fn a_denied_digest_is_refused_although_a_release_holds_it() {
    let mut world = World::new();
    world.denied.push(Digest::of(HashAlgorithm::Sha256, b"app one"));
    assert_eq!(codes(&world.judge(&Device::running(b"app one"))), [Code::DigestDenied]);
    assert_eq!(codes(&world.judge(&Device::running(b"app two"))), []);
}

#[test]
fn a_tampered_reference_is_told_and_never_a_pass() {
    let mut world = World::new();
    world.releases.remove(0);
    world.tampered = Some(Reason::new(Code::ReferenceTampered).with("version", "1.0.0"));
    let found = world.judge(&Device::running(b"app one"));
    assert_eq!((codes(&found), found.vector.get(Category::Executables)), (vec![Code::ReferenceTampered], 1));
    // Devices on releases that still hold are not harmed.
    assert_eq!(codes(&world.judge(&Device::running(b"app two"))), []);
}

#[test]
fn an_open_debug_port_passes_only_where_policy_lets_it() {
    let mut world = World::new();
    world.policy.allow_debug = true;
    let device = Device { debug: DebugStatus::Enabled, ..Device::running(b"app one") };
    assert_eq!(codes(&world.judge(&device)), []);
}

#[test]
fn a_device_with_another_authority_list_passes_only_where_policy_does_not_ask() {
    let mut world = World::new();
    let list = |name: &[u8]| Digest::of(HashAlgorithm::Sha256, name);
    let device = |authorities| Device { authorities, ..Device::running(b"app one") };
    assert_eq!(codes(&world.judge(&device(None))), []);
    // Before and after a rotation.
    world.policy.authorities = vec![list(b"version 1"), list(b"version 2")];
    assert_eq!(Policy::decode(&world.policy.encode()), Ok(world.policy.clone()));
    for (attested, expected) in [
        (Some(list(b"version 1")), vec![]),
        (Some(list(b"version 2")), vec![]),
        (Some(list(b"version 3")), vec![Code::UnexpectedAuthorities]),
        (None, vec![Code::UnexpectedAuthorities]),
    ] {
        let found = world.judge(&device(attested));
        assert_eq!(codes(&found), expected, "{attested:?}");
        assert_eq!(found.vector.get(Category::Configuration), if expected.is_empty() { 2 } else { 96 });
        assert_eq!(found.release.is_some(), expected.is_empty());
    }
    for (count, good) in [(MAX_POLICY_AUTHORITIES, true), (MAX_POLICY_AUTHORITIES + 1, false)] {
        let policy = Policy { authorities: vec![list(b"same"); count], ..Policy::default() };
        assert_eq!(Policy::decode(&policy.encode()).is_ok(), good, "{count} lists");
    }
    assert!(Policy::decode(&[0xa1, 0x0a, 0x80]).is_err(), "a rule that names no list");
}

#[test]
fn evidence_that_is_not_believed_says_nothing_good() {
    for (code, category, value) in [
        (Code::BadEvidenceSignature, Category::Executables, 99),
        (Code::ReplayedNonce, Category::InstanceIdentity, 99),
        (Code::UnknownDevice, Category::InstanceIdentity, 97),
        (Code::SameKeyTwice, Category::InstanceIdentity, 96),
    ] {
        let found = refuse_evidence(code.into());
        assert_eq!((found.vector.get(category), found.release), (value, None));
        assert_eq!(tier(&found.vector), Tier::Contraindicated);
    }
}

/// The index looks at few releases; whoever looks at all of them comes to the same.
#[test]
fn finds_and_explains_among_many_as_among_all() {
    let maker = Maker::new();
    let content = |number: u64| alloc::format!("app {number}").into_bytes();
    let mut releases: Vec<Release> =
        (1..=200).map(|number| maker.release("1.0.0", number, &content(number))).collect();
    // The same software once more: whichever component each of the two is filed under, the older one is found.
    releases.push(maker.release("1.0.0", 201, &content(160)));
    let again = releases[200].manifest_digest();
    let known = Releases::of(releases.iter().cloned());
    let (vendor, class) = (releases[0].vendor().unwrap(), releases[0].class().unwrap());
    let candidates: Vec<_> = releases.iter().map(Release::candidate).collect();
    let measured = |number: u64, size| {
        let digest = Some(Digest::of(HashAlgorithm::Sha256, &content(number)));
        Measured { name: "app".into(), digest, size }
    };
    let extra =
        Measured { name: "log".into(), digest: Some(Digest::of(HashAlgorithm::Sha256, b"log")), size: None };
    let boot = releases[0].expected().iter().find(|expected| expected.name == "boot").unwrap();
    let boot = || Measured { name: boot.name.clone(), digest: Some(boot.digest), size: boot.size };
    let named = Some(releases[2].manifest_digest());
    type Row = (Vec<Measured>, Option<Digest>, bool);
    let rows: [Row; 10] = [
        (vec![measured(160, None), boot()], None, false),
        (vec![measured(150, None), boot()], None, false),
        (vec![boot(), measured(150, None), extra.clone()], None, true),
        (vec![measured(150, None), extra.clone(), boot()], None, false),
        (vec![extra.clone()], None, true),
        (vec![measured(150, Some(1)), boot()], None, false),
        (vec![measured(999, None), boot()], named, false),
        (vec![Measured { digest: None, ..measured(1, None) }, boot()], named, false),
        (vec![measured(1, None), measured(2, None)], None, false),
        (vec![], named, true),
    ];
    for (row, (measured, named, extra)) in rows.into_iter().enumerate() {
        let found = known.find((vendor, class), &measured, named, extra, &[]);
        let all = find_release(&measured, &candidates, named, extra);
        assert_eq!(found.as_ref().ok(), all.as_ref().ok(), "row {row}");
        let codes = |found: &Result<_, Vec<Reason>>| {
            found.as_ref().err().map(|reasons| reasons.iter().map(|reason| reason.code).collect::<Vec<_>>())
        };
        assert_eq!(codes(&found), codes(&all), "row {row}");
        assert_eq!(found.is_ok(), row < 3, "row {row}");
        if let Ok(found) = found {
            let without = known.find((vendor, class), &measured, named, extra, &[found]);
            match row {
                0 => assert_eq!(without, Ok(again)),
                _ => assert_eq!(without.unwrap_err()[0].code, Code::DigestMismatch, "row {row}"),
            }
        }
    }
    let stranger = known.find((vendor, &[9; 16]), &[measured(1, None)], None, false, &[]);
    assert_eq!(stranger, Err(vec![Code::NoReference.into()]));
}
