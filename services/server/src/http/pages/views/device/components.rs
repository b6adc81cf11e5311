//! The table of components.

use crate::pages::{
    view::{self, ComponentRow, Components, DigestChip, Sentence, Tone},
    words,
};

pub(in crate::http::pages::views) fn components(
    attested: bool,
    comparison: Option<&api::Comparison>,
) -> Components {
    let Some(comparison) = comparison else {
        let says = match attested {
            true => "What it measured cannot be read.",
            false => "It has not said yet what it runs.",
        };
        return Components { says: says.into(), rows: Vec::new() };
    };
    Components {
        says: says(comparison.against.as_ref()),
        rows: comparison.components.iter().map(row).collect(),
    }
}

fn says(against: Option<&api::ComparedRelease>) -> Sentence {
    let Some(against) = against else {
        return "Nothing is expected of it: there is no signed release left to compare with.".into();
    };
    let sentence = Sentence::from("Compared with ").strong(against.version.as_str());
    let chip = DigestChip::parse(&against.release);
    let sentence = match chip {
        Some(chip) => sentence.text(" ").digest(chip),
        None => sentence,
    };
    sentence.text(match against.chosen.as_str() {
        "matched" => ", which covers all that it measured.",
        "named" => ", which it names. No release covers all that it measured.",
        _ => ", which comes nearest. No release covers all that it measured.",
    })
}

fn row(component: &api::ComparedComponent) -> ComponentRow {
    let (comparison, verdict, tone) = words(&component.verdict);
    let is_beside = component.expected.is_some() && component.measured.is_some();
    // Colours only where measured stands beside expected.
    let tones = match comparison {
        view::Comparison::Equal if is_beside => (Tone::Good, Tone::Good),
        view::Comparison::Differs if is_beside => (Tone::Good, Tone::Bad),
        _ => (Tone::Plain, Tone::Plain),
    };
    let expected = component.expected.as_ref();
    let measured = component.measured.as_ref();
    ComponentRow {
        name: component.component.as_str().into(),
        version: expected.and_then(|expected| expected.version.as_deref()).map(Into::into),
        expected: match expected {
            Some(expected) => value(Some(&expected.digest), expected.size, tones.0),
            None => "nothing".into(),
        },
        measured: match measured {
            Some(measured) => value(measured.digest.as_deref(), measured.size, tones.1),
            None => "nothing".into(),
        },
        comparison,
        verdict: verdict.into(),
        tone,
    }
}

fn value(digest: Option<&str>, size: Option<u64>, tone: Tone) -> Sentence {
    let sentence = match digest.and_then(DigestChip::parse) {
        Some(chip) => Sentence::default().digest(chip.tone(tone)),
        None => "nothing that proves it".into(),
    };
    match size {
        Some(size) => sentence.text(format!(", {}", words::bytes(size))),
        None => sentence,
    }
}

fn words(verdict: &str) -> (view::Comparison, &'static str, Tone) {
    use view::Comparison::{Differs, Equal, Impossible};
    match verdict {
        "same" => (Equal, "Same", Tone::Good),
        "differs" => (Differs, "Differs", Tone::Bad),
        "missing" => (Impossible, "Not measured", Tone::Bad),
        "absent" => (Impossible, "Optional, not there", Tone::Plain),
        "extra" => (Impossible, "Not in the release, which policy permits", Tone::Plain),
        "twice" => (Impossible, "Measured twice", Tone::Bad),
        "denied" => (Impossible, "Denied everywhere", Tone::Bad),
        _ => (Impossible, "Not in the release", Tone::Bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:9f2c578c40236bcb65db8002c2bf98439a752de90a6b674c17b9231104ce41d7";
    const OTHER: &str = "sha256:3a91c7f05e9db622dc67153781093c74c03decba0f8639991e201e95f852c04e";

    #[test]
    fn every_verdict_has_its_words_and_colours_only_beside_each_other() {
        let expected = || api::ExpectedComponent {
            digest: DIGEST.to_owned(),
            size: Some(3_100_000),
            version: Some("1.0.3".to_owned()),
            required: true,
        };
        let measured = |digest: &str| api::MeasuredComponent { digest: Some(digest.to_owned()), size: None };
        let rows = [
            ("same", true, Some(DIGEST), "Same", "dg good", "dg good"),
            ("differs", true, Some(OTHER), "Differs", "dg good", "dg bad"),
            ("missing", true, None, "Not measured", "dg", "nothing"),
            ("absent", true, None, "Optional, not there", "dg", "nothing"),
            ("unknown", false, Some(OTHER), "Not in the release", "nothing", "dg"),
            ("extra", false, Some(OTHER), "Not in the release, which policy permits", "nothing", "dg"),
            ("twice", true, Some(DIGEST), "Measured twice", "dg", "dg"),
            ("denied", true, Some(DIGEST), "Denied everywhere", "dg", "dg"),
        ];
        for (verdict, is_expected, digest, says, above, below) in rows {
            let shown = row(&api::ComparedComponent {
                component: "app".to_owned(),
                expected: is_expected.then(expected),
                measured: digest.map(measured),
                verdict: verdict.to_owned(),
            });
            let look = |sentence: &Sentence| match sentence.pieces().first() {
                Some(view::Piece::Digest(chip)) => chip.class().to_owned(),
                _ => sentence.to_string(),
            };
            assert_eq!(shown.verdict.as_str(), says, "{verdict}");
            assert_eq!(
                (look(&shown.expected).as_str(), look(&shown.measured).as_str()),
                (above, below),
                "{verdict}"
            );
        }
        let unreadable = api::MeasuredComponent { digest: None, size: Some(1) };
        let shown = row(&api::ComparedComponent {
            component: "app".to_owned(),
            expected: Some(expected()),
            measured: Some(unreadable),
            verdict: "differs".to_owned(),
        });
        assert_eq!(shown.measured.to_string(), "nothing that proves it, 1 byte");
    }
}
