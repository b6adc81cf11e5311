//! Every limit at its value and one past it, and one row for each rule of the format.

mod support;

use cbor::Reason;
use crypto::HashAlgorithm;
use sextant_suit::{
    BuildError, Comparison, ComponentId, ComponentIndex, Condition, Directive, Envelope, Error, LanguageText,
    ManifestBuilder, OtherDevice, Parameter, Procedure, Processor, Section, SequenceBuilder, Text, Version,
    VersionMatch, WaitInfo, limits::*,
};
use support::{ALWAYS, abort, build, component, key, recipe, seq};

fn decodes(manifest: &ManifestBuilder) -> Result<(), Error> {
    match manifest.build(HashAlgorithm::Sha256) {
        Ok(_) => Ok(()),
        Err(BuildError::Rule(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

fn reason(result: Result<(), Error>) -> Option<Reason> {
    match result {
        Ok(()) => None,
        Err(Error::Malformed(error)) => Some(error.reason),
        Err(other) => panic!("{other}"),
    }
}

fn install(sequence: SequenceBuilder) -> Option<Reason> {
    let mut manifest = ManifestBuilder::new(1);
    manifest.component(component("fw")).section(Section::Install, sequence);
    reason(decodes(&manifest))
}

fn at_and_past(limit: usize, result: impl Fn(usize) -> Option<Reason>) {
    assert_eq!(result(limit), None, "at the limit {limit}");
    assert_eq!(result(limit + 1), Some(Reason::TooLong { limit }), "past the limit {limit}");
}

#[test]
fn counts_are_limited() {
    let numbered = |n: usize| ComponentId::new(&[[n as u8]]).expect("a component");
    at_and_past(MAX_COMPONENTS, |count| {
        let mut manifest = ManifestBuilder::new(1);
        (0..count).for_each(|n| {
            manifest.component(numbered(n));
        });
        reason(decodes(&manifest))
    });
    at_and_past(MAX_DEPENDENCIES, |count| {
        let mut manifest = ManifestBuilder::new(1);
        (0..count).for_each(|n| {
            manifest.dependency(n as u32, None);
        });
        reason(decodes(&manifest))
    });
    at_and_past(MAX_COMMANDS, |count| install((0..count).fold(seq(), |s, _| s.then(&abort()))));
    // Nested commands count too.
    let nested = |count: usize| {
        let inner = (0..count - 1).fold(seq(), |s, _| s.then(&abort()));
        install(seq().run_sequence(&inner))
    };
    at_and_past(MAX_COMMANDS, nested);
    at_and_past(MAX_ALTERNATIVES, |count| install(seq().try_each(&vec![abort(); count], false)));
    at_and_past(MAX_URI_LEN, |len| install(seq().override_parameters(&[Parameter::Uri(&"u".repeat(len))])));
    at_and_past(MAX_OTHER_DEVICES, |count| {
        let version =
            VersionMatch { comparison: Comparison::Equal, version: Version::new(&[1]).expect("a version") };
        let other = OtherDevice { device: b"d", versions: vec![version] };
        let info = WaitInfo { other_devices: vec![other; count], ..WaitInfo::default() };
        install(seq().override_parameters(&[Parameter::WaitInfo(Box::new(info))]))
    });
    let depth = |depth: usize| install((0..depth).fold(abort(), |inner, _| seq().run_sequence(&inner)));
    assert_eq!(depth(MAX_NESTING), None);
    assert_eq!(depth(MAX_NESTING + 1), Some(Reason::TooDeep));
}

#[test]
fn envelopes_are_limited() {
    let envelope = |result: Result<Envelope<'_>, Error>| reason(result.map(|_| ()));
    at_and_past(MAX_SIGNATURES, |count| {
        let mut built = build(&recipe(1).manifest().expect("a recipe"));
        (0..count).for_each(|_| {
            built.sign(&key(1), None);
        });
        envelope(Envelope::decode(&built.to_bytes()))
    });
    at_and_past(MAX_PAYLOADS, |count| {
        let mut built = build(&recipe(1).manifest().expect("a recipe"));
        (0..count).for_each(|n| {
            built.payload(&format!("#{n}"), b"x");
        });
        envelope(Envelope::decode(&built.to_bytes()))
    });
    at_and_past(MAX_URI_LEN, |len| {
        let mut built = build(&recipe(1).manifest().expect("a recipe"));
        built.payload(&"u".repeat(len), b"x");
        envelope(Envelope::decode(&built.to_bytes()))
    });
    // Payloads do not count; all the rest does.
    let with_coswid = |len: usize, payload: &[u8]| {
        let mut manifest = recipe(1).manifest().expect("a recipe");
        manifest.coswid(&vec![0; len]);
        let mut built = manifest.build(HashAlgorithm::Sha256)?;
        built.payload("#fw", payload);
        Ok::<_, BuildError>(built.to_bytes())
    };
    let small = with_coswid(60_000, &[]).expect("fits").len();
    let fitting = 60_000 + MAX_ENVELOPE_LEN - small;
    assert_eq!(with_coswid(fitting, &[]).expect("fits").len(), MAX_ENVELOPE_LEN);
    assert_eq!(envelope(Envelope::decode(&with_coswid(60_000, &[0; 100_000]).expect("fits"))), None);
    let bytes = with_coswid(fitting, &[0; 10]).expect("fits");
    assert_eq!(envelope(Envelope::decode(&bytes)), None);
    let mut grown = Envelope::decode(&bytes).expect("fits").with_signature(&[0; 1]);
    assert_eq!(envelope(Envelope::decode(&grown)), Some(Reason::TooLong { limit: MAX_ENVELOPE_LEN }));
    grown.push(0);
    assert_eq!(envelope(Envelope::decode(&grown)), Some(Reason::TrailingBytes));
}

#[test]
fn component_identifiers_are_limited_and_look_different() {
    let segments = |count: usize| ComponentId::new(&vec![[0u8]; count]);
    assert!(segments(MAX_COMPONENT_SEGMENTS).is_some());
    assert!(segments(MAX_COMPONENT_SEGMENTS + 1).is_none());
    let long = |len: usize| ComponentId::new(&[vec![0u8; len]]);
    assert!(long(MAX_SEGMENT_LEN).is_some());
    assert!(long(MAX_SEGMENT_LEN + 1).is_none());
    let rows: [(&[&[u8]], &str); 8] = [
        (&[&[0]], "0x00"),
        (&[b"0"], "0"),
        (&[b"usr", b"bin", b"env"], "usr/bin/env"),
        (&[b"usr/bin"], "0x7573722f62696e"),
        (&[b"0x00"], "0x30783030"),
        (&[b""], "0x"),
        (&[], ""),
        (&["gr\u{fc}n".as_bytes(), &[0xff]], "gr\u{fc}n/0xff"),
    ];
    for (segments, text) in rows {
        let id = ComponentId::new(segments).expect("a component");
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
    }
    for text in ["a//b", "0x0", "0xzz", "/"] {
        assert!(text.parse::<ComponentId>().is_err(), "{text}");
    }
}

#[test]
fn versions_compare_as_the_draft_says() {
    let version = |parts: &[i64]| Version::new(parts);
    assert!(version(&[1; MAX_VERSION_PARTS]).is_some());
    assert!(version(&[1; MAX_VERSION_PARTS + 1]).is_none());
    for bad in [&[][..], &[-1], &[1, -4], &[1, -1, -2]] {
        assert!(version(bad).is_none(), "{bad:?}");
    }
    assert_eq!(version(&[1, 2, 3, -3, 4]).map(|v| v.to_string()).as_deref(), Some("1.2.3-alpha.4"));
    use Comparison::{Equal, Greater, GreaterOrEqual, Lesser, LesserOrEqual};
    let rows: [(Comparison, &[i64], &[i64], bool); 12] = [
        (Equal, &[1], &[1, 9, 9], true),
        (Equal, &[1, 2], &[1, 3], false),
        (GreaterOrEqual, &[1, 0], &[1, 0], true),
        (GreaterOrEqual, &[1, 0], &[0, 9], false),
        (Lesser, &[1, 10], &[1, 9, 99], true),
        (Lesser, &[1, 10], &[1, 10, 1], false),
        (Greater, &[1, 10], &[1, 11], true),
        (Greater, &[1], &[1, 1], false),
        (LesserOrEqual, &[1, 10], &[1, 10, 1], true),
        (Lesser, &[2, 0, 0], &[2, 0, -1, 1], true),
        (Equal, &[1, 0, 0], &[1], true),
        (Lesser, &[1, 0, 1], &[1], true),
    ];
    for (comparison, wanted, installed, expected) in rows {
        let wanted = VersionMatch { comparison, version: version(wanted).expect("a version") };
        let installed = version(installed).expect("a version");
        assert_eq!(wanted.matches(&installed), expected, "{installed} {comparison:?} {}", wanted.version);
    }
}

#[test]
fn rules_of_sequences() {
    let fetch = || seq().directive(Directive::Fetch, ALWAYS);
    let rule = |text| Some(Reason::Rule(text));
    let declared = "component index is not declared in common";
    let soft = || seq().override_parameters(&[Parameter::SoftFailure(true)]);
    let rows: [(SequenceBuilder, Option<Reason>); 11] = [
        (seq(), rule("sequence is not one or more pairs of command and argument")),
        (seq().component(1), rule(declared)),
        (seq().set_component_index(&ComponentIndex::List(vec![0, 1])), rule(declared)),
        (
            seq().set_component_index(&ComponentIndex::List(vec![])),
            rule("list of component indices is empty"),
        ),
        (seq().override_parameters(&[Parameter::SourceComponent(1)]), rule(declared)),
        (seq().override_parameters(&[]), rule("map of parameters is empty")),
        (seq().copy_parameters(&[(1, &[3])]), rule(declared)),
        (seq().copy_parameters(&[(0, &[13])]), rule("copied parameters are none or belong to no component")),
        (soft(), rule("soft-failure is set outside try-each and run-sequence")),
        (seq().run_sequence(&soft()), None),
        (seq().try_each(&[abort()], true), rule("try-each has fewer than two alternatives")),
    ];
    for (row, (sequence, expected)) in rows.into_iter().enumerate() {
        assert_eq!(install(sequence), expected, "row {row}");
    }
    let shared = |sequence| {
        let mut manifest = ManifestBuilder::new(1);
        manifest.component(component("fw")).shared(sequence);
        reason(decodes(&manifest))
    };
    let not_shared = rule("command is not allowed in the shared sequence");
    assert_eq!(shared(fetch()), not_shared);
    assert_eq!(shared(seq().run_sequence(&fetch())), not_shared);
    assert_eq!(shared(seq().try_each(&[abort(), fetch()], false)), not_shared);
    assert_eq!(shared(seq().directive(Directive::ProcessDependency, ALWAYS)), not_shared);
    assert_eq!(shared(seq().condition(Condition::VendorIdentifier, ALWAYS)), None);
    let mut twice = ManifestBuilder::new(1);
    twice.component(component("fw")).component(component("fw"));
    assert_eq!(reason(decodes(&twice)), rule("component is listed twice"));
    let mut two = ManifestBuilder::new(1);
    two.component(component("fw")).component(component("app")).section(Section::Install, abort());
    assert_eq!(reason(decodes(&two)), rule("section does not begin with set-component-index"));
    two.section(Section::Install, seq().component(1).then(&abort()));
    assert_eq!(reason(decodes(&two)), None);
    assert_eq!(reason(decodes(&ManifestBuilder::new(1))), Some(Reason::MissingKey(2)));
}

#[test]
fn text_is_limited() {
    let text = |languages: usize, len: usize| {
        let filler = "x".repeat(len);
        let tags: Vec<String> = (0..languages).map(|n| format!("en-{n}")).collect();
        let languages = tags.iter().map(|tag| LanguageText::new(tag).with(1, &filler)).collect();
        let mut manifest = recipe(1).manifest().expect("a recipe");
        manifest.text(&Text::new(languages));
        let bytes = support::signed(&manifest);
        let verified =
            Envelope::decode(&bytes).expect("decodes").verify(&support::one_author()).expect("verifies");
        reason(verified.text().map(|_| ()))
    };
    at_and_past(MAX_LANGUAGES, |count| text(count, 1));
    // Five bytes around the text: the map, the label and the head of the text.
    at_and_past(MAX_TEXT_LEN, |len| text(1, len - 5));
}

#[test]
fn report_is_limited() {
    let install = (0..MAX_REPORT_ENTRIES)
        .fold(seq().override_parameters(&[Parameter::ComponentSlot(1)]), |install, _| {
            install.condition(Condition::ComponentSlot, ALWAYS)
        });
    let bytes = support::with_install(install);
    let verified =
        Envelope::decode(&bytes).expect("decodes").verify(&support::one_author()).expect("verifies");
    let mut device = support::Device::new(&[component("fw")]);
    device.slots.insert(component("fw"), 1);
    let report =
        Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Update).expect("runs");
    // Two entries a condition would be twice as many.
    assert_eq!(report.entries.len(), MAX_REPORT_ENTRIES);
}

#[test]
fn other_formats_are_told_by_name() {
    let rows: [(&[u8], &str); 7] = [
        (&[0xd8, 0x30, 0xa0], "legacy-draft"),
        (&[0xd8, 0x6b, 0xa1, 0x09, 0x41, 0x00], "legacy-draft"),
        (&[0xd8, 0x6b, 0xa1, 0x18, 0x63, 0x41, 0x00], "unsupported-member"),
        (&[0xd8, 0x6b, 0xa1, 0x03, 0x41, 0x00], "malformed-manifest"),
        (&[0xd8, 0x6b, 0xa0], "malformed-manifest"),
        (&[0xd8, 0x6c, 0xa0], "malformed-manifest"),
        (&[], "malformed-manifest"),
    ];
    for (bytes, code) in rows {
        assert_eq!(Envelope::decode(bytes).expect_err("is refused").code(), code, "{bytes:02x?}");
    }
}
