//! Devices to onboard as people look at them: the newest change first, counted, and by the device that came of it.

use sqlx::Row as _;

use crate::{DeviceId, Error, Guid, Onboarding, OnboardingState, Store, Timestamp, onboardings};

/// Which devices to onboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnboardingFilter {
    /// Those in a state.
    State(OnboardingState),
    /// Those whose last session failed.
    Failed,
}

impl Store {
    /// Devices that match, the newest change first, after one of them.
    pub async fn recent_onboardings(
        &self,
        filter: OnboardingFilter,
        after: Option<(Timestamp, Guid)>,
        limit: u32,
    ) -> Result<Vec<Onboarding>, Error> {
        let (at, guid) = after.map_or((i64::MAX, Guid([0xff; 16])), |(at, guid)| (at.micros(), guid));
        // Each has an index in this order.
        let query = match filter {
            OnboardingFilter::State(state) => sqlx::query(
                "SELECT * FROM onboardings WHERE state = $4 AND (changed_at, guid) < ($1, $2)
                 ORDER BY changed_at DESC, guid DESC LIMIT $3",
            )
            .bind(at)
            .bind(guid.0.to_vec())
            .bind(limit)
            .bind(state.as_str()),
            OnboardingFilter::Failed => sqlx::query(
                "SELECT * FROM onboardings WHERE failure IS NOT NULL AND (changed_at, guid) < ($1, $2)
                 ORDER BY changed_at DESC, guid DESC LIMIT $3",
            )
            .bind(at)
            .bind(guid.0.to_vec())
            .bind(limit),
        };
        let rows = query.fetch_all(&self.readers).await?;
        rows.iter().map(onboardings::onboarding).collect()
    }

    /// How many devices match each filter; those that none matches are left out.
    pub async fn onboarding_counts(&self) -> Result<Vec<(OnboardingFilter, u64)>, Error> {
        let rows = sqlx::query("SELECT state, COUNT(*) AS number FROM onboardings GROUP BY state")
            .fetch_all(&self.readers)
            .await?;
        let mut counts = Vec::with_capacity(rows.len() + 1);
        for row in &rows {
            let number: i64 = row.try_get("number")?;
            counts.push((OnboardingFilter::State(OnboardingState::read(row)?), number.unsigned_abs()));
        }
        let failed: i64 = sqlx::query("SELECT COUNT(*) FROM onboardings WHERE failure IS NOT NULL")
            .fetch_one(&self.readers)
            .await?
            .try_get(0)?;
        if failed > 0 {
            counts.push((OnboardingFilter::Failed, failed.unsigned_abs()));
        }
        Ok(counts)
    }

    /// Everything that a device was called, the newest change first.
    pub async fn onboardings_of(&self, device: &DeviceId) -> Result<Vec<Onboarding>, Error> {
        let rows =
            sqlx::query("SELECT * FROM onboardings WHERE device = $1 ORDER BY changed_at DESC, guid DESC")
                .bind(device.as_bytes().to_vec())
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(onboardings::onboarding).collect()
    }
}
