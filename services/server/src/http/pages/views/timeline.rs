//! Events in words: the same on the overview and on the page of a device.

use api::EventOfDevice;
use store::Timestamp;

use crate::{
    app::parse_rfc3339,
    pages::{
        view::{Dot, Posture, Sentence, TimelineEntry},
        words,
    },
};

/// An event as a line of a timeline.
pub(super) fn entry(now: Timestamp, event: &EventOfDevice, says: Sentence) -> TimelineEntry {
    let at = parse_rfc3339(&event.at).unwrap_or(now);
    let word = event.detail.get("posture").and_then(|posture| posture.as_str());
    let posture = word.and_then(Posture::from_text);
    let dot = match posture {
        Some(posture) => Dot::Posture(posture),
        None if event.actor == "server" || event.actor.starts_with("device:") => Dot::Plain,
        None => Dot::Act,
    };
    let detail = format!("#{} {}", event.sequence, event.actor);
    TimelineEntry { at: words::clock_fine(at.micros()), dot, says, detail: Some(detail.into()) }
}

/// What happened.
pub(super) fn words(event: &EventOfDevice) -> String {
    let text = |name: &str| event.detail.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    match event.action.as_str() {
        "authorities.put" => "List of authorities replaced".to_owned(),
        "campaign.change" => format!("Campaign {}", text("to")),
        "campaign.create" => "Campaign made".to_owned(),
        "campaign.device" => format!("Update {}", text("to")),
        "decision.make" => format!("Decided: {}, may reach {}", text("posture"), text("access")),
        "device.enrol" => "Enrolled".to_owned(),
        "device.hold" => format!("Blocked: {}", text("reason")),
        "device.release" => "Block ended".to_owned(),
        "device.retire" => "Taken out of service".to_owned(),
        "evidence.appraise" => format!("Evidence judged: {}", text("tier")),
        "evidence.reappraise" => format!("Evidence judged again: {}", text("tier")),
        "gateway.apply" => format!("Gateway put it to {}", text("profile")),
        "gateway.bind" => format!("Admitted as {}", text("mac")),
        "gateway.connect" => "Gateway connected".to_owned(),
        "gateway.refuse" => format!("Gateway refused {}", text("object")),
        "gateway.stage" => "Gateway staged a policy".to_owned(),
        "gateway.unstage" => "Gateway dropped a staged policy".to_owned(),
        "override.add" => format!("Override: {}", text("reason")),
        "override.refuse" => format!("Override refused: {}", text("code")),
        "release.accept" => format!("Release {} accepted", text("version")),
        "release.distrust" => "A stored release does not hold any more".to_owned(),
        "release.refuse" => format!("Release refused: {}", text("code")),
        "release.restore" => "A stored release holds again".to_owned(),
        "release.revoke" => format!("Release revoked: {}", text("reason")),
        "token.add" => "Credential made".to_owned(),
        "token.remove" => "Credential removed".to_owned(),
        other => other.to_owned(),
    }
}

/// What still works and what ends it, for each posture.
pub(super) const fn cure(posture: Posture) -> &'static str {
    match posture {
        Posture::Quarantined => {
            "Its gateway lets only attestation and update through, until its evidence matches a release."
        }
        Posture::Untrusted => "Attestation and update stay open to it until its evidence matches a release.",
        Posture::Stale => "Attestation and update stay open to it until it attests again.",
        Posture::Unknown => {
            "Attestation and update stay open to it until a signed release matches its evidence."
        }
        Posture::Outdated => "It is to move to the current release.",
        Posture::Trusted => "It may reach what its release asks for.",
    }
}
