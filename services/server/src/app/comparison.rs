//! What a device measured beside what is expected of it, component by component.

use store::{Device, ReleaseId, ResultRecord};
use trust::{Code, Compared, Comparison, Reason, References, compare};

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
        let mut tampered = basis.book.tampered(&evidence.claims().class).cloned();
        let mut without = Vec::new();
        loop {
            let references = References {
                releases: basis.book.releases(),
                without: &without,
                denied: &basis.criteria.denied,
                tampered: tampered.as_ref(),
            };
            let Ok(found) = compare(&evidence, &references, &self.config.policy) else { return Ok(None) };
            let against = found.against.as_ref().map(|against| against.release);
            let entry = against.and_then(|release| basis.book.get(&ReleaseId::new(release)));
            // A release whose rows in the store differ from its signed object counts no more here than in an appraisal.
            match entry {
                Some(entry) if !self.holds(entry).await? => {
                    without.extend(against);
                    tampered = Some(Reason::new(Code::ReferenceTampered));
                }
                _ => return Ok(Some(view(found))),
            }
        }
    }
}

fn view(found: Comparison) -> api::Comparison {
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
