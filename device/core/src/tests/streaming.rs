//! Installing from elsewhere: what is asked for when, what is kept, and what is told.

use suit::{
    Capabilities, Condition, Directive, Parameter, PlatformError, ReportingPolicy, Section, SequenceBuilder,
    SignedReport, can_process,
};

use super::{watched::Watched, *};
use crate::{Boot, Fault, InstallError, Journal};

const ALWAYS: ReportingPolicy = ReportingPolicy::ALWAYS;

#[test]
fn no_payload_is_asked_for_before_the_release_is_believed_and_fits() {
    let other_class = {
        let mut recipe = recipe(5);
        recipe.class = Uuid::class(&vendor(), b"doorbell");
        envelope(&recipe.manifest().unwrap(), 5, &[(&author(), "author")])
    };
    let stranger = envelope(&recipe(5).manifest().unwrap(), 5, &[(&key(77), "stranger")]);
    let short = Envelope::decode(&release(5)).unwrap().with_payload("#app", b"short");
    for (envelope, code) in [
        (other_class, "wrong-class"),
        (stranger, "unknown-signer"),
        (short, "payload-size"),
        (release(2), "sequence-too-low"),
    ] {
        let mut device = running(3);
        let mut transport = Watched::new(&envelope, usize::MAX);
        let Err(InstallError::Refused(fault)) = transport.install_into(&mut device) else {
            panic!("installed");
        };
        assert_eq!(fault.code(), code);
        assert!(transport.opened.is_empty(), "{code}");
    }
}

#[test]
fn a_broken_transfer_is_no_refusal_and_goes_on_where_it_was() {
    let mut device = running(3);
    let envelope = release(5);
    let mut transport = Watched::new(&envelope, 9000);
    let broken = transport.install_into(&mut device);
    assert_eq!(broken, Err(InstallError::Interrupted(PlatformError::Transport)));
    assert!(device.state().refusals.is_empty());
    let begun = Journal::Installing { slot: Slot::A, manifest: manifest_digest(&envelope) };
    assert_eq!(device.state().journal, Some(begun));
    // A boot in between changes nothing.
    let mut device = wake(device.into_storage().power_up());
    assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == 3));
    let mut transport = Watched::new(&envelope, usize::MAX);
    transport.install_into(&mut device).unwrap();
    assert_eq!(transport.offsets(), [9000, 0], "the rest of one image, and the other");
    assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == 5));
}

#[test]
fn another_release_never_goes_on_from_what_is_there() {
    let mut device = running(3);
    let (first, second) = (release(5), release(6));
    Watched::new(&first, 9000).install_into(&mut device).unwrap_err();
    let mut transport = Watched::new(&second, usize::MAX);
    transport.install_into(&mut device).unwrap();
    assert_eq!(transport.offsets(), [0, 0]);
}

#[test]
fn payloads_elsewhere_are_fetched_where_the_transport_permits_it() {
    let uri = "https://mirror.example/app.bin";
    let mut recipe = recipe(5);
    recipe.images[0].variants[0].uri = Some(uri.into());
    let mut builder = recipe.manifest().unwrap().build(HashAlgorithm::Sha256).unwrap();
    builder.payload("#config", &image("config", 5)).sign(&author(), Some(b"author"));
    let envelope = builder.to_bytes();
    let mut device = running(3);
    let mut transport = Watched::new(&envelope, usize::MAX);
    let before = contents(device.storage());
    let Err(InstallError::Refused(fault)) = transport.install_into(&mut device) else {
        panic!("fetched from anywhere");
    };
    assert_eq!(fault.code(), "denied-by-device");
    assert!(transport.opened.is_empty());
    assert_eq!(contents(device.storage()), before);

    let mut device = running(3);
    let app = image("app", 5);
    let mut transport = Watched::new(&envelope, usize::MAX).serving(uri, &app);
    // The other image is in the envelope.
    transport.install_into(&mut device).unwrap();
    assert_eq!(transport.offsets(), [0, 0]);
    assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == 5));
}

/// A release whose configuration is copied from the slot that runs.
fn copying(number: u64, config: u64) -> Vec<u8> {
    let mut recipe = recipe(number);
    let kept = image("config", config);
    recipe.images[1].variants[0].digest = digest(&kept);
    recipe.images[1].variants[0].size = kept.len() as u64;
    let mut manifest = recipe.manifest().unwrap();
    manifest.component(ComponentId::new(&["config", "running"]).unwrap());
    let app = image("app", number);
    let of_app = [Parameter::ImageDigest(digest(&app)), Parameter::ImageSize(app.len() as u64)];
    let install = SequenceBuilder::new()
        .component(0)
        .override_parameters(&of_app)
        .override_parameters(&[Parameter::Uri("#app")])
        .directive(Directive::Fetch, ALWAYS)
        .condition(Condition::ImageMatch, ALWAYS)
        .component(1)
        .override_parameters(&[Parameter::SourceComponent(2)])
        .directive(Directive::Copy, ALWAYS)
        .condition(Condition::ImageMatch, ALWAYS);
    manifest.section(Section::Install, install);
    let mut envelope = manifest.build(HashAlgorithm::Sha256).unwrap();
    envelope.payload("#app", &app).sign(&author(), Some(b"author"));
    envelope.to_bytes()
}

#[test]
fn a_copy_of_something_else_than_what_runs_is_refused_before_the_first_write() {
    let mut device = running(3);
    let before = contents(device.storage());
    let Err(InstallError::Refused(fault)) = device.install(&copying(5, 4), None, None) else {
        panic!("copied");
    };
    assert_eq!(fault.code(), "digest-mismatch");
    assert_eq!(contents(device.storage()), before);
    device.install(&copying(6, 3), None, None).unwrap();
    assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == 6));
}

#[test]
fn what_runs_is_never_written_by_a_manifest() {
    let mut manifest = recipe(5).manifest().unwrap();
    manifest.component(ComponentId::new(&["app", "running"]).unwrap());
    let write = SequenceBuilder::new()
        .component(2)
        .override_parameters(&[Parameter::Content(b"something")])
        .directive(Directive::Write, ALWAYS);
    manifest.section(Section::Install, write);
    let mut device = running(3);
    let release = envelope(&manifest, 5, &[(&author(), "author")]);
    let Err(InstallError::Refused(fault)) = device.install(&release, None, None) else { panic!("written") };
    assert!(matches!(fault.code(), "payload-too-large" | "denied-by-device"), "{fault}");
    assert!(device.is_intact().unwrap());
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let now = 1_900_000_000;
    let mut device = running(3);
    device.install(&release(5), None, Some(now)).unwrap();
    for earlier in [Some(now - 1), Some(1), Some(0), None] {
        device = wake(device.into_storage());
        if device.state().trial.is_some_and(|trial| trial.boots_left == 0) {
            break;
        }
        assert!(matches!(device.boot(earlier), Ok(Boot::Release(running)) if running.sequence == 5));
    }
    device.commit().unwrap();
    assert_eq!(device.state().sequence, 5);
    device.install(&release(4), None, Some(1)).unwrap_err();
}

#[test]
fn reports_say_success_only_of_what_is_recorded_and_are_signed() {
    let mut device = running(3);
    let read = |device: &Device<Simulator>| {
        let report = device.report().unwrap().unwrap();
        let verified = SignedReport::decode(&report).unwrap().verify(key(9).public_key(), None).unwrap();
        verified.report().clone()
    };
    let good = release(5);
    let damaged = {
        let mut app = image("app", 5);
        app[0] ^= 1;
        Envelope::decode(&good).unwrap().with_payload("#app", &app)
    };
    device.install(&damaged, None, None).unwrap_err();
    let report = read(&device);
    assert_eq!((report.is_success(), report.manifest_digest), (false, manifest_digest(&good)));
    device.install(&release(1), None, None).unwrap_err();
    assert_eq!(
        (read(&device).is_success(), read(&device).manifest_digest),
        (false, manifest_digest(&release(1)))
    );
    Watched::new(&good, 9000).install_into(&mut device).unwrap_err();
    assert!(!read(&device).is_success());
    device.install(&good, None, None).unwrap();
    assert!(read(&device).is_success());
    assert_eq!(device.install(&release(6), None, None), Err(InstallError::Refused(Fault::OnTrial)));
    assert!(!read(&device).is_success());
}

#[test]
fn capabilities_are_those_that_manifests_are_admitted_by() {
    let mut device = device();
    device.boot(None).unwrap();
    assert!(device.capability_report().unwrap().is_none(), "a report is about a manifest");
    let device = running(3);
    let report = device.capability_report().unwrap().unwrap();
    let verified = SignedReport::decode(&report).unwrap().verify(key(9).public_key(), None).unwrap();
    let told: &Capabilities = verified.report().capabilities.as_ref().unwrap();
    assert_eq!(*told, device.capabilities());
    assert_eq!(verified.report().manifest_digest, manifest_digest(&release(3)));
    let admitted = |bytes: &[u8]| {
        let envelope = Envelope::decode(bytes).unwrap();
        can_process(told, &envelope.verify(device.authorities()).unwrap()).is_ok()
    };
    assert!(admitted(&release(5)) && admitted(&copying(5, 3)));
    let mut other = recipe(5);
    other.images[1].component = component("bootloader");
    assert!(!admitted(&envelope(&other.manifest().unwrap(), 5, &[(&author(), "author")])));
    assert!(!told.parameters.contains(&suit::labels::parameter::ENCRYPTION_INFO), "it has no keys");
    let before = device.capabilities_digest();
    let device = device.with_keys(cose::DecryptionKeys::default());
    assert!(device.capabilities().parameters.contains(&suit::labels::parameter::ENCRYPTION_INFO));
    assert_ne!(device.capabilities_digest(), before);
}

#[test]
fn a_release_is_removed_where_its_author_lets_it_go() {
    let mut device = running(3);
    let stays = {
        let mut manifest = recipe(5).manifest().unwrap();
        let never = SequenceBuilder::new().component(0).condition(Condition::Abort, ALWAYS);
        manifest.section(Section::Uninstall, never);
        envelope(&manifest, 5, &[(&author(), "author")])
    };
    device.install(&stays, None, None).unwrap();
    device.boot(None).unwrap();
    device.commit().unwrap();
    let removed = device.uninstall(&manifest_digest(&stays), None);
    assert!(matches!(removed, Err(InstallError::Refused(Fault::Procedure(_)))), "{removed:?}");
    assert!(device.state().journal.is_none());
    assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == 5));

    device.uninstall(&manifest_digest(&release(3)), None).unwrap();
    let gone = device.uninstall(&manifest_digest(&release(3)), None);
    assert_eq!(gone, Err(InstallError::Refused(Fault::NotInstalled)));
    assert!(contents(device.storage())[3..].iter().all(Vec::is_empty), "its slot is empty");
    assert_eq!(device.state().sequence, 5);
}

#[test]
fn what_is_damaged_in_the_second_slot_is_not_swapped_in() {
    let mut credentials = credentials();
    credentials.identity.layout = Layout::Swap;
    let mut device = Device::power_up(Simulator::new(), credentials, &[5; 16]).unwrap();
    device.boot(None).unwrap();
    device.install(&release(1), None, None).unwrap();
    device.boot(None).unwrap();
    device.commit().unwrap();
    device.install(&release(2), None, None).unwrap();
    damage(device.storage_mut(), Area::Image(Slot::B, 0));
    let before = contents(device.storage());
    assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == 1));
    assert_eq!(contents(device.storage()), before, "nothing was moved");
    assert!(device.state().trial.is_none());
}
