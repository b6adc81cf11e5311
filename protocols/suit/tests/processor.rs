//! What commands do, and what happens when they cannot.

mod support;

use sextant_suit::labels::parameter;
use sextant_suit::{
    ComponentId, ComponentIndex, Condition, Directive, Entry, Envelope, Failure, FailureKind, Feature,
    Installed, ManifestBuilder, Outcome, Parameter, PlatformError, Procedure, Processor, Refusal, Report,
    ReportingPolicy, Section, SequenceBuilder, Uuid,
};
use support::{
    ALWAYS, Device, IMAGE, abort, component, image_parameters, mark, one_author, seq, signed, with_install,
};

/// Verifies and updates.
fn update(envelope: &[u8], device: &mut Device) -> Result<Report, Failure> {
    let verified = Envelope::decode(envelope).expect("decodes").verify(&one_author()).expect("verifies");
    Processor::new(&verified, device).expect("is admitted").run(Procedure::Update)
}

/// Runs an install section over component `fw`, and gives what the component then holds.
fn run(install: SequenceBuilder) -> (Result<(), FailureKind>, Option<Vec<u8>>) {
    let mut device = Device::new(&[component("fw")]);
    let result = update(&with_install(install), &mut device);
    (result.map(|_| ()).map_err(|failure| failure.kind), device.content(&component("fw")).map(<[u8]>::to_vec))
}

fn soft(soft: bool) -> SequenceBuilder {
    seq().override_parameters(&[Parameter::SoftFailure(soft)])
}

fn aborted() -> Result<(), FailureKind> {
    Err(FailureKind::NotMet(Condition::Abort))
}

#[test]
fn try_each_and_run_sequence_fail_as_the_draft_says() {
    let a = || mark(b"a");
    let b = || mark(b"b");
    let end = || mark(b"end");
    // A directive that fails: nothing is there to swap with.
    let broken = || seq().directive(Directive::Swap, ALWAYS);
    let missing = Err(FailureKind::ParameterMissing(parameter::SOURCE_COMPONENT));
    type Row = (&'static str, SequenceBuilder, Result<(), FailureKind>, Option<&'static [u8]>);
    let rows: [Row; 16] = [
        ("first alternative", seq().try_each(&[a(), b()], false), Ok(()), Some(b"a")),
        ("second alternative", seq().try_each(&[abort(), b()], false), Ok(()), Some(b"b")),
        (
            "effects of a failed alternative stay",
            seq().try_each(&[a().then(&abort()), abort()], true),
            Ok(()),
            Some(b"a"),
        ),
        ("no alternative", seq().try_each(&[abort(), abort()], false).then(&end()), aborted(), None),
        (
            "no alternative or nothing",
            seq().try_each(&[abort(), abort()], true).then(&end()),
            Ok(()),
            Some(b"end"),
        ),
        ("directive in alternative", seq().try_each(&[broken(), b()], true), missing, None),
        (
            "hard failure in alternative",
            seq().try_each(&[soft(false).then(&abort()), b()], true),
            aborted(),
            None,
        ),
        (
            "inner try-each without success fails its alternative",
            seq().try_each(&[seq().try_each(&[abort(), abort()], false), b()], false),
            Ok(()),
            Some(b"b"),
        ),
        (
            "inner success is outer success",
            seq().try_each(&[seq().try_each(&[abort(), a()], false), b()], false),
            Ok(()),
            Some(b"a"),
        ),
        (
            "run-sequence",
            seq().run_sequence(&a()).then(&seq().try_each(&[abort(), abort()], true)),
            Ok(()),
            Some(b"a"),
        ),
        ("run-sequence fails hard", seq().run_sequence(&abort()).then(&end()), aborted(), None),
        (
            "run-sequence fails softly",
            seq().run_sequence(&soft(true).then(&abort()).then(&a())).then(&end()),
            Ok(()),
            Some(b"end"),
        ),
        (
            "soft run-sequence, broken directive",
            seq().run_sequence(&soft(true).then(&broken())),
            missing,
            None,
        ),
        (
            "soft failure is not inherited",
            seq().run_sequence(&soft(true).then(&seq().run_sequence(&abort()))).then(&end()),
            aborted(),
            None,
        ),
        (
            "soft failure ends with its sequence",
            seq().run_sequence(&soft(true).then(&a())).then(&abort()),
            aborted(),
            Some(b"a"),
        ),
        (
            "hard sequence in a soft alternative aborts",
            seq().try_each(&[seq().run_sequence(&abort()), b()], true),
            aborted(),
            None,
        ),
    ];
    for (name, install, result, content) in rows {
        assert_eq!(run(install), (result, content.map(<[u8]>::to_vec)), "{name}");
    }
}

fn three() -> [ComponentId; 3] {
    [component("a"), component("b"), component("c")]
}

fn with_three(install: SequenceBuilder) -> Vec<u8> {
    let mut manifest = ManifestBuilder::new(1);
    three().into_iter().for_each(|id| {
        manifest.component(id);
    });
    manifest.section(Section::Install, install);
    signed(&manifest)
}

#[test]
fn commands_run_for_every_selected_component() {
    let all = || seq().set_component_index(&ComponentIndex::All);
    let list = |list: &[u32]| seq().set_component_index(&ComponentIndex::List(list.to_vec()));
    let slots = |device: &mut Device| device.slots.insert(component("b"), 1);
    let in_slot_1 = || {
        seq().override_parameters(&[Parameter::ComponentSlot(1)]).condition(Condition::ComponentSlot, ALWAYS)
    };
    let rows: [(&str, SequenceBuilder, &[&str]); 9] = [
        ("one", seq().component(1).then(&mark(b"x")), &["wrote b"]),
        ("all in order", all().then(&mark(b"x")), &["wrote a", "wrote b", "wrote c"]),
        ("list in its order", list(&[2, 0]).then(&mark(b"x")), &["wrote c", "wrote a"]),
        (
            "try-each for each",
            all().try_each(
                &[in_slot_1().then(&mark(b"x")), seq().override_parameters(&[Parameter::ImageSize(1)])],
                false,
            ),
            &["wrote b"],
        ),
        (
            "run-sequence for each",
            list(&[1, 2]).run_sequence(&mark(b"x").then(&mark(b"y"))),
            &["wrote b", "wrote b", "wrote c", "wrote c"],
        ),
        (
            "selection of a nested sequence ends with it",
            seq().component(0).run_sequence(&seq().component(2).then(&mark(b"x"))).then(&mark(b"y")),
            &["wrote c", "wrote a"],
        ),
        ("last selection counts", seq().component(0).component(2).then(&mark(b"x")), &["wrote c"]),
        (
            "override-multiple ends at its last component",
            seq()
                .override_multiple(&[(0, &[Parameter::Content(b"x")]), (1, &[Parameter::Content(b"y")])])
                .directive(Directive::Write, ALWAYS),
            &["wrote b"],
        ),
        (
            "override-multiple once for all selected",
            all().override_multiple(&[(2, &[Parameter::Content(b"x")])]).directive(Directive::Write, ALWAYS),
            &["wrote c"],
        ),
    ];
    for (name, install, log) in rows {
        let mut device = Device::new(&three());
        slots(&mut device);
        update(&with_three(install), &mut device).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(device.log, log, "{name}");
    }
}

#[test]
fn parameters_belong_to_components_and_to_one_procedure() {
    // Set for a, copied to c; b has none.
    let install = seq()
        .component(0)
        .override_parameters(&[Parameter::Content(b"x")])
        .set_parameters(&[Parameter::Content(b"y")])
        .component(2)
        .copy_parameters(&[(0, &[parameter::CONTENT])])
        .directive(Directive::Write, ALWAYS);
    let mut device = Device::new(&three());
    update(&with_three(install.clone()), &mut device).expect("runs");
    assert_eq!(device.content(&component("c")), Some(&b"x"[..]));
    let not_set = install.clone().component(1).directive(Directive::Write, ALWAYS);
    let kind = update(&with_three(not_set), &mut device).expect_err("b has no content").kind;
    assert_eq!(kind, FailureKind::ParameterMissing(parameter::CONTENT));
    let copied = seq().component(1).copy_parameters(&[(0, &[parameter::URI])]);
    let kind = update(&with_three(copied), &mut device).expect_err("a has no URI").kind;
    assert_eq!(kind, FailureKind::ParameterMissing(parameter::URI));

    let mut manifest = ManifestBuilder::new(1);
    manifest
        .component(component("fw"))
        .section(Section::Install, seq().override_parameters(&image_parameters()));
    manifest.section(Section::Validate, seq().condition(Condition::ImageMatch, ALWAYS));
    let bytes = signed(&manifest);
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    let mut device = Device::new(&[component("fw")]).holding(&component("fw"), IMAGE);
    let mut processor = Processor::new(&verified, &mut device).expect("is admitted");
    processor.run(Procedure::Update).expect("validate sees what install set");
    let failure = processor.run(Procedure::Invocation).expect_err("boot does not");
    assert_eq!(failure.kind, FailureKind::NotMet(Condition::ImageMatch));
}

fn fetch(parameters: &[Parameter<'_>]) -> Vec<u8> {
    with_install(seq().override_parameters(parameters).directive(Directive::Fetch, ALWAYS))
}

#[test]
fn fetches_no_more_and_no_less_than_the_image() {
    const URI: &str = "https://example.com/fw";
    let image = [&image_parameters()[..], &[Parameter::Uri(URI)]].concat();
    let short = &IMAGE[..IMAGE.len() - 1];
    let long = [IMAGE, b"!"].concat();
    let size = IMAGE.len() as u64;
    let rows: [(&str, &[u8], Result<(), FailureKind>); 4] = [
        ("whole", IMAGE, Ok(())),
        ("short", short, Err(FailureKind::WrongSize { expected: size, found: size - 1 })),
        ("a byte more", &long, Err(FailureKind::TooLarge { limit: size })),
        ("endless", &[0; 100_000], Err(FailureKind::TooLarge { limit: size })),
    ];
    for (name, served, expected) in rows {
        let mut device = Device::new(&[component("fw")]).serve(URI, served).holding(&component("fw"), b"old");
        let result = update(&fetch(&image), &mut device).map(|_| ()).map_err(|failure| failure.kind);
        assert_eq!(result, expected, "{name}");
        assert!(!device.is_writing(), "{name}");
        assert!(device.received <= size + 1, "{name}: {} bytes received", device.received);
        let holds = if expected.is_ok() { IMAGE } else { b"old" };
        assert_eq!(device.content(&component("fw")), Some(holds), "{name}");
    }

    let mut device = Device::new(&[component("fw")]).serve(URI, IMAGE);
    device.capacity = size - 1;
    let kind = update(&fetch(&image), &mut device).expect_err("there is no room").kind;
    assert_eq!(kind, FailureKind::TooLarge { limit: size - 1 });
    assert!(device.log.is_empty(), "refused before the transfer: {:?}", device.log);

    let mut device = Device::new(&[component("fw")]).serve(URI, IMAGE).holding(&component("fw"), IMAGE);
    update(&fetch(&image), &mut device).expect("is there already");
    assert!(device.log.is_empty(), "fetched again: {:?}", device.log);

    let mut device = Device::new(&[component("fw")]);
    let kind = update(&fetch(&image), &mut device).expect_err("nobody serves it").kind;
    assert_eq!(kind, FailureKind::Platform(PlatformError::Transport));
}

#[test]
fn fetches_from_the_envelope_first() {
    for uri in ["#fw", "https://example.com/fw"] {
        let parameters = [&image_parameters()[..], &[Parameter::Uri(uri)]].concat();
        let with_payload = |payload: &[u8]| {
            Envelope::decode(&fetch(&parameters)).expect("decodes").with_payload(uri, payload)
        };
        let mut device = Device::new(&[component("fw")]);
        update(&with_payload(IMAGE), &mut device).expect("installs");
        assert_eq!(device.log, ["wrote fw"]);
        let kind = update(&with_payload(b"wrong size"), &mut Device::new(&[component("fw")]))
            .expect_err("is refused")
            .kind;
        assert!(matches!(kind, FailureKind::WrongSize { found: 10, .. }), "{kind}");
    }
    let parameters = [Parameter::Uri("#fw"), Parameter::FetchArguments(b"x")];
    let kind =
        update(&fetch(&parameters), &mut Device::new(&[component("fw")])).expect_err("it was stripped").kind;
    assert_eq!(kind, FailureKind::PayloadMissing);
}

#[test]
fn copies_swaps_and_invokes() {
    let select = |index, parameters: &[Parameter<'_>]| seq().component(index).override_parameters(parameters);
    let source = || vec![Parameter::SourceComponent(1)];
    let sized = |size| [source(), vec![Parameter::ImageSize(size)]].concat();
    let device = || Device::new(&three()).holding(&component("b"), IMAGE).holding(&component("a"), b"old");
    let size = IMAGE.len() as u64;

    let mut copied = device();
    update(&with_three(select(0, &sized(size)).directive(Directive::Copy, ALWAYS)), &mut copied)
        .expect("copies");
    assert_eq!(copied.content(&component("a")), Some(IMAGE));

    let mut too_big = device();
    let kind =
        update(&with_three(select(0, &sized(size - 1)).directive(Directive::Copy, ALWAYS)), &mut too_big)
            .expect_err("the source is too big")
            .kind;
    assert_eq!(kind, FailureKind::TooLarge { limit: size - 1 });
    assert_eq!(too_big.content(&component("a")), Some(&b"old"[..]));

    let mut empty = device();
    let from_c = select(0, &[Parameter::SourceComponent(2)]).directive(Directive::Copy, ALWAYS);
    let kind = update(&with_three(from_c), &mut empty).expect_err("c is empty").kind;
    assert_eq!(kind, FailureKind::Platform(PlatformError::NotFound));

    let mut swapped = device();
    update(&with_three(select(0, &source()).directive(Directive::Swap, ALWAYS)), &mut swapped)
        .expect("swaps");
    assert_eq!(swapped.content(&component("a")), Some(IMAGE));
    assert_eq!(swapped.content(&component("b")), Some(&b"old"[..]));

    let mut invoked = device();
    let arguments = select(1, &[Parameter::InvokeArgs(b"-v")]).directive(Directive::Invoke, ALWAYS);
    update(&with_three(arguments), &mut invoked).expect("starts");
    assert_eq!(invoked.log, ["about to invoke b", "invoked b with -v"]);
}

#[test]
fn encrypted_content_is_not_stored_as_it_is() {
    let parameters = [Parameter::Content(b"ciphertext"), Parameter::EncryptionInfo(&[0xd8, 0x60])];
    let install = seq().override_parameters(&parameters).directive(Directive::Write, ALWAYS);
    let bytes = with_install(install);
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    let mut device = Device::new(&[component("fw")]);
    let refusal = Processor::new(&verified, &mut device).map(|_| ()).expect_err("cannot decrypt");
    let feature = Feature::Parameter(parameter::ENCRYPTION_INFO);
    assert_eq!(refusal, Refusal::UnsupportedByDevice { feature });
    // Nor does a platform that promises what it does not do, or one with keys for what is no encryption info.
    device.abilities.decryption = true;
    let kind = update(&bytes, &mut device).expect_err("does not decrypt").kind;
    assert_eq!(kind, FailureKind::Unsupported(feature));
    device.keys = Some(cose::DecryptionKeys::new(Vec::new()));
    let kind = update(&bytes, &mut device).expect_err("does not decrypt").kind;
    assert_eq!(kind.code(), "decryption-failed");
    assert_eq!(device.content(&component("fw")), None);
}

#[test]
fn conditions_are_not_met_without_their_parameter() {
    for condition in Condition::ALL {
        let mut device = Device::new(&[component("fw")]).holding(&component("fw"), IMAGE);
        device.now = Some(0);
        device.battery = Some(1000);
        device.authorized_up_to = Some(1000);
        device.slots.insert(component("fw"), 0);
        let result = update(&with_install(seq().condition(condition, ALWAYS)), &mut device);
        let kind = result.expect_err("is not met").kind;
        match condition {
            Condition::DependencyIntegrity => assert_eq!(kind, FailureKind::NotADependency),
            _ => assert_eq!(kind, FailureKind::NotMet(condition)),
        }
    }
}

#[test]
fn image_conditions_look_at_all_of_the_component() {
    let rows: [(&str, Option<&[u8]>, bool, bool); 4] = [
        ("same", Some(IMAGE), true, false),
        ("other", Some(b"something of a size "), false, true),
        ("with a byte more", Some(b"an image of a release!"), false, true),
        ("empty", None, false, true),
    ];
    for (name, content, matches, differs) in rows {
        for (condition, expected) in [(Condition::ImageMatch, matches), (Condition::ImageNotMatch, differs)] {
            let mut device = Device::new(&[component("fw")]);
            device.components.insert(component("fw"), content.map(<[u8]>::to_vec));
            let install = seq().override_parameters(&image_parameters()).condition(condition, ALWAYS);
            assert_eq!(
                update(&with_install(install), &mut device).is_ok(),
                expected,
                "{name}: {condition:?}"
            );
        }
        let mut device = Device::new(&[component("fw")]);
        device.components.insert(component("fw"), content.map(<[u8]>::to_vec));
        let install = seq()
            .override_parameters(&[Parameter::Content(IMAGE)])
            .condition(Condition::CheckContent, ALWAYS);
        assert_eq!(update(&with_install(install), &mut device).is_ok(), matches, "{name}: content");
    }
}

#[test]
fn device_identifier_is_checked() {
    let id = Uuid::from([4; 16]);
    let install = || {
        seq().override_parameters(&[Parameter::DeviceId(id)]).condition(Condition::DeviceIdentifier, ALWAYS)
    };
    let mut device = Device::new(&[component("fw")]);
    let kind = update(&with_install(install()), &mut device).expect_err("another device").kind;
    assert_eq!((kind, kind.code()), (FailureKind::NotMet(Condition::DeviceIdentifier), "wrong-device"));
    device.device = Some(id);
    update(&with_install(install()), &mut device).expect("this device");
}

#[test]
fn is_admitted_only_forward_and_with_known_components() {
    let bytes = with_install(mark(b"x"));
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    let mut stranger = Device::new(&[component("other")]);
    let refusal = Processor::new(&verified, &mut stranger).map(|_| ()).expect_err("has no such component");
    assert_eq!(refusal, Refusal::UnknownComponent { component: component("fw") });
    let mut newer = Device::new(&[component("fw")]);
    newer.installed = Some(Installed { sequence_number: 2, manifest_digest: None });
    let refusal = Processor::new(&verified, &mut newer).map(|_| ()).expect_err("has a newer one");
    assert_eq!(refusal, Refusal::SequenceTooLow { offered: 1, installed: 2 });
}

#[test]
fn report_says_where_it_failed_and_what_was_found() {
    let install = seq()
        .try_each(&[abort(), mark(b"x")], false)
        .override_parameters(&image_parameters())
        .condition(Condition::ImageMatch, ALWAYS);
    let mut device = Device::new(&[component("fw")]);
    let failure = update(&with_install(install.clone()), &mut device).expect_err("the image is another");
    assert_eq!(failure.kind.code(), "digest-mismatch");
    let Outcome::Failure { reason, record, .. } = &failure.report.outcome else { panic!("a failure") };
    assert_eq!(reason.code(), 10);
    assert_eq!((record.section, record.component), (Some(Section::Install), 0));
    // The condition is the last pair of the section.
    assert_eq!(record.offset as usize, install.to_bytes().len() - 2);
    assert_eq!(record.properties[..], [sextant_suit::Property::ImageSize(1)]);
    let bytes = failure.report.to_bytes();
    let text = cbor::diagnostic(&bytes).expect("is CBOR");
    assert!(
        text.contains(&format!("4: {{5: 10, 6: [[], 20, {}, 0, {{14: 1}}], 7: 10}}", record.offset)),
        "{text}"
    );

    let mut device = Device::new(&[component("fw")]).holding(&component("fw"), IMAGE);
    let quiet = ReportingPolicy::ON_FAILURE;
    let install = seq()
        .override_parameters(&image_parameters())
        .condition(Condition::ImageMatch, ALWAYS)
        .condition(Condition::ImageMatch, quiet);
    let report = update(&with_install(install), &mut device).expect("matches");
    let [Entry::Record(record), Entry::Claims(claims)] = report.entries.as_slice() else {
        panic!("one record and one claim of the first condition: {:?}", report.entries)
    };
    assert_eq!(record.properties, claims.properties);
    let bytes = report.to_bytes();
    assert!(cbor::diagnostic(&bytes).expect("is CBOR").contains("4: true"));
}
