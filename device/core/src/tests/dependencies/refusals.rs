//! What is refused, for which reason, and up to which bounds it is not.

use suit::limits::{MAX_DEPENDENCY_DEPTH, MAX_DEPENDENCY_LEN};

use super::*;

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
            manifest.shared(identified_first(b"leaf"));
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
        manifest.shared(identified_first(b"leaf"));
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
        manifest.shared(identified_first(b"leaf"));
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
