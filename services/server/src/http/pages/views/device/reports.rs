//! What the device reported of its updates, for the card of the sixth question. It says what the device claims and what
//! the manifest says to that; whether an update worked is for the evidence to say.

use api::{Report, ReportVerdict};
use serde::Deserialize as _;
use serde_json::Value;
use store::{Device, Timestamp};

use super::super::age;
use crate::{
    app::parse_rfc3339,
    pages::view::{DigestChip, Href, Link, Seal, SealState, Sentence},
};

/// Reports that are told of; the card has few facts.
const SHOWN: usize = 2;
/// Terms of the facts, newest report first.
const TERMS: [&str; SHOWN] = ["Last report", "Before that"];

/// The newest reports, a fact each.
pub(super) fn facts(facts: &Value, now: Timestamp) -> Vec<(&'static str, Sentence)> {
    TERMS.into_iter().zip(read(facts).iter().map(|report| words(report, now))).collect()
}

/// The seal of the newest report: whether the device's key signed it, whatever it says.
pub(super) fn seal(facts: &Value, device: &Device, now: Timestamp) -> Option<Seal> {
    let report = read(facts).into_iter().next()?;
    let (state, words) = match report.authentic {
        true => (SealState::Good, "Reported by "),
        false => (SealState::Broken, "Does not verify as a report of "),
    };
    let says = Sentence::from(words).strong(device.name.as_str()).text(", ");
    Some(Seal {
        state,
        says: says.stamp(age(now, parse_rfc3339(&report.last_at).unwrap_or(now))),
        object: Some(list(device).segment(&report.id.to_string()).segment("object")),
    })
}

/// Where all reports are.
pub(super) fn all(facts: &Value, device: &Device) -> Option<Link> {
    let any = !read(facts).is_empty();
    any.then(|| Link { label: "All reports".into(), href: list(device) })
}

fn list(device: &Device) -> Href {
    Href::route("/api/v1/devices").segment(&device.id.to_string()).segment("reports")
}

fn read(facts: &Value) -> Vec<Report> {
    facts.get("reports").and_then(|list| Vec::deserialize(list).ok()).unwrap_or_default()
}

/// One report: what it claims, when it came, and what the manifest says to it.
fn words(report: &Report, now: Timestamp) -> Sentence {
    if !report.authentic {
        return "A stored report is not the one that came, so it counts for nothing.".into();
    }
    let said = match (report.is_update, report.succeeded) {
        (false, _) => release(Sentence::from("Runs "), report).text(" and says what it can process, "),
        (true, true) => release(Sentence::from("Says it installed "), report).text(", "),
        (true, false) => failure(report).text(", "),
    };
    let at = parse_rfc3339(&report.last_at).unwrap_or(now);
    let said = said.stamp(age(now, at));
    match report.verdict {
        ReportVerdict::Holds if report.is_update => said.text(". The manifest allows that."),
        ReportVerdict::Holds => said.text("."),
        ReportVerdict::Unchecked => said.text(". Nothing here to compare it with."),
        ReportVerdict::Contradicts => contradiction(said.text(". "), report),
    }
}

/// Where and why it failed: `1.1.0 failed at image-match of app in install: condition-failed`.
fn failure(report: &Report) -> Sentence {
    let said = release(Sentence::default(), report).text(" failed");
    let said = match &report.failed_at {
        Some(place) => {
            let said = match &place.command {
                Some(command) => said.text(" at ").code(command.as_str()),
                None => said.text(format!(" at byte {}", place.offset)),
            };
            let said = match &place.component {
                Some(component) => said.text(" of ").strong(component.as_str()),
                None => said,
            };
            said.text(format!(" in {}", place.section))
        }
        None => said,
    };
    match &report.reason {
        Some(reason) => said.text(": ").code(reason.as_str()),
        None => said,
    }
}

/// What it says that no run of the manifest says.
fn contradiction(said: Sentence, report: &Report) -> Sentence {
    let said = said.strong("The manifest contradicts it");
    match report.faults.first() {
        Some(fault) => {
            let more = report.faults.len() - 1;
            let more = if more > 0 { format!("; {more} more") } else { String::new() };
            said.text(format!(": {}, {}{more}.", fault.claim, fault.says))
        }
        None => said.text("."),
    }
}

/// A release by its version, or by its manifest where nothing with a version is known.
fn release(said: Sentence, report: &Report) -> Sentence {
    match (&report.version, DigestChip::parse(&report.release)) {
        (Some(version), _) => said.strong(version.as_str()),
        (None, Some(chip)) => said.text("manifest ").digest(chip),
        (None, None) => said.text("a manifest"),
    }
}

#[cfg(test)]
mod tests {
    use api::{ReportFault, ReportPlace};
    use maud::Render as _;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn report() -> Report {
        Report {
            id: 7,
            ueid: "01".to_owned(),
            release: "ab".repeat(32),
            version: Some("1.1.0".to_owned()),
            action: Some(3),
            received_at: "2027-01-15T07:59:00Z".to_owned(),
            last_at: "2027-01-15T07:59:00Z".to_owned(),
            times: 1,
            digest: "cd".repeat(32),
            size: 99,
            authentic: true,
            is_update: true,
            succeeded: true,
            reason: None,
            failed_at: None,
            verdict: ReportVerdict::Holds,
            faults: Vec::new(),
        }
    }

    fn place(command: Option<&str>, component: Option<&str>) -> Option<ReportPlace> {
        Some(ReportPlace {
            manifest: Vec::new(),
            section: "install".to_owned(),
            offset: 12,
            command: command.map(str::to_owned),
            component: component.map(str::to_owned),
        })
    }

    fn say(report: &Report) -> String {
        words(report, NOW).to_string()
    }

    #[test]
    fn says_what_was_claimed_and_what_the_manifest_says_to_it() {
        assert_eq!(say(&report()), "Says it installed 1.1.0, 60 s ago. The manifest allows that.");
        let failed = Report {
            succeeded: false,
            reason: Some("condition-failed".to_owned()),
            failed_at: place(Some("image-match"), Some("app")),
            ..report()
        };
        assert_eq!(
            say(&failed),
            "1.1.0 failed at image-match of app in install: condition-failed, 60 s ago. The manifest allows that."
        );
        let nowhere = Report { failed_at: place(None, None), verdict: ReportVerdict::Unchecked, ..failed };
        let nowhere = Report { version: None, ..nowhere };
        assert_eq!(
            say(&nowhere),
            "manifest ababab…abab failed at byte 12 in install: condition-failed, 60 s ago. \
             Nothing here to compare it with."
        );
        let fault = |claim: &str| ReportFault {
            claim: claim.to_owned(),
            code: "went-on-regardless".to_owned(),
            says: "the value fails the condition, and processing went on".to_owned(),
            at: None,
        };
        let lie = Report {
            verdict: ReportVerdict::Contradicts,
            faults: vec![fault("record 2"), fault("record 3")],
            ..report()
        };
        assert_eq!(
            say(&lie),
            "Says it installed 1.1.0, 60 s ago. The manifest contradicts it: record 2, the value fails the \
             condition, and processing went on; 1 more."
        );
        let altered = Report { authentic: false, ..report() };
        assert_eq!(say(&altered), "A stored report is not the one that came, so it counts for nothing.");
        let start = Report { is_update: false, ..report() };
        assert_eq!(say(&start), "Runs 1.1.0 and says what it can process, 60 s ago.");
    }

    #[test]
    fn what_a_device_wrote_stays_text() {
        let evil = "<script>alert(1)</script>\u{202e}";
        let hostile = Report {
            succeeded: false,
            version: Some(evil.to_owned()),
            reason: Some(evil.to_owned()),
            failed_at: Some(ReportPlace {
                section: evil.to_owned(),
                ..place(Some(evil), Some(evil)).unwrap()
            }),
            verdict: ReportVerdict::Contradicts,
            faults: vec![ReportFault {
                claim: evil.to_owned(),
                code: evil.to_owned(),
                says: evil.to_owned(),
                at: None,
            }],
            ..report()
        };
        let html = words(&hostile, NOW).render().into_string();
        assert!(!html.contains("<script") && !html.contains('\u{202e}'), "{html}");
        assert_eq!(html.matches("&lt;script&gt;").count(), 7, "{html}");
    }

    #[test]
    fn card_tells_of_two_reports_and_survives_facts_that_are_none() {
        let told = facts(&json!({ "reports": [report(), report(), report()] }), NOW);
        assert_eq!(told.iter().map(|(term, _)| *term).collect::<Vec<_>>(), TERMS);
        for none in [json!({}), json!({ "reports": 3 }), json!({ "reports": [{ "id": "x" }] })] {
            assert!(facts(&none, NOW).is_empty());
        }
    }
}
