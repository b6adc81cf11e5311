//! What the record of onboarding says of a device that is enrolled, and of those on the way.

use std::collections::HashMap;

use fdo::{Guid, Voucher};
use serde_json::Value;
use store::{Device, Onboarding, OnboardingEvent, OnboardingFilter, OnboardingState, Timestamp};

use crate::app::{
    App, Failure,
    onboarding::{manage::view, manufacturing::thumbprint},
    rfc3339,
};

/// By what devices are taken over here.
const METHOD: &str = "FDO TO2";
/// The module in which a device asks for its certificate.
const CERTIFICATES: &str = "fdo.csr";

impl App {
    /// How a device came to its owner; nothing where it did not by onboarding.
    pub(crate) async fn onboarding_of(
        &self,
        device: &Device,
    ) -> Result<Option<api::OnboardedDevice>, Failure> {
        let all = self.store.onboardings_of(&device.id).await?;
        // What it was sold as it was onboarded as.
        let is_end =
            |one: &&Onboarding| matches!(one.state, OnboardingState::Onboarded | OnboardingState::Sold);
        let Some(end) = all.iter().find(is_end) else { return Ok(None) };
        let by_name: HashMap<store::Guid, &Onboarding> = all.iter().map(|one| (one.guid, one)).collect();
        let before = |one: &Onboarding| one.follows.and_then(|guid| by_name.get(&guid).copied());
        // The session was with what it was called before, unless it kept its name.
        let session = before(end).unwrap_or(end);
        let events = self.store.onboarding_events(&session.guid).await?;
        let told = events.into_iter().find(|event| {
            matches!(event.event.as_str(), "onboarded" | "replaced") && event.detail.get("steps").is_some()
        });
        let (mut first, mut hops) = (end, 0);
        while let Some(earlier) = before(first).filter(|_| hops < all.len()) {
            (first, hops) = (earlier, hops + 1);
        }
        let owner = match self.voucher_to_onboard(end).await {
            Some(bytes) => Voucher::decode(&bytes).ok().map(|voucher| thumbprint(voucher.owner().key())),
            None => None,
        };
        let voucher = match self.voucher_view(Guid(first.guid.0)).await {
            Ok(voucher) => Some(voucher),
            Err(Failure::NotFound) => None,
            Err(failure) => return Err(failure),
        };
        let (name, template) = self.named_template_of(end);
        Ok(Some(api::OnboardedDevice {
            method: METHOD.to_owned(),
            at: rfc3339(told.as_ref().map_or(end.changed_at, |event| event.at)),
            guid: end.guid.to_string(),
            owner,
            voucher,
            attested: told.as_ref().and_then(|event| event.detail.get("attested")?.as_bool()),
            credential: credential(told.as_ref(), device),
            template: name,
            networks: template.networks.into_iter().map(|network| network.ssid).collect(),
            gateway: template.gateway,
        }))
    }

    /// The template for a device as it is now, with its name; one that was taken away gives nothing.
    fn named_template_of(&self, device: &Onboarding) -> (Option<String>, api::OnboardingTemplate) {
        let templates = self.onboarding_templates();
        let template = self.template_of(device).unwrap_or_default();
        let candidates = match device.template.as_str() {
            "" => vec![device.group.as_str(), super::plan::DEFAULT],
            name => vec![name],
        };
        let name = candidates.into_iter().find(|name| templates.contains_key(*name));
        (name.map(str::to_owned), template)
    }

    /// Devices that match, the newest change first, and where to go on.
    pub(crate) async fn recent_onboardings(
        &self,
        filter: OnboardingFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<api::Onboarding>, Option<String>), Failure> {
        let after = match after {
            None => None,
            Some(text) => Some(
                parse_place(text)
                    .ok_or_else(|| Failure::Malformed("`after` is no place in this list".to_owned()))?,
            ),
        };
        let found = self.store.recent_onboardings(filter, after, limit).await?;
        let is_full = u32::try_from(found.len()) == Ok(limit);
        let next = found.last().filter(|_| is_full).map(|last| place(last.changed_at, &last.guid));
        Ok((found.iter().map(view).collect(), next))
    }
}

/// A place in a list by the time of changes.
fn place(at: Timestamp, guid: &store::Guid) -> String {
    format!("{}-{guid}", at.micros())
}

fn parse_place(text: &str) -> Option<(Timestamp, store::Guid)> {
    let (at, guid) = text.split_once('-')?;
    let guid: Guid = guid.parse().ok()?;
    Some((Timestamp::from_micros(at.parse().ok()?), super::stored(&guid)))
}

/// What is known of the operational certificate. The outcomes are those of [`fdo::service_info::Outcome`].
fn credential(told: Option<&OnboardingEvent>, device: &Device) -> api::OperationalCredential {
    let step = told.and_then(|event| {
        let steps = event.detail.get("steps")?.as_array()?;
        let step = steps.iter().find(|step| step.get("module").and_then(Value::as_str) == Some(CERTIFICATES));
        step?.get("outcome")?.as_str()
    });
    let outcome = match step {
        None => "unknown",
        Some(outcome) if outcome.starts_with("Done") => "given",
        Some("Skipped") => "not-asked",
        Some(_) => "failed",
    };
    let subject = (outcome == "given").then(|| format!("CN={}", device.id));
    api::OperationalCredential { outcome: outcome.to_owned(), subject }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_list_is_read_as_it_was_written_and_nothing_else_is() {
        let (at, guid) = (Timestamp::from_micros(1_800_000_000_000_001), store::Guid([0xab; 16]));
        assert_eq!(parse_place(&place(at, &guid)), Some((at, guid)));
        for text in
            ["", "-", "1-", "1-ab", "x-abababababababababababababababab", "abababababababababababababababab"]
        {
            assert_eq!(parse_place(text), None, "{text}");
        }
    }
}
