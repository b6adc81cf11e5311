//! The right to encrypt and nothing else: what a distributor's manifest may say.

mod support;

use crypto::Digest;
use sextant_suit::{
    Authority, AuthorityError, AuthorityList, AuthorityPolicy, Beyond, ComponentId, Condition, Directive,
    Envelope, ManifestBuilder, MudBinding, Operation, Parameter, Refusal, Role, Section, SequenceBuilder,
    VendorId, Verified, Version, labels,
};
use support::{ALWAYS, authority, build, component, key, seq, sha256};

const AUTHOR: u8 = 1;
const DISTRIBUTOR: u8 = 7;

fn list() -> AuthorityList {
    list_with(AuthorityPolicy::default(), authority(DISTRIBUTOR, Role::Distributor))
}

fn list_with(policy: AuthorityPolicy, distributor: Authority) -> AuthorityList {
    let entries = vec![authority(AUTHOR, Role::Author), distributor, authority(9, Role::Operator)];
    AuthorityList::new(policy, entries).expect("a list")
}

fn digest() -> Digest {
    sha256(b"manifest of an author's")
}

const MANIFEST: u32 = 0;
const IMAGE: u32 = 1;
const STAGE: u32 = 2;

/// What `suit encrypt` makes.
fn distribution() -> ManifestBuilder {
    let mut manifest = ManifestBuilder::new(4);
    manifest
        .component(component("app-manifest"))
        .component(component("app"))
        .component(component("app-stage"));
    manifest.dependency(MANIFEST, None);
    let shared = seq()
        .component(MANIFEST)
        .override_parameters(&[
            Parameter::ImageDigest(digest()),
            Parameter::VendorId(VendorId::Uuid(support::vendor())),
            Parameter::ClassId(support::class()),
        ])
        .condition(Condition::VendorIdentifier, ALWAYS)
        .condition(Condition::ClassIdentifier, ALWAYS);
    manifest.shared(shared);
    manifest.section(Section::DependencyResolution, process(fetch(MANIFEST)));
    manifest.section(Section::PayloadFetch, process(of_ciphertext()));
    manifest.section(
        Section::Install,
        process(
            of_ciphertext()
                .condition(Condition::ImageMatch, ALWAYS)
                .component(IMAGE)
                .override_parameters(&[Parameter::EncryptionInfo(b"info")]),
        ),
    );
    manifest.section(Section::Validate, process(seq()));
    manifest
}

fn fetch(index: u32) -> SequenceBuilder {
    seq().component(index).override_parameters(&[Parameter::Uri("#x")]).directive(Directive::Fetch, ALWAYS)
}

fn matches() -> SequenceBuilder {
    seq().condition(Condition::ImageMatch, ALWAYS)
}

fn of_ciphertext() -> SequenceBuilder {
    let parameters = [
        Parameter::ImageDigest(sha256(b"ciphertext")),
        Parameter::ImageSize(10),
        Parameter::Uri("#ciphertext"),
    ];
    seq().component(STAGE).override_parameters(&parameters)
}

fn process(before: SequenceBuilder) -> SequenceBuilder {
    before
        .component(MANIFEST)
        .condition(Condition::DependencyIntegrity, ALWAYS)
        .directive(Directive::ProcessDependency, ALWAYS)
}

fn by(manifest: &ManifestBuilder, seeds: &[u8]) -> Vec<u8> {
    let mut envelope = build(manifest);
    for seed in seeds {
        envelope.sign(&key(*seed), Some(&[*seed]));
    }
    envelope.to_bytes()
}

fn verify<'b>(bytes: &'b [u8], list: &AuthorityList) -> Result<Verified<'b>, Refusal> {
    Envelope::decode(bytes).expect("decodes").verify(list)
}

#[test]
fn a_distributor_alone_signs_where_encrypted_images_are_and_who_decrypts_them() {
    let bytes = by(&distribution(), &[DISTRIBUTOR]);
    let verified = verify(&bytes, &list()).expect("is believed");
    assert!(verified.is_distribution());
    assert_eq!(verified.signers().len(), 1);
    let kept = sextant_suit::VerifiedManifest::verify(bytes.clone(), &list()).expect("is believed");
    assert!(kept.open().is_distribution());
    // With an author's signature it is the author's.
    let both = by(&distribution(), &[AUTHOR, DISTRIBUTOR]);
    assert!(!verify(&both, &list()).expect("is believed").is_distribution());
    // It is believed in the same way below another manifest.
    let below = Envelope::decode(&bytes).expect("decodes").verify_dependency(&list(), None);
    assert!(below.expect("is believed").is_distribution());
}

#[test]
fn whatever_else_it_says_is_beyond_the_right() {
    let with = |change: &dyn Fn(&mut ManifestBuilder)| {
        let mut manifest = distribution();
        change(&mut manifest);
        manifest
    };
    let install = |sequence: SequenceBuilder| {
        with(&|manifest| _ = manifest.section(Section::Install, process(sequence.clone())))
    };
    let set = |index: u32, parameter: Parameter<'_>| {
        let encrypted = seq()
            .component(IMAGE)
            .override_parameters(&[Parameter::EncryptionInfo(b"info")])
            .component(index);
        install(encrypted.override_parameters(core::slice::from_ref(&parameter)))
    };
    let command = |operation: &Operation<'_>| Beyond::Command(operation.code());
    let directive = |directive| command(&Operation::Directive(directive, ALWAYS));
    let parameter = Beyond::Parameter;
    use labels::{manifest as member, parameter as of};
    let rows = [
        (support::recipe(4).manifest().expect("a manifest"), Beyond::NoDependency),
        (with(&|manifest| _ = manifest.dependency(MANIFEST, Some(component("elsewhere")))), Beyond::Prefix),
        (with(&|manifest| _ = manifest.coswid(&[0xa0])), Beyond::Member(member::COSWID)),
        (
            with(&|manifest| {
                let signer = sha256(b"key");
                _ = manifest.mud(&MudBinding { url: "https://maker.example/mud", signer });
            }),
            Beyond::Member(member::MUD),
        ),
        (
            with(&|manifest| _ = manifest.set_version(Version::new(&[1]).expect("a version"))),
            Beyond::Member(member::SET_VERSION),
        ),
        (
            with(&|manifest| _ = manifest.component_id(component("app-manifest"))),
            Beyond::Member(member::COMPONENT_ID),
        ),
        (install(fetch(STAGE)), directive(Directive::Fetch)),
        (install(seq().component(IMAGE).directive(Directive::Copy, ALWAYS)), directive(Directive::Copy)),
        (install(seq().component(IMAGE).directive(Directive::Write, ALWAYS)), directive(Directive::Write)),
        (install(seq().component(IMAGE).directive(Directive::Invoke, ALWAYS)), directive(Directive::Invoke)),
        (install(seq().component(IMAGE).directive(Directive::Unlink, ALWAYS)), directive(Directive::Unlink)),
        (
            install(seq().component(IMAGE).condition(Condition::Abort, ALWAYS)),
            command(&Operation::Condition(Condition::Abort, ALWAYS)),
        ),
        (
            install(seq().component(IMAGE).try_each(&[matches(), matches()], false)),
            command(&Operation::TryEach { alternatives: Vec::new(), or_nothing: false }),
        ),
        // What an image is, and what is asked of it, is the author's.
        (set(IMAGE, Parameter::ImageDigest(digest())), parameter(of::IMAGE_DIGEST)),
        (set(IMAGE, Parameter::Uri("https://x.example")), parameter(of::URI)),
        (set(STAGE, Parameter::EncryptionInfo(b"info")), parameter(of::ENCRYPTION_INFO)),
        (set(MANIFEST, Parameter::EncryptionInfo(b"info")), parameter(of::ENCRYPTION_INFO)),
        (set(IMAGE, Parameter::ClassId(support::class())), parameter(of::CLASS_IDENTIFIER)),
        (
            set(STAGE, Parameter::VendorId(VendorId::Uuid(support::vendor()))),
            parameter(of::VENDOR_IDENTIFIER),
        ),
        (set(IMAGE, Parameter::Content(b"other code")), parameter(of::CONTENT)),
        (set(IMAGE, Parameter::SourceComponent(STAGE)), parameter(of::SOURCE_COMPONENT)),
        (set(IMAGE, Parameter::InvokeArgs(b"--debug")), parameter(of::INVOKE_ARGS)),
        (set(STAGE, Parameter::ComponentSlot(1)), parameter(of::COMPONENT_SLOT)),
    ];
    // Each in turn is refused, whichever signs beside whom but an author; and an author may say all of it.
    for (number, (manifest, beyond)) in rows.iter().enumerate() {
        let refused = verify(&by(manifest, &[DISTRIBUTOR]), &list()).map(|_| ());
        let refused = refused.expect_err(&format!("row {number}"));
        assert_eq!(refused, Refusal::BeyondDistribution { beyond: *beyond }, "row {number}");
        assert_eq!(refused.code(), "beyond-distribution");
        assert!(verify(&by(manifest, &[AUTHOR]), &list()).is_ok(), "row {number}");
    }
}

#[test]
fn the_right_has_the_scope_of_its_entry_and_replaces_no_other_signature() {
    let bytes = by(&distribution(), &[DISTRIBUTOR]);
    let scoped =
        Authority { components: vec![component("app")], ..authority(DISTRIBUTOR, Role::Distributor) };
    let refused = verify(&bytes, &list_with(AuthorityPolicy::default(), scoped)).map(|_| ());
    let expected: ComponentId = component("app-manifest");
    assert_eq!(refused, Err(Refusal::AuthorNotAuthorised { component: expected }));
    let operators = AuthorityPolicy { operators: 1, ..AuthorityPolicy::default() };
    let list = list_with(operators, authority(DISTRIBUTOR, Role::Distributor));
    assert_eq!(verify(&bytes, &list).expect_err("no operator").code(), "operator-signature-missing");
    assert!(verify(&by(&distribution(), &[DISTRIBUTOR, 9]), &list).is_ok());
    // A key is one or the other.
    let two = vec![authority(AUTHOR, Role::Author), authority(AUTHOR, Role::Distributor)];
    assert_eq!(AuthorityList::with_default_policy(two).map(|_| ()), Err(AuthorityError::KeyWithTwoRoles));
    // The list says so in its one encoding.
    assert_eq!(AuthorityList::decode(&list.to_bytes()), Ok(list));
}
