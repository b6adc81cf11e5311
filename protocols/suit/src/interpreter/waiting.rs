use super::{FailureKind, Platform, PlatformError, machine::Machine, machine::Stop};
use crate::{
    Parameter, WaitInfo,
    labels::parameter,
    limits::MAX_WAKE_UPS,
    wait::{DAYS_PER_WEEK, SECONDS_PER_DAY},
};

impl<P: Platform> Machine<'_, P> {
    /// Waits until all events have happened (UM, section 5.6).
    pub(super) fn wait(&mut self, index: u32) -> Result<(), Stop> {
        let info = match self.table.find(self.slot(index)?, parameter::WAIT_INFO) {
            Some(Parameter::WaitInfo(info)) => info,
            _ => return Err(FailureKind::ParameterMissing(parameter::WAIT_INFO).into()),
        };
        for _ in 0..MAX_WAKE_UPS {
            if self.have_happened(info) {
                return Ok(());
            }
            self.platform.wait(info)?;
        }
        Err(PlatformError::NotReady.into())
    }

    fn have_happened(&mut self, info: &WaitInfo<'_>) -> bool {
        let utc = self.platform.now();
        let local = utc.zip(self.platform.utc_offset());
        let local = local.and_then(|(utc, offset)| utc.checked_add_signed(i64::from(offset)));
        let is =
            |now: Option<u64>, of: fn(u64) -> u64, reached: fn(&u64, &u64) -> bool, event: Option<u64>| {
                event.is_none_or(|event| now.is_some_and(|now| reached(&of(now), &event)))
            };
        is(utc, |now| now, u64::ge, info.time)
            && is(utc, time_of_day, u64::ge, info.utc_time_of_day)
            && is(utc, day_of_week, u64::eq, info.utc_day_of_week)
            && is(local, time_of_day, u64::ge, info.time_of_day)
            && is(local, day_of_week, u64::eq, info.day_of_week)
            && info.power.is_none_or(|state| self.platform.in_power_state(state))
            && info.network.is_none_or(|state| self.platform.in_network_state(state))
            && info.other_devices.iter().all(|other| {
                let version = self.platform.version_of_other(other.device);
                version.is_some_and(|version| other.versions.iter().all(|demand| demand.matches(&version)))
            })
            // Last, so that nobody is asked before an answer has a use.
            && info.authorization.is_none_or(|priority| self.platform.authorizes(priority))
    }
}

/// Seconds since midnight.
fn time_of_day(seconds: u64) -> u64 {
    seconds % SECONDS_PER_DAY
}

/// Days since Sunday. The first of January 1970 was a Thursday.
fn day_of_week(seconds: u64) -> u64 {
    const THURSDAY: u64 = 4;
    (seconds / SECONDS_PER_DAY + THURSDAY) % DAYS_PER_WEEK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_days_and_times() {
        // Tuesday, 3 October 2023, 01:02:03 UTC.
        let seconds = 1_696_294_923;
        assert_eq!((day_of_week(seconds), time_of_day(seconds)), (2, 3723));
        assert_eq!((day_of_week(0), time_of_day(0)), (4, 0));
    }
}
