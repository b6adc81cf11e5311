//! Releases that depend on other manifests: taken as one set, measured, kept from going back, and removed when nothing
//! refers to them.

use eat::{Evidence, Nonce};
use suit::{
    Condition, Directive, EnvelopeIndex, ManifestBuilder, Parameter, PlatformError, ReportingPolicy, Section,
    SequenceBuilder, SignedReport, VendorId,
    limits::{MAX_DEPENDENCY_DEPTH, MAX_DEPENDENCY_LEN},
};

use super::*;
use crate::{
    Boot, Fault, Floor, InstallError, Offered, PayloadSource, Transport, simulator::PowerCut,
    transport::InMemory,
};

const ALWAYS: ReportingPolicy = ReportingPolicy::ALWAYS;

pub(super) fn place(name: &str) -> ComponentId {
    ComponentId::new(&[name, "manifest"]).unwrap()
}

fn seq() -> SequenceBuilder {
    SequenceBuilder::new()
}

fn signed(manifest: &ManifestBuilder, by: &SigningKey, payloads: &[(&str, &[u8])]) -> Vec<u8> {
    let mut envelope = manifest.build(HashAlgorithm::Sha256).unwrap();
    for (uri, payload) in payloads {
        envelope.payload(uri, payload);
    }
    envelope.sign(by, None);
    envelope.to_bytes()
}

/// A manifest about one component, with its image from a URI; it can be given up.
pub(super) fn part(name: &str, number: u64, image: &[u8], uri: &str) -> ManifestBuilder {
    let mut manifest = ManifestBuilder::new(number);
    manifest.component(component(name));
    manifest.shared(
        seq()
            .override_parameters(&[
                Parameter::VendorId(VendorId::Uuid(vendor())),
                Parameter::ClassId(class()),
                Parameter::ImageDigest(digest(image)),
                Parameter::ImageSize(image.len() as u64),
            ])
            .condition(Condition::VendorIdentifier, ALWAYS)
            .condition(Condition::ClassIdentifier, ALWAYS),
    );
    let fetch = seq()
        .override_parameters(&[Parameter::Uri(uri)])
        .directive(Directive::Fetch, ALWAYS)
        .condition(Condition::ImageMatch, ALWAYS);
    manifest.section(Section::Install, fetch);
    manifest.section(Section::Validate, seq().condition(Condition::ImageMatch, ALWAYS));
    manifest.section(Section::Uninstall, seq().directive(Directive::Unlink, ALWAYS));
    manifest
}

/// Adds dependencies behind the components of a manifest, each with its place, its manifest digest and where it is
/// fetched from; every section processes them before what it does itself.
pub(super) fn depend(
    manifest: &mut ManifestBuilder,
    components: u32,
    needed: &[(ComponentId, Digest, &str)],
    own: &[(Section, SequenceBuilder)],
) {
    let mut all = [
        Section::DependencyResolution,
        Section::Install,
        Section::Validate,
        Section::Invoke,
        Section::Uninstall,
    ]
    .map(|section| (section, seq()));
    for (index, (place, digest, uri)) in (components..).zip(needed) {
        manifest.component(place.clone()).dependency(index, None);
        for (section, sequence) in &mut all {
            let at =
                sequence.clone().component(index).override_parameters(&[Parameter::ImageDigest(*digest)]);
            let known =
                |sequence: SequenceBuilder| sequence.condition(Condition::DependencyIntegrity, ALWAYS);
            *sequence = match section {
                Section::DependencyResolution => {
                    known(at.override_parameters(&[Parameter::Uri(uri)]).directive(Directive::Fetch, ALWAYS))
                        .directive(Directive::ProcessDependency, ALWAYS)
                }
                Section::Install | Section::Validate => {
                    known(at).directive(Directive::ProcessDependency, ALWAYS)
                }
                Section::Uninstall => known(at).directive(Directive::Unlink, ALWAYS),
                _ => continue,
            };
        }
    }
    for (section, sequence) in all {
        let own = own.iter().find(|(other, _)| *other == section);
        let sequence = own.map_or(sequence.clone(), |(_, own)| sequence.then(&seq().component(0)).then(own));
        if !sequence.is_empty() {
            manifest.section(section, sequence);
        }
    }
}

/// A root manifest about `app` that depends on others.
pub(super) fn root(number: u64, app: &[u8], needed: &[(ComponentId, Digest, &str)]) -> ManifestBuilder {
    let mut manifest = part("app", number, app, "#app");
    // There is more than one index now, so the shared sequence says which it is about.
    manifest.shared(
        seq()
            .component(0)
            .override_parameters(&[
                Parameter::VendorId(VendorId::Uuid(vendor())),
                Parameter::ClassId(class()),
                Parameter::ImageDigest(digest(app)),
                Parameter::ImageSize(app.len() as u64),
            ])
            .condition(Condition::VendorIdentifier, ALWAYS)
            .condition(Condition::ClassIdentifier, ALWAYS),
    );
    let own = [
        (
            Section::Install,
            seq()
                .override_parameters(&[Parameter::Uri("#app")])
                .directive(Directive::Fetch, ALWAYS)
                .condition(Condition::ImageMatch, ALWAYS),
        ),
        (Section::Validate, seq().condition(Condition::ImageMatch, ALWAYS)),
        (Section::Invoke, seq().directive(Directive::Invoke, ALWAYS)),
        (Section::Uninstall, seq().directive(Directive::Unlink, ALWAYS)),
    ];
    depend(&mut manifest, 1, needed, &own);
    manifest
}

/// The manifest about `config` that releases of these tests depend on, with its image.
///
/// Made once: a signature is another one each time where its algorithm draws at random.
pub(super) fn inner(number: u64, image: &[u8]) -> Vec<u8> {
    static MADE: std::sync::Mutex<Vec<((u64, Vec<u8>), Vec<u8>)>> = std::sync::Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, envelope)) = made.iter().find(|((of, about), _)| *of == number && about == image) {
        return envelope.clone();
    }
    let envelope = signed(&part("config", number, image, "#config"), &author(), &[("#config", image)]);
    made.push(((number, image.to_vec()), envelope.clone()));
    envelope
}

/// A release about `app` that brings another one about `config`.
pub(super) fn depending(number: u64, app: &[u8], inner: &[u8]) -> Vec<u8> {
    let manifest = root(number, app, &[(place("config"), manifest_digest(inner), "#config.suit")]);
    signed(&manifest, &author(), &[("#app", app), ("#config.suit", inner)])
}

/// The release with this number, whose dependency has this one.
fn release_with(number: u64, of_inner: u64) -> Vec<u8> {
    depending(number, &image("app", number), &inner(of_inner, &image("config", of_inner)))
}

fn installed(device: &mut Device<Simulator>, envelope: &[u8]) {
    device.install(envelope, None, None).unwrap();
    assert!(matches!(device.boot(None), Ok(Boot::Release(_))));
    device.commit().unwrap();
}

fn refusal(device: &mut Device<Simulator>, envelope: &[u8]) -> Fault {
    let before = contents(device.storage());
    match device.install(envelope, None, None) {
        Err(InstallError::Refused(fault)) => {
            assert_eq!(contents(device.storage()), before, "{fault}: something was written");
            fault
        }
        other => panic!("{other:?}"),
    }
}

fn stored(device: &Device<Simulator>, area: Area) -> Vec<u8> {
    read_all(device.storage(), area, usize::MAX).unwrap().unwrap()
}

#[test]
fn a_release_with_a_dependency_is_installed_started_attested_reported_and_removed() {
    let mut device = running(3);
    let envelope = release_with(5, 1);
    let told = device.capabilities();
    let root = Envelope::decode(&envelope).unwrap().verify(device.authorities()).unwrap();
    assert!(suit::can_process(&told, &root).is_ok());
    device.install(&envelope, None, None).unwrap();
    let report = device.report().unwrap();
    let report = SignedReport::decode(&report).unwrap().verify(key(9).public_key(), None).unwrap();
    let inner_bytes = inner(1, &image("config", 1));
    let inner =
        Envelope::decode(&inner_bytes).unwrap().verify_dependency(device.authorities(), None).unwrap();
    let replay = suit::replay(&report, &root, &[&inner]);
    assert!(report.report().is_success() && replay.holds(), "{replay:?}");

    let Ok(Boot::Release(now)) = device.boot(None) else { panic!("it does not run") };
    assert_eq!((now.sequence, now.start.map(|start| start.component)), (5, Some(0)));
    assert_eq!(stored(&device, Area::Dependency(now.slot, 1)), inner_bytes);
    assert_eq!(stored(&device, Area::Image(now.slot, 1)), image("config", 1));
    assert!(device.state().floors.is_empty(), "a release on trial commits nothing");
    device.commit().unwrap();
    let floor = Floor { component: 1, sequence: 1, manifest: manifest_digest(&inner_bytes) };
    assert_eq!(device.state().floors, [floor]);

    let nonce = Nonce::new(&[7; 16]).unwrap();
    let evidence = device.evidence(&nonce).unwrap();
    let evidence = Evidence::decode(&evidence).unwrap().verify(key(9).public_key(), &nonce).unwrap();
    let named = evidence.claims().dependencies.iter().map(|one| (one.digest, one.sequence_number));
    assert_eq!(named.collect::<Vec<_>>(), [(manifest_digest(&inner_bytes), 1)]);
    assert_eq!(evidence.claims().manifest.unwrap().digest, manifest_digest(&envelope));
    let measured = device.measure().unwrap();
    assert!(
        measured
            .iter()
            .any(|one| one.component == component("config") && one.digest == digest(&image("config", 1)))
    );

    device.uninstall(&manifest_digest(&envelope), None).unwrap();
    for area in [Area::Manifest(now.slot), Area::Dependency(now.slot, 1), Area::Image(now.slot, 1)] {
        assert!(stored(&device, area).is_empty(), "{area:?}");
    }
    assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == 3));
    assert_eq!(device.state().floors.len(), 1, "nothing older comes in its place");
}

#[test]
fn a_dependency_never_goes_back_whatever_number_its_dependent_has() {
    let mut device = running(3);
    installed(&mut device, &release_with(5, 4));
    assert_eq!(refusal(&mut device, &release_with(6, 3)).code(), "sequence-too-low");
    let other = inner(4, b"another image with the same number");
    assert_eq!(refusal(&mut device, &depending(7, &image("app", 7), &other)).code(), "sequence-reused");
    // A release on trial that is reverted raises nothing.
    device.install(&release_with(8, 9), None, None).unwrap();
    device.boot(None).unwrap();
    device.revert().unwrap();
    device.boot(None).unwrap();
    installed(&mut device, &release_with(9, 4));
    // One without the dependency in between changes nothing either.
    installed(&mut device, &release(10));
    assert_eq!(refusal(&mut device, &release_with(11, 3)).code(), "sequence-too-low");
    installed(&mut device, &release_with(12, 5));
    assert_eq!(device.state().floors.iter().map(|floor| floor.sequence).collect::<Vec<_>>(), [5]);
}

#[test]
fn each_fault_of_a_dependency_has_its_code_and_is_found_before_the_first_write() {
    let app = image("app", 5);
    let config = image("config", 1);
    let good = part("config", 1, &config, "#config");
    let by = |signer: &SigningKey| signed(&good, signer, &[("#config", &config)]);
    let about = |at: ComponentId, inner: &[u8]| {
        let manifest = root(5, &app, &[(at, manifest_digest(inner), "#config.suit")]);
        signed(&manifest, &author(), &[("#app", &app), ("#config.suit", inner)])
    };
    let here = |inner: &[u8]| about(place("config"), inner);
    let elsewhere = {
        let mut manifest = good.clone();
        manifest.component_id(place("config"));
        signed(&manifest, &author(), &[("#config", &config)])
    };
    let swapped = {
        let other = inner(2, &config);
        Envelope::decode(&here(&by(&author()))).unwrap().with_payload("#config.suit", &other)
    };
    let stripped = Envelope::decode(&here(&by(&author()))).unwrap().strip_payloads();
    let without = Envelope::decode(&stripped).unwrap().with_payload("#app", &app);
    let large =
        signed(&good, &author(), &[("#config", &config), ("#more", &vec![0; MAX_DEPENDENCY_LEN as usize])]);
    let unknown = signed(&part("bootloader", 1, &config, "#config"), &author(), &[("#config", &config)]);
    let unchecked = {
        let mut manifest = good.clone();
        manifest.section(Section::Validate, seq().condition(Condition::ClassIdentifier, ALWAYS));
        signed(&manifest, &author(), &[("#config", &config)])
    };
    let broken = signed(&good, &author(), &[("#config", b"of another size")]);
    for (envelope, code) in [
        (here(&by(&key(77))), "unknown-signer"),
        (here(&by(&operator())), "author-signature-missing"),
        (swapped, "digest-mismatch"),
        (without, "payload-missing"),
        (here(&large), "payload-too-large"),
        (here(&unknown), "unknown-component"),
        (here(&unchecked), "component-unchecked"),
        (here(&broken), "payload-size"),
        (about(component("config"), &by(&author())), "dependency-misplaced"),
        (about(place("app"), &elsewhere), "dependency-misplaced"),
        (about(place("bootloader"), &by(&author())), "unknown-component"),
    ] {
        let mut device = running(3);
        assert_eq!(refusal(&mut device, &envelope).code(), code);
    }
    // What is right about all of them.
    installed(&mut running(3), &here(&elsewhere));
}

#[test]
fn the_author_of_a_dependency_needs_the_right_to_what_it_names_and_its_dependent_does_not() {
    let (of_app, of_config) = (key(31), key(32));
    let policy = AuthorityPolicy::default();
    let limited = |key: &SigningKey, components: &[ComponentId]| Authority {
        components: components.to_vec(),
        kid: Vec::new(),
        ..authority(key, "author", Role::Author)
    };
    let mut entries = vec![
        limited(&of_app, &[component("app"), place("config")]),
        limited(&of_config, &[component("config")]),
    ];
    let config = image("config", 1);
    let inner = |by: &SigningKey| signed(&part("config", 1, &config, "#config"), by, &[("#config", &config)]);
    let release = |inner: &[u8]| {
        let app = image("app", 5);
        let manifest = root(5, &app, &[(place("config"), manifest_digest(inner), "#config.suit")]);
        signed(&manifest, &of_app, &[("#app", &app), ("#config.suit", inner)])
    };
    let device = |entries: &[Authority]| {
        let credentials = credentials_with(policy, entries.to_vec());
        let mut device = Device::power_up(Simulator::new(), credentials, &[5; 16]).unwrap();
        device.boot(None).unwrap();
        device
    };
    assert_eq!(refusal(&mut device(&entries), &release(&inner(&of_app))).code(), "author-not-authorised");
    device(&entries).install(&release(&inner(&of_config)), None, None).unwrap();
    // Without a right to the place it cannot bring one at all.
    entries[0] = limited(&of_app, &[component("app")]);
    assert_eq!(refusal(&mut device(&entries), &release(&inner(&of_config))).code(), "author-not-authorised");
}

#[test]
fn manifests_depend_on_one_another_to_a_depth_and_a_number() {
    let names: Vec<String> = (0..12).map(|number| format!("part-{number}")).collect();
    let device = || {
        let mut credentials = credentials();
        credentials.identity.components =
            names.iter().map(|name| Component { id: component(name), capacity: CAPACITY }).collect();
        let mut device = Device::power_up(Simulator::new(), credentials, &[5; 16]).unwrap();
        device.boot(None).unwrap();
        device
    };
    let leaf = |name: &str| signed(&part(name, 1, b"leaf", "#x"), &author(), &[("#x", b"leaf")]);
    // Each part depends on the next one and brings it, down to a depth.
    let chain = |depth: usize| {
        let mut below = leaf(&names[depth]);
        for name in names[..depth].iter().rev() {
            let next = names.iter().position(|other| other == name).unwrap() + 1;
            let needed = [(place(&names[next]), manifest_digest(&below), "#next")];
            let mut manifest = ManifestBuilder::new(1);
            manifest.component(component(name));
            manifest.shared(shared_of(b"leaf"));
            depend(&mut manifest, 1, &needed, &own_of("#x"));
            below = signed(&manifest, &author(), &[("#x", b"leaf"), ("#next", &below)]);
        }
        below
    };
    let mut deepest = device();
    deepest.install(&chain(MAX_DEPENDENCY_DEPTH), None, None).unwrap();
    assert!(
        matches!(deepest.boot(None), Ok(Boot::Release(now)) if now.dependencies.len() == MAX_DEPENDENCY_DEPTH)
    );
    assert_eq!(refusal(&mut device(), &chain(MAX_DEPENDENCY_DEPTH + 1)).code(), "too-many-dependencies");

    // Side by side: eight places, of the first eight components.
    let beside = |count: usize, first: usize| {
        let leaves: Vec<Vec<u8>> = names[first..first + count].iter().map(|name| leaf(name)).collect();
        let uris: Vec<String> = (0..count).map(|number| format!("#{number}")).collect();
        let needed: Vec<_> = (0..count)
            .map(|number| {
                (place(&names[first + number]), manifest_digest(&leaves[number]), uris[number].as_str())
            })
            .collect();
        let mut manifest = ManifestBuilder::new(1);
        manifest.component(component(&names[11]));
        manifest.shared(shared_of(b"leaf"));
        depend(&mut manifest, 1, &needed, &own_of("#x"));
        let mut payloads: Vec<(&str, &[u8])> = vec![("#x", b"leaf")];
        payloads.extend(uris.iter().map(String::as_str).zip(leaves.iter().map(Vec::as_slice)));
        signed(&manifest, &author(), &payloads)
    };
    let mut widest = device();
    installed(&mut widest, &beside(8, 0));
    assert_eq!(widest.state().floors.len(), 8);
    assert_eq!(refusal(&mut device(), &beside(1, 8)).code(), "unknown-component");

    // Together they have a bound of bytes.
    let filled = |len: usize| {
        let filler = vec![0; len];
        let [one, other] = [0, 1].map(|number: usize| {
            let name = &names[number];
            signed(&part(name, 1, b"leaf", "#x"), &author(), &[("#x", b"leaf"), ("#fill", &filler)])
        });
        let needed = [
            (place(&names[0]), manifest_digest(&one), "#0"),
            (place(&names[1]), manifest_digest(&other), "#1"),
            (place(&names[2]), manifest_digest(&leaf(&names[2])), "#2"),
        ];
        let mut manifest = ManifestBuilder::new(1);
        manifest.component(component(&names[11]));
        manifest.shared(shared_of(b"leaf"));
        depend(&mut manifest, 1, &needed, &own_of("#x"));
        signed(
            &manifest,
            &author(),
            &[("#x", b"leaf"), ("#0", &one), ("#1", &other), ("#2", &leaf(&names[2]))],
        )
    };
    let beside_filler =
        signed(&part(&names[0], 1, b"leaf", "#x"), &author(), &[("#x", b"leaf"), ("#fill", b"")]).len();
    let most = MAX_DEPENDENCY_LEN as usize - beside_filler - 4;
    assert_eq!(refusal(&mut device(), &filled(most)).code(), "dependency-too-large");
    device().install(&filled(most - 512), None, None).unwrap();
}

fn shared_of(image: &[u8]) -> SequenceBuilder {
    seq()
        .component(0)
        .override_parameters(&[
            Parameter::VendorId(VendorId::Uuid(vendor())),
            Parameter::ClassId(class()),
            Parameter::ImageDigest(digest(image)),
            Parameter::ImageSize(image.len() as u64),
        ])
        .condition(Condition::VendorIdentifier, ALWAYS)
        .condition(Condition::ClassIdentifier, ALWAYS)
}

fn own_of(uri: &str) -> [(Section, SequenceBuilder); 3] {
    [
        (
            Section::Install,
            seq()
                .override_parameters(&[Parameter::Uri(uri)])
                .directive(Directive::Fetch, ALWAYS)
                .condition(Condition::ImageMatch, ALWAYS),
        ),
        (Section::Validate, seq().condition(Condition::ImageMatch, ALWAYS)),
        (Section::Uninstall, seq().directive(Directive::Unlink, ALWAYS)),
    ]
}

/// A server with files, which breaks off after some bytes.
struct Server<'f> {
    envelope: &'f [u8],
    files: &'f [(&'f str, Vec<u8>)],
    inner: InMemory<'f>,
    left: usize,
    opened: Vec<String>,
}

impl Transport for Server<'_> {
    fn permits(&self, source: PayloadSource<'_>) -> bool {
        match source {
            PayloadSource::Envelope { .. } => true,
            PayloadSource::Uri(uri) => self.files.iter().any(|(name, _)| *name == uri),
        }
    }

    fn open(&mut self, source: PayloadSource<'_>, offset: u64) -> Result<(), PlatformError> {
        match source {
            PayloadSource::Envelope { .. } => {
                self.opened.push(format!("envelope+{offset}"));
                self.inner = InMemory::new(self.envelope);
                self.inner.open(source, offset)
            }
            PayloadSource::Uri(uri) => {
                self.opened.push(format!("{uri}+{offset}"));
                let (_, file) =
                    self.files.iter().find(|(name, _)| *name == uri).ok_or(PlatformError::NotFound)?;
                self.inner = InMemory::new(file);
                self.inner.open(PayloadSource::Envelope { offset: 0, len: file.len() as u64 }, offset)
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        let room = buffer.len().min(self.left);
        if room == 0 {
            return Err(PlatformError::Transport);
        }
        let count = self.inner.receive(&mut buffer[..room])?;
        self.left -= count;
        Ok(count)
    }
}

fn install_from(
    device: &mut Device<Simulator>,
    envelope: &[u8],
    files: &[(&str, Vec<u8>)],
    left: usize,
) -> (Result<Digest, InstallError<PowerCut>>, Vec<String>) {
    let index = EnvelopeIndex::of(envelope).unwrap();
    let offered = Offered { index: &index, envelope: digest(envelope), manifest: None };
    let mut server = Server { envelope, files, inner: InMemory::new(&[]), left, opened: Vec::new() };
    let result = device.install_from(&offered, &mut server, None);
    (result, server.opened)
}

#[test]
fn a_fetched_dependency_comes_once_and_its_images_from_where_it_says() {
    let (app, config) = (image("app", 5), vec![7; 100_000]);
    let (at, image_at) = ("https://maker.example/config.suit", "https://maker.example/config.bin");
    let inner = signed(&part("config", 1, &config, image_at), &author(), &[]);
    let manifest = root(5, &app, &[(place("config"), manifest_digest(&inner), at)]);
    let envelope = signed(&manifest, &author(), &[("#app", &app)]);
    let files = [(at, inner.clone()), (image_at, config.clone())];
    let mut device = running(3);
    // A server that breaks off while it gives the dependency costs nothing.
    let before = contents(device.storage());
    let (broken, _) = install_from(&mut device, &envelope, &files, inner.len() / 2);
    assert_eq!(broken, Err(InstallError::Interrupted(PlatformError::Transport)));
    assert_eq!(contents(device.storage()), before);
    assert!(device.state().refusals.is_empty());
    // One that breaks off in the image has it gone on with.
    let (broken, _) = install_from(&mut device, &envelope, &files, inner.len() + 40_000);
    assert_eq!(broken, Err(InstallError::Interrupted(PlatformError::Transport)));
    let (result, opened) = install_from(&mut device, &envelope, &files, usize::MAX);
    result.unwrap();
    assert_eq!(opened, [format!("{at}+0"), format!("{image_at}+40000"), "envelope+0".into()]);
    let Ok(Boot::Release(now)) = device.boot(None) else { panic!("it does not run") };
    assert_eq!(stored(&device, Area::Image(now.slot, 1)), config);

    // An origin that the device does not go to is refused as for any payload.
    let mut device = running(3);
    let (refused, opened) = install_from(&mut device, &envelope, &files[1..], usize::MAX);
    let Err(InstallError::Refused(fault)) = refused else { panic!("{refused:?}") };
    assert_eq!((fault.code(), opened.len()), ("denied-by-device", 0));
}

#[test]
fn what_is_damaged_of_a_dependency_is_not_started() {
    for damaged in [Area::Dependency(Slot::B, 1), Area::Image(Slot::B, 1)] {
        let mut device = running(3);
        let slot = device.running().unwrap().slot.other();
        let damaged = match damaged {
            Area::Dependency(_, number) => Area::Dependency(slot, number),
            _ => Area::Image(slot, 1),
        };
        installed(&mut device, &release_with(5, 1));
        assert!(device.is_intact().unwrap());
        damage(device.storage_mut(), damaged);
        assert!(!device.is_intact().unwrap(), "{damaged:?}");
        assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == 3));
        // Another one that is as well signed is not the one that was installed.
    }
    let mut device = running(3);
    installed(&mut device, &release_with(5, 1));
    let slot = device.running().unwrap().slot;
    device.storage_mut().erase(Area::Dependency(slot, 1)).unwrap();
    device.storage_mut().append(Area::Dependency(slot, 1), &inner(2, &image("config", 1))).unwrap();
    assert!(!device.is_intact().unwrap());
}

#[test]
fn a_dependency_stays_while_something_refers_to_it() {
    // `app` depends on `config`, and on `radio`, which depends on `config` too.
    let mut with_radio = credentials();
    with_radio.identity.components.push(Component { id: component("radio"), capacity: CAPACITY });
    let mut device = Device::power_up(Simulator::new(), with_radio, &[5; 16]).unwrap();
    device.boot(None).unwrap();
    let (app, config) = (image("app", 5), image("config", 1));
    let config_manifest = |gate: bool| {
        let mut manifest = part("config", 1, &config, "#config");
        if gate {
            manifest.section(Section::Uninstall, seq().condition(Condition::Abort, ALWAYS));
        }
        signed(&manifest, &author(), &[("#config", &config)])
    };
    let shared = config_manifest(false);
    let radio = {
        let mut manifest = ManifestBuilder::new(1);
        manifest.component(component("radio"));
        manifest.shared(shared_of(b"leaf"));
        depend(&mut manifest, 1, &[(place("config"), manifest_digest(&shared), "#c")], &own_of("#x"));
        signed(&manifest, &author(), &[("#x", b"leaf"), ("#c", &shared)])
    };
    let needed = [
        (place("config"), manifest_digest(&shared), "#config.suit"),
        (place("radio"), manifest_digest(&radio), "#radio.suit"),
    ];
    let envelope = signed(
        &root(5, &app, &needed),
        &author(),
        &[("#app", &app), ("#config.suit", &shared), ("#radio.suit", &radio)],
    );
    installed(&mut device, &envelope);
    let refers = |device: &Device<Simulator>| {
        let installed = device.state().installed(device.running().unwrap().slot).unwrap();
        let radio = installed.dependencies.iter().find(|one| one.component == 2).unwrap().refers;
        (installed.refers, radio)
    };
    assert_eq!(refers(&device), (0b110, 0b010));
    device.uninstall(&manifest_digest(&envelope), None).unwrap();
    let report =
        SignedReport::decode(&device.report().unwrap()).unwrap().verify(key(9).public_key(), None).unwrap();
    // The uninstall section of the shared one ran once, when the last that referred to it had given it up.
    let ran = report.report().entries.iter().filter(|entry| match entry {
        suit::Entry::Record(record) => {
            record.section == Some(Section::Uninstall)
                && record.manifest_id.contains(&1)
                && record.component == 0
        }
        suit::Entry::Claims(_) => false,
    });
    assert_eq!(ran.count(), 1, "{:?}", report.report().entries);

    // The same dependency of the release in the other slot: it is not removed from under it.
    let stays = config_manifest(true);
    let mut device = running(1);
    let [first, second] = [5, 6].map(|number| depending(number, &image("app", number), &stays));
    installed(&mut device, &first);
    installed(&mut device, &second);
    device.uninstall(&manifest_digest(&first), None).unwrap();
    assert!(device.is_intact().unwrap());
    let refused = device.uninstall(&manifest_digest(&second), None);
    assert!(matches!(refused, Err(InstallError::Refused(Fault::Procedure(_)))), "{refused:?}");
    assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == 6));
}

#[test]
fn a_distributor_brings_what_an_author_made_and_says_nothing_of_what_it_is() {
    let distributor = key(34);
    let entries = vec![
        authority(&author(), "author", Role::Author),
        Authority { kid: Vec::new(), ..authority(&distributor, "distributor", Role::Distributor) },
    ];
    let device = || {
        let credentials = credentials_with(AuthorityPolicy::default(), entries.clone());
        let mut device = Device::power_up(Simulator::new(), credentials, &[5; 16]).unwrap();
        device.boot(None).unwrap();
        device
    };
    let config = image("config", 1);
    // An author who only proposes what the image is and where: whoever depends on the manifest says it first.
    let proposing = {
        let mut manifest = part("config", 1, &config, "#config");
        let ids = [Parameter::VendorId(VendorId::Uuid(vendor())), Parameter::ClassId(class())];
        let proposed = [
            Parameter::ImageDigest(digest(&config)),
            Parameter::ImageSize(config.len() as u64),
            Parameter::Uri("#config"),
        ];
        let shared = seq()
            .override_parameters(&ids)
            .set_parameters(&proposed)
            .condition(Condition::VendorIdentifier, ALWAYS)
            .condition(Condition::ClassIdentifier, ALWAYS);
        manifest.shared(shared);
        let fetch = seq().directive(Directive::Fetch, ALWAYS).condition(Condition::ImageMatch, ALWAYS);
        manifest.section(Section::Install, fetch);
        signed(&manifest, &author(), &[("#config", &config)])
    };
    let brought = |evil: Option<&[u8]>| {
        let mut manifest = ManifestBuilder::new(1);
        manifest.component(place("config")).dependency(0, None);
        let mut named = seq()
            .component(0)
            .override_parameters(&[
                Parameter::ImageDigest(manifest_digest(&proposing)),
                Parameter::VendorId(VendorId::Uuid(vendor())),
                Parameter::ClassId(class()),
            ])
            .condition(Condition::VendorIdentifier, ALWAYS)
            .condition(Condition::ClassIdentifier, ALWAYS);
        if let Some(evil) = evil {
            manifest.component(component("config"));
            let instead = [
                Parameter::ImageDigest(digest(evil)),
                Parameter::ImageSize(evil.len() as u64),
                Parameter::Uri("#evil"),
            ];
            named = named.component(1).override_parameters(&instead);
        }
        manifest.shared(named);
        let processed = seq()
            .component(0)
            .condition(Condition::DependencyIntegrity, ALWAYS)
            .directive(Directive::ProcessDependency, ALWAYS);
        let fetched = seq()
            .component(0)
            .override_parameters(&[Parameter::Uri("#inner")])
            .directive(Directive::Fetch, ALWAYS)
            .then(&processed);
        manifest.section(Section::DependencyResolution, fetched);
        manifest.section(Section::Install, processed.clone());
        manifest.section(Section::Validate, processed);
        manifest
    };
    let as_distributor = |evil: Option<&[u8]>| {
        let mut payloads: Vec<(&str, &[u8])> = vec![("#inner", &proposing)];
        payloads.extend(evil.map(|evil| ("#evil", evil)));
        signed(&brought(evil), &distributor, &payloads)
    };
    let mut believing = device();
    installed(&mut believing, &as_distributor(None));
    assert_eq!(believing.state().floors.len(), 1);
    // What it promises of an image counts for nothing, though its own checks and those of the author are met.
    let evil: &[u8] = b"an image of the distributor's";
    assert_eq!(refusal(&mut device(), &as_distributor(Some(evil))).code(), "component-unchecked");
    // An author may do that.
    let by_author = signed(&brought(Some(evil)), &author(), &[("#inner", &proposing), ("#evil", evil)]);
    installed(&mut device(), &by_author);
    // And without an author below it there is nothing it could say.
    let own = signed(&part("config", 1, &config, "#config"), &distributor, &[("#config", &config)]);
    assert_eq!(refusal(&mut device(), &own).code(), "beyond-distribution");
}
