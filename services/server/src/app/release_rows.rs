//! The rows beside a release, held against what its signed object says.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use trust::Reason;

use crate::app::{
    App,
    releases::{Entry, Verified, tampered},
};

/// For how long the rows beside a release need not be looked at again.
const HOLDS: Duration = Duration::from_millis(100);

impl App {
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
        let mut rows = self.store.expected_values(&record.id).await?;
        rows.sort();
        let same = rows == verified.rows && record.sequence == verified.release.sequence_number();
        Ok(if same { Ok(verified) } else { Err(tampered(record, "a stored expected value was altered")) })
    }
}
