//! From the installation to the removal.

use eat::{Evidence, Nonce};
use suit::SignedReport;

use super::*;
use crate::Floor;

#[test]
fn a_release_with_a_dependency_is_installed_started_attested_reported_and_removed() {
    let mut device = running(3);
    let envelope = release_with(5, 1);
    let told = device.capabilities();
    let root = Envelope::decode(&envelope).unwrap().verify(device.authorities()).unwrap();
    assert!(suit::can_process(&told, &root).is_ok());
    device.install(&envelope, None, None).unwrap();
    let report = device.report().unwrap().unwrap();
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
        manifest.shared(identified_first(b"leaf"));
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
    let report = SignedReport::decode(&device.report().unwrap().unwrap())
        .unwrap()
        .verify(key(9).public_key(), None)
        .unwrap();
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
