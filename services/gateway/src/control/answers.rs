//! What the gateway answers by itself, and how often: devices cut for violations, and those that are spared because so many
//! of their model were cut within the hour. Pure, and written down before the kernel follows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use trust::{Budget, Cap};

use crate::DeviceId;

/// Automatic answers to violations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Cuts within the hour, by model.
    budgets: BTreeMap<String, Budget>,
    /// Devices that are cut, each counted once while it strays.
    cut: BTreeSet<DeviceId>,
    spared: BTreeMap<DeviceId, Spared>,
}

/// A device that was not cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spared {
    /// MUD URL of its release.
    pub model: String,
    /// How many of the model may be cut within an hour.
    pub most: usize,
    /// Since when, in seconds since 1970.
    pub since: i64,
}

/// Answers as they are written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedAnswers {
    /// Times of cuts within the hour, by model.
    pub cuts: BTreeMap<String, Vec<i64>>,
    /// UEIDs of devices that are cut, hexadecimal.
    pub cut: Vec<String>,
    /// Devices that were not cut, by UEID.
    pub spared: BTreeMap<String, Spared>,
}

impl Answers {
    /// What was written down. What cannot be read of devices is left out; the cuts themselves count.
    pub fn restore(saved: &SavedAnswers) -> Self {
        let budget = |(model, cuts): (&String, &Vec<i64>)| (model.clone(), Budget::of(cuts.iter().copied()));
        let spared = saved.spared.iter().filter_map(|(id, spared)| Some((device(id)?, spared.clone())));
        Self {
            budgets: saved.cuts.iter().map(budget).collect(),
            cut: saved.cut.iter().filter_map(|id| device(id)).collect(),
            spared: spared.collect(),
        }
    }

    /// For the journal.
    pub fn saved(&self) -> SavedAnswers {
        let cuts = |(model, budget): (&String, &Budget)| (model.clone(), budget.cuts().collect());
        let spared = self.spared.iter().map(|(id, spared)| (id.to_string(), spared.clone()));
        SavedAnswers {
            cuts: self.budgets.iter().map(cuts).collect(),
            cut: self.cut.iter().map(DeviceId::to_string).collect(),
            spared: spared.collect(),
        }
    }

    /// Whether a device is not to be cut for violations.
    pub fn spares(&self, device: &DeviceId) -> bool {
        self.spared.contains_key(device)
    }

    /// Devices that are not cut.
    pub fn spared(&self) -> &BTreeMap<DeviceId, Spared> {
        &self.spared
    }

    /// Until when a device is spared whatever it does, in seconds since 1970.
    pub fn spared_until(&self, device: &DeviceId) -> Option<i64> {
        self.spared.get(device).map(|spared| spared.since.saturating_add(Budget::SPAN))
    }

    /// Answers a device that is to be cut for violations: it is counted, or spared from now on. `fleet` gives how many devices
    /// its model has. Says whether anything changed.
    pub fn cut(
        &mut self,
        device: &DeviceId,
        model: &str,
        cap: Cap,
        fleet: impl FnOnce() -> usize,
        now: i64,
    ) -> bool {
        if self.cut.contains(device) || self.spares(device) {
            return false;
        }
        let most = cap.of(fleet());
        let budget = self.budgets.entry(model.to_owned()).or_default();
        if budget.spend(most, now) {
            self.cut.insert(device.clone());
        } else {
            self.spared.insert(device.clone(), Spared { model: model.to_owned(), most, since: now });
        }
        self.budgets.retain(|_, budget| !budget.is_empty());
        true
    }

    /// A device does not stray any more. Says whether anything changed. One that was spared stays so for an hour: a process
    /// that begins anew has forgotten what was seen.
    pub fn settle(&mut self, device: &DeviceId, now: i64) -> bool {
        let over = self.spared_until(device).is_some_and(|until| until <= now);
        (over && self.spared.remove(device).is_some()) | self.cut.remove(device)
    }
}

fn device(ueid: &str) -> Option<DeviceId> {
    DeviceId::new(&super::hex::unhex(ueid)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const CAP: Cap = Cap { least: 2, percent: 10 };

    fn id(number: u8) -> DeviceId {
        DeviceId::new(&[number]).unwrap()
    }

    #[test]
    fn cuts_are_counted_by_model_and_what_is_beyond_them_is_spared() {
        let mut answers = Answers::default();
        let cut = |answers: &mut Answers, number, model| answers.cut(&id(number), model, CAP, || 10, NOW);
        for number in 1..=4 {
            assert!(cut(&mut answers, number, "cam"));
            assert!(!cut(&mut answers, number, "cam"), "each counts once");
        }
        assert_eq!(answers.spared().keys().cloned().collect::<Vec<_>>(), [id(3), id(4)]);
        assert_eq!(answers.spared()[&id(3)], Spared { model: "cam".into(), most: 2, since: NOW });
        assert!(cut(&mut answers, 9, "lock") && !answers.spares(&id(9)), "another model has its own");
    }

    #[test]
    fn a_device_that_strays_again_counts_again_and_a_restart_forgets_no_cut() {
        let mut answers = Answers::default();
        assert!(answers.cut(&id(1), "cam", CAP, || 1, NOW));
        assert!(answers.settle(&id(1), NOW + 10) && !answers.settle(&id(1), NOW + 10));
        assert!(answers.cut(&id(1), "cam", CAP, || 1, NOW + 20) && !answers.spares(&id(1)));
        let saved: SavedAnswers =
            serde_json::from_slice(&serde_json::to_vec(&answers.saved()).unwrap()).unwrap();
        let mut answers = Answers::restore(&saved);
        assert_eq!(answers.saved(), saved);
        assert!(answers.settle(&id(1), NOW + 30));
        answers.cut(&id(1), "cam", CAP, || 1, NOW + 40);
        assert!(answers.spares(&id(1)), "the third within the hour");
        assert!(!answers.settle(&id(1), NOW + 50), "what is spared is so for an hour");
        assert_eq!(answers.spared_until(&id(1)), Some(NOW + 40 + Budget::SPAN));
        assert!(answers.settle(&id(1), NOW + 40 + Budget::SPAN) && !answers.spares(&id(1)));
    }

    #[test]
    fn a_large_fleet_has_its_share() {
        let mut answers = Answers::default();
        for number in 0..100 {
            answers.cut(&id(number), "cam", CAP, || 300, NOW);
        }
        assert_eq!(answers.spared().len(), 70);
    }
}
