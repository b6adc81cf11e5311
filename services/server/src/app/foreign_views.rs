//! Results about devices that are not enrolled, as they are shown.

use std::collections::BTreeMap;

use api::{ForeignDetail, ForeignPart, ForeignResult as Listed, KeyBinding, Page};
use eat::{Appraisal, SignedResult, TrustVector};
use store::{ForeignResult, ResultId, SessionId, Timestamp};
use trust::{ToldBinding, key_binding};

use crate::app::{
    App, Failure, attestation::Open, comparison, devices::MAX_PAGE, foreign::Beside, reasons, rfc3339,
};

impl App {
    /// The newest result of each session with a device that is not enrolled, the last to end first.
    pub(crate) async fn foreign_views(
        &self,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Page<Listed>, Failure> {
        let before = before.map(str::parse).transpose();
        let before = before.map_err(|_| Failure::Malformed("`after` is no id of a result".to_owned()))?;
        let limit = limit.clamp(1, MAX_PAGE);
        let found = self.store.foreign_results(before.map(ResultId), limit).await?;
        let is_full = u32::try_from(found.len()).is_ok_and(|found| found == limit);
        let next = found.last().filter(|_| is_full).map(|last| last.record.id.0.to_string());
        Ok(Page { items: found.into_iter().map(|found| self.foreign_view(found)).collect(), next })
    }

    /// The newest result of a session with a device that is not enrolled, with all of its parts, and what each measured beside
    /// what is expected of it now.
    pub(crate) async fn foreign_detail(&self, session: SessionId) -> Result<ForeignDetail, Failure> {
        let found = self.store.foreign_result(session).await?.ok_or(Failure::NotFound)?;
        let mut parts = match SignedResult::decode_cwt(&found.record.cwt) {
            Ok(signed) if !self.is_altered(&found) => signed.unverified().submods.iter().map(part).collect(),
            _ => Vec::new(),
        };
        if let (Some(media_type), false) = (&found.record.media_type, parts.is_empty()) {
            let open =
                Open { id: session, nonce: found.record.nonce.clone(), expires: self.now(), ours: true };
            let (evidence, sessions) = (&found.record.evidence, core::slice::from_ref(&open));
            let judged = self.judge_foreign(evidence, media_type, sessions, None, Beside::Shown).await?;
            let mut comparisons: BTreeMap<String, _> = judged.into_comparisons().collect();
            for part in &mut parts {
                part.comparison = comparisons.remove(&part.name).flatten().map(comparison::view);
            }
        }
        Ok(ForeignDetail {
            received_at: rfc3339(found.record.received_at),
            evidence: api::Base64Url(found.record.evidence.clone()),
            result: self.foreign_view(found),
            parts,
        })
    }

    /// Whether a result that was sealed is not as it was. Older ones have no seal.
    fn is_altered(&self, found: &ForeignResult) -> bool {
        found.record.seal.is_some() && !self.is_as_sealed(found)
    }

    fn foreign_view(&self, found: ForeignResult) -> Listed {
        let altered = self.is_altered(&found);
        let record = found.record;
        let signed = SignedResult::decode_cwt(&record.cwt).ok().filter(|_| !altered);
        let first = signed.as_ref().and_then(|signed| signed.unverified().submods.values().next());
        Listed {
            id: record.id.0,
            session: found.session.to_string(),
            media_type: record.media_type.unwrap_or_default(),
            instance: record.device.map(|device| device.to_string()),
            tier: record.tier,
            reasons: reasons::from_json(&record.reasons),
            key: first.and_then(binding),
            judged_at: rfc3339(Timestamp::from_seconds(record.issued)),
            expires_at: rfc3339(Timestamp::from_seconds(record.expires)),
            again: found.again,
            altered,
            result: api::Base64Url(record.cwt),
        }
    }
}

fn part((name, appraisal): (&String, &Appraisal)) -> ForeignPart {
    let reason =
        |found: &eat::Reason| api::Reason { code: found.code.clone(), detail: found.details.clone() };
    let vector = appraisal.vector.unwrap_or(TrustVector::new());
    ForeignPart {
        name: name.clone(),
        tier: appraisal.status.name().to_owned(),
        vector: vector
            .iter()
            .filter(|(_, value)| *value != 0)
            .map(|(category, value)| (category.name().to_owned(), value))
            .collect(),
        profile: appraisal.profile.clone(),
        reasons: appraisal.reasons.iter().map(reason).collect(),
        key: binding(appraisal),
        policies: appraisal.policy_ids.clone(),
        comparison: None,
    }
}

fn binding(appraisal: &Appraisal) -> Option<KeyBinding> {
    let ToldBinding { by, manifest, guid } = key_binding(appraisal)?;
    Some(KeyBinding { by, manifest, guid })
}
