//! Where dependencies come from, and who brings them.

use suit::PlatformError;

use super::{super::watched::Watched, *};

#[test]
fn a_fetched_dependency_comes_once_and_its_images_from_where_it_says() {
    let (app, config) = (image("app", 5), vec![7; 100_000]);
    let (at, image_at) = ("https://maker.example/config.suit", "https://maker.example/config.bin");
    let inner = signed(&part("config", 1, &config, image_at), &author(), &[]);
    let manifest = root(5, &app, &[(place("config"), manifest_digest(&inner), at)]);
    let envelope = signed(&manifest, &author(), &[("#app", &app)]);
    let server = |left| Watched::new(&envelope, left).serving(at, &inner).serving(image_at, &config);
    let mut device = running(3);
    // A server that breaks off while it gives the dependency costs nothing.
    let before = contents(device.storage());
    let broken = server(inner.len() / 2).install_into(&mut device);
    assert_eq!(broken, Err(InstallError::Interrupted(PlatformError::Transport)));
    assert_eq!(contents(device.storage()), before);
    assert!(device.state().refusals.is_empty());
    // One that breaks off in the image has it gone on with.
    let broken = server(inner.len() + 40_000).install_into(&mut device);
    assert_eq!(broken, Err(InstallError::Interrupted(PlatformError::Transport)));
    let mut whole = server(usize::MAX);
    whole.install_into(&mut device).unwrap();
    let opened = [(at, 0), (image_at, 40_000), ("", 0)].map(|(uri, offset)| (uri.to_owned(), offset));
    assert_eq!(whole.opened, opened);
    let Ok(Boot::Release(now)) = device.boot(None) else { panic!("it does not run") };
    assert_eq!(stored(&device, Area::Image(now.slot, 1)), config);

    // An origin that the device does not go to is refused as for any payload.
    let mut device = running(3);
    let mut other = Watched::new(&envelope, usize::MAX).serving(image_at, &config);
    let refused = other.install_into(&mut device);
    let Err(InstallError::Refused(fault)) = refused else { panic!("{refused:?}") };
    assert_eq!((fault.code(), other.opened.len()), ("denied-by-device", 0));
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
