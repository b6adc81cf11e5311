//! The published examples, other implementations' envelopes, and constructed cases, each held to what is expected.

#![allow(clippy::print_stderr, reason = "what was run and passed over is said aloud")]

mod support;

use std::path::Path;

use crypto::{Digest, HashAlgorithm, PublicKey};
use sextant_suit::{
    Authority, AuthorityList, AuthorityPolicy, Condition, Envelope, FailureKind, Finding, Installed,
    ManifestBuilder, PlatformError, Procedure, Processor, Property, Refusal, Report, ReportError, Role,
    Severable, SignedReport, Uuid, VendorId, Verified, Version, replay,
};
use support::{Device, component, one_author};

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

/// A device that meets every condition of the vectors and gets an image of the right size from anywhere.
fn device(verified: &Verified<'_>) -> Device {
    let mut device = Device::fitting(verified, &one_author());
    let images = verified.images();
    for image in &images {
        // Some tell the size of an image only where it ends up.
        let of_same = images.iter().filter(|other| other.digest == image.digest).find_map(|other| other.size);
        let size = of_same.unwrap_or_default();
        let content = vec![0x5a; size as usize];
        device.pretended.insert(size, image.digest);
        // The image is there already where nothing fetches it.
        match image.uri {
            None => device = device.holding(&image.component, &content),
            Some(uri) => device = device.serve(uri, &content),
        }
    }
    let version = Version::new(&[1, 2, 0]).expect("a version");
    device.versions = verified.components().iter().map(|id| (id.clone(), version.clone())).collect();
    device.battery = Some(500);
    device.authorized_up_to = Some(5);
    // A Tuesday, five past one in the morning.
    device.now = Some(4_102_189_500);
    device.network = Some(1);
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

/// Verifies a vector.
fn verified<'b>(folder: &Path, file: &str, bytes: &'b mut Vec<u8>) -> Verified<'b> {
    *bytes = read(&folder.join(file));
    let envelope = Envelope::decode(bytes).unwrap_or_else(|e| panic!("{file}: {e}"));
    envelope.verify(&authorities(folder)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn run(
    file: &str,
    verified: &Verified<'_>,
    device: &mut Device,
    procedure: Procedure,
) -> Result<Report, String> {
    let mut processor = Processor::new(verified, device).unwrap_or_else(|e| panic!("{file}: {e}"));
    processor.run(procedure).map_err(|failure| failure.kind.code().to_owned())
}

#[test]
fn trust_domain_examples_install_both_manifests() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let (mut inner, mut outer) = (Vec::new(), Vec::new());
    let file = "trust-domains/example0_dependent.hex";
    let dependency = verified(&folder, file, &mut inner);
    let mut alone = device(&dependency);
    run(file, &dependency, &mut alone, Procedure::Update).expect("installs by itself");
    run(file, &dependency, &mut alone, Procedure::Invocation).expect("starts by itself");
    assert_eq!(alone.log, ["wrote 00", "about to invoke 00", "invoked 00 with cat 00"]);

    let file = "trust-domains/example1_process.hex";
    let root = verified(&folder, file, &mut outer);
    let mut device = device(&root);
    device.authorities = Some(authorities(&folder));
    device.components.insert(component("00"), None);
    device = device.serve("http://example.com/dependent.suit", dependency.envelope().as_bytes());
    run(file, &root, &mut device, Procedure::Update).expect("installs");
    let log = ["fetched http://example.com/dependent.suit", "wrote dependent.suit", "wrote 00", "wrote 10"];
    assert_eq!(device.log, log);
    assert_eq!(device.content(&component("00")), Some(&b"hello world"[..]));
    assert_eq!(device.content(&component("10")), Some(&b" in multiple trust domains"[..]));
    // Its invoke section starts its own component and leaves that of the dependency, and nothing checks the set before:
    // TD section 5.1 has it fail.
    let invoked = run(file, &root, &mut device, Procedure::Invocation);
    assert_eq!(invoked.expect_err("the set is not checked"), "dependency-unchecked");
    // Another dependency in its place, by the same author.
    let other = read(&folder.join("manifest-37/example0.signed.hex"));
    let mut cheated = self::device(&root).serve("http://example.com/dependent.suit", &other);
    cheated.authorities = Some(authorities(&folder));
    let result = run(file, &root, &mut cheated, Procedure::Update);
    assert_eq!(result.expect_err("is another manifest"), "payload-too-large");
}

#[test]
fn libcsuit_envelopes_run_where_they_can() {
    use Procedure::{Invocation, Uninstallation, Update};
    let Some(folder) = testkit::vectors("suit") else { return };
    let ta = read(&folder.join("libcsuit/8d82573a-926d-4754-9353-32dc29997f74.ta"));
    let image = read(&folder.join("libcsuit/raw_image.bin"));
    type Row = (&'static str, &'static [(Procedure, Result<(), &'static str>)]);
    let rows: [Row; 8] = [
        ("exp0", &[(Invocation, Ok(()))]),
        ("exp1", &[(Update, Ok(()))]),
        // Its install section was severed and is not here.
        ("exp2A", &[(Update, Err("section-missing")), (Invocation, Ok(()))]),
        ("exp2B", &[(Update, Ok(())), (Invocation, Ok(()))]),
        // Its load section copies 34768 bytes to where it wants 76834, as when copying still unpacked.
        ("exp4", &[(Update, Ok(())), (Invocation, Err("payload-size"))]),
        ("exp5", &[(Update, Ok(())), (Invocation, Ok(()))]),
        ("expU", &[(Update, Ok(())), (Uninstallation, Ok(()))]),
        ("expU0", &[(Update, Ok(()))]),
    ];
    for (name, runs) in rows {
        let mut bytes = Vec::new();
        let verified = verified(&folder, &format!("libcsuit/{name}.suit"), &mut bytes);
        let mut device = device(&verified);
        device.abilities.references = true;
        if name == "expU" {
            device.vendor =
                Some(Uuid::from(*b"\xC0\xDD\xD5\xF1\x52\x43\x56\x60\x87\xDB\x4F\x5B\x0A\xA2\x6C\x2F"));
            device.class =
                Some(Uuid::from(*b"\xDB\x42\xF7\x09\x3D\x8C\x55\xBA\xA8\xC5\x26\x5F\xC5\x82\x0F\x4E"));
            device.pretended.clear();
            device = device.serve("https://example.org/8d82573a-926d-4754-9353-32dc29997f74.ta", &ta);
        }
        if name == "expU0" {
            let old = Version::new(&[1, 0, 1]).expect("a version");
            device.versions.values_mut().for_each(|version| *version = old.clone());
            device.versions.insert(component("0x00"), Version::new(&[1]).expect("a version"));
            device.now = Some(1_696_291_199);
        }
        for (procedure, expected) in runs {
            let result = run(name, &verified, &mut device, *procedure);
            let found = result.as_ref().map(|_| ()).map_err(String::as_str);
            assert_eq!(found, *expected, "{name}: {procedure}");
        }
    }

    // Version, battery, wait and use-before in one, with an image that is at hand.
    let mut bytes = Vec::new();
    let file = "libcsuit/expU2.suit";
    let verified = verified(&folder, file, &mut bytes);
    assert_eq!(verified.manifest().set_version().map(ToString::to_string).as_deref(), Some("1.0.0"));
    let ready = || {
        let mut device = device(&verified).serve("http://example.com/file.bin", &image);
        device.pretended.clear();
        device.power = Some(1);
        device.now = Some(1_465_948_798);
        device.versions.values_mut().for_each(|v| *v = Version::new(&[0, 9]).expect("a version"));
        device
    };
    let mut fits = ready();
    run(file, &verified, &mut fits, Procedure::Update).expect("installs");
    assert_eq!(fits.log, ["fetched http://example.com/file.bin", "wrote 0x00"]);
    type Spoil = fn(&mut Device);
    let spoil: [(Spoil, &str); 4] = [
        (|d| d.power = None, "waiting"),
        (|d| d.battery = Some(19), "battery-too-low"),
        (|d| d.now = Some(1_465_948_799), "manifest-expired"),
        (
            |d| d.versions.values_mut().for_each(|v| *v = Version::new(&[1]).expect("a version")),
            "wrong-version",
        ),
    ];
    for (spoil, code) in spoil {
        let mut device = ready();
        spoil(&mut device);
        assert_eq!(run(file, &verified, &mut device, Procedure::Update).expect_err("is held back"), code);
    }
}

#[test]
fn dependency_that_nobody_checks_is_not_processed() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let (mut outer, mut inner) = (Vec::new(), Vec::new());
    let file = "libcsuit/expD.suit";
    let root = verified(&folder, file, &mut outer);
    let ta = verified(&folder, "libcsuit/expU.suit", &mut inner);
    // It encrypts what it writes for this device, which does not decrypt.
    let mut plain = device(&root);
    plain.abilities.references = true;
    let refusal = Processor::new(&root, &mut plain).map(|_| ()).expect_err("does not decrypt");
    assert_eq!(refusal.code(), "unsupported-parameter");
    // One that did would come no further: the example processes its dependency without checking it.
    let mut device = device(&root);
    device.abilities.references = true;
    device.abilities.decryption = true;
    device.authorities = Some(authorities(&folder));
    device.vendor = root.targets().vendors.iter().find_map(|vendor| match vendor {
        VendorId::Uuid(id) => Some(*id),
        VendorId::PrivateEnterprise(_) => None,
    });
    device.class = root.targets().classes.first().copied();
    // Its size is that of the envelope with a tag.
    let uri = "https://example.org/8d82573a-926d-4754-9353-32dc29997f74.suit";
    let tagged = [&[0xd8, 0x6b], ta.envelope().as_bytes()].concat();
    device = device.serve(uri, &tagged);
    let code = run(file, &root, &mut device, Procedure::Update).expect_err("is not checked");
    assert_eq!(code, "dependency-unchecked");
    assert_eq!(device.content(&component(TA_MANIFEST)), Some(tagged.as_slice()));
}

#[test]
fn reports_of_libcsuit_are_read_where_they_are_well_formed() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let key = read(&folder.join("keys/device_esp256_cose_key_public.cosekey.hex"));
    let key = cose::Key::decode(&key).expect("a key").public().clone();
    // Claims about one component are merged into one map with the same keys twice in these two.
    for (name, expected) in [
        ("exp0", Err("malformed-report")),
        ("exp2B", Err("malformed-report")),
        ("exp5", Ok(5)),
        ("expAF", Ok(0)),
        ("expI", Ok(1)),
    ] {
        let bytes = read(&folder.join(format!("suit-report/libcsuit-{name}.report.cose")));
        let read = SignedReport::decode(&bytes);
        let entries = read.as_ref().map(|read| read.unverified().entries.len()).map_err(ReportError::code);
        assert_eq!(entries, expected, "{name}");
        let Ok(read) = read else { continue };
        assert_eq!(read.kid().map(<[u8]>::len), Some(32), "{name}");
        let believed = read.verify(&key, None).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(believed.report().is_success(), "{name}");
        if name == "exp5" {
            let mut envelope = Vec::new();
            let manifest = verified(&folder, "libcsuit/exp5.suit", &mut envelope);
            let replay = replay(&believed, &manifest, &[]);
            assert!(replay.holds(), "{:?}", replay.faults().collect::<Vec<_>>());
            let other = verified(&folder, "libcsuit/exp1.suit", &mut envelope);
            let replay = sextant_suit::replay(&believed, &other, &[]);
            assert_eq!(replay.faults().next().map(|verdict| verdict.finding), Some(Finding::WrongManifest));
        }
    }
}

/// Where the examples of libcsuit keep the manifest of a trusted application.
const TA_MANIFEST: &str = "TEEP-Device/SecureFS/0x8d82573a926d4754935332dc29997f74/suit";

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
