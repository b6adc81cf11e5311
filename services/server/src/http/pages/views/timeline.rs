//! Events in words: the same on the overview and on the page of a device.

use std::collections::HashMap;

use api::EventOfDevice;
use serde_json::Value;
use store::{Hold, Timestamp};
use trust::Restriction;

use crate::{
    app::{holds::restriction, parse_rfc3339},
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

/// Of events, newest first, those that changed something: a device that is judged as before is no news.
pub(super) fn news(events: Vec<EventOfDevice>) -> Vec<EventOfDevice> {
    let mut before: HashMap<(String, String), Vec<Value>> = HashMap::new();
    let mut kept: Vec<EventOfDevice> = Vec::new();
    for event in events.into_iter().rev() {
        let says = ["posture", "access", "tier", "release", "reasons"];
        let verdict = says.iter().map(|name| event.detail.get(*name).cloned().unwrap_or_default()).collect();
        let is_verdict = matches!(event.action.as_str(), "decision.make" | "evidence.appraise");
        let key = (event.subject.clone(), event.action.clone());
        if !is_verdict || before.get(&key) != Some(&verdict) {
            kept.push(event);
        }
        if is_verdict {
            before.insert(key, verdict);
        }
    }
    kept.reverse();
    kept
}

/// What happened.
pub(super) fn words(event: &EventOfDevice) -> String {
    let text = |name: &str| event.detail.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    match event.action.as_str() {
        "alarm.acknowledge" => "Alarm acknowledged".to_owned(),
        "alarm.raise" => "It strays and was not cut: so many of its model were".to_owned(),
        "authorities.put" => "List of authorities replaced".to_owned(),
        "campaign.change" => format!("Campaign {}", text("to")),
        "campaign.create" => "Campaign made".to_owned(),
        "campaign.device" => format!("Update {}", text("to")),
        "decision.make" => format!("Decided: {}, may reach {}", text("posture"), text("access")),
        "device.enrol" => "Enrolled".to_owned(),
        "device.hold" if text("restriction") == "update-only" => {
            format!("Put into quarantine: {}", text("reason"))
        }
        "device.hold" if text("restriction") == "restricted" => format!("Restricted: {}", text("reason")),
        "device.hold" if text("restriction") == "ejected" => format!("Ejected: {}", text("reason")),
        "device.hold" => format!("Blocked: {}", text("reason")),
        "device.release" if text("restriction") == "restricted" => "Restriction ended".to_owned(),
        "device.release" if text("restriction") == "ejected" => "Ejection ended".to_owned(),
        "device.release" if text("restriction") == "update-only" => "Quarantine ended".to_owned(),
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
        "report.contradict" => "Reported what its release contradicts".to_owned(),
        "report.failure" => format!("Reported a failed update: {}", text("reason")),
        "token.add" => "Credential made".to_owned(),
        "token.remove" => "Credential removed".to_owned(),
        other => other.to_owned(),
    }
}

/// What still works and what ends it, for each posture; a person's restriction comes first.
pub(super) fn cure(posture: Posture, hold: Option<&Hold>) -> &'static str {
    match hold.map(restriction) {
        Some(Restriction::Ejected) => {
            return "Nothing of it passes, and it stays off the link, until the ejection ends.";
        }
        Some(Restriction::Blocked) => return "Nothing of it passes until the block ends.",
        Some(Restriction::Restricted) => {
            return "What runs goes on, and nothing begins but attestation and update, until the restriction ends.";
        }
        Some(Restriction::UpdateOnly) => {
            return "Attestation and update stay open to it until the quarantine ends.";
        }
        None => {}
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(sequence: i64, subject: &str, action: &str, detail: Value) -> EventOfDevice {
        let (at, actor) = ("2026-11-23T12:00:00Z".to_owned(), "server".to_owned());
        EventOfDevice { sequence, at, actor, action: action.to_owned(), subject: subject.to_owned(), detail }
    }

    #[test]
    fn verdicts_are_news_only_when_they_change() {
        let decision = |sequence, subject: &str, posture: &str| {
            event(
                sequence,
                subject,
                "decision.make",
                json!({ "posture": posture, "access": "release", "id": sequence }),
            )
        };
        let events = vec![
            decision(6, "device:a", "trusted"),
            decision(5, "device:a", "untrusted"),
            event(4, "device:a", "gateway.bind", json!({ "mac": "02:00:00:00:00:01" })),
            decision(3, "device:b", "trusted"),
            decision(2, "device:a", "trusted"),
            decision(1, "device:a", "trusted"),
        ];
        let kept: Vec<i64> = news(events).iter().map(|event| event.sequence).collect();
        assert_eq!(kept, [6, 5, 4, 3, 1]);
    }
}
