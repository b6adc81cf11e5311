//! Conditions, waits and metadata of update management: what each asks the device, and what a device without it does.

mod support;

use sextant_suit::labels::{parameter, wait};
use sextant_suit::limits::MAX_WAKE_UPS;
use sextant_suit::{
    Abilities, Actor, Comparison, ComponentMetadata, Condition, Directive, Envelope, FailureKind, Feature,
    FileType, ManifestBuilder, OtherDevice, Parameter, Permissions, PlatformError, Procedure, Processor,
    Refusal, Section, SequenceBuilder, Uuid, Version, VersionMatch, WaitInfo,
};
use support::{ALWAYS, Device, IMAGE, component, mark, one_author, seq, signed, with_install};

/// Tuesday, 3 October 2023, 01:00:00 UTC.
const NOW: u64 = 1_696_294_800;

fn update(envelope: &[u8], device: &mut Device) -> Result<(), FailureKind> {
    let verified = Envelope::decode(envelope).expect("decodes").verify(&one_author()).expect("verifies");
    let report = Processor::new(&verified, device).expect("is admitted").run(Procedure::Update);
    report.map(|_| ()).map_err(|failure| failure.kind)
}

fn refusal(envelope: &[u8], device: &mut Device) -> Option<Refusal> {
    let verified = Envelope::decode(envelope).expect("decodes").verify(&one_author()).expect("verifies");
    Processor::new(&verified, device).map(|_| ()).err()
}

fn version(parts: &[i64]) -> Version {
    Version::new(parts).expect("a version")
}

fn demand(comparison: Comparison, parts: &[i64]) -> VersionMatch {
    VersionMatch { comparison, version: version(parts) }
}

fn waiting(info: &WaitInfo<'_>) -> Vec<u8> {
    let parameters = [Parameter::WaitInfo(Box::new(info.clone()))];
    with_install(seq().override_parameters(&parameters).directive(Directive::Wait, ALWAYS).then(&mark(b"x")))
}

#[test]
fn each_event_is_waited_for() {
    let other = OtherDevice {
        device: b"hub",
        versions: vec![demand(Comparison::GreaterOrEqual, &[2]), demand(Comparison::Lesser, &[3])],
    };
    let none = WaitInfo::default();
    let ready = || {
        let mut device = Device::new(&[component("fw")]);
        device.now = Some(NOW);
        // Two hours ahead of UTC: it is three in the morning.
        device.utc_offset = Some(7200);
        device.authorized_up_to = Some(3);
        (device.power, device.network) = (Some(1), Some(2));
        device.others.insert(b"hub".to_vec(), version(&[2, 5]));
        device
    };
    type Spoil = fn(&mut Device);
    let rows: [(WaitInfo<'_>, Spoil); 10] = [
        (WaitInfo { authorization: Some(3), ..none.clone() }, |d| d.authorized_up_to = Some(2)),
        (WaitInfo { power: Some(1), ..none.clone() }, |d| d.power = Some(0)),
        (WaitInfo { network: Some(2), ..none.clone() }, |d| d.network = None),
        (WaitInfo { other_devices: vec![other.clone()], ..none.clone() }, |d| d.others.clear()),
        (WaitInfo { other_devices: vec![other], ..none.clone() }, |d| {
            d.others.insert(b"hub".to_vec(), Version::new(&[3]).expect("a version"));
        }),
        (WaitInfo { time: Some(NOW), ..none.clone() }, |d| d.now = Some(NOW - 1)),
        (WaitInfo { time_of_day: Some(3 * 3600), ..none.clone() }, |d| d.utc_offset = Some(7199)),
        (WaitInfo { day_of_week: Some(2), ..none.clone() }, |d| d.utc_offset = Some(-2 * 3600)),
        (WaitInfo { utc_time_of_day: Some(3600), ..none.clone() }, |d| d.now = Some(NOW - 1)),
        (WaitInfo { utc_day_of_week: Some(2), ..none.clone() }, |d| d.now = Some(NOW + 86_400)),
    ];
    for (info, spoil) in rows {
        let bytes = waiting(&info);
        let mut device = ready();
        update(&bytes, &mut device).unwrap_or_else(|kind| panic!("{info:?}: {kind}"));
        assert_eq!(device.log, ["wrote fw"]);
        let mut device = ready();
        spoil(&mut device);
        let not_ready = Err(FailureKind::Platform(PlatformError::NotReady));
        assert_eq!(update(&bytes, &mut device), not_ready, "{info:?}");
        assert!(device.log.is_empty(), "nothing comes after a wait that is not over");
        // A device that cannot wait for it refuses before anything runs.
        let mut small = ready();
        small.abilities.events = &[0];
        let event = info.events().next().expect("one event");
        let feature = Feature::WaitEvent(event);
        assert_eq!(refusal(&bytes, &mut small), Some(Refusal::UnsupportedByDevice { feature }));
    }
}

#[test]
fn a_wait_ends_when_time_comes_and_not_by_being_woken() {
    let bytes = waiting(&WaitInfo { time: Some(NOW + 100), ..WaitInfo::default() });
    let mut device = Device::new(&[component("fw")]);
    (device.now, device.tick) = (Some(NOW), 30);
    assert_eq!(update(&bytes, &mut device), Ok(()));
    assert_eq!(device.now, Some(NOW + 120));
    let bytes = waiting(&WaitInfo { time: Some(NOW + MAX_WAKE_UPS as u64), ..WaitInfo::default() });
    for (start, expected) in [(NOW + 1, Ok(())), (NOW, Err(FailureKind::Platform(PlatformError::NotReady)))] {
        let mut device = Device::new(&[component("fw")]);
        (device.now, device.tick) = (Some(start), 1);
        assert_eq!(update(&bytes, &mut device), expected);
    }
}

#[test]
fn times_that_never_come_are_refused() {
    for (event, end) in [
        (wait::TIME_OF_DAY, 86_400),
        (wait::DAY_OF_WEEK, 7),
        (wait::UTC_TIME_OF_DAY, 86_400),
        (wait::UTC_DAY_OF_WEEK, 7),
    ] {
        let info = |value: u64| WaitInfo {
            time_of_day: (event == wait::TIME_OF_DAY).then_some(value),
            day_of_week: (event == wait::DAY_OF_WEEK).then_some(value),
            utc_time_of_day: (event == wait::UTC_TIME_OF_DAY).then_some(value),
            utc_day_of_week: (event == wait::UTC_DAY_OF_WEEK).then_some(value),
            ..WaitInfo::default()
        };
        let build = |value| {
            let parameters = [Parameter::WaitInfo(Box::new(info(value)))];
            let mut manifest = ManifestBuilder::new(1);
            manifest.component(component("fw"));
            manifest.section(Section::Install, seq().override_parameters(&parameters));
            manifest.build(crypto::HashAlgorithm::Sha256).map(|_| ())
        };
        assert!(build(end - 1).is_ok(), "event {event}");
        assert!(build(end).is_err(), "event {event}");
    }
}

#[test]
fn what_a_device_lacks_is_refused_before_anything_runs() {
    let condition = |condition| seq().condition(condition, ALWAYS);
    let directive = |directive| seq().directive(directive, ALWAYS);
    let set = |parameter: Parameter<'_>| seq().override_parameters(&[parameter]);
    let metadata = Parameter::ComponentMetadata(Box::default());
    let rows: [(SequenceBuilder, Feature); 12] = [
        (condition(Condition::UseBefore), Feature::Command(4)),
        (condition(Condition::MinimumBattery), Feature::Command(26)),
        (condition(Condition::UpdateAuthorized), Feature::Command(27)),
        (condition(Condition::Version), Feature::Command(28)),
        (directive(Directive::Wait), Feature::Command(29)),
        (directive(Directive::Swap), Feature::Command(31)),
        (directive(Directive::Unlink), Feature::Command(33)),
        (condition(Condition::IsDependency), Feature::Command(8)),
        (set(Parameter::UseBefore(1)), Feature::Parameter(parameter::USE_BEFORE)),
        (set(metadata), Feature::Parameter(parameter::COMPONENT_METADATA)),
        (set(Parameter::EncryptionInfo(b"x")), Feature::Parameter(parameter::ENCRYPTION_INFO)),
        // Also where nothing would ever get there.
        (
            seq().try_each(&[seq().component(0), seq().run_sequence(&directive(Directive::Swap))], false),
            Feature::Command(31),
        ),
    ];
    for (sequence, feature) in rows {
        let bytes = with_install(mark(b"x").then(&sequence));
        let mut device = Device::new(&[component("fw")]);
        device.abilities = Abilities::default();
        assert_eq!(refusal(&bytes, &mut device), Some(Refusal::UnsupportedByDevice { feature }));
        assert!(matches!(feature.reason().code(), 5 | 8));
    }
}

#[test]
fn versions_are_compared_up_to_the_last_number_asked_for() {
    use Comparison::{Equal, Greater, GreaterOrEqual, Lesser, LesserOrEqual};
    type Row = (Comparison, &'static [i64], &'static [i64], bool);
    let rows: [Row; 14] = [
        (Equal, &[1], &[1, 9, 9], true),
        (Equal, &[1, 2], &[1, 3], false),
        (GreaterOrEqual, &[1, 0], &[1], true),
        (Greater, &[1], &[1, 5], false),
        (Greater, &[1, 4], &[1, 5], true),
        (Lesser, &[1, 10], &[1, 9, 99], true),
        (Lesser, &[1, 10], &[1, 10, 0], false),
        (LesserOrEqual, &[1, 10], &[1, 10, 7], true),
        // 1.2.3-alpha.4 is before 1.2.3-beta, and that before the release.
        (Lesser, &[1, 2, 3, -2], &[1, 2, 3, -3, 4], true),
        (Lesser, &[2, 0, 0], &[2, 0, -1, 1], true),
        (GreaterOrEqual, &[2, 0, -1, 1], &[2, 0], true),
        (Equal, &[2, 0, 0], &[2], true),
        (Greater, &[0], &[1], true),
        (Lesser, &[0], &[0], false),
    ];
    for (comparison, wanted, installed, met) in rows {
        let parameters = [Parameter::VersionMatch(Box::new(demand(comparison, wanted)))];
        let bytes =
            with_install(seq().override_parameters(&parameters).condition(Condition::Version, ALWAYS));
        let mut device = Device::new(&[component("fw")]);
        device.versions.insert(component("fw"), version(installed));
        let expected = if met { Ok(()) } else { Err(FailureKind::NotMet(Condition::Version)) };
        assert_eq!(update(&bytes, &mut device), expected, "{comparison:?} {wanted:?} with {installed:?}");
    }
}

fn metadata(file_type: FileType) -> Parameter<'static> {
    Parameter::ComponentMetadata(Box::new(ComponentMetadata { file_type, ..ComponentMetadata::default() }))
}

#[test]
fn metadata_goes_with_every_write() {
    let put = |directive| {
        let parameters = [
            metadata(FileType::Regular),
            Parameter::Content(b"content"),
            Parameter::Uri("https://example.com/"),
            Parameter::SourceComponent(1),
        ];
        let mut manifest = ManifestBuilder::new(1);
        manifest.component(component("fw")).component(component("old"));
        let install = seq().component(0).override_parameters(&parameters).directive(directive, ALWAYS);
        manifest.section(Section::Install, install);
        let mut device = Device::new(&[component("fw")])
            .holding(&component("old"), b"old")
            .serve("https://example.com/", IMAGE);
        update(&signed(&manifest), &mut device).expect("installs");
        device.log.retain(|line| !line.starts_with("fetched"));
        device.log
    };
    for directive in [Directive::Write, Directive::Fetch, Directive::Copy] {
        assert_eq!(put(directive), ["described fw as Regular", "wrote fw"], "{directive:?}");
    }
}

#[test]
fn directories_are_empty_and_links_stay_within_the_manifest() {
    let bad = Err(FailureKind::BadFile);
    type Row = (FileType, Directive, &'static [u8], Result<(), FailureKind>);
    let rows: [Row; 10] = [
        (FileType::Directory, Directive::Write, b"", Ok(())),
        (FileType::Directory, Directive::Write, b"x", bad),
        (FileType::Directory, Directive::Copy, b"", bad),
        (FileType::SymbolicLink, Directive::Write, b"/usr/bin/tool", Ok(())),
        (FileType::SymbolicLink, Directive::Write, b"usr/bin/tool", Ok(())),
        // To itself, to something else, and through something else.
        (FileType::SymbolicLink, Directive::Write, b"/link", bad),
        (FileType::SymbolicLink, Directive::Write, b"/etc/passwd", bad),
        (FileType::SymbolicLink, Directive::Write, b"/usr/../usr/bin/tool", bad),
        (FileType::SymbolicLink, Directive::Write, b"", bad),
        (FileType::SymbolicLink, Directive::Copy, b"/usr/bin/tool", bad),
    ];
    for (file_type, directive, content, expected) in rows {
        let parameters = [metadata(file_type), Parameter::Content(content), Parameter::SourceComponent(1)];
        let mut manifest = ManifestBuilder::new(1);
        manifest.component(component("link")).component(component("usr/bin/tool"));
        let install = seq().component(0).override_parameters(&parameters).directive(directive, ALWAYS);
        manifest.section(Section::Install, install);
        let mut device =
            Device::new(&[component("link")]).holding(&component("usr/bin/tool"), b"/usr/bin/tool");
        let result = update(&signed(&manifest), &mut device);
        assert_eq!(result, expected, "{file_type:?} by {directive:?} with {content:02x?}");
        assert_eq!(device.content(&component("link")), expected.is_ok().then_some(content));
    }
}

#[test]
fn metadata_has_one_encoding() {
    let all = ComponentMetadata {
        default_permissions: Permissions::new(0b101),
        users: vec![(Actor::Number(0), Permissions::new(0x3fff).expect("all bits"))],
        groups: vec![(Actor::Name("wheel"), Permissions::new(1).expect("a bit"))],
        roles: vec![
            (Actor::Uuid(Uuid::from([7; 16])), Permissions::new(0).expect("none")),
            (Actor::Bytes(b"x"), Permissions::new(2).expect("a bit")),
        ],
        file_type: FileType::Directory,
        modification_time: Some(NOW),
        creation_time: Some(1),
        creator: Some(Actor::Name("root")),
    };
    let mut manifest = ManifestBuilder::new(1);
    manifest.component(component("fw"));
    let parameters = [Parameter::ComponentMetadata(Box::new(all.clone()))];
    manifest.section(Section::Install, seq().override_parameters(&parameters));
    let bytes = signed(&manifest);
    let envelope = Envelope::decode(&bytes).expect("decodes");
    let read = envelope.manifest_unverified().expect("decodes");
    let again = ManifestBuilder::from(&read);
    assert_eq!(support::build(&again).manifest_digest(), envelope.manifest_digest_claimed());
    let section = read.section(Section::Install).and_then(|held| held.value()).expect("is here");
    let parameters: Vec<_> = section.commands()[0].operation.parameters().collect();
    let [Parameter::ComponentMetadata(found)] = parameters.as_slice() else { panic!("{parameters:?}") };
    // Maps are sorted as their keys are encoded.
    assert_eq!(found.roles, [all.roles[1], all.roles[0]]);
    assert_eq!((found.users.as_slice(), found.creator), (all.users.as_slice(), all.creator));
    assert_eq!(Permissions::new(0x4000), None);
}
