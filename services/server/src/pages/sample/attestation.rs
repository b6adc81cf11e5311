//! Results of devices that are not enrolled.

use crate::pages::{
    view::{Href, Link, ResultList, ResultPage, ResultPart, ResultRow, Section, Sentence, Tone, Verdict},
    words::{age, date, reason},
};

use super::{EXPECTED, MEASURED, NOW, SECOND, chip, device, frame};

pub(crate) fn results(rows: usize) -> ResultList {
    let verdicts = [
        Verdict::Affirming,
        Verdict::Warning,
        Verdict::Contraindicated,
        Verdict::Nothing,
        Verdict::Ended,
        Verdict::Altered,
    ];
    let row = |(index, verdict): (usize, Verdict)| ResultRow {
        name: format!("0133333{index}…33333333").into(),
        kind: "application/psa-attestation-token".into(),
        href: href(),
        key: "Named by a manifest".into(),
        why: reason(NOW, "digest-mismatch", [("component", "BL"), ("measured", MEASURED)]),
        judged: age(NOW, NOW - 48 * SECOND),
        again: verdict == Verdict::Warning,
        ends: date(NOW, NOW + 300 * SECOND),
        verdict,
    };
    ResultList {
        frame: frame("Attestation", Section::Attestation),
        says: "What evidence of devices that are not enrolled is worth. It moves no posture.".into(),
        rows: verdicts.into_iter().cycle().take(rows).enumerate().map(row).collect(),
        first: Some(Href::route("/attestation")),
        older: (rows > 0).then(|| Href::route("/attestation").query("after", "7")),
    }
}

/// One with two parts, of which one is not believed.
pub(crate) fn result() -> ResultPage {
    let part = |name: &str, verdict, reasons, components| ResultPart {
        name: name.into(),
        verdict,
        reasons,
        facts: vec![("Key", key()), ("Claims", "instance-identity 2, executables 96".into())],
        components,
    };
    let mismatch =
        reason(NOW, "digest-mismatch", [("component", "BL"), ("measured", MEASURED), ("expected", EXPECTED)]);
    ResultPage {
        frame: frame("01333333…33333333", Section::Attestation),
        crumbs: vec![Link { label: "Attestation".into(), href: Href::route("/attestation") }],
        verdict: Verdict::Contraindicated,
        facts: vec![
            "application/eat+cwt".into(),
            Sentence::from("judged ").stamp(age(NOW, NOW - 48 * SECOND)),
        ],
        note: None,
        parts: vec![
            part("EAT", Verdict::Contraindicated, vec![mismatch], Some(device().components)),
            part("EAT/modem", Verdict::Contraindicated, vec![reason(NOW, "replayed-nonce", [])], None),
            part("EAT/radio", Verdict::Affirming, vec![], Some(device().components)),
        ],
        evidence: device().evidence,
    }
}

/// One that somebody altered in the store, of evidence that cannot be shown.
pub(crate) fn altered_result() -> ResultPage {
    ResultPage {
        verdict: Verdict::Altered,
        note: Some("What is stored is not what was made. Nothing of it is believed.".into()),
        parts: vec![],
        evidence: None,
        ..result()
    }
}

fn key() -> Sentence {
    Sentence::from("Named by a manifest, ").digest(chip(EXPECTED, Tone::Plain))
}

fn href() -> Href {
    Href::route("/attestation").segment("results").segment("3e671687-395b-41f5-a30f-a58921a69b79")
}
