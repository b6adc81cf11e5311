//! The proof of the two invariants: the power fails at every write of a device's life, in every way.

use super::*;
use crate::{Boot, InstallError, StateError, simulator::Loss, simulator::PowerCut};

/// What a life has promised so far.
#[derive(Clone, Copy, Debug, Default)]
struct Promise {
    committed: u64,
}

struct Life {
    device: Option<Device<Simulator>>,
    promise: Promise,
    releases: Vec<Vec<u8>>,
}

type Cut = StateError<PowerCut>;

impl Life {
    fn new(storage: Simulator, releases: &[Vec<u8>]) -> Self {
        Self { device: Some(wake(storage)), promise: Promise::default(), releases: releases.to_vec() }
    }

    fn device(&mut self) -> &mut Device<Simulator> {
        self.device.as_mut().expect("a life has a device")
    }

    fn boot(&mut self) -> Result<Boot, Cut> {
        let storage = self.device.take().expect("a life has a device").into_storage();
        self.device = Some(Device::power_up(storage, credentials(), &[5; 16])?);
        self.device().boot(None)
    }

    fn install(&mut self, number: u64) -> Result<(), Cut> {
        let release = self.releases[number as usize].clone();
        match self.device().install(&release, None, None) {
            Ok(_) => Ok(()),
            Err(InstallError::Device(error)) => Err(error),
            // After a cut that the life goes on from, some steps have been done before.
            Err(InstallError::Refused(_) | InstallError::Interrupted(_)) => Ok(()),
        }
    }

    fn commit(&mut self) -> Result<(), Cut> {
        self.device().commit()?;
        self.promise.committed = self.device().state().sequence;
        Ok(())
    }

    /// Install, trial boot, commit; a second; the same again; one that is reverted; one whose trial runs out; one that
    /// is refused.
    fn live(&mut self) -> Result<(), Cut> {
        self.boot()?;
        for number in [1, 2, 2] {
            self.install(number)?;
            self.boot()?;
            self.commit()?;
        }
        self.install(3)?;
        self.boot()?;
        self.device().revert()?;
        self.boot()?;
        self.install(4)?;
        for _ in 0..4 {
            self.boot()?;
        }
        self.install(1)?;
        self.install(5)?;
        self.boot()?;
        self.commit()
    }
}

/// What must hold whenever the power comes back.
fn check(storage: Simulator, promise: Promise, releases: &[Vec<u8>], when: &str) -> Device<Simulator> {
    let mut device = wake(storage);
    for slot in [Slot::A, Slot::B] {
        if let Some(installed) = device.state().installed(slot) {
            check_whole(device.storage(), slot, installed.sequence, when);
        }
    }
    let boot = device.boot(None).unwrap_or_else(|error| panic!("{when}: {error:?}"));
    let sequence = device.state().sequence;
    assert!(sequence >= promise.committed, "{when}: {sequence} fell below {}", promise.committed);
    match boot {
        Boot::Release(running) => {
            let number = running.sequence;
            assert_eq!(running.manifest, manifest_digest(&releases[number as usize]), "{when}");
            check_whole(device.storage(), running.slot, number, when);
            assert!(
                running.on_trial || number == sequence,
                "{when}: {number} runs and {sequence} was committed"
            );
        }
        Boot::Recovery => assert_eq!(promise.committed, 0, "{when}: a committed release is gone"),
    }
    device
}

/// A slot holds every image of the release with this number.
fn check_whole(storage: &Simulator, slot: Slot, number: u64, when: &str) {
    for (index, name) in (0..).zip(["app", "config"]) {
        let stored = read_all(storage, Area::Image(slot, index), usize::MAX).unwrap().unwrap();
        assert!(stored == image(name, number), "{when}: {name} in slot {slot:?} is not that of {number}");
    }
}

/// Whatever happened, the device can still be updated.
fn check_updatable(mut device: Device<Simulator>, releases: &[Vec<u8>], when: &str) {
    if device.running().is_some_and(|running| running.on_trial) {
        device.revert().unwrap();
        device.boot(None).unwrap();
    }
    device.install(&releases[6], None, None).unwrap_or_else(|error| panic!("{when}: {error:?}"));
    assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == 6), "{when}");
    device.commit().unwrap();
}

#[test]
fn a_cut_at_any_write_leaves_a_verified_image_and_no_lower_number() {
    let releases: Vec<Vec<u8>> = (0..=6).map(release).collect();
    let mut cuts = 0;
    for loss in Loss::ALL {
        for cut in 0.. {
            let when = format!("write {cut}, loss {loss:?}");
            let mut life = Life::new(Simulator::new().cut_after(cut, loss), &releases);
            let ended = life.live();
            let survivor = match life.device.take() {
                Some(device) => device.into_storage().power_up(),
                None => panic!("{when}: reading the boot record failed"),
            };
            let device = check(survivor, life.promise, &releases, &when);
            if ended.is_ok() {
                break;
            }
            cuts += 1;
            if cut % 7 == 0 {
                check_updatable(device, &releases, &when);
            }
        }
    }
    println!("{cuts} power cuts tried, one at every write of a life of seven installations");
    assert!(cuts > 300, "{cuts}");
}

#[test]
fn cuts_on_top_of_cuts_leave_a_verified_image_and_no_lower_number() {
    let releases: Vec<Vec<u8>> = (0..=6).map(release).collect();
    // A fixed sequence of a linear congruential generator, so that a failure can be repeated.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    let mut cuts = 0;
    for round in 0..40 {
        let mut storage = Simulator::new();
        let mut promise = Promise::default();
        for depth in 0..6 {
            let loss = Loss::ALL[random(4) as usize];
            let cut = random(60) as usize;
            let when = format!("round {round}, depth {depth}, write {cut}, loss {loss:?}");
            let mut life = Life::new(storage.cut_after(cut, loss), &releases);
            life.promise = promise;
            let ended = life.live();
            promise = life.promise;
            storage = life.device.take().expect("reading is never cut alone").into_storage().power_up();
            check(storage.clone(), promise, &releases, &when);
            if ended.is_ok() {
                break;
            }
            cuts += 1;
        }
    }
    println!("{cuts} power cuts tried on top of each other");
    assert!(cuts > 100, "{cuts}");
}
