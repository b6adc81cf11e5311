//! Judging evidence of devices that are not enrolled again: when manifests, releases, denied digests or rules change, or a
//! manifest comes to its end, the newest result of each session that has not ended is made anew from the evidence that came,
//! without asking anybody.
//!
//! Signatures are verified again as well: whose key counts is among what changes.

use std::{sync::atomic::Ordering, time::Duration};

use eat::{AttestationResult, SignedResult};
use store::{ForeignResult, Timestamp};

use crate::app::{
    App, Failure,
    attestation::Open,
    foreign::{Answered, Beside},
};

/// Results read at once.
const BATCH: u32 = 256;

/// What evidence of devices that are not enrolled is judged by at a time. Where two are the same, the same counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForeignRevision {
    /// Counts changes of releases, denied digests and rules.
    basis: u64,
    /// Counts changes of manifests.
    manifests: u64,
    /// The last second of the next manifest to end: the next one when that has ended.
    next_end: Option<i64>,
}

impl App {
    /// What evidence of devices that are not enrolled is judged by now.
    pub(crate) fn foreign_revision(&self) -> ForeignRevision {
        ForeignRevision {
            basis: self.basis().revision,
            manifests: self.foreign_revision.load(Ordering::Acquire),
            next_end: self.endorsements().next_end(self.now().seconds()),
        }
    }

    /// For how long nothing by which such evidence is judged changes by time alone; for ever where that is not said.
    pub(crate) fn until_a_manifest_ends(&self) -> Option<Duration> {
        let now = self.now();
        let past = Timestamp::from_seconds(self.endorsements().next_end(now.seconds())?.checked_add(1)?);
        Some(Duration::from_micros(past.micros().saturating_sub(now.micros()).unsigned_abs()))
    }

    /// Has evidence of devices that are not enrolled judged again when there is time.
    pub(super) fn judge_foreign_later(&self) {
        self.foreign_revision.fetch_add(1, Ordering::AcqRel);
        self.nudge.notify_one();
    }

    /// Judges evidence again whose result has not ended. Only what differs is stored.
    pub(crate) async fn judge_all_foreign_again(&self) -> Result<(), Failure> {
        let mut after = ForeignResult::after(self.now());
        loop {
            let batch = self.store.foreign_results_to_judge(after, BATCH).await?;
            let Some(last) = batch.last() else { return Ok(()) };
            after = last.place();
            for earlier in &batch {
                self.judge_foreign_result_again(earlier).await?;
                // Whoever attests now is not kept waiting by a long round.
                tokio::task::yield_now().await;
            }
        }
    }

    async fn judge_foreign_result_again(&self, earlier: &ForeignResult) -> Result<(), Failure> {
        let record = &earlier.record;
        if record.seal.is_none() {
            // It was made before results were sealed, and ends soon.
            return Ok(());
        }
        let before = SignedResult::decode_cwt(&record.cwt).map(|signed| signed.unverified().clone());
        let (Some(media_type), Ok(before), true) = (&record.media_type, before, self.is_as_sealed(earlier))
        else {
            tracing::error!(result = record.id.0, "a stored result is not the one that was made");
            return Ok(());
        };
        let now = self.now();
        let open = Open {
            id: earlier.session,
            nonce: record.nonce.clone(),
            expires: now,
            // Results repeat the nonce of another party, and not one of ours.
            ours: before.nonce.is_none(),
        };
        let sessions = core::slice::from_ref(&open);
        let judged = self.judge_foreign(&record.evidence, media_type, sessions, None, Beside::Left).await?;
        let result = self.foreign_result(&judged, &open, now)?;
        if says_the_same(&before, &result) {
            return Ok(());
        }
        // It ends when the earlier one did: the evidence is no fresher.
        let (evidence, media_type) = (record.evidence.clone(), media_type.clone());
        let answered = Answered { open: &open, evidence, media_type };
        let new = self.sign_foreign(&judged, result, answered, record.expires, now)?;
        self.store.judge_foreign_again(earlier, new).await?;
        Ok(())
    }
}

/// Whether two results say the same but for when, and details such as ages.
fn says_the_same(before: &AttestationResult, after: &AttestationResult) -> bool {
    let bare = |result: &AttestationResult| {
        let mut submods = result.submods.clone();
        submods.values_mut().flat_map(|part| &mut part.reasons).for_each(|reason| reason.details.clear());
        submods
    };
    bare(before) == bare(after)
}
