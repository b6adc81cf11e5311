//! Manifests that depend on others: whose word counts for what, in which order they run, and when they are given up.

mod support;

use crypto::Digest;
use sextant_suit::labels::parameter;
use sextant_suit::limits::{MAX_DEPENDENCY_DEPTH, MAX_DEPENDENCY_LEN};
use sextant_suit::{
    AuthorityList, ComponentId, ComponentIndex, Condition, DependencyFault, Directive, Envelope,
    EnvelopeBuilder, Failure, FailureKind, Feature, ManifestBuilder, Outcome, Parameter, Procedure,
    Processor, Refusal, Report, ReportingPolicy, Role, Section, SequenceBuilder,
};
use support::{
    ALWAYS, Device, abort, authority, build, component, key, mark, one_author, policy, seq, signed,
};

const ON_FAILURE: ReportingPolicy = ReportingPolicy::ON_FAILURE;

/// A manifest whose sections write what they are, to a component of its own.
fn leaf(name: &str, sections: &[Section]) -> ManifestBuilder {
    let mut manifest = ManifestBuilder::new(1);
    manifest.component(component(name));
    for section in sections {
        manifest.section(*section, mark(content(*section)));
    }
    manifest
}

fn content(section: Section) -> &'static [u8] {
    match section {
        Section::Install => b"install",
        Section::Validate => b"validate",
        Section::PayloadFetch => b"payload-fetch",
        Section::Uninstall => b"uninstall",
        _ => b"another section",
    }
}

/// The usual dependent: fetches its dependency `#dep` into component `dep` (index 1), and has every section process it
/// before its own component `fw` (index 0) is written.
fn dependent(digest: Digest, sections: &[Section]) -> ManifestBuilder {
    let mut manifest = ManifestBuilder::new(1);
    manifest.component(component("fw")).component(component("dep")).dependency(1, None);
    manifest.shared(
        seq().component(1).override_parameters(&[Parameter::ImageDigest(digest), Parameter::Uri("#dep")]),
    );
    manifest.section(
        Section::DependencyResolution,
        seq()
            .component(1)
            .directive(Directive::Fetch, ON_FAILURE)
            .condition(Condition::DependencyIntegrity, ALWAYS)
            .directive(Directive::ProcessDependency, ON_FAILURE),
    );
    for section in sections {
        manifest.section(*section, process().component(0).then(&mark(content(*section))));
    }
    manifest
}

fn process() -> SequenceBuilder {
    seq()
        .component(1)
        .condition(Condition::DependencyIntegrity, ALWAYS)
        .directive(Directive::ProcessDependency, ON_FAILURE)
}

fn with_dependency(root: &ManifestBuilder, dependency: &[u8]) -> Vec<u8> {
    let mut envelope = build(root);
    envelope.payload("#dep", dependency).sign(&key(1), Some(&[1]));
    envelope.to_bytes()
}

fn device(names: &[&str]) -> Device {
    let components: Vec<ComponentId> = names.iter().map(|name| component(name)).collect();
    let mut device = Device::new(&components);
    device.authorities = Some(one_author());
    device
}

fn run(envelope: &[u8], device: &mut Device, procedure: Procedure) -> Result<Report, Failure> {
    let verified = Envelope::decode(envelope).expect("decodes").verify(&one_author()).expect("verifies");
    Processor::new(&verified, device).expect("is admitted").run(procedure)
}

fn update(envelope: &[u8], device: &mut Device) -> Result<Report, Failure> {
    run(envelope, device, Procedure::Update)
}

fn fault(result: Result<Report, Failure>) -> DependencyFault {
    match result.expect_err("fails").kind {
        FailureKind::Dependency(fault) => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn sections_run_in_lock_step_over_all_manifests() {
    let sections = [Section::PayloadFetch, Section::Install, Section::Validate];
    let inner = leaf("app", &sections);
    let envelope = with_dependency(&dependent(build(&inner).manifest_digest(), &sections), &signed(&inner));
    let mut device = device(&["fw", "dep", "app"]);
    update(&envelope, &mut device).expect("installs");
    let log = ["wrote dep", "wrote app", "wrote fw", "wrote app", "wrote fw", "wrote app", "wrote fw"];
    assert_eq!(device.log, log);
    // The whole of it may run again, as after a loss of power.
    device.log.clear();
    update(&envelope, &mut device).expect("installs again");
    assert_eq!(device.log, log);
    // Another device gets the dependency from elsewhere.
    let stripped = Envelope::decode(&envelope).expect("decodes").strip_payloads();
    let kind = update(&stripped, &mut device).expect_err("it is only in the envelope").kind;
    assert_eq!(kind, FailureKind::PayloadMissing);
}

#[test]
fn integrity_of_a_dependency_is_its_signature_its_digest_and_its_manifest() {
    let inner = leaf("app", &[Section::Install]);
    let digest = build(&inner).manifest_digest();
    let root = dependent(digest, &[Section::Install]);
    let try_with = |dependency: &[u8]| {
        let mut device = device(&["fw", "dep", "app"]);
        let result = update(&with_dependency(&root, dependency), &mut device);
        assert!(device.content(&component("fw")).is_none() || result.is_ok(), "nothing of the root ran");
        result
    };
    try_with(&signed(&inner)).expect("is what the dependent says");
    let signed_by = |seed: u8| {
        let mut envelope = build(&inner);
        envelope.sign(&key(seed), Some(&[seed]));
        envelope.to_bytes()
    };
    let refused = |result| match fault(result) {
        DependencyFault::Refused { code, reason } => (code, reason.code()),
        other => panic!("{other}"),
    };
    assert_eq!(refused(try_with(&signed_by(9))), ("unknown-signer", 4));
    assert_eq!(refused(try_with(&build(&inner).to_bytes())), ("unsigned-manifest", 4));
    let tampered = support::flipped(&signed(&inner), signed(&inner).len() - 1);
    assert_eq!(refused(try_with(&tampered)), ("digest-mismatch", 4));
    // U5: another manifest, as well signed, is not the one that belongs to the set.
    let other = leaf("app", &[Section::Install, Section::Validate]);
    assert_eq!(fault(try_with(&signed(&other))), DependencyFault::WrongDigest);
    assert!(matches!(fault(try_with(b"noise")), DependencyFault::Malformed(_)));
}

#[test]
fn signers_of_a_dependency_need_the_right_to_its_components() {
    let inner = leaf("app", &[Section::Install]);
    let root = dependent(build(&inner).manifest_digest(), &[Section::Install]);
    let mut envelope = build(&inner);
    envelope.sign(&key(2), Some(&[2]));
    let bytes = with_dependency(&root, &envelope.to_bytes());
    let scoped = |seed, prefixes: &[&str]| {
        let mut entry = authority(seed, Role::Author);
        entry.components = prefixes.iter().map(|prefix| component(prefix)).collect();
        entry
    };
    for (prefix, expected) in [("app", None), ("other", Some("author-not-authorised"))] {
        // The author of the root has rights to its own components, and none to those of the dependency.
        let entries = vec![scoped(1, &["fw", "dep"]), scoped(2, &[prefix])];
        let list = AuthorityList::new(policy(1, 0), entries).expect("a list");
        let mut device = device(&["fw", "dep", "app"]);
        device.authorities = Some(list.clone());
        let verified = Envelope::decode(&bytes).expect("decodes").verify(&list).expect("verifies");
        let result = Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Update);
        assert_eq!(result.as_ref().err().map(|failure| failure.kind.code()), expected);
        if let Err(failure) = result {
            assert_eq!(failure.kind.reason().code(), 7);
        }
    }
}

#[test]
fn manifest_component_id_is_within_the_rights_of_a_root_and_ignored_below() {
    let mut inner = leaf("app", &[Section::Install]);
    inner.component_id(component("manifests/app"));
    let bytes = signed(&inner);
    let mut entry = authority(1, Role::Author);
    entry.components = vec![component("app")];
    let list = AuthorityList::new(policy(1, 0), vec![entry]).expect("a list");
    let envelope = Envelope::decode(&bytes).expect("decodes");
    let refusal = envelope.verify(&list).expect_err("may not be stored there");
    assert_eq!(refusal, Refusal::AuthorNotAuthorised { component: component("manifests/app") });
    envelope.verify_dependency(&list, None).expect("is not stored there");
}

#[test]
fn prefix_goes_before_the_components_of_the_dependency_and_of_those_below() {
    let innermost = leaf("x", &[Section::Install]);
    let mut inner = dependent(build(&innermost).manifest_digest(), &[Section::Install]);
    inner.dependency(1, Some(component("b")));
    let inner_bytes = with_dependency(&inner, &signed(&innermost));
    let mut root = dependent(build(&inner).manifest_digest(), &[Section::Install]);
    root.section(
        Section::DependencyResolution,
        seq()
            .component(1)
            .directive(Directive::Fetch, ON_FAILURE)
            .condition(Condition::DependencyIntegrity, ALWAYS)
            .directive(Directive::ProcessDependency, ON_FAILURE),
    );
    root.dependency(1, Some(component("a")));
    let bytes = with_dependency(&root, &inner_bytes);
    let mut device = device(&["fw", "dep", "a/fw", "a/dep", "a/b/x"]);
    update(&bytes, &mut device).expect("installs");
    assert_eq!(device.log, ["wrote dep", "wrote a/dep", "wrote a/b/x", "wrote a/fw", "wrote fw"]);
    let lacking = ["fw", "dep", "a/fw", "a/dep"];
    let result = update(&bytes, &mut self::device(&lacking));
    assert_eq!(fault(result), DependencyFault::UnknownComponent);
    // The rights are to the whole identifier.
    let envelope = signed(&innermost);
    let envelope = Envelope::decode(&envelope).expect("decodes");
    let mut entry = authority(1, Role::Author);
    entry.components = vec![component("a")];
    let list = AuthorityList::new(policy(1, 0), vec![entry]).expect("a list");
    envelope.verify_dependency(&list, Some(&component("a/b"))).expect("is below a");
    let refusal = envelope.verify_dependency(&list, None).expect_err("is not below a");
    assert_eq!(refusal, Refusal::AuthorNotAuthorised { component: component("x") });
}

#[test]
fn dependency_beyond_the_components_lives_where_its_prefix_says() {
    let inner = leaf("app", &[Section::Install]);
    let mut root = ManifestBuilder::new(1);
    root.component(component("fw")).dependency(1, Some(component("dep.suit")));
    let parameters = [Parameter::ImageDigest(build(&inner).manifest_digest()), Parameter::Uri("#dep")];
    let install = seq().component(1).override_parameters(&parameters).directive(Directive::Fetch, ON_FAILURE);
    root.section(Section::Install, install.then(&process()));
    let mut device = device(&["fw", "dep.suit", "app"]);
    update(&with_dependency(&root, &signed(&inner)), &mut device).expect("installs");
    assert_eq!(device.log, ["wrote dep.suit", "wrote app"]);
}

#[test]
fn set_parameters_of_the_dependent_win_over_those_of_its_dependency() {
    // The dependency has a default URI and a digest that nobody changes.
    let image = support::IMAGE;
    let mut inner = ManifestBuilder::new(1);
    inner.component(component("app"));
    let digest = support::sha256(image);
    inner.shared(seq().override_parameters(&[Parameter::ImageDigest(digest)]));
    inner.section(
        Section::Install,
        seq()
            .set_parameters(&[Parameter::Uri("https://author.example/app")])
            .directive(Directive::Fetch, ON_FAILURE)
            .condition(Condition::ImageMatch, ALWAYS),
    );
    let root = |parameters: &[Parameter<'_>]| {
        let mut root = ManifestBuilder::new(1);
        root.component(component("app")).component(component("dep")).dependency(1, None);
        let about = [Parameter::ImageDigest(build(&inner).manifest_digest()), Parameter::Uri("#dep")];
        let fetch = seq().component(1).override_parameters(&about).directive(Directive::Fetch, ON_FAILURE);
        let set = if parameters.is_empty() { seq() } else { seq().component(0).set_parameters(parameters) };
        // What the dependency set is there afterwards.
        let after = seq().component(0).condition(Condition::ImageMatch, ALWAYS);
        root.section(Section::Install, fetch.then(&set).then(&process()).then(&after));
        with_dependency(&root, &signed(&inner))
    };
    let rows: [(&[Parameter<'_>], &str); 2] = [
        (&[], "fetched https://author.example/app"),
        (&[Parameter::Uri("https://cache.example/app")], "fetched https://cache.example/app"),
    ];
    for (parameters, fetched) in rows {
        let mut device = device(&["app", "dep"])
            .serve("https://author.example/app", image)
            .serve("https://cache.example/app", image);
        update(&root(parameters), &mut device).expect("installs");
        assert_eq!(device.log, ["wrote dep", fetched, "wrote app"]);
    }
    // U13: whoever distributes cannot have another image installed.
    let cheat =
        [Parameter::ImageDigest(support::sha256(b"another")), Parameter::Uri("https://cheat.example/")];
    let mut device = device(&["app", "dep"]).serve("https://cheat.example/", b"another");
    let kind = update(&root(&cheat), &mut device).expect_err("is another image").kind;
    assert_eq!(kind, FailureKind::NotMet(Condition::ImageMatch));
    // A reference into an envelope is into the one of whoever made it.
    let bytes = root(&[Parameter::Uri("#app")]);
    let bytes = Envelope::decode(&bytes).expect("decodes").with_payload("#app", image);
    let mut device = self::device(&["app", "dep"]);
    update(&bytes, &mut device).expect("installs from the envelope of the dependent");
    assert_eq!(device.content(&component("app")), Some(image));
}

#[test]
fn nothing_is_processed_unchecked_or_after_it_changed() {
    let inner = leaf("app", &[Section::Install]);
    let digest = build(&inner).manifest_digest();
    let bytes = signed(&inner);
    let install = |sequence: SequenceBuilder| {
        let mut root = ManifestBuilder::new(1);
        root.component(component("fw")).component(component("dep")).component(component("spare"));
        root.dependency(1, None);
        root.shared(seq().component(1).override_parameters(&[
            Parameter::ImageDigest(digest),
            Parameter::Uri("#dep"),
            Parameter::SourceComponent(2),
            Parameter::Content(&bytes),
        ]));
        let fetch = seq().component(1).directive(Directive::Fetch, ON_FAILURE);
        root.section(Section::Install, fetch.then(&sequence));
        let mut device = device(&["fw", "dep", "spare", "app"]).holding(&component("spare"), &bytes);
        update(&with_dependency(&root, &bytes), &mut device)
    };
    let check = || seq().condition(Condition::DependencyIntegrity, ALWAYS);
    let run = || seq().directive(Directive::ProcessDependency, ON_FAILURE);
    let again = |directive| seq().directive(directive, ON_FAILURE);
    install(check().then(&run())).expect("was checked");
    install(check().then(&check()).then(&run()).then(&run())).expect("twice is as good");
    assert_eq!(fault(install(run())), DependencyFault::NotChecked);
    for directive in [Directive::Fetch, Directive::Write, Directive::Copy, Directive::Swap] {
        let result = install(check().then(&again(directive)).then(&run()));
        assert_eq!(fault(result), DependencyFault::NotChecked, "{directive:?}");
        install(check().then(&again(directive)).then(&check()).then(&run())).expect("checked again");
    }
    // A digest that changes afterwards is the digest of another manifest.
    let other = [Parameter::ImageDigest(support::sha256(b"another"))];
    let result = install(check().override_parameters(&other).then(&check()));
    assert_eq!(fault(result), DependencyFault::WrongDigest);
    // Its failure is never soft.
    let soft = seq().override_parameters(&other).then(&check());
    assert_eq!(
        fault(install(seq().try_each(&[soft, seq().component(0)], true))),
        DependencyFault::WrongDigest
    );
    // Without its digest it is not checked at all.
    let mut root = ManifestBuilder::new(1);
    root.component(component("dep")).dependency(0, None);
    root.section(Section::Install, seq().condition(Condition::DependencyIntegrity, ALWAYS));
    let kind = update(&signed(&root), &mut device(&["dep"])).expect_err("no digest").kind;
    assert_eq!(kind, FailureKind::ParameterMissing(parameter::IMAGE_DIGEST));
    // Nor is the whole procedure good when nobody looked at a dependency.
    let mut root = ManifestBuilder::new(1);
    root.component(component("fw")).component(component("dep")).dependency(1, None);
    root.section(Section::Validate, seq().component(0).override_parameters(&[Parameter::ImageSize(1)]));
    root.section(Section::Invoke, seq().component(0).directive(Directive::Invoke, ON_FAILURE));
    let bytes = signed(&root);
    let mut device = device(&["fw", "dep"]);
    assert_eq!(fault(run_all(&bytes, &mut device)), DependencyFault::NotChecked);
    assert!(device.log.is_empty(), "nothing was started: {:?}", device.log);
}

fn run_all(bytes: &[u8], device: &mut Device) -> Result<Report, Failure> {
    run(bytes, device, Procedure::Invocation)
}

#[test]
fn dependent_has_and_processes_every_section_of_its_dependency() {
    let both = [Section::Install, Section::Validate];
    let inner = leaf("app", &both);
    let digest = build(&inner).manifest_digest();
    let mut device = device(&["fw", "dep", "app"]);
    let lacks = with_dependency(&dependent(digest, &[Section::Install]), &signed(&inner));
    assert_eq!(fault(update(&lacks, &mut device)), DependencyFault::SectionMissing(Section::Validate));
    assert_eq!(device.log, ["wrote dep"], "before anything of it ran");
    // Two sections, of which one forgets its dependency.
    let mut forgets = dependent(digest, &both);
    forgets.section(Section::Validate, seq().component(0).then(&mark(b"validate")));
    let forgets = with_dependency(&forgets, &signed(&inner));
    assert_eq!(fault(update(&forgets, &mut device)), DependencyFault::NotProcessed(Section::Validate));
    // A section went by before anybody looked.
    let mut late = dependent(digest, &both);
    late.section(Section::DependencyResolution, seq().component(1).directive(Directive::Fetch, ON_FAILURE));
    late.section(Section::Install, seq().component(0).then(&mark(b"install")));
    let late = with_dependency(&late, &signed(&inner));
    assert_eq!(fault(update(&late, &mut device)), DependencyFault::NotProcessed(Section::Install));
}

#[test]
fn failure_in_a_dependency_is_told_with_its_path() {
    let mut inner = ManifestBuilder::new(1);
    inner.component(component("app")).section(Section::Install, abort());
    let mut root = dependent(build(&inner).manifest_digest(), &[]);
    // Even where the dependent would go on.
    root.section(Section::Install, seq().component(1).try_each(&[process(), seq().component(0)], true));
    let mut device = device(&["fw", "dep", "app"]);
    let failure = update(&with_dependency(&root, &signed(&inner)), &mut device).expect_err("aborts");
    assert_eq!(failure.kind, FailureKind::NotMet(Condition::Abort));
    let Outcome::Failure { record, .. } = &failure.report.outcome else { panic!("a failure") };
    assert_eq!((record.manifest_id.as_slice(), record.section), (&[1][..], Some(Section::Install)));
    assert_eq!((record.offset, record.component), (1, 0));
}

#[test]
fn true_selects_dependencies_and_components_alike() {
    let inner = leaf("app", &[Section::Install]);
    let mut root = dependent(build(&inner).manifest_digest(), &[]);
    let all = || seq().set_component_index(&ComponentIndex::All);
    let each = all().try_each(
        &[
            seq()
                .condition(Condition::IsDependency, ON_FAILURE)
                .directive(Directive::ProcessDependency, ON_FAILURE),
            mark(b"x"),
        ],
        false,
    );
    root.section(Section::Install, each);
    let mut device = device(&["fw", "dep", "app"]);
    update(&with_dependency(&root, &signed(&inner)), &mut device).expect("installs");
    assert_eq!(device.log, ["wrote dep", "wrote fw", "wrote app"]);
    // By itself it is about dependencies only.
    root.section(Section::Install, all().directive(Directive::ProcessDependency, ON_FAILURE));
    device.log.clear();
    update(&with_dependency(&root, &signed(&inner)), &mut device).expect("installs");
    assert_eq!(device.log, ["wrote dep", "wrote app"]);
    // With an index it is an error.
    root.section(Section::Install, seq().component(0).directive(Directive::ProcessDependency, ON_FAILURE));
    let kind = update(&with_dependency(&root, &signed(&inner)), &mut device).expect_err("is none").kind;
    assert_eq!(kind, FailureKind::NotADependency);
}

#[test]
fn image_match_of_a_dependency_is_of_its_manifest_alone() {
    let inner = leaf("app", &[Section::Install]);
    let mut countersigned: EnvelopeBuilder = build(&inner);
    countersigned.sign(&key(1), Some(&[1])).sign(&key(7), Some(&[7])).payload("#more", b"more");
    let mut root = dependent(build(&inner).manifest_digest(), &[]);
    let matches = process().condition(Condition::ImageMatch, ALWAYS);
    root.section(Section::Install, matches);
    let mut device = device(&["fw", "dep", "app"]);
    update(&with_dependency(&root, &countersigned.to_bytes()), &mut device).expect("is the same manifest");
}

#[test]
fn depth_count_and_size_of_dependencies_are_limited() {
    let chain = |depth: usize| {
        let mut inner = leaf("leaf", &[Section::Install]);
        let mut bytes = signed(&inner);
        for _ in 0..depth {
            let outer = dependent(build(&inner).manifest_digest(), &[Section::Install]);
            bytes = with_dependency(&outer, &bytes);
            inner = outer;
        }
        bytes
    };
    // Every level shares the same three components, but for prefixes that would tell them apart.
    let nested = |depth: usize| {
        let mut inner = leaf("leaf", &[Section::Install]);
        let mut bytes = signed(&inner);
        for level in 0..depth {
            let mut outer = ManifestBuilder::new(1);
            let name = format!("dep{level}");
            outer.component(component(&name)).dependency(0, None);
            let about = [Parameter::ImageDigest(build(&inner).manifest_digest()), Parameter::Uri("#dep")];
            let process = seq()
                .override_parameters(&about)
                .directive(Directive::Fetch, ON_FAILURE)
                .condition(Condition::DependencyIntegrity, ALWAYS)
                .directive(Directive::ProcessDependency, ON_FAILURE);
            outer.section(Section::Install, process);
            bytes = with_dependency(&outer, &bytes);
            inner = outer;
        }
        bytes
    };
    let names = ["leaf", "dep0", "dep1", "dep2", "dep3", "dep4"];
    update(&nested(MAX_DEPENDENCY_DEPTH), &mut device(&names)).expect("is the limit");
    let result = update(&nested(MAX_DEPENDENCY_DEPTH + 1), &mut device(&names));
    assert_eq!(fault(result), DependencyFault::TooDeep);
    // A manifest that writes over the envelope it came in has to be checked again, and is not what it was.
    let result = update(&chain(2), &mut device(&["fw", "dep", "leaf"]));
    assert!(matches!(fault(result), DependencyFault::NotChecked | DependencyFault::WrongDigest));

    let inner = leaf("app", &[Section::Install]);
    let padded = |len: u64| {
        let bytes = signed(&inner);
        let envelope = Envelope::decode(&bytes).expect("decodes");
        let with = |count: usize| envelope.with_payload("#padding", &vec![0; count]);
        let count = len as usize - with(60_000).len() + 60_000;
        assert_eq!(with(count).len() as u64, len);
        with(count)
    };
    let root = dependent(build(&inner).manifest_digest(), &[Section::Install]);
    let with = |len| update(&with_dependency(&root, &padded(len)), &mut device(&["fw", "dep", "app"]));
    with(MAX_DEPENDENCY_LEN).expect("is the limit");
    assert_eq!(fault(with(MAX_DEPENDENCY_LEN + 1)), DependencyFault::TooLarge);
}

#[test]
fn device_without_keys_for_dependencies_refuses_them_before_anything_runs() {
    let inner = leaf("app", &[Section::Install]);
    let bytes =
        with_dependency(&dependent(build(&inner).manifest_digest(), &[Section::Install]), &signed(&inner));
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    let mut small = device(&["fw", "dep", "app"]);
    small.abilities.dependencies = false;
    let refusal = Processor::new(&verified, &mut small).map(|_| ()).expect_err("does not take any");
    assert_eq!(refusal, Refusal::UnsupportedByDevice { feature: Feature::Dependencies });
    let mut keyless = device(&["fw", "dep", "app"]);
    keyless.authorities = None;
    let failure = Processor::new(&verified, &mut keyless).expect("is admitted").run(Procedure::Update);
    assert_eq!(fault(failure), DependencyFault::Unsupported(Feature::Dependencies));
}

/// A root with component `name` that shares a dependency, and gives both up in its uninstall section.
fn sharing(name: &str, inner: &ManifestBuilder) -> Vec<u8> {
    let mut root = ManifestBuilder::new(1);
    root.component(component(name)).component(component("dep")).dependency(1, None);
    let about = [Parameter::ImageDigest(build(inner).manifest_digest()), Parameter::Uri("#dep")];
    root.shared(seq().component(1).override_parameters(&about));
    let fetch = seq().component(1).try_each(
        &[seq().condition(Condition::ImageMatch, ON_FAILURE), seq().directive(Directive::Fetch, ON_FAILURE)],
        false,
    );
    root.section(Section::Install, fetch.then(&process()).component(0).then(&mark(b"own")));
    root.section(
        Section::Uninstall,
        seq()
            .component(1)
            .condition(Condition::DependencyIntegrity, ALWAYS)
            .directive(Directive::Unlink, ON_FAILURE)
            .component(0)
            .directive(Directive::Unlink, ON_FAILURE),
    );
    with_dependency(&root, &signed(inner))
}

#[test]
fn last_reference_to_a_dependency_uninstalls_it() {
    let mut inner = ManifestBuilder::new(1);
    inner.component(component("app"));
    let content = seq().override_parameters(&[Parameter::Content(b"shared")]);
    let write = seq().directive(Directive::Write, ON_FAILURE);
    let there = seq().condition(Condition::CheckContent, ON_FAILURE);
    inner.section(Section::Install, content.try_each(&[there, write], false));
    inner.section(Section::Uninstall, seq().directive(Directive::Unlink, ON_FAILURE));
    let (one, two) = (sharing("one", &inner), sharing("two", &inner));
    let mut device = device(&["one", "two", "dep", "app"]);
    device.abilities.references = true;
    update(&one, &mut device).expect("installs");
    update(&two, &mut device).expect("installs");
    assert_eq!(device.log, ["wrote dep", "wrote app", "wrote one", "wrote two"], "shared parts once");

    // While others refer to it, nobody writes over it.
    let mut intruder = ManifestBuilder::new(2);
    intruder.component(component("app")).section(Section::Install, mark(b"intruder"));
    let kind = update(&signed(&intruder), &mut device).expect_err("is in use").kind;
    assert_eq!((kind, kind.code()), (FailureKind::Referenced, "component-in-use"));

    device.log.clear();
    run(&one, &mut device, Procedure::Uninstallation).expect("uninstalls");
    assert_eq!(device.log, ["unlinked dep, 1 left", "unlinked one, 0 left"]);
    run(&one, &mut device, Procedure::Uninstallation).expect("once more");
    assert_eq!(device.log.len(), 2, "a manifest gives up what it holds, and only once: {:?}", device.log);
    device.log.clear();
    run(&two, &mut device, Procedure::Uninstallation).expect("uninstalls");
    assert_eq!(device.log, ["unlinked app, 0 left", "unlinked dep, 0 left", "unlinked two, 0 left"]);
    update(&signed(&intruder), &mut device).expect("is free now");
}

#[test]
fn every_command_may_be_the_last_before_a_loss_of_power() {
    let mut inner = ManifestBuilder::new(1);
    inner.component(component("app")).section(Section::Install, mark(b"a").then(&mark(b"b")));
    inner.section(Section::Uninstall, seq().directive(Directive::Unlink, ON_FAILURE));
    let bytes = sharing("one", &inner);
    let mut clean = device(&["one", "dep", "app"]);
    clean.abilities.references = true;
    update(&bytes, &mut clean).expect("installs");
    assert!(clean.checkpoints >= 4, "{} commands change something", clean.checkpoints);
    for cut in 1..=clean.checkpoints {
        let mut device = device(&["one", "dep", "app"]);
        device.abilities.references = true;
        device.cut_at = Some(cut);
        update(&bytes, &mut device).expect_err("power is lost");
        assert!(device.links.is_empty(), "nothing counts as installed before the end");
        update(&bytes, &mut device).expect("goes through when power is back");
        assert_eq!(device.components, clean.components, "cut at {cut}");
        assert_eq!(device.links, clean.links, "cut at {cut}");
    }
}
