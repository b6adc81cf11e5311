//! The rows beside a release, held against what its signed object says: before it is used, and of all in turn.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use store::{ExpectedValue, ReleaseId};
use trust::Reason;

use crate::app::{
    App,
    releases::{Entry, Verified, tampered},
};

/// For how long the rows beside a release need not be looked at again.
const HOLDS: Duration = Duration::from_millis(100);

/// How many releases are held against their rows at once, when nobody uses them: so a round takes as long for many as for
/// few.
const AT_ONCE: usize = 256;

impl App {
    /// Holds the next releases after one against what is stored of them, and marks those that differ. Gives whether all are to
    /// be read again. Whatever was altered is so found after a round over all of them at the latest.
    pub(crate) async fn check_next_releases(
        &self,
        after: &mut Option<ReleaseId>,
    ) -> Result<bool, store::Error> {
        let (book, (version, authorities)) = (self.book(), self.authorities().await?);
        if version != book.authorities() || self.store.count_releases().await? != book.len() as u64 {
            return Ok(true);
        }
        let entries: Vec<&Entry> = book.after(after.as_ref()).take(AT_ONCE).collect();
        let ids: Vec<ReleaseId> = entries.iter().map(|entry| entry.record.id).collect();
        let stored = self.store.releases_with_values(&ids).await?;
        let anchors = self.anchors(authorities).map_err(|_| store::Error::Corrupt("authority list"))?;
        let mut differ = Vec::new();
        for entry in entries {
            let same = match (&entry.verified, stored.get(&entry.record.id)) {
                (_, None) => false,
                (Ok(verified), Some((record, rows))) => {
                    *record == entry.record && agree(record, rows.clone(), verified)
                }
                // What did not hold may hold again.
                (Err(before), Some((record, rows))) => match self.verify_stored(record, &anchors).await? {
                    Ok(verified) => before == &altered(record) && !agree(record, rows.clone(), &verified),
                    Err(reason) => before == &reason,
                },
            };
            if !same {
                differ.push(entry.record.id);
            }
        }
        *after = ids.last().filter(|_| ids.len() == AT_ONCE).copied();
        let any = !differ.is_empty();
        self.suspects().extend(differ);
        Ok(any)
    }

    /// Releases whose rows are to be compared when they are read next.
    pub(super) fn suspects(&self) -> std::sync::MutexGuard<'_, BTreeSet<ReleaseId>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody met a release that is not what is stored of it.
    pub(crate) fn suspects_any(&self) -> bool {
        !self.suspects().is_empty()
    }

    /// Whether what is stored beside a release still says what the signed object says. Asked before each use, and answered
    /// from memory for a moment: what is believed is the signed object in any case.
    pub(crate) async fn holds(&self, entry: &Entry) -> Result<bool, store::Error> {
        let Ok(verified) = &entry.verified else { return Ok(false) };
        let id = entry.record.id;
        let asked = self.compared.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied();
        if asked.is_some_and(|asked| asked.elapsed() < HOLDS) {
            return Ok(true);
        }
        let holds = self.compare_rows(&entry.record, verified.clone()).await?.is_ok();
        if !holds {
            // The reconciler finds out the same, says so, and judges devices again.
            self.suspects().insert(id);
            self.nudge.notify_one();
        }
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        if holds {
            compared.insert(id, Instant::now())
        } else {
            compared.remove(&id)
        };
        Ok(holds)
    }

    pub(super) async fn compare_rows(
        &self,
        record: &store::Release,
        verified: Arc<Verified>,
    ) -> Result<Result<Arc<Verified>, Reason>, store::Error> {
        let rows = self.store.expected_values(&record.id).await?;
        Ok(if agree(record, rows, &verified) { Ok(verified) } else { Err(altered(record)) })
    }
}

/// Whether what is stored of a release is what the signed object says.
fn agree(record: &store::Release, mut rows: Vec<ExpectedValue>, verified: &Verified) -> bool {
    rows.sort();
    rows == verified.rows && record.sequence == verified.release.sequence_number()
}

fn altered(record: &store::Release) -> Reason {
    tampered(record, "a stored expected value was altered")
}
