//! What happens to a fleet, and to which of its devices: decided by the seed alone.

use std::time::Duration;

use super::seed::Seed;

/// How a fleet lives. Everything that a seed decides is the same in every run with that seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many devices there are.
    pub devices: u32,
    /// What their keys are made from. Whoever knows it has their keys: it is for simulations only.
    pub seed: u64,
    /// Between two attestations of a device, unless the server asks for an earlier one.
    pub attest: Duration,
    /// Between two polls of a device, unless the server asks for more patience.
    pub poll: Duration,
    /// How long it lives.
    pub life: Duration,
    /// Within which time its devices are switched on.
    pub ramp: Duration,
    /// How many exchanges there are at once; connections are kept open and shared.
    pub connections: usize,
    /// Of how many devices the image is changed behind their backs.
    pub changed: Share,
    /// When that happens.
    pub change_after: Duration,
    /// How many devices are switched off after a quarter of the time, and on again after half of it.
    pub vanishing: Share,
}

/// A part of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many devices.
    Devices(u32),
    /// So many in a hundred.
    Percent(u32),
}

impl Share {
    /// How many devices of a fleet that is.
    pub(crate) fn of(self, devices: u32) -> u32 {
        match self {
            Self::Devices(count) => count.min(devices),
            Self::Percent(percent) => {
                let count = u64::from(devices) * u64::from(percent.min(100));
                u32::try_from(count.div_ceil(100)).unwrap_or(devices)
            }
        }
    }
}

/// What happens to each device of a fleet, in milliseconds since it began.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    changed: Vec<bool>,
    change_at: u64,
    vanishing: Vec<bool>,
    gone: std::ops::Range<u64>,
}

impl Scenario {
    pub(crate) fn new(plan: &Plan) -> Self {
        let life = milliseconds(plan.life);
        Self {
            changed: pick(plan.seed, "changed", plan.devices, plan.changed),
            change_at: milliseconds(plan.change_after),
            vanishing: pick(plan.seed, "vanishing", plan.devices, plan.vanishing),
            gone: life / 4..life / 2,
        }
    }

    /// Whether the image of a device is to be changed by now.
    pub(crate) fn is_changed(&self, device: u32, now: u64) -> bool {
        now >= self.change_at && self.changed.get(device as usize).copied().unwrap_or_default()
    }

    /// When a device that is off now is switched on again.
    pub(crate) fn back_at(&self, device: u32, now: u64) -> Option<u64> {
        let vanishing = self.vanishing.get(device as usize).copied().unwrap_or_default();
        (vanishing && self.gone.contains(&now)).then_some(self.gone.end)
    }

    /// How many devices are switched off for a while.
    pub(crate) fn vanishing(&self) -> usize {
        self.vanishing.iter().filter(|vanishing| **vanishing).count()
    }
}

/// Milliseconds of a duration.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Picks a share of the devices, each as likely as any other.
fn pick(seed: u64, what: &str, devices: u32, share: Share) -> Vec<bool> {
    let mut lots: Vec<(u64, usize)> =
        (0..devices).map(|device| (Seed(seed).number(what, u64::from(device)), device as usize)).collect();
    lots.sort_unstable();
    let mut picked = vec![false; devices as usize];
    for (_, device) in lots.into_iter().take(share.of(devices) as usize) {
        picked[device] = true;
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan {
            devices: 1000,
            seed,
            attest: Duration::from_secs(60),
            poll: Duration::from_secs(60),
            life: Duration::from_secs(100),
            ramp: Duration::ZERO,
            connections: 1,
            changed: Share::Devices(7),
            change_after: Duration::from_secs(10),
            vanishing: Share::Percent(10),
        }
    }

    #[test]
    fn a_share_is_a_number_or_a_percentage_rounded_up() {
        for (share, of, count) in [
            (Share::Devices(7), 1000, 7),
            (Share::Devices(7), 5, 5),
            (Share::Percent(0), 1000, 0),
            (Share::Percent(1), 50, 1),
            (Share::Percent(200), 50, 50),
        ] {
            assert_eq!(share.of(of), count, "{share:?} of {of}");
        }
    }

    #[test]
    fn the_seed_decides_to_which_devices_it_happens() {
        let picked = |seed| {
            let scenario = Scenario::new(&plan(seed));
            (0..1000).filter(|device| scenario.is_changed(*device, 10_000)).collect::<Vec<_>>()
        };
        assert_eq!(picked(1).len(), 7);
        assert_eq!(picked(1), picked(1));
        assert_ne!(picked(1), picked(2));
    }

    #[test]
    fn devices_are_changed_from_a_time_on_and_off_between_two_times() {
        let scenario = Scenario::new(&plan(1));
        assert!(!(0..1000).any(|device| scenario.is_changed(device, 9999)));
        let off = |now| (0..1000).filter(|device| scenario.back_at(*device, now) == Some(50_000)).count();
        assert_eq!([24_999, 25_000, 49_999, 50_000].map(off), [0, 100, 100, 0]);
        assert_eq!(scenario.vanishing(), 100);
    }
}
