//! Examples of the drafts and constructed cases, in more detail than the index asks for.

use crypto::{Digest, HashAlgorithm};
use sextant_suit::{
    AuthorityList, Condition, Envelope, FailureKind, PlatformError, Procedure, Processor, Property,
    Severable, Uuid, Version,
};
use testkit::read_vector;

use crate::authorities;
use crate::fitting::device;
use crate::support::{Device, code_of, one_author};

#[test]
fn update_management_conditions_fail_one_by_one() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let bytes = read_vector(&folder.join("constructed/um-conditions.hex"));
    let verified =
        Envelope::decode(&bytes).expect("decodes").verify(&authorities(&folder)).expect("verifies");
    assert_eq!(verified.manifest().set_version().map(ToString::to_string).as_deref(), Some("1.2.3"));
    type Spoil = fn(&mut Device);
    let spoil: [(Spoil, Condition, Option<Property>); 6] = [
        (|d| d.now = Some(4_102_444_800), Condition::UseBefore, Some(Property::Time(4_102_444_800))),
        (|d| d.now = None, Condition::UseBefore, None),
        (|d| d.battery = Some(499), Condition::MinimumBattery, Some(Property::Battery(499))),
        (|d| d.authorized_up_to = Some(-3), Condition::UpdateAuthorized, None),
        (|d| d.versions.clear(), Condition::Version, None),
        (
            |d| d.versions.values_mut().for_each(|v| *v = Version::new(&[1, 1, 9]).expect("a version")),
            Condition::Version,
            Some(Property::Version(Version::new(&[1, 1, 9]).expect("a version"))),
        ),
    ];
    for (spoil, condition, measured) in spoil {
        let mut device = device(&verified);
        spoil(&mut device);
        let mut processor = Processor::new(&verified, &mut device).expect("is admitted");
        let failure = processor.run(Procedure::Update).expect_err("a condition is not met");
        assert_eq!(failure.kind, FailureKind::NotMet(condition));
        let sextant_suit::Outcome::Failure { record, .. } = &failure.report.outcome else {
            panic!("a failure")
        };
        assert_eq!(record.properties, measured.into());
        assert!(device.log.is_empty(), "nothing may happen before: {:?}", device.log);
    }
}

#[test]
fn wait_holds_the_update_back() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let bytes = read_vector(&folder.join("constructed/um-wait-utc.hex"));
    let verified =
        Envelope::decode(&bytes).expect("decodes").verify(&authorities(&folder)).expect("verifies");
    // Authorization with priority 5, network state 1, one in the morning or later, on a Tuesday, all in UTC.
    let spoil: [fn(&mut Device); 5] = [
        |device| device.authorized_up_to = Some(4),
        |device| device.network = Some(0),
        |device| device.now = device.now.map(|now| now - 600),
        |device| device.now = device.now.map(|now| now + 86_400),
        |device| device.now = None,
    ];
    for spoil in spoil {
        let mut device = device(&verified);
        spoil(&mut device);
        let failure = Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Update);
        assert_eq!(failure.expect_err("waits").kind, FailureKind::Platform(PlatformError::NotReady));
        assert!(device.log.is_empty(), "nothing else happens: {:?}", device.log);
        // Six hours at a time it becomes Tuesday morning again, but nobody authorises it and no network comes.
        device.tick = 6 * 3600;
        let ready = device.now.is_some() && device.network == Some(1) && device.authorized_up_to == Some(5);
        let result = Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Update);
        assert_eq!(result.is_ok(), ready);
    }
}

#[test]
fn binds_a_mud_file_and_its_signer() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let bytes = read_vector(&folder.join("constructed/mud-25-esp256.hex"));
    let verified =
        Envelope::decode(&bytes).expect("decodes").verify(&authorities(&folder)).expect("verifies");
    let mud = verified.mud().expect("a MUD binding");
    assert_eq!(mud.url, "https://mud.example.com/lamp-v1.json");
    assert_eq!(mud.signer.algorithm(), HashAlgorithm::Sha256);
}

#[test]
fn coswid_is_missing_and_not_forged_when_severed() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let bytes = read_vector(&folder.join("constructed/coswid-severed-present.hex"));
    let envelope = Envelope::decode(&bytes).expect("decodes");
    let list = authorities(&folder);
    let verified = envelope.verify(&list).expect("verifies");
    assert_eq!(verified.coswid().map(<[u8]>::len), Some(0x75));
    let without = envelope.sever(&[Severable::Coswid]);
    let verified = Envelope::decode(&without).expect("decodes").verify(&list).expect("still verifies");
    assert_eq!(verified.coswid(), None);
    assert!(verified.manifest().has(Severable::Coswid));
}

#[test]
fn images_of_the_a_b_example_are_one_for_each_slot() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let bytes = read_vector(&folder.join("manifest-37/example3.signed.hex"));
    let verified =
        Envelope::decode(&bytes).expect("decodes").verify(&authorities(&folder)).expect("verifies");
    let images: Vec<_> = verified.images().iter().map(|i| (i.slot, i.size, i.uri)).collect();
    let expected = [
        (Some(0), Some(34768), Some("http://example.com/file1.bin")),
        (Some(1), Some(76834), Some("http://example.com/file2.bin")),
    ];
    assert_eq!(images, expected);
}

#[test]
fn examples_run_on_a_device_that_fits() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let list = authorities(&folder);
    let runs = [
        ("example0", Procedure::Invocation, &["about to invoke 0x00", "invoked 0x00"][..]),
        ("example1", Procedure::Update, &["fetched http://example.com/file.bin", "wrote 0x00"]),
        ("example3", Procedure::Update, &["fetched http://example.com/file2.bin", "wrote 0x00"]),
    ];
    for (name, procedure, log) in runs {
        let bytes = read_vector(&folder.join(format!("manifest-37/{name}.signed.hex")));
        let verified = Envelope::decode(&bytes).expect(name).verify(&list).expect(name);
        let mut device = device(&verified);
        let component = verified.components()[0].clone();
        device.slots.insert(component, 1);
        Processor::new(&verified, &mut device).expect(name).run(procedure).expect(name);
        assert_eq!(device.log, log, "{name}");
        // The wrong class is told before anything is touched.
        device.class = Some(Uuid::from([0; 16]));
        device.log.clear();
        let failure = Processor::new(&verified, &mut device).expect(name).run(procedure).expect_err(name);
        assert_eq!(failure.kind, FailureKind::NotMet(Condition::ClassIdentifier), "{name}");
        assert_eq!(device.log, [""; 0], "{name}");
    }
}

#[test]
fn severed_install_section_is_needed_to_update_and_not_to_boot() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let bytes = read_vector(&folder.join("manifest-37/example2.signed.hex"));
    let verified =
        Envelope::decode(&bytes).expect("decodes").verify(&authorities(&folder)).expect("verifies");
    let mut device = device(&verified);
    let mut processor = Processor::new(&verified, &mut device).expect("is admitted");
    processor.run(Procedure::Invocation).expect("boots");
    let failure = processor.run(Procedure::Update).expect_err("cannot install");
    assert_eq!(failure.kind.code(), "section-missing");
    assert_eq!(failure.kind.reason().code(), 9);
}

#[test]
fn digest_of_the_authority_list_does_not_depend_on_how_it_was_made() {
    let list = one_author();
    let again = AuthorityList::decode(&list.to_bytes()).expect("decodes");
    assert_eq!(again, list);
    assert_eq!(again.digest(HashAlgorithm::Sha256), Digest::of(HashAlgorithm::Sha256, &list.to_bytes()));
}

#[test]
fn constructed_cases_are_refused_under_their_own_codes() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let list = authorities(&folder);
    let rows = [
        ("coswid-severed-tampered", "digest-mismatch"),
        ("neg-duplicate-key", "malformed-manifest"),
        ("neg-fetch-in-shared", "malformed-manifest"),
        ("neg-no-set-index", "malformed-manifest"),
        ("neg-non-shortest-int", "malformed-manifest"),
        ("neg-signature-bit", "unknown-signer"),
        ("neg-softfail-toplevel", "malformed-manifest"),
        ("neg-truncated", "malformed-manifest"),
        ("neg-try-each-one", "malformed-manifest"),
        ("neg-unknown-command", "unsupported-command"),
        ("neg-unsigned", "unsigned-manifest"),
        ("neg-version-2", "unsupported-manifest-version"),
    ];
    for (name, code) in rows {
        let bytes = read_vector(&folder.join(format!("constructed/{name}.hex")));
        assert_eq!(code_of(&bytes, &list), code, "{name}");
    }
    let bytes = read_vector(&folder.join("constructed/neg-process-dep-not-listed.hex"));
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&list).expect("verifies");
    let mut device = device(&verified);
    let failure = Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Staging);
    assert_eq!(failure.expect_err("is not listed").kind.code(), "not-a-dependency");
}
