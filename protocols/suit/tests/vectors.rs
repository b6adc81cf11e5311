//! The published examples, other implementations' envelopes, and constructed cases, each held to what is expected.

#![allow(clippy::print_stderr, reason = "what was run and passed over is said aloud")]

mod support;

use std::path::Path;

use crypto::{Digest, HashAlgorithm, PublicKey};
use sextant_suit::{
    Authority, AuthorityList, AuthorityPolicy, Condition, Envelope, FailureKind, Feature, Installed,
    ManifestBuilder, PlatformError, Procedure, Processor, Property, Refusal, Role, Severable, Uuid, Verified,
    Version,
};
use support::Device;

/// How an envelope must behave.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    /// Verifies; the update runs to its end on a fitting device.
    Accept,
    /// Verifies; running it is another test's business.
    Verify,
    /// Decodes unsigned.
    Unsigned,
    /// Refused with this code before anything runs.
    Refuse(&'static str),
    /// Verifies; the procedure stops with this code.
    Stop(Procedure, &'static str),
}

/// What each constructed vector must do, by the word of its `expect`.
const CONSTRUCTED: [(&str, Expect); 23] = [
    ("auth-eddsa-polymorphic", Expect::Accept),
    ("auth-two-blocks", Expect::Accept),
    ("check-content-write", Expect::Accept),
    ("coswid-severed-present", Expect::Accept),
    ("coswid-severed-tampered", Expect::Refuse("digest-mismatch")),
    ("digest-sha384", Expect::Accept),
    ("mud-25-esp256", Expect::Accept),
    ("neg-duplicate-key", Expect::Refuse("malformed-manifest")),
    ("neg-fetch-in-shared", Expect::Refuse("malformed-manifest")),
    ("neg-no-set-index", Expect::Refuse("malformed-manifest")),
    ("neg-non-shortest-int", Expect::Refuse("malformed-manifest")),
    ("neg-process-dep-not-listed", Expect::Stop(Procedure::Staging, "not-a-dependency")),
    ("neg-rollback-pair-seq5", Expect::Accept),
    ("neg-signature-bit", Expect::Refuse("unknown-signer")),
    ("neg-softfail-toplevel", Expect::Refuse("malformed-manifest")),
    ("neg-truncated", Expect::Refuse("malformed-manifest")),
    ("neg-try-each-one", Expect::Refuse("malformed-manifest")),
    ("neg-unknown-command", Expect::Refuse("unsupported-command")),
    ("neg-unsigned", Expect::Refuse("unsigned-manifest")),
    ("neg-version-2", Expect::Refuse("unsupported-manifest-version")),
    ("try-each-nil", Expect::Accept),
    ("um-conditions", Expect::Accept),
    ("um-wait-utc", Expect::Accept),
];

fn expectation(file: &str) -> Option<Expect> {
    let (folder, name) = file.split_once('/')?;
    let stem = name.split('.').next()?;
    match folder {
        "constructed" => {
            let row = CONSTRUCTED.iter().find(|(row, _)| *row == stem);
            Some(row.unwrap_or_else(|| panic!("{file} is listed and has no expectation here")).1)
        }
        "manifest-37" if name.contains("unsigned") => Some(Expect::Unsigned),
        "manifest-37" => Some(Expect::Verify),
        // Labels of validate and invoke did not change since draft 17, so these two read as today's.
        "legacy" if matches!(name, "draft-19/example0.signed.hex" | "draft-25/example0.signed.hex") => {
            Some(Expect::Verify)
        }
        "legacy" => Some(Expect::Refuse("legacy-draft")),
        // Authenticated by a key that both sides have, which would let every device sign: not offered.
        "firmware-encryption" if stem.starts_with("suit-manifest-aes-kw") => {
            Some(Expect::Refuse("unsupported-authentication"))
        }
        // Running what they ask for (dependencies, decryption) is another matter than reading it.
        "trust-domains" | "firmware-encryption" | "libcsuit" => Some(Expect::Verify),
        _ => None,
    }
}

#[test]
fn every_envelope_behaves_as_expected() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let index = std::fs::read_to_string(folder.join("index.json")).expect("index.json");
    let index: serde_json::Value = serde_json::from_str(&index).expect("index.json is JSON");
    let list = authorities(&folder);
    let (mut run, mut skipped) = (0, 0);
    for entry in index.as_array().expect("a list") {
        let file = entry["file"].as_str().expect("a file");
        if entry["kind"] != "envelope" {
            skipped += 1;
            continue;
        }
        let expect = expectation(file).unwrap_or_else(|| panic!("{file}: no rule"));
        let bytes = read(&folder.join(file));
        check(file, &bytes, expect, &list);
        run += 1;
    }
    eprintln!("suit vectors: {run} envelopes run, {skipped} files of other kinds passed over");
    assert!(run >= 60, "the index lists more envelopes than {run}");
}

fn check(file: &str, bytes: &[u8], expect: Expect, list: &AuthorityList) {
    let decoded = Envelope::decode(bytes);
    match expect {
        Expect::Unsigned => {
            let envelope = decoded.unwrap_or_else(|e| panic!("{file}: {e}"));
            assert_eq!(envelope.verify(list), Err(Refusal::Unsigned), "{file}");
            rebuilds(file, &envelope);
        }
        Expect::Refuse(code) => {
            let found = match decoded {
                Err(error) => error.code(),
                // Unsigned files of old drafts are refused for being unsigned; they must be unreadable too.
                Ok(envelope) if code == "legacy-draft" => {
                    assert!(envelope.verify(list).is_err(), "{file}");
                    envelope.manifest_unverified().expect_err(file).code()
                }
                Ok(envelope) => envelope.verify(list).expect_err(file).code(),
            };
            assert_eq!(found, code, "{file}");
        }
        Expect::Accept | Expect::Verify | Expect::Stop(..) => {
            let envelope = decoded.unwrap_or_else(|e| panic!("{file}: {e}"));
            let verified = envelope.verify(list).unwrap_or_else(|e| panic!("{file}: {e}"));
            rebuilds(file, &envelope);
            assert_eq!(verified.keep().open(), verified, "{file}");
            match expect {
                Expect::Accept => accepts(file, &verified),
                Expect::Stop(procedure, code) => {
                    let mut device = device(&verified);
                    let mut processor = Processor::new(&verified, &mut device).expect(file);
                    assert_eq!(processor.run(procedure).expect_err(file).kind.code(), code, "{file}");
                }
                _ => {}
            }
        }
    }
}

/// What was decoded, written again, gives the same bytes.
fn rebuilds(file: &str, envelope: &Envelope<'_>) {
    let manifest = envelope.manifest_unverified().unwrap_or_else(|e| panic!("{file}: {e}"));
    let lacks = |member: &Severable| {
        manifest.has(*member) && !envelope.severed_members().any(|other| other == *member)
    };
    let is_digest_only = |member: &Severable| match member {
        Severable::Coswid => manifest.coswid().is_some_and(|held| held.value().is_none()),
        Severable::Text => manifest.text().is_some_and(|held| held.value().is_none()),
        _ => manifest.sections().any(|(s, held)| s.severable() == Some(*member) && held.value().is_none()),
    };
    if Severable::ALL.iter().any(|member| lacks(member) && is_digest_only(member)) {
        // A member of which only the digest is here cannot be written again.
        return;
    }
    let algorithm = envelope.manifest_digest_claimed().algorithm();
    let rebuilt = ManifestBuilder::from(&manifest).build(algorithm).unwrap_or_else(|e| panic!("{file}: {e}"));
    assert_eq!(rebuilt.manifest_digest(), envelope.manifest_digest_claimed(), "{file}");
}

fn accepts(file: &str, verified: &Verified<'_>) {
    let mut device = device(verified);
    let mut processor = Processor::new(verified, &mut device).unwrap_or_else(|e| panic!("{file}: {e}"));
    let report = processor.run(Procedure::Update).unwrap_or_else(|e| panic!("{file}: {e}"));
    assert!(report.is_success(), "{file}");
    // The next one must be newer.
    device.installed =
        Some(Installed { sequence_number: verified.sequence_number() + 1, manifest_digest: None });
    let refusal = Processor::new(verified, &mut device).map(|_| ()).expect_err(file);
    assert_eq!(refusal.code(), "sequence-too-low", "{file}");
}

/// A device that meets every condition of the constructed vectors and gets an image of the right size from anywhere.
fn device(verified: &Verified<'_>) -> Device {
    let mut device = Device::new(verified.components());
    for image in verified.images() {
        let content = vec![0x5a; image.size.unwrap_or_default() as usize];
        device.pretended_digest = Some(image.digest);
        // The image is there already where nothing fetches it.
        if verified.uris().is_empty() {
            device.components.insert(image.component, Some(content.clone()));
        }
        for uri in verified.uris() {
            device.served.insert(uri.into(), content.clone());
        }
    }
    let version = Version::new(&[1, 2, 0]).expect("a version");
    device.versions = verified.components().iter().map(|id| (id.clone(), version.clone())).collect();
    device.now = Some(4_102_444_799);
    device.battery = Some(500);
    device.authorized_up_to = Some(5);
    device.wait_is_over = true;
    device
}

#[test]
fn update_management_conditions_fail_one_by_one() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let bytes = read(&folder.join("constructed/um-conditions.hex"));
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
        assert_eq!(record.properties, measured.into_iter().collect::<Vec<_>>());
        assert!(device.log.is_empty(), "nothing may happen before: {:?}", device.log);
    }
}

#[test]
fn wait_holds_the_update_back() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let bytes = read(&folder.join("constructed/um-wait-utc.hex"));
    let verified =
        Envelope::decode(&bytes).expect("decodes").verify(&authorities(&folder)).expect("verifies");
    let mut device = device(&verified);
    device.wait_is_over = false;
    let failure = Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Update);
    assert_eq!(failure.expect_err("waits").kind, FailureKind::Platform(PlatformError::NotReady));
    let [waited] = device.log.as_slice() else { panic!("nothing else happens: {:?}", device.log) };
    for part in [
        "authorization: Some(5)",
        "network: Some(1)",
        "utc_time_of_day: Some(3600)",
        "utc_day_of_week: Some(2)",
    ] {
        assert!(waited.contains(part), "{waited}");
    }
}

#[test]
fn binds_a_mud_file_and_its_signer() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let bytes = read(&folder.join("constructed/mud-25-esp256.hex"));
    let verified =
        Envelope::decode(&bytes).expect("decodes").verify(&authorities(&folder)).expect("verifies");
    let mud = verified.mud().expect("a MUD binding");
    assert_eq!(mud.url, "https://mud.example.com/lamp-v1.json");
    assert_eq!(mud.signer.algorithm(), HashAlgorithm::Sha256);
}

#[test]
fn coswid_is_missing_and_not_forged_when_severed() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let bytes = read(&folder.join("constructed/coswid-severed-present.hex"));
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
    let bytes = read(&folder.join("manifest-37/example3.signed.hex"));
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
        let bytes = read(&folder.join(format!("manifest-37/{name}.signed.hex")));
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
    let bytes = read(&folder.join("manifest-37/example2.signed.hex"));
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
fn dependencies_are_read_and_not_run() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let bytes = read(&folder.join("trust-domains/example1_process.hex"));
    let verified =
        Envelope::decode(&bytes).expect("decodes").verify(&authorities(&folder)).expect("verifies");
    assert!(!verified.manifest().common().dependencies().is_empty());
    let mut device = device(&verified);
    let failure = Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Installation);
    let kind = failure.expect_err("is not supported").kind;
    assert_eq!(kind, FailureKind::Unsupported(Feature::Dependencies));
}

/// The trust anchor of the drafts and the Ed25519 test key, as authors.
fn authorities(folder: &Path) -> AuthorityList {
    let keys = folder.join("keys");
    let author = |key: PublicKey, kid: &[u8], name| Authority::new(key, kid, name, Role::Author);
    let cose_key = |name: &str| {
        let bytes = read(&keys.join(name));
        cose::Key::decode(&bytes).expect(name).public().clone()
    };
    let ed25519 = PublicKey::from_ed25519(&read(&keys.join("ed25519_test_public.hex"))).expect("a key");
    let entries = vec![
        author(cose_key("trust_anchor_esp256_cose_key_public.cosekey.hex"), b"", "trust anchor"),
        author(ed25519, b"ed25519-test", "Ed25519"),
        author(cose_key("delegated_authority_cose_key_public.cosekey.hex"), b"", "delegated authority"),
        author(cose_key("tam_esp256_cose_key_public.cosekey.hex"), b"", "TAM"),
    ];
    AuthorityList::new(AuthorityPolicy::default(), entries).expect("a list")
}

fn read(path: &Path) -> Vec<u8> {
    if path.extension().is_some_and(|extension| extension == "hex") {
        testkit::read_hex(path)
    } else {
        std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }
}

#[test]
fn digest_of_the_authority_list_does_not_depend_on_how_it_was_made() {
    let list = support::one_author();
    let again = AuthorityList::decode(&list.to_bytes()).expect("decodes");
    assert_eq!(again, list);
    assert_eq!(again.digest(HashAlgorithm::Sha256), Digest::of(HashAlgorithm::Sha256, &list.to_bytes()));
}
