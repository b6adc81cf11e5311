//! Examples of other drafts and of libcsuit, run as far as they run.

use sextant_suit::{
    Finding, Procedure, Processor, ReportError, SignedReport, Uuid, VendorId, Version, replay,
};
use testkit::read_vector;

use crate::fitting::{self, device};
use crate::support::{Device, component};
use crate::{authorities, run, verified};

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
    let other = read_vector(&folder.join("manifest-37/example0.signed.hex"));
    let mut cheated = fitting::device(&root).serve("http://example.com/dependent.suit", &other);
    cheated.authorities = Some(authorities(&folder));
    let result = run(file, &root, &mut cheated, Procedure::Update);
    assert_eq!(result.expect_err("is another manifest"), "payload-too-large");
}

#[test]
fn libcsuit_envelopes_run_where_they_can() {
    use Procedure::{Invocation, Uninstallation, Update};
    let Some(folder) = testkit::vectors("suit") else { return };
    let ta = read_vector(&folder.join("libcsuit/8d82573a-926d-4754-9353-32dc29997f74.ta"));
    let image = read_vector(&folder.join("libcsuit/raw_image.bin"));
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
    let key = read_vector(&folder.join("keys/device_esp256_cose_key_public.cosekey.hex"));
    let key = cose::Key::decode(&key).expect("a key").public().clone();
    // Claims about one component are merged into one map with the same keys twice in these two.
    for (name, expected) in [
        ("exp0", Err("malformed-report")),
        ("exp2B", Err("malformed-report")),
        ("exp5", Ok(5)),
        ("expAF", Ok(0)),
        ("expI", Ok(1)),
    ] {
        let bytes = read_vector(&folder.join(format!("suit-report/libcsuit-{name}.report.cose")));
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
