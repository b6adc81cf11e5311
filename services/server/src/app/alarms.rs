//! Alarms: what gateways did not answer by themselves, because they answered so much already.

use crate::app::{App, Failure, rfc3339};

/// Alarms in one answer.
const MAX_ALARMS: u32 = 1000;

impl App {
    /// Alarms that nobody acknowledged, or all; the newest first.
    pub(crate) async fn alarms(&self, all: bool) -> Result<Vec<api::Alarm>, Failure> {
        let mut alarms = Vec::new();
        for alarm in self.store.alarms(all, MAX_ALARMS).await? {
            let device = self.store.device(&alarm.withheld.device).await?;
            let (acknowledged_at, acknowledged_by) = alarm.acknowledged.unzip();
            alarms.push(api::Alarm {
                id: alarm.id,
                gateway: alarm.gateway,
                ueid: alarm.withheld.device.to_string(),
                name: device.map(|device| device.name).unwrap_or_default(),
                model: alarm.withheld.model,
                most: alarm.withheld.most,
                raised_at: rfc3339(alarm.withheld.raised),
                ended_at: alarm.ended.map(rfc3339),
                acknowledged_by,
                acknowledged_at: acknowledged_at.map(rfc3339),
            });
        }
        Ok(alarms)
    }

    /// Notes that somebody saw an alarm.
    pub(crate) async fn acknowledge(&self, alarm: i64, actor: &str) -> Result<(), Failure> {
        Ok(self.store.acknowledge(alarm, actor, self.now()).await?)
    }
}
