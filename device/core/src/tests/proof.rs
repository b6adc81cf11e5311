//! The proof of the two invariants for every strategy: the power fails at every write, and then once more at every write
//! of the boot that recovers.

use std::{collections::HashSet, hash::Hash as _, hash::Hasher as _};

use suit::{Condition, Directive, Parameter, ReportingPolicy, Section, SequenceBuilder};

use super::{watched::Watched, *};
use crate::{
    Boot, InstallError, Journal, StateError,
    simulator::{Loss, PowerCut},
};

type Cut = StateError<PowerCut>;

/// What happens to a device, from a state on that it is in.
struct Scenario {
    name: &'static str,
    layout: Layout,
    /// Number of the release that runs at first; none at zero.
    before: u64,
    act: fn(&mut Life) -> Result<(), Cut>,
}

/// Small, so that every write is affordable: three pieces and one.
fn small(name: &str, number: u64) -> Vec<u8> {
    let len = if name == "app" { 9000 } else { 100 };
    format!("{name} {number} ").bytes().cycle().take(len).collect()
}

/// What `config` is in a release: the third one takes it from the second.
fn config_of(number: u64) -> u64 {
    if number == COPYING { 2 } else { number }
}

/// Whether a release gets `config` by a manifest of its own, which it depends on. That has the same number.
fn depends(number: u64) -> bool {
    (4..=6).contains(&number) || number == 10
}

fn small_inner(number: u64) -> Vec<u8> {
    dependencies::inner(number, &small("config", number))
}

/// The release that copies a component from the one before it.
const COPYING: u64 = 3;
const ALWAYS: ReportingPolicy = ReportingPolicy::ALWAYS;

fn parameters(image: &[u8]) -> [Parameter<'static>; 2] {
    [Parameter::ImageDigest(digest(image)), Parameter::ImageSize(image.len() as u64)]
}

/// A release whose images are small; it can be uninstalled.
fn small_release(number: u64) -> Vec<u8> {
    if depends(number) {
        return dependencies::depending(number, &small("app", number), &small_inner(number));
    }
    let mut recipe = recipe(number);
    for (image, name) in recipe.images.iter_mut().zip(["app", "config"]) {
        let content = small(name, if name == "config" { config_of(number) } else { number });
        image.variants[0].digest = digest(&content);
        image.variants[0].size = content.len() as u64;
    }
    let mut manifest = recipe.manifest().unwrap();
    let unlink =
        |sequence: SequenceBuilder, index| sequence.component(index).directive(Directive::Unlink, ALWAYS);
    manifest.section(Section::Uninstall, unlink(unlink(SequenceBuilder::new(), 0), 1));
    if number == COPYING {
        manifest.component(ComponentId::new(&["config", "running"]).unwrap());
        let app = small("app", number);
        let install = SequenceBuilder::new()
            .component(0)
            .override_parameters(&[Parameter::Uri("#app")])
            .override_parameters(&parameters(&app))
            .directive(Directive::Fetch, ALWAYS)
            .condition(Condition::ImageMatch, ALWAYS)
            .component(1)
            .override_parameters(&[Parameter::SourceComponent(2)])
            .directive(Directive::Copy, ALWAYS)
            .condition(Condition::ImageMatch, ALWAYS);
        manifest.section(Section::Install, install);
    }
    let mut envelope = manifest.build(HashAlgorithm::Sha256).unwrap();
    envelope.payload("#app", &small("app", number));
    if number != COPYING {
        envelope.payload("#config", &small("config", number));
    }
    envelope.sign(&author(), Some(b"author"));
    envelope.to_bytes()
}

struct Life {
    device: Option<Device<Simulator>>,
    layout: Layout,
    /// The sequence number that was acknowledged as committed.
    committed: u64,
    /// The same of the manifest about `config` that was depended on.
    committed_inner: u64,
    /// Whether somebody asked for a release to be removed.
    removing: bool,
}

impl Life {
    fn new(storage: Simulator, layout: Layout) -> Self {
        let device = Some(wake_as(storage, layout).expect("nothing is written yet"));
        Self { device, layout, committed: 0, committed_inner: 0, removing: false }
    }

    fn device(&mut self) -> &mut Device<Simulator> {
        self.device.as_mut().expect("a life has a device")
    }

    fn storage(self) -> Simulator {
        self.device.expect("a life has a device").into_storage()
    }

    fn boot(&mut self) -> Result<Boot, Cut> {
        let storage = self.device.take().expect("a life has a device").into_storage();
        let kept = storage.clone();
        match wake_as(storage, self.layout) {
            Ok(device) => self.device = Some(device),
            Err(error) => {
                // The power is gone, and what was written is not.
                self.device = Some(gone(kept, self.layout));
                return Err(error);
            }
        }
        self.device().boot(None)
    }

    fn install(&mut self, number: u64) -> Result<(), Cut> {
        let release = small_release(number);
        let result = self.device().install(&release, None, None);
        ended(result)
    }

    fn install_with_break(&mut self, number: u64, left: usize) -> Result<(), Cut> {
        let release = small_release(number);
        ended(Watched::new(&release, left).install_into(self.device()))
    }

    fn commit(&mut self) -> Result<(), Cut> {
        if self.device().running().is_none() {
            return Ok(());
        }
        self.device().commit()?;
        self.committed = self.device().state().sequence;
        self.committed_inner = floor(self.device());
        Ok(())
    }

    fn uninstall(&mut self, number: u64) -> Result<(), Cut> {
        self.removing = true;
        let manifest = manifest_digest(&small_release(number));
        let result = self.device().uninstall(&manifest, None);
        ended(result)
    }
}

/// What the next manifest about `config` must follow.
fn floor(device: &Device<Simulator>) -> u64 {
    device.state().floors.iter().map(|floor| floor.sequence).max().unwrap_or_default()
}

/// A refusal is no failure of the power; after a cut some steps have been done before.
fn ended<T>(result: Result<T, InstallError<PowerCut>>) -> Result<(), Cut> {
    match result {
        Err(InstallError::Device(error)) => Err(error),
        _ => Ok(()),
    }
}

fn wake_as(storage: Simulator, layout: Layout) -> Result<Device<Simulator>, Cut> {
    let mut credentials = credentials();
    credentials.identity.layout = layout;
    Device::power_up(storage, credentials, &[5; 16])
}

/// A device that is off, to keep its storage in.
fn gone(storage: Simulator, layout: Layout) -> Device<Simulator> {
    let mut device = wake_as(Simulator::new(), layout).expect("empty storage");
    *device.storage_mut() = storage;
    device
}

/// What must hold whenever the power comes back. What the device then is, is returned.
fn check(storage: Simulator, life: &Life, when: &str) -> Device<Simulator> {
    let mut device = wake_as(storage, life.layout).unwrap_or_else(|error| panic!("{when}: {error:?}"));
    let moving =
        matches!(device.state().journal, Some(Journal::Swapping { .. } | Journal::Uninstalling { .. }));
    for slot in Slot::ALL {
        if let Some(installed) = device.state().installed(slot).filter(|_| !moving) {
            check_whole(device.storage(), slot, installed.sequence, when);
        }
    }
    let boot = device.boot(None).unwrap_or_else(|error| panic!("{when}: {error:?}"));
    let sequence = device.state().sequence;
    assert!(sequence >= life.committed, "{when}: {sequence} fell below {}", life.committed);
    let below = floor(&device);
    assert!(below >= life.committed_inner, "{when}: {below} fell below {}", life.committed_inner);
    match boot {
        Boot::Release(running) => {
            let number = running.sequence;
            assert_eq!(running.manifest, manifest_digest(&small_release(number)), "{when}");
            let others = running.dependencies.iter().map(|other| (other.component, other.manifest));
            let wanted = depends(number).then(|| (1, manifest_digest(&small_inner(number))));
            assert_eq!(others.collect::<Vec<_>>(), Vec::from_iter(wanted), "{when}");
            assert!(life.layout == Layout::InTurn || running.slot == Slot::A, "{when}");
            check_whole(device.storage(), running.slot, number, when);
            assert!(
                running.on_trial || number == sequence || life.removing,
                "{when}: {number} runs and {sequence} was committed"
            );
        }
        Boot::Recovery => {
            assert!(life.committed == 0 || life.removing, "{when}: a committed release is gone");
        }
    }
    device
}

/// A slot holds every image of the release with this number.
fn check_whole(storage: &Simulator, slot: Slot, number: u64, when: &str) {
    for (index, name) in (0..).zip(["app", "config"]) {
        let stored = read_all(storage, Area::Image(slot, index), usize::MAX).unwrap().unwrap();
        let wanted = small(name, if name == "config" { config_of(number) } else { number });
        assert!(stored == wanted, "{when}: {name} in slot {slot:?} is not that of {number}");
    }
    let stored = read_all(storage, Area::Dependency(slot, 1), usize::MAX).unwrap().unwrap();
    let wanted = if depends(number) { small_inner(number) } else { Vec::new() };
    assert!(stored == wanted, "{when}: the manifest about config in slot {slot:?} is not that of {number}");
}

/// Whatever happened, the device takes the next release.
fn check_updatable(mut device: Device<Simulator>, when: &str) {
    if device.running().is_some_and(|running| running.on_trial) {
        device.revert().unwrap();
        device.boot(None).unwrap();
    }
    let next = if device.state().floors.is_empty() { 9 } else { 10 };
    device.install(&small_release(next), None, None).unwrap_or_else(|error| panic!("{when}: {error:?}"));
    assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == next), "{when}");
    device.commit().unwrap();
}

/// A device that runs a release, as it is when a scenario begins.
fn prepared(scenario: &Scenario) -> Life {
    let mut life = Life::new(Simulator::new(), scenario.layout);
    life.boot().unwrap();
    if scenario.before > 0 {
        life.install(scenario.before).unwrap();
        life.boot().unwrap();
        life.commit().unwrap();
    }
    life
}

fn fingerprint(storage: &Simulator, life: &Life) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    storage.fingerprint(&mut hasher);
    (life.committed, life.committed_inner, life.removing).hash(&mut hasher);
    hasher.finish()
}

/// Cuts at every write of a scenario in every way, and then at every write of the boot after that. What two cuts leave
/// alike is looked at once.
fn prove(scenario: &Scenario) {
    let start = prepared(scenario);
    let known = (start.committed, start.committed_inner, start.removing);
    let storage = start.storage().power_up();
    let (mut singles, mut pairs) = (0, 0);
    let (mut survivors, mut judged) = (HashSet::new(), HashSet::new());
    for loss in Loss::ALL {
        for cut in 0.. {
            let when = format!("{}, write {cut}, loss {loss:?}", scenario.name);
            let mut life = Life::new(storage.clone().cut_after(cut, loss), scenario.layout);
            (life.committed, life.committed_inner, life.removing) = known;
            let ended = (scenario.act)(&mut life);
            let survivor = life.device().storage().power_up();
            let device = check(survivor.clone(), &life, &when);
            if ended.is_ok() {
                break;
            }
            singles += 1;
            if !survivors.insert(fingerprint(&survivor, &life)) {
                continue;
            }
            if survivors.len() % 4 == 1 {
                check_updatable(device, &when);
            }
            // The same device once more, with a cut at every write until it runs.
            let mut again = Life::new(survivor.recording(), scenario.layout);
            (again.committed, again.committed_inner, again.removing) =
                (life.committed, life.committed_inner, life.removing);
            again.boot().unwrap_or_else(|error| panic!("{when}: {error:?}"));
            let left = again.device().storage_mut().take_recorded();
            pairs += left.len();
            for (number, survivor) in left.into_iter().enumerate() {
                if judged.insert(fingerprint(&survivor, &again)) {
                    let ways = Loss::ALL.len();
                    let (write, loss) = (number / ways, Loss::ALL[number % ways]);
                    check(
                        survivor,
                        &again,
                        &format!("{when}, then write {write} of the recovery, loss {loss:?}"),
                    );
                }
            }
        }
    }
    let states = survivors.len() + judged.len();
    println!("{}: {singles} power cuts, {pairs} pairs of them, {states} different states", scenario.name);
    assert!(singles >= 20 && pairs >= 100, "{singles}, {pairs}");
}

fn update(life: &mut Life) -> Result<(), Cut> {
    life.install(2)?;
    life.boot()?;
    life.commit()
}

fn update_and_revert(life: &mut Life) -> Result<(), Cut> {
    life.install(2)?;
    life.boot()?;
    life.device().revert()?;
    life.boot()?;
    Ok(())
}

#[test]
fn a_first_installation_survives_every_pair_of_cuts() {
    prove(&Scenario { name: "first installation", layout: Layout::InTurn, before: 0, act: update });
}

#[test]
fn an_upgrade_of_two_components_survives_every_pair_of_cuts() {
    prove(&Scenario { name: "upgrade", layout: Layout::InTurn, before: 1, act: update });
}

#[test]
fn a_resumed_upgrade_survives_every_pair_of_cuts() {
    let act = |life: &mut Life| {
        life.install_with_break(2, 5000)?;
        update(life)
    };
    prove(&Scenario { name: "resumed upgrade", layout: Layout::InTurn, before: 1, act });
}

#[test]
fn a_revert_survives_every_pair_of_cuts() {
    prove(&Scenario { name: "revert", layout: Layout::InTurn, before: 1, act: update_and_revert });
}

#[test]
fn a_swap_survives_every_pair_of_cuts() {
    prove(&Scenario { name: "swap", layout: Layout::Swap, before: 1, act: update });
}

#[test]
fn a_swap_back_survives_every_pair_of_cuts() {
    prove(&Scenario { name: "swap back", layout: Layout::Swap, before: 1, act: update_and_revert });
}

#[test]
fn a_copy_from_the_other_slot_survives_every_pair_of_cuts() {
    let act = |life: &mut Life| {
        life.install(COPYING)?;
        life.boot()?;
        life.commit()
    };
    for (name, layout) in [("copy", Layout::InTurn), ("copy and swap", Layout::Swap)] {
        prove(&Scenario { name, layout, before: 2, act });
    }
}

#[test]
fn an_uninstallation_survives_every_pair_of_cuts() {
    let act = |life: &mut Life| {
        update(life)?;
        life.uninstall(1)?;
        life.uninstall(2)?;
        life.boot()?;
        Ok(())
    };
    prove(&Scenario { name: "uninstallation", layout: Layout::InTurn, before: 1, act });
    prove(&Scenario { name: "uninstallation with swap", layout: Layout::Swap, before: 1, act });
}

/// The release with this number, to its end.
fn take(life: &mut Life, number: u64) -> Result<(), Cut> {
    life.install(number)?;
    life.boot()?;
    life.commit()
}

#[test]
fn a_first_installation_with_a_dependency_survives_every_pair_of_cuts() {
    let act = |life: &mut Life| take(life, 4);
    prove(&Scenario { name: "first with a dependency", layout: Layout::InTurn, before: 0, act });
}

#[test]
fn updates_to_between_and_from_releases_with_dependencies_survive_every_pair_of_cuts() {
    for (name, layout, before, act) in [
        (
            "update to a dependency",
            Layout::InTurn,
            1,
            (|life: &mut Life| take(life, 4)) as fn(&mut Life) -> Result<(), Cut>,
        ),
        ("update of a dependency", Layout::InTurn, 4, |life| take(life, 5)),
        ("swap of a dependency", Layout::Swap, 4, |life| take(life, 5)),
        ("update from a dependency", Layout::InTurn, 4, |life| take(life, 9)),
    ] {
        prove(&Scenario { name, layout, before, act });
    }
}

#[test]
fn a_resumed_update_of_a_dependency_survives_every_pair_of_cuts() {
    let act = |life: &mut Life| {
        life.install_with_break(5, 5000)?;
        take(life, 5)
    };
    prove(&Scenario { name: "resumed update of a dependency", layout: Layout::InTurn, before: 4, act });
}

#[test]
fn a_revert_to_a_release_with_a_dependency_survives_every_pair_of_cuts() {
    let act = |life: &mut Life| {
        life.install(5)?;
        life.boot()?;
        life.device().revert()?;
        life.boot()?;
        Ok(())
    };
    prove(&Scenario { name: "revert of a dependency", layout: Layout::InTurn, before: 4, act });
    prove(&Scenario { name: "swap back of a dependency", layout: Layout::Swap, before: 4, act });
}

#[test]
fn an_uninstallation_with_dependencies_survives_every_pair_of_cuts() {
    let act = |life: &mut Life| {
        take(life, 5)?;
        life.uninstall(4)?;
        life.uninstall(5)?;
        life.boot()?;
        for slot in Slot::ALL {
            let left = read_all(life.device().storage(), Area::Dependency(slot, 1), usize::MAX)
                .map_err(StateError::Storage)?;
            assert_eq!(left, Some(Vec::new()), "something of it is left");
        }
        Ok(())
    };
    prove(&Scenario { name: "uninstallation of a dependency", layout: Layout::InTurn, before: 4, act });
    prove(&Scenario { name: "the same with swap", layout: Layout::Swap, before: 4, act });
}
