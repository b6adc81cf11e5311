use suit::{
    AuthorityPolicy, Condition, ManifestBuilder, Parameter, ReportingPolicy, Role, Section, SequenceBuilder,
    Uuid,
};

use super::*;
use crate::{Bars, Fault, InstallError, Offer, Standing};

/// What a row changes of an installable release with sequence number 5, on a device that runs number 3.
struct Row {
    what: &'static str,
    code: &'static str,
    envelope: Vec<u8>,
    bars: fn(Digest) -> Bars,
}

fn row(what: &'static str, code: &'static str, envelope: Vec<u8>, bars: fn(Digest) -> Bars) -> Row {
    Row { what, code, envelope, bars }
}

fn signed(manifest: &ManifestBuilder, number: u64) -> Vec<u8> {
    envelope(manifest, number, &[(&author(), "author")])
}

/// The release with another payload in place of its application.
fn with_app(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let good = release(5);
    let mut app = image("app", 5);
    change(&mut app);
    Envelope::decode(&good).unwrap().with_payload("#app", &app)
}

fn manifest(change: impl FnOnce(&mut ReleaseRecipe)) -> ManifestBuilder {
    let mut recipe = recipe(5);
    change(&mut recipe);
    recipe.manifest().unwrap()
}

fn rows() -> Vec<Row> {
    let by_release = |_| Bars::Release;
    let by_envelope = Bars::Envelope;
    let other_class = manifest(|recipe| recipe.class = Uuid::class(&vendor(), b"doorbell"));
    let other_vendor = manifest(|recipe| recipe.vendor = Uuid::vendor("other.example"));
    let too_large = manifest(|recipe| recipe.images[0].variants[0].size = CAPACITY + 1);
    let other_component = manifest(|recipe| recipe.images[1].component = component("bootloader"));
    let mut unvalidated = manifest(|_| {});
    unvalidated.section(
        Section::Validate,
        SequenceBuilder::new().component(0).condition(Condition::ImageMatch, ReportingPolicy::ALWAYS),
    );
    let mut unbound = manifest(|_| {});
    let parameters = |name: &str| {
        let image = image(name, 5);
        [Parameter::ImageDigest(digest(&image)), Parameter::ImageSize(image.len() as u64)]
    };
    unbound.shared(
        SequenceBuilder::new()
            .component(0)
            .override_parameters(&parameters("app"))
            .component(1)
            .override_parameters(&parameters("config")),
    );
    let mut bare = manifest(|_| {}).build(HashAlgorithm::Sha256).unwrap();
    let lost_payload = Envelope::decode(&release(5)).unwrap().strip_payloads();
    vec![
        row("number below the committed one", "sequence-too-low", release(2), by_release),
        row(
            "other manifest with the committed number",
            "sequence-reused",
            signed(manifest(|recipe| recipe.sequence_number = 3).section_moved(), 5),
            by_release,
        ),
        row("no signature", "unsigned-manifest", bare.payload("#app", b"").to_bytes(), by_envelope),
        row(
            "a key nobody listed",
            "unknown-signer",
            envelope(&manifest(|_| {}), 5, &[(&key(77), "stranger")]),
            by_envelope,
        ),
        row(
            "another key under the author's identifier",
            "bad-manifest-signature",
            envelope(&manifest(|_| {}), 5, &[(&key(77), "author")]),
            by_envelope,
        ),
        row(
            "an operator alone",
            "author-signature-missing",
            envelope(&manifest(|_| {}), 5, &[(&operator(), "operator")]),
            by_envelope,
        ),
        row("another class", "wrong-class", signed(&other_class, 5), by_release),
        row("another vendor", "wrong-vendor", signed(&other_vendor, 5), by_release),
        row("a flipped bit of an image", "digest-mismatch", with_app(|app| app[7_000] ^= 1), by_envelope),
        row("a byte behind an image", "payload-too-large", with_app(|app| app.push(0)), by_envelope),
        row("an image cut short", "payload-size", with_app(|app| app.truncate(19_999)), by_envelope),
        row("no image", "payload-missing", lost_payload, by_envelope),
        row("an image larger than its place", "payload-too-large", signed(&too_large, 5), by_envelope),
        row("a component the device lacks", "unknown-component", signed(&other_component, 5), by_release),
        row("a component nobody validates", "component-unchecked", signed(&unvalidated, 5), by_release),
        row("no check of vendor and class", "class-unchecked", signed(&unbound, 5), by_release),
    ]
}

/// Makes a manifest another one without changing what it does.
trait SectionMoved {
    fn section_moved(self) -> &'static ManifestBuilder;
}

impl SectionMoved for ManifestBuilder {
    fn section_moved(mut self) -> &'static ManifestBuilder {
        self.reference_uri("https://maker.example/other.suit");
        Box::leak(Box::new(self))
    }
}

#[test]
fn refuses_each_fault_with_its_code_before_the_first_write() {
    let mut device = running(3);
    for Row { what, code, envelope, bars } in rows() {
        let before = contents(device.storage());
        let sequence = device.state().sequence;
        match device.install(&envelope, None, None) {
            Err(InstallError::Refused(fault)) => assert_eq!(fault.code(), code, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        // What only the bytes of a payload tell is found when they have come.
        if code != "digest-mismatch" {
            assert_eq!(contents(device.storage()), before, "{what}: something was written");
        }
        assert!(device.is_intact().unwrap(), "{what}: what runs was written");
        assert!(device.state().journal.is_none());
        assert_eq!(device.state().sequence, sequence);
        let told = device.state().refusals.last().unwrap();
        assert_eq!((told.code.as_str(), told.bars), (code, bars(digest(&envelope))), "{what}");
        let offer = Offer {
            manifest: manifest_digest(&envelope),
            envelope: digest(&envelope),
            size: envelope.len() as u64,
        };
        let standing =
            if told.bars == Bars::Nothing { Standing::Wanted } else { Standing::Refused(code.into()) };
        assert_eq!(device.assess(&offer), Ok(standing), "{what}");
    }
    // The release all rows were made from is good.
    device.install(&release(5), None, None).unwrap();
}

#[test]
fn refuses_bytes_that_are_no_envelope_and_remembers_them_under_what_was_offered() {
    let mut device = running(3);
    let offered = digest(b"what the server said");
    for (bytes, code) in [(b"".as_slice(), "malformed-manifest"), (b"\xd8\x6b\xa0", "malformed-manifest")] {
        let Err(InstallError::Refused(fault)) = device.install(bytes, Some(offered), None) else {
            panic!("installed {bytes:02x?}");
        };
        assert_eq!(fault.code(), code);
        assert!(device.state().barred(&offered, &digest(bytes)).is_some());
    }
    let Err(InstallError::Refused(fault)) = device.install(&release(5), Some(offered), None) else {
        panic!("installed another release than offered");
    };
    assert_eq!(fault, Fault::NotTheOffered);
}

#[test]
fn refuses_a_release_without_the_operator_where_the_list_demands_one() {
    let policy = AuthorityPolicy { operators: 1, ..AuthorityPolicy::default() };
    let entries = vec![
        authority(&author(), "author", Role::Author),
        authority(&operator(), "operator", Role::Operator),
    ];
    let mut device = Device::power_up(Simulator::new(), credentials_with(policy, entries), &[5; 16]).unwrap();
    device.boot(None).unwrap();
    let Err(InstallError::Refused(fault)) = device.install(&release(1), None, None) else {
        panic!("installed without the operator");
    };
    assert_eq!(fault.code(), "operator-signature-missing");
    let approved = Envelope::decode(&release(1)).unwrap().sign(&operator(), Some(b"operator")).unwrap();
    device.install(&approved, None, None).unwrap();
}

#[test]
fn refuses_an_author_for_a_component_that_is_not_theirs() {
    let mut entry = authority(&author(), "author", Role::Author);
    entry.components = vec![component("config")];
    let credentials = credentials_with(AuthorityPolicy::default(), vec![entry]);
    let mut device = Device::power_up(Simulator::new(), credentials, &[5; 16]).unwrap();
    device.boot(None).unwrap();
    let Err(InstallError::Refused(fault)) = device.install(&release(1), None, None) else {
        panic!("installed an application of another author");
    };
    assert_eq!(fault.code(), "author-not-authorised");
}

#[test]
fn refuses_a_jump_of_the_sequence_number() {
    let policy = AuthorityPolicy { max_sequence_jump: Some(1000), ..AuthorityPolicy::default() };
    let entries = vec![authority(&author(), "author", Role::Author)];
    let mut device = Device::power_up(Simulator::new(), credentials_with(policy, entries), &[5; 16]).unwrap();
    device.boot(None).unwrap();
    device.install(&release(1), None, None).unwrap();
    device.boot(None).unwrap();
    device.commit().unwrap();
    let Err(InstallError::Refused(fault)) = device.install(&release(1002), None, None) else {
        panic!("jumped");
    };
    assert_eq!(fault.code(), "sequence-jump");
    device.install(&release(1001), None, None).unwrap();
}

#[test]
fn a_damaged_envelope_does_not_keep_the_device_from_the_good_one() {
    let mut device = running(3);
    let damaged = with_app(|app| app[0] ^= 1);
    for _ in 0..5 {
        device.install(&damaged, None, None).unwrap_err();
    }
    assert_eq!(device.state().refusals.len(), 1);
    assert_eq!(manifest_digest(&damaged), manifest_digest(&release(5)));
    device.install(&release(5), None, None).unwrap();
}

#[test]
fn the_same_failed_release_is_tried_once_and_again_only_after_another() {
    let mut device = running(3);
    device.install(&release(5), None, None).unwrap();
    device.boot(None).unwrap();
    device.revert().unwrap();
    device.boot(None).unwrap();
    let again = device.install(&release(5), None, None);
    assert_eq!(again, Err(InstallError::Refused(Fault::FailedBefore)));
    assert_eq!(device.state().refusals.last().map(|refusal| refusal.code.as_str()), Some("trial-timeout"));
    device.install(&release(2), None, None).unwrap_err();
    device.install(&release(5), None, None).unwrap();
}

#[test]
fn an_offer_larger_than_any_release_is_refused_before_it_is_downloaded() {
    let mut device = running(3);
    let size = device.identity().max_envelope_len();
    let mut offer = Offer { manifest: digest(b"m"), envelope: digest(b"e"), size };
    assert_eq!(device.assess(&offer), Ok(Standing::Wanted));
    offer.size += 1;
    assert_eq!(device.assess(&offer), Ok(Standing::Refused("payload-too-large".into())));
}
