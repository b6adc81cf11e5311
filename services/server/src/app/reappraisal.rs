//! Judging again: when releases, denied digests or rules change, the newest evidence of every device is held against what
//! is known now, in the background. Nobody has to attest again, and no signature is verified again: seals are.

use std::collections::{BTreeMap, BTreeSet};

use store::{Device, DeviceId, NewResult, Redecision, ResultRecord, Timestamp};
use trust::{Code, Outcome, Reason};

use crate::app::{
    App, Failure,
    appraisal::{Judged, Made},
    attestation::Open,
    criteria::{Basis, parse_digest},
    decisions::Around,
};

/// Devices judged at once: one transaction each.
const BATCH: u32 = 512;
/// Devices that the answer to a trial names.
const MAX_LISTED: usize = 1000;

/// What stays the same while every device is judged again.
struct Round {
    basis: Basis,
    around: Around,
    /// Devices that share a key, by its thumbprint.
    twins: BTreeMap<Vec<u8>, Vec<Device>>,
    now: Timestamp,
}

impl Round {
    fn twin(&self, device: &Device) -> Option<&str> {
        let twin = self.twins.get(&device.thumbprint)?.iter().find(|twin| twin.id != device.id)?;
        Some(&twin.name)
    }
}

impl App {
    /// Judges every device again, and decides again about each. Only what differs is stored; gives for how many.
    ///
    /// Whatever a person or a device does meanwhile is newer, and wins.
    pub(crate) async fn judge_all_again(&self) -> Result<usize, Failure> {
        let round = self.round().await?;
        let (mut after, mut changed) = (None, 0);
        loop {
            let batch = self.store.with_results(after.as_ref(), BATCH).await?;
            let Some((last, _)) = batch.last() else { return Ok(changed) };
            after = Some(last.id.clone());
            let mut renewed = Vec::new();
            for (device, record) in batch {
                renewed.extend(self.judge_in(&round, &device, record).await?);
            }
            if !renewed.is_empty() {
                changed += self.store.decide(renewed).await?;
            }
            // Whoever attests now is not kept waiting by a long round.
            tokio::task::yield_now().await;
        }
    }

    /// Judges one device again, and decides about it. Gives whether that changed anything.
    pub(crate) async fn reappraise(&self, device: &DeviceId) -> Result<bool, Failure> {
        let _alone = self.alone_with(device).await;
        let Some(device) = self.store.device(device).await? else { return Ok(false) };
        let record = match device.result {
            Some(id) => self.store.result(id).await?,
            None => None,
        };
        let round = self.round().await?;
        let renewed = self.judge_in(&round, &device, record).await?;
        Ok(self.store.decide(renewed.into_iter().collect()).await? > 0)
    }

    /// Has a device judged again when there is time.
    pub(crate) fn judge_later(&self, device: &DeviceId) {
        self.unsettled().insert(device.clone());
        self.nudge.notify_one();
    }

    /// Judges the devices again that were put off.
    pub(crate) async fn judge_unsettled(&self) -> Result<(), Failure> {
        let unsettled: Vec<DeviceId> = self.unsettled().iter().cloned().collect();
        for device in &unsettled {
            self.reappraise(device).await?;
            // Only now: what failed half-way is done again.
            self.unsettled().remove(device);
        }
        Ok(())
    }

    fn unsettled(&self) -> std::sync::MutexGuard<'_, BTreeSet<DeviceId>> {
        self.unsettled.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn round(&self) -> Result<Round, Failure> {
        let now = self.now();
        let mut twins: BTreeMap<Vec<u8>, Vec<Device>> = BTreeMap::new();
        for twin in self.store.devices_sharing_keys().await? {
            twins.entry(twin.thumbprint.clone()).or_default().push(twin);
        }
        Ok(Round { basis: self.basis(), around: self.around(None, now).await?, twins, now })
    }

    async fn judge_in(
        &self,
        round: &Round,
        device: &Device,
        record: Option<ResultRecord>,
    ) -> Result<Option<Redecision>, Failure> {
        // Who never attested has nothing that could be judged again.
        let Some(record) = record else { return Ok(None) };
        let (judged, before) = self.judge_again(device, &record, round.twin(device), &round.basis).await?;
        let (new, outcome) = match says_the_same(&judged, &before) || !may_be_renewed(&before, round.now) {
            true => (None, before),
            false => {
                let open = Open {
                    id: record.session.unwrap_or(store::SessionId([0; 16])),
                    nonce: record.nonce.clone(),
                    expires: round.now,
                    ours: true,
                };
                let Made { new, outcome } =
                    self.make_result(&judged, &open, record.evidence, round.now, before.expires)?;
                (Some(NewResult { session: None, ..new }), outcome)
            }
        };
        let decided = self.decide_in(device, Some(&outcome), &round.basis.book, &round.around, round.now);
        Ok(self.redecision(device, &decided, new, round.now))
    }
}

impl App {
    /// Says what would change if evidence were judged by something else, and changes nothing.
    pub(crate) async fn try_criteria(&self, trial: api::Trial) -> Result<api::TrialResult, Failure> {
        let mut round = self.round().await?;
        round.basis = self.tried(&round.basis, trial, round.now)?;
        let mut result = api::TrialResult::default();
        let mut after = None;
        loop {
            let batch = self.store.with_results(after.as_ref(), BATCH).await?;
            let Some((last, _)) = batch.last() else { return Ok(result) };
            after = Some(last.id.clone());
            for (device, record) in batch {
                let Some(record) = record else { continue };
                result.judged += 1;
                let twin = round.twin(&device);
                let (judged, before) = self.judge_again(&device, &record, twin, &round.basis).await?;
                let outcome = match may_be_renewed(&before, round.now) {
                    true => judged.outcome(&before),
                    false => before,
                };
                let book = &round.basis.book;
                let decided = self.decide_in(&device, Some(&outcome), book, &round.around, round.now);
                let Some(would) = decided.change(&device) else { continue };
                result.changed += 1;
                if result.devices.len() < MAX_LISTED {
                    result.devices.push(would);
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// What evidence is judged by, with what is to be tried.
    fn tried(&self, basis: &Basis, trial: api::Trial, now: Timestamp) -> Result<Basis, Failure> {
        let mut criteria = (*basis.criteria).clone();
        if let Some(name) = &trial.without {
            criteria.replace(name, None);
        }
        if let Some(rules) = trial.rules {
            let (rules, _) = self.check_rules(rules)?;
            criteria.replace(&rules.name.clone(), Some(&rules));
        }
        for digest in &trial.deny {
            criteria.deny(parse_digest(digest)?);
        }
        let mut book = (*basis.book).clone();
        for release in &trial.revoke {
            let id = release.parse().map_err(|_| Failure::Malformed("a release is no digest".to_owned()))?;
            book.revoke(&id, now).ok_or(Failure::NotFound)?;
        }
        Ok(Basis { book: book.into(), criteria: criteria.into(), revision: basis.revision })
    }
}

/// Whether a result says what would be said now. Ages and other details do not count.
fn says_the_same(judged: &Judged, before: &Outcome) -> bool {
    let codes = |reasons: &[Reason]| reasons.iter().map(|reason| reason.code).collect::<Vec<_>>();
    judged.appraised.release == before.release && codes(&judged.appraised.reasons) == codes(&before.reasons)
}

/// Whether another result may take the place of one. One past its end is not made again: the evidence is no fresher. And
/// of one that is not ours nobody knows when it ends.
fn may_be_renewed(before: &Outcome, now: Timestamp) -> bool {
    before.expires > now.seconds() && before.reasons.iter().all(|reason| reason.code != Code::ResultSigner)
}
