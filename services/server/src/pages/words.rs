//! The words of the house: one sentence a reason code, the same on the page, on the command line and in the record.

mod numbers;

use super::view::{DigestChip, Sentence, Text, Tone};

pub use numbers::{Micros, age, bytes, clock, clock_fine, count, date, ratio, span};

/// The sentences of the reason codes.
///
/// Of several, the first whose details are all there is said; the last needs none. A code that is not in this table is
/// shown as it is, with its details, so that no reason is ever lost on the way to the page.
const REASONS: &[(&str, &[&str])] = &[
    (
        "digest-mismatch",
        &[
            "{component} runs software that no release contains. Measured {measured}, expected {expected}.",
            "{component} runs software that no release contains. Measured {measured}.",
            "{component} runs software that no release contains.",
            "It runs software that no release contains.",
        ],
    ),
    (
        "no-reference",
        &[
            "{device} runs a release nobody vouched for: there are no signed expected values.",
            "It runs a release nobody vouched for: there are no signed expected values.",
        ],
    ),
    (
        "reference-tampered",
        &[
            "A stored expected value of {version} is not the signed one, so the release counts for nothing.",
            "A stored expected value is not the signed one, so its release counts for nothing.",
        ],
    ),
    ("mixed-releases", &["Each component is known, but no one release contains them all."]),
    (
        "component-missing",
        &[
            "{component} was not measured.",
            "A component of {version} was not measured.",
            "A component was not measured.",
        ],
    ),
    (
        "component-unknown",
        &[
            "{component} was measured, and the release does not contain it.",
            "A component was measured that the release does not contain.",
        ],
    ),
    ("component-twice", &["{component} was measured twice.", "A component was measured twice."]),
    (
        "digest-denied",
        &[
            "{component} runs software that is on the deny list. Measured {measured}.",
            "{component} runs software that is on the deny list.",
            "It runs software that is on the deny list.",
        ],
    ),
    (
        "manifest-mismatch",
        &[
            "The evidence names manifest {named}, and what was measured is of {measured}.",
            "The evidence names another manifest than the release that was measured.",
        ],
    ),
    (
        "superseded",
        &[
            "{version} is outdated: {new} has been out for {days}.",
            "{version} is outdated: {new} is out.",
            "Its release is outdated: a newer one is out.",
        ],
    ),
    (
        "release-revoked",
        &["{version} was revoked: “{reason}”.", "{version} was revoked.", "Its release was revoked."],
    ),
    (
        "known-flaw",
        &["{version} has {cve}, fixed in {new}.", "{version} has {cve}.", "Its release has a known flaw."],
    ),
    ("never-attested", &["It has never attested."]),
    (
        "evidence-overdue",
        &[
            "No evidence for {age}; a result is good for {limit}.",
            "No evidence for {age}.",
            "Its evidence is overdue.",
        ],
    ),
    ("debug-open", &["Its debug port is open."]),
    ("bad-evidence-signature", &["The evidence was not signed by this device's key."]),
    ("malformed-evidence", &["The evidence could not be read: {error}.", "The evidence could not be read."]),
    ("replayed-nonce", &["The evidence answers an older question."]),
    ("unknown-device", &["No device with this id is enrolled."]),
    (
        "same-key-twice",
        &[
            "Two devices use this key: {a} and {b}.",
            "Two devices use this key: this one and {other}.",
            "Two devices use this key.",
        ],
    ),
    ("malformed-object", &["The object could not be read: {error}.", "The object could not be read."]),
    ("unsigned-manifest", &["The manifest is not signed."]),
    (
        "unknown-signer",
        &[
            "Signed by {kid}, who may not sign for {model}.",
            "Signed by {kid}, who may not sign for this.",
            "Signed by someone who may not sign for this.",
        ],
    ),
    ("bad-signature", &["The signature of {kid} does not verify.", "The signature does not verify."]),
    ("operator-signature-missing", &["The operator has not signed it."]),
    (
        "sequence-too-low",
        &[
            "Sequence {n} is not above {m}, which the device has.",
            "Its sequence is not above the one which the device has.",
        ],
    ),
    (
        "reference-conflict",
        &[
            "The parts list and the manifest contradict each other about {component}: {error}.",
            "The parts list and the manifest contradict each other about {component}.",
            "The parts list and the manifest contradict each other.",
        ],
    ),
    (
        "provenance-missing",
        &["The release carries no expected values: {error}.", "The release carries no expected values."],
    ),
    ("mud-signer-mismatch", &["Its network needs are not signed by the key that the manifest names."]),
    (
        "mud-missing",
        &[
            "The release does not carry its network needs; they are said to be at {url}.",
            "The release does not say what it needs from the network.",
        ],
    ),
    (
        "mud-refused",
        &[
            "Its network needs cannot be applied as they are: {error}.",
            "Its network needs cannot be applied as they are.",
        ],
    ),
    (
        "mud-needs-approval",
        &[
            "Its network needs are so wide that a person must approve them: {rule} at {path}.",
            "Its network needs are so wide that a person must approve them.",
        ],
    ),
    ("result-signer", &["The result was not signed by a trusted verifier."]),
    ("result-binding", &["The result speaks of another device or another key."]),
    (
        "override-refused",
        &[
            "The override is not signed by the network operator, or breaks a rule: {error}.",
            "The override is not signed by the network operator, or breaks a rule.",
        ],
    ),
    ("not-affirmed", &["The verifier did not affirm it and gave no finer reason."]),
    (
        "forbidden-flow",
        &[
            "It contacted {target}, which no release asks for: {count}.",
            "It contacted {target}, which no release asks for.",
            "It contacted what no release asks for.",
        ],
    ),
    (
        "trial-timeout",
        &[
            "It did not attest {version} within {s} s and went back to {old}.",
            "It did not attest {version} in time and went back.",
            "It did not attest the new release in time and went back.",
        ],
    ),
    (
        "policy-not-staged",
        &[
            "Waits until {gateways} have the policy of {version}.",
            "Waits until the gateways have the policy of {version}.",
            "Waits until the gateways have the policy.",
        ],
    ),
    ("not-in-policy", &["Release {version} does not ask for this.", "No release asks for this."]),
    (
        "operator-block",
        &[
            "{person} blocked it: “{reason}”, until {until}.",
            "{person} blocked it: “{reason}”.",
            "{person} blocked it.",
            "A person blocked it.",
        ],
    ),
];

/// The sentence of a reason, from its code and details as they came from whoever gave it.
pub fn reason<'a>(now: Micros, code: &str, detail: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sentence {
    let detail: Vec<_> = detail.into_iter().collect();
    let said = REASONS.iter().find(|(known, _)| *known == code).and_then(|(_, sentences)| {
        sentences.iter().find_map(|template| fill(template, |name| value(now, name, &detail)))
    });
    said.unwrap_or_else(|| bare(code, &detail))
}

/// Fills a template; `None` if a detail is absent.
fn fill(template: &str, value: impl Fn(&str) -> Option<Sentence>) -> Option<Sentence> {
    let mut parts = template.split('{');
    let first = parts.next().filter(|words| !words.is_empty());
    let begin = first.map_or_else(Sentence::default, Sentence::from);
    parts.try_fold(begin, |sentence, part| {
        let (name, words) = part.split_once('}')?;
        let sentence = sentence.then(value(name)?);
        Some(if words.is_empty() { sentence } else { sentence.text(words) })
    })
}

/// A detail as a page shows it: its name says what kind of value it is.
fn value(now: Micros, name: &str, detail: &[(&str, &str)]) -> Option<Sentence> {
    let (_, raw) = detail.iter().find(|(known, raw)| *known == name && !raw.is_empty())?;
    let seconds = || raw.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000));
    // Colours only where measured stands beside expected.
    let beside = |other: &str| detail.iter().any(|(known, _)| *known == other);
    let digest = |tone| DigestChip::parse(raw).map(|chip| Sentence::default().digest(chip.tone(tone)));
    let shown = match name {
        "measured" if beside("expected") => digest(Tone::Bad),
        "expected" if beside("measured") => digest(Tone::Good),
        "age" | "limit" => seconds().map(|micros| span(micros).into()),
        "until" => seconds().map(|at| Sentence::default().stamp(date(now, at))),
        "days" => raw.parse::<u64>().ok().map(|days| format!("{days} d").into()),
        "count" => raw.parse::<u64>().ok().map(tries),
        _ => digest(Tone::Plain),
    };
    Some(shown.unwrap_or_else(|| Text::from(*raw).into()))
}

fn tries(n: u64) -> Sentence {
    format!("{} {}", count(n).shown, if n == 1 { "try" } else { "tries" }).into()
}

/// A code nobody wrote a sentence for.
fn bare(code: &str, detail: &[(&str, &str)]) -> Sentence {
    let sentence = Sentence::default().code(code);
    detail.iter().enumerate().fold(sentence, |sentence, (index, (name, raw))| {
        let mark = if index == 0 { ": " } else { ", " };
        sentence.text(format!("{mark}{name} {raw}"))
    })
}

#[cfg(test)]
mod tests;
