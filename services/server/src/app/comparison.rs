//! What a device measured beside what is expected of it, component by component.

use store::{Device, ResultRecord};
use trust::{Compared, Comparison, References, compare};

use crate::app::{App, Failure, answers, releases::hex};

impl App {
    /// The components of the newest evidence, compared by what evidence is judged by now. None where nothing came, or it
    /// cannot be read.
    pub(crate) async fn comparison(
        &self,
        device: &Device,
        result: Option<&ResultRecord>,
    ) -> Result<Option<api::Comparison>, Failure> {
        let Some(evidence) = result.and_then(|result| answers::verified(device, result)) else {
            return Ok(None);
        };
        let basis = self.basis();
        let judge = |references: &References<'_>| compare(&evidence, references, &self.config.policy).ok();
        let release = |found: &Option<Comparison>| Some(found.as_ref()?.against.as_ref()?.release);
        let found = self.by_what_counts(&basis, &evidence.claims().class, judge, release).await?;
        Ok(found.map(view))
    }
}

pub(super) fn view(found: Comparison) -> api::Comparison {
    let component = |row: Compared| api::ComparedComponent {
        component: row.name,
        expected: row.expected.map(|expected| api::ExpectedComponent {
            digest: expected.digest.to_string(),
            size: expected.size,
            version: expected.version,
            required: expected.required,
        }),
        measured: row.measured.map(|measured| api::MeasuredComponent {
            digest: measured.digest.map(|digest| digest.to_string()),
            size: measured.size,
        }),
        verdict: row.agreement.as_str().to_owned(),
    };
    api::Comparison {
        against: found.against.map(|against| api::ComparedRelease {
            release: hex(against.release.as_bytes()),
            version: against.version,
            chosen: against.chosen.as_str().to_owned(),
        }),
        components: found.components.into_iter().map(component).collect(),
    }
}
