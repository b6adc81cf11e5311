//! Reports: written, signed, read, and replayed against the manifests they tell of.

mod support;

use cose::MacKey;
use crypto::HashAlgorithm;
use sextant_suit::labels::parameter;
use sextant_suit::{
    Capabilities, ComponentCapability, Condition, Directive, Entry, Envelope, Finding, ManifestBuilder,
    Outcome, Parameter, Procedure, Processor, Property, Reason, Record, Report, ReportError, ReportingPolicy,
    Section, SignedReport, Subject, SystemPropertyClaims, Unsupported, Uuid, Version, can_process, replay,
};
use support::{
    ALWAYS, Device, IMAGE, abort, build, component, image_parameters, key, one_author, recipe, seq, signed,
};

fn record(section: Option<Section>, offset: u32, properties: Vec<Property>) -> Record {
    Record { manifest_id: Vec::new(), section, offset, component: 0, properties: properties.into() }
}

fn everything() -> Report {
    let claims = SystemPropertyClaims {
        component: component("fw/0x00"),
        properties: vec![
            Property::Vendor(support::vendor()),
            Property::Class(support::class()),
            Property::ImageSize(7),
            Property::Version(Version::new(&[1, 2, -1, 3]).expect("a version")),
            Property::Other { label: -300, value: vec![0x82, 1, 2] },
        ]
        .into(),
    };
    let properties = vec![
        Property::ImageDigest(support::sha256(IMAGE)),
        Property::ComponentSlot(1),
        Property::Time(9),
        Property::Battery(500),
        Property::Device(Uuid::from([3; 16])),
    ];
    let deep = Record { manifest_id: vec![1, 0], ..record(Some(Section::Install), 70_000, properties) };
    Report {
        reference_uri: "https://example.com/manifest".into(),
        manifest_digest: support::sha256(b"manifest"),
        nonce: Some(vec![5; 8]),
        entries: vec![Entry::Claims(claims), Entry::Record(deep), Entry::Record(record(None, 1, Vec::new()))],
        outcome: Outcome::Failure {
            code: -7,
            reason: Reason::ConditionFailed,
            record: record(Some(Section::Validate), 3, vec![Property::PrivateEnterprise(vec![0x19, 0x9c])]),
        },
        capabilities: Some(Capabilities {
            others: vec![(vec![3, 3, 1], vec![3])],
            ..Capabilities::of(
                &support::ALL,
                vec![
                    ComponentCapability { component: component("fw"), any_below: true },
                    ComponentCapability { component: component("0x00"), any_below: false },
                ],
            )
        }),
    }
}

/// As [`everything`], with properties in the order that maps have.
fn sorted(mut report: Report) -> Report {
    for entry in &mut report.entries {
        let properties = match entry {
            Entry::Record(record) => &mut record.properties,
            Entry::Claims(claims) => &mut claims.properties,
        };
        let mut sorted = properties.to_vec();
        sorted.sort_by_key(|property| (property.label() < 0, property.label().abs()));
        *properties = sorted.into();
    }
    report
}

#[test]
fn report_is_read_as_it_was_written() {
    let report = sorted(everything());
    let bytes = report.to_bytes();
    assert_eq!(Report::decode(&bytes).expect("decodes"), report);
    assert_eq!(Report::decode(&bytes).expect("decodes").to_bytes(), bytes);
    for end in 0..bytes.len() {
        assert!(Report::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn malformed_reports_are_refused() {
    let reference = "1863 82 60 82 2f 5820 0000000000000000000000000000000000000000000000000000000000000000";
    let rows = [
        ("whole, in another order", format!("a3 {reference} 03 80 04 f5"), "ok"),
        ("result is false", format!("a3 03 80 04 f4 {reference}"), "malformed-manifest"),
        ("no result", format!("a2 03 80 {reference}"), "malformed-manifest"),
        ("no reference", "a2 03 80 04 f5".to_owned(), "malformed-manifest"),
        ("key twice", format!("a4 03 80 04 f5 04 f5 {reference}"), "malformed-manifest"),
        ("unknown member", format!("a4 03 80 04 f5 09 00 {reference}"), "unsupported-member"),
        ("claims about nothing", format!("a3 03 81 a1 00 81 40 04 f5 {reference}"), "malformed-manifest"),
        ("claims without component", format!("a3 03 81 a1 0e 01 04 f5 {reference}"), "malformed-manifest"),
        ("record too short", format!("a3 03 81 84 80 14 00 00 04 f5 {reference}"), "malformed-manifest"),
        ("unknown section", format!("a3 03 81 85 80 18 2a 00 00 a0 04 f5 {reference}"), "unsupported-member"),
        (
            "unknown reason",
            format!("a3 03 80 04 a3 05 00 06 85 80 14 00 00 a0 07 0d {reference}"),
            "malformed-manifest",
        ),
        ("failure without record", format!("a3 03 80 04 a2 05 00 07 0a {reference}"), "malformed-manifest"),
        ("no commands", format!("a4 03 80 04 f5 08 a1 01 81 81 f5 {reference}"), "malformed-manifest"),
    ];
    for (name, hex, expected) in rows {
        let found = Report::decode(&testkit::hex(&hex)).map_or_else(|error| error.code(), |_| "ok");
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn report_is_believed_by_its_key_and_nonce() {
    let report = sorted(everything());
    let bytes = report.sign(&key(4), Some(b"device"));
    let read = || SignedReport::decode(&bytes).expect("decodes");
    assert_eq!((read().kid(), read().unverified()), (Some(b"device".as_slice()), &report));
    let key4 = key(4).public_key().clone();
    for nonce in [None, Some([5; 8].as_slice())] {
        assert_eq!(read().verify(&key4, nonce).expect("is believed").report(), &report);
    }
    assert_eq!(read().verify(&key4, Some(&[6; 8])), Err(ReportError::WrongNonce));
    assert!(matches!(read().verify(key(5).public_key(), None), Err(ReportError::Container(_))));
    let mac = MacKey::new(HashAlgorithm::Sha256, &[9; 32]).expect("long enough");
    assert_eq!(read().verify_mac(&mac, None), Err(ReportError::UnsupportedContainer));

    let nonceless = Report { nonce: None, ..report };
    let bytes = nonceless.authenticate(&mac, Some(b"device"));
    let read = || SignedReport::decode(&bytes).expect("decodes");
    assert_eq!(read().verify_mac(&mac, None).expect("is believed").report(), &nonceless);
    assert_eq!(read().verify_mac(&mac, Some(&[5; 8])), Err(ReportError::WrongNonce));
    assert_eq!(read().verify(&key4, None), Err(ReportError::UnsupportedContainer));
    let other = MacKey::new(HashAlgorithm::Sha256, &[8; 32]).expect("long enough");
    assert!(matches!(read().verify_mac(&other, None), Err(ReportError::Container(_))));
    assert_eq!(SignedReport::decode(&nonceless.to_bytes()), Err(ReportError::UnsupportedContainer));
}

/// The release of the tests with more to tell: alternatives of which the first is not met.
fn telling() -> ManifestBuilder {
    let mut manifest = recipe(1).manifest().expect("a recipe");
    let validate = seq()
        .try_each(&[abort(), seq().condition(Condition::ImageMatch, ALWAYS)], false)
        .condition(Condition::ImageMatch, ALWAYS);
    manifest.section(Section::Validate, validate);
    manifest
}

/// Runs the release on a device that gets this image.
fn run(manifest: &ManifestBuilder, image: &[u8]) -> (Vec<u8>, Report) {
    let mut envelope = build(manifest);
    envelope.payload("#fw", image).sign(&key(1), Some(&[1]));
    let bytes = envelope.to_bytes();
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    let mut device = Device::new(&[component("fw")]);
    let report = match Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Update) {
        Ok(report) => report,
        Err(failure) => *failure.report,
    };
    (bytes, report)
}

/// What does not hold of a report.
fn faults(envelope: &[u8], report: &Report) -> Vec<(Subject, Finding)> {
    let signed = report.sign(&key(4), None);
    let report = SignedReport::decode(&signed).expect("decodes");
    let report = report.verify(key(4).public_key(), None).expect("is believed");
    let verified = Envelope::decode(envelope).expect("decodes").verify(&one_author()).expect("verifies");
    let replay = replay(&report, &verified, &[]);
    assert_eq!(replay.verdicts().len(), report.report().entries.len() + 2, "one for each claim");
    let faults: Vec<_> = replay.faults().map(|verdict| (verdict.subject, verdict.finding)).collect();
    assert_eq!(replay.holds(), faults.is_empty());
    faults
}

#[test]
fn what_the_processor_reports_holds() {
    let (envelope, report) = run(&telling(), IMAGE);
    assert!(report.is_success());
    assert!(report.entries.len() >= 8, "{:?}", report.entries);
    assert_eq!(faults(&envelope, &report), []);
    // The same size and something else in it.
    let other: Vec<u8> = IMAGE.iter().map(|byte| byte ^ 1).collect();
    let (envelope, report) = run(&telling(), &other);
    let Outcome::Failure { reason, record, .. } = &report.outcome else { panic!("a failure") };
    assert_eq!(*reason, Reason::ConditionFailed);
    assert_eq!(record.properties[..], [Property::ImageDigest(support::sha256(&other))]);
    // It claims the digest that it found, which is none the manifest asks for: that is why it stopped.
    let Some(Entry::Claims(claims)) = report.entries.last() else { panic!("claims") };
    assert_eq!(claims.properties, record.properties);
    assert_eq!(faults(&envelope, &report), []);
    // The same claims and no failure do not hold.
    let claimed = report.entries.len() - 1;
    let lie = Report { outcome: Outcome::Success, ..report };
    assert_eq!(faults(&envelope, &lie), [(Subject::Entry(claimed), Finding::WrongValue)]);
}

#[test]
fn replay_finds_what_no_honest_processor_reports() {
    let (envelope, good) = run(&telling(), IMAGE);
    let offset_of = |condition: Condition| {
        let verified = Envelope::decode(&envelope).expect("decodes").verify(&one_author()).expect("verifies");
        let validate = verified.manifest().section(Section::Validate).and_then(|held| held.value()).cloned();
        let commands = validate.expect("is here").commands().to_vec();
        let is = |operation: &sextant_suit::Operation<'_>| operation.code() == condition.code();
        commands.iter().find(|command| is(&command.operation)).expect("is there").offset
    };
    let image_match = offset_of(Condition::ImageMatch);
    let wrong_digest = || vec![Property::ImageDigest(support::sha256(b"another"))];
    let right_digest = || vec![Property::ImageDigest(support::sha256(IMAGE))];
    let only = |record: Record| Report { entries: vec![Entry::Record(record)], ..good.clone() };
    let validate = Some(Section::Validate);
    let failing = |reason, record| Report {
        entries: Vec::new(),
        outcome: Outcome::Failure { code: 0, reason, record },
        ..good.clone()
    };
    let entry = |finding| (Subject::Entry(0), finding);
    let result = |finding| (Subject::Result, finding);
    let claims = |name: &str, property: Property| Report {
        entries: vec![Entry::Claims(SystemPropertyClaims {
            component: component(name),
            properties: vec![property].into(),
        })],
        ..good.clone()
    };
    let install = Some(Section::Install);
    let rows: Vec<(&str, Report, (Subject, Finding))> = vec![
        (
            "other manifest",
            Report { manifest_digest: support::sha256(b"other"), ..good.clone() },
            (Subject::Reference, Finding::WrongManifest),
        ),
        (
            "other URI",
            Report { reference_uri: "https://example.com/".into(), ..good.clone() },
            (Subject::Reference, Finding::WrongReference),
        ),
        (
            "unknown manifest",
            only(Record { manifest_id: vec![3], ..record(validate, image_match, right_digest()) }),
            entry(Finding::UnknownManifest),
        ),
        ("no section", only(record(Some(Section::Load), 1, Vec::new())), entry(Finding::NoSuchSection)),
        ("no command", only(record(validate, image_match + 1, Vec::new())), entry(Finding::NoSuchCommand)),
        ("command without policy", only(record(install, 1, Vec::new())), entry(Finding::NotReported)),
        (
            "undeclared component",
            only(Record { component: 5, ..record(validate, image_match, right_digest()) }),
            entry(Finding::UnknownComponent),
        ),
        (
            "property of another condition",
            only(record(validate, image_match, vec![Property::Battery(1)])),
            entry(Finding::NotMeasured),
        ),
        (
            "went on with another image",
            only(record(validate, image_match, wrong_digest())),
            entry(Finding::WentOnRegardless),
        ),
        (
            "stopped with the right image",
            failing(Reason::ConditionFailed, record(validate, image_match, right_digest())),
            result(Finding::StoppedRegardless),
        ),
        (
            "condition failed at a directive",
            failing(Reason::ConditionFailed, record(install, fetch_offset(&envelope), Vec::new())),
            result(Finding::WrongReason),
        ),
        (
            "failed and all is well",
            failing(Reason::Ok, record(validate, image_match, Vec::new())),
            result(Finding::WrongReason),
        ),
        (
            "about to invoke what is no invoke",
            failing(Reason::InvokePending, record(validate, image_match, Vec::new())),
            result(Finding::WrongReason),
        ),
        (
            "claims about another component",
            claims("other", Property::ImageSize(1)),
            entry(Finding::UnknownComponent),
        ),
        ("claims of another image", claims("fw", Property::ImageSize(1)), entry(Finding::WrongValue)),
        (
            "claims of another class",
            claims("fw", Property::Class(Uuid::from([0; 16]))),
            entry(Finding::WrongValue),
        ),
    ];
    for (name, report, expected) in rows {
        assert_eq!(faults(&envelope, &report), [expected], "{name}");
    }
    // A failure that is honest holds.
    let honest = failing(Reason::ConditionFailed, record(validate, image_match, wrong_digest()));
    assert_eq!(faults(&envelope, &honest), []);
    let broken = failing(Reason::OperationFailed, record(install, fetch_offset(&envelope), Vec::new()));
    assert_eq!(faults(&envelope, &broken), []);
    // Entries in the wrong order, with one twice.
    let both = |first: Record, second: Record| Report {
        entries: vec![Entry::Record(first), Entry::Record(second)],
        ..good.clone()
    };
    let later = || record(validate, image_match, right_digest());
    let earlier = || record(install, match_offset(&envelope), right_digest());
    assert_eq!(faults(&envelope, &both(earlier(), later())), []);
    let out_of_order = [(Subject::Entry(1), Finding::OutOfOrder)];
    assert_eq!(faults(&envelope, &both(later(), earlier())), out_of_order);
    assert_eq!(faults(&envelope, &both(later(), later())), out_of_order);
}

/// Offset of the fetch in the install section of the release.
fn fetch_offset(envelope: &[u8]) -> u32 {
    offset_in_install(envelope, Directive::Fetch.code())
}

fn match_offset(envelope: &[u8]) -> u32 {
    offset_in_install(envelope, Condition::ImageMatch.code())
}

fn offset_in_install(envelope: &[u8], code: i64) -> u32 {
    let verified = Envelope::decode(envelope).expect("decodes").verify(&one_author()).expect("verifies");
    let install = verified.manifest().section(Section::Install).and_then(|held| held.value()).cloned();
    let install = install.expect("is here");
    let mut commands = install.commands().iter();
    commands.find(|command| command.operation.code() == code).expect("is there").offset
}

#[test]
fn records_of_dependencies_are_found_by_their_path() {
    let mut inner = ManifestBuilder::new(1);
    inner.component(component("app"));
    let about = [Parameter::Content(b"app"), Parameter::ImageDigest(support::sha256(b"app"))];
    let install = seq().override_parameters(&about).directive(Directive::Write, ALWAYS);
    inner.section(Section::Install, install.condition(Condition::ImageMatch, ALWAYS));
    let mut root = ManifestBuilder::new(1);
    root.component(component("fw")).component(component("dep")).dependency(1, Some(component("in")));
    let about = [Parameter::ImageDigest(build(&inner).manifest_digest()), Parameter::Uri("#dep")];
    root.section(
        Section::Install,
        seq()
            .component(1)
            .override_parameters(&about)
            .directive(Directive::Fetch, ALWAYS)
            .condition(Condition::DependencyIntegrity, ALWAYS)
            .directive(Directive::ProcessDependency, ALWAYS),
    );
    let inner = signed(&inner);
    let mut envelope = build(&root);
    envelope.payload("#dep", &inner).sign(&key(1), Some(&[1]));
    let bytes = envelope.to_bytes();
    let list = one_author();
    let root = Envelope::decode(&bytes).expect("decodes").verify(&list).expect("verifies");
    let below = Envelope::decode(&inner).expect("decodes").verify(&list).expect("verifies");
    let mut device = Device::new(&[component("fw"), component("dep"), component("in/app")]);
    device.authorities = Some(list);
    let report =
        Processor::new(&root, &mut device).expect("is admitted").run(Procedure::Update).expect("installs");
    let paths: Vec<&[u32]> = report
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Record(record) => Some(record.manifest_id.as_slice()),
            Entry::Claims(_) => None,
        })
        .collect();
    assert_eq!(paths, [&[][..], &[], &[1], &[1], &[]]);
    let written = report.sign(&key(4), None);
    let believed = SignedReport::decode(&written).expect("decodes").verify(key(4).public_key(), None);
    let believed = believed.expect("is believed");
    let replayed = replay(&believed, &root, &[&below]);
    assert!(replayed.holds(), "{:?}", replayed.faults().collect::<Vec<_>>());
    // In which order they are given does not matter, nor what else is.
    let stranger = signed(&telling());
    let stranger = Envelope::decode(&stranger).expect("decodes").verify(&one_author()).expect("verifies");
    for others in [[&below, &stranger], [&stranger, &below]] {
        assert_eq!(replay(&believed, &root, &others), replayed);
    }
    // Without the dependency nobody can say anything about its records and its components.
    let blind = replay(&believed, &root, &[]);
    let faults: Vec<_> = blind.faults().map(|verdict| verdict.finding).collect();
    assert_eq!(faults, [Finding::UnknownManifest, Finding::UnknownManifest, Finding::UnknownComponent]);
}

#[test]
fn start_is_reported_as_pending_before_it_and_as_done_after() {
    let mut manifest = ManifestBuilder::new(1);
    manifest.component(component("fw"));
    manifest.shared(seq().override_parameters(&image_parameters()));
    manifest.section(Section::Validate, seq().condition(Condition::ImageMatch, ALWAYS));
    manifest.section(Section::Invoke, seq().directive(Directive::Invoke, ALWAYS));
    let bytes = signed(&manifest);
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    let mut device = Device::new(&[component("fw")]).holding(&component("fw"), IMAGE);
    let report = Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Invocation);
    let report = report.expect("starts");
    let pending = device.pending.expect("was given out");
    let Outcome::Failure { reason, record, .. } = &pending.outcome else { panic!("not done yet") };
    assert_eq!((*reason, record.section, record.offset), (Reason::InvokePending, Some(Section::Invoke), 1));
    assert_eq!(pending.entries.len() + 1, report.entries.len());
    assert_eq!(faults(&bytes, &pending), []);
    assert_eq!(faults(&bytes, &report), []);
}

#[test]
fn policy_says_what_is_reported() {
    let run = |policy: u64, image: &[u8]| {
        let policy = ReportingPolicy(policy);
        let check = seq().condition(Condition::ImageMatch, policy);
        let install =
            seq().override_parameters(&image_parameters()).try_each(&[check, seq().component(0)], false);
        let bytes = support::with_install(install);
        let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
        let mut device = Device::new(&[component("fw")]).holding(&component("fw"), image);
        let report = Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Update);
        let kind = |entry: &Entry| if matches!(entry, Entry::Record(_)) { 'r' } else { 'c' };
        report.expect("goes on").entries.iter().map(kind).collect::<String>()
    };
    for (policy, when_met, when_not) in [
        (0b0000, "", ""),
        (0b0001, "r", ""),
        (0b0010, "", "r"),
        (0b0100, "c", ""),
        (0b1000, "", "c"),
        (0b1111, "rc", "rc"),
        (0b1_0000, "", ""),
    ] {
        assert_eq!(run(policy, IMAGE), when_met, "{policy:#b}");
        assert_eq!(run(policy, b"something else of it."), when_not, "{policy:#b}");
    }
}

#[test]
fn server_knows_what_a_device_cannot_process() {
    let bytes = signed(&telling());
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    let of = |name: &str, any_below| vec![ComponentCapability { component: component(name), any_below }];
    let able = Capabilities::of(&support::ALL, of("fw", false));
    assert_eq!(can_process(&able, &verified), Ok(()));
    // A processor that lists no more than it must.
    let least = Capabilities {
        components: of("", true),
        commands: vec![14, 15, 21],
        parameters: vec![21],
        algorithms: vec![-7],
        manifest: Some(vec![20]),
        ..Capabilities::default()
    };
    assert_eq!(can_process(&least, &verified), Ok(()));
    let lacks = Capabilities { commands: vec![21], manifest: None, algorithms: vec![-16], ..least };
    let lacks = Capabilities { components: of("fw/0x00", true), parameters: vec![14], ..lacks };
    assert_eq!(
        can_process(&lacks, &verified),
        Err(vec![
            Unsupported::Component(component("fw")),
            Unsupported::Command(15),
            Unsupported::Command(14),
            Unsupported::Parameter(parameter::URI),
            Unsupported::Algorithm(-7),
            Unsupported::ManifestMember(20),
        ])
    );
}
