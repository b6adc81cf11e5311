use super::*;
use crate::{Boot, InstallError, Offer, Standing, TRIAL_BOOTS};

fn number(boot: Boot) -> Option<u64> {
    match boot {
        Boot::Release(running) => Some(running.sequence),
        Boot::Recovery => None,
    }
}

fn offer(envelope: &[u8]) -> Offer {
    Offer { manifest: manifest_digest(envelope), envelope: digest(envelope), size: envelope.len() as u64 }
}

#[test]
fn a_fresh_device_boots_to_recovery_and_takes_its_first_release() {
    let mut device = device();
    assert_eq!(device.boot(None), Ok(Boot::Recovery));
    device.install(&release(1), None, None).unwrap();
    let Ok(Boot::Release(running)) = device.boot(None) else { panic!("no boot") };
    assert!(running.on_trial);
    assert_eq!(running.start.map(|start| start.component), Some(0));
    assert_eq!(device.state().sequence, 0, "not before it has proved itself");
    device.commit().unwrap();
    assert_eq!(device.state().sequence, 1);
    assert_eq!(device.state().boot_count, 2);
}

#[test]
fn a_trial_that_is_never_committed_ends_after_its_boots() {
    let mut device = running(1);
    device.install(&release(2), None, None).unwrap();
    for _ in 0..TRIAL_BOOTS {
        assert_eq!(device.boot(None).map(number), Ok(Some(2)));
        device = wake(device.into_storage());
    }
    assert_eq!(device.boot(None).map(number), Ok(Some(1)));
    assert_eq!(device.state().refusals.last().map(|refusal| refusal.code.as_str()), Some("trial-timeout"));
    assert_eq!(device.state().sequence, 1);
}

#[test]
fn nothing_is_installed_while_a_release_is_on_trial() {
    let mut device = running(1);
    device.install(&release(2), None, None).unwrap();
    let before = contents(device.storage());
    let Err(InstallError::Refused(fault)) = device.install(&release(3), None, None) else {
        panic!("the way back is gone");
    };
    assert_eq!(fault.code(), "trial-pending");
    assert_eq!(contents(device.storage()), before);
    assert!(device.state().refusals.is_empty(), "it says nothing about the release");
}

#[test]
fn a_damaged_trial_is_never_started() {
    for area in [Area::Image(Slot::A, 0), Area::Image(Slot::A, 1), Area::Manifest(Slot::A)] {
        let mut device = running(1);
        assert_eq!(device.running().map(|running| running.slot), Some(Slot::B));
        device.install(&release(2), None, None).unwrap();
        damage(device.storage_mut(), area);
        assert_eq!(device.boot(None).map(number), Ok(Some(1)), "{area:?}");
        assert!(device.state().trial.is_none());
    }
}

#[test]
fn a_damaged_committed_release_falls_back_to_the_other_and_is_cured_by_the_same() {
    let mut device = running(1);
    device.install(&release(2), None, None).unwrap();
    device.boot(None).unwrap();
    device.commit().unwrap();
    damage(device.storage_mut(), Area::Image(Slot::A, 0));

    let mut device = wake(device.into_storage());
    assert_eq!(device.boot(None).map(number), Ok(Some(1)));
    assert_eq!(device.state().sequence, 2, "falling back lowers no number");
    assert_eq!(device.state().refusals.last().map(|refusal| refusal.code.as_str()), Some("digest-mismatch"));

    let again = release(2);
    assert_eq!(device.assess(&offer(&again)), Ok(Standing::Wanted));
    device.install(&again, None, None).unwrap();
    assert_eq!(device.boot(None).map(number), Ok(Some(2)));
    device.commit().unwrap();
    device.install(&release(1), None, None).unwrap_err();
}

#[test]
fn a_running_release_that_was_tampered_with_is_wanted_again_and_an_intact_one_is_not() {
    let mut device = running(1);
    let same = release(1);
    assert_eq!(device.assess(&offer(&same)), Ok(Standing::Installed));
    damage(device.storage_mut(), Area::Image(Slot::B, 0));
    assert_eq!(device.is_intact(), Ok(false));
    assert_eq!(device.assess(&offer(&same)), Ok(Standing::Wanted));
    device.install(&same, None, None).unwrap();
    assert_eq!(device.boot(None).map(number), Ok(Some(1)));
    assert_eq!(device.is_intact(), Ok(true));
    device.commit().unwrap();
    assert_eq!(device.running().map(|running| running.slot), Some(Slot::A));
}

#[test]
fn with_both_slots_damaged_it_recovers_by_the_committed_release() {
    let mut device = running(1);
    device.install(&release(2), None, None).unwrap();
    device.boot(None).unwrap();
    device.commit().unwrap();
    for slot in [Slot::A, Slot::B] {
        damage(device.storage_mut(), Area::Image(slot, 1));
    }
    assert_eq!(device.boot(None), Ok(Boot::Recovery));
    device.install(&release(1), None, None).unwrap_err();
    device.install(&release(2), None, None).unwrap();
    assert_eq!(device.boot(None).map(number), Ok(Some(2)));
}

#[test]
fn a_release_of_an_author_who_is_no_longer_listed_does_not_boot() {
    let storage = running(1).into_storage();
    let others = vec![authority(&key(3), "new author", suit::Role::Author)];
    let credentials = credentials_with(suit::AuthorityPolicy::default(), others);
    let mut device = Device::power_up(storage, credentials, &[5; 16]).unwrap();
    assert_eq!(device.boot(None), Ok(Boot::Recovery));
    assert_eq!(device.state().refusals.last().map(|refusal| refusal.code.as_str()), Some("unknown-signer"));
}

#[test]
fn a_manifest_swapped_for_another_valid_one_does_not_boot() {
    let mut device = running(1);
    let other = release(2);
    let stripped = Envelope::decode(&other).unwrap().strip_payloads();
    let area = Area::Manifest(Slot::B);
    device.storage_mut().erase(area).unwrap();
    device.storage_mut().append(area, &stripped).unwrap();
    assert_eq!(device.boot(None), Ok(Boot::Recovery));
}
